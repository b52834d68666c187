#define _GNU_SOURCE /* pipe2 */
#include "line.h"

#include <editline/readline.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "base/interrupt.h"

enum { HISTORY_LINES = 1000 };

static lua_State *completing; /* libedit's callbacks carry no context */
static int completer = LUA_NOREF;

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t own_code; /* the REPL itself runs, not what was typed */
static int alarm_ends[2] = {-1, -1};   /* a pipe that wakes whoever waits for a key */
static struct sigaction own_action;    /* what SIGINT does when libedit does not meddle */

bool marea_line_interrupt(void) {
  if (own_code == 0) return false;
  ssize_t ignored = write(alarm_ends[1], "", 1);
  (void)ignored;
  return true;
}

static void forget_interrupts(void) {
  char bytes[64];
  while (read(alarm_ends[0], bytes, sizeof bytes) > 0) {
  }
  marea_interrupt_clear();
}

/* Waits for a byte; false after Ctrl-C or when the terminal is gone. The signal may arrive at
 * another thread (OpenBLAS has some), so that this one need not be woken by it: hence the pipe. */
static bool byte_is_there(void) {
  struct pollfd inputs[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = alarm_ends[0], .events = POLLIN}};
  sigaction(SIGINT, &own_action, NULL);
  while (poll(inputs, 2, -1) < 0 && errno == EINTR) { /* resized, or continued after Ctrl-Z */
  }
  return (inputs[1].revents & POLLIN) == 0 && (inputs[0].revents & (POLLERR | POLLNVAL)) == 0;
}

/* Ctrl-C also throws away what was typed, so a byte that was there may be gone: then read must not
 * wait. 1: a byte; 0: none; -1: the end of input. */
static int read_byte(char *byte) {
  struct termios mode;
  bool terminal = tcgetattr(STDIN_FILENO, &mode) == 0;
  if (terminal && mode.c_cc[VMIN] != 0) {
    mode.c_cc[VMIN] = mode.c_cc[VTIME] = 0; /* libedit puts them back with its other settings */
    tcsetattr(STDIN_FILENO, TCSANOW, &mode);
  }
  ssize_t got = read(STDIN_FILENO, byte, 1);
  if (got == 1) return 1;
  bool nothing = terminal && (got == 0 || errno == EINTR || errno == EAGAIN);
  return nothing ? 0 : -1;
}

/* libedit's own reader goes on reading after Ctrl-C. Returns a character (wide), or -1. */
static int read_character(FILE *unused) {
  (void)unused;
  mbstate_t state = {0};
  for (;;) {
    char byte;
    wchar_t character;
    int got = byte_is_there() ? read_byte(&byte) : -1;
    if (got < 0) return -1;
    if (got == 0) continue;
    size_t length = mbrtowc(&character, &byte, 1, &state);
    if (length == (size_t)-1) return L'?';
    if (length != (size_t)-2) return (int)character; /* else more bytes belong to it */
  }
}

/* ---- the module's functions ---- */

/* read(prompt) → the line; false after Ctrl-C; nothing at the end of input */
static int read_line(lua_State *L) {
  const char *prompt = luaL_optstring(L, 1, "> ");
  forget_interrupts();
  sigaction(SIGINT, NULL, &own_action);
  completing = L;
  char *text = readline(prompt);
  completing = NULL;
  bool stopped = marea_interrupted();
  forget_interrupts();
  if (stopped) {
    free(text);
    lua_pushboolean(L, 0);
    return 1;
  }
  if (text == NULL) return 0;
  lua_pushstring(L, text);
  free(text);
  return 1;
}

/* run(f, handler) → as xpcall does. Only in here does Ctrl-C raise an error: one that comes a
 * moment too late must not end the REPL. */
static int run(lua_State *L) {
  lua_settop(L, 2);
  lua_insert(L, 1); /* handler, f */
  own_code = 0;
  int code = lua_pcall(L, 0, LUA_MULTRET, 1);
  own_code = 1;
  lua_sethook(L, NULL, 0, 0);
  forget_interrupts();
  lua_pushboolean(L, code == LUA_OK);
  lua_replace(L, 1);
  return lua_gettop(L);
}

/* From here to the program's end, Ctrl-C means nothing outside of run. */
static int begin(lua_State *L) {
  if (alarm_ends[0] < 0 && pipe2(alarm_ends, O_NONBLOCK | O_CLOEXEC) != 0)
    return luaL_error(L, "cannot make a pipe: %s", strerror(errno));
  own_code = 1;
  return 0;
}

static int remember(lua_State *L) {
  add_history(luaL_checkstring(L, 1));
  return 0;
}

static int load_history(lua_State *L) {
  lua_pushboolean(L, read_history(luaL_checkstring(L, 1)) == 0);
  return 1;
}

static int save_history(lua_State *L) {
  stifle_history(HISTORY_LINES);
  lua_pushboolean(L, write_history(luaL_checkstring(L, 1)) == 0);
  return 1;
}

/* The i-th candidate of the list on top of the stack, as libedit wants it. */
static char *candidate(const char *text, int state) {
  (void)text;
  lua_State *L = completing;
  lua_geti(L, -1, state + 1);
  const char *word = lua_tostring(L, -1);
  char *copy = word != NULL ? strdup(word) : NULL;
  lua_pop(L, 1);
  return copy;
}

static char **candidates(const char *text, int start, int end) {
  (void)start, (void)end;
  lua_State *L = completing;
  rl_attempted_completion_over = 1; /* never file names */
  rl_completion_append_character = 0;
  if (L == NULL || completer == LUA_NOREF) return NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, completer);
  lua_pushstring(L, text);
  char **list = NULL;
  if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_istable(L, -1))
    list = rl_completion_matches(text, candidate);
  lua_pop(L, 1);
  return list;
}

static int complete(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, completer);
  completer = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static const luaL_Reg functions[] = {{"read", read_line},
                                     {"run", run},
                                     {"begin", begin},
                                     {"remember", remember},
                                     {"load_history", load_history},
                                     {"save_history", save_history},
                                     {"complete", complete},
                                     {NULL, NULL}};

int luaopen_marea_line(lua_State *L) {
  static char breaks[] = " \t\n\"'`@$><=;|&{(,+-*/%#[";
  rl_readline_name = (char *)(size_t) "marea";
  rl_completer_word_break_characters = breaks;
  rl_basic_word_break_characters = breaks;
  rl_attempted_completion_function = candidates;
  rl_getc_function = read_character;
  using_history();
  luaL_newlib(L, functions);
  return 1;
}

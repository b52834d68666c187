#define _POSIX_C_SOURCE 200809L /* strdup */
#include "line.h"

#include <editline/readline.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_LINES = 1000 };

static lua_State *completing; /* libedit's callbacks carry no context */
static int completer = LUA_NOREF;

static int read_line(lua_State *L) {
  const char *prompt = luaL_optstring(L, 1, "> ");
  completing = L;
  char *text = readline(prompt);
  completing = NULL;
  if (text == NULL) return 0;
  lua_pushstring(L, text);
  free(text);
  return 1;
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
  using_history();
  luaL_newlib(L, functions);
  return 1;
}

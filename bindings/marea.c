/* The interpreter: Lua 5.4 that knows where Marea's files are.
 *
 *   marea                     the REPL (or, when input is no terminal, a script from it)
 *   marea SCRIPT ARGUMENTS…   runs a script
 *   marea COMMAND ARGUMENTS…  runs lua/marea/commands/COMMAND.lua, unless a file has that name
 *   marea -e CODE -i -v -h    as in lua; --double works in double precision */
#define _GNU_SOURCE /* readlink, sigaction */
#include <lauxlib.h>
#include <limits.h>
#include <locale.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "line.h"

static lua_State *interrupted_state;

/* ---- Ctrl-C ---- */

static void stop(lua_State *L, lua_Debug *where) {
  (void)where;
  lua_sethook(L, NULL, 0, 0);
  if (marea_interrupt_watched()) return; /* whoever watches ends its work in order */
  marea_interrupt_clear();
  lua_pushliteral(L, "interrupted!"); /* where it happened to be says nothing */
  lua_error(L);
}

static void on_interrupt(int signal_number) {
  (void)signal_number;
  if (marea_interrupted() && marea_interrupt_watched()) _exit(130); /* asked a second time */
  marea_interrupt_request();
  if (marea_line_interrupt()) return;
  lua_sethook(interrupted_state, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
              1);
}

/* ---- running code ---- */

static int with_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (message == NULL) message = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, message, 1);
  return 1;
}

static int call(lua_State *L, int arguments) {
  int base = lua_gettop(L) - arguments;
  lua_pushcfunction(L, with_traceback);
  lua_insert(L, base);
  int code = lua_pcall(L, arguments, 0, base);
  lua_remove(L, base);
  return code;
}

static int report(lua_State *L, int code) {
  if (code == LUA_OK) return EXIT_SUCCESS;
  fprintf(stderr, "marea: %s\n", luaL_tolstring(L, -1, NULL));
  lua_pop(L, 2);
  return EXIT_FAILURE;
}

/* Runs the chunk on top of the stack with the arguments argv[first…]. */
static int run_chunk(lua_State *L, int argc, char **argv, int first) {
  for (int i = first; i < argc; i++) lua_pushstring(L, argv[i]);
  return report(L, call(L, argc > first ? argc - first : 0));
}

static int run_file(lua_State *L, const char *path, int argc, char **argv, int first) {
  int code = luaL_loadfile(L, path);
  return code == LUA_OK ? run_chunk(L, argc, argv, first) : report(L, code);
}

static int run_text(lua_State *L, const char *text, const char *name) {
  int code = luaL_loadbuffer(L, text, strlen(text), name);
  return code == LUA_OK ? run_chunk(L, 0, NULL, 0) : report(L, code);
}

/* ---- finding Marea ---- */

static const char *const FIND =
    "local here, suffix = ...\n"
    "local function exists(path) local f = io.open(path) if f then f:close() return true end end\n"
    "local build = here .. '/marea_modules/marea/native' .. suffix .. '.so'\n"
    "local source, modules\n"
    "if exists(build) then\n"
    "  source, modules = MAREA_SOURCE, here .. '/marea_modules'\n"
    "else\n"
    "  source, modules = here .. '/../share/lua/5.4', here .. '/../lib/lua/5.4'\n"
    "end\n"
    "package.path = source .. '/?.lua;' .. source .. '/?/init.lua;' .. package.path\n"
    "package.cpath = modules .. '/?.so;' .. package.cpath\n"
    "if suffix ~= '' then\n"
    "  package.preload['marea.native'] = function()\n"
    "    return assert(package.loadlib(package.searchpath('marea.native_double', package.cpath),\n"
    "      'luaopen_marea_native_double'))('marea.native')\n"
    "  end\n"
    "end\n"
    "MAREA_SOURCE = nil\n";

static int own_folder(char *folder, size_t bytes) {
  ssize_t length = readlink("/proc/self/exe", folder, bytes - 1);
  if (length < 0) return 0;
  folder[length] = '\0';
  char *slash = strrchr(folder, '/');
  if (slash != NULL) *slash = '\0';
  return 1;
}

static int set_up_paths(lua_State *L) {
  char folder[PATH_MAX];
  if (!own_folder(folder, sizeof folder)) return luaL_error(L, "cannot find my own place");
  lua_pushstring(L, MAREA_SOURCE_FOLDER);
  lua_setglobal(L, "MAREA_SOURCE");
  if (luaL_loadstring(L, FIND) != LUA_OK) return lua_error(L);
  lua_pushstring(L, folder);
  lua_pushstring(L, MAREA_SUFFIX);
  lua_call(L, 2, 0);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_marea_line);
  lua_setfield(L, -2, "marea.line");
  return 0;
}

/* ---- the command line ---- */

static void print_help(void) {
  puts("usage: marea [options] [script | command] [arguments]\n"
       "  (nothing)   interactive: type Lua, see results; help() explains\n"
       "  -e CODE     runs CODE\n"
       "  -i          interactive after the script\n"
       "  --double    computes in double precision\n"
       "  -v          version\n"
       "  -           runs the script on standard input");
}

static void set_arguments(lua_State *L, int argc, char **argv, int script) {
  lua_createtable(L, argc, 2);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* The path of a command's file, pushed; or 0. */
static int push_command(lua_State *L, const char *name) {
  if (access(name, F_OK) == 0 || strchr(name, '/') != NULL) return 0;
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchpath");
  lua_pushfstring(L, "marea.commands.%s", name);
  lua_getfield(L, -3, "path");
  if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_isstring(L, -1)) return 1;
  lua_pop(L, 2);
  return 0;
}

static int run_script(lua_State *L, int argc, char **argv, int at) {
  const char *path = argv[at];
  if (push_command(L, path)) path = lua_tostring(L, -1);
  return run_file(L, strcmp(path, "-") == 0 ? NULL : path, argc, argv, at + 1);
}

static int interactive(lua_State *L) {
  return run_text(L, "require('marea.repl').run()", "=marea");
}

static void switch_to_double(int argc, char **argv, int at) {
  char folder[PATH_MAX], program[PATH_MAX + 16];
  if (!own_folder(folder, sizeof folder)) return;
  snprintf(program, sizeof program, "%s/marea-double", folder);
  memmove(argv + at, argv + at + 1, (size_t)(argc - at) * sizeof *argv);
  execv(program, argv);
  perror(program);
  exit(EXIT_FAILURE);
}

/* What comes before the script: options. */
typedef struct request {
  int script; /* place in argv, or argc */
  int ask, code_given;
} request;

static int read_options(lua_State *L, int argc, char **argv, request *r) {
  int at = 1;
  for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
    if (strcmp(argv[at], "--double") == 0) {
      if (MAREA_SUFFIX[0] == '\0') switch_to_double(argc, argv, at);
    } else if (strcmp(argv[at], "-i") == 0) {
      r->ask = 1;
    } else if (strcmp(argv[at], "-v") == 0 || strcmp(argv[at], "--version") == 0) {
      printf("Marea %s (%s), %s\n", MAREA_VERSION, MAREA_SUFFIX[0] ? "double" : "float",
             LUA_RELEASE);
      r->code_given = 1;
    } else if (strcmp(argv[at], "-e") == 0 && at + 1 < argc) {
      r->code_given = 1;
      if (run_text(L, argv[++at], "=(command line)") != EXIT_SUCCESS) return EXIT_FAILURE;
    } else {
      int asked = strcmp(argv[at], "-h") == 0 || strcmp(argv[at], "--help") == 0;
      if (!asked) fprintf(stderr, "marea: unknown option %s\n", argv[at]);
      print_help();
      exit(asked ? EXIT_SUCCESS : EXIT_FAILURE);
    }
  }
  r->script = at;
  return EXIT_SUCCESS;
}

static int script_place(int argc, char **argv) {
  int at = 1;
  while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0')
    at += strcmp(argv[at], "-e") == 0 ? 2 : 1;
  return at < argc ? at : 0;
}

static int run(lua_State *L, int argc, char **argv) {
  request r = {0};
  int code = report(L, (lua_pushcfunction(L, set_up_paths), call(L, 0)));
  if (code != EXIT_SUCCESS) return code;
  set_arguments(L, argc, argv, script_place(argc, argv));
  code = read_options(L, argc, argv, &r);
  if (code == EXIT_SUCCESS && r.script < argc)
    code = run_script(L, argc, argv, r.script);
  else if (code == EXIT_SUCCESS && !r.code_given && !r.ask)
    return isatty(STDIN_FILENO) ? interactive(L) : run_file(L, NULL, 0, NULL, 0);
  if (r.ask) return interactive(L);
  return code;
}

int main(int argc, char **argv) {
  setlocale(LC_CTYPE, "C.UTF-8");
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    fputs("marea: not enough memory\n", stderr);
    return EXIT_FAILURE;
  }
  luaL_openlibs(L);
  interrupted_state = L;
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
  sigaction(SIGINT, &action, NULL);
  int code = run(L, argc, argv);
  lua_close(L);
  return code;
}

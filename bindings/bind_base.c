/* Memory counters, threads, clock, interrupts. */
#define _DEFAULT_SOURCE /* clock_gettime, the size of a terminal */
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "bind.h"
#include "kernels/simd.h"

/* native.memory() → bytes in use, most bytes there were, allocations so far; native.memory("reset")
 * first forgets the most. */
static int memory(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) marea_memory_reset_peak();
  lua_pushinteger(L, (lua_Integer)marea_memory_used());
  lua_pushinteger(L, (lua_Integer)marea_memory_peak());
  lua_pushinteger(L, (lua_Integer)marea_memory_allocations());
  return 3;
}

/* native.fail_at(n): the n-th allocation from now fails; 0: none. For tests. */
static int fail_at(lua_State *L) {
  marea_memory_fail_at((size_t)luaL_checkinteger(L, 1));
  return 0;
}

static int threads(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    lua_Integer n = luaL_checkinteger(L, 1);
    bind_check(L, marea_threads_set(n < 0 || n > 100000 ? 0 : (int)n));
  }
  lua_pushinteger(L, marea_threads());
  return 1;
}

static int clock_seconds(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
  return 1;
}

static int interrupted(lua_State *L) {
  lua_pushboolean(L, marea_interrupted());
  marea_interrupt_clear();
  return 1;
}

static int interrupt_watch(lua_State *L) {
  lua_pushboolean(L, marea_interrupt_watched());
  marea_interrupt_watch(lua_toboolean(L, 1));
  return 1;
}

/* is_terminal([descriptor]): whether standard output (1), or another one, is a terminal */
static int is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_optinteger(L, 1, STDOUT_FILENO)));
  return 1;
}

/* terminal_width([descriptor]): columns of the terminal on standard output (1), or another one; nil
 * where there is none or it does not know */
static int terminal_width(lua_State *L) {
  struct winsize size;
  if (ioctl((int)luaL_optinteger(L, 1, STDOUT_FILENO), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return 0;
  lua_pushinteger(L, size.ws_col);
  return 1;
}

/* native.write_file(path, bytes) → true, or nil and a message: replaces the file as a whole or
 * leaves it as it was */
static int write_file(lua_State *L) {
  size_t length;
  const char *path = luaL_checkstring(L, 1), *bytes = luaL_checklstring(L, 2, &length);
  marea_file_writer *writer = marea_file_writer_new(path);
  if (writer == NULL) return bind_nil(L);
  if (marea_file_write(writer, bytes, length) != MAREA_OK) {
    marea_file_abandon(writer);
    return bind_nil(L);
  }
  if (marea_file_commit(writer) != MAREA_OK) return bind_nil(L);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
    {"memory", memory},           {"fail_at", fail_at},
    {"threads", threads},         {"clock", clock_seconds},
    {"interrupted", interrupted}, {"interrupt_watch", interrupt_watch},
    {"is_terminal", is_terminal}, {"terminal_width", terminal_width},
    {"write_file", write_file},   {NULL, NULL}};

void bind_open_base(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  lua_pushstring(L, MAREA_REAL_NAME);
  lua_setfield(L, -2, "precision");
  lua_pushnumber(L, MAREA_REAL_LARGEST);
  lua_setfield(L, -2, "largest");
  lua_pushstring(L, marea_isa_name(marea_isa_level()));
  lua_setfield(L, -2, "isa");
  lua_pushstring(L, MAREA_VERSION);
  lua_setfield(L, -2, "version");
}

/* A fuzz target whose parser is reached through Lua: each input is given to one function of
 * targets.lua (FUZZ_TARGET), which raises when something does not hold. */
#include "fuzz.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { COLLECT_EVERY = 256 };

static lua_State *L;

static void require_ok(int code) {
  if (code == LUA_OK) return;
  fprintf(stderr, "%s: %s\n", FUZZ_TARGET, luaL_tolstring(L, -1, NULL));
  abort();
}

static int with_traceback(lua_State *state) {
  luaL_traceback(state, state, luaL_tolstring(state, 1, NULL), 1);
  return 1;
}

static void close_state(void) {
  lua_close(L);
}

/* A state with Marea's modules; the target's function is at 2, above the traceback's. */
static void open_state(void) {
  static const char set_up[] =
      "local source, native, suffix = ...\n"
      "package.path = source .. '/lua/?.lua;' .. source .. '/lua/?/init.lua;' .. package.path\n"
      "local open = assert(package.loadlib(native, 'luaopen_marea_native' .. suffix))\n"
      "package.preload['marea.native'] = function() return open('marea.native') end\n"
      "return dofile(source .. '/bindings/fuzz/targets.lua')\n";
  L = luaL_newstate();
  REQUIRE(L != NULL);
  luaL_openlibs(L);
  lua_pushcfunction(L, with_traceback);
  require_ok(luaL_loadstring(L, set_up));
  lua_pushstring(L, FUZZ_SOURCE);
  lua_pushstring(L, FUZZ_NATIVE);
  lua_pushstring(L, FUZZ_SUFFIX);
  require_ok(lua_pcall(L, 3, 1, 1));
  lua_getfield(L, -1, FUZZ_TARGET);
  luaL_checktype(L, -1, LUA_TFUNCTION);
  lua_remove(L, -2);
  atexit(close_state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static size_t calls, bytes;
  if (L == NULL) open_state();
  lua_pushvalue(L, 2);
  lua_pushlstring(L, (const char *)data, size);
  lua_pushstring(L, fuzz_file(0, data, size));
  require_ok(lua_pcall(L, 2, 0, 1));
  /* What is loaded on first use is loaded by the first inputs; from then on nothing may stay. */
  if (++calls % COLLECT_EVERY == 0) {
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    if (calls == COLLECT_EVERY) bytes = marea_memory_used();
    REQUIRE(marea_memory_used() <= bytes);
  }
  return 0;
}

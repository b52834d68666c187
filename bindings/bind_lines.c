/* Lines of plain or gzip files. */
#include "base/file.h"
#include "bind.h"

#define LINES "marea.lines"

/* lines(path) → reader, or nil and a message */
static int new_lines(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  marea_lines **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, LINES);
  *box = marea_lines_new(path);
  return *box != NULL ? 1 : bind_nil(L);
}

/* reader:next() → line; nil at the end; nil and a message when the file is broken */
static int next_line(lua_State *L) {
  marea_lines **box = luaL_checkudata(L, 1, LINES);
  const char *text;
  size_t length;
  marea_status status;
  if (*box == NULL) return luaL_error(L, "the file is closed");
  if (marea_lines_next(*box, &text, &length, &status)) {
    lua_pushlstring(L, text, length);
    return 1;
  }
  return status == MAREA_OK ? 0 : bind_nil(L);
}

static int close_lines(lua_State *L) {
  marea_lines **box = luaL_checkudata(L, 1, LINES);
  marea_lines_free(*box);
  *box = NULL;
  return 0;
}

static const luaL_Reg methods[] = {{"next", next_line}, {"close", close_lines}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"lines", new_lines}, {NULL, NULL}};

void bind_open_lines(lua_State *L) {
  luaL_newmetatable(L, LINES);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, close_lines);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, close_lines);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

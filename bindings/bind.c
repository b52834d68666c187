#include "bind.h"

#include <stdarg.h>
#include <string.h>

/* Pushes where the caller of the C function is; nothing when that is a file of the library, whose
 * lines mean nothing to those who use it. */
static void push_place(lua_State *L) {
  lua_Debug caller;
  bool known =
      lua_getstack(L, 1, &caller) && lua_getinfo(L, "Sl", &caller) && caller.currentline > 0;
  if (known && strstr(caller.source, "lua/marea/") == NULL)
    lua_pushfstring(L, "%s:%d: ", caller.short_src, caller.currentline);
  else
    lua_pushliteral(L, "");
}

int bind_error(lua_State *L, const char *format, ...) {
  push_place(L);
  va_list arguments;
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  lua_concat(L, 2);
  return lua_error(L);
}

int bind_raise(lua_State *L) {
  return bind_error(L, "%s", marea_error_text());
}

void bind_check(lua_State *L, marea_status status) {
  if (status != MAREA_OK) bind_raise(L);
}

int bind_nil(lua_State *L) {
  lua_pushnil(L);
  lua_pushstring(L, marea_error_text());
  return 2;
}

/* A megabyte tensor weighs a few bytes in Lua's eyes: without this, garbage would pile up outside
 * before the collector saw a reason to run. */
void bind_account(lua_State *L, size_t bytes) {
  static _Thread_local size_t pending;
  pending += bytes;
  if (pending < 1 << 16) return;
  int kilobytes = pending >> 10 > 1 << 20 ? 1 << 20 : (int)(pending >> 10);
  pending = 0;
  lua_gc(L, LUA_GCSTEP, kilobytes);
}

bind_box *bind_box_new(lua_State *L) {
  bind_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (bind_box){NULL, NULL};
  luaL_setmetatable(L, BIND_TENSOR);
  return box;
}

int bind_box_fill(lua_State *L, bind_box *box, marea_tensor *x) {
  if (x == NULL) return bind_raise(L);
  box->x = x;
  if (x->tape != NULL)
    box->tape = marea_tape_retain(x->tape);
  else
    bind_account(L, marea_tensor_bytes(x));
  return 1;
}

bool bind_is_tensor(lua_State *L, int argument) {
  return luaL_testudata(L, argument, BIND_TENSOR) != NULL;
}

marea_tensor *bind_tensor(lua_State *L, int argument) {
  bind_box *box = luaL_testudata(L, argument, BIND_TENSOR);
  if (box == NULL) {
    const char *hint = lua_istable(L, argument) ? " (make one with marea.tensor)" : "";
    luaL_argerror(
        L, argument,
        lua_pushfstring(L, "tensor expected, got %s%s", luaL_typename(L, argument), hint));
    return NULL;
  }
  if (box->tape != NULL && marea_tape_closed(box->tape))
    bind_error(L, "tensor belongs to a closed tape (keep a copy with :keep() while it is open)");
  if (box->x == NULL) luaL_argerror(L, argument, "tensor was never filled");
  return box->x;
}

marea_tensor *bind_tensor_or_null(lua_State *L, int argument) {
  return lua_isnoneornil(L, argument) ? NULL : bind_tensor(L, argument);
}

int bind_axis(lua_State *L, int argument, const marea_tensor *x) {
  lua_Integer axis = luaL_checkinteger(L, argument);
  if (axis < 0) axis += x->rank + 1;
  if (axis < 1 || axis > x->rank) {
    const char *text = lua_pushfstring(L, "axis %I, the tensor has axes 1 to %d",
                                       luaL_checkinteger(L, argument), x->rank);
    luaL_argerror(L, argument, text);
  }
  return (int)axis - 1;
}

static int64_t size_at(lua_State *L, int at, int argument) {
  int whole;
  lua_Integer size = lua_tointegerx(L, at, &whole);
  if (!whole) luaL_argerror(L, argument, "a shape is a list of whole numbers");
  return size;
}

int bind_shape(lua_State *L, int argument, int64_t size[MAREA_MAX_RANK]) {
  bool listed = lua_istable(L, argument);
  lua_Integer rank = listed ? (lua_Integer)luaL_len(L, argument) : lua_gettop(L) - argument + 1;
  if (rank > MAREA_MAX_RANK)
    luaL_argerror(L, argument, lua_pushfstring(L, "a tensor has at most %d axes", MAREA_MAX_RANK));
  for (int i = 0; i < (int)rank; i++) {
    if (listed) lua_geti(L, argument, i + 1);
    size[i] = size_at(L, listed ? -1 : argument + i, argument);
    if (listed) lua_pop(L, 1);
  }
  return (int)rank;
}

marea_dtype bind_dtype(lua_State *L, int argument) {
  static const char *const names[] = {"real", "float", "double", "int32", NULL};
  if (lua_istable(L, argument)) { /* { dtype = "int32" } */
    lua_getfield(L, argument, "dtype");
    const char *name = luaL_optstring(L, -1, "real");
    for (int i = 0; names[i] != NULL; i++)
      if (strcmp(name, names[i]) == 0) return i == 3 ? MAREA_INT32 : MAREA_REAL;
    luaL_argerror(L, argument, lua_pushfstring(L, "dtype is \"%s\", expected real or int32", name));
  }
  return luaL_checkoption(L, argument, "real", names) == 3 ? MAREA_INT32 : MAREA_REAL;
}

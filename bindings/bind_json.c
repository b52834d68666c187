/* JSON through jansson: whole numbers stay whole, doubles stay exact, input is untrusted. */
#include <jansson.h>
#include <math.h>

#include "bind.h"

enum { DEPTH_LIMIT = 100 };

/* ---- Lua → JSON ---- */

static json_t *encode(lua_State *L, int depth);

static bool is_list(lua_State *L) {
  if (luaL_getmetafield(L, -1, "__json_array") != LUA_TNIL) {
    lua_pop(L, 1);
    return true;
  }
  return lua_rawlen(L, -1) > 0;
}

static json_t *encode_list(lua_State *L, int depth) {
  json_t *list = json_array();
  lua_Integer n = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= n && list != NULL; i++) {
    lua_geti(L, -1, i);
    json_t *item = encode(L, depth + 1);
    lua_pop(L, 1);
    if (item == NULL || json_array_append_new(list, item) != 0) {
      json_decref(list);
      return NULL;
    }
  }
  return list;
}

static json_t *encode_object(lua_State *L, int depth) {
  json_t *object = json_object();
  lua_pushnil(L);
  while (object != NULL && lua_next(L, -2) != 0) {
    json_t *value = lua_type(L, -2) == LUA_TSTRING ? encode(L, depth + 1) : NULL;
    if (value == NULL || json_object_set_new(object, lua_tostring(L, -2), value) != 0) {
      lua_pop(L, 2);
      json_decref(object);
      return NULL;
    }
    lua_pop(L, 1);
  }
  return object;
}

/* The value on top of the stack; NULL for what JSON does not have. */
static json_t *encode(lua_State *L, int depth) {
  size_t length;
  if (depth > DEPTH_LIMIT || !lua_checkstack(L, 4)) return NULL;
  switch (lua_type(L, -1)) {
  case LUA_TNIL: return json_null();
  case LUA_TLIGHTUSERDATA: return json_null();
  case LUA_TBOOLEAN: return json_boolean(lua_toboolean(L, -1));
  case LUA_TNUMBER:
    if (lua_isinteger(L, -1)) return json_integer(lua_tointeger(L, -1));
    return isfinite(lua_tonumber(L, -1)) ? json_real(lua_tonumber(L, -1)) : NULL;
  case LUA_TSTRING: {
    const char *text = lua_tolstring(L, -1, &length);
    return json_stringn(text, length);
  }
  case LUA_TTABLE: return is_list(L) ? encode_list(L, depth) : encode_object(L, depth);
  default: return NULL;
  }
}

/* native.json_encode(value) → text; keys in alphabetical order, so equal values give equal texts */
static int json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  json_t *value = encode(L, 0);
  char *text = value == NULL ? NULL
                             : json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY |
                                                     JSON_REAL_PRECISION(17));
  json_decref(value);
  if (text == NULL)
    return bind_error(L, "json: only nil, booleans, finite numbers, UTF-8 strings, lists and "
                         "tables with string keys can be written");
  lua_pushstring(L, text);
  free(text);
  return 1;
}

/* ---- JSON → Lua ---- */

static void decode(lua_State *L, const json_t *value) {
  luaL_checkstack(L, 4, "JSON is nested too deeply");
  switch (json_typeof(value)) {
  case JSON_OBJECT: {
    const char *key;
    json_t *item;
    lua_createtable(L, 0, (int)json_object_size(value));
    json_object_foreach((json_t *)(size_t)value, key, item) {
      decode(L, item);
      lua_setfield(L, -2, key);
    }
    return;
  }
  case JSON_ARRAY:
    lua_createtable(L, (int)json_array_size(value), 0);
    for (size_t i = 0; i < json_array_size(value); i++) {
      decode(L, json_array_get(value, i));
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return;
  case JSON_STRING: lua_pushlstring(L, json_string_value(value), json_string_length(value)); return;
  case JSON_INTEGER: lua_pushinteger(L, json_integer_value(value)); return;
  case JSON_REAL: lua_pushnumber(L, json_real_value(value)); return;
  case JSON_TRUE: lua_pushboolean(L, 1); return;
  case JSON_FALSE: lua_pushboolean(L, 0); return;
  case JSON_NULL: lua_pushnil(L); return;
  }
}

static int decode_protected(lua_State *L) {
  decode(L, lua_touserdata(L, 1));
  return 1;
}

/* native.json_decode(text) → value, or nil and a message. null becomes nil. */
static int json_decode(lua_State *L) {
  size_t length;
  json_error_t error;
  const char *text = luaL_checklstring(L, 1, &length);
  json_t *value =
      json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (value == NULL) {
    lua_pushnil(L);
    lua_pushfstring(L, "JSON, line %d, column %d: %s", error.line, error.column, error.text);
    return 2;
  }
  lua_pushcfunction(L, decode_protected);
  lua_pushlightuserdata(L, value);
  int code = lua_pcall(L, 1, 1, 0);
  json_decref(value);
  return code == LUA_OK ? 1 : lua_error(L);
}

static const luaL_Reg functions[] = {
    {"json_encode", json_encode}, {"json_decode", json_decode}, {NULL, NULL}};

void bind_open_json(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

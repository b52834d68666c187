/* What the bindings of the text room share, and its small functions. Pipelines, vocabularies,
 * sequences and sub-words have files of their own; the Lua side is lua/marea/text/. */
#include "bind_text.h"

#include "bind_embed.h"

const marea_text *bind_texts(lua_State *L, int argument, size_t *count) {
  if (lua_type(L, argument) == LUA_TSTRING)
    luaL_argerror(L, argument, "expected a list of texts, got a single string; put it in { }");
  luaL_checktype(L, argument, LUA_TTABLE);
  *count = (size_t)luaL_len(L, argument);
  marea_text *texts = lua_newuserdatauv(L, (*count + 1) * sizeof *texts, 0);
  for (size_t i = 0; i < *count; i++) {
    lua_geti(L, argument, (lua_Integer)i + 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_argerror(L, argument,
                    lua_pushfstring(L, "text %I is a %s, expected a string", (lua_Integer)i + 1,
                                    luaL_typename(L, -1)));
    texts[i].bytes = lua_tolstring(L, -1, &texts[i].length);
    lua_pop(L, 1);
  }
  return texts;
}

marea_text bind_text(lua_State *L, int argument) {
  marea_text text;
  text.bytes = luaL_checklstring(L, argument, &text.length);
  return text;
}

void bind_set_count(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

/* hash_bytes(text[, seed]) → a stable hash, not negative */
static int hash_bytes(lua_State *L) {
  marea_text text = bind_text(L, 1);
  uint64_t seed = (uint64_t)luaL_optinteger(L, 2, 0);
  lua_pushinteger(L, (lua_Integer)(marea_hash_bytes(text.bytes, text.length, seed) >> 1));
  return 1;
}

static const luaL_Reg functions[] = {{"hash_bytes", hash_bytes}, {NULL, NULL}};

void bind_open_text(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  bind_open_phrases(L);
  bind_open_pipeline(L);
  bind_open_vocabulary(L);
  bind_open_sequences(L);
  bind_open_embed(L);
  lua_pushliteral(L, MAREA_KERAS_FILTERS);
  lua_setfield(L, -2, "keras_filters");
}

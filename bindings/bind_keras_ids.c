/* Ids of ready-made corpora by Keras's rules, and columns of numbers. The Lua side is
 * lua/marea/corpora/imdb_ids.lua and numbers.lua. */
#include "bind_readers.h"
#include "bind_text.h"
#include "text/encode/keras_ids.h"

/* An id from 0 on, MAREA_NO_ID for nil. */
static int32_t optional_id(lua_State *L, int argument) {
  if (lua_isnoneornil(L, argument)) return MAREA_NO_ID;
  lua_Integer id = luaL_checkinteger(L, argument);
  luaL_argcheck(L, id >= 0 && id < INT32_MAX, argument, "an id is 0 or more");
  return (int32_t)id;
}

/* keras_shift(out, ranks, start, index_from, unranked, shift, drop_longer) → list of booleans: is
 * the sequence kept? Those of drop_longer ids or more (start mark counted) are left out. */
static int keras_shift(lua_State *L) {
  marea_sequences *out = bind_sequences(L, 1);
  const marea_sequences *ranks = bind_sequences(L, 2);
  marea_keras_shift rule = {.start = optional_id(L, 3),
                            .index_from = optional_id(L, 4),
                            .unranked = optional_id(L, 5),
                            .shift = (int32_t)luaL_checkinteger(L, 6)};
  size_t limit = (size_t)luaL_optinteger(L, 7, 0);
  luaL_argcheck(L, rule.index_from != MAREA_NO_ID, 4, "index_from is a whole number from 0 on");
  lua_createtable(L, (int)ranks->count, 0);
  for (size_t i = 0; i < ranks->count; i++) {
    size_t before = out->id_count;
    bind_check(L, marea_keras_shift_ids(ranks, i, &rule, out));
    bool kept = limit == 0 || out->id_count - before < limit;
    if (!kept) {
      out->id_count = before;
      out->count--;
    }
    lua_pushboolean(L, kept);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* keras_limit(sequences, skip_top, num_words, oov, longest, "pre" or "post") → sequences, ids cut
 * off, ids outside */
static int keras_limit(lua_State *L) {
  static const char *const sides[] = {"pre", "post", NULL};
  size_t cut, replaced;
  const marea_sequences *in = bind_sequences(L, 1);
  marea_keras_limit rule = {.skip_top = optional_id(L, 2),
                            .num_words = optional_id(L, 3),
                            .oov = optional_id(L, 4),
                            .longest = (size_t)luaL_optinteger(L, 5, 0),
                            .cut_front = luaL_checkoption(L, 6, "pre", sides) == 0};
  marea_sequences *out = bind_push_sequences(L);
  bind_check(L, marea_keras_limit_ids(in, &rule, out, &cut, &replaced));
  lua_pushinteger(L, (lua_Integer)cut);
  lua_pushinteger(L, (lua_Integer)replaced);
  return 3;
}

/* largest_id(sequences) */
static int largest_id(lua_State *L) {
  lua_pushinteger(L, marea_sequences_largest(bind_sequences(L, 1)));
  return 1;
}

/* numbers(list of strings[, dtype]) → tensor (N); nil and the first place that holds no number */
static int numbers(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  marea_dtype dtype = bind_dtype(L, 2);
  int64_t count = (int64_t)luaL_len(L, 1);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(dtype, 1, &count));
  for (int64_t i = 0; i < count; i++) {
    lua_geti(L, 1, (lua_Integer)i + 1);
    int is_number;
    lua_Number number = lua_tonumberx(L, -1, &is_number);
    if (!is_number || marea_tensor_set(box->x, i, number) != MAREA_OK) {
      lua_pushnil(L);
      lua_pushinteger(L, (lua_Integer)i + 1);
      return 2;
    }
    lua_pop(L, 1);
  }
  return 1;
}

static const luaL_Reg functions[] = {{"keras_shift", keras_shift},
                                     {"keras_limit", keras_limit},
                                     {"largest_id", largest_id},
                                     {"numbers", numbers},
                                     {NULL, NULL}};

void bind_open_keras_ids(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

/* Sequences of ids: making them, padding, bag-of-words matrices. The Lua side is
 * lua/marea/sequence.lua. */
#include "bind_text.h"

#define SEQUENCES "marea.sequences"

marea_sequences *bind_sequences(lua_State *L, int argument) {
  return *(marea_sequences **)luaL_checkudata(L, argument, SEQUENCES);
}

marea_sequences *bind_push_sequences(lua_State *L) {
  marea_sequences **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, SEQUENCES);
  *box = marea_sequences_new();
  if (*box == NULL) bind_raise(L);
  return *box;
}

static int free_sequences(lua_State *L) {
  marea_sequences **box = luaL_checkudata(L, 1, SEQUENCES);
  marea_sequences_free(*box);
  *box = NULL;
  return 0;
}

/* sequences(list of lists of ids) */
static int new_sequences(lua_State *L) {
  if (!lua_istable(L, 1)) return luaL_argerror(L, 1, "expected a list of lists of ids");
  lua_settop(L, 1);
  marea_sequences *s = bind_push_sequences(L);
  lua_Integer rows = luaL_len(L, 1);
  for (lua_Integer i = 1; i <= rows; i++) {
    if (lua_geti(L, 1, i) != LUA_TTABLE)
      return luaL_error(L, "sequence %I is a %s, expected a list of ids", i, luaL_typename(L, -1));
    lua_Integer length = luaL_len(L, -1);
    for (lua_Integer j = 1; j <= length; j++) {
      int whole;
      lua_geti(L, -1, j);
      lua_Integer id = lua_tointegerx(L, -1, &whole);
      if (!whole || id < INT32_MIN || id > INT32_MAX)
        return luaL_error(L, "sequence %I, place %I: %s, expected a whole number of 32 bits", i, j,
                          luaL_tolstring(L, -1, NULL));
      bind_check(L, marea_sequences_push(s, (int32_t)id));
      lua_pop(L, 1);
    }
    bind_check(L, marea_sequences_end(s));
    lua_pop(L, 1);
  }
  return 1;
}

static int sequences_table(lua_State *L) {
  const marea_sequences *s = bind_sequences(L, 1);
  lua_createtable(L, (int)s->count, 0);
  for (size_t i = 0; i < s->count; i++) {
    size_t first = s->offsets[i], length = s->offsets[i + 1] - first;
    lua_createtable(L, (int)length, 0);
    for (size_t j = 0; j < length; j++) {
      lua_pushinteger(L, s->ids[first + j]);
      lua_rawseti(L, -2, (lua_Integer)j + 1);
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int sequences_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bind_sequences(L, 1)->count);
  return 1;
}

static int sequences_lengths(lua_State *L) {
  const marea_sequences *s = bind_sequences(L, 1);
  int64_t count = (int64_t)s->count;
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_INT32, 1, &count));
  for (size_t i = 0; i < s->count; i++)
    marea_ints(box->x)[i] = (int32_t)(s->offsets[i + 1] - s->offsets[i]);
  return 1;
}

static int sequences_quantile(lua_State *L) {
  size_t length;
  bind_check(L, marea_length_quantile(bind_sequences(L, 1), luaL_checknumber(L, 2), &length));
  lua_pushinteger(L, (lua_Integer)length);
  return 1;
}

void bind_set_count(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* sequences:pad(maxlen, padding, truncating, value) → int32 tensor (N, maxlen), report */
static int pad(lua_State *L) {
  static const char *const sides[] = {"pre", "post", NULL};
  const marea_sequences *s = bind_sequences(L, 1);
  lua_Integer maxlen = luaL_checkinteger(L, 2), value = luaL_optinteger(L, 5, 0);
  luaL_argcheck(L, maxlen >= 1 && maxlen <= INT32_MAX, 2, "maxlen must be 1 or more");
  luaL_argcheck(L, value >= INT32_MIN && value <= INT32_MAX, 5, "the value must fit 32 bits");
  marea_padding padding = {.maxlen = (size_t)maxlen,
                           .pad_after = luaL_checkoption(L, 3, "pre", sides) == 1,
                           .cut_after = luaL_checkoption(L, 4, "pre", sides) == 1,
                           .value = (int32_t)value};
  marea_padding_report report;
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_INT32, 2, (int64_t[]){(int64_t)s->count, maxlen}));
  bind_check(L, marea_pad(s, &padding, marea_ints(box->x), &report));
  lua_createtable(L, 0, 6);
  bind_set_count(L, "rows", s->count);
  bind_set_count(L, "maxlen", padding.maxlen);
  bind_set_count(L, "tokens", report.tokens);
  bind_set_count(L, "truncated", report.cut_rows);
  bind_set_count(L, "lost", report.lost);
  bind_set_count(L, "longest", report.longest);
  return 2;
}

/* sequences:matrix(mode, columns[, df by column, documents]) → (N, columns) */
static int matrix(lua_State *L) {
  static const char *const modes[] = {"binary", "count", "freq", "tfidf", NULL};
  const marea_sequences *s = bind_sequences(L, 1);
  marea_bag mode = (marea_bag)luaL_checkoption(L, 2, "binary", modes);
  lua_Integer columns = luaL_checkinteger(L, 3), documents = luaL_optinteger(L, 5, 0);
  luaL_argcheck(L, columns >= 1, 3, "one column or more");
  int64_t *frequency = NULL;
  if (mode == MAREA_BAG_TFIDF) {
    luaL_checktype(L, 4, LUA_TTABLE);
    frequency = lua_newuserdatauv(L, (size_t)columns * sizeof *frequency, 0);
    for (lua_Integer i = 0; i < columns; i++) {
      lua_geti(L, 4, i); /* by id */
      frequency[i] = lua_tointeger(L, -1);
      lua_pop(L, 1);
    }
  }
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 2, (int64_t[]){(int64_t)s->count, columns}));
  bind_check(L,
             marea_bag_matrix(s, mode, (size_t)columns, frequency, documents, marea_reals(box->x)));
  return 1;
}

static const luaL_Reg sequences_methods[] = {{"totable", sequences_table},
                                             {"count", sequences_count},
                                             {"lengths", sequences_lengths},
                                             {"quantile", sequences_quantile},
                                             {"pad", pad},
                                             {"matrix", matrix},
                                             {NULL, NULL}};

static const luaL_Reg functions[] = {{"sequences", new_sequences}, {NULL, NULL}};

void bind_open_sequences(lua_State *L) {
  bind_class(L, SEQUENCES, sequences_methods, free_sequences);
  luaL_getmetatable(L, SEQUENCES);
  lua_pushcfunction(L, sequences_count);
  lua_setfield(L, -2, "__len");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

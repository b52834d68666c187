/* Sequences of ids: making them, bag-of-words matrices. Padding is in bind_padding.c, what training
 * samples are made of in bind_samples.c; the Lua side is lua/marea/sequence.lua. */
#include "bind_sequences.h"

#include "text/sequences/bags.h"
#include "text/sequences/padding.h"

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
      return bind_error(L, "sequence %I is a %s, expected a list of ids", i, luaL_typename(L, -1));
    lua_Integer length = luaL_len(L, -1);
    for (lua_Integer j = 1; j <= length; j++) {
      int whole;
      lua_geti(L, -1, j);
      lua_Integer id = lua_tointegerx(L, -1, &whole);
      if (!whole || id < INT32_MIN || id > INT32_MAX)
        return bind_error(L, "sequence %I, place %I: %s, expected a whole number of 32 bits", i, j,
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
  marea_kept_lengths(s->offsets, s->count, INT32_MAX, marea_ints(bind_push_ids(L, s->count)));
  return 1;
}

static int sequences_quantile(lua_State *L) {
  size_t length;
  const marea_sequences *s = bind_sequences(L, 1);
  bind_check(L, marea_length_quantile(s->offsets, s->count, luaL_checknumber(L, 2), &length));
  lua_pushinteger(L, (lua_Integer)length);
  return 1;
}

const marea_tensor *bind_ids(lua_State *L, int argument) {
  const marea_tensor *x = bind_tensor(L, argument);
  luaL_argcheck(L, x->dtype == MAREA_INT32 && x->rank == 1 && marea_tensor_contiguous(x), argument,
                "a list of ids expected: an int32 tensor with one axis");
  return x;
}

marea_tensor *bind_push_ids(lua_State *L, size_t count) {
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_INT32, 1, (int64_t[]){(int64_t)count}));
  return box->x;
}

/* sequences:pick(int32 tensor of rows counted from 0) → those sequences, in that order */
static int pick(lua_State *L) {
  const marea_sequences *s = bind_sequences(L, 1);
  const marea_tensor *rows = bind_ids(L, 2);
  bind_check(L, marea_sequences_pick(s, marea_ints(rows), (size_t)marea_tensor_count(rows),
                                     bind_push_sequences(L)));
  return 1;
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

static const luaL_Reg sequences_methods[] = {
    {"totable", sequences_table},     {"count", sequences_count},  {"lengths", sequences_lengths},
    {"quantile", sequences_quantile}, {"pad", bind_pad_sequences}, {"pick", pick},
    {"windows", bind_windows},        {"matrix", matrix},          {NULL, NULL}};

static const luaL_Reg functions[] = {{"sequences", new_sequences}, {NULL, NULL}};

void bind_open_sequences(lua_State *L) {
  bind_class(L, SEQUENCES, sequences_methods, free_sequences);
  luaL_getmetatable(L, SEQUENCES);
  lua_pushcfunction(L, sequences_count);
  lua_setfield(L, -2, "__len");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
  bind_open_ragged(L);
  bind_open_samples(L);
}

/* Random streams and the tensors filled from them. */
#include "bind.h"

marea_stream *bind_stream(lua_State *L, int argument) {
  return luaL_checkudata(L, argument, BIND_STREAM);
}

/* One seed governs everything: streams are numbered in the order in which they are made. */
static const char SEED = 's', NUMBER = 'n'; /* their addresses are the registry's keys */

/* manual_seed(n): streams made from now on begin anew under this seed */
static int manual_seed(lua_State *L) {
  lua_pushinteger(L, luaL_checkinteger(L, 1));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &SEED);
  lua_pushinteger(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &NUMBER);
  return 0;
}

static lua_Integer registered(lua_State *L, const void *key) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  lua_Integer value = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value;
}

/* seed_state() → seed, streams made; set_seed_state(seed, n) restores it */
static int seed_state(lua_State *L) {
  lua_pushinteger(L, registered(L, &SEED));
  lua_pushinteger(L, registered(L, &NUMBER));
  return 2;
}

static int set_seed_state(lua_State *L) {
  lua_Integer number = luaL_checkinteger(L, 2);
  manual_seed(L);
  lua_pushinteger(L, number);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &NUMBER);
  return 0;
}

/* new_stream(): the next stream under the seed; new_stream(seed, id[, position]): that one */
static int new_stream(lua_State *L) {
  marea_stream wanted = {0, 0, (uint64_t)luaL_optinteger(L, 3, 0)};
  if (lua_isnoneornil(L, 1)) {
    lua_Integer number = registered(L, &NUMBER) + 1;
    wanted.seed = (uint64_t)registered(L, &SEED);
    wanted.id = (uint64_t)number;
    lua_pushinteger(L, number);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &NUMBER);
  } else {
    wanted.seed = (uint64_t)luaL_checkinteger(L, 1);
    wanted.id = (uint64_t)luaL_checkinteger(L, 2);
  }
  marea_stream *stream = lua_newuserdatauv(L, sizeof *stream, 0);
  *stream = wanted;
  luaL_setmetatable(L, BIND_STREAM);
  return 1;
}

/* stream:state() → seed, id, position; new_stream(…) makes it again */
static int state(lua_State *L) {
  const marea_stream *stream = bind_stream(L, 1);
  lua_pushinteger(L, (lua_Integer)stream->seed);
  lua_pushinteger(L, (lua_Integer)stream->id);
  lua_pushinteger(L, (lua_Integer)stream->position);
  return 3;
}

static int set_state(lua_State *L) {
  marea_stream *stream = bind_stream(L, 1);
  stream->seed = (uint64_t)luaL_checkinteger(L, 2);
  stream->id = (uint64_t)luaL_checkinteger(L, 3);
  stream->position = (uint64_t)luaL_checkinteger(L, 4);
  return 0;
}

typedef void fill_function(marea_stream *, marea_real *, size_t, double, double);

static int filled(lua_State *L, fill_function *fill, double a, double b) {
  int64_t size[MAREA_MAX_RANK];
  marea_stream *stream = bind_stream(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  int rank = bind_shape(L, 2, size);
  a = luaL_optnumber(L, 3, a);
  b = luaL_optnumber(L, 4, b);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, rank, size));
  fill(stream, marea_reals(box->x), (size_t)marea_tensor_count(box->x), a, b);
  return 1;
}

/* stream:uniform(shape[, low, high]), :normal(shape[, mean, deviation]), :truncated(…) */
static int uniform(lua_State *L) {
  return filled(L, marea_stream_fill_uniform, 0, 1);
}

static int normal(lua_State *L) {
  return filled(L, marea_stream_fill_normal, 0, 1);
}

static int truncated(lua_State *L) {
  return filled(L, marea_stream_fill_truncated, 0, 1);
}

/* stream:dropout(shape, rate): multipliers 0 or 1/(1 - rate) */
static int dropout(lua_State *L) {
  int64_t size[MAREA_MAX_RANK];
  marea_stream *stream = bind_stream(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  int rank = bind_shape(L, 2, size);
  double rate = luaL_checknumber(L, 3);
  luaL_argcheck(L, rate >= 0 && rate < 1, 3, "the rate is at least 0 and below 1");
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, rank, size));
  marea_stream_fill_dropout(stream, marea_reals(box->x), (size_t)marea_tensor_count(box->x), rate);
  return 1;
}

/* stream:permutation(n) → int32 tensor with 0 … n-1 in random order */
static int permutation(lua_State *L) {
  marea_stream *stream = bind_stream(L, 1);
  int64_t n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n >= 0 && n <= INT32_MAX, 2, "0 or more expected");
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_INT32, 1, &n));
  marea_stream_permutation(stream, marea_ints(box->x), (size_t)n);
  return 1;
}

/* stream:number() in [0, 1); stream:below(n) in 0 … n-1 */
static int number(lua_State *L) {
  lua_pushnumber(L, marea_stream_uniform(bind_stream(L, 1)));
  return 1;
}

static int below(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n > 0, 2, "1 or more expected");
  lua_pushinteger(L, (lua_Integer)marea_stream_below(bind_stream(L, 1), (uint64_t)n));
  return 1;
}

static const luaL_Reg methods[] = {
    {"state", state},   {"set_state", set_state}, {"uniform", uniform},
    {"normal", normal}, {"truncated", truncated}, {"dropout", dropout},
    {"number", number}, {"below", below},         {"permutation", permutation},
    {NULL, NULL}};

static const luaL_Reg functions[] = {{"new_stream", new_stream},
                                     {"manual_seed", manual_seed},
                                     {"seed_state", seed_state},
                                     {"set_seed_state", set_seed_state},
                                     {NULL, NULL}};

void bind_open_random(lua_State *L) {
  luaL_newmetatable(L, BIND_STREAM);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

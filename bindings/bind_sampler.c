/* Samplers: ids drawn from a fixed distribution, in constant time each. */
#include "bind.h"
#include "embed/alias.h"

#define BIND_SAMPLER "marea.sampler"

typedef struct sampler_box {
  marea_alias alias;
  bool made;
} sampler_box;

static int sampler_gc(lua_State *L) {
  sampler_box *box = luaL_checkudata(L, 1, BIND_SAMPLER);
  if (box->made) marea_alias_free(&box->alias);
  box->made = false;
  return 0;
}

/* new_sampler(weights (V)): id i with a probability in proportion to weights[i] */
static int new_sampler(lua_State *L) {
  marea_tensor *weights = bind_tensor(L, 1);
  int64_t count = weights->rank == 1 ? weights->size[0] : 0;
  double *values = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *values, 0);
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    values[i] = marea_tensor_get(weights, i);
    if (!(values[i] >= 0 && values[i] <= 1e300))
      return bind_error(L, "sampler: weight %I is %f, expected 0 or more", (lua_Integer)i + 1,
                        values[i]);
    sum += values[i];
  }
  if (!(sum > 0)) return bind_error(L, "sampler: expects (V) weights, one of them positive");
  sampler_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->made = false;
  luaL_setmetatable(L, BIND_SAMPLER);
  bind_check(L, marea_alias_make(&box->alias, values, (size_t)count));
  box->made = true;
  return 1;
}

/* sampler:draw(stream, n) → ids (n), with repetition; advances the stream by n blocks */
static int sampler_draw(lua_State *L) {
  const sampler_box *sampler = luaL_checkudata(L, 1, BIND_SAMPLER);
  marea_stream *stream = bind_stream(L, 2);
  int64_t count = luaL_checkinteger(L, 3);
  luaL_argcheck(L, count >= 1 && count <= INT32_MAX, 3, "expected a positive number of ids");
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_INT32, 1, &count));
  for (int64_t i = 0; i < count; i++)
    marea_ints(box->x)[i] = marea_alias_draw(&sampler->alias, marea_stream_u64(stream));
  return 1;
}

static const luaL_Reg methods[] = {{"draw", sampler_draw}, {NULL, NULL}};

void bind_open_sampler(lua_State *L) {
  luaL_newmetatable(L, BIND_SAMPLER);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, sampler_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_pushcfunction(L, new_sampler);
  lua_setfield(L, -2, "new_sampler");
}

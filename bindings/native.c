/* The Lua module marea.native: one table with a room's functions after the other's. */
#include "bind.h"
#include "bind_subword.h"
#include "bind_vectors.h"

static int open_all(lua_State *L) {
  luaL_checkversion(L);
  lua_newtable(L);
  bind_open_base(L);
  bind_open_tensor(L);
  bind_open_ops(L);
  bind_open_layers(L);
  bind_open_ctc(L);
  bind_open_sampler(L);
  bind_open_sparse(L);
  bind_open_recurrent(L);
  bind_open_generate(L);
  bind_open_tape(L);
  bind_open_random(L);
  bind_open_json(L);
  bind_open_text(L);
  bind_open_encodings(L);
  bind_open_subword(L);
  bind_open_vectors(L);
  bind_open_lines(L);
  bind_open_train(L);
  bind_open_safetensors(L);
  bind_open_reduce(L);
  return 1;
}

#ifdef MAREA_DOUBLE
int luaopen_marea_native_double(lua_State *L);
int luaopen_marea_native_double(lua_State *L) {
  return open_all(L);
}
#else
int luaopen_marea_native(lua_State *L);
int luaopen_marea_native(lua_State *L) {
  return open_all(L);
}
#endif

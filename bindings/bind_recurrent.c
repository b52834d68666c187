/* native.recurrent(options, x, weights…): one whole-sequence layer. */
#include "bind.h"

static const char *const CELLS[] = {"rnn", "lstm", "gru", "gru_before", NULL};

static marea_activation activation_field(lua_State *L, const char *field) {
  marea_activation activation = MAREA_LINEAR;
  lua_getfield(L, 1, field);
  const char *name = luaL_checkstring(L, -1);
  if (!marea_activation_find(name, &activation))
    luaL_error(L, "%s: there is no activation \"%s\"", field, name);
  lua_pop(L, 1);
  return activation;
}

static bool flag_field(lua_State *L, const char *field) {
  lua_getfield(L, 1, field);
  bool on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

static marea_tensor *tensor_field(lua_State *L, const char *field) {
  if (lua_getfield(L, 2, field) == LUA_TNIL) {
    lua_pop(L, 1);
    return NULL;
  }
  if (!bind_is_tensor(L, -1))
    luaL_error(L, "%s: tensor expected, got %s", field, luaL_typename(L, -1));
  marea_tensor *x = bind_tensor(L, lua_gettop(L));
  lua_pop(L, 1); /* the table keeps it alive */
  return x;
}

/* recurrent{ name, cell, activation, recurrent_activation, backwards, original_order,
 * zero_masked, sequences }, { x, kernel, recurrent_kernel, bias, mask, h, c, input_dropout,
 * recurrent_dropout } → first output, h, c (nil for cells without) */
static int recurrent(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 1, "cell");
  marea_recurrent_options options = {
      .cell = (marea_cell)luaL_checkoption(L, -1, NULL, CELLS),
      .activation = activation_field(L, "activation"),
      .recurrent_activation = activation_field(L, "recurrent_activation"),
      .backwards = flag_field(L, "backwards"),
      .original_order = flag_field(L, "original_order"),
      .zero_masked = flag_field(L, "zero_masked"),
      .sequences = flag_field(L, "sequences")};
  lua_getfield(L, 1, "name");
  options.name = luaL_optstring(L, -1, CELLS[options.cell]);
  marea_recurrent_operands in = {.x = tensor_field(L, "x"),
                                 .kernel = tensor_field(L, "kernel"),
                                 .recurrent_kernel = tensor_field(L, "recurrent_kernel"),
                                 .bias = tensor_field(L, "bias"),
                                 .mask = tensor_field(L, "mask"),
                                 .h = tensor_field(L, "h"),
                                 .c = tensor_field(L, "c"),
                                 .input_dropout = tensor_field(L, "input_dropout"),
                                 .recurrent_dropout = tensor_field(L, "recurrent_dropout")};
  bind_box *boxes[3];
  marea_tensor *outputs[3];
  for (int i = 0; i < 3; i++) boxes[i] = bind_box_new(L);
  bind_check(L, marea_recurrent_layer(&options, &in, outputs));
  for (int i = 0; i < 3; i++) boxes[i]->x = outputs[i];
  for (int i = 0; i < 3 && outputs[i] != NULL; i++) {
    if (outputs[i]->tape != NULL) boxes[i]->tape = marea_tape_retain(outputs[i]->tape);
    else bind_account(L, marea_tensor_bytes(outputs[i]));
  }
  if (outputs[2] == NULL) lua_pop(L, 1);
  return outputs[2] == NULL ? 2 : 3;
}

static const luaL_Reg functions[] = {{"recurrent", recurrent}, {NULL, NULL}};

void bind_open_recurrent(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

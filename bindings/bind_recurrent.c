/* recurrent{…}: a whole sequence through a recurrent layer. */
#include "bind.h"

static const char *const CELLS[] = {
    "rnn", "lstm", "gru", "gru_before", "lstm_coupled", "simple_gru", "simple_gru_x", "mgu", NULL};

marea_cell bind_cell(lua_State *L, int argument) {
  return (marea_cell)luaL_checkoption(L, argument, NULL, CELLS);
}

static marea_activation activation_field(lua_State *L, const char *field,
                                         marea_activation activation) {
  if (lua_getfield(L, 1, field) == LUA_TNIL) {
    lua_pop(L, 1);
    return activation;
  }
  const char *name = luaL_checkstring(L, -1);
  if (!marea_activation_find(name, &activation))
    bind_error(L, "%s: there is no activation \"%s\"", field, name);
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
  if (lua_getfield(L, 1, field) == LUA_TNIL) {
    lua_pop(L, 1);
    return NULL;
  }
  if (!bind_is_tensor(L, -1))
    bind_error(L, "%s: tensor expected, got %s", field, luaL_typename(L, -1));
  marea_tensor *x = bind_tensor(L, lua_gettop(L));
  lua_pop(L, 1); /* the table keeps it alive */
  return x;
}

static double rate_field(lua_State *L, const char *field) {
  lua_getfield(L, 1, field);
  double rate = luaL_optnumber(L, -1, 0);
  if (!(rate >= 0 && rate < 1))
    bind_error(L, "%s is %f, allowed are 0 up to but not 1", field, rate);
  lua_pop(L, 1);
  return rate;
}

/* Multipliers (B, gates, width), pushed so that they live through the call; NULL for rate 0. */
static marea_tensor *multipliers(lua_State *L, double rate, marea_stream *stream, int64_t B,
                                 int64_t gates, int64_t width) {
  if (rate == 0) return NULL;
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_result(MAREA_REAL, 3, (int64_t[]){B, gates, width}));
  marea_stream_fill_dropout(stream, marea_reals(box->x), (size_t)(B * gates * width), rate);
  return box->x;
}

/* Draws the dropout of both kinds. As in Keras, recurrent dropout gives each gate multipliers of
 * its own; without it, the gates share those of the input. */
static void draw_dropout(lua_State *L, const marea_recurrent_options *o,
                         marea_recurrent_operands *in) {
  double input = rate_field(L, "dropout"), recurrent = rate_field(L, "recurrent_dropout");
  if (input == 0 && recurrent == 0) return;
  if (in->x == NULL || in->x->rank != 3 || in->recurrent_kernel == NULL ||
      in->recurrent_kernel->rank != 2)
    return; /* the layer itself says what is wrong */
  lua_getfield(L, 1, "stream");
  marea_stream *stream = bind_stream(L, lua_gettop(L));
  int64_t gates = recurrent > 0 ? (int64_t)marea_cell_gates(o->cell) : 1, B = in->x->size[0];
  in->input_dropout = multipliers(L, input, stream, B, gates, in->x->size[2]);
  in->recurrent_dropout =
      multipliers(L, recurrent, stream, B, gates, in->recurrent_kernel->size[0]);
}

static double number_field(lua_State *L, const char *field) {
  lua_getfield(L, 1, field);
  double number = luaL_optnumber(L, -1, 0);
  lua_pop(L, 1);
  return number;
}

/* Zoneout's parts, 0 or 1 by chance, for every step and unit; in inference its expectation. */
static void draw_zoneout(lua_State *L, marea_recurrent_options *o, marea_recurrent_operands *in) {
  static const char *const fields[] = {"zoneout_h", "zoneout_c"};
  for (int i = 0; i < MAREA_STATES_MAX; i++) o->zoneout[i] = number_field(L, fields[i]);
  if (!flag_field(L, "training") || in->x == NULL || in->x->rank != 3 ||
      in->recurrent_kernel == NULL || in->recurrent_kernel->rank != 2)
    return;
  int64_t B = in->x->size[0], T = in->x->size[1], P = in->recurrent_kernel->size[0];
  int64_t H = in->recurrent_kernel->size[1] / (int64_t)marea_cell_gates(o->cell);
  for (int i = 0; i < (int)marea_cell_states(o->cell); i++) {
    if (o->zoneout[i] == 0) continue;
    int64_t shape[] = {B, T, i == 0 ? P : H};
    bind_box *box = bind_box_new(L);
    bind_box_fill(L, box, marea_result(MAREA_REAL, 3, shape));
    lua_getfield(L, 1, "stream");
    marea_stream *stream = bind_stream(L, lua_gettop(L));
    marea_real *part = marea_reals(box->x);
    for (int64_t j = 0; j < B * T * shape[2]; j++)
      part[j] = marea_stream_uniform(stream) < o->zoneout[i];
    in->zoneout[i] = box->x;
  }
}

static marea_recurrent_options read_options(lua_State *L) {
  lua_getfield(L, 1, "cell");
  marea_recurrent_options options = {.cell = bind_cell(L, -1),
                                     .activation = activation_field(L, "activation", MAREA_TANH),
                                     .recurrent_activation =
                                         activation_field(L, "recurrent_activation", MAREA_SIGMOID),
                                     .backwards = flag_field(L, "backwards"),
                                     .original_order = flag_field(L, "original_order"),
                                     .zero_masked = flag_field(L, "zero_output_for_mask"),
                                     .sequences = flag_field(L, "return_sequences"),
                                     .z_writes = flag_field(L, "z_writes"),
                                     .peephole_on_old = flag_field(L, "peephole_on_old"),
                                     .gates_without_x = flag_field(L, "gates_without_x"),
                                     .cell_clip = number_field(L, "cell_clip"),
                                     .epsilon = number_field(L, "epsilon")};
  lua_getfield(L, 1, "name");
  options.name = luaL_optstring(L, -1, CELLS[options.cell]); /* the table keeps it alive */
  return options;
}

/* recurrent{ cell, x, kernel, recurrent_kernel, bias, activation, recurrent_activation, mask,
 * initial_h, initial_c, return_sequences, backwards, original_order, zero_output_for_mask,
 * dropout, recurrent_dropout, zoneout_h, zoneout_c, training, stream, z_writes, peephole_i,
 * peephole_f, peephole_o, peephole_on_old, gates_without_x, cell_clip, projection, gain, cell_gain,
 * cell_bias, epsilon, name } → y, h, c (none for cells without) */
static int recurrent(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  marea_recurrent_options options = read_options(L);
  marea_recurrent_operands in = {.x = tensor_field(L, "x"),
                                 .kernel = tensor_field(L, "kernel"),
                                 .recurrent_kernel = tensor_field(L, "recurrent_kernel"),
                                 .bias = tensor_field(L, "bias"),
                                 .mask = tensor_field(L, "mask"),
                                 .h = tensor_field(L, "initial_h"),
                                 .c = tensor_field(L, "initial_c"),
                                 .peephole = {tensor_field(L, "peephole_i"),
                                              tensor_field(L, "peephole_f"),
                                              tensor_field(L, "peephole_o")},
                                 .projection = tensor_field(L, "projection"),
                                 .gain = tensor_field(L, "gain"),
                                 .cell_gain = tensor_field(L, "cell_gain"),
                                 .cell_bias = tensor_field(L, "cell_bias")};
  draw_dropout(L, &options, &in);
  draw_zoneout(L, &options, &in);
  bind_box *boxes[3];
  marea_tensor *outputs[3];
  for (int i = 0; i < 3; i++) boxes[i] = bind_box_new(L);
  bind_check(L, marea_recurrent_layer(&options, &in, outputs));
  for (int i = 0; i < 3 && outputs[i] != NULL; i++) {
    boxes[i]->x = outputs[i];
    if (outputs[i]->tape != NULL) boxes[i]->tape = marea_tape_retain(outputs[i]->tape);
  }
  if (outputs[2] == NULL) lua_pop(L, 1);
  if (outputs[0]->tape == NULL) bind_account(L, marea_tensor_bytes(outputs[0]));
  return outputs[2] == NULL ? 2 : 3;
}

/* recurrent_activation(name): whether cells can use it */
static int recurrent_activation(lua_State *L) {
  marea_activation activation;
  const char *name = lua_tostring(L, 1);
  lua_pushboolean(L, lua_type(L, 1) == LUA_TSTRING && marea_activation_find(name, &activation) &&
                         !marea_activation_needs_input(activation));
  return 1;
}

static const luaL_Reg functions[] = {
    {"recurrent", recurrent}, {"recurrent_activation", recurrent_activation}, {NULL, NULL}};

void bind_open_recurrent(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

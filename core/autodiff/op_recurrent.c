/* A whole sequence through a recurrent layer, as one node. */
#include <stdio.h>
#include <string.h>

#include "autodiff/op_help.h"

enum {
  X,
  KERNEL,
  RECURRENT,
  BIAS,
  MASK,
  H0,
  C0,
  INPUT_DROPOUT,
  RECURRENT_DROPOUT,
  PEEPHOLE,
  PROJECTION = PEEPHOLE + MAREA_PEEPHOLES,
  GAIN,
  CELL_GAIN,
  CELL_BIAS,
  ZONEOUT,
  INPUTS = ZONEOUT + MAREA_STATES_MAX
};

static const char *const OPERATIONS[MAREA_CELL_COUNT] = {
    "SimpleRNN", "LSTM", "GRU", "GRU", "LSTM", "SimpleGRU", "SimpleGRU", "MinimalGatedUnit"};

typedef struct layer_context {
  marea_recurrent layer;
  marea_recurrent_weights weights;
  marea_recurrent_inputs inputs;
  bool sequences;
  void *workspace;
  marea_tensor *table; /* whose rows x is made of, when it wants a gradient */
} layer_context;

typedef struct expected {
  int rank;
  int64_t size[3];
} expected;

static marea_status check_shape(const char *name, const char *what, const marea_tensor *x,
                                expected e) {
  char text[MAREA_SHAPE_TEXT_BYTES], wanted[MAREA_SHAPE_TEXT_BYTES];
  if (x == NULL) return MAREA_OK;
  bool fits = x->rank == e.rank;
  for (int i = 0; i < e.rank && fits; i++) fits = x->size[i] == e.size[i];
  if (fits) return MAREA_OK;
  return marea_fail(MAREA_SHAPE, "%s: %s is %s, expected %s", name, what, marea_shape_text(x, text),
                    marea_sizes_text(e.rank, e.size, wanted));
}

static marea_status check_dropout(const char *name, const char *what, const marea_tensor *x,
                                  int64_t B, int64_t gates, int64_t width) {
  if (x == NULL) return MAREA_OK;
  int64_t given = x->rank == 3 && x->size[1] == gates ? gates : 1;
  return check_shape(name, what, x, (expected){3, {B, given, width}});
}

static const char *const names[INPUTS] = {"the input",
                                          "the kernel",
                                          "the recurrent kernel",
                                          "the bias",
                                          "the mask",
                                          "the initial state h",
                                          "the initial state c",
                                          "dropout",
                                          "recurrent dropout",
                                          "peephole i",
                                          "peephole f",
                                          "peephole o",
                                          "the projection",
                                          "the gain",
                                          "the cell's gain",
                                          "the cell's bias",
                                          "zoneout of h",
                                          "zoneout of c"};

static bool is_lstm(marea_cell cell) {
  return cell == MAREA_CELL_LSTM || cell == MAREA_CELL_LSTM_COUPLED;
}

/* Which peepholes must be there, and the shape of all. */
static marea_status check_peepholes(const marea_recurrent_options *o, marea_tensor *const *in,
                                    int64_t H) {
  const marea_tensor *const *p = (const marea_tensor *const *)in + PEEPHOLE;
  bool f = o->cell != MAREA_CELL_LSTM_COUPLED;
  bool any = p[0] != NULL || p[1] != NULL || p[2] != NULL;
  if (any && (p[0] == NULL || (p[1] != NULL) != f || p[2] == NULL))
    return marea_fail(MAREA_ARGUMENT, "%s: peepholes come together, %s", o->name,
                      f ? "i, f and o" : "i and o");
  marea_status s = MAREA_OK;
  for (int i = 0; i < MAREA_PEEPHOLES && any && s == MAREA_OK; i++)
    s = check_shape(o->name, names[PEEPHOLE + i], p[i],
                    (expected){p[0]->rank == 2 ? 2 : 1, {H, H}});
  return s;
}

static marea_status check_forms(const marea_recurrent_options *o, marea_tensor *const *in,
                                int64_t H, int64_t P) {
  int64_t B = in[X]->size[0], T = in[X]->size[1];
  bool cell = is_lstm(o->cell) && in[GAIN] != NULL;
  if (in[GAIN] != NULL && ((in[CELL_GAIN] != NULL) != cell || (in[CELL_BIAS] != NULL) != cell))
    return marea_fail(MAREA_ARGUMENT, "%s: the cell's gain and bias belong to a normalised LSTM",
                      o->name);
  marea_status s = check_peepholes(o, in, H);
  if (s == MAREA_OK)
    s = check_shape(o->name, names[GAIN], in[GAIN],
                    (expected){2, {(int64_t)marea_cell_gains(o->cell), H}});
  if (s == MAREA_OK) s = check_shape(o->name, names[CELL_GAIN], in[CELL_GAIN], (expected){1, {H}});
  if (s == MAREA_OK) s = check_shape(o->name, names[CELL_BIAS], in[CELL_BIAS], (expected){1, {H}});
  if (s == MAREA_OK)
    s = check_shape(o->name, names[ZONEOUT], in[ZONEOUT], (expected){3, {B, T, P}});
  if (s == MAREA_OK)
    s = check_shape(o->name, names[ZONEOUT + 1], in[ZONEOUT + 1], (expected){3, {B, T, H}});
  return s;
}

/* *P = features of the projection, if there is one. */
static marea_status check_projection(const marea_recurrent_options *o,
                                     const marea_tensor *projection, int64_t H, int64_t *P) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (projection == NULL) return MAREA_OK;
  if (projection->rank != 2 || projection->size[0] != H)
    return marea_fail(MAREA_SHAPE, "%s: the projection is %s, expected (%lld, features)", o->name,
                      marea_shape_text(projection, text), (long long)H);
  *P = projection->size[1];
  return MAREA_OK;
}

static marea_status check_operands(const marea_recurrent_options *o, marea_tensor *const *in) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  for (int i = 0; i < INPUTS; i++)
    if (in[i] != NULL && i != MASK && in[i]->dtype != MAREA_REAL)
      return marea_fail(MAREA_TYPE, "%s: %s expects real numbers, got %s", o->name, names[i],
                        marea_dtype_name(in[i]->dtype));
  int64_t gates = (int64_t)marea_cell_gates(o->cell);
  if (gates == 0) return marea_fail(MAREA_RANGE, "unknown recurrent cell");
  const marea_tensor *x = in[X], *kernel = in[KERNEL];
  if (x->rank != 3)
    return marea_fail(MAREA_SHAPE, "%s: input is %s, expected (batch, time, features)", o->name,
                      marea_shape_text(x, text));
  if (kernel->rank != 2 || kernel->size[1] % gates != 0)
    return marea_fail(MAREA_SHAPE, "%s: the kernel is %s, expected (features, %lld x units)",
                      o->name, marea_shape_text(kernel, text), (long long)gates);
  if (kernel->size[0] != x->size[2])
    return marea_fail(MAREA_SHAPE,
                      "%s: input is (batch %lld, time %lld, %lld), kernel expects %lld "
                      "features",
                      o->name, (long long)x->size[0], (long long)x->size[1], (long long)x->size[2],
                      (long long)kernel->size[0]);
  int64_t B = x->size[0], T = x->size[1], D = x->size[2], width = kernel->size[1],
          H = width / gates, P = H;
  marea_status s = check_projection(o, in[PROJECTION], H, &P);
  bool two_rows = o->cell == MAREA_CELL_GRU;
  expected bias = two_rows ? (expected){2, {2, width}} : (expected){1, {width}};
  if (s == MAREA_OK)
    s = check_shape(o->name, names[RECURRENT], in[RECURRENT], (expected){2, {P, width}});
  if (s == MAREA_OK) s = check_shape(o->name, names[BIAS], in[BIAS], bias);
  if (s == MAREA_OK) s = check_shape(o->name, names[MASK], in[MASK], (expected){2, {B, T}});
  if (s == MAREA_OK) s = check_shape(o->name, names[H0], in[H0], (expected){2, {B, P}});
  if (s == MAREA_OK) s = check_shape(o->name, names[C0], in[C0], (expected){2, {B, H}});
  if (s == MAREA_OK) s = check_dropout(o->name, "dropout", in[INPUT_DROPOUT], B, gates, D);
  if (s == MAREA_OK)
    s = check_dropout(o->name, "recurrent dropout", in[RECURRENT_DROPOUT], B, gates, P);
  if (s == MAREA_OK) s = check_forms(o, in, H, P);
  return s;
}

static const marea_real *reals_or_null(const marea_tensor *x) {
  return x != NULL ? marea_reals(x) : NULL;
}

static void set_forms(marea_recurrent *layer, const marea_recurrent_options *o,
                      marea_tensor *const *in) {
  const marea_tensor *peephole = in[PEEPHOLE];
  layer->z_writes = o->z_writes;
  if (peephole != NULL)
    layer->peephole = peephole->rank == 2 ? MAREA_PEEPHOLE_FULL : MAREA_PEEPHOLE_DIAGONAL;
  layer->peephole_on_old = o->peephole_on_old;
  layer->gates_without_x = o->gates_without_x;
  layer->cell_clip = (marea_real)o->cell_clip;
  layer->projection = in[PROJECTION] != NULL ? (size_t)in[PROJECTION]->size[1] : 0;
  layer->normalised = in[GAIN] != NULL;
  layer->epsilon = (marea_real)o->epsilon;
  for (int i = 0; i < MAREA_STATES_MAX; i++) layer->zoneout[i] = (marea_real)o->zoneout[i];
}

/* x as rows of a table, where nobody else wants the gradient of x. */
static void set_lookup(layer_context *c, const marea_tensor *x) {
  const marea_lookup *lookup = x->lookup;
  if (lookup == NULL || c->inputs.input_dropout != NULL) return;
  c->layer.vocabulary = (size_t)lookup->rows;
  c->inputs.ids = lookup->ids;
  c->table = lookup->table;
}

static layer_context make_context(const marea_recurrent_options *o, marea_tensor *const *in,
                                  bool keep) {
  const marea_tensor *x = in[X], *a = in[INPUT_DROPOUT], *b = in[RECURRENT_DROPOUT];
  layer_context c = {.sequences = o->sequences};
  c.layer =
      (marea_recurrent){.cell = o->cell,
                        .activation = o->activation,
                        .recurrent_activation = o->recurrent_activation,
                        .batch = (size_t)x->size[0],
                        .time = (size_t)x->size[1],
                        .input = (size_t)x->size[2],
                        .hidden = (size_t)in[KERNEL]->size[1] / marea_cell_gates(o->cell),
                        .backwards = o->backwards,
                        .original_order = o->original_order,
                        .masked_output = o->zero_masked ? MAREA_MASKED_ZERO : MAREA_MASKED_REPEATS,
                        .keep = keep};
  c.weights = (marea_recurrent_weights){.kernel = marea_reals(in[KERNEL]),
                                        .recurrent_kernel = marea_reals(in[RECURRENT]),
                                        .bias = reals_or_null(in[BIAS]),
                                        .projection = reals_or_null(in[PROJECTION]),
                                        .gain = reals_or_null(in[GAIN]),
                                        .cell_gain = reals_or_null(in[CELL_GAIN]),
                                        .cell_bias = reals_or_null(in[CELL_BIAS])};
  for (int i = 0; i < MAREA_PEEPHOLES; i++) c.weights.peephole[i] = reals_or_null(in[PEEPHOLE + i]);
  set_forms(&c.layer, o, in);
  c.inputs = (marea_recurrent_inputs){
      .x = marea_reals(x),
      .initial = {reals_or_null(in[H0]), reals_or_null(in[C0])},
      .input_dropout = reals_or_null(a),
      .input_dropout_gates = a != NULL ? (size_t)a->size[1] : 0,
      .recurrent_dropout = reals_or_null(b),
      .recurrent_dropout_gates = b != NULL ? (size_t)b->size[1] : 0,
      .zoneout = {reals_or_null(in[ZONEOUT]), reals_or_null(in[ZONEOUT + 1])}};
  set_lookup(&c, x);
  return c;
}

/* The mask as bytes. */
static marea_status mask_bytes(const marea_tensor *mask, unsigned char *bytes) {
  int64_t count = marea_tensor_count(mask);
  for (int64_t i = 0; i < count; i++) bytes[i] = marea_tensor_get(mask, i) != 0;
  return MAREA_OK;
}

static marea_status target_of(marea_tensor *x, marea_real **target) {
  if (!marea_wants_gradient(x)) return MAREA_OK;
  *target = marea_gradient_sum(x);
  return *target == NULL ? MAREA_NOMEM : MAREA_OK;
}

/* The same without clearing: the kernel does what is best with a new one. */
static marea_status raw_target_of(marea_tensor *x, marea_real **target, bool *is_new) {
  if (!marea_wants_gradient(x)) return MAREA_OK;
  *target = marea_gradient_target(x, is_new);
  return *target == NULL ? MAREA_NOMEM : MAREA_OK;
}

/* Backward of a layer whose equal inputs were taken together: their gradients go to the table. */
static marea_status backward_to_table(layer_context *c,
                                      const marea_recurrent_output_gradients *given,
                                      marea_recurrent_gradients *wanted, const int32_t *ids,
                                      size_t rows) {
  if (c->table == NULL)
    return marea_recurrent_backward(&c->layer, &c->weights, &c->inputs, given, wanted,
                                    c->workspace);
  wanted->distinct = marea_alloc_array(rows, c->layer.input * sizeof *wanted->distinct);
  if (wanted->distinct == NULL) return MAREA_NOMEM;
  marea_status s =
      marea_recurrent_backward(&c->layer, &c->weights, &c->inputs, given, wanted, c->workspace);
  if (s == MAREA_OK) s = marea_gradient_add_rows(c->table, ids, (int64_t)rows, wanted->distinct);
  marea_free(wanted->distinct);
  return s;
}

static marea_status layer_backward(marea_node *node) {
  layer_context *c = node->context;
  const marea_real *first = marea_gradient_of(node->outputs[0]);
  marea_recurrent_output_gradients given = {.y = c->sequences ? first : NULL,
                                            .y_last = c->sequences ? NULL : first};
  for (int i = 0; i + 1 < node->output_count; i++)
    given.last[i] = marea_gradient_of(node->outputs[i + 1]);
  marea_recurrent_gradients wanted = {0};
  marea_tensor **in = node->inputs;
  const int32_t *ids;
  size_t distinct = marea_recurrent_distinct(&c->layer, c->workspace, &ids);
  marea_status s = distinct > 0 ? MAREA_OK : raw_target_of(in[X], &wanted.x, &wanted.x_is_new);
  if (s == MAREA_OK) s = raw_target_of(in[KERNEL], &wanted.kernel, &wanted.kernel_is_new);
  if (s == MAREA_OK)
    s = raw_target_of(in[RECURRENT], &wanted.recurrent_kernel, &wanted.recurrent_kernel_is_new);
  if (s == MAREA_OK) s = target_of(in[BIAS], &wanted.bias);
  if (s == MAREA_OK) s = target_of(in[H0], &wanted.initial[0]);
  if (s == MAREA_OK) s = target_of(in[C0], &wanted.initial[1]);
  for (int i = 0; i < MAREA_PEEPHOLES && s == MAREA_OK; i++)
    s = target_of(in[PEEPHOLE + i], &wanted.peephole[i]);
  if (s == MAREA_OK) s = target_of(in[PROJECTION], &wanted.projection);
  if (s == MAREA_OK) s = target_of(in[GAIN], &wanted.gain);
  if (s == MAREA_OK) s = target_of(in[CELL_GAIN], &wanted.cell_gain);
  if (s == MAREA_OK) s = target_of(in[CELL_BIAS], &wanted.cell_bias);
  if (s != MAREA_OK) return s;
  if (distinct > 0) return backward_to_table(c, &given, &wanted, ids, distinct);
  return marea_recurrent_backward(&c->layer, &c->weights, &c->inputs, &given, &wanted,
                                  c->workspace);
}

static marea_status make_outputs(const layer_context *c, marea_tensor *outputs[3]) {
  int64_t B = (int64_t)c->layer.batch, T = (int64_t)c->layer.time,
          P = (int64_t)marea_recurrent_width(&c->layer);
  int64_t whole[] = {B, T, P}, last[] = {B, P}, cell[] = {B, (int64_t)c->layer.hidden};
  outputs[0] =
      c->sequences ? marea_result(MAREA_REAL, 3, whole) : marea_result(MAREA_REAL, 2, last);
  outputs[1] = marea_result(MAREA_REAL, 2, last);
  bool two = marea_cell_states(c->layer.cell) > 1;
  outputs[2] = two ? marea_result(MAREA_REAL, 2, cell) : NULL;
  bool made = outputs[0] != NULL && outputs[1] != NULL && (outputs[2] != NULL || !two);
  return made ? MAREA_OK : MAREA_NOMEM;
}

static marea_status run_layer(layer_context *c, const marea_tensor *mask, bool keep,
                              marea_tensor *const outputs[3]) {
  size_t bytes = 0, mask_size = mask != NULL ? (size_t)marea_tensor_count(mask) : 0;
  marea_status s = marea_recurrent_workspace(&c->layer, &bytes);
  if (s != MAREA_OK) return s;
  size_t rounded = (bytes + MAREA_ALIGNMENT - 1) / MAREA_ALIGNMENT * MAREA_ALIGNMENT;
  bool on_tape = keep || c->layer.vocabulary > 0; /* larger then: fresh pages would cost more */
  c->workspace = on_tape ? marea_tape_alloc(rounded + mask_size) : marea_alloc(rounded + mask_size);
  if (c->workspace == NULL) return MAREA_NOMEM;
  if (mask != NULL) {
    unsigned char *visible = (unsigned char *)c->workspace + rounded;
    mask_bytes(mask, visible);
    c->inputs.mask = visible;
  }
  marea_recurrent_outputs out = {
      .y = c->sequences ? marea_reals(outputs[0]) : NULL,
      .y_last = c->sequences ? NULL : marea_reals(outputs[0]),
      .last = {marea_reals(outputs[1]), outputs[2] != NULL ? marea_reals(outputs[2]) : NULL}};
  s = marea_recurrent_forward(&c->layer, &c->weights, &c->inputs, &out, c->workspace);
  if (!on_tape) marea_free(c->workspace);
  return s;
}

static marea_status run_and_record(const marea_recurrent_options *o, marea_tensor *const *inputs,
                                   marea_tensor *const *plain, marea_tensor *outputs[3]) {
  bool keep = marea_recording(inputs, INPUTS);
  layer_context c = make_context(o, plain, keep);
  marea_status s = make_outputs(&c, outputs);
  if (s == MAREA_OK) s = run_layer(&c, plain[MASK], keep, outputs);
  if (s != MAREA_OK || !keep) return s;
  marea_node *node = marea_record(OPERATIONS[o->cell], inputs, INPUTS, outputs,
                                  outputs[2] != NULL ? 3 : 2, layer_backward, sizeof c);
  if (node == NULL) return MAREA_NOMEM;
  *(layer_context *)node->context = c;
  return MAREA_OK;
}

marea_status marea_recurrent_layer(const marea_recurrent_options *options,
                                   const marea_recurrent_operands *in, marea_tensor *outputs[3]) {
  marea_tensor *inputs[INPUTS] = {in->x,           in->kernel,        in->recurrent_kernel,
                                  in->bias,        in->mask,          in->h,
                                  in->c,           in->input_dropout, in->recurrent_dropout,
                                  in->peephole[0], in->peephole[1],   in->peephole[2],
                                  in->projection,  in->gain,          in->cell_gain,
                                  in->cell_bias,   in->zoneout[0],    in->zoneout[1]};
  marea_tensor *plain[INPUTS] = {NULL};
  outputs[0] = outputs[1] = outputs[2] = NULL;
  if (in->x == NULL || in->kernel == NULL || in->recurrent_kernel == NULL)
    return marea_fail(MAREA_ARGUMENT, "%s: input and weights are needed", options->name);
  marea_status s = check_operands(options, inputs);
  for (int i = 0; i < INPUTS && s == MAREA_OK; i++) {
    plain[i] = marea_compact(inputs[i]);
    if (inputs[i] != NULL && plain[i] == NULL) s = MAREA_NOMEM;
  }
  if (s == MAREA_OK) s = run_and_record(options, inputs, plain, outputs);
  for (int i = 0; i < INPUTS; i++) marea_tensor_free(plain[i]);
  for (int i = 0; i < 3 && s != MAREA_OK; i++) {
    marea_tensor_free(outputs[i]);
    outputs[i] = NULL;
  }
  return s;
}

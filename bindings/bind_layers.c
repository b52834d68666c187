/* Operations of whole layers: windows along time, batch normalisation, attention, the conditional
 * random field and CTC. */
#include "bind.h"

static const char *const BORDERS[] = {"valid", "same", "causal", NULL};

static int64_t optional_size(lua_State *L, int argument, lua_Integer otherwise) {
  return luaL_optinteger(L, argument, otherwise);
}

/* conv1d(x, kernel[, bias, padding, strides, dilation, groups]) */
static int op_conv1d(lua_State *L) {
  lua_settop(L, 7);
  marea_tensor *x = bind_tensor(L, 1), *kernel = bind_tensor(L, 2);
  marea_tensor *bias = bind_tensor_or_null(L, 3);
  marea_window window = {.border = (marea_border)luaL_checkoption(L, 4, "valid", BORDERS),
                         .strides = optional_size(L, 5, 1),
                         .dilation = optional_size(L, 6, 1)};
  int64_t groups = optional_size(L, 7, 1);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_conv1d(x, kernel, bias, &window, groups));
}

/* pool1d(x, mask or nil, size[, strides, padding, average]) */
static int op_pool1d(lua_State *L) {
  lua_settop(L, 6);
  marea_tensor *x = bind_tensor(L, 1), *mask = bind_tensor_or_null(L, 2);
  marea_window window = {.size = luaL_checkinteger(L, 3), .dilation = 1};
  window.strides = optional_size(L, 4, window.size);
  window.border = (marea_border)luaL_checkoption(L, 5, "valid", BORDERS);
  bool average = lua_toboolean(L, 6);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_pool1d(x, mask, &window, average));
}

static void fill_reals(marea_tensor *x, const double *values) {
  for (int64_t j = 0; j < x->size[0]; j++) marea_reals(x)[j] = (marea_real)values[j];
}

/* batch_norm(x, mask, gamma, beta[, epsilon]) → y, mean, variance */
static int op_batch_norm(lua_State *L) {
  lua_settop(L, 5);
  marea_tensor *x = bind_tensor(L, 1), *mask = bind_tensor_or_null(L, 2);
  marea_tensor *gamma = bind_tensor_or_null(L, 3), *beta = bind_tensor_or_null(L, 4);
  double epsilon = luaL_optnumber(L, 5, 1e-3);
  int64_t D = x->rank > 0 ? x->size[x->rank - 1] : 0;
  double *sums = lua_newuserdatauv(L, (size_t)(D > 0 ? D : 1) * 2 * sizeof *sums, 0);
  bind_box *mean = bind_box_new(L);
  bind_box_fill(L, mean, marea_tensor_new(MAREA_REAL, 1, &D));
  bind_box *variance = bind_box_new(L);
  bind_box_fill(L, variance, marea_tensor_new(MAREA_REAL, 1, &D));
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_batch_norm(x, mask, gamma, beta, epsilon, sums, sums + D));
  fill_reals(mean->x, sums);
  fill_reals(variance->x, sums + D);
  lua_insert(L, -3);
  return 3;
}

/* masked_softmax(scores[, mask, causal]) */
static int op_masked_softmax(lua_State *L) {
  marea_tensor *scores = bind_tensor(L, 1), *mask = bind_tensor_or_null(L, 2);
  bool causal = lua_toboolean(L, 3);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_masked_softmax(scores, mask, causal));
}

/* additive_scores(q, k[, scale]) */
static int op_additive_scores(lua_State *L) {
  marea_tensor *q = bind_tensor(L, 1), *k = bind_tensor(L, 2);
  marea_tensor *scale = bind_tensor_or_null(L, 3);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_additive_scores(q, k, scale));
}

/* ---- conditional random field ---- */

/* crf_loss(emissions, tags, mask, start, end, transitions) */
static int op_crf_loss(lua_State *L) {
  marea_crf_operands in = {.emissions = bind_tensor(L, 1),
                           .tags = bind_tensor(L, 2),
                           .mask = bind_tensor_or_null(L, 3),
                           .start = bind_tensor(L, 4),
                           .end = bind_tensor(L, 5),
                           .transitions = bind_tensor(L, 6)};
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_crf_loss(&in));
}

/* name(emissions, mask, start, end, transitions) */
static int crf_reading(lua_State *L, marea_tensor *(*read)(const marea_crf_operands *)) {
  marea_crf_operands in = {.emissions = bind_tensor(L, 1),
                           .mask = bind_tensor_or_null(L, 2),
                           .start = bind_tensor(L, 3),
                           .end = bind_tensor(L, 4),
                           .transitions = bind_tensor(L, 5)};
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, read(&in));
}

static int op_crf_marginals(lua_State *L) {
  return crf_reading(L, marea_crf_marginals);
}

static int op_crf_decode(lua_State *L) {
  return crf_reading(L, marea_crf_decode);
}

/* ctc_loss(logits, labels, lengths, mask[, blank, zero_infinity]) */
static int op_ctc_loss(lua_State *L) {
  lua_settop(L, 6);
  marea_tensor *logits = bind_tensor(L, 1), *labels = bind_tensor(L, 2);
  marea_tensor *lengths = bind_tensor(L, 3), *mask = bind_tensor_or_null(L, 4);
  int64_t blank = optional_size(L, 5, 0);
  bool zero_infinity = lua_toboolean(L, 6);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_ctc_loss(logits, labels, lengths, mask, blank, zero_infinity));
}

#define ENTRY(name) {#name, op_##name},
static const luaL_Reg operations[] = {
    ENTRY(conv1d) ENTRY(pool1d) ENTRY(batch_norm) ENTRY(masked_softmax) ENTRY(additive_scores)
        ENTRY(crf_loss) ENTRY(crf_marginals) ENTRY(crf_decode) ENTRY(ctc_loss){NULL, NULL}};

void bind_open_layers(lua_State *L) {
  luaL_setfuncs(L, operations, 0);
  lua_getfield(L, -1, "operations"); /* for tests that want to cover it all */
  luaL_setfuncs(L, operations, 0);
  lua_pop(L, 1);
}

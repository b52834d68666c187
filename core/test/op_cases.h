/* One case for every operation with a gradient: operands and the call. test_ops.c runs them. */
#ifndef MAREA_TEST_OP_CASES_H
#define MAREA_TEST_OP_CASES_H

#include "autodiff/ops.h"

enum { OPERANDS = 6 };

typedef struct op_case {
  const char *name;
  marea_tensor *(*run)(marea_tensor *const *in);
  double low, high; /* operands are drawn from this range, away from kinks and poles */
  int count;
  struct {
    int rank;
    int64_t size[4];
  } shape[OPERANDS];
} op_case;

/* An owned int32 tensor; the caller frees it. */
static inline marea_tensor *case_ids(int rank, const int64_t *size, const int *values) {
  marea_tensor *ids = marea_tensor_new(MAREA_INT32, rank, size);
  for (int64_t i = 0; ids != NULL && i < marea_tensor_count(ids); i++)
    marea_ints(ids)[i] = values[i];
  return ids;
}

/* ---- calls with more than tensors ---- */

#define CASE_UNARY(op)                                                                             \
  static marea_tensor *case_##op(marea_tensor *const *in) {                                        \
    return marea_##op(in[0]);                                                                      \
  }
#define CASE_BINARY(op)                                                                            \
  static marea_tensor *case_##op(marea_tensor *const *in) {                                        \
    return marea_##op(in[0], in[1]);                                                               \
  }
#define CASE_REDUCE(op)                                                                            \
  static marea_tensor *case_##op(marea_tensor *const *in) {                                        \
    return marea_##op(in[0], 1, false);                                                            \
  }                                                                                                \
  static marea_tensor *case_all_##op(marea_tensor *const *in) {                                    \
    return marea_##op(in[0], -1, true);                                                            \
  }
MAREA_UNARY_OPS(CASE_UNARY)
MAREA_BINARY_OPS(CASE_BINARY)
MAREA_REDUCE_OPS(CASE_REDUCE)
CASE_UNARY(softmax)
CASE_UNARY(log_softmax)
CASE_BINARY(matmul)

/* A call with a constant second operand, which may be short of memory. */
#define CASE_WITH(name, constant, call)                                                            \
  static marea_tensor *case_##name(marea_tensor *const *in) {                                      \
    marea_tensor *c = constant;                                                                    \
    marea_tensor *y = c == NULL ? NULL : call;                                                     \
    marea_tensor_free(c);                                                                          \
    return y;                                                                                      \
  }
#define CASE_IDS(rank, size, ...) case_ids(rank, (int64_t[])size, (int[])__VA_ARGS__)
#define CASE_SHAPE(...)                                                                            \
  { __VA_ARGS__ }

static inline marea_tensor *case_targets(void) {
  marea_tensor *y = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){3});
  for (int64_t i = 0; y != NULL && i < 3; i++) marea_tensor_set(y, i, 0.1 + 0.4 * (double)i);
  return y;
}

CASE_WITH(embedding, CASE_IDS(2, CASE_SHAPE(2, 3), {0, 2, 2, 4, 0, 1}), marea_embedding(in[0], c))
CASE_WITH(take, CASE_IDS(1, CASE_SHAPE(3), {2, 0, 2}), marea_take(in[0], c))
CASE_WITH(pick, CASE_IDS(1, CASE_SHAPE(2), {1, 0}), marea_pick(in[0], c))
CASE_WITH(reverse_sequence, CASE_IDS(1, CASE_SHAPE(3), {2, 0, 3}), marea_reverse_sequence(in[0], c))
CASE_WITH(sparse_crossentropy_logits, CASE_IDS(1, CASE_SHAPE(2), {2, 0}),
          marea_sparse_crossentropy_logits(c, in[0]))
CASE_WITH(binary_crossentropy, case_targets(), marea_binary_crossentropy(c, in[0]))
CASE_WITH(binary_crossentropy_logits, case_targets(), marea_binary_crossentropy_logits(c, in[0]))
CASE_WITH(where, CASE_IDS(2, CASE_SHAPE(2, 1), {1, 0}), marea_where(c, in[0], in[1]))

/* The second sample has one label. */
static inline marea_tensor *case_ctc(marea_tensor *x, marea_tensor *labels) {
  marea_tensor *lengths = CASE_IDS(1, CASE_SHAPE(2), {2, 1});
  marea_tensor *y = marea_ctc_loss(x, labels, lengths, NULL, 0, false);
  marea_tensor_free(lengths);
  return y;
}

#define CASE_CALL(name, call)                                                                      \
  static marea_tensor *case_##name(marea_tensor *const *in) {                                      \
    return call;                                                                                   \
  }
CASE_CALL(clip, marea_clip(in[0], -0.55, 0.65))
CASE_CALL(power, marea_power(in[0], 1.7))
CASE_CALL(reshape, marea_reshape(in[0], 2, (int64_t[]){3, -1}))
CASE_CALL(permute, marea_permute(in[0], (int[]){2, 0, 1}))
CASE_CALL(narrow, marea_narrow(in[0], 1, 1, 2))
CASE_CALL(select, marea_select(in[0], 1, 2))
CASE_CALL(broadcast, marea_broadcast(in[0], 3, (int64_t[]){2, 3, 2}))
CASE_CALL(concat, marea_concat((marea_tensor *[]){in[0], in[1], in[0]}, 3, 1))
CASE_CALL(stack, marea_stack(in, 2, 1))
CASE_CALL(flip, marea_flip(in[0], 1))
CASE_CALL(cast, marea_cast(in[0], MAREA_REAL))
CASE_CALL(affine, marea_affine(in[0], in[1], in[2]))
CASE_CALL(affine_plain, marea_affine(in[0], in[1], NULL))
CASE_CALL(layer_norm, marea_layer_norm(in[0], in[1], in[2], 1e-3))
CASE_CALL(layer_norm_plain, marea_layer_norm(in[0], NULL, NULL, 1e-3))

static const marea_window case_window = {.strides = 2, .dilation = 1, .border = MAREA_BORDER_SAME};
static const marea_window case_pooling = {.size = 3, .strides = 2, .dilation = 1};
CASE_CALL(conv1d, marea_conv1d(in[0], in[1], in[2], &case_window, 1))
CASE_CALL(conv1d_groups, marea_conv1d(in[0], in[1], NULL, &case_window, 2))
CASE_CALL(pool1d, marea_pool1d(in[0], NULL, &case_pooling, false))
CASE_CALL(pool1d_average, marea_pool1d(in[0], NULL, &case_pooling, true))
CASE_CALL(batch_norm,
          marea_batch_norm(in[0], NULL, in[1], in[2], 1e-3, (double[2]){0}, (double[2]){0}))
CASE_CALL(masked_softmax, marea_masked_softmax(in[0], NULL, true))
CASE_CALL(additive_scores, marea_additive_scores(in[0], in[1], in[2]))
CASE_WITH(crf_loss, CASE_IDS(2, CASE_SHAPE(2, 3), {0, 2, 1, 1, 0, 2}),
          marea_crf_loss(&(marea_crf_operands){
              .emissions = in[0], .tags = c, .start = in[1], .end = in[2], .transitions = in[3]}))
CASE_WITH(ctc_labels, CASE_IDS(2, CASE_SHAPE(2, 2), {1, 1, 2, 0}), case_ctc(in[0], c))

static marea_tensor *case_dropout(marea_tensor *const *in) {
  marea_stream stream = marea_stream_new(3, 3); /* the same zeros at each call */
  return marea_dropout(in[0], 0.4, (int64_t[]){2, 1, 2}, &stream);
}

/* x, kernel, recurrent kernel, bias, h, c → the whole sequence. */
static inline marea_tensor *run_cell(marea_cell cell, marea_tensor *const *in) {
  marea_recurrent_options options = {.name = "cell",
                                     .cell = cell,
                                     .activation = MAREA_TANH,
                                     .recurrent_activation = MAREA_SIGMOID,
                                     .sequences = true};
  marea_recurrent_operands operands = {.x = in[0],
                                       .kernel = in[1],
                                       .recurrent_kernel = in[2],
                                       .bias = in[3],
                                       .h = in[4],
                                       .c = cell == MAREA_CELL_LSTM ? in[5] : NULL};
  marea_tensor *outputs[3] = {NULL, NULL, NULL};
  if (marea_recurrent_layer(&options, &operands, outputs) != MAREA_OK) return NULL;
  marea_tensor_free(outputs[1]);
  marea_tensor_free(outputs[2]);
  return outputs[0];
}
CASE_CALL(rnn, run_cell(MAREA_CELL_RNN, in))
CASE_CALL(lstm, run_cell(MAREA_CELL_LSTM, in))
CASE_CALL(gru, run_cell(MAREA_CELL_GRU, in))
CASE_CALL(gru_before, run_cell(MAREA_CELL_GRU_BEFORE, in))

/* ---- the table ---- */

#define ROW_UNARY(op)  {#op, case_##op, 0.2, 0.9, 1, {{2, {3, 2}}}},
#define ROW_BINARY(op) {#op, case_##op, 0.5, 2, 2, {{3, {2, 3, 2}}, {2, {3, 1}}}},
#define ROW_REDUCE(op)                                                                             \
  {#op, case_##op, -2, 2, 1, {{3, {2, 3, 2}}}}, {#op, case_all_##op, -2, 2, 1, {{2, {2, 3}}}},
#define ROW(op, ...) {#op, case_##op, -2, 2, __VA_ARGS__},

static const op_case op_cases[] = {
    MAREA_UNARY_OPS(ROW_UNARY) MAREA_BINARY_OPS(ROW_BINARY) MAREA_REDUCE_OPS(ROW_REDUCE)
    /* what ROW_UNARY's range leaves out */
    {"leaky_relu", case_leaky_relu, -2, -0.1, 1, {{1, {4}}}},
    {"elu", case_elu, -2, -0.1, 1, {{1, {4}}}},
    {"selu", case_selu, -2, -0.1, 1, {{1, {4}}}},
    {"abs", case_abs, -2, -0.1, 1, {{1, {4}}}},
    {"power", case_power, 0.3, 2, 1, {{1, {4}}}},
    {"binary_crossentropy", case_binary_crossentropy, 0.1, 0.9, 1, {{1, {3}}}},
    ROW(conv1d, 3, {{3, {2, 5, 2}}, {3, {3, 2, 2}}, {1, {2}}}) ROW(conv1d_groups, 2,
                                                                   {{3, {2, 4, 4}}, {3, {2, 2, 2}}})
        ROW(pool1d, 1, {{3, {2, 5, 2}}}) ROW(pool1d_average, 1, {{3, {2, 5, 2}}}) ROW(
            batch_norm, 3, {{3, {2, 3, 2}}, {1, {2}}, {1, {2}}}) ROW(masked_softmax, 1,
                                                                     {{3, {2, 3, 3}}})
            ROW(additive_scores, 3, {{3, {2, 2, 3}}, {3, {2, 3, 3}}, {1, {3}}}) ROW(
                crf_loss, 4,
                {{3, {2, 3, 3}}, {1, {3}}, {1, {3}}, {2, {3, 3}}}) ROW(ctc_labels, 1,
                                                                       {{3, {2, 4, 3}}})
                ROW(softmax, 1, {{2, {3, 4}}}) ROW(log_softmax, 1, {{2, {3, 4}}}) ROW(
                    clip, 1, {{1, {5}}}) ROW(where, 2, {{2, {2, 3}}, {1, {3}}})
                    ROW(reshape, 1, {{2, {2, 3}}}) ROW(permute, 1, {{3, {2, 3, 2}}})
                        ROW(narrow, 1, {{2, {2, 3}}}) ROW(select, 1, {{2, {2, 3}}}) ROW(
                            broadcast, 1, {{2, {3, 1}}}) ROW(concat, 2, {{2, {2, 1}}, {2, {2, 2}}})
                            ROW(stack, 2, {{2, {2, 2}}, {2, {2, 2}}}) ROW(
                                flip, 1, {{2, {2, 3}}}) ROW(cast, 1, {{1, {3}}})
                                ROW(reverse_sequence, 1,
                                    {{3, {3, 3, 2}}}) ROW(matmul, 2, {{2, {4, 3}}, {2, {3, 2}}})
                                    ROW(matmul, 2, {{3, {2, 2, 3}}, {3, {2, 3, 2}}}) ROW(
                                        matmul,
                                        2, {{3, {2, 2, 3}}, {2, {3, 2}}})
                                        ROW(affine, 3, {{3, {2, 2, 3}}, {2, {3, 2}}, {1, {2}}}) ROW(
                                            affine_plain, 2, {{2, {2, 3}}, {2, {3, 2}}})
                                            ROW(embedding, 1, {{2, {5, 2}}}) ROW(
                                                take, 1, {{2, {3, 2}}}) ROW(pick, 1, {{2, {2, 3}}})
                                                ROW(sparse_crossentropy_logits, 1, {{2, {2, 3}}})
                                                    ROW(binary_crossentropy_logits, 1, {{1, {3}}})
                                                        ROW(dropout, 1, {{3, {2, 3, 2}}}) ROW(
                                                            layer_norm, 3,
                                                            {{2, {3, 4}}, {1, {4}}, {1, {4}}})
                                                            ROW(layer_norm_plain, 1, {{2, {3, 4}}})
                                                                ROW(rnn, 5,
                                                                    {{3, {2, 3, 2}},
                                                                     {2, {2, 3}},
                                                                     {2, {3, 3}},
                                                                     {1, {3}},
                                                                     {2, {2, 3}}})
                                                                    ROW(lstm, 6,
                                                                        {{3, {2, 3, 2}},
                                                                         {2, {2, 8}},
                                                                         {2, {2, 8}},
                                                                         {1, {8}},
                                                                         {2, {2, 2}},
                                                                         {2, {2, 2}}})
                                                                        ROW(gru, 5,
                                                                            {{3, {2, 3, 2}},
                                                                             {2, {2, 6}},
                                                                             {2, {2, 6}},
                                                                             {2, {2, 6}},
                                                                             {2, {2, 2}}})
                                                                            ROW(gru_before, 5,
                                                                                {{3, {2, 3, 2}},
                                                                                 {2, {2, 6}},
                                                                                 {2, {2, 6}},
                                                                                 {1, {6}},
                                                                                 {2, {2, 2}}})};

#endif

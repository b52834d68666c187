/* What attention needs beside matrix products: a softmax that leaves hidden keys out, and additive
 * scores; see ops.h. */
#include <math.h>
#include <string.h>

#include "autodiff/op_help.h"
#include "base/threads.h"

/* ---- masked softmax ---- */

/* scores (B, …, Q, K); the mask serves one query, or all of them when its step is 0. */
typedef struct soft_context {
  int64_t B, rows, Q, K; /* rows: of one sample */
  const marea_real *mask;
  int64_t mask_sample, mask_query;
  bool causal;
  marea_real *y;
} soft_context;

/* The keys 0 … limit-1 that a query may see, as far as the mask (NULL: all) shows them. */
static const marea_real *seen_keys(const soft_context *c, int64_t sample, int64_t query,
                                   int64_t *limit) {
  *limit = c->causal && query + 1 < c->K ? query + 1 : c->K;
  return c->mask == NULL ? NULL : c->mask + sample * c->mask_sample + query * c->mask_query;
}

static bool sees_none(const marea_real *mask, int64_t limit) {
  int64_t seen = 0;
  for (int64_t key = 0; key < limit && mask != NULL; key++) seen += mask[key] != 0;
  return mask != NULL && seen == 0;
}

static marea_status soft_backward(marea_node *node) {
  marea_tensor *y = node->outputs[0];
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  int64_t K = y->size[y->rank - 1], count = marea_tensor_count(y);
  if (count > 0)
    marea_softmax_backward(dx, marea_gradient_of(y), marea_reals(y), (size_t)(count / K),
                           (size_t)K);
  return MAREA_OK;
}

/* Hidden keys of a sample get minus infinity, so that they come out as 0. A query that sees none
 * keeps zeros until `clear_sample`. */
static void hide_sample(void *context, size_t sample) {
  const soft_context *c = context;
  marea_real *y = c->y + (int64_t)sample * c->rows * c->K;
  for (int64_t row = 0; row < c->rows; row++, y += c->K) {
    int64_t limit;
    const marea_real *mask = seen_keys(c, (int64_t)sample, row % c->Q, &limit);
    if (sees_none(mask, limit)) {
      memset(y, 0, (size_t)c->K * sizeof *y);
      continue;
    }
    for (int64_t key = 0; key < limit && mask != NULL; key++)
      y[key] = mask[key] != 0 ? y[key] : -(marea_real)INFINITY;
    for (int64_t key = limit; key < c->K; key++) y[key] = -(marea_real)INFINITY;
  }
}

static void clear_sample(void *context, size_t sample) {
  const soft_context *c = context;
  marea_real *y = c->y + (int64_t)sample * c->rows * c->K;
  for (int64_t row = 0; row < c->rows; row++, y += c->K) {
    int64_t limit;
    const marea_real *mask = seen_keys(c, (int64_t)sample, row % c->Q, &limit);
    if (sees_none(mask, limit)) memset(y, 0, (size_t)c->K * sizeof *y);
  }
}

static marea_status plan_soft(const marea_tensor *scores, const marea_tensor *mask, bool causal,
                              soft_context *c) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("masked_softmax", scores, MAREA_REAL) != MAREA_OK ||
      (mask != NULL && op_expect("masked_softmax", mask, MAREA_REAL) != MAREA_OK))
    return MAREA_TYPE;
  if (scores->rank < 3)
    return marea_fail(MAREA_SHAPE, "masked_softmax: the scores are %s, expected (B, …, Q, K)",
                      marea_shape_text(scores, left));
  *c = (soft_context){.B = scores->size[0],
                      .Q = scores->size[scores->rank - 2],
                      .K = scores->size[scores->rank - 1],
                      .rows = 1,
                      .causal = causal};
  for (int i = 1; i < scores->rank - 1; i++) c->rows *= scores->size[i];
  if (mask == NULL) return MAREA_OK;
  bool fits = (mask->rank == 2 || (mask->rank == 3 && mask->size[1] == c->Q)) &&
              mask->size[0] == c->B && mask->size[mask->rank - 1] == c->K;
  if (!fits)
    return marea_fail(
        MAREA_SHAPE,
        "masked_softmax: the scores are %s, the mask is %s; expected (B, …, Q, K) and "
        "(B, K) or (B, Q, K)",
        marea_shape_text(scores, left), marea_shape_text(mask, right));
  c->mask_query = mask->rank == 3 ? c->K : 0;
  c->mask_sample = mask->rank == 3 ? c->Q * c->K : c->K;
  return MAREA_OK;
}

marea_tensor *marea_masked_softmax(marea_tensor *scores, marea_tensor *mask, bool causal) {
  soft_context c;
  if (scores == NULL || plan_soft(scores, mask, causal, &c) != MAREA_OK) return NULL;
  marea_tensor *plain = marea_compact(mask);
  marea_tensor *y =
      plain == NULL && mask != NULL ? NULL : marea_result(MAREA_REAL, scores->rank, scores->size);
  if (y != NULL && marea_tensor_count(y) > 0) {
    c.mask = plain != NULL ? marea_reals(plain) : NULL;
    marea_tensor_gather(scores, y->data);
    c.y = marea_reals(y);
    if (mask != NULL || causal) marea_parallel((size_t)c.B, hide_sample, &c);
    marea_softmax_rows(marea_reals(y), marea_reals(y), (size_t)(c.B * c.rows), (size_t)c.K);
    if (mask != NULL) marea_parallel((size_t)c.B, clear_sample, &c);
  }
  marea_node *node;
  y = op_record("masked_softmax", &scores, 1, y, soft_backward, 0, &node);
  marea_tensor_free(plain);
  return y;
}

/* ---- additive scores ---- */

enum { PIECES = 8 };

typedef struct additive_context {
  int64_t B, Q, K, D;
  marea_tensor *q, *k, *scale; /* contiguous and kept; scale may be NULL */
  marea_real *y;
  const marea_real *dy;
  marea_real *dq, *dk; /* each NULL when nobody wants it */
  marea_real *workspace;
} additive_context;

static int64_t sample_limit(const additive_context *c, size_t piece) {
  return c->B * (int64_t)piece / PIECES;
}

/* tanh(q + k) of one query and all keys, (K, D). */
static void bend(const additive_context *c, int64_t sample, int64_t query, marea_real *t) {
  const marea_real *q = marea_reals(c->q) + (sample * c->Q + query) * c->D;
  const marea_real *k = marea_reals(c->k) + sample * c->K * c->D;
  for (int64_t key = 0; key < c->K; key++)
    for (int64_t j = 0; j < c->D; j++) t[key * c->D + j] = q[j] + k[key * c->D + j];
  marea_pointwise_tanh(t, t, (size_t)(c->K * c->D));
}

static void additive_piece(void *context, size_t piece) {
  const additive_context *c = context;
  const marea_real *scale = c->scale != NULL ? marea_reals(c->scale) : NULL;
  marea_real *t = c->workspace + (int64_t)piece * (c->K + 1) * c->D;
  for (int64_t sample = sample_limit(c, piece); sample < sample_limit(c, piece + 1); sample++)
    for (int64_t query = 0; query < c->Q; query++) {
      bend(c, sample, query, t);
      marea_real *y = c->y + (sample * c->Q + query) * c->K;
      for (int64_t key = 0; key < c->K; key++) {
        const marea_real *row = t + key * c->D;
        y[key] = (marea_real)(scale != NULL ? marea_dot(row, scale, (size_t)c->D)
                                            : marea_sum_all(row, (size_t)c->D));
      }
    }
}

/* The gradients of one query; d_scale (D) gathers those of the piece. */
static void additive_query(const additive_context *c, int64_t sample, int64_t query,
                           const marea_real *t, marea_real *d_scale) {
  const marea_real *scale = c->scale != NULL ? marea_reals(c->scale) : NULL;
  const marea_real *dy = c->dy + (sample * c->Q + query) * c->K;
  marea_real *dq = c->dq != NULL ? c->dq + (sample * c->Q + query) * c->D : NULL;
  for (int64_t key = 0; key < c->K; key++, t += c->D) {
    marea_real *dk = c->dk != NULL ? c->dk + (sample * c->K + key) * c->D : NULL;
    for (int64_t j = 0; j < c->D; j++) {
      marea_real d = dy[key] * (scale != NULL ? scale[j] : 1) * (1 - t[j] * t[j]);
      d_scale[j] += dy[key] * t[j];
      if (dq != NULL) dq[j] += d;
      if (dk != NULL) dk[j] += d;
    }
  }
}

static void additive_backward_piece(void *context, size_t piece) {
  const additive_context *c = context;
  marea_real *t = c->workspace + (int64_t)piece * (c->K + 1) * c->D, *d_scale = t + c->K * c->D;
  memset(d_scale, 0, (size_t)c->D * sizeof *d_scale);
  for (int64_t sample = sample_limit(c, piece); sample < sample_limit(c, piece + 1); sample++)
    for (int64_t query = 0; query < c->Q; query++) {
      bend(c, sample, query, t);
      additive_query(c, sample, query, t, d_scale);
    }
}

static marea_real *additive_workspace(const additive_context *c) {
  return marea_alloc_array((size_t)((c->K + 1) * c->D), PIECES * sizeof(marea_real));
}

static marea_status additive_backward(marea_node *node) {
  additive_context c = *(const additive_context *)node->context;
  marea_real *d[3] = {NULL, NULL, NULL};
  for (int i = 0; i < 3; i++) {
    if (!marea_wants_gradient(node->inputs[i])) continue;
    d[i] = marea_gradient_sum(node->inputs[i]);
    if (d[i] == NULL) return MAREA_NOMEM;
  }
  c.dy = marea_gradient_of(node->outputs[0]);
  c.dq = d[0], c.dk = d[1];
  c.workspace = additive_workspace(&c);
  if (c.workspace == NULL) return MAREA_NOMEM;
  marea_parallel(PIECES, additive_backward_piece, &c);
  for (int64_t piece = 0; d[2] != NULL && piece < PIECES; piece++)
    marea_pointwise_axpy(d[2], 1, c.workspace + (piece * (c.K + 1) + c.K) * c.D, (size_t)c.D);
  marea_free(c.workspace);
  return MAREA_OK;
}

static marea_status check_additive(const marea_tensor *q, const marea_tensor *k,
                                   const marea_tensor *scale) {
  char one[MAREA_SHAPE_TEXT_BYTES], two[MAREA_SHAPE_TEXT_BYTES], three[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("additive_scores", q, MAREA_REAL) != MAREA_OK ||
      op_expect("additive_scores", k, MAREA_REAL) != MAREA_OK ||
      (scale != NULL && op_expect("additive_scores", scale, MAREA_REAL) != MAREA_OK))
    return MAREA_TYPE;
  bool fits = q->rank == 3 && k->rank == 3 && q->size[0] == k->size[0] && q->size[2] == k->size[2];
  if (fits && scale != NULL) fits = scale->rank == 1 && scale->size[0] == q->size[2];
  if (fits) return MAREA_OK;
  return marea_fail(
      MAREA_SHAPE,
      "additive_scores: queries are %s, keys %s, scale %s; expected (B, Q, D), (B, K, "
      "D) and (D)",
      marea_shape_text(q, one), marea_shape_text(k, two),
      scale != NULL ? marea_shape_text(scale, three) : "absent");
}

static marea_tensor *add_scores(additive_context *c, marea_tensor *const *inputs) {
  c->workspace = additive_workspace(c);
  marea_tensor *y =
      c->workspace == NULL ? NULL : marea_result(MAREA_REAL, 3, (int64_t[]){c->B, c->Q, c->K});
  if (y != NULL) {
    marea_node *node;
    c->y = marea_reals(y);
    marea_parallel(PIECES, additive_piece, c);
    y = op_record("additive_scores", inputs, 3, y, additive_backward, sizeof *c, &node);
    if (node != NULL) *(additive_context *)node->context = *c;
  }
  marea_free(c->workspace);
  return y;
}

marea_tensor *marea_additive_scores(marea_tensor *q, marea_tensor *k, marea_tensor *scale) {
  if (q == NULL || k == NULL || check_additive(q, k, scale) != MAREA_OK) return NULL;
  additive_context c = {.B = q->size[0], .Q = q->size[1], .K = k->size[1], .D = q->size[2]};
  marea_tensor *inputs[] = {q, k, scale}, *y = NULL;
  c.q = marea_compact(q), c.k = marea_compact(k), c.scale = marea_compact(scale);
  if (c.q != NULL && c.k != NULL && (c.scale != NULL || scale == NULL)) y = add_scores(&c, inputs);
  marea_tensor_free(c.q);
  marea_tensor_free(c.k);
  marea_tensor_free(c.scale);
  return y;
}

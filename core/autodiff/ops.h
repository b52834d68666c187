/* Every operation on tensors, with its formula and shapes; op_*.c hold them by family.
 *
 * Each returns a new tensor (on the active tape, or owned when there is none: the caller then
 * frees it), and NULL on failure; a NULL operand gives NULL and keeps the earlier message. Real
 * operations refuse int32 operands with MAREA_TYPE. Binary operations broadcast as NumPy does:
 * shapes are aligned at the last axis, an axis of size 1 is repeated. `axis` counts from 0;
 * messages count from 1, as the Lua user does. */
#ifndef MAREA_AUTODIFF_OPS_H
#define MAREA_AUTODIFF_OPS_H

#include "autodiff/tape.h"
#include "base/csr.h"
#include "base/random.h"
#include "kernels/convolution.h"
#include "kernels/pointwise.h"
#include "kernels/recurrent.h"

/* ---- op_unary.c: y = f(x), element by element; name, f(x), df/dx ---- */
#define MAREA_UNARY_OPS(X)                                                                         \
  X(neg)             /* -x                                     -1 */                               \
  X(abs)             /* |x|                                    sign(x), 0 at 0 */                  \
  X(exp)             /* e^x                                    y */                                \
  X(log)             /* ln x                                   1/x */                              \
  X(log1p)           /* ln(1 + x)                              1/(1 + x) */                        \
  X(sqrt)            /* x^(1/2)                                1/(2y) */                           \
  X(square)          /* x^2                                    2x */                               \
  X(reciprocal)      /* 1/x                                    -y^2 */                             \
  X(sin)             /* sin x                                  cos x */                            \
  X(cos)             /* cos x                                  -sin x */                           \
  X(tanh)            /* tanh x                                 1 - y^2 */                          \
  X(sigmoid)         /* 1/(1 + e^-x)                           y(1 - y) */                         \
  X(relu)            /* max(x, 0)                              1 if x > 0 */                       \
  X(leaky_relu)      /* x if x > 0, 0.2 x otherwise            1, 0.2 */                           \
  X(elu)             /* x if x > 0, e^x - 1 otherwise          1, y + 1 */                         \
  X(selu)            /* 1.0507 elu with a = 1.67326            Klambauer et al., 2017 */           \
  X(gelu)            /* x Phi(x), exact                        Hendrycks and Gimpel, 2016 */       \
  X(silu)            /* x sigmoid(x)                           Elfwing et al., 2017 */             \
  X(softplus)        /* ln(1 + e^x)                            sigmoid(x) */                       \
  X(softsign)        /* x/(1 + |x|)                            1/(1 + |x|)^2 */                    \
  X(hard_sigmoid)    /* clip(x/6 + 0.5, 0, 1)                  1/6 inside */                       \
  X(hard_sigmoid_tf) /* clip(0.2x + 0.5, 0, 1)                 0.2 inside */

#define MAREA_DECLARE_UNARY(name) marea_tensor *marea_##name(marea_tensor *x);
MAREA_UNARY_OPS(MAREA_DECLARE_UNARY)
#undef MAREA_DECLARE_UNARY

/* min(max(x, low), high); gradient 1 inside and at the bounds, 0 outside. */
marea_tensor *marea_clip(marea_tensor *x, double low, double high);
/* x^p for a constant p. */
marea_tensor *marea_power(marea_tensor *x, double p);

/* ---- op_binary.c: broadcasting; on equal elements maximum and minimum share the gradient ---- */
#define MAREA_BINARY_OPS(X)        X(add) X(sub) X(mul) X(div) X(maximum) X(minimum)
#define MAREA_DECLARE_BINARY(name) marea_tensor *marea_##name(marea_tensor *a, marea_tensor *b);
MAREA_BINARY_OPS(MAREA_DECLARE_BINARY)

/* 1 where the relation holds, else 0; int32 operands are allowed (both then); no gradient. */
#define MAREA_COMPARE_OPS(X) X(equal) X(not_equal) X(less) X(less_equal) X(greater) X(greater_equal)
MAREA_COMPARE_OPS(MAREA_DECLARE_BINARY)
#undef MAREA_DECLARE_BINARY

/* a where condition is not 0, else b; all three broadcast; no gradient for the condition. */
marea_tensor *marea_where(marea_tensor *condition, marea_tensor *a, marea_tensor *b);

/* ---- op_reduce.c: over one axis (or all: axis = -1); `keep` leaves it with size 1.
 * Sums run in a fixed order. max and min share the gradient among equal elements. ---- */
#define MAREA_REDUCE_OPS(X)        X(sum) X(mean) X(max) X(min) X(logsumexp)
#define MAREA_DECLARE_REDUCE(name) marea_tensor *marea_##name(marea_tensor *x, int axis, bool keep);
MAREA_REDUCE_OPS(MAREA_DECLARE_REDUCE)
#undef MAREA_DECLARE_REDUCE

/* 0-based place (int32) of the first largest element along the axis (-1: of all); no gradient. */
marea_tensor *marea_argmax(marea_tensor *x, int axis);

/* Over the last axis: e^x / sum e^x, and its logarithm. */
marea_tensor *marea_softmax(marea_tensor *x);
marea_tensor *marea_log_softmax(marea_tensor *x);

/* ---- op_shape.c ---- */
marea_tensor *marea_reshape(marea_tensor *x, int rank,
                            const int64_t *size);              /* one -1 is inferred */
marea_tensor *marea_permute(marea_tensor *x, const int *axes); /* a view */
marea_tensor *marea_narrow(marea_tensor *x, int axis, int64_t start, int64_t length); /* a view */
marea_tensor *marea_select(marea_tensor *x, int axis, int64_t index); /* a view without the axis */
marea_tensor *marea_broadcast(marea_tensor *x, int rank, const int64_t *size); /* a view */
marea_tensor *marea_concat(marea_tensor *const *list, int count, int axis);
marea_tensor *marea_stack(marea_tensor *const *list, int count, int axis); /* a new axis */
marea_tensor *marea_flip(marea_tensor *x, int axis);
/* x (B, T, …): the first lengths[b] steps of row b in reverse, the rest in place. */
marea_tensor *marea_reverse_sequence(marea_tensor *x, marea_tensor *lengths);
/* The same values as reals or as int32 (which must be whole); gradient for reals only. */
marea_tensor *marea_cast(marea_tensor *x, marea_dtype dtype);
/* The values without history, as a view. */
marea_tensor *marea_detach(marea_tensor *x);

/* ---- op_matmul.c ---- */
/* a (…, M, K) times b (K, N) → (…, M, N), or both (…, M, K), (…, K, N) with equal leading axes. */
marea_tensor *marea_matmul(marea_tensor *a, marea_tensor *b);
/* x (…, D) kernel (D, U) + bias (U) → (…, U); bias may be NULL (given = NULL means none). */
marea_tensor *marea_affine(marea_tensor *x, marea_tensor *kernel, marea_tensor *bias);

/* ---- op_sparse.c ---- */
/* a (N, V), sparse and without a gradient, times w (V, U) + bias (U) → (N, U); bias may be NULL.
 * The gradient of an owned w is row-sparse while `a` fills less than an eighth of its columns, and
 * dense above. */
marea_tensor *marea_sparse_matmul(marea_csr *a, marea_tensor *w, marea_tensor *bias);

/* ---- op_lookup.c ---- */
/* Rows of table (V, D) at ids (…) → (…, D); row-sparse gradient. Ids outside 0 … V-1: MAREA_RANGE
 * naming sample, step, id and the allowed range. */
marea_tensor *marea_embedding(marea_tensor *table, marea_tensor *ids);
/* Items x[ids[0]], x[ids[1]], … along axis 0, for reals and int32. */
marea_tensor *marea_take(marea_tensor *x, marea_tensor *ids);
/* x (…, C), ids (…) → (…): x[…, ids[…]]. */
marea_tensor *marea_pick(marea_tensor *x, marea_tensor *ids);
/* ids (…) → (…, depth) with a 1 at each id. No gradient. */
marea_tensor *marea_one_hot(marea_tensor *ids, int64_t depth);

/* ---- op_regularise.c ---- */
/* Inverted dropout (Srivastava et al., 2014): keeps with 1 - rate and scales by 1/(1 - rate).
 * `noise` has x's rank, sizes equal to x's or 1 (shared along that axis); NULL: x's own shape. */
marea_tensor *marea_dropout(marea_tensor *x, double rate, const int64_t *noise,
                            marea_stream *stream);
/* Over the last axis: gamma (x - mean)/sqrt(variance + epsilon) + beta (Ba et al., 2016); gamma and
 * beta (D) may be NULL. */
marea_tensor *marea_layer_norm(marea_tensor *x, marea_tensor *gamma, marea_tensor *beta,
                               double epsilon);

/* ---- op_loss.c: one loss per element or row; reduce afterwards ---- */
/* p clipped to [1e-7, 1 - 1e-7]; -(y ln p + (1 - y) ln(1 - p)), element by element. */
marea_tensor *marea_binary_crossentropy(marea_tensor *target, marea_tensor *p);
/* max(x, 0) - x y + ln(1 + e^-|x|), element by element. */
marea_tensor *marea_binary_crossentropy_logits(marea_tensor *target, marea_tensor *logits);
/* logits (…, C), ids (…) → (…): logsumexp(logits) - logits[id]. */
marea_tensor *marea_sparse_crossentropy_logits(marea_tensor *ids, marea_tensor *logits);

/* ---- op_window.c: windows along time; kernels/convolution.h has their arithmetic ---- */
/* x (B, T, D), kernel (k, D/groups, F), bias (F) or NULL → (B, T', F): a cross-correlation, as in
 * Keras. The window's size is the kernel's (window->size is not read). */
marea_tensor *marea_conv1d(marea_tensor *x, marea_tensor *kernel, marea_tensor *bias,
                           const marea_window *window, int64_t groups);
/* x (B, T, D), mask (B, T; 0 hides a step) or NULL → (B, T', D): the largest value of each window
 * (the first of equal ones gets the gradient), or the average, of the visible steps that lie in the
 * sequence; 0 for a window without any. The window's dilation is 1. */
marea_tensor *marea_pool1d(marea_tensor *x, marea_tensor *mask, const marea_window *window,
                           bool average);

/* ---- op_batch_norm.c ---- */
/* gamma (x - mean)/sqrt(variance + epsilon) + beta with mean and biased variance of each of x's D
 * columns over all rows that the mask leaves visible (Ioffe and Szegedy, 2015); both go to the
 * caller's arrays (D). x (…, D); mask (B, T) for x (B, T, D), gamma and beta (D): each may be NULL.
 */
marea_tensor *marea_batch_norm(marea_tensor *x, marea_tensor *mask, marea_tensor *gamma,
                               marea_tensor *beta, double epsilon, double *mean, double *variance);

/* ---- op_attention.c ---- */
/* Softmax over the keys of scores (B, …, Q, K), with exact zeros for the keys that the mask (B, K)
 * or (B, Q, K; NULL: none) hides and, when `causal`, for those behind the query's own place. A
 * query that sees no key gets zeros. */
marea_tensor *marea_masked_softmax(marea_tensor *scores, marea_tensor *mask, bool causal);
/* Queries (B, Q, D) and keys (B, K, D) → (B, Q, K): sum over d of scale_d tanh(q_d + k_d) (Bahdanau
 * et al., 2015); scale (D) or NULL for ones. Nothing of size (Q, K, D) is kept. */
marea_tensor *marea_additive_scores(marea_tensor *q, marea_tensor *k, marea_tensor *scale);

/* ---- op_crf.c: kernels/crf.h has the formulas ---- */
/* Emissions (B, T, K), tags (B, T; ids), mask (B, T) or NULL, start and end (K), transitions (K, K;
 * from, to). The visible steps of a sample, in order, are its sequence. */
typedef struct marea_crf_operands {
  marea_tensor *emissions, *tags, *mask, *start, *end, *transitions;
} marea_crf_operands;
/* -ln P(tags) of each sample (B), 0 for one without steps. MAREA_RANGE names sample, step and tag
 * outside 0 … K-1. */
marea_tensor *marea_crf_loss(const marea_crf_operands *in);
/* Probabilities of the tags (B, T, K), and the best path (B, T) as ids; zeros at hidden steps; tags
 * are not read. No gradient. */
marea_tensor *marea_crf_marginals(const marea_crf_operands *in);
marea_tensor *marea_crf_decode(const marea_crf_operands *in);

/* ---- op_ctc.c: kernels/ctc.h has the formulas ---- */
/* Logits (B, T, C), labels (B, U) of which the first lengths[b] count, mask (B, T) or NULL → -ln
 * P(labels) (B). MAREA_RANGE for a label outside 0 … C-1 or equal to the blank, and for more labels
 * than the steps can hold; with `zero_infinity` such a sample has loss and gradient 0. */
marea_tensor *marea_ctc_loss(marea_tensor *logits, marea_tensor *labels, marea_tensor *lengths,
                             marea_tensor *mask, int64_t blank, bool zero_infinity);

/* ---- op_recurrent.c: a whole sequence in one node; kernels/recurrent.h has the formulas ---- */
typedef struct marea_recurrent_options {
  const char *name; /* for messages: LSTM "encoder" */
  marea_cell cell;
  marea_activation activation, recurrent_activation;
  bool backwards, original_order, zero_masked; /* see kernels/recurrent.h */
  bool sequences;                              /* the first output is y (B, T, H), not y_last */
  bool z_writes, peephole_on_old, gates_without_x;
  double cell_clip;  /* 0: none */
  double epsilon;    /* of the normalised forms, which gains call for */
  double zoneout[2]; /* of h and c */
} marea_recurrent_options;

/* x (B, T, D) with Keras's weights (bias may be NULL), mask (B, T; 0 hides a step), initial h and
 * c (B, H), dropout multipliers (B, 1 or G, D) and (B, 1 or G, H); each of the latter may be NULL.
 * The forms' weights, NULL without: peepholes i, f, o (H) or (H, H); projection (H, P); gain
 * (gains, H) and an LSTM's cell_gain, cell_bias (H). Zoneout's parts of h and c, (B, T, width), or
 * NULL. outputs: y (B, T, H) or y_last (B, H); h (B, H); c (B, H) or NULL for cells without. With a
 * projection h and y have P features. */
typedef struct marea_recurrent_operands {
  marea_tensor *x, *kernel, *recurrent_kernel, *bias, *mask, *h, *c;
  marea_tensor *input_dropout, *recurrent_dropout;
  marea_tensor *peephole[MAREA_PEEPHOLES], *projection, *gain, *cell_gain, *cell_bias;
  marea_tensor *zoneout[MAREA_STATES_MAX];
} marea_recurrent_operands;
marea_status marea_recurrent_layer(const marea_recurrent_options *options,
                                   const marea_recurrent_operands *operands,
                                   marea_tensor *outputs[3]);

#endif

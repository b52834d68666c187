/* Connectionist temporal classification as a loss; see ops.h and kernels/ctc.h. */
#include <math.h>
#include <string.h>

#include "autodiff/op_help.h"
#include "base/threads.h"
#include "kernels/ctc.h"

enum { PIECES = 8 };

typedef struct ctc_batch {
  int64_t B, T, C, U;
  size_t blank;
  bool gradient; /* whether log_p is to become the gradient */
  bool zero_infinity;
  const marea_tensor *labels, *lengths, *mask;
  marea_real *log_p, *losses;
  int32_t *steps;    /* (B, T) */
  double *workspace; /* (PIECES, piece_doubles) */
} ctc_batch;

/* The gradient of each loss by the logits. */
typedef struct ctc_context {
  const marea_real *slopes;
  int64_t B, row;
} ctc_context;

static size_t piece_doubles(const ctc_batch *b) {
  return (size_t)((b->T + 2) * (2 * b->U + 1) + b->C);
}

static marea_status ctc_backward(marea_node *node) {
  const ctc_context *c = node->context;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  for (int64_t i = 0; i < c->B; i++)
    marea_pointwise_axpy(dx + i * c->row, dy[i], c->slopes + i * c->row, (size_t)c->row);
  return MAREA_OK;
}

/* ---- checks ---- */

static marea_status check_shapes(const marea_tensor *logits, const marea_tensor *labels,
                                 const marea_tensor *lengths, int64_t blank) {
  char one[MAREA_SHAPE_TEXT_BYTES], two[MAREA_SHAPE_TEXT_BYTES], three[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("ctc", logits, MAREA_REAL) != MAREA_OK ||
      op_expect("ctc", labels, MAREA_INT32) != MAREA_OK ||
      op_expect("ctc", lengths, MAREA_INT32) != MAREA_OK)
    return MAREA_TYPE;
  bool fits = logits->rank == 3 && labels->rank == 2 && lengths->rank == 1 &&
              labels->size[0] == logits->size[0] && lengths->size[0] == logits->size[0];
  if (!fits)
    return marea_fail(
        MAREA_SHAPE,
        "ctc: the logits are %s, labels %s, label lengths %s; expected (B, T, C), (B, "
        "U) and (B)",
        marea_shape_text(logits, one), marea_shape_text(labels, two),
        marea_shape_text(lengths, three));
  if (blank >= 0 && blank < logits->size[2]) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "ctc: the blank is %lld, allowed are 0 to %lld", (long long)blank,
                    (long long)logits->size[2] - 1);
}

static marea_status check_labels(const ctc_batch *b, int64_t sample) {
  int32_t length = marea_ints(b->lengths)[sample];
  if (length < 0 || length > b->U)
    return marea_fail(MAREA_RANGE, "ctc: sample %lld has label length %d, allowed are 0 to %lld",
                      (long long)sample + 1, (int)length, (long long)b->U);
  for (int64_t u = 0; u < length; u++) {
    int32_t label = marea_ints(b->labels)[sample * b->U + u];
    if (label >= 0 && label < b->C && (size_t)label != b->blank) continue;
    return marea_fail(
        MAREA_RANGE,
        "ctc: sample %lld, label %lld is %d, allowed are 0 to %lld without the blank %d",
        (long long)sample + 1, (long long)u + 1, (int)label, (long long)b->C - 1, (int)b->blank);
  }
  return MAREA_OK;
}

/* The visible steps of a sample go to the list; returns their number. */
static size_t list_steps(const ctc_batch *b, int64_t sample) {
  size_t n = 0;
  for (int64_t t = 0; t < b->T; t++)
    if (b->mask == NULL || marea_reals(b->mask)[sample * b->T + t] != 0)
      b->steps[sample * b->T + (int64_t)n++] = (int32_t)t;
  return n;
}

static marea_status check_samples(const ctc_batch *b) {
  for (int64_t i = 0; i < b->B; i++) {
    if (check_labels(b, i) != MAREA_OK) return MAREA_RANGE;
    size_t U = (size_t)marea_ints(b->lengths)[i], steps = list_steps(b, i);
    size_t needs = marea_ctc_needs(marea_ints(b->labels) + i * b->U, U);
    if (needs > steps && !b->zero_infinity)
      return marea_fail(
          MAREA_RANGE,
          "ctc: sample %lld has %zu labels, which need %zu steps, and %zu steps; give "
          "it more, or set zero_infinity to leave such samples out",
          (long long)i + 1, U, needs, steps);
  }
  return MAREA_OK;
}

/* ---- the loss ---- */

static void loss_of(const ctc_batch *b, int64_t i, double *work) {
  marea_real *log_p = b->log_p + i * b->T * b->C;
  const int32_t *labels = marea_ints(b->labels) + i * b->U;
  size_t U = (size_t)marea_ints(b->lengths)[i], n = list_steps(b, i);
  marea_ctc_rows ctc = {(size_t)b->C, b->blank, n, log_p, b->steps + i * b->T};
  double *alpha = work + b->C + 2 * (2 * b->U + 1);
  bool possible = marea_ctc_needs(labels, U) <= n;
  double loss = possible ? marea_ctc_forward(&ctc, labels, U, alpha) : 0;
  b->losses[i] = b->zero_infinity && isinf(loss) ? 0 : (marea_real)loss;
  if (!b->gradient) return;
  if (possible && isfinite(loss)) {
    marea_ctc_backward(&ctc, labels, U, alpha, loss, log_p, work);
  } else {
    n = 0;
  }
  /* Hidden steps, and every step of a sample that does not count, have no slope. */
  for (int64_t t = 0, seen = 0; t < b->T; t++) {
    if (seen < (int64_t)n && b->steps[i * b->T + seen] == t)
      seen++;
    else
      memset(log_p + t * b->C, 0, (size_t)b->C * sizeof *log_p);
  }
}

static void loss_piece(void *context, size_t piece) {
  const ctc_batch *b = context;
  int64_t first = b->B * (int64_t)piece / PIECES, last = b->B * (int64_t)(piece + 1) / PIECES;
  for (int64_t i = first; i < last; i++) loss_of(b, i, b->workspace + piece * piece_doubles(b));
}

/* The losses, and in log_p the slopes. */
static marea_tensor *compute(ctc_batch *b, const marea_tensor *logits) {
  b->steps = marea_alloc_array((size_t)(b->B * b->T), sizeof *b->steps);
  b->workspace = marea_alloc_array(piece_doubles(b), PIECES * sizeof(double));
  marea_tensor *y = NULL;
  if (b->steps != NULL && b->workspace != NULL && check_samples(b) == MAREA_OK)
    y = marea_result(MAREA_REAL, 1, &b->B);
  if (y != NULL) {
    b->losses = marea_reals(y);
    marea_tensor_gather(logits, b->log_p);
    if (b->B * b->T > 0)
      marea_log_softmax_rows(b->log_p, b->log_p, (size_t)(b->B * b->T), (size_t)b->C);
    marea_parallel(PIECES, loss_piece, b);
  }
  marea_free(b->steps);
  marea_free(b->workspace);
  return y;
}

marea_tensor *marea_ctc_loss(marea_tensor *logits, marea_tensor *labels, marea_tensor *lengths,
                             marea_tensor *mask, int64_t blank, bool zero_infinity) {
  if (logits == NULL || labels == NULL || lengths == NULL ||
      check_shapes(logits, labels, lengths, blank) != MAREA_OK ||
      op_check_mask("ctc", mask, logits->size[0], logits->size[1]) != MAREA_OK)
    return NULL;
  ctc_batch b = {.B = logits->size[0],
                 .T = logits->size[1],
                 .C = logits->size[2],
                 .U = labels->size[1],

                 .blank = (size_t)blank,
                 .zero_infinity = zero_infinity};
  bool record = b.gradient = marea_recording(&logits, 1);
  marea_tensor *plain[] = {marea_compact(labels), marea_compact(lengths), marea_compact(mask)};
  size_t bytes = (size_t)(b.B * b.T * b.C) * sizeof *b.log_p;
  b.log_p = record ? marea_tape_alloc(bytes) : marea_alloc(bytes);
  b.labels = plain[0], b.lengths = plain[1], b.mask = plain[2];
  marea_tensor *y = NULL;
  if (b.log_p != NULL && plain[0] != NULL && plain[1] != NULL && (plain[2] != NULL || mask == NULL))
    y = compute(&b, logits);
  marea_node *node = NULL;
  if (record) y = op_record("ctc_loss", &logits, 1, y, ctc_backward, sizeof(ctc_context), &node);
  if (node != NULL) *(ctc_context *)node->context = (ctc_context){b.log_p, b.B, b.T * b.C};
  if (!record) marea_free(b.log_p);
  for (int i = 0; i < 3; i++) marea_tensor_free(plain[i]);
  return y;
}

/* The conditional random field as a loss, and its decoding; see ops.h. */
#include <math.h>
#include <string.h>

#include "autodiff/op_help.h"
#include "base/threads.h"
#include "kernels/crf.h"

enum { PIECES = 8 };

/* The batch: for each sample the visible steps, its alphas and ln Z. */
typedef struct crf_batch {
  marea_crf crf;
  int64_t B, T, K;
  marea_tensor *emissions, *tags; /* contiguous and kept; tags may be NULL */
  int32_t *steps;                 /* (B, T) */
  int64_t *counts;                /* (B) */
  double *alpha, *log_z;          /* (B, T, K), (B) */
  int32_t *back;                  /* (PIECES, T, K) for the best path */
  double *workspace;              /* (PIECES, piece_doubles) */
  marea_real *result;
  int32_t *best;
  const marea_real *dy;
} crf_batch;

static size_t piece_doubles(const crf_batch *b) {
  return (size_t)(b->K * (b->K + 2 + 4));
}

static int64_t sample_limit(const crf_batch *b, size_t piece) {
  return b->B * (int64_t)piece / PIECES;
}

static marea_crf_chain chain_of(const crf_batch *b, int64_t sample) {
  return (marea_crf_chain){marea_reals(b->emissions) + sample * b->T * b->K,
                           b->steps + sample * b->T, (size_t)b->counts[sample]};
}

static const int32_t *tags_of(const crf_batch *b, int64_t sample) {
  return marea_ints(b->tags) + sample * b->T;
}

/* ---- checks ---- */

static marea_status check_weights(const marea_tensor *emissions, const marea_tensor *start,
                                  const marea_tensor *end, const marea_tensor *transitions) {
  char text[MAREA_SHAPE_TEXT_BYTES], wrong[MAREA_SHAPE_TEXT_BYTES];
  if (emissions->rank != 3 || emissions->size[2] < 1)
    return marea_fail(MAREA_SHAPE, "crf: the emissions are %s, expected (B, T, K)",
                      marea_shape_text(emissions, text));
  const marea_tensor *given[] = {start, end, transitions};
  static const char *const names[] = {"start is", "end is", "transitions are"};
  for (int i = 0; i < 3; i++) {
    bool fits = given[i]->rank == (i < 2 ? 1 : 2);
    for (int axis = 0; axis < given[i]->rank && fits; axis++)
      fits = given[i]->size[axis] == emissions->size[2];
    if (!fits)
      return marea_fail(MAREA_SHAPE,
                        "crf: the emissions are %s, %s %s; expected (B, T, K), (K), "
                        "(K) and (K, K)",
                        marea_shape_text(emissions, text), names[i],
                        marea_shape_text(given[i], wrong));
  }
  return MAREA_OK;
}

static marea_status check_crf(const marea_crf_operands *in) {
  const marea_tensor *reals[] = {in->emissions, in->start, in->end, in->transitions};
  for (int i = 0; i < 4; i++)
    if (op_expect("crf", reals[i], MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
  if (check_weights(in->emissions, in->start, in->end, in->transitions) != MAREA_OK)
    return MAREA_SHAPE;
  return op_check_mask("crf", in->mask, in->emissions->size[0], in->emissions->size[1]);
}

static marea_status check_tags(const crf_batch *b) {
  for (int64_t sample = 0; sample < b->B; sample++)
    for (int64_t i = 0; i < b->counts[sample]; i++) {
      int32_t step = b->steps[sample * b->T + i], tag = tags_of(b, sample)[step];
      if (tag < 0 || tag >= b->K)
        return marea_fail(MAREA_RANGE,
                          "crf: sample %lld, step %d has tag %d, allowed are 0 to %lld",
                          (long long)sample + 1, (int)step + 1, (int)tag, (long long)b->K - 1);
    }
  return MAREA_OK;
}

static marea_status expect_tags(const marea_tensor *emissions, const marea_tensor *tags) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("crf", tags, MAREA_INT32) != MAREA_OK) return MAREA_TYPE;
  if (tags->rank == 2 && tags->size[0] == emissions->size[0] && tags->size[1] == emissions->size[1])
    return MAREA_OK;
  return marea_fail(MAREA_SHAPE,
                    "crf: the emissions are %s, the tags %s; expected (B, T, K), (B, T)",
                    marea_shape_text(emissions, left), marea_shape_text(tags, right));
}

/* ---- preparation ---- */

/* Memory that lives until backward, or (without a record) in `own` until the operation ends. */
typedef struct crf_memory {
  bool record;
  void *own[8];
  int count;
  marea_tensor *plain[6]; /* emissions, tags, mask, start, end, transitions */
} crf_memory;

static void *take(crf_memory *m, int64_t items, size_t size) {
  size_t bytes = (size_t)items * size;
  if (m->record) return marea_tape_alloc(bytes);
  return m->own[m->count++] = marea_alloc(bytes);
}

static void let_go(crf_memory *m) {
  for (int i = 0; i < m->count; i++) marea_free(m->own[i]);
  for (int i = 0; i < 6; i++) marea_tensor_free(m->plain[i]);
}

static void list_steps(crf_batch *b, const marea_tensor *mask) {
  for (int64_t sample = 0; sample < b->B; sample++) {
    int64_t n = 0;
    for (int64_t t = 0; t < b->T; t++)
      if (mask == NULL || marea_reals(mask)[sample * b->T + t] != 0)
        b->steps[sample * b->T + n++] = (int32_t)t;
    b->counts[sample] = n;
  }
}

/* Contiguous operands, the lists of steps and the weights; `m` is to be let go in any case. */
static marea_status begin(crf_batch *b, const marea_crf_operands *in, crf_memory *m) {
  marea_tensor *given[] = {in->emissions, in->tags, in->mask, in->start, in->end, in->transitions};
  for (int i = 0; i < 6; i++) {
    m->plain[i] = marea_compact(given[i]);
    if (m->plain[i] == NULL && given[i] != NULL) return MAREA_NOMEM;
  }
  *b = (crf_batch){.B = in->emissions->size[0],
                   .T = in->emissions->size[1],
                   .K = in->emissions->size[2],
                   .emissions = m->plain[0],
                   .tags = m->plain[1]};
  b->crf = (marea_crf){.K = (size_t)b->K,
                       .start = marea_reals(m->plain[3]),
                       .end = marea_reals(m->plain[4]),
                       .transitions = marea_reals(m->plain[5])};
  b->steps = take(m, b->B * b->T, sizeof *b->steps);
  b->counts = take(m, b->B, sizeof *b->counts);
  b->alpha = take(m, b->B * b->T * b->K, sizeof *b->alpha);
  b->log_z = take(m, b->B, sizeof *b->log_z);
  b->crf.weights = take(m, b->K * b->K, sizeof(double));
  if (b->steps == NULL || b->counts == NULL || b->alpha == NULL || b->log_z == NULL ||
      b->crf.weights == NULL)
    return MAREA_NOMEM;
  list_steps(b, m->plain[2]);
  marea_crf_prepare(&b->crf);
  return b->tags != NULL ? check_tags(b) : MAREA_OK;
}

static marea_status run_pieces(crf_batch *b, marea_loop_body *body) {
  b->workspace = marea_alloc_array(piece_doubles(b), PIECES * sizeof(double));
  if (b->workspace == NULL) return MAREA_NOMEM;
  marea_parallel(PIECES, body, b);
  return MAREA_OK;
}

static double *alpha_of(const crf_batch *b, int64_t sample) {
  return b->alpha + sample * b->T * b->K;
}

/* ---- the loss ---- */

static void loss_piece(void *context, size_t piece) {
  const crf_batch *b = context;
  double *work = b->workspace + piece * piece_doubles(b);
  for (int64_t i = sample_limit(b, piece); i < sample_limit(b, piece + 1); i++) {
    marea_crf_chain chain = chain_of(b, i);
    b->result[i] = 0;
    if (chain.n == 0) continue;
    b->log_z[i] = marea_crf_forward(&b->crf, &chain, alpha_of(b, i), work);
    b->result[i] = (marea_real)(b->log_z[i] - marea_crf_score(&b->crf, &chain, tags_of(b, i)));
  }
}

static void gradient_piece(void *context, size_t piece) {
  const crf_batch *b = context;
  double *sums = b->workspace + piece * piece_doubles(b), *work = sums + b->K * (b->K + 2);
  memset(sums, 0, (size_t)(b->K * (b->K + 2)) * sizeof *sums);
  for (int64_t i = sample_limit(b, piece); i < sample_limit(b, piece + 1); i++) {
    marea_crf_chain chain = chain_of(b, i);
    if (chain.n == 0 || b->dy[i] == 0) continue;
    marea_real *at_steps = b->result != NULL ? b->result + i * b->T * b->K : NULL;
    marea_crf_posteriors(&b->crf, &chain, alpha_of(b, i), b->log_z[i], (double)b->dy[i], at_steps,
                         sums, work);
    marea_crf_path(&b->crf, &chain, tags_of(b, i), (double)b->dy[i], at_steps, sums);
  }
}

/* Adds the pieces' sums for one weight, in the order of the pieces. */
static void add_sums(const crf_batch *b, marea_real *d, int64_t offset, int64_t count) {
  for (size_t piece = 0; piece < PIECES; piece++) {
    const double *sums = b->workspace + piece * piece_doubles(b) + offset;
    for (int64_t i = 0; i < count; i++) d[i] += (marea_real)sums[i];
  }
}

static marea_status loss_backward(marea_node *node) {
  crf_batch b = *(const crf_batch *)node->context;
  marea_real *d[4] = {NULL, NULL, NULL, NULL}; /* emissions, start, end, transitions */
  for (int i = 0; i < 4; i++) {
    if (!marea_wants_gradient(node->inputs[i])) continue;
    d[i] = marea_gradient_sum(node->inputs[i]);
    if (d[i] == NULL) return MAREA_NOMEM;
  }
  b.dy = marea_gradient_of(node->outputs[0]);
  b.result = d[0];
  marea_status status = run_pieces(&b, gradient_piece);
  for (int i = 1; i < 4 && status == MAREA_OK; i++)
    if (d[i] != NULL) add_sums(&b, d[i], (i - 1) * b.K, i < 3 ? b.K : b.K * b.K);
  marea_free(b.workspace);
  return status;
}

static bool complete(const marea_crf_operands *in) {
  return in->emissions != NULL && in->start != NULL && in->end != NULL && in->transitions != NULL;
}

marea_tensor *marea_crf_loss(const marea_crf_operands *in) {
  if (!complete(in) || in->tags == NULL || check_crf(in) != MAREA_OK ||
      expect_tags(in->emissions, in->tags) != MAREA_OK)
    return NULL;
  crf_batch b;
  marea_tensor *inputs[] = {in->emissions, in->start, in->end, in->transitions, in->tags};
  crf_memory m = {.record = marea_recording(inputs, 4)};
  marea_tensor *y = NULL;
  if (begin(&b, in, &m) == MAREA_OK) y = marea_result(MAREA_REAL, 1, &b.B);
  if (y != NULL) {
    marea_node *node = NULL;
    b.result = marea_reals(y);
    if (run_pieces(&b, loss_piece) != MAREA_OK) marea_tensor_free(y), y = NULL;
    marea_free(b.workspace);
    if (m.record) y = op_record("crf_loss", inputs, 5, y, loss_backward, sizeof b, &node);
    if (node != NULL) *(crf_batch *)node->context = b;
  }
  let_go(&m);
  return y;
}

/* ---- marginals and the best path ---- */

static void marginal_piece(void *context, size_t piece) {
  const crf_batch *b = context;
  double *work = b->workspace + piece * piece_doubles(b);
  for (int64_t i = sample_limit(b, piece); i < sample_limit(b, piece + 1); i++) {
    marea_crf_chain chain = chain_of(b, i);
    if (chain.n == 0) continue;
    double log_z = marea_crf_forward(&b->crf, &chain, alpha_of(b, i), work);
    marea_crf_posteriors(&b->crf, &chain, alpha_of(b, i), log_z, 1, b->result + i * b->T * b->K,
                         NULL, work);
  }
}

static void best_piece(void *context, size_t piece) {
  const crf_batch *b = context;
  double *work = b->workspace + piece * piece_doubles(b);
  for (int64_t i = sample_limit(b, piece); i < sample_limit(b, piece + 1); i++) {
    marea_crf_chain chain = chain_of(b, i);
    if (chain.n > 0)
      marea_crf_viterbi(&b->crf, &chain, b->best + i * b->T, b->back + (int64_t)piece * b->T * b->K,
                        work);
  }
}

static marea_tensor *without_tags(const marea_crf_operands *given, bool best) {
  marea_crf_operands in = *given;
  in.tags = NULL;
  if (!complete(&in) || check_crf(&in) != MAREA_OK) return NULL;
  crf_batch b;
  crf_memory m = {.record = false};
  marea_tensor *y = NULL;
  if (begin(&b, &in, &m) == MAREA_OK) {
    b.back = best ? take(&m, PIECES * b.T * b.K, sizeof *b.back) : NULL;
    y = best && b.back == NULL ? NULL
                               : marea_result(best ? MAREA_INT32 : MAREA_REAL, best ? 2 : 3,
                                              (int64_t[]){b.B, b.T, b.K});
  }
  if (y != NULL) {
    memset(y->data, 0, (size_t)marea_tensor_count(y) * marea_dtype_bytes(y->dtype));
    if (best)
      b.best = marea_ints(y);
    else
      b.result = marea_reals(y);
    if (run_pieces(&b, best ? best_piece : marginal_piece) != MAREA_OK)
      marea_tensor_free(y), y = NULL;
    marea_free(b.workspace);
  }
  let_go(&m);
  return y;
}

marea_tensor *marea_crf_marginals(const marea_crf_operands *in) {
  return without_tags(in, false);
}

marea_tensor *marea_crf_decode(const marea_crf_operands *in) {
  return without_tags(in, true);
}

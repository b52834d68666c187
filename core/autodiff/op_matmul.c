/* Matrix products. */
#include <string.h>

#include "autodiff/op_help.h"
#include "kernels/gemm.h"

/* `count` products (M, K) x (K, N); b's step is 0 when one b serves all. The operands are kept,
 * contiguous. */
typedef struct product_context {
  marea_tensor *a, *b;
  size_t count, M, K, N, step_b;
} product_context;

static marea_status product_backward(marea_node *node) {
  const product_context *p = node->context;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_tensor *a = node->inputs[0], *b = node->inputs[1];
  bool first = false;
  if (marea_wants_gradient(a)) {
    marea_real *da = marea_gradient_target(a, &first);
    if (da == NULL) return MAREA_NOMEM;
    marea_gemm_batched(p->count, false, true, p->M, p->K, p->N, 1, dy, p->N, p->M * p->N,
                       marea_reals(p->b), p->N, p->step_b, first ? 0 : 1, da, p->K, p->M * p->K);
  }
  if (marea_wants_gradient(b)) {
    marea_real *db = marea_gradient_target(b, &first);
    if (db == NULL) return MAREA_NOMEM;
    marea_gemm_batched(p->count, true, false, p->K, p->N, p->M, 1, marea_reals(p->a), p->K,
                       p->M * p->K, dy, p->N, p->M * p->N, first ? 0 : 1, db, p->N, p->K * p->N);
  }
  marea_tensor *bias = node->input_count > 2 ? node->inputs[2] : NULL;
  if (marea_wants_gradient(bias)) {
    marea_real *d_bias = marea_gradient_sum(bias);
    if (d_bias == NULL) return MAREA_NOMEM;
    marea_sum_rows(d_bias, dy, p->count * p->M, p->N);
  }
  return MAREA_OK;
}

static marea_status misfit(const char *op, const marea_tensor *a, const marea_tensor *b) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  return marea_fail(MAREA_SHAPE, "%s: a is %s, b is %s; a's columns must equal b's rows", op,
                    marea_shape_text(a, left), marea_shape_text(b, right));
}

static marea_status plan_product(const char *op, const marea_tensor *a, const marea_tensor *b,
                                 product_context *p) {
  if (op_expect(op, a, MAREA_REAL) != MAREA_OK || op_expect(op, b, MAREA_REAL) != MAREA_OK)
    return MAREA_TYPE;
  if (a->rank < 1 || b->rank < 2 || a->size[a->rank - 1] != b->size[b->rank - 2])
    return misfit(op, a, b);
  p->K = (size_t)a->size[a->rank - 1];
  p->N = (size_t)b->size[b->rank - 1];
  p->M = a->rank > 1 ? (size_t)a->size[a->rank - 2] : 1;
  p->count = 1;
  p->step_b = p->K * p->N;
  for (int i = 0; i + 2 < a->rank; i++) p->count *= (size_t)a->size[i];
  if (b->rank == 2) { /* one b for all rows */
    p->M *= p->count;
    p->count = 1;
    return MAREA_OK;
  }
  bool fits = a->rank == b->rank;
  for (int i = 0; i + 2 < b->rank && fits; i++) fits = a->size[i] == b->size[i];
  return fits ? MAREA_OK : misfit(op, a, b);
}

static marea_tensor *multiply(const product_context *p, const marea_tensor *a,
                              const marea_tensor *bias) {
  int64_t size[MAREA_MAX_RANK];
  memcpy(size, a->size, sizeof size);
  size[a->rank - 1] = (int64_t)p->N;
  marea_tensor *y = marea_result(MAREA_REAL, a->rank, size);
  if (y == NULL) return NULL;
  for (size_t i = 0; i < p->M && bias != NULL; i++)
    for (size_t j = 0; j < p->N; j++)
      marea_reals(y)[i * p->N + j] = marea_reals(bias)[(int64_t)j * bias->stride[0]];
  marea_gemm_batched(p->count, false, false, p->M, p->N, p->K, 1, marea_reals(p->a), p->K,
                     p->M * p->K, marea_reals(p->b), p->N, p->step_b, bias != NULL, marea_reals(y),
                     p->N, p->M * p->N);
  return y;
}

static marea_tensor *run(const char *op, marea_tensor *a, marea_tensor *b, marea_tensor *bias) {
  product_context p;
  if (a == NULL || b == NULL || plan_product(op, a, b, &p) != MAREA_OK) return NULL;
  marea_tensor *y = NULL, *inputs[] = {a, b, bias};
  p.a = marea_compact(a);
  p.b = marea_compact(b);
  if (p.a != NULL && p.b != NULL) {
    marea_node *node;
    y = multiply(&p, a, bias);
    y = op_record(op, inputs, bias != NULL ? 3 : 2, y, product_backward, sizeof p, &node);
    if (node != NULL) *(product_context *)node->context = p;
  }
  marea_tensor_free(p.a);
  marea_tensor_free(p.b);
  return y;
}

marea_tensor *marea_matmul(marea_tensor *a, marea_tensor *b) {
  return run("matmul", a, b, NULL);
}

marea_tensor *marea_affine(marea_tensor *x, marea_tensor *kernel, marea_tensor *bias) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (x == NULL || kernel == NULL) return NULL;
  if (kernel->rank != 2 ||
      (bias != NULL && (bias->rank != 1 || bias->size[0] != kernel->size[1]))) {
    marea_fail(MAREA_SHAPE, "affine: kernel is %s, bias is %s; expected (D, U) and (U)",
               marea_shape_text(kernel, left),
               bias != NULL ? marea_shape_text(bias, right) : "absent");
    return NULL;
  }
  return run("affine", x, kernel, bias);
}

/* A sparse matrix times a dense one. */
#include "base/csr.h"
#include "autodiff/op_help.h"
#include "kernels/sparse.h"

/* The matrix, held until the tape closes. */
typedef struct sparse_context {
  marea_csr *a;
} sparse_context;

static void release(void *context) {
  marea_csr_free(((sparse_context *)context)->a);
}

/* Row-sparse gradients pay off while few rows are touched; above this share an optimizer walks a
 * dense one faster. */
enum { DENSE_SHARE = 8 };

static marea_status add_rows(marea_tensor *w, const int32_t *touched, int64_t n,
                             const marea_real *rows) {
  if (n < w->size[0] / DENSE_SHARE) return marea_gradient_add_rows(w, touched, n, rows);
  marea_real *dw = marea_gradient_sum(w);
  if (dw == NULL) return MAREA_NOMEM;
  int64_t U = w->size[1];
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < U; j++) dw[touched[i] * U + j] += rows[i * U + j];
  return MAREA_OK;
}

/* Rows of dW that the batch touches: the transpose of `a` without its empty rows, times dY. */
static marea_status add_kernel_gradient(const marea_csr *a, marea_tensor *w, const marea_real *dy) {
  int32_t *touched;
  marea_csr *t = marea_csr_transpose(a, &touched);
  if (t == NULL) return MAREA_NOMEM;
  size_t U = (size_t)w->size[1];
  marea_real *rows = marea_alloc_array((size_t)t->rows * U, sizeof *rows);
  marea_status status = MAREA_NOMEM;
  if (rows != NULL) {
    marea_sparse_product(t, dy, U, NULL, rows);
    status = add_rows(w, touched, t->rows, rows);
  }
  marea_free(rows);
  marea_free(touched);
  marea_csr_free(t);
  return status;
}

static marea_status sparse_backward(marea_node *node) {
  const marea_csr *a = ((sparse_context *)node->context)->a;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_tensor *w = node->inputs[0], *bias = node->inputs[1];
  if (marea_wants_gradient(bias)) {
    marea_real *d_bias = marea_gradient_sum(bias);
    if (d_bias == NULL) return MAREA_NOMEM;
    marea_sum_rows(d_bias, dy, (size_t)a->rows, (size_t)w->size[1]);
  }
  return marea_wants_gradient(w) ? add_kernel_gradient(a, w, dy) : MAREA_OK;
}

static marea_status check_factors(const marea_csr *a, const marea_tensor *w,
                                  const marea_tensor *bias) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("sparse_matmul", w, MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
  if (w->rank != 2 || w->size[0] != a->columns)
    return marea_fail(
        MAREA_SHAPE, "sparse_matmul: a is %s, b is %s; a's columns must equal b's rows",
        marea_sizes_text(2, (int64_t[]){a->rows, a->columns}, left), marea_shape_text(w, right));
  if (bias == NULL) return MAREA_OK;
  if (op_expect("sparse_matmul", bias, MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
  if (bias->rank == 1 && bias->size[0] == w->size[1]) return MAREA_OK;
  return marea_fail(MAREA_SHAPE, "sparse_matmul: b is %s, bias is %s; expected (V, U) and (U)",
                    marea_shape_text(w, left), marea_shape_text(bias, right));
}

marea_tensor *marea_sparse_matmul(marea_csr *a, marea_tensor *w, marea_tensor *bias) {
  if (a == NULL || w == NULL || check_factors(a, w, bias) != MAREA_OK) return NULL;
  marea_tensor *kernel = marea_compact(w), *plain = marea_compact(bias), *y = NULL;
  if (kernel != NULL && (bias == NULL || plain != NULL))
    y = marea_result(MAREA_REAL, 2, (int64_t[]){a->rows, w->size[1]});
  if (y != NULL) {
    marea_node *node;
    marea_tensor *inputs[] = {w, bias};
    marea_sparse_product(a, marea_reals(kernel), (size_t)w->size[1],
                         plain != NULL ? marea_reals(plain) : NULL, marea_reals(y));
    y = op_record("sparse_matmul", inputs, 2, y, sparse_backward, sizeof(sparse_context), &node);
    if (node != NULL) {
      ((sparse_context *)node->context)->a = marea_csr_retain(a);
      node->destroy = release;
    }
  }
  marea_tensor_free(kernel);
  marea_tensor_free(plain);
  return y;
}

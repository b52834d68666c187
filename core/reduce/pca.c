#include "reduce/pca.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"
#include "kernels/gemm.h"
#include "kernels/pointwise.h"
#include "reduce/pca_internal.h"
#include "reduce/rows.h"

enum { EXACT_MOST = 1000, TRANSFORM_ROWS = 1024 };

void marea_pca_free(marea_pca *pca) {
  if (pca == NULL) return;
  marea_free(pca->mean);
  marea_free(pca->components);
  marea_free(pca->variance);
  marea_free(pca->singular);
  marea_free(pca);
}

static marea_pca *new_pca(size_t d, size_t count) {
  marea_pca *pca = marea_alloc_zero(1, sizeof *pca);
  if (pca == NULL) return NULL;
  pca->columns = d;
  pca->count = count;
  pca->mean = marea_alloc_array(d, sizeof *pca->mean);
  pca->components = marea_alloc_array(count, d * sizeof *pca->components);
  pca->variance = marea_alloc_array(count, sizeof *pca->variance);
  pca->singular = marea_alloc_array(count, sizeof *pca->singular);
  if (pca->mean != NULL && pca->components != NULL && pca->variance != NULL &&
      pca->singular != NULL)
    return pca;
  marea_pca_free(pca);
  return NULL;
}

static marea_pca_method choose(marea_pca_method wished, size_t n, size_t d, size_t count) {
  size_t most = n < d ? n : d;
  if (wished != MAREA_PCA_AUTO) return wished;
  return most <= EXACT_MOST || count > most / 5 ? MAREA_PCA_EXACT : MAREA_PCA_RANDOMISED;
}

/* A component and its opposite are equally right; the largest element decides. */
static void fix_signs(marea_pca *pca) {
  for (size_t i = 0; i < pca->count; i++) {
    marea_real *row = pca->components + i * pca->columns, largest = 0;
    for (size_t j = 0; j < pca->columns; j++)
      if ((row[j] < 0 ? -row[j] : row[j]) > (largest < 0 ? -largest : largest)) largest = row[j];
    for (size_t j = 0; largest < 0 && j < pca->columns; j++) row[j] = -row[j];
  }
}

static marea_status fit(marea_pca *pca, const marea_real *x, size_t n, uint64_t seed) {
  size_t d = pca->columns;
  marea_real *centred = marea_alloc_array(n, d * sizeof *centred);
  marea_status status = centred == NULL ? MAREA_NOMEM : marea_rows_mean(x, n, d, pca->mean);
  if (status == MAREA_OK) {
    marea_rows_centre(centred, x, n, d, pca->mean);
    pca->total_variance = marea_sum_squares(centred, n * d) / (double)(n - 1);
    if (!isfinite(pca->total_variance))
      status = marea_fail(MAREA_NONFINITE, "pca: the variance overflows; scale the columns down");
  }
  if (status == MAREA_OK)
    status = pca->method == MAREA_PCA_EXACT ? marea_pca_exact(pca, centred, n)
                                            : marea_pca_randomised(pca, centred, n, seed);
  marea_free(centred);
  for (size_t i = 0; status == MAREA_OK && i < pca->count; i++)
    pca->variance[i] = pca->singular[i] * pca->singular[i] / (double)(n - 1);
  if (status == MAREA_OK) fix_signs(pca);
  return status;
}

marea_pca *marea_pca_fit(const marea_real *x, size_t n, size_t d, size_t count,
                         marea_pca_method method, uint64_t seed) {
  size_t most = n < d ? n : d;
  if (n < 2) {
    marea_fail(MAREA_RANGE, "pca: %zu row%s, at least 2 are needed", n, n == 1 ? "" : "s");
    return NULL;
  }
  if (count < 1 || count > most) {
    marea_fail(MAREA_RANGE,
               "pca: %zu components of %zu rows and %zu columns, possible are 1 to %zu", count, n,
               d, most);
    return NULL;
  }
  if (marea_rows_check("pca", x, n, d) != MAREA_OK) return NULL;
  marea_pca *pca = new_pca(d, count);
  if (pca == NULL) return NULL;
  pca->method = choose(method, n, d, count);
  if (fit(pca, x, n, seed) == MAREA_OK) return pca;
  marea_pca_free(pca);
  return NULL;
}

marea_status marea_pca_transform(const marea_pca *pca, const marea_real *x, size_t n,
                                 marea_real *scores) {
  size_t d = pca->columns, rows = n < TRANSFORM_ROWS ? n : TRANSFORM_ROWS;
  marea_real *centred = marea_alloc_array(rows, d * sizeof *centred);
  if (centred == NULL) return MAREA_NOMEM;
  for (size_t at = 0; at < n; at += rows) {
    size_t now = n - at < rows ? n - at : rows;
    marea_rows_centre(centred, x + at * d, now, d, pca->mean);
    marea_gemm(false, true, now, pca->count, d, 1, centred, d, pca->components, d, 0,
               scores + at * pca->count, pca->count);
  }
  marea_free(centred);
  return MAREA_OK;
}

void marea_pca_inverse(const marea_pca *pca, const marea_real *scores, size_t n, marea_real *x) {
  size_t d = pca->columns;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++) x[i * d + j] = pca->mean[j];
  marea_gemm(false, false, n, d, pca->count, 1, scores, pca->count, pca->components, d, 1, x, d);
}

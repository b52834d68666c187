#include "kernels/eigen.h"

#include <cblas.h>
#include <stdint.h>

#include "base/memory.h"

/* LAPACK's own name and types (Fortran), as OpenBLAS has it: there is no header for it without
 * LAPACKE, which Debian ships apart. The last three sizes are those of the three texts. */
void dsyevr_(const char *jobz, const char *range, const char *uplo, const blasint *n, double *a,
             const blasint *lda, const double *vl, const double *vu, const blasint *il,
             const blasint *iu, const double *abstol, blasint *m, double *w, double *z,
             const blasint *ldz, blasint *isuppz, double *work, const blasint *lwork,
             blasint *iwork, const blasint *liwork, blasint *info, size_t, size_t, size_t);

enum { WORK_PER_COLUMN = 40, INTEGERS_PER_COLUMN = 12 };

static blasint solve(double *a, size_t n, size_t count, double *w, double *z, double *work,
                     blasint *integers) {
  blasint size = (blasint)n, low = (blasint)(n - count + 1), found = 0, info = 0;
  blasint work_size = (blasint)(WORK_PER_COLUMN * n), integer_size = (blasint)(10 * n);
  double zero = 0;
  /* Row-major and Fortran's order are the same for a symmetric matrix, but for the triangle. */
  dsyevr_("V", "I", "U", &size, a, &size, &zero, &zero, &low, &size, &zero, &found, w, z, &size,
          integers + 10 * n, work, &work_size, integers, &integer_size, &info, 1, 1, 1);
  return info != 0 ? info : found == (blasint)count ? 0 : 1;
}

marea_status marea_eigen_symmetric(double *a, size_t n, size_t count, double *values,
                                   double *vectors) {
  if (n > INT32_MAX / WORK_PER_COLUMN)
    return marea_fail(MAREA_RANGE, "eigenvectors: a matrix of %zu columns is too large", n);
  openblas_set_num_threads(1);
  double *work = marea_alloc_array(n, WORK_PER_COLUMN * sizeof *work);
  double *w = marea_alloc_array(n, sizeof *w);
  double *z = marea_alloc_array(count, n * sizeof *z);
  blasint *integers = marea_alloc_array(n, INTEGERS_PER_COLUMN * sizeof *integers);
  marea_status status = MAREA_NOMEM;
  if (work != NULL && w != NULL && z != NULL && integers != NULL) {
    blasint info = solve(a, n, count, w, z, work, integers);
    status = info == 0
                 ? MAREA_OK
                 : marea_fail(MAREA_STATE, "eigenvectors: LAPACK gave up (code %d)", (int)info);
  }
  for (size_t i = 0; status == MAREA_OK && i < count; i++) {
    values[i] = w[count - 1 - i];
    for (size_t j = 0; j < n; j++) vectors[i * n + j] = z[(count - 1 - i) * n + j];
  }
  marea_free(work);
  marea_free(w);
  marea_free(z);
  marea_free(integers);
  return status;
}

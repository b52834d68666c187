#include "train/orthogonal.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"

enum { LANES = 8, COLUMNS_A_PIECE = 16, PARALLEL_FROM = 65536 };

/* A fixed order of addition that vectorises. */
static double dot(const double *restrict a, const double *restrict b, size_t n) {
  double lanes[LANES] = {0}, sum = 0;
  size_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (size_t lane = 0; lane < LANES; lane++) lanes[lane] += a[i + lane] * b[i + lane];
  for (; i < n; i++) sum += a[i] * b[i];
  for (size_t lane = 0; lane < LANES; lane++) sum += lanes[lane];
  return sum;
}

/* The reflection 1 - beta v v', applied to columns; v has `n` numbers. */
typedef struct reflection {
  const double *v;
  double beta;
  size_t n;
  double *target; /* where each column's last n numbers begin, for the first column */
  size_t stride, columns;
} reflection;

static void reflect_columns(void *context, size_t piece) {
  const reflection *r = context;
  size_t end = (piece + 1) * COLUMNS_A_PIECE;
  for (size_t j = piece * COLUMNS_A_PIECE; j < end && j < r->columns; j++) {
    double *restrict x = r->target + j * r->stride;
    const double *restrict v = r->v;
    double factor = r->beta * dot(v, x, r->n);
    for (size_t i = 0; i < r->n; i++) x[i] -= factor * v[i];
  }
}

static void reflect(reflection *r) {
  size_t pieces = marea_pieces(r->columns, COLUMNS_A_PIECE);
  if (r->n * r->columns >= PARALLEL_FROM) {
    marea_parallel(pieces, reflect_columns, r);
  } else {
    for (size_t piece = 0; piece < pieces; piece++) reflect_columns(r, piece);
  }
}

/* Turns x into the v of the reflection that maps x to -sign(x_0) |x| e_0 (the sign avoids
 * cancellation); returns beta = 2 / v'v, and in *diagonal what x_0 becomes. */
static double make_reflection(double *x, size_t n, double *diagonal) {
  double norm = sqrt(dot(x, x, n));
  *diagonal = x[0] > 0 ? -norm : norm;
  x[0] -= *diagonal;
  double square = dot(x, x, n);
  return square > 0 ? 2 / square : 0;
}

/* Columns k … count-1 of Q, built from the last reflection backwards; column k of `columns` holds
 * v_k from row k on. */
static void form_q(const double *columns, const double *beta, const double *diagonal, double *q,
                   size_t length, size_t count) {
  memset(q, 0, length * count * sizeof *q);
  for (size_t k = count; k-- > 0;) {
    q[k * length + k] = 1;
    reflection r = {columns + k * length + k, beta[k], length - k,
                    q + k * length + k,       length,  count - k};
    reflect(&r);
  }
  for (size_t k = 0; k < count; k++)
    if (diagonal[k] < 0)
      for (size_t i = 0; i < length; i++) q[k * length + i] = -q[k * length + i];
}

marea_status marea_orthogonalise(double *columns, size_t length, size_t count) {
  double *q = marea_alloc_array(length * count, sizeof *q);
  double *beta = marea_alloc_array(2 * count, sizeof *beta);
  marea_status status = MAREA_NOMEM;
  if (q != NULL && beta != NULL) {
    double *diagonal = beta + count;
    for (size_t k = 0; k < count; k++) {
      double *v = columns + k * length + k;
      beta[k] = make_reflection(v, length - k, &diagonal[k]);
      reflection r = {v, beta[k], length - k, v + length, length, count - k - 1};
      reflect(&r);
    }
    form_q(columns, beta, diagonal, q, length, count);
    memcpy(columns, q, length * count * sizeof *q);
    status = MAREA_OK;
  }
  marea_free(q);
  marea_free(beta);
  return status;
}

#include "reduce/rows.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"

enum { ROWS = 256 }; /* of a piece */

typedef struct rows {
  const marea_real *x, *mean;
  marea_real *to;
  double *sums;
  size_t n, d;
} rows;

static size_t last_row(const rows *r, size_t piece) {
  return (piece + 1) * ROWS < r->n ? (piece + 1) * ROWS : r->n;
}

marea_status marea_rows_check(const char *who, const marea_real *x, size_t n, size_t d) {
  for (size_t i = 0; i < n * d; i++)
    if (!isfinite(x[i]))
      return marea_fail(MAREA_NONFINITE, "%s: element (%zu, %zu) is %s, expected a finite number",
                        who, i / d + 1, i % d + 1, isnan(x[i]) ? "NaN" : "infinite");
  return MAREA_OK;
}

static void sum_piece(void *context, size_t piece) {
  const rows *r = context;
  double *sum = r->sums + piece * r->d;
  memset(sum, 0, r->d * sizeof *sum);
  for (size_t i = piece * ROWS; i < last_row(r, piece); i++)
    for (size_t j = 0; j < r->d; j++) sum[j] += (double)r->x[i * r->d + j];
}

marea_status marea_rows_mean(const marea_real *x, size_t n, size_t d, marea_real *mean) {
  size_t pieces = marea_pieces(n, ROWS);
  double *sums = marea_alloc_array(pieces, d * sizeof *sums);
  if (sums == NULL) return MAREA_NOMEM;
  rows r = {x, NULL, NULL, sums, n, d};
  marea_parallel(pieces, sum_piece, &r);
  for (size_t piece = 1; piece < pieces; piece++)
    for (size_t j = 0; j < d; j++) sums[j] += sums[piece * d + j];
  for (size_t j = 0; j < d; j++) mean[j] = (marea_real)(sums[j] / (double)n);
  marea_free(sums);
  return MAREA_OK;
}

static void centre_piece(void *context, size_t piece) {
  const rows *r = context;
  for (size_t i = piece * ROWS; i < last_row(r, piece); i++)
    for (size_t j = 0; j < r->d; j++) r->to[i * r->d + j] = r->x[i * r->d + j] - r->mean[j];
}

void marea_rows_centre(marea_real *to, const marea_real *x, size_t n, size_t d,
                       const marea_real *mean) {
  rows r = {x, mean, to, NULL, n, d};
  marea_parallel(marea_pieces(n, ROWS), centre_piece, &r);
}

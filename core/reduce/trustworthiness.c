#include <stdatomic.h>

#include "base/memory.h"
#include "base/threads.h"
#include "reduce/neighbours.h"

enum { ROWS = 32 };

typedef struct ranks {
  const marea_real *x;
  size_t d, n, k;
  const int32_t *near; /* (n, k): neighbours in the map */
  double *penalties;   /* one a piece */
  atomic_bool failed;
} ranks;

static double squared(const marea_real *a, const marea_real *b, size_t d) {
  double sum = 0;
  for (size_t j = 0; j < d; j++) {
    double apart = (double)a[j] - (double)b[j];
    sum += apart * apart;
  }
  return sum;
}

/* The sum of max(0, rank - k) over point i's neighbours in the map. */
static double penalty(const ranks *r, size_t i, double *distance) {
  double sum = 0;
  for (size_t l = 0; l < r->n; l++) distance[l] = squared(r->x + i * r->d, r->x + l * r->d, r->d);
  for (size_t m = 0; m < r->k; m++) {
    size_t j = (size_t)r->near[i * r->k + m], rank = 1;
    for (size_t l = 0; l < r->n; l++)
      rank += l != i && (distance[l] < distance[j] || (distance[l] == distance[j] && l < j));
    if (rank > r->k) sum += (double)(rank - r->k);
  }
  return sum;
}

static void rank_piece(void *context, size_t piece) {
  ranks *r = context;
  r->penalties[piece] = 0;
  double *distance = marea_alloc_array(r->n, sizeof *distance);
  if (distance == NULL) {
    atomic_store(&r->failed, true);
    return;
  }
  for (size_t i = piece * ROWS; i < r->n && i < (piece + 1) * ROWS; i++)
    r->penalties[piece] += penalty(r, i, distance);
  marea_free(distance);
}

static marea_status rank_all(ranks *r, double *result) {
  size_t pieces = marea_pieces(r->n, ROWS);
  r->penalties = marea_alloc_array(pieces, sizeof *r->penalties);
  if (r->penalties == NULL) return MAREA_NOMEM;
  marea_parallel(pieces, rank_piece, r);
  double sum = 0, n = (double)r->n, k = (double)r->k;
  for (size_t piece = 0; piece < pieces; piece++) sum += r->penalties[piece];
  marea_free(r->penalties);
  *result = 1 - sum * 2 / (n * k * (2 * n - 3 * k - 1));
  return atomic_load(&r->failed) ? marea_fail(MAREA_NOMEM, "trustworthiness: out of memory")
                                 : MAREA_OK;
}

marea_status marea_trustworthiness(const marea_real *x, size_t d, const marea_real *y, size_t e,
                                   size_t n, size_t k, double *result) {
  if (k < 1 || 2 * k >= n)
    return marea_fail(MAREA_RANGE,
                      "trustworthiness: %zu neighbours of %zu points; expected at least 1 and "
                      "fewer than half of the points",
                      k, n);
  int32_t *near = marea_alloc_array(n, k * sizeof *near);
  marea_real *apart = marea_alloc_array(n, k * sizeof *apart);
  marea_status status = MAREA_NOMEM;
  if (near != NULL && apart != NULL) status = marea_neighbours(y, n, y, n, e, k, true, near, apart);
  marea_free(apart);
  if (status == MAREA_OK) {
    ranks r = {.x = x, .d = d, .n = n, .k = k, .near = near};
    atomic_init(&r.failed, false);
    status = rank_all(&r, result);
  }
  marea_free(near);
  return status;
}

#include "reduce/affinity.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"

enum { ROWS = 64, HALVINGS = 200 };
static const double TOLERANCE = 1e-5;

typedef struct rows {
  const marea_real *squared;
  size_t n, k;
  double entropy; /* wanted */
  marea_real *p;
  double *beta;
} rows;

/* The entropy at beta; *sum of the weights. Distances count from the nearest, so that one weight is
 * 1 at any beta. */
static double entropy_at(const marea_real *squared, size_t k, double beta, double *sum) {
  double weights = 0, weighted = 0;
  for (size_t j = 0; j < k; j++) {
    double above = (double)squared[j] - (double)squared[0];
    double weight = exp(-beta * above);
    weights += weight;
    weighted += weight * above;
  }
  *sum = weights;
  return log(weights) + beta * weighted / weights;
}

static double search(const marea_real *squared, size_t k, double wanted, double *sum) {
  double low = 0, high = HUGE_VAL, mean = 0;
  for (size_t j = 0; j < k; j++) mean += ((double)squared[j] - (double)squared[0]) / (double)k;
  double beta = mean > 0 ? 1 / mean : 1;
  for (int i = 0; i < HALVINGS; i++) {
    double apart = entropy_at(squared, k, beta, sum) - wanted;
    if (fabs(apart) < TOLERANCE || mean <= 0) break;
    if (apart > 0)
      low = beta;
    else
      high = beta;
    double next = isinf(high) ? 2 * beta : (low + high) / 2;
    if (!(next > low) || !(next < high) || isinf(next)) break;
    beta = next;
  }
  return beta;
}

static void search_piece(void *context, size_t piece) {
  const rows *r = context;
  for (size_t i = piece * ROWS; i < r->n && i < (piece + 1) * ROWS; i++) {
    const marea_real *squared = r->squared + i * r->k;
    double sum = 1, nearest = (double)squared[0];
    double beta = search(squared, r->k, r->entropy, &sum);
    entropy_at(squared, r->k, beta, &sum);
    for (size_t j = 0; j < r->k; j++) {
      double above = (double)squared[j] - nearest;
      r->p[i * r->k + j] = (marea_real)(exp(-beta * above) / sum);
    }
    r->beta[i] = beta;
  }
}

void marea_perplexity_search(const marea_real *squared, size_t n, size_t k, double perplexity,
                             marea_real *p, double *beta) {
  rows r = {squared, n, k, log(perplexity), p, beta};
  marea_parallel(marea_pieces(n, ROWS), search_piece, &r);
}

/* ---- both directions of a pair ---- */

/* One entry of a row: a neighbour of the row's point, or a point whose neighbour that is. */
typedef struct entry {
  int32_t column;
  marea_real p;
} entry;

static void count_entries(const int32_t *neighbours, size_t n, size_t k, size_t *offsets) {
  memset(offsets, 0, (n + 1) * sizeof *offsets);
  for (size_t i = 0; i < n; i++) offsets[i + 1] = k;
  for (size_t e = 0; e < n * k; e++) offsets[(size_t)neighbours[e] + 1]++;
  for (size_t i = 0; i < n; i++) offsets[i + 1] += offsets[i];
}

/* Rows of twice n k entries. A row's points come in ascending order twice: those whose neighbour i
 * is, because the loop ascends, and i's own neighbours, sorted afterwards with the rest. */
static void spread(const int32_t *neighbours, const marea_real *p, size_t n, size_t k,
                   const size_t *offsets, size_t *fill, entry *entries) {
  memcpy(fill, offsets, n * sizeof *fill);
  for (size_t i = 0; i < n; i++)
    for (size_t m = 0; m < k; m++) {
      size_t j = (size_t)neighbours[i * k + m];
      entries[fill[i]++] = (entry){(int32_t)j, p[i * k + m]};
      entries[fill[j]++] = (entry){(int32_t)i, p[i * k + m]};
    }
}

static void sort_row(entry *row, size_t size) {
  for (size_t gap = size / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
    for (size_t i = gap; i < size; i++) {
      entry moved = row[i];
      size_t at = i;
      /* By column, then by weight: the order in which equal columns came does not matter. */
      for (; at >= gap && (row[at - gap].column > moved.column ||
                           (row[at - gap].column == moved.column && row[at - gap].p > moved.p));
           at -= gap)
        row[at] = row[at - gap];
      row[at] = moved;
    }
}

typedef struct merging {
  size_t n, *offsets, *sizes;
  entry *entries;
} merging;

/* Sorts rows and adds up what names the same column twice. */
static void merge_piece(void *context, size_t piece) {
  const merging *m = context;
  for (size_t i = piece * ROWS; i < m->n && i < (piece + 1) * ROWS; i++) {
    entry *row = m->entries + m->offsets[i];
    size_t size = m->offsets[i + 1] - m->offsets[i], kept = 0;
    sort_row(row, size);
    for (size_t e = 0; e < size; e++) {
      if (kept > 0 && row[kept - 1].column == row[e].column)
        row[kept - 1].p += row[e].p;
      else
        row[kept++] = row[e];
    }
    m->sizes[i] = kept;
  }
}

static marea_status pack(const merging *m, marea_affinity *a) {
  size_t total = 0, at = 0;
  for (size_t i = 0; i < m->n; i++) total += m->sizes[i];
  a->columns = marea_alloc_array(total, sizeof *a->columns);
  a->p = marea_alloc_array(total, sizeof *a->p);
  if (a->columns == NULL || a->p == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < m->n; i++) {
    const entry *row = m->entries + m->offsets[i];
    a->offsets[i] = at;
    for (size_t e = 0; e < m->sizes[i]; e++, at++) {
      a->columns[at] = row[e].column;
      a->p[at] = row[e].p / (marea_real)(2 * m->n);
      if (a->p[at] > 0) a->entropy -= (double)a->p[at] * log((double)a->p[at]);
    }
  }
  a->offsets[m->n] = at;
  return MAREA_OK;
}

marea_status marea_affinity_symmetric(const int32_t *neighbours, const marea_real *p, size_t n,
                                      size_t k, marea_affinity *a) {
  merging m = {.n = n};
  *a = (marea_affinity){.n = n};
  a->offsets = marea_alloc_array(n + 1, sizeof *a->offsets);
  m.offsets = marea_alloc_array(n + 1, sizeof *m.offsets);
  m.sizes = marea_alloc_array(n, sizeof *m.sizes);
  m.entries = marea_alloc_array(n, 2 * k * sizeof *m.entries);
  marea_status status = MAREA_NOMEM;
  if (a->offsets != NULL && m.offsets != NULL && m.sizes != NULL && m.entries != NULL) {
    count_entries(neighbours, n, k, m.offsets);
    spread(neighbours, p, n, k, m.offsets, m.sizes, m.entries);
    marea_parallel(marea_pieces(n, ROWS), merge_piece, &m);
    status = pack(&m, a);
  }
  marea_free(m.offsets);
  marea_free(m.sizes);
  marea_free(m.entries);
  if (status != MAREA_OK) marea_affinity_clear(a);
  return status;
}

void marea_affinity_clear(marea_affinity *a) {
  marea_free(a->offsets);
  marea_free(a->columns);
  marea_free(a->p);
  *a = (marea_affinity){0};
}

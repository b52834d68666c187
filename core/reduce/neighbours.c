#include "reduce/neighbours.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/gemm.h"
#include "kernels/simd/map_loops.h"

enum {
  ROWS = 128,     /* queries of a piece */
  COLUMNS = 1024, /* points of a block of products */
  SPARE = 8,      /* candidates more than k: the products round, exact distances decide */
  STRIP = 128     /* distances looked at together */
};

typedef struct candidate {
  double distance;
  int32_t index;
} candidate;

typedef struct search {
  const marea_real *queries, *points;
  const marea_real *norms; /* (n): squared lengths of the points */
  size_t m, n, d, k, kept;
  bool themselves;
  int32_t *index;
  marea_real *squared;
  atomic_int status;
} search;

static bool further(const candidate *a, const candidate *b) {
  return a->distance > b->distance || (a->distance == b->distance && a->index > b->index);
}

/* The root of the heap is the furthest of those kept. */
static void sift_down(candidate *heap, size_t size, size_t at) {
  candidate moved = heap[at];
  for (size_t child; (child = 2 * at + 1) < size; at = child) {
    if (child + 1 < size && further(&heap[child + 1], &heap[child])) child++;
    if (!further(&heap[child], &moved)) break;
    heap[at] = heap[child];
  }
  heap[at] = moved;
}

static void offer(candidate *heap, size_t kept, size_t *size, candidate new) {
  if (*size < kept) {
    heap[(*size)++] = new;
    if (*size == kept)
      for (size_t i = kept / 2; i-- > 0;) sift_down(heap, kept, i);
  } else if (further(&heap[0], &new)) {
    heap[0] = new;
    sift_down(heap, kept, 0);
  }
}

/* Offers the points first … first + count - 1; `products` are their products with the query, so
 * that |p|^2 - 2 p q orders them as the distance does. */
static void offer_block(const search *s, size_t query, size_t first, size_t count,
                        const marea_real *products, candidate *heap, size_t *size) {
  const marea_map_table *loops = MAREA_PICK(marea_map);
  for (size_t strip = 0; strip < count; strip += STRIP) {
    size_t length = strip + STRIP < count ? STRIP : count - strip;
    int32_t places[STRIP];
    marea_real values[STRIP];
    marea_real bound = (marea_real)(*size < s->kept ? HUGE_VAL : heap[0].distance);
    size_t found =
        loops->nearer(s->norms + first + strip, products + strip, length, bound, places, values);
    for (size_t j = 0; j < found; j++) {
      size_t point = first + strip + (size_t)places[j];
      if (!(s->themselves && point == query))
        offer(heap, s->kept, size, (candidate){(double)values[j], (int32_t)point});
    }
  }
}

static int by_distance(const void *a, const void *b) {
  return further(a, b) ? 1 : further(b, a) ? -1 : 0;
}

static void settle(const search *s, size_t query, candidate *kept, size_t size) {
  const marea_real *q = s->queries + query * s->d;
  for (size_t i = 0; i < size; i++) {
    const marea_real *p = s->points + (size_t)kept[i].index * s->d;
    double sum = 0;
    for (size_t j = 0; j < s->d; j++) {
      double apart = (double)q[j] - (double)p[j];
      sum += apart * apart;
    }
    kept[i].distance = sum;
  }
  qsort(kept, size, sizeof *kept, by_distance);
  for (size_t i = 0; i < s->k; i++) {
    s->index[query * s->k + i] = kept[i].index;
    s->squared[query * s->k + i] = (marea_real)kept[i].distance;
  }
}

static void search_rows(const search *s, size_t from, size_t rows, marea_real *products,
                        candidate *heaps) {
  size_t sizes[ROWS] = {0};
  for (size_t first = 0; first < s->n; first += COLUMNS) {
    size_t count = s->n - first < COLUMNS ? s->n - first : COLUMNS;
    marea_gemm(false, true, rows, count, s->d, 1, s->queries + from * s->d, s->d,
               s->points + first * s->d, s->d, 0, products, COLUMNS);
    for (size_t i = 0; i < rows; i++)
      offer_block(s, from + i, first, count, products + i * COLUMNS, heaps + i * s->kept,
                  &sizes[i]);
  }
  for (size_t i = 0; i < rows; i++) settle(s, from + i, heaps + i * s->kept, sizes[i]);
}

static void search_piece(void *context, size_t piece) {
  search *s = context;
  if (atomic_load(&s->status) != MAREA_OK) return;
  if (marea_interrupted()) {
    atomic_store(&s->status, MAREA_INTERRUPTED);
    return;
  }
  size_t from = piece * ROWS, rows = s->m - from < ROWS ? s->m - from : ROWS;
  marea_real *products = marea_alloc_array(ROWS * COLUMNS, sizeof *products);
  candidate *heaps = marea_alloc_array(rows * s->kept, sizeof *heaps);
  if (products == NULL || heaps == NULL)
    atomic_store(&s->status, MAREA_NOMEM);
  else
    search_rows(s, from, rows, products, heaps);
  marea_free(products);
  marea_free(heaps);
}

static void fill_norms(const marea_real *points, size_t n, size_t d, marea_real *norms) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t j = 0; j < d; j++) sum += (double)points[i * d + j] * (double)points[i * d + j];
    norms[i] = (marea_real)sum;
  }
}

marea_status marea_neighbours(const marea_real *queries, size_t m, const marea_real *points,
                              size_t n, size_t d, size_t k, bool themselves, int32_t *index,
                              marea_real *squared) {
  marea_real *norms = marea_alloc_array(n, sizeof *norms);
  if (norms == NULL) return MAREA_NOMEM;
  fill_norms(points, n, d, norms);
  size_t most = themselves ? n - 1 : n;
  search s = {.queries = queries,
              .points = points,
              .norms = norms,
              .m = m,
              .n = n,
              .d = d,
              .k = k,
              .kept = k + SPARE < most ? k + SPARE : most,
              .themselves = themselves,
              .index = index,
              .squared = squared};
  atomic_init(&s.status, MAREA_OK);
  marea_parallel(marea_pieces(m, ROWS), search_piece, &s);
  marea_free(norms);
  marea_status status = (marea_status)atomic_load(&s.status);
  if (status == MAREA_NOMEM) return marea_fail(status, "neighbours: out of memory");
  if (status != MAREA_OK) return marea_fail(status, "neighbours: interrupted");
  return MAREA_OK;
}

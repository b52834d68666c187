/* Inside embed only: the best of many, in a heap whose root is the worst of those kept. */
#ifndef MAREA_EMBED_BEST_H
#define MAREA_EMBED_BEST_H

#include "embed/search.h"

/* A list begins full of these; every score is better. */
static const marea_found MAREA_NOBODY = {-1e300, -1};

static inline bool marea_best_worse(const marea_found *a, const marea_found *b) {
  return a->score < b->score || (a->score == b->score && a->row > b->row);
}

/* Takes the place of the worst if it is better; equal scores go by row. NaN never enters. */
static inline void marea_best_offer(marea_found *heap, size_t count, double score, int64_t row) {
  marea_found item = {score, row};
  if (!(score >= heap[0].score) || !marea_best_worse(&heap[0], &item)) return;
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && marea_best_worse(&heap[child + 1], &heap[child])) child++;
    if (!marea_best_worse(&heap[child], &item)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = item;
}

#endif

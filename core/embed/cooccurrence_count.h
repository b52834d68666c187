/* Inside embed only: the pairs of one chunk of texts, on all threads. */
#ifndef MAREA_EMBED_COOCCURRENCE_COUNT_H
#define MAREA_EMBED_COOCCURRENCE_COUNT_H

#include "embed/cooccurrence.h"
#include "embed/row_sums.h"

/* Texts one after the other; ids[0], ids[used] and the places between documents hold -1. */
typedef struct marea_text_chunk {
  int32_t *ids;
  size_t used, room, capacity; /* room: what the arrays hold; capacity: when to count */
  size_t fresh;     /* pairs of two places before this one were counted with the chunk before */
  size_t *first;    /* where the places of each word begin in `places`; words + 1 */
  uint32_t *places; /* by word, ascending */
  size_t words, window;
  bool symmetric;
  const uint64_t *weights; /* by distance, from 1 */
} marea_text_chunk;

/* Called after every few rows were appended, to keep within the memory limit. */
typedef marea_status marea_chunk_watch(void *context);

marea_status marea_chunk_count(marea_text_chunk *chunk, size_t memory, marea_pair_run *run,
                               marea_chunk_watch *watch, void *context);

#endif

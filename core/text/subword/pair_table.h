/* A hash table from pairs of symbols to numbers: the merges of a model, the counts of a trainer. */
#ifndef MAREA_TEXT_PAIR_TABLE_H
#define MAREA_TEXT_PAIR_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct marea_pair_slot {
  uint64_t key;  /* left and right; MAREA_NO_PAIR: free */
  int32_t value; /* not negative */
} marea_pair_slot;

/* All zero is an empty table. */
typedef struct marea_pair_table {
  marea_pair_slot *slots; /* open addressing, a power of two, at most half full */
  size_t slot_count, used;
} marea_pair_table;

#define MAREA_NO_PAIR UINT64_MAX

static inline uint64_t marea_pair_key(int32_t left, int32_t right) {
  return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static inline size_t marea_pair_hash(uint64_t key) {
  key *= 0x9E3779B97F4A7C15u;
  return (size_t)(key ^ key >> 32);
}

/* The number of a pair; -1 when the table lacks it. */
static inline int32_t marea_pair_find(const marea_pair_table *t, uint64_t key) {
  if (t->slot_count == 0) return -1;
  size_t mask = t->slot_count - 1, at = marea_pair_hash(key) & mask;
  for (; t->slots[at].key != MAREA_NO_PAIR; at = (at + 1) & mask)
    if (t->slots[at].key == key) return t->slots[at].value;
  return -1;
}

/* Where the pair's number is, set to `fresh` when the pair is new; NULL: MAREA_NOMEM. Valid until
 * the next call. */
int32_t *marea_pair_put(marea_pair_table *table, uint64_t key, int32_t fresh);

void marea_pair_clear(marea_pair_table *table); /* frees the slots */

#endif

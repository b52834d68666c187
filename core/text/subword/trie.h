/* A set of byte strings as a tree: which of them begin at a place is found in one walk. The edges
 * are one hash table from (node, byte) to node. */
#ifndef MAREA_TEXT_TRIE_H
#define MAREA_TEXT_TRIE_H

#include "text/subword/pair_table.h"
#include "text/unicode.h"

enum { MAREA_TRIE_ROOT = 0 };

/* All zero is an empty trie. */
typedef struct marea_trie {
  marea_pair_table edges;
  int32_t *values; /* per node; -1: no string ends here */
  size_t node_count, node_capacity;
} marea_trie;

/* Adds a string, or changes its value (not negative). */
marea_status marea_trie_add(marea_trie *trie, marea_text string, int32_t value);
void marea_trie_clear(marea_trie *trie);

/* The node after one byte, or -1. */
static inline int32_t marea_trie_step(const marea_trie *trie, int32_t node, unsigned char byte) {
  return marea_pair_find(&trie->edges, marea_pair_key(node, byte));
}

/* The value of the string that ends in a node, or -1. */
static inline int32_t marea_trie_value(const marea_trie *trie, int32_t node) {
  return trie->node_count == 0 ? -1 : trie->values[node];
}

/* The node after a whole string, or -1. */
int32_t marea_trie_walk(const marea_trie *trie, int32_t node, marea_text string);

#endif

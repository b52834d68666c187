#include "text/subword/trie.h"

#include "base/memory.h"

static marea_status new_node(marea_trie *t) {
  if (t->node_count >= INT32_MAX / 2)
    return marea_fail(MAREA_RANGE, "a trie holds at most 2^30 nodes");
  int32_t *values = marea_grow(t->values, &t->node_capacity, t->node_count + 1, sizeof *values);
  if (values == NULL) return MAREA_NOMEM;
  t->values = values;
  t->values[t->node_count++] = -1;
  return MAREA_OK;
}

marea_status marea_trie_add(marea_trie *t, marea_text string, int32_t value) {
  if (t->node_count == 0 && new_node(t) != MAREA_OK) return marea_error_code();
  int32_t node = MAREA_TRIE_ROOT;
  for (size_t i = 0; i < string.length; i++) {
    uint64_t key = marea_pair_key(node, (unsigned char)string.bytes[i]);
    int32_t next = marea_pair_find(&t->edges, key);
    if (next < 0) {
      next = (int32_t)t->node_count;
      if (new_node(t) != MAREA_OK || marea_pair_put(&t->edges, key, next) == NULL)
        return marea_error_code();
    }
    node = next;
  }
  t->values[node] = value;
  return MAREA_OK;
}

int32_t marea_trie_walk(const marea_trie *t, int32_t node, marea_text string) {
  for (size_t i = 0; i < string.length && node >= 0; i++)
    node = marea_trie_step(t, node, (unsigned char)string.bytes[i]);
  return node;
}

void marea_trie_clear(marea_trie *t) {
  marea_pair_clear(&t->edges);
  marea_free(t->values);
  *t = (marea_trie){0};
}

/* Whole words with their tokens: frequent words are cut once. One block of memory, filled from both
 * ends' tables; when it is full, everything is forgotten (the frequent words are back soon). */
#include <string.h>

#include "base/memory.h"
#include "text/subword_internal.h"

enum { LONGEST = 256, MOST_TOKENS = 64, BYTES_PER_SLOT = 48 };

typedef struct cache_slot {
  uint64_t hash;
  uint32_t offset; /* in the pool, in tokens; +1, 0: free */
  uint16_t length, count;
  uint16_t unknown, dropped;
} cache_slot;

struct subword_cache {
  cache_slot *slots;
  size_t slot_count, used_slots;
  marea_subword_token *pool; /* a word's tokens, then its bytes */
  size_t pool_count, used;
};

subword_cache *subword_cache_new(size_t bytes) {
  subword_cache *c = marea_alloc_zero(1, sizeof *c);
  if (c == NULL) return NULL;
  if (bytes > (size_t)1 << 30) bytes = (size_t)1 << 30;
  c->slot_count = 64;
  while (c->slot_count * BYTES_PER_SLOT * 2 < bytes) c->slot_count *= 2;
  c->pool_count = bytes / 2 / sizeof *c->pool + 1;
  c->slots = marea_alloc_zero(c->slot_count, sizeof *c->slots);
  c->pool = marea_alloc_array(c->pool_count, sizeof *c->pool);
  if (c->slots != NULL && c->pool != NULL) return c;
  subword_cache_free(c);
  return NULL;
}

void subword_cache_free(subword_cache *c) {
  if (c == NULL) return;
  marea_free(c->slots);
  marea_free(c->pool);
  marea_free(c);
}

const marea_subword_token *subword_cache_find(subword_cache *c, const char *word, size_t length,
                                              uint64_t hash, size_t *count, size_t *unknown,
                                              size_t *dropped) {
  size_t mask = c->slot_count - 1;
  for (size_t at = hash & mask; c->slots[at].offset != 0; at = (at + 1) & mask) {
    const cache_slot *s = &c->slots[at];
    const marea_subword_token *tokens = c->pool + s->offset - 1;
    if (s->hash != hash || s->length != length || memcmp(tokens + s->count, word, length) != 0)
      continue;
    *count = s->count;
    *unknown = s->unknown;
    *dropped = s->dropped;
    return tokens;
  }
  return NULL;
}

void subword_cache_keep(subword_cache *c, const char *word, size_t length, uint64_t hash,
                        const marea_subword_worker *w) {
  if (length > LONGEST || w->token_count > MOST_TOKENS) return;
  size_t width = sizeof *c->pool, wanted = w->token_count + (length + width - 1) / width;
  if (wanted > c->pool_count) return;
  if (2 * (c->used_slots + 1) > c->slot_count || c->used + wanted > c->pool_count) {
    memset(c->slots, 0, c->slot_count * sizeof *c->slots);
    c->used_slots = c->used = 0;
  }
  size_t at = hash & (c->slot_count - 1);
  while (c->slots[at].offset != 0) at = (at + 1) & (c->slot_count - 1);
  c->slots[at] = (cache_slot){.hash = hash,
                              .offset = (uint32_t)c->used + 1,
                              .length = (uint16_t)length,
                              .count = (uint16_t)w->token_count,
                              .unknown = (uint16_t)w->unknown,
                              .dropped = (uint16_t)w->dropped};
  if (w->token_count > 0) memcpy(c->pool + c->used, w->tokens, w->token_count * width);
  memcpy(c->pool + c->used + w->token_count, word, length);
  c->used += wanted;
  c->used_slots++;
}

/* Whole words with their tokens: frequent words are cut once. A word of up to 16 bytes lies in its
 * slot, and so does the token of a word that has only one: most look-ups touch one line of memory.
 * When the cache is full, everything is forgotten; the frequent words are back soon. */
#include <string.h>

#include "base/memory.h"
#include "text/subword/subword_internal.h"

enum { SHORT = 16, LONGEST = 255, MOST_TOKENS = 64, BYTES_PER_SLOT = 2 * 40 };

typedef struct cache_slot {
  uint64_t first, last;                    /* the word's bytes, or two hashes of a longer word */
  marea_subword_token token;               /* the only one; else id is a place in the pool + 1 */
  uint8_t length, count, unknown, dropped; /* length 0: free */
} cache_slot;

struct subword_cache {
  cache_slot *slots;
  size_t slot_count, used_slots;
  marea_subword_token *pool; /* a word's tokens, then, of longer words, its bytes */
  size_t pool_count, used;
};

subword_cache *subword_cache_new(size_t bytes) {
  subword_cache *c = marea_alloc_zero(1, sizeof *c);
  if (c == NULL) return NULL;
  if (bytes > (size_t)1 << 30) bytes = (size_t)1 << 30;
  c->slot_count = 64;
  while (c->slot_count * BYTES_PER_SLOT < bytes) c->slot_count *= 2;
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

static uint64_t load8(const char *bytes) {
  uint64_t word;
  memcpy(&word, bytes, 8);
  return word;
}

static uint64_t load4(const char *bytes) {
  uint32_t word;
  memcpy(&word, bytes, 4);
  return word;
}

/* With its length the key tells a word of up to 16 bytes from every other. */
static subword_key key_of(const char *word, size_t length) {
  const unsigned char *b = (const unsigned char *)word;
  if (length > SHORT)
    return (subword_key){marea_hash_bytes(word, length, 1), marea_hash_bytes(word, length, 2)};
  if (length >= 8) return (subword_key){load8(word), load8(word + length - 8)};
  if (length >= 4) return (subword_key){load4(word) | load4(word + length - 4) << 32, 0};
  return (subword_key){
      (uint64_t)b[0] | (uint64_t)b[length / 2] << 8 | (uint64_t)b[length - 1] << 16, 0};
}

static size_t start_of(const subword_cache *c, subword_key key, size_t length) {
  uint64_t hash = (key.first ^ length * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
  hash = (hash ^ hash >> 32 ^ key.last) * 0xD6E8FEB86659FD93u;
  return (size_t)(hash >> 32) & (c->slot_count - 1);
}

static const marea_subword_token *tokens_of(const subword_cache *c, const cache_slot *s) {
  return s->count == 1 && s->length <= SHORT ? &s->token : c->pool + s->token.id;
}

const marea_subword_token *subword_cache_find(const subword_cache *c, const char *word,
                                              size_t length, subword_key *key, size_t *count,
                                              size_t *unknown, size_t *dropped) {
  if (length == 0 || length > LONGEST) return NULL;
  *key = key_of(word, length);
  size_t mask = c->slot_count - 1;
  for (size_t at = start_of(c, *key, length); c->slots[at].length != 0; at = (at + 1) & mask) {
    const cache_slot *s = &c->slots[at];
    if (s->first != key->first || s->last != key->last || s->length != length) continue;
    const marea_subword_token *tokens = tokens_of(c, s);
    if (length > SHORT && memcmp(tokens + s->count, word, length) != 0) continue;
    *count = s->count;
    *unknown = s->unknown;
    *dropped = s->dropped;
    return tokens;
  }
  return NULL;
}

void subword_cache_keep(subword_cache *c, const char *word, size_t length, subword_key key,
                        const marea_subword_worker *w) {
  size_t width = sizeof *c->pool, count = w->token_count;
  if (length == 0 || length > LONGEST || count > MOST_TOKENS) return;
  size_t wanted = length > SHORT ? count + (length + width - 1) / width : count == 1 ? 0 : count;
  if (wanted > c->pool_count) return;
  if (2 * (c->used_slots + 1) > c->slot_count || c->used + wanted > c->pool_count) {
    memset(c->slots, 0, c->slot_count * sizeof *c->slots);
    c->used_slots = c->used = 0;
  }
  size_t at = start_of(c, key, length);
  while (c->slots[at].length != 0) at = (at + 1) & (c->slot_count - 1);
  cache_slot *s = &c->slots[at];
  *s = (cache_slot){key.first,          key.last,       {(int32_t)c->used, 0, 0},
                    (uint8_t)length,    (uint8_t)count, (uint8_t)w->unknown,
                    (uint8_t)w->dropped};
  if (wanted == 0 && count == 1) s->token = w->tokens[0];
  if (wanted > 0 && count > 0) memcpy(c->pool + c->used, w->tokens, count * width);
  if (length > SHORT) memcpy(c->pool + c->used + count, word, length);
  c->used += wanted;
  c->used_slots++;
}

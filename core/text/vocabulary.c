#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { FIRST_SLOTS = 1024 };

/* ---- hashing ---- */

static uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93u;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93u;
  return x ^ x >> 32;
}

uint64_t marea_hash_bytes(const char *bytes, size_t length, uint64_t seed) {
  uint64_t hash = seed ^ (length * 0x9E3779B97F4A7C15u), word;
  for (; length >= 8; bytes += 8, length -= 8) {
    memcpy(&word, bytes, 8);
    hash = mix(hash ^ word) + 0x9E3779B97F4A7C15u;
  }
  word = 0;
  memcpy(&word, bytes, length);
  return mix(hash ^ word);
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

/* The table's own hash: lives in memory only, so that it may be quick. Words of up to eight bytes,
 * most of any language, take one multiplication and no loop. */
static uint32_t hash_word(const char *bytes, size_t length) {
  const unsigned char *b = (const unsigned char *)bytes;
  uint64_t hash = length * 0x9E3779B97F4A7C15u, word = 0;
  for (; length > 8; bytes += 8, length -= 8) {
    hash = (hash ^ load8(bytes)) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 29;
  }
  b = (const unsigned char *)bytes;
  if (length >= 4)
    word = load4(bytes) | load4(bytes + length - 4) << 32;
  else if (length > 0)
    word = (uint64_t)b[0] | (uint64_t)b[length / 2] << 8 | (uint64_t)b[length - 1] << 16;
  hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
  return (uint32_t)(hash >> 32);
}

/* ---- table ---- */

marea_vocabulary *marea_vocabulary_new(void) {
  marea_vocabulary *v = marea_alloc_zero(1, sizeof *v);
  if (v == NULL) return NULL;
  v->slots = marea_alloc_zero(FIRST_SLOTS, sizeof *v->slots);
  v->slot_count = FIRST_SLOTS;
  if (v->slots != NULL) return v;
  marea_free(v);
  return NULL;
}

void marea_vocabulary_free(marea_vocabulary *v) {
  if (v == NULL) return;
  marea_free(v->words);
  marea_free(v->pool);
  marea_free(v->slots);
  marea_free(v->ranking);
  marea_free(v->rank_of);
  marea_free(v);
}

marea_text marea_vocabulary_word(const marea_vocabulary *v, int32_t place) {
  const marea_word *word = &v->words[place];
  return (marea_text){v->pool + word->offset, word->length};
}

size_t marea_vocabulary_bytes(const marea_vocabulary *v) {
  return sizeof *v + v->word_capacity * sizeof *v->words + v->pool_capacity +
         v->slot_count * sizeof *v->slots + 2 * v->ranked * sizeof *v->ranking;
}

static bool same_bytes(const char *a, const char *b, size_t length) {
  if (length < 8) { /* no call for the words that come most often */
    while (length > 0 && *a == *b) a++, b++, length--;
    return length == 0;
  }
  return load8(a) == load8(b) && memcmp(a + 8, b + 8, length - 8) == 0;
}

/* The slot where the word is, or the free one where it belongs. */
static size_t slot_of(const marea_vocabulary *v, const char *bytes, size_t length, uint32_t hash) {
  size_t mask = v->slot_count - 1, slot = hash & mask;
  for (; v->slots[slot].place != 0; slot = (slot + 1) & mask) {
    if (v->slots[slot].hash != hash) continue;
    const marea_word *word = &v->words[v->slots[slot].place - 1];
    if (word->length == length && same_bytes(v->pool + word->offset, bytes, length)) break;
  }
  return slot;
}

static void place_in(marea_slot *slots, size_t slot_count, uint32_t hash, size_t place) {
  size_t slot = hash & (slot_count - 1);
  while (slots[slot].place != 0) slot = (slot + 1) & (slot_count - 1);
  slots[slot] = (marea_slot){hash, (int32_t)place + 1};
}

static marea_status grow_slots(marea_vocabulary *v) {
  size_t wider = 2 * v->slot_count;
  marea_slot *slots = marea_alloc_zero(wider, sizeof *slots);
  if (slots == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < v->word_count; i++) place_in(slots, wider, v->words[i].hash, i);
  marea_free(v->slots);
  v->slots = slots;
  v->slot_count = wider;
  return MAREA_OK;
}

static marea_status reserve(void **array, size_t *capacity, size_t wanted, size_t item) {
  if (wanted <= *capacity) return MAREA_OK;
  size_t wider = wanted + wanted / 2 + 64;
  void *moved = marea_realloc(*array, wider * item);
  if (moved == NULL) return MAREA_NOMEM;
  *array = moved;
  *capacity = wider;
  return MAREA_OK;
}

static marea_status make_room(marea_vocabulary *v, size_t length) {
  if (v->word_count >= INT32_MAX - 8 || length > UINT32_MAX)
    return marea_fail(MAREA_RANGE, "a vocabulary holds at most %d words of less than 4 GB",
                      INT32_MAX - 8);
  void *words = v->words, *pool = v->pool;
  marea_status status = reserve(&words, &v->word_capacity, v->word_count + 1, sizeof *v->words);
  v->words = words;
  if (status == MAREA_OK) status = reserve(&pool, &v->pool_capacity, v->pool_bytes + length, 1);
  v->pool = pool;
  if (status == MAREA_OK && 2 * (v->word_count + 1) > v->slot_count) status = grow_slots(v);
  return status;
}

static int32_t add_hashed(marea_vocabulary *v, const char *bytes, size_t length, uint32_t hash) {
  size_t slot = slot_of(v, bytes, length, hash);
  if (v->slots[slot].place != 0) return v->slots[slot].place - 1;
  if (make_room(v, length) != MAREA_OK) return -1;
  slot = slot_of(v, bytes, length, hash);
  v->words[v->word_count] = (marea_word){
      .offset = v->pool_bytes, .length = (uint32_t)length, .last_document = -1, .hash = hash};
  v->words[v->word_count].first = v->run << 32 | v->word_count;
  if (length > 0) memcpy(v->pool + v->pool_bytes, bytes, length);
  v->pool_bytes += length;
  v->slots[slot] = (marea_slot){hash, (int32_t)++v->word_count};
  return (int32_t)v->word_count - 1;
}

int32_t marea_vocabulary_add(marea_vocabulary *v, const char *bytes, size_t length) {
  return add_hashed(v, bytes, length, hash_word(bytes, length));
}

int32_t marea_vocabulary_find(const marea_vocabulary *v, const char *bytes, size_t length) {
  return v->slots[slot_of(v, bytes, length, hash_word(bytes, length))].place - 1;
}

marea_status marea_vocabulary_note(marea_vocabulary *v, const char *bytes, size_t length) {
  int32_t place = add_hashed(v, bytes, length, hash_word(bytes, length));
  if (place < 0) return marea_error_code();
  marea_word *word = &v->words[place];
  word->count++;
  if (word->last_document != v->document_count) word->documents++;
  word->last_document = v->document_count;
  return MAREA_OK;
}

marea_status marea_vocabulary_merge(marea_vocabulary *v, const marea_vocabulary *from,
                                    bool by_first) {
  for (size_t i = 0; i < from->word_count; i++) {
    const marea_word *theirs = &from->words[i];
    int32_t place = add_hashed(v, from->pool + theirs->offset, theirs->length, theirs->hash);
    if (place < 0) return marea_error_code();
    marea_word *word = &v->words[place];
    bool is_new = word->count == 0;
    if (by_first && (is_new || theirs->first < word->first)) word->first = theirs->first;
    word->count += theirs->count;
    word->documents += theirs->documents;
  }
  v->document_count += from->document_count;
  return MAREA_OK;
}

static int by_first(const void *left, const void *right) {
  const marea_word *a = left, *b = right;
  return a->first < b->first ? -1 : a->first > b->first;
}

void marea_vocabulary_settle(marea_vocabulary *v) {
  qsort(v->words, v->word_count, sizeof *v->words, by_first);
  memset(v->slots, 0, v->slot_count * sizeof *v->slots);
  for (size_t i = 0; i < v->word_count; i++) {
    v->words[i].first = i;
    place_in(v->slots, v->slot_count, v->words[i].hash, i);
  }
  v->run = 0;
}

uint64_t marea_vocabulary_hash(const marea_vocabulary *v) {
  uint64_t hash = v->word_count;
  for (size_t i = 0; i < v->word_count; i++) {
    const marea_word *word = &v->words[i];
    hash = marea_hash_bytes(v->pool + word->offset, word->length, hash) + (uint64_t)word->count;
  }
  return mix(hash);
}

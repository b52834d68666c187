#include "text/vocabulary/vocabulary.h"

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

enum { SHORT = 8 };

/* A word's key: with the length, the bytes themselves for a short word, which most are; else a
 * hash, which lives in memory only and so may be quick. */
static uint64_t key_of(const char *bytes, size_t length) {
  const unsigned char *b = (const unsigned char *)bytes;
  if (length <= SHORT) {
    if (length >= 4) /* the last four bytes, without those that the first four hold */
      return load4(bytes) | load4(bytes + length - 4) >> (8 * (SHORT - length)) << 32;
    uint64_t key = length > 0 ? b[0] : 0;
    if (length > 1) key |= (uint64_t)b[1] << 8;
    return length > 2 ? key | (uint64_t)b[2] << 16 : key;
  }
  uint64_t hash = length * 0x9E3779B97F4A7C15u;
  for (size_t i = 0; i + 8 < length; i += 8) {
    hash = (hash ^ load8(bytes + i)) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 29;
  }
  hash = (hash ^ load8(bytes + length - 8)) * 0xD6E8FEB86659FD93u;
  return hash ^ hash >> 32;
}

/* The same when eight bytes from any place of the word on can be read: no branches for short words.
 */
static uint64_t key_of_padded(const char *bytes, size_t length) {
  if (length - 1 >= SHORT) return key_of(bytes, length); /* also length 0 */
  return load8(bytes) & ~(uint64_t)0 >> (8 * (SHORT - length));
}

static size_t first_slot(const marea_vocabulary *v, uint64_t key, size_t length) {
  uint64_t hash = (key + length * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
  return (size_t)(hash >> 32) & (v->slot_count - 1);
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

/* The slot where the word is, or the free one where it belongs. */
static size_t slot_of(const marea_vocabulary *v, const char *bytes, size_t length, uint64_t key) {
  size_t mask = v->slot_count - 1, slot = first_slot(v, key, length);
  for (; v->slots[slot].place != 0; slot = (slot + 1) & mask) {
    const marea_slot *s = &v->slots[slot];
    if (s->key != key || s->length != length) continue;
    if (length <= SHORT) break;
    if (memcmp(v->pool + v->words[s->place - 1].offset, bytes, length) == 0) break;
  }
  return slot;
}

static void put(marea_vocabulary *v, marea_slot taken) {
  size_t mask = v->slot_count - 1, slot = first_slot(v, taken.key, taken.length);
  while (v->slots[slot].place != 0) slot = (slot + 1) & mask;
  v->slots[slot] = taken;
}

static marea_status grow_slots(marea_vocabulary *v) {
  marea_slot *old = v->slots, *slots = marea_alloc_zero(2 * v->slot_count, sizeof *slots);
  size_t old_count = v->slot_count;
  if (slots == NULL) return MAREA_NOMEM;
  v->slots = slots;
  v->slot_count *= 2;
  for (size_t i = 0; i < old_count; i++)
    if (old[i].place != 0) put(v, old[i]);
  marea_free(old);
  return MAREA_OK;
}

static marea_status make_room(marea_vocabulary *v, size_t length) {
  if (v->word_count >= INT32_MAX - 8 || length > UINT32_MAX)
    return marea_fail(MAREA_RANGE, "a vocabulary holds at most %d words of less than 4 GB",
                      INT32_MAX - 8);
  marea_word *words = marea_grow(v->words, &v->word_capacity, v->word_count + 1, sizeof *words);
  if (words == NULL) return MAREA_NOMEM;
  v->words = words;
  /* One byte more, so that the empty word has a place, too. */
  char *pool = marea_grow(v->pool, &v->pool_capacity, v->pool_bytes + length + 1, 1);
  if (pool == NULL) return MAREA_NOMEM;
  v->pool = pool;
  return v->word_count + 1 > v->slot_count / 8 * 5 ? grow_slots(v) : MAREA_OK;
}

static int32_t add_keyed(marea_vocabulary *v, const char *bytes, size_t length, uint64_t key) {
  size_t slot = slot_of(v, bytes, length, key);
  if (v->slots[slot].place != 0) return v->slots[slot].place - 1;
  if (make_room(v, length) != MAREA_OK) return -1;
  v->words[v->word_count] = (marea_word){.offset = v->pool_bytes,
                                         .length = length,
                                         .last_document = -1,
                                         .first = v->run << 32 | v->word_count};
  if (length > 0) memcpy(v->pool + v->pool_bytes, bytes, length);
  v->pool_bytes += length;
  put(v, (marea_slot){key, (uint32_t)length, (int32_t)++v->word_count});
  return (int32_t)v->word_count - 1;
}

int32_t marea_vocabulary_add(marea_vocabulary *v, const char *bytes, size_t length) {
  return add_keyed(v, bytes, length, key_of(bytes, length));
}

int32_t marea_vocabulary_find(const marea_vocabulary *v, const char *bytes, size_t length) {
  if (length > UINT32_MAX) return -1;
  return v->slots[slot_of(v, bytes, length, key_of(bytes, length))].place - 1;
}

static void note_place(marea_vocabulary *v, int32_t place) {
  marea_word *word = &v->words[place];
  word->count++;
  word->documents += word->last_document != v->document_count;
  word->last_document = v->document_count;
}

marea_status marea_vocabulary_note(marea_vocabulary *v, const char *bytes, size_t length) {
  int32_t place = marea_vocabulary_add(v, bytes, length);
  if (place < 0) return marea_error_code();
  note_place(v, place);
  return MAREA_OK;
}

void marea_vocabulary_prepare(const marea_vocabulary *v, const char *bytes, size_t length,
                              marea_prepared *word) {
  *word = (marea_prepared){bytes, length, key_of_padded(bytes, length), 0};
  __builtin_prefetch(&v->slots[first_slot(v, word->key, length)]);
}

void marea_vocabulary_find_all(const marea_vocabulary *v, marea_prepared *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const marea_prepared *word = &words[i];
    words[i].place = v->slots[slot_of(v, word->bytes, word->length, word->key)].place - 1;
  }
}

marea_status marea_vocabulary_note_all(marea_vocabulary *v, marea_prepared *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    words[i].place = add_keyed(v, words[i].bytes, words[i].length, words[i].key);
    if (words[i].place < 0) return marea_error_code();
    __builtin_prefetch(&v->words[words[i].place].count, 1);
  }
  for (size_t i = 0; i < count; i++) note_place(v, words[i].place);
  return MAREA_OK;
}

marea_status marea_vocabulary_merge(marea_vocabulary *v, const marea_vocabulary *from,
                                    bool by_first) {
  for (size_t i = 0; i < from->word_count; i++) {
    const marea_word *theirs = &from->words[i];
    size_t before = v->word_count;
    int32_t place = marea_vocabulary_add(v, from->pool + theirs->offset, theirs->length);
    if (place < 0) return marea_error_code();
    marea_word *word = &v->words[place];
    bool is_new = v->word_count > before;
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

static bool is_settled(const marea_vocabulary *v) {
  for (size_t i = 1; i < v->word_count; i++)
    if (v->words[i].first < v->words[i - 1].first) return false;
  return true;
}

void marea_vocabulary_settle(marea_vocabulary *v) {
  bool sorted = is_settled(v);
  if (!sorted) {
    qsort(v->words, v->word_count, sizeof *v->words, by_first);
    memset(v->slots, 0, v->slot_count * sizeof *v->slots);
  }
  for (size_t i = 0; i < v->word_count; i++) {
    const marea_word *word = &v->words[i];
    if (!sorted)
      put(v, (marea_slot){key_of(v->pool + word->offset, word->length), (uint32_t)word->length,
                          (int32_t)i + 1});
    v->words[i].first = i;
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

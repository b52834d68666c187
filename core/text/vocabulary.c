#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"

enum { FIRST_SLOTS = 1024, PIECE_BYTES = 1 << 22 };

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

static uint32_t hash_word(const char *bytes, size_t length) {
  return (uint32_t)marea_hash_bytes(bytes, length, 0x6D61726561u);
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

/* The slot where the word is, or the free one where it belongs. */
static size_t slot_of(const marea_vocabulary *v, const char *bytes, size_t length, uint32_t hash) {
  size_t mask = v->slot_count - 1, slot = hash & mask;
  for (; v->slots[slot] != 0; slot = (slot + 1) & mask) {
    const marea_word *word = &v->words[v->slots[slot] - 1];
    if (word->hash == hash && word->length == length &&
        memcmp(v->pool + word->offset, bytes, length) == 0)
      break;
  }
  return slot;
}

static marea_status grow_slots(marea_vocabulary *v) {
  size_t wider = 2 * v->slot_count;
  int32_t *slots = marea_alloc_zero(wider, sizeof *slots);
  if (slots == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < v->word_count; i++) {
    size_t slot = v->words[i].hash & (wider - 1);
    while (slots[slot] != 0) slot = (slot + 1) & (wider - 1);
    slots[slot] = (int32_t)i + 1;
  }
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

static int32_t add_hashed(marea_vocabulary *v, const char *bytes, size_t length, uint32_t hash) {
  size_t slot = slot_of(v, bytes, length, hash);
  if (v->slots[slot] != 0) return v->slots[slot] - 1;
  if (v->word_count >= INT32_MAX - 8) {
    marea_fail(MAREA_RANGE, "a vocabulary holds at most %d words", INT32_MAX - 8);
    return -1;
  }
  void *words = v->words, *pool = v->pool;
  marea_status status = reserve(&words, &v->word_capacity, v->word_count + 1, sizeof *v->words);
  v->words = words;
  if (status == MAREA_OK) status = reserve(&pool, &v->pool_capacity, v->pool_bytes + length, 1);
  v->pool = pool;
  if (status == MAREA_OK && 2 * (v->word_count + 1) > v->slot_count) {
    status = grow_slots(v);
    slot = slot_of(v, bytes, length, hash);
  }
  if (status != MAREA_OK) return -1;
  v->words[v->word_count] =
      (marea_word){.offset = v->pool_bytes, .length = length, .last_document = -1, .hash = hash};
  memcpy(v->pool + v->pool_bytes, bytes, length);
  v->pool_bytes += length;
  v->slots[slot] = (int32_t)++v->word_count;
  return (int32_t)v->word_count - 1;
}

int32_t marea_vocabulary_add(marea_vocabulary *v, const char *bytes, size_t length) {
  return add_hashed(v, bytes, length, hash_word(bytes, length));
}

int32_t marea_vocabulary_find(const marea_vocabulary *v, const char *bytes, size_t length) {
  return v->slots[slot_of(v, bytes, length, hash_word(bytes, length))] - 1;
}

/* ---- counting ---- */

static marea_status count_piece(void *context, const char *bytes, size_t length) {
  marea_vocabulary *v = context;
  int32_t place = marea_vocabulary_add(v, bytes, length);
  if (place < 0) return marea_error_code();
  marea_word *word = &v->words[place];
  word->count++;
  if (word->last_document != v->document_count) word->documents++;
  word->last_document = v->document_count;
  return MAREA_OK;
}

marea_status marea_vocabulary_count_words(marea_vocabulary *v, const marea_text *words,
                                          size_t count) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < count && status == MAREA_OK; i++)
    status = count_piece(v, words[i].bytes, words[i].length);
  v->document_count++;
  return status;
}

/* Texts first … last-1 of the list, counted by one thread into a table of their own. */
typedef struct portion {
  size_t first, last, failed_text;
  marea_vocabulary *own;
  marea_status status;
  char message[200];
} portion;

typedef struct counting {
  const marea_splitter *splitter;
  const marea_text *texts;
  portion *portions;
} counting;

static void count_portion(void *context, size_t number) {
  const counting *all = context;
  portion *p = &all->portions[number];
  p->own = marea_vocabulary_new();
  if (p->own == NULL) p->status = MAREA_NOMEM;
  for (size_t i = p->first; i < p->last && p->status == MAREA_OK; i++) {
    p->status = marea_split(all->splitter, all->texts[i], count_piece, p->own);
    p->own->document_count++;
    p->failed_text = i;
  }
  if (p->status == MAREA_OK) return;
  strncpy(p->message, marea_error_text(), sizeof p->message - 1); /* errors are per thread */
}

static marea_status merge(marea_vocabulary *v, const marea_vocabulary *from) {
  for (size_t i = 0; i < from->word_count; i++) {
    const marea_word *theirs = &from->words[i];
    int32_t place = add_hashed(v, from->pool + theirs->offset, theirs->length, theirs->hash);
    if (place < 0) return marea_error_code();
    v->words[place].count += theirs->count;
    v->words[place].documents += theirs->documents;
  }
  v->document_count += from->document_count;
  return MAREA_OK;
}

/* Cuts the list after so many bytes; returns the number of portions. */
static size_t cut_list(const marea_text *texts, size_t count, portion *portions) {
  size_t number = 0, bytes = 0, first = 0;
  for (size_t i = 0; i < count; i++) {
    bytes += texts[i].length + 1;
    if (bytes < PIECE_BYTES && i + 1 < count) continue;
    if (portions != NULL) portions[number] = (portion){.first = first, .last = i + 1};
    number++;
    first = i + 1;
    bytes = 0;
  }
  return number;
}

marea_status marea_vocabulary_count(marea_vocabulary *v, const marea_splitter *splitter,
                                    const marea_text *texts, size_t count) {
  size_t number = cut_list(texts, count, NULL);
  portion *portions = marea_alloc_zero(number, sizeof *portions);
  if (portions == NULL) return MAREA_NOMEM;
  cut_list(texts, count, portions);
  counting all = {splitter, texts, portions};
  marea_parallel(number, count_portion, &all);
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < number; i++) {
    const portion *p = &portions[i];
    if (status == MAREA_OK && p->status == MAREA_FORMAT)
      status = marea_fail(MAREA_FORMAT, "text %zu: %s", p->failed_text + 1, p->message);
    else if (status == MAREA_OK && p->status != MAREA_OK)
      status = marea_fail(p->status, "%s", p->message);
    if (status == MAREA_OK) status = merge(v, p->own);
    marea_vocabulary_free(p->own);
  }
  marea_free(portions);
  return status;
}

/* ---- ranking ---- */

typedef struct ranked {
  int64_t count;
  int32_t place;
} ranked;

static int compare_ranked(const void *left, const void *right) {
  const ranked *a = left, *b = right;
  if (a->count != b->count) return a->count > b->count ? -1 : 1;
  return a->place < b->place ? -1 : a->place > b->place;
}

marea_status marea_vocabulary_rank(marea_vocabulary *v) {
  size_t n = v->word_count;
  ranked *order = marea_alloc_array(n, sizeof *order);
  int32_t *ranking = marea_alloc_array(n, sizeof *ranking);
  int32_t *rank_of = marea_alloc_array(n, sizeof *rank_of);
  if (order == NULL || ranking == NULL || rank_of == NULL) {
    marea_free(order);
    marea_free(ranking);
    marea_free(rank_of);
    return MAREA_NOMEM;
  }
  for (size_t i = 0; i < n; i++) order[i] = (ranked){v->words[i].count, (int32_t)i};
  qsort(order, n, sizeof *order, compare_ranked);
  for (size_t i = 0; i < n; i++) {
    ranking[i] = order[i].place;
    rank_of[order[i].place] = (int32_t)i;
  }
  marea_free(order);
  marea_free(v->ranking);
  marea_free(v->rank_of);
  v->ranking = ranking;
  v->rank_of = rank_of;
  return MAREA_OK;
}

uint64_t marea_vocabulary_hash(const marea_vocabulary *v) {
  uint64_t hash = v->word_count;
  for (size_t i = 0; i < v->word_count; i++) {
    const marea_word *word = &v->words[i];
    hash = marea_hash_bytes(v->pool + word->offset, word->length, hash) + (uint64_t)word->count;
  }
  return mix(hash);
}

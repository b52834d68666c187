#include "embed/lexicon.h"

#include <string.h>

#include "base/memory.h"
#include "text/vocabulary/vocabulary.h"

enum { FIRST_SLOTS = 64, FIRST_WORDS = 64, POOL_PER_WORD = 8 };

static const uint64_t HASH_SEED = 0x6d61726561u; /* the table is part of files: never changed */

static size_t home(const marea_lexicon *lexicon, const char *bytes, size_t length) {
  return (size_t)marea_hash_bytes(bytes, length, HASH_SEED) & (lexicon->slot_count - 1);
}

static size_t slots_for(size_t words) {
  size_t slots = FIRST_SLOTS;
  while (slots / 8 * 5 < words && slots < SIZE_MAX / 16) slots *= 2;
  return slots;
}

marea_status marea_lexicon_init(marea_lexicon *lexicon, size_t words) {
  *lexicon = (marea_lexicon){.capacity = words < FIRST_WORDS ? FIRST_WORDS : words};
  lexicon->pool_capacity = lexicon->capacity * POOL_PER_WORD;
  lexicon->slot_count = slots_for(lexicon->capacity);
  lexicon->starts = marea_alloc_array(lexicon->capacity + 1, sizeof *lexicon->starts);
  if (lexicon->starts != NULL) lexicon->pool = marea_alloc(lexicon->pool_capacity);
  if (lexicon->pool != NULL)
    lexicon->slots = marea_alloc_zero(lexicon->slot_count, sizeof *lexicon->slots);
  if (lexicon->slots == NULL) {
    marea_lexicon_clear(lexicon);
    return MAREA_NOMEM;
  }
  lexicon->starts[0] = 0;
  return MAREA_OK;
}

void marea_lexicon_clear(marea_lexicon *lexicon) {
  if (!lexicon->borrowed) {
    marea_free(lexicon->starts);
    marea_free(lexicon->pool);
    marea_free(lexicon->slots);
  }
  *lexicon = (marea_lexicon){0};
}

marea_text marea_lexicon_word(const marea_lexicon *lexicon, size_t row) {
  uint64_t start = lexicon->starts[row];
  return (marea_text){lexicon->pool + start, (size_t)(lexicon->starts[row + 1] - start)};
}

int64_t marea_lexicon_find(const marea_lexicon *lexicon, const char *bytes, size_t length) {
  if (lexicon->count == 0 || length > MAREA_LONGEST_WORD) return -1;
  size_t mask = lexicon->slot_count - 1, slot = home(lexicon, bytes, length);
  for (size_t tried = 0; tried < lexicon->slot_count; tried++, slot = (slot + 1) & mask) {
    uint32_t entry = lexicon->slots[slot];
    if (entry == 0 || entry > lexicon->count) return -1; /* free; or a table that is broken */
    marea_text word = marea_lexicon_word(lexicon, entry - 1);
    if (word.length == length && memcmp(word.bytes, bytes, length) == 0) return entry - 1;
  }
  return -1;
}

static void put(marea_lexicon *lexicon, size_t row) {
  marea_text word = marea_lexicon_word(lexicon, row);
  size_t mask = lexicon->slot_count - 1, slot = home(lexicon, word.bytes, word.length);
  while (lexicon->slots[slot] != 0) slot = (slot + 1) & mask;
  lexicon->slots[slot] = (uint32_t)row + 1;
}

static marea_status grow_slots(marea_lexicon *lexicon) {
  uint32_t *wider = marea_alloc_zero(2 * lexicon->slot_count, sizeof *wider);
  if (wider == NULL) return MAREA_NOMEM;
  marea_free(lexicon->slots);
  lexicon->slots = wider;
  lexicon->slot_count *= 2;
  for (size_t row = 0; row < lexicon->count; row++) put(lexicon, row);
  return MAREA_OK;
}

static marea_status make_room(marea_lexicon *lexicon, size_t length) {
  size_t used = (size_t)lexicon->starts[lexicon->count];
  if (lexicon->count == lexicon->capacity) {
    size_t wider = lexicon->capacity + lexicon->capacity / 2;
    uint64_t *starts = marea_realloc(lexicon->starts, (wider + 1) * sizeof *starts);
    if (starts == NULL) return MAREA_NOMEM;
    lexicon->starts = starts;
    lexicon->capacity = wider;
  }
  if (used + length > lexicon->pool_capacity) {
    size_t wider = used + length + (used + length) / 4;
    char *pool = marea_realloc(lexicon->pool, wider);
    if (pool == NULL) return MAREA_NOMEM;
    lexicon->pool = pool;
    lexicon->pool_capacity = wider;
  }
  if (lexicon->count + 1 > lexicon->slot_count / 8 * 5) return grow_slots(lexicon);
  return MAREA_OK;
}

marea_status marea_lexicon_add(marea_lexicon *lexicon, const char *bytes, size_t length,
                               bool *is_new) {
  if (length > MAREA_LONGEST_WORD || lexicon->count >= UINT32_MAX - 1)
    return marea_fail(MAREA_RANGE, "a word has %zu bytes, expected at most %d; words: at most 2^32",
                      length, MAREA_LONGEST_WORD);
  *is_new = marea_lexicon_find(lexicon, bytes, length) < 0;
  if (!*is_new) return MAREA_OK;
  marea_status status = make_room(lexicon, length);
  if (status != MAREA_OK) return status;
  uint64_t start = lexicon->starts[lexicon->count];
  if (length > 0) memcpy(lexicon->pool + start, bytes, length);
  lexicon->starts[++lexicon->count] = start + length;
  put(lexicon, lexicon->count - 1);
  return MAREA_OK;
}

marea_status marea_lexicon_copy(marea_lexicon *to, const marea_lexicon *from) {
  marea_status status = marea_lexicon_init(to, from->count);
  for (size_t row = 0; row < from->count && status == MAREA_OK; row++) {
    bool is_new;
    marea_text word = marea_lexicon_word(from, row);
    status = marea_lexicon_add(to, word.bytes, word.length, &is_new);
    if (status == MAREA_OK && !is_new)
      status = marea_fail(MAREA_FORMAT, "word %zu is there twice", row + 1);
  }
  if (status != MAREA_OK) marea_lexicon_clear(to);
  return status;
}

bool marea_lexicon_sound(const marea_lexicon *lexicon, size_t pool_bytes) {
  size_t slots = lexicon->slot_count;
  if (slots == 0 || (slots & (slots - 1)) != 0 || lexicon->starts[0] != 0) return false;
  for (size_t i = 0; i < lexicon->count; i++)
    if (lexicon->starts[i + 1] < lexicon->starts[i]) return false;
  return lexicon->starts[lexicon->count] == pool_bytes;
}

size_t marea_lexicon_bytes(const marea_lexicon *lexicon) {
  return (lexicon->count + 1) * sizeof *lexicon->starts + (size_t)lexicon->starts[lexicon->count] +
         lexicon->slot_count * sizeof *lexicon->slots;
}

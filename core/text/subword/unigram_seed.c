/* Seed pieces of Unigram. Places in the text are grouped by what follows them, one character more
 * at each step: a group whose next characters differ is a substring to take (a node of the suffix
 * tree), and splits into the groups of the next step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/subword/unigram_internal.h"

/* A place in the text and the character that is looked at. */
typedef struct place {
  int32_t code;
  uint32_t at;
} place;

typedef struct seed {
  uint64_t score;
  uint32_t begin, end; /* bytes of the text */
} seed;

typedef struct group {
  size_t first, count;
} group;

typedef struct seeder {
  const marea_vocabulary *words;
  size_t longest;
  int32_t *codes;   /* the words' characters, a 0 behind each word */
  uint32_t *offset; /* per character: its byte in the words' pool, and one more at the end */
  size_t count;
  place *places;
  group *groups, *next_groups;
  size_t group_count, group_capacity, next_count, next_capacity;
  seed *seeds;
  size_t seed_count, seed_capacity;
} seeder;

static int by_code(const void *left, const void *right) {
  const place *a = left, *b = right;
  if (a->code != b->code) return a->code < b->code ? -1 : 1;
  return a->at < b->at ? -1 : a->at > b->at;
}

static marea_status read_words(seeder *s) {
  size_t room = s->words->pool_bytes + s->words->word_count + 1;
  if (room >= UINT32_MAX) return marea_fail(MAREA_RANGE, "the words have more than 2^32 bytes");
  s->codes = marea_alloc_array(room, sizeof *s->codes);
  s->offset = marea_alloc_array(room, sizeof *s->offset);
  s->places = marea_alloc_array(room, sizeof *s->places);
  if (s->codes == NULL || s->offset == NULL || s->places == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < s->words->word_count; i++) {
    marea_text word = marea_vocabulary_word(s->words, (int32_t)i);
    for (size_t at = 0, width; at < word.length; at += width) {
      width = marea_utf8_decode(word.bytes + at, word.length - at, &s->codes[s->count]);
      if (width == 0)
        return marea_fail(MAREA_FORMAT, "byte %zu of the word \"%.*s\" is not valid UTF-8", at + 1,
                          (int)(word.length < 80 ? word.length : 80), word.bytes);
      s->offset[s->count++] = (uint32_t)(s->words->words[i].offset + at);
    }
    s->offset[s->count] = (uint32_t)(s->words->words[i].offset + word.length);
    s->codes[s->count++] = 0;
  }
  return MAREA_OK;
}

static marea_status add_group(seeder *s, size_t first, size_t count) {
  group *groups = marea_grow(s->next_groups, &s->next_capacity, s->next_count + 1, sizeof *groups);
  if (groups == NULL) return MAREA_NOMEM;
  s->next_groups = groups;
  s->next_groups[s->next_count++] = (group){first, count};
  return MAREA_OK;
}

static marea_status add_seed(seeder *s, const place *any, size_t length, size_t count) {
  seed *seeds = marea_grow(s->seeds, &s->seed_capacity, s->seed_count + 1, sizeof *seeds);
  if (seeds == NULL) return MAREA_NOMEM;
  s->seeds = seeds;
  s->seeds[s->seed_count++] =
      (seed){(uint64_t)count * length, s->offset[any->at], s->offset[any->at + length]};
  return MAREA_OK;
}

/* One group whose places share `length` characters. */
static marea_status split_group(seeder *s, group g, size_t length) {
  place *p = s->places + g.first;
  for (size_t i = 0; i < g.count; i++) p[i].code = s->codes[p[i].at + length];
  qsort(p, g.count, sizeof *p, by_code);
  marea_status status = MAREA_OK;
  if (length > 1 && p[0].code != p[g.count - 1].code) status = add_seed(s, p, length, g.count);
  for (size_t i = 0, end; i < g.count && status == MAREA_OK; i = end) {
    for (end = i + 1; end < g.count && p[end].code == p[i].code; end++) continue;
    if (end - i > 1 && p[i].code != 0) status = add_group(s, g.first + i, end - i);
  }
  return status;
}

static marea_status find_substrings(seeder *s) {
  for (size_t i = 0; i < s->count; i++) s->places[i].at = (uint32_t)i;
  marea_status status = s->count > 0 ? add_group(s, 0, s->count) : MAREA_OK;
  for (size_t length = 0; length <= s->longest && s->next_count > 0; length++) {
    group *groups = s->next_groups;
    size_t count = s->next_count, capacity = s->next_capacity;
    s->next_groups = s->groups;
    s->next_capacity = s->group_capacity;
    s->groups = groups;
    s->group_capacity = capacity;
    s->next_count = 0;
    for (size_t i = 0; i < count && status == MAREA_OK; i++)
      status = split_group(s, groups[i], length);
    if (status != MAREA_OK) return status;
  }
  return status;
}

/* ---- order ---- */

static _Thread_local const char *pool; /* qsort passes no context */

static int compare_seeds(const void *left, const void *right) {
  const seed *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  size_t m = a->end - a->begin, n = b->end - b->begin;
  int order = memcmp(pool + a->begin, pool + b->begin, m < n ? m : n);
  return order != 0 ? -order : m > n ? -1 : m < n;
}

typedef struct counted {
  uint64_t count;
  int32_t code;
} counted;

static int compare_counted(const void *left, const void *right) {
  const counted *a = left, *b = right;
  if (a->count != b->count) return a->count > b->count ? -1 : 1;
  return a->code > b->code ? -1 : a->code < b->code;
}

/* Every character with its count, the most frequent first. */
static marea_status add_characters(const seeder *s, unigram_pieces *pieces) {
  enum { CODES = 0x110000 };
  counted *table = marea_alloc_zero(CODES, sizeof *table);
  if (table == NULL) return MAREA_NOMEM;
  size_t at = 0, used = 0;
  for (size_t w = 0; w < s->words->word_count; w++, at++)
    for (; s->offset[at] < s->words->words[w].offset + s->words->words[w].length; at++)
      table[s->codes[at]].count += (uint64_t)s->words->words[w].count;
  for (int32_t code = 1; code < CODES; code++)
    if (table[code].count > 0) table[used++] = (counted){table[code].count, code};
  qsort(table, used, sizeof *table, compare_counted);
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < used && status == MAREA_OK; i++) {
    char bytes[4];
    size_t width = marea_utf8_encode(table[i].code, bytes);
    status = unigram_pieces_add(pieces, (marea_text){bytes, width}, (double)table[i].count);
  }
  marea_free(table);
  return status;
}

static marea_status add_substrings(seeder *s, size_t seed_size, unigram_pieces *pieces) {
  pool = s->words->pool;
  if (s->seed_count > 0) qsort(s->seeds, s->seed_count, sizeof *s->seeds, compare_seeds);
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < s->seed_count && status == MAREA_OK; i++) {
    const seed *x = &s->seeds[i];
    status = unigram_pieces_add(pieces, (marea_text){pool + x->begin, x->end - x->begin},
                                (double)x->score);
    if (unigram_pieces_count(pieces) - 1 >= seed_size) break;
  }
  return status;
}

static void to_log_probabilities(unigram_pieces *pieces) {
  double sum = 0;
  size_t n = unigram_pieces_count(pieces);
  for (size_t i = 1; i < n; i++) sum += pieces->scores[i];
  for (size_t i = 1; i < n; i++) pieces->scores[i] = log(pieces->scores[i]) - log(sum);
}

marea_status unigram_seed(const marea_vocabulary *words, size_t max_piece_length, size_t seed_size,
                          unigram_pieces *pieces) {
  seeder s = {.words = words, .longest = max_piece_length};
  marea_status status = read_words(&s);
  if (status == MAREA_OK) status = find_substrings(&s);
  if (status == MAREA_OK) status = add_characters(&s, pieces);
  if (status == MAREA_OK) status = add_substrings(&s, seed_size, pieces);
  if (status == MAREA_OK) to_log_probabilities(pieces);
  marea_free(s.codes);
  marea_free(s.offset);
  marea_free(s.places);
  marea_free(s.groups);
  marea_free(s.next_groups);
  marea_free(s.seeds);
  return status;
}

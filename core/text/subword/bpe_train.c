/* Byte-pair encoding and WordPiece, trained by the rules of Hugging Face's tokenizers: special
 * tokens first, then the alphabet by code point, then the junctions of the pair that occurs most
 * often (ties: the pair of smaller ids), until the vocabulary is full.
 *
 * Counts are kept up to date: a merge touches only the words that hold its pair. A heap hands out
 * pairs by the count they had when they went in; one whose count has changed goes back. */
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "text/subword/byte_alphabet.h"
#include "text/subword/subword_internal.h"

/* A list of words in the pool of links. */
typedef struct link {
  int32_t word, next; /* next: -1: the last */
} link;

/* A pair that waits in the heap with the words where it appeared. */
typedef struct pair_entry {
  int64_t count;
  uint64_t key;
  int32_t first; /* link */
} pair_entry;

typedef struct pair_state {
  int64_t count;
  uint64_t key;
  int32_t first; /* words since it last went into the heap; -1: none */
} pair_state;

typedef struct trainer {
  const marea_vocabulary *words;
  const marea_subword_options *options;
  const marea_subword_training *training;
  marea_vocabulary *pieces; /* places are ids */
  int32_t *lengths;         /* per piece, in characters */
  size_t length_capacity;
  int32_t *symbols; /* of all words, one after the other */
  size_t *starts;   /* per word */
  int32_t *counts;  /* symbols left, per word */
  marea_pair_table index;
  pair_state *pairs;
  size_t pair_count, pair_capacity;
  int32_t *touched; /* pairs that appeared since the last merge */
  size_t touched_count, touched_capacity;
  link *links;
  size_t link_count, link_capacity;
  int32_t free_link;
  pair_entry *heap;
  size_t heap_count, heap_capacity;
  subword_merge *merges;
  size_t merge_count, merge_capacity;
} trainer;

static void trainer_clear(trainer *t) {
  marea_vocabulary_free(t->pieces);
  marea_pair_clear(&t->index);
  marea_free(t->lengths);
  marea_free(t->symbols);
  marea_free(t->starts);
  marea_free(t->counts);
  marea_free(t->pairs);
  marea_free(t->touched);
  marea_free(t->links);
  marea_free(t->heap);
  marea_free(t->merges);
}

/* ---- pieces ---- */

/* The piece's id; -1: MAREA_NOMEM. `length` in characters counts when it is new. */
static int32_t add_piece(trainer *t, const char *bytes, size_t size, int32_t length) {
  size_t before = t->pieces->word_count;
  int32_t id = marea_vocabulary_add(t->pieces, bytes, size);
  if (id < 0) return -1;
  int32_t *lengths =
      marea_grow(t->lengths, &t->length_capacity, t->pieces->word_count, sizeof *lengths);
  if (lengths == NULL) return -1;
  t->lengths = lengths;
  if (t->pieces->word_count > before) t->lengths[id] = length;
  return id;
}

/* The next character of a word: of its bytes' spelling when the model is byte-level. Returns its
 * bytes in the word, 0 when they are no UTF-8. */
static size_t next_character(const trainer *t, const char *bytes, size_t left, int32_t *code) {
  if (!t->options->byte_level) return marea_utf8_decode(bytes, left, code);
  *code = marea_byte_character((unsigned char)bytes[0]);
  return 1;
}

typedef struct character {
  int32_t code;
  uint64_t count;
} character;

static int by_code(const void *left, const void *right) {
  const character *a = left, *b = right;
  return a->code < b->code ? -1 : a->code > b->code;
}

/* The least frequent first; of equal ones the larger code point. */
static int by_count(const void *left, const void *right) {
  const character *a = left, *b = right;
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  return a->code > b->code ? -1 : a->code < b->code;
}

static marea_status bad_word(const trainer *t, size_t word) {
  marea_text text = marea_vocabulary_word(t->words, (int32_t)word);
  return marea_fail(MAREA_FORMAT, "byte %zu of the word \"%.*s\" is not valid UTF-8",
                    marea_utf8_invalid(text) + 1, (int)(text.length < 80 ? text.length : 80),
                    text.bytes);
}

/* Counts the characters of all words; table[code]. */
static marea_status count_characters(const trainer *t, uint64_t *table) {
  for (size_t i = 0; i < t->words->word_count; i++) {
    marea_text word = marea_vocabulary_word(t->words, (int32_t)i);
    int32_t code = 0;
    for (size_t at = 0, width; at < word.length; at += width) {
      width = next_character(t, word.bytes + at, word.length - at, &code);
      if (width == 0) return bad_word(t, i);
      table[code] += (uint64_t)t->words->words[i].count;
    }
  }
  marea_text wanted = t->training->alphabet;
  for (size_t at = 0, width; at < wanted.length; at += width) {
    int32_t code;
    width = marea_utf8_decode(wanted.bytes + at, wanted.length - at, &code);
    if (width == 0) return marea_fail(MAREA_FORMAT, "the initial alphabet is not valid UTF-8");
    table[code] = UINT64_MAX;
  }
  return MAREA_OK;
}

/* Adds the kept characters as pieces, by code point. */
static marea_status keep_characters(trainer *t, character *list, size_t count) {
  size_t limit = t->training->limit_alphabet, drop = 0;
  if (limit > 0 && limit < count) {
    qsort(list, count, sizeof *list, by_count);
    drop = count - limit;
  }
  qsort(list + drop, count - drop, sizeof *list, by_code);
  for (size_t i = drop; i < count; i++) {
    char bytes[4];
    if (add_piece(t, bytes, marea_utf8_encode(list[i].code, bytes), 1) < 0)
      return marea_error_code();
  }
  return MAREA_OK;
}

static marea_status make_alphabet(trainer *t) {
  enum { CODES = 0x110000 };
  size_t count = 0;
  uint64_t *table = marea_alloc_zero(CODES, sizeof *table);
  character *list = NULL;
  marea_status status = table == NULL ? MAREA_NOMEM : count_characters(t, table);
  if (status == MAREA_OK) {
    for (int32_t code = 0; code < CODES; code++) count += table[code] > 0;
    list = marea_alloc_array(count, sizeof *list);
    if (list == NULL) status = MAREA_NOMEM;
  }
  if (status == MAREA_OK) {
    count = 0;
    for (int32_t code = 0; code < CODES; code++)
      if (table[code] > 0) list[count++] = (character){code, table[code]};
    status = keep_characters(t, list, count);
  }
  marea_free(table);
  marea_free(list);
  return status;
}

/* ---- words as symbols ---- */

/* The symbol of a character in its place; -1: not in the alphabet; -2: MAREA_NOMEM. */
static int32_t symbol_of(trainer *t, int32_t code, bool first, bool last, char *room) {
  const marea_subword_options *o = t->options;
  char *to = room + o->prefix.length;
  size_t width = marea_utf8_encode(code, to), size = width;
  int32_t id = marea_vocabulary_find(t->pieces, to, width);
  if (id < 0 || (first && !last)) return id;
  if (!first && o->prefix.length > 0) {
    memcpy(room, o->prefix.bytes, o->prefix.length);
    to = room;
    size += o->prefix.length;
  }
  if (last && o->suffix.length > 0) {
    memcpy(to + size, o->suffix.bytes, o->suffix.length);
    size += o->suffix.length;
  }
  if (size == width) return id;
  id = add_piece(t, to, size, 1);
  return id < 0 ? -2 : id;
}

static marea_status cut_word(trainer *t, size_t number, size_t *used, char *room) {
  marea_text word = marea_vocabulary_word(t->words, (int32_t)number);
  t->starts[number] = *used;
  for (size_t at = 0, width; at < word.length; at += width) {
    int32_t code = 0;
    width = next_character(t, word.bytes + at, word.length - at, &code);
    int32_t id = symbol_of(t, code, at == 0, at + width == word.length, room);
    if (id == -2) return MAREA_NOMEM;
    if (id >= 0) t->symbols[(*used)++] = id;
  }
  t->counts[number] = (int32_t)(*used - t->starts[number]);
  return MAREA_OK;
}

static marea_status cut_words(trainer *t) {
  size_t count = t->words->word_count, used = 0;
  if (t->words->pool_bytes > INT32_MAX)
    return marea_fail(MAREA_RANGE, "the words have more than 2^31 bytes");
  t->symbols = marea_alloc_array(t->words->pool_bytes, sizeof *t->symbols);
  t->starts = marea_alloc_array(count, sizeof *t->starts);
  t->counts = marea_alloc_array(count, sizeof *t->counts);
  char *room = marea_alloc(t->options->prefix.length + t->options->suffix.length + 4);
  marea_status status = MAREA_OK;
  if (t->symbols == NULL || t->starts == NULL || t->counts == NULL || room == NULL)
    status = MAREA_NOMEM;
  for (size_t i = 0; i < count && status == MAREA_OK; i++) status = cut_word(t, i, &used, room);
  marea_free(room);
  return status;
}

/* ---- pairs ---- */

static marea_status new_link(trainer *t, int32_t word, int32_t next, int32_t *at) {
  *at = t->free_link;
  if (*at >= 0) {
    t->free_link = t->links[*at].next;
  } else {
    if (t->link_count >= INT32_MAX - 1) return marea_fail(MAREA_RANGE, "too many pairs");
    link *links = marea_grow(t->links, &t->link_capacity, t->link_count + 1, sizeof *links);
    if (links == NULL) return MAREA_NOMEM;
    t->links = links;
    *at = (int32_t)t->link_count++;
  }
  t->links[*at] = (link){word, next};
  return MAREA_OK;
}

static pair_state *pair_of(trainer *t, uint64_t key) {
  int32_t *number = marea_pair_put(&t->index, key, (int32_t)t->pair_count);
  if (number == NULL) return NULL;
  if ((size_t)*number < t->pair_count) return &t->pairs[*number];
  pair_state *pairs = marea_grow(t->pairs, &t->pair_capacity, t->pair_count + 1, sizeof *pairs);
  if (pairs == NULL) return NULL;
  t->pairs = pairs;
  t->pairs[t->pair_count] = (pair_state){.key = key, .first = -1};
  return &t->pairs[t->pair_count++];
}

/* Notes that a pair appeared (or, when change is negative, vanished) in a word. */
static marea_status change_pair(trainer *t, int32_t left, int32_t right, int32_t word,
                                int64_t change) {
  pair_state *p = pair_of(t, marea_pair_key(left, right));
  if (p == NULL) return marea_error_code();
  p->count += change * t->words->words[word].count;
  if (change < 0) return MAREA_OK;
  if (p->first >= 0 && t->links[p->first].word == word) return MAREA_OK;
  if (p->first < 0) {
    int32_t *touched =
        marea_grow(t->touched, &t->touched_capacity, t->touched_count + 1, sizeof *touched);
    if (touched == NULL) return MAREA_NOMEM;
    t->touched = touched;
    t->touched[t->touched_count++] = (int32_t)(p - t->pairs);
  }
  return new_link(t, word, p->first, &p->first);
}

static bool goes_before(const pair_entry *a, const pair_entry *b) {
  return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static marea_status heap_push(trainer *t, pair_entry entry) {
  pair_entry *heap = marea_grow(t->heap, &t->heap_capacity, t->heap_count + 1, sizeof *heap);
  if (heap == NULL) return MAREA_NOMEM;
  t->heap = heap;
  size_t at = t->heap_count++;
  for (; at > 0 && goes_before(&entry, &t->heap[(at - 1) / 2]); at = (at - 1) / 2)
    t->heap[at] = t->heap[(at - 1) / 2];
  t->heap[at] = entry;
  return MAREA_OK;
}

static pair_entry heap_pop(trainer *t) {
  pair_entry top = t->heap[0], last = t->heap[--t->heap_count];
  size_t at = 0, n = t->heap_count;
  for (size_t child = 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && goes_before(&t->heap[child + 1], &t->heap[child])) child++;
    if (!goes_before(&t->heap[child], &last)) break;
    t->heap[at] = t->heap[child];
    at = child;
  }
  if (n > 0) t->heap[at] = last;
  return top;
}

static void free_links(trainer *t, int32_t first) {
  while (first >= 0) {
    int32_t next = t->links[first].next;
    t->links[first].next = t->free_link;
    t->free_link = first;
    first = next;
  }
}

/* The pairs that appeared since the last time go into the heap with their words. */
static marea_status queue_touched(trainer *t) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < t->touched_count && status == MAREA_OK; i++) {
    pair_state *p = &t->pairs[t->touched[i]];
    if (p->count > 0)
      status = heap_push(t, (pair_entry){p->count, p->key, p->first});
    else
      free_links(t, p->first);
    p->first = -1;
  }
  t->touched_count = 0;
  return status;
}

static marea_status count_pairs(trainer *t) {
  marea_status status = MAREA_OK;
  for (size_t w = 0; w < t->words->word_count && status == MAREA_OK; w++) {
    const int32_t *s = t->symbols + t->starts[w];
    for (int32_t i = 0; i + 1 < t->counts[w] && status == MAREA_OK; i++)
      status = change_pair(t, s[i], s[i + 1], (int32_t)w, 1);
  }
  return status == MAREA_OK ? queue_touched(t) : status;
}

/* ---- merging ---- */

static bool fits(const trainer *t, int32_t left, int32_t right) {
  size_t most = t->training->max_token_length;
  return most == 0 || (size_t)t->lengths[left] + (size_t)t->lengths[right] < most;
}

/* The pair at s[i], s[i+1] becomes one symbol: what that changes around it. The symbol before it is
 * s[kept-1], the one after it s[i+2]. */
static marea_status change_neighbours(trainer *t, int32_t word, const int32_t *s, int32_t i,
                                      int32_t kept, int32_t result) {
  marea_status status = MAREA_OK;
  if (kept > 0) {
    status = change_pair(t, s[kept - 1], s[i], word, -1);
    if (status == MAREA_OK && fits(t, s[kept - 1], result))
      status = change_pair(t, s[kept - 1], result, word, 1);
  }
  if (i + 2 < t->counts[word] && status == MAREA_OK) {
    status = change_pair(t, s[i + 1], s[i + 2], word, -1);
    if (status == MAREA_OK && fits(t, result, s[i + 2]))
      status = change_pair(t, result, s[i + 2], word, 1);
  }
  return status;
}

static marea_status merge_in_word(trainer *t, int32_t word, int32_t left, int32_t right,
                                  int32_t result) {
  int32_t *s = t->symbols + t->starts[word], count = t->counts[word], kept = 0;
  marea_status status = MAREA_OK;
  for (int32_t i = 0; i < count && status == MAREA_OK; i++) {
    int32_t symbol = s[i];
    if (symbol == left && i + 1 < count && s[i + 1] == right) {
      status = change_neighbours(t, word, s, i, kept, result);
      symbol = result;
      i++;
    }
    s[kept++] = symbol;
  }
  t->counts[word] = kept;
  return status;
}

/* The junction's piece, new unless there is one; -1: MAREA_NOMEM. */
static int32_t join(trainer *t, int32_t left, int32_t right) {
  marea_text a = marea_vocabulary_word(t->pieces, left);
  marea_text b = marea_vocabulary_word(t->pieces, right), prefix = t->options->prefix;
  if (prefix.length > 0 && b.length >= prefix.length &&
      memcmp(b.bytes, prefix.bytes, prefix.length) == 0) {
    b.bytes += prefix.length;
    b.length -= prefix.length;
  }
  char *room = marea_alloc(a.length + b.length);
  if (room == NULL) return -1;
  memcpy(room, a.bytes, a.length);
  memcpy(room + a.length, b.bytes, b.length);
  int32_t id = add_piece(t, room, a.length + b.length, t->lengths[left] + t->lengths[right]);
  marea_free(room);
  return id;
}

static marea_status carry_out(trainer *t, const pair_entry *top) {
  int32_t left = (int32_t)(top->key >> 32), right = (int32_t)(top->key & UINT32_MAX);
  int32_t result = join(t, left, right);
  if (result < 0) return marea_error_code();
  subword_merge *merges =
      marea_grow(t->merges, &t->merge_capacity, t->merge_count + 1, sizeof *merges);
  if (merges == NULL) return MAREA_NOMEM;
  t->merges = merges;
  t->merges[t->merge_count++] = (subword_merge){left, right, result};
  marea_status status = MAREA_OK;
  for (int32_t at = top->first; at >= 0 && status == MAREA_OK; at = t->links[at].next)
    status = merge_in_word(t, t->links[at].word, left, right, result);
  free_links(t, top->first);
  return status == MAREA_OK ? queue_touched(t) : status;
}

static marea_status merge_pairs(trainer *t) {
  marea_status status = MAREA_OK;
  while (t->pieces->word_count < t->training->vocab_size && t->heap_count > 0 &&
         status == MAREA_OK) {
    pair_entry top = heap_pop(t);
    int64_t now = t->pairs[marea_pair_find(&t->index, top.key)].count;
    if (top.count != now) {
      top.count = now;
      status = heap_push(t, top);
      continue;
    }
    if (now < 1 || now < t->training->min_frequency) break;
    if (marea_interrupted()) return marea_fail(MAREA_INTERRUPTED, "interrupted");
    status = carry_out(t, &top);
  }
  return status;
}

/* ---- the whole ---- */

static marea_subword *make_model(const trainer *t) {
  marea_subword *m = marea_subword_new(t->options);
  if (m == NULL) return NULL;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < t->pieces->word_count && status == MAREA_OK; i++)
    status = marea_subword_add(m, marea_vocabulary_word(t->pieces, (int32_t)i), (int32_t)i, 0);
  if (t->options->kind == MAREA_BPE)
    for (size_t i = 0; i < t->merge_count && status == MAREA_OK; i++)
      status = marea_subword_merge(m, marea_vocabulary_word(t->pieces, t->merges[i].left),
                                   marea_vocabulary_word(t->pieces, t->merges[i].right));
  if (status == MAREA_OK) status = marea_subword_finish(m);
  if (status == MAREA_OK) return m;
  marea_subword_free(m);
  return NULL;
}

static marea_status add_specials(trainer *t) {
  const marea_text *specials = t->training->specials;
  for (size_t i = 0; i < t->training->special_count; i++)
    if (add_piece(t, specials[i].bytes, specials[i].length, 1) < 0) return marea_error_code();
  return MAREA_OK;
}

marea_subword *subword_train_bpe(const marea_vocabulary *words,
                                 const marea_subword_options *options,
                                 const marea_subword_training *training) {
  trainer t = {.words = words, .options = options, .training = training, .free_link = -1};
  marea_subword *model = NULL;
  t.pieces = marea_vocabulary_new();
  if (t.pieces != NULL && add_specials(&t) == MAREA_OK && make_alphabet(&t) == MAREA_OK &&
      cut_words(&t) == MAREA_OK && count_pairs(&t) == MAREA_OK && merge_pairs(&t) == MAREA_OK)
    model = make_model(&t);
  trainer_clear(&t);
  return model;
}

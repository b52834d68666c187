#include "text/subword/subword.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/subword/byte_alphabet.h"
#include "text/subword/subword_internal.h"

enum { DEFAULT_CHARACTERS = 100, SHOWN = 80 };

static const double unknown_penalty = 10; /* below the least probable piece (Kudo, 2018) */

/* For messages: the text's beginning, as an int length for "%.*s". */
static int shown(marea_text text) {
  return text.length < SHOWN ? (int)text.length : SHOWN;
}

/* ---- making ---- */

static marea_status copy_options(marea_subword *m, const marea_subword_options *o) {
  marea_text *texts[] = {&m->options.unknown, &m->options.prefix, &m->options.suffix};
  m->options = *o;
  if (m->options.max_characters == 0) m->options.max_characters = DEFAULT_CHARACTERS;
  m->option_bytes = marea_alloc(o->unknown.length + o->prefix.length + o->suffix.length + 1);
  if (m->option_bytes == NULL) return MAREA_NOMEM;
  char *to = m->option_bytes;
  for (int i = 0; i < 3; i++) {
    if (texts[i]->length > 0) memcpy(to, texts[i]->bytes, texts[i]->length);
    if (i > 0 || texts[i]->bytes != NULL) texts[i]->bytes = to; /* no unknown piece: NULL */
    to += texts[i]->length;
  }
  return MAREA_OK;
}

static marea_status check_options(const marea_subword_options *o) {
  if (!(o->dropout >= 0 && o->dropout <= 1))
    return marea_fail(MAREA_RANGE, "dropout is %g, expected 0 to 1", o->dropout);
  if (o->kind != MAREA_BPE && (o->byte_level || o->ignore_merges || o->dropout > 0))
    return marea_fail(MAREA_ARGUMENT, "byte_level, ignore_merges and dropout belong to BPE");
  if (o->byte_level && (o->prefix.length > 0 || o->suffix.length > 0))
    return marea_fail(MAREA_ARGUMENT, "a byte-level model takes no prefix and no suffix");
  if (o->kind == MAREA_WORDPIECE && o->unknown.bytes == NULL)
    return marea_fail(MAREA_ARGUMENT, "WordPiece needs an unknown piece");
  return MAREA_OK;
}

marea_subword *marea_subword_new(const marea_subword_options *options) {
  if (check_options(options) != MAREA_OK) return NULL;
  marea_subword *m = marea_alloc_zero(1, sizeof *m);
  if (m == NULL) return NULL;
  m->unknown = m->continuing = -1;
  m->strings = marea_vocabulary_new();
  if (m->strings != NULL && copy_options(m, options) == MAREA_OK) return m;
  marea_subword_free(m);
  return NULL;
}

void marea_subword_free(marea_subword *m) {
  if (m == NULL) return;
  marea_vocabulary_free(m->strings);
  marea_pair_clear(&m->ranks);
  marea_trie_clear(&m->trie);
  marea_free(m->option_bytes);
  marea_free(m->entries);
  marea_free(m->id_of);
  marea_free(m->score_of);
  marea_free(m->merges);
  marea_free(m);
}

marea_status marea_subword_add(marea_subword *m, marea_text piece, int32_t id, double score) {
  if (m->finished) return marea_fail(MAREA_STATE, "the model is finished");
  if (id < 0) return marea_fail(MAREA_RANGE, "a piece's id must not be negative, got %d", (int)id);
  if (!isfinite(score))
    return marea_fail(MAREA_NONFINITE, "the score of \"%.*s\" is not finite", shown(piece),
                      piece.bytes);
  subword_entry *entries =
      marea_grow(m->entries, &m->entry_capacity, m->entry_count + 1, sizeof *entries);
  if (entries == NULL) return MAREA_NOMEM;
  m->entries = entries;
  if (m->options.kind != MAREA_UNIGRAM &&
      marea_vocabulary_find(m->strings, piece.bytes, piece.length) >= 0)
    return marea_fail(MAREA_ARGUMENT, "the piece \"%.*s\" comes twice", shown(piece), piece.bytes);
  int32_t place = marea_vocabulary_add(m->strings, piece.bytes, piece.length);
  if (place < 0) return marea_error_code();
  m->entries[m->entry_count++] = (subword_entry){id, place, score};
  return MAREA_OK;
}

/* The piece that a merge makes: left and right without its prefix. */
static int32_t junction(const marea_subword *m, marea_text left, marea_text right, char *room) {
  size_t skip = m->options.prefix.length;
  if (skip > right.length) skip = right.length;
  memcpy(room, left.bytes, left.length);
  memcpy(room + left.length, right.bytes + skip, right.length - skip);
  return marea_vocabulary_find(m->strings, room, left.length + right.length - skip);
}

static marea_status missing(marea_text left, marea_text right, const char *what) {
  return marea_fail(MAREA_ARGUMENT, "the merge of \"%.*s\" and \"%.*s\": %s is no piece",
                    shown(left), left.bytes, shown(right), right.bytes, what);
}

marea_status marea_subword_merge(marea_subword *m, marea_text left, marea_text right) {
  if (m->options.kind != MAREA_BPE) return marea_fail(MAREA_STATE, "only BPE has merges");
  if (m->merge_count >= INT32_MAX - 1) return marea_fail(MAREA_RANGE, "too many merges");
  int32_t first = marea_vocabulary_find(m->strings, left.bytes, left.length);
  int32_t second = marea_vocabulary_find(m->strings, right.bytes, right.length);
  if (first < 0) return missing(left, right, "the left one");
  if (second < 0) return missing(left, right, "the right one");
  char *room = marea_alloc(left.length + right.length);
  if (room == NULL) return MAREA_NOMEM;
  int32_t result = junction(m, left, right, room);
  marea_free(room);
  if (result < 0) return missing(left, right, "their junction");
  subword_merge *merges =
      marea_grow(m->merges, &m->merge_capacity, m->merge_count + 1, sizeof *merges);
  if (merges == NULL) return MAREA_NOMEM;
  m->merges = merges;
  int32_t *rank = marea_pair_put(&m->ranks, marea_pair_key(first, second), -1);
  if (rank == NULL) return MAREA_NOMEM;
  *rank = (int32_t)m->merge_count;
  m->merges[m->merge_count++] = (subword_merge){first, second, result};
  return MAREA_OK;
}

/* ---- finishing ---- */

static int compare_entries(const void *left, const void *right) {
  const subword_entry *a = left, *b = right;
  return a->id < b->id ? -1 : a->id > b->id;
}

static marea_status index_entries(marea_subword *m) {
  m->id_of = marea_alloc_array(m->strings->word_count, sizeof *m->id_of);
  m->score_of = marea_alloc_array(m->strings->word_count, sizeof *m->score_of);
  if (m->id_of == NULL || m->score_of == NULL) return MAREA_NOMEM;
  if (m->entry_count > 0) qsort(m->entries, m->entry_count, sizeof *m->entries, compare_entries);
  for (size_t i = 0; i < m->entry_count; i++) {
    const subword_entry *e = &m->entries[i];
    if (i > 0 && m->entries[i - 1].id == e->id) {
      marea_text a = marea_vocabulary_word(m->strings, m->entries[i - 1].place);
      marea_text b = marea_vocabulary_word(m->strings, e->place);
      return marea_fail(MAREA_ARGUMENT, "the pieces \"%.*s\" and \"%.*s\" have the same id %d",
                        shown(a), a.bytes, shown(b), b.bytes, (int)e->id);
    }
    m->id_of[e->place] = e->id;
    m->score_of[e->place] = e->score;
  }
  return MAREA_OK;
}

/* Pairs that came again keep their last rank only. */
static marea_status drop_repeated_merges(marea_subword *m) {
  size_t kept = 0;
  for (size_t i = 0; i < m->merge_count; i++) {
    subword_merge merge = m->merges[i];
    int32_t *rank = marea_pair_put(&m->ranks, marea_pair_key(merge.left, merge.right), 0);
    if (rank == NULL) return MAREA_NOMEM;
    if (*rank != (int32_t)i) continue;
    *rank = (int32_t)kept;
    m->merges[kept++] = merge;
  }
  m->merge_count = kept;
  return MAREA_OK;
}

static void index_bytes(marea_subword *m) {
  for (int byte = 0; byte < 256; byte++) {
    char name[8];
    size_t width = marea_utf8_encode(marea_byte_character((unsigned char)byte), name);
    m->byte_piece[byte] = marea_vocabulary_find(m->strings, name, width);
    width = (size_t)snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
    m->fallback_piece[byte] = marea_vocabulary_find(m->strings, name, width);
  }
}

static marea_status build_trie(marea_subword *m) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < m->strings->word_count && status == MAREA_OK; i++) {
    marea_text piece = marea_vocabulary_word(m->strings, (int32_t)i);
    if (piece.length > 0) status = marea_trie_add(&m->trie, piece, (int32_t)i);
  }
  m->continuing = marea_trie_walk(&m->trie, MAREA_TRIE_ROOT, m->options.prefix);
  return status;
}

static marea_status find_unknown(marea_subword *m) {
  marea_text name = m->options.unknown;
  double least = HUGE_VAL;
  for (size_t i = 0; i < m->entry_count; i++)
    if (m->entries[i].score < least) least = m->entries[i].score;
  m->unknown_score = least - unknown_penalty;
  if (name.bytes == NULL) return MAREA_OK;
  m->unknown = marea_vocabulary_find(m->strings, name.bytes, name.length);
  if (m->unknown >= 0) return MAREA_OK;
  return marea_fail(MAREA_ARGUMENT, "the unknown piece \"%.*s\" is not in the vocabulary",
                    shown(name), name.bytes);
}

marea_status marea_subword_finish(marea_subword *m) {
  if (m->finished) return marea_fail(MAREA_STATE, "the model is finished");
  m->finished = true;
  marea_status status = index_entries(m);
  if (status == MAREA_OK) status = find_unknown(m);
  if (status == MAREA_OK && m->options.kind != MAREA_BPE) status = build_trie(m);
  index_bytes(m);
  return status == MAREA_OK ? drop_repeated_merges(m) : status;
}

/* ---- reading ---- */

const marea_subword_options *marea_subword_options_of(const marea_subword *m) {
  return &m->options;
}

size_t marea_subword_count(const marea_subword *m) {
  return m->entry_count;
}

marea_text marea_subword_at(const marea_subword *m, size_t number, int32_t *id, double *score) {
  const subword_entry *e = &m->entries[number];
  *id = e->id;
  *score = e->score;
  return marea_vocabulary_word(m->strings, e->place);
}

bool marea_subword_piece(const marea_subword *m, int32_t id, marea_text *piece) {
  size_t low = 0, high = m->entry_count;
  if (id >= 0 && (size_t)id < high && m->entries[id].id == id) low = (size_t)id; /* no gaps */
  while (low < high && m->entries[low].id != id) {
    size_t middle = low + (high - low) / 2;
    if (m->entries[middle].id < id)
      low = middle + 1;
    else if (m->entries[middle].id > id)
      high = middle;
    else
      low = middle;
  }
  if (low >= high) return false;
  *piece = marea_vocabulary_word(m->strings, m->entries[low].place);
  return true;
}

int32_t marea_subword_id(const marea_subword *m, marea_text piece) {
  int32_t place = marea_vocabulary_find(m->strings, piece.bytes, piece.length);
  return place < 0 ? -1 : m->id_of[place];
}

size_t marea_subword_merges(const marea_subword *m) {
  return m->merge_count;
}

void marea_subword_merge_at(const marea_subword *m, size_t rank, marea_text *left,
                            marea_text *right) {
  *left = marea_vocabulary_word(m->strings, m->merges[rank].left);
  *right = marea_vocabulary_word(m->strings, m->merges[rank].right);
}

/* ---- training ---- */

marea_subword *marea_subword_train(const marea_vocabulary *words,
                                   const marea_subword_options *options,
                                   const marea_subword_training *training) {
  if (training->vocab_size == 0 || training->vocab_size >= INT32_MAX) {
    marea_fail(MAREA_RANGE, "vocab_size is %zu, expected 1 to %d", training->vocab_size,
               INT32_MAX - 1);
    return NULL;
  }
  return options->kind == MAREA_UNIGRAM ? subword_train_unigram(words, options, training)
                                        : subword_train_bpe(words, options, training);
}

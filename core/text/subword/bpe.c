/* Byte-pair encoding, applied: the waiting merge of the smallest rank goes first, the leftmost of
 * equal ones before the others. Short words are searched again for each merge; long ones keep their
 * merges in a heap, so that time grows as n log n. */
#include <string.h>

#include "base/memory.h"
#include "text/subword/byte_alphabet.h"
#include "text/subword/subword_internal.h"

/* ---- a word's first symbols ---- */

static marea_status add_symbol(marea_subword_worker *w, int32_t piece, size_t begin, size_t end) {
  subword_symbol *symbols =
      marea_grow(w->symbols, &w->symbol_capacity, w->symbol_count + 1, sizeof *symbols);
  if (symbols == NULL) return MAREA_NOMEM;
  w->symbols = symbols;
  w->symbols[w->symbol_count++] = (subword_symbol){piece, (uint32_t)begin, (uint32_t)end, -1, -1};
  return MAREA_OK;
}

/* An unknown character waits, so that its neighbours can join it. */
typedef struct waiting {
  bool any;
  size_t begin, end;
} waiting;

static marea_status flush(marea_subword_worker *w, waiting *unknown) {
  if (!unknown->any) return MAREA_OK;
  unknown->any = false;
  return add_symbol(w, w->model->unknown, unknown->begin, unknown->end);
}

static marea_status take_unknown(marea_subword_worker *w, waiting *unknown, const char *spelt,
                                 size_t width, size_t begin, size_t end) {
  const marea_subword *m = w->model;
  marea_status status = MAREA_OK;
  if (m->options.byte_fallback && subword_fallback(m, spelt, width)) {
    for (size_t i = 0; i < width && status == MAREA_OK; i++)
      status = add_symbol(w, m->fallback_piece[(unsigned char)spelt[i]], begin, end);
    return status;
  }
  if (m->unknown < 0) {
    w->dropped++;
    return MAREA_OK;
  }
  if (unknown->any && m->options.fuse_unknown) {
    unknown->end = end;
    return MAREA_OK;
  }
  status = flush(w, unknown);
  *unknown = (waiting){true, begin, end};
  return status;
}

static marea_status take_known(marea_subword_worker *w, waiting *unknown, int32_t piece,
                               size_t begin, size_t end) {
  marea_status status = flush(w, unknown);
  return status == MAREA_OK ? add_symbol(w, piece, begin, end) : status;
}

static marea_status byte_symbols(marea_subword_worker *w, const char *word, size_t length) {
  waiting unknown = {0};
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < length && status == MAREA_OK; i++) {
    int32_t piece = w->model->byte_piece[(unsigned char)word[i]];
    char spelt[4];
    if (piece >= 0) {
      status = take_known(w, &unknown, piece, i, i + 1);
    } else {
      size_t width = marea_bytes_spell(word + i, 1, spelt);
      status = take_unknown(w, &unknown, spelt, width, i, i + 1);
    }
  }
  return status == MAREA_OK ? flush(w, &unknown) : status;
}

static marea_status spelling_room(marea_subword_worker *w, size_t wanted) {
  char *spelling = marea_grow(w->spelling, &w->spelling_capacity, wanted, 1);
  if (spelling == NULL) return MAREA_NOMEM;
  w->spelling = spelling;
  return MAREA_OK;
}

/* The character with the prefix or suffix that its place in the word asks for. */
static size_t spell(const marea_subword_worker *w, const char *bytes, size_t width, bool first,
                    bool last) {
  const marea_subword_options *o = &w->model->options;
  char *to = w->spelling;
  if (!first) {
    memcpy(to, o->prefix.bytes, o->prefix.length);
    to += o->prefix.length;
  }
  memcpy(to, bytes, width);
  to += width;
  if (last) {
    memcpy(to, o->suffix.bytes, o->suffix.length);
    to += o->suffix.length;
  }
  return (size_t)(to - w->spelling);
}

static marea_status character_symbols(marea_subword_worker *w, const char *word, size_t length) {
  const marea_subword_options *o = &w->model->options;
  bool plain = o->prefix.length == 0 && o->suffix.length == 0;
  waiting unknown = {0};
  marea_status status = spelling_room(w, o->prefix.length + o->suffix.length + 4);
  for (size_t i = 0; i < length && status == MAREA_OK;) {
    int32_t code;
    size_t width = marea_utf8_decode(word + i, length - i, &code);
    if (width == 0) width = 1;
    const char *spelt = plain ? word + i : w->spelling;
    size_t bytes = plain ? width : spell(w, word + i, width, i == 0, i + width == length);
    int32_t piece = marea_vocabulary_find(w->model->strings, spelt, bytes);
    status = piece >= 0 ? take_known(w, &unknown, piece, i, i + width)
                        : take_unknown(w, &unknown, spelt, bytes, i, i + width);
    i += width;
  }
  return status == MAREA_OK ? flush(w, &unknown) : status;
}

/* ---- short words ---- */

static int32_t rank_of(const marea_subword *m, int32_t left, int32_t right) {
  return marea_pair_find(&m->ranks, marea_pair_key(left, right));
}

static void merge_short(marea_subword_worker *w) {
  const marea_subword *m = w->model;
  subword_symbol *s = w->symbols;
  size_t n = w->symbol_count;
  int32_t ranks[SHORT_WORD];
  for (size_t i = 0; i + 1 < n; i++) ranks[i] = rank_of(m, s[i].piece, s[i + 1].piece);
  for (;;) {
    size_t best = n;
    for (size_t i = 0; i + 1 < n; i++)
      if (ranks[i] >= 0 && (best == n || ranks[i] < ranks[best])) best = i;
    if (best == n) break;
    s[best].piece = m->merges[ranks[best]].result;
    s[best].end = s[best + 1].end;
    n--;
    for (size_t i = best + 1; i < n; i++) {
      s[i] = s[i + 1];
      ranks[i - 1] = ranks[i];
    }
    if (best > 0) ranks[best - 1] = rank_of(m, s[best - 1].piece, s[best].piece);
    if (best + 1 < n) ranks[best] = rank_of(m, s[best].piece, s[best + 1].piece);
  }
  w->symbol_count = n;
}

/* ---- long words and dropout ---- */

static bool goes_before(subword_candidate a, subword_candidate b) {
  return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static marea_status heap_push(marea_subword_worker *w, subword_candidate c) {
  subword_candidate *heap = marea_grow(w->heap, &w->heap_capacity, w->heap_count + 1, sizeof *heap);
  if (heap == NULL) return MAREA_NOMEM;
  w->heap = heap;
  size_t at = w->heap_count++;
  for (; at > 0 && goes_before(c, w->heap[(at - 1) / 2]); at = (at - 1) / 2)
    w->heap[at] = w->heap[(at - 1) / 2];
  w->heap[at] = c;
  return MAREA_OK;
}

static subword_candidate heap_pop(marea_subword_worker *w) {
  subword_candidate top = w->heap[0], last = w->heap[--w->heap_count];
  size_t at = 0, n = w->heap_count;
  for (size_t child = 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && goes_before(w->heap[child + 1], w->heap[child])) child++;
    if (!goes_before(w->heap[child], last)) break;
    w->heap[at] = w->heap[child];
    at = child;
  }
  if (n > 0) w->heap[at] = last;
  return top;
}

/* The merge of the symbol at `at` with its next one, if there is any, waits. */
static marea_status offer(marea_subword_worker *w, int32_t at) {
  const subword_symbol *s = w->symbols;
  if (at < 0 || s[at].next < 0) return MAREA_OK;
  int32_t rank = rank_of(w->model, s[at].piece, s[s[at].next].piece);
  return rank < 0 ? MAREA_OK : heap_push(w, (subword_candidate){rank, at});
}

static marea_status skip(marea_subword_worker *w, subword_candidate c) {
  subword_candidate *skipped =
      marea_grow(w->skipped, &w->skipped_capacity, w->skipped_count + 1, sizeof *skipped);
  if (skipped == NULL) return MAREA_NOMEM;
  w->skipped = skipped;
  w->skipped[w->skipped_count++] = c;
  return MAREA_OK;
}

/* Carries a merge out unless its symbols have changed since it was offered. */
static marea_status carry_out(marea_subword_worker *w, subword_candidate c) {
  subword_symbol *s = w->symbols, *left = &s[c.at];
  if (left->piece < 0 || left->next < 0) return MAREA_OK;
  subword_symbol *right = &s[left->next];
  if (rank_of(w->model, left->piece, right->piece) != c.rank) return MAREA_OK;
  left->piece = w->model->merges[c.rank].result;
  left->end = right->end;
  left->next = right->next;
  right->piece = -1;
  if (left->next >= 0) s[left->next].previous = c.at;
  marea_status status = offer(w, left->previous);
  return status == MAREA_OK ? offer(w, c.at) : status;
}

/* With dropout, a skipped merge comes back after the next one that is not skipped. */
static marea_status merge_long(marea_subword_worker *w, double dropout) {
  marea_status status = MAREA_OK;
  w->heap_count = w->skipped_count = 0;
  for (size_t i = 0; i < w->symbol_count; i++) {
    w->symbols[i].previous = (int32_t)i - 1;
    w->symbols[i].next = i + 1 < w->symbol_count ? (int32_t)i + 1 : -1;
  }
  for (size_t i = 0; i < w->symbol_count && status == MAREA_OK; i++) status = offer(w, (int32_t)i);
  while (w->heap_count > 0 && status == MAREA_OK) {
    subword_candidate top = heap_pop(w);
    if (dropout > 0 && marea_stream_uniform(&w->stream) < dropout) {
      status = skip(w, top);
      continue;
    }
    while (w->skipped_count > 0 && status == MAREA_OK)
      status = heap_push(w, w->skipped[--w->skipped_count]);
    if (status == MAREA_OK) status = carry_out(w, top);
  }
  return status;
}

/* ---- a word ---- */

/* The place of the whole word, when the model takes known words as they are. */
static marea_status whole_word(marea_subword_worker *w, const char *word, size_t length,
                               int32_t *place) {
  *place = -1;
  if (!w->model->options.ignore_merges) return MAREA_OK;
  if (w->model->options.byte_level) {
    marea_status status = spelling_room(w, 2 * length);
    if (status != MAREA_OK) return status;
    length = marea_bytes_spell(word, length, w->spelling);
    word = w->spelling;
  }
  *place = marea_vocabulary_find(w->model->strings, word, length);
  return MAREA_OK;
}

marea_status subword_bpe(marea_subword_worker *w, const char *word, size_t length) {
  int32_t whole;
  marea_status status = whole_word(w, word, length, &whole);
  if (status != MAREA_OK) return status;
  if (whole >= 0) return subword_push(w, whole, 0, length);
  w->symbol_count = 0;
  status = w->model->options.byte_level ? byte_symbols(w, word, length)
                                        : character_symbols(w, word, length);
  if (status != MAREA_OK) return status;
  double dropout = w->has_stream ? w->model->options.dropout : 0;
  if (dropout == 0 && w->symbol_count <= SHORT_WORD)
    merge_short(w);
  else
    status = merge_long(w, dropout);
  for (size_t i = 0; i < w->symbol_count && status == MAREA_OK; i++)
    if (w->symbols[i].piece >= 0)
      status = subword_push(w, w->symbols[i].piece, w->symbols[i].begin, w->symbols[i].end);
  return status;
}

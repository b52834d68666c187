/* The lattice of a word: every piece at every place, the best path and each piece's probability. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "text/subword/unigram_internal.h"

enum { BEGINNING = 0, END = 1 };

static const double unknown_penalty = 10;

/* ---- pieces ---- */

marea_status unigram_pieces_add(unigram_pieces *p, marea_text string, double score) {
  int32_t place = marea_vocabulary_add(p->strings, string.bytes, string.length);
  if (place < 0) return marea_error_code();
  double *scores = marea_grow(p->scores, &p->capacity, p->strings->word_count, sizeof *scores);
  if (scores == NULL) return MAREA_NOMEM;
  p->scores = scores;
  p->scores[place] = score;
  return MAREA_OK;
}

marea_status unigram_pieces_new(unigram_pieces *p) {
  *p = (unigram_pieces){.strings = marea_vocabulary_new()};
  if (p->strings == NULL) return MAREA_NOMEM;
  /* What is unknown: no string of a word equals it. */
  return unigram_pieces_add(p, (marea_text){"", 0}, (double)NAN);
}

void unigram_pieces_clear(unigram_pieces *p) {
  marea_vocabulary_free(p->strings);
  marea_free(p->scores);
  *p = (unigram_pieces){0};
}

/* ---- lattice ---- */

marea_status unigram_lattice_new(unigram_lattice *l, const unigram_pieces *pieces) {
  *l = (unigram_lattice){.pieces = pieces};
  double least = HUGE_VAL;
  marea_status status = MAREA_OK;
  for (size_t i = 1; i < unigram_pieces_count(pieces) && status == MAREA_OK; i++) {
    if (pieces->scores[i] < least) least = pieces->scores[i];
    status =
        marea_trie_add(&l->trie, marea_vocabulary_word(pieces->strings, (int32_t)i), (int32_t)i);
  }
  l->unknown_score = least - unknown_penalty;
  return status;
}

void unigram_lattice_clear(unigram_lattice *l) {
  marea_trie_clear(&l->trie);
  marea_free(l->nodes);
  marea_free(l->begins);
  marea_free(l->path);
  *l = (unigram_lattice){0};
}

/* Room for a word of so many bytes; the four lists of nodes share one block. */
static marea_status reserve_bytes(unigram_lattice *l, size_t length) {
  size_t wanted = length + 1;
  if (wanted > l->byte_capacity) {
    size_t wider = wanted + wanted / 2;
    int32_t *lists = marea_alloc_array(4 * wider, sizeof *lists);
    if (lists == NULL) return MAREA_NOMEM;
    marea_free(l->begins);
    l->begins = lists;
    l->byte_capacity = wider;
  }
  l->ends = l->begins + l->byte_capacity;
  l->last_begins = l->ends + l->byte_capacity;
  l->last_ends = l->last_begins + l->byte_capacity;
  memset(l->begins, 0xFF, 4 * l->byte_capacity * sizeof *l->begins); /* -1 */
  return MAREA_OK;
}

/* Links a node into the lists of nodes that begin (end) at a byte. */
static void link_begin(unigram_lattice *l, int32_t node, size_t at) {
  if (l->last_begins[at] >= 0)
    l->nodes[l->last_begins[at]].next_begin = node;
  else
    l->begins[at] = node;
  l->last_begins[at] = node;
}

static void link_end(unigram_lattice *l, int32_t node, size_t at) {
  if (l->last_ends[at] >= 0)
    l->nodes[l->last_ends[at]].next_end = node;
  else
    l->ends[at] = node;
  l->last_ends[at] = node;
}

static marea_status add_node(unigram_lattice *l, int32_t piece, size_t begin, size_t end,
                             double score) {
  unigram_node *nodes = marea_grow(l->nodes, &l->node_capacity, l->node_count + 1, sizeof *nodes);
  if (nodes == NULL) return MAREA_NOMEM;
  l->nodes = nodes;
  int32_t node = (int32_t)l->node_count++;
  l->nodes[node] = (unigram_node){.piece = piece,
                                  .begin = (uint32_t)begin,
                                  .end = (uint32_t)end,
                                  .next_begin = -1,
                                  .next_end = -1,
                                  .previous = -1,
                                  .score = score};
  if (node != BEGINNING) link_begin(l, node, begin);
  if (node != END) link_end(l, node, end);
  return MAREA_OK;
}

static marea_status add_pieces(unigram_lattice *l, marea_text word, size_t begin, size_t width) {
  marea_status status = MAREA_OK;
  bool single = false;
  int32_t node = MAREA_TRIE_ROOT;
  for (size_t i = begin; i < word.length && status == MAREA_OK; i++) {
    node = marea_trie_step(&l->trie, node, (unsigned char)word.bytes[i]);
    if (node < 0) break;
    int32_t piece = marea_trie_value(&l->trie, node);
    if (piece < 0) continue;
    status = add_node(l, piece, begin, i + 1, l->pieces->scores[piece]);
    single = single || i + 1 == begin + width;
  }
  if (single || status != MAREA_OK) return status;
  return add_node(l, 0, begin, begin + width, l->unknown_score);
}

marea_status unigram_lattice_fill(unigram_lattice *l, marea_text word) {
  marea_status status = reserve_bytes(l, word.length);
  l->node_count = 0;
  if (status == MAREA_OK) status = add_node(l, -1, 0, 0, 0);
  if (status == MAREA_OK) status = add_node(l, -1, word.length, word.length, 0);
  for (size_t i = 0, width; i < word.length && status == MAREA_OK; i += width) {
    int32_t code;
    width = marea_utf8_decode(word.bytes + i, word.length - i, &code);
    if (width == 0) width = 1;
    status = add_pieces(l, word, i, width);
  }
  return status;
}

/* ---- paths ---- */

static void find_previous(unigram_lattice *l, int32_t node, size_t avoided) {
  unigram_node *to = &l->nodes[node];
  to->previous = -1;
  for (int32_t i = l->ends[to->begin]; i >= 0; i = l->nodes[i].next_end) {
    const unigram_node *from = &l->nodes[i];
    if (i != BEGINNING && from->end - from->begin == avoided) continue;
    if (i != BEGINNING && from->previous < 0) continue;
    if (to->previous >= 0 && !(from->best + to->score > to->best)) continue;
    to->previous = i;
    to->best = from->best + to->score;
  }
}

marea_status unigram_lattice_best(unigram_lattice *l, size_t length, size_t avoided) {
  l->path_count = 0;
  l->nodes[BEGINNING].best = 0;
  for (size_t at = 0; at <= length; at++)
    for (int32_t i = l->begins[at]; i >= 0; i = l->nodes[i].next_begin)
      find_previous(l, i, avoided);
  for (int32_t i = l->nodes[END].previous; i > BEGINNING; i = l->nodes[i].previous) {
    int32_t *path = marea_grow(l->path, &l->path_capacity, l->path_count + 1, sizeof *path);
    if (path == NULL) return MAREA_NOMEM;
    l->path = path;
    l->path[l->path_count++] = i;
  }
  return MAREA_OK;
}

/* log(exp(x) + exp(y)) */
static double log_sum(double x, double y) {
  double low = x > y ? y : x, high = x > y ? x : y;
  return high > low + 50 ? high : high + log(exp(low - high) + 1);
}

static void fill_alpha(unigram_lattice *l, size_t length) {
  for (size_t at = 0; at <= length; at++) {
    if (l->begins[at] < 0) continue;
    double sum = 0;
    for (int32_t i = l->ends[at]; i >= 0; i = l->nodes[i].next_end) {
      double one = l->nodes[i].score + l->nodes[i].alpha;
      sum = i == l->ends[at] ? one : log_sum(sum, one);
    }
    for (int32_t i = l->begins[at]; i >= 0; i = l->nodes[i].next_begin) l->nodes[i].alpha = sum;
  }
}

static void fill_beta(unigram_lattice *l, size_t length) {
  for (size_t at = length + 1; at-- > 0;) {
    if (l->ends[at] < 0) continue;
    double sum = 0;
    for (int32_t i = l->begins[at]; i >= 0; i = l->nodes[i].next_begin) {
      double one = l->nodes[i].score + l->nodes[i].beta;
      sum = i == l->begins[at] ? one : log_sum(sum, one);
    }
    for (int32_t i = l->ends[at]; i >= 0; i = l->nodes[i].next_end) l->nodes[i].beta = sum;
  }
}

void unigram_lattice_expect(unigram_lattice *l, size_t length, double freq, double *expected) {
  fill_alpha(l, length);
  fill_beta(l, length);
  double whole = l->nodes[END].alpha;
  for (size_t i = END + 1; i < l->node_count; i++) {
    const unigram_node *n = &l->nodes[i];
    expected[n->piece] += freq * exp(n->alpha + n->score + n->beta - whole);
  }
}

/* Unigram, applied: the pieces with the largest sum of log probabilities (Viterbi, 1967), found by
 * walking the trie from each character. */
#include "base/memory.h"
#include "text/subword/subword_internal.h"

static size_t character_width(const char *bytes, size_t left) {
  int32_t code;
  size_t width = marea_utf8_decode(bytes, left, &code);
  return width == 0 ? 1 : width;
}

/* A way to `end` over a piece that begins at `begin`; the earlier way stays when they are equal. */
static void reach(subword_path *paths, size_t begin, size_t end, int32_t piece, double score) {
  subword_path *to = &paths[end];
  score += paths[begin].score;
  if (to->begin == UINT32_MAX || score > to->score)
    *to = (subword_path){score, piece, (uint32_t)begin};
}

static marea_status walk(marea_subword_worker *w, const char *word, size_t length) {
  const marea_subword *m = w->model;
  for (size_t begin = 0, width; begin < length; begin += width) {
    bool single = false;
    width = character_width(word + begin, length - begin);
    int32_t node = MAREA_TRIE_ROOT;
    for (size_t i = begin; i < length; i++) {
      node = marea_trie_step(&m->trie, node, (unsigned char)word[i]);
      if (node < 0) break;
      int32_t piece = marea_trie_value(&m->trie, node);
      if (piece < 0) continue;
      reach(w->paths, begin, i + 1, piece, m->score_of[piece]);
      single = single || i + 1 == begin + width;
    }
    if (single) continue;
    if (m->unknown < 0)
      return marea_fail(MAREA_STATE, "\"%.*s\" has no piece and the model has no unknown one",
                        (int)width, word + begin);
    reach(w->paths, begin, begin + width, m->unknown, m->unknown_score);
  }
  return MAREA_OK;
}

/* A stretch of unknown characters: together they may be a piece after all, or become bytes. */
static marea_status push_unknown(marea_subword_worker *w, const char *word, size_t begin,
                                 size_t end) {
  const marea_subword *m = w->model;
  int32_t piece = marea_vocabulary_find(m->strings, word + begin, end - begin);
  if (piece >= 0) return subword_push(w, piece, begin, end);
  if (!m->options.byte_fallback || !subword_fallback(m, word + begin, end - begin))
    return subword_push(w, m->unknown, begin, end);
  marea_status status = MAREA_OK;
  for (size_t i = begin; i < end && status == MAREA_OK; i++)
    status = subword_push(w, m->fallback_piece[(unsigned char)word[i]], begin, end);
  return status;
}

/* Turns the links of the best path round: paths[begin].begin becomes the end of its piece. */
static void turn_round(subword_path *paths, size_t length) {
  int32_t piece = paths[length].piece;
  for (size_t end = length, begin = paths[length].begin;;) {
    size_t before = begin > 0 ? paths[begin].begin : 0;
    int32_t piece_before = paths[begin].piece;
    paths[begin].begin = (uint32_t)end;
    paths[begin].piece = piece;
    if (begin == 0) return;
    end = begin;
    begin = before;
    piece = piece_before;
  }
}

marea_status subword_unigram(marea_subword_worker *w, const char *word, size_t length) {
  subword_path *paths = marea_grow(w->paths, &w->path_capacity, length + 1, sizeof *paths);
  if (paths == NULL) return MAREA_NOMEM;
  w->paths = paths;
  for (size_t i = 0; i <= length; i++) w->paths[i] = (subword_path){0, -1, UINT32_MAX};
  w->paths[0].begin = 0;
  marea_status status = walk(w, word, length);
  if (status != MAREA_OK) return status;
  turn_round(w->paths, length);
  for (size_t begin = 0, end; begin < length && status == MAREA_OK; begin = end) {
    int32_t piece = w->paths[begin].piece;
    end = w->paths[begin].begin;
    if (piece != w->model->unknown) {
      status = subword_push(w, piece, begin, end);
      continue;
    }
    while (end < length && w->paths[end].piece == piece) end = w->paths[end].begin;
    status = push_unknown(w, word, begin, end);
  }
  return status;
}

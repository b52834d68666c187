/* WordPiece, applied: the longest piece from the left; a word that cannot be cut, or that is too
 * long, is unknown as a whole. */
#include "text/subword/subword_internal.h"

static size_t characters(const char *word, size_t length) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++) count += ((unsigned char)word[i] & 0xC0) != 0x80;
  return count;
}

/* The longest piece at `begin`; -1: none. Its end goes to `end`. */
static int32_t longest(const marea_subword *m, const char *word, size_t length, size_t begin,
                       size_t *end) {
  int32_t node = begin == 0 ? MAREA_TRIE_ROOT : m->continuing, found = -1;
  for (size_t i = begin; i < length && node >= 0; i++) {
    node = marea_trie_step(&m->trie, node, (unsigned char)word[i]);
    if (node < 0 || marea_trie_value(&m->trie, node) < 0) continue;
    found = marea_trie_value(&m->trie, node);
    *end = i + 1;
  }
  return found;
}

marea_status subword_wordpiece(marea_subword_worker *w, const char *word, size_t length) {
  const marea_subword *m = w->model;
  marea_status status = MAREA_OK;
  bool stuck = characters(word, length) > m->options.max_characters;
  for (size_t begin = 0, end = 0; begin < length && !stuck && status == MAREA_OK; begin = end) {
    int32_t piece = longest(m, word, length, begin, &end);
    if (piece < 0)
      stuck = true;
    else
      status = subword_push(w, piece, begin, end);
  }
  if (!stuck) return status;
  w->token_count = w->unknown = 0;
  return subword_push(w, m->unknown, 0, length);
}

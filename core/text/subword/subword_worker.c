#include <string.h>

#include "base/memory.h"
#include "text/subword/subword_internal.h"

marea_subword_worker *marea_subword_worker_new(const marea_subword *model, size_t cache_bytes) {
  if (!model->finished) {
    marea_fail(MAREA_STATE, "the sub-word model is not finished");
    return NULL;
  }
  marea_subword_worker *w = marea_alloc_zero(1, sizeof *w);
  if (w == NULL) return NULL;
  w->model = model;
  if (cache_bytes == 0) return w;
  w->cache = subword_cache_new(cache_bytes);
  if (w->cache != NULL) return w;
  marea_subword_worker_free(w);
  return NULL;
}

void marea_subword_worker_free(marea_subword_worker *w) {
  if (w == NULL) return;
  subword_cache_free(w->cache);
  marea_free(w->tokens);
  marea_free(w->symbols);
  marea_free(w->heap);
  marea_free(w->skipped);
  marea_free(w->paths);
  marea_free(w->spelling);
  marea_free(w);
}

void marea_subword_worker_stream(marea_subword_worker *w, const marea_stream *stream) {
  w->has_stream = stream != NULL;
  if (stream != NULL) w->stream = *stream;
}

const marea_subword_report *marea_subword_worker_report(const marea_subword_worker *w) {
  return &w->report;
}

marea_status subword_push(marea_subword_worker *w, int32_t place, size_t begin, size_t end) {
  marea_subword_token *tokens =
      marea_grow(w->tokens, &w->token_capacity, w->token_count + 1, sizeof *tokens);
  if (tokens == NULL) return MAREA_NOMEM;
  w->tokens = tokens;
  w->unknown += place == w->model->unknown;
  w->tokens[w->token_count++] =
      (marea_subword_token){w->model->id_of[place], (uint32_t)begin, (uint32_t)end};
  return MAREA_OK;
}

bool subword_fallback(const marea_subword *m, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (m->fallback_piece[(unsigned char)bytes[i]] < 0) return false;
  return true;
}

static marea_status cut(marea_subword_worker *w, const char *word, size_t length) {
  switch (w->model->options.kind) {
  case MAREA_WORDPIECE: return subword_wordpiece(w, word, length);
  case MAREA_UNIGRAM: return subword_unigram(w, word, length);
  default: return subword_bpe(w, word, length);
  }
}

static void count_word(marea_subword_worker *w, size_t tokens, size_t unknown, size_t dropped) {
  w->report.words++;
  w->report.tokens += tokens;
  w->report.unknown += unknown;
  w->report.dropped += dropped;
}

marea_status marea_subword_encode(marea_subword_worker *w, const char *word, size_t length,
                                  const marea_subword_token **tokens, size_t *count) {
  if (length > INT32_MAX)
    return marea_fail(MAREA_RANGE, "a word has %zu bytes, expected at most %d", length, INT32_MAX);
  bool random = w->has_stream && w->model->options.dropout > 0;
  bool cached = w->cache != NULL && !random;
  subword_key key = {0, 0};
  if (cached) {
    size_t unknown, dropped;
    *tokens = subword_cache_find(w->cache, word, length, &key, count, &unknown, &dropped);
    if (*tokens != NULL) {
      count_word(w, *count, unknown, dropped);
      return MAREA_OK;
    }
  }
  w->token_count = w->unknown = w->dropped = 0;
  marea_status status = length == 0 ? MAREA_OK : cut(w, word, length);
  if (status != MAREA_OK) return status;
  if (cached) subword_cache_keep(w->cache, word, length, key, w);
  *tokens = w->tokens;
  *count = w->token_count;
  count_word(w, *count, w->unknown, w->dropped);
  return MAREA_OK;
}

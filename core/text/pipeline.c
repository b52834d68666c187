#include "text/pipeline.h"

#include <string.h>

#include "base/memory.h"

struct marea_pipeline {
  marea_normalizer *normalizer;
  marea_splitter *splitters[MAREA_SPLITS_MAX];
  size_t split_count;
  size_t shortest, longest;
  marea_vocabulary *stop_words; /* NULL: none */
  const marea_phrases *phrases[MAREA_PHRASES_MAX];
  size_t phrase_count;
  size_t ngrams[MAREA_NGRAMS_MAX];
  size_t ngram_count;
  char *join;
  size_t join_length;
  bool within;
};

/* ---- making ---- */

/* Single bytes are no UTF-8, which every other stage takes for granted. */
static marea_status check_bytes(const marea_pipeline_options *o) {
  for (size_t i = 0; i < o->split_count; i++)
    if (o->splits[i].kind == MAREA_SPLIT_BYTES && (i + 1 < o->split_count || o->within))
      return marea_fail(MAREA_ARGUMENT, "pipeline: the splitter bytes must be the last one, and "
                                        "not be followed by n-grams within the pieces");
  return MAREA_OK;
}

static marea_status make_stages(marea_pipeline *p, const marea_pipeline_options *o) {
  p->normalizer = marea_normalizer_new(o->steps, o->step_count, o->invalid);
  if (p->normalizer == NULL) return marea_error_code();
  static const marea_split_options whole = {.kind = MAREA_SPLIT_NONE};
  size_t count = o->split_count > 0 ? o->split_count : 1;
  if (count > MAREA_SPLITS_MAX)
    return marea_fail(MAREA_ARGUMENT, "pipeline: %zu splitters, at most %d are allowed", count,
                      MAREA_SPLITS_MAX);
  for (size_t i = 0; i < count; i++) {
    p->splitters[i] = marea_splitter_new(o->split_count > 0 ? &o->splits[i] : &whole);
    if (p->splitters[i] == NULL) return marea_error_code();
    p->split_count++;
  }
  return check_bytes(o);
}

static marea_status make_ngrams(marea_pipeline *p, const marea_pipeline_options *o) {
  if (o->ngram_count > MAREA_NGRAMS_MAX)
    return marea_fail(MAREA_ARGUMENT, "pipeline: %zu widths of n-grams, at most %d are allowed",
                      o->ngram_count, MAREA_NGRAMS_MAX);
  for (size_t i = 0; i < o->ngram_count; i++) {
    if (o->ngrams[i] < 1 || o->ngrams[i] > MAREA_NGRAM_WIDEST)
      return marea_fail(MAREA_ARGUMENT, "pipeline: n-grams of %zu, allowed are 1 to %d",
                        o->ngrams[i], MAREA_NGRAM_WIDEST);
    p->ngrams[p->ngram_count++] = o->ngrams[i];
  }
  if (marea_utf8_invalid(o->join) < o->join.length)
    return marea_fail(MAREA_FORMAT, "pipeline: what joins n-grams is not UTF-8");
  p->join = marea_alloc(o->join.length + 1);
  if (p->join == NULL) return MAREA_NOMEM;
  if (o->join.length > 0) memcpy(p->join, o->join.bytes, o->join.length);
  p->join_length = o->join.length;
  return MAREA_OK;
}

static marea_status make_phrases(marea_pipeline *p, const marea_pipeline_options *o) {
  if (o->phrase_count > MAREA_PHRASES_MAX)
    return marea_fail(MAREA_ARGUMENT, "pipeline: %zu phrases, at most %d are allowed",
                      o->phrase_count, MAREA_PHRASES_MAX);
  for (size_t i = 0; i < o->phrase_count; i++) p->phrases[p->phrase_count++] = o->phrases[i];
  return MAREA_OK;
}

static marea_status make_stop_words(marea_pipeline *p, const marea_pipeline_options *o) {
  if (o->stop_word_count == 0) return MAREA_OK;
  p->stop_words = marea_vocabulary_new();
  if (p->stop_words == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < o->stop_word_count; i++)
    if (marea_vocabulary_add(p->stop_words, o->stop_words[i].bytes, o->stop_words[i].length) < 0)
      return marea_error_code();
  return MAREA_OK;
}

marea_pipeline *marea_pipeline_new(const marea_pipeline_options *o) {
  marea_pipeline *p = marea_alloc_zero(1, sizeof *p);
  if (p == NULL) return NULL;
  p->shortest = o->shortest;
  p->longest = o->longest;
  p->within = o->within;
  marea_status status = make_stages(p, o);
  if (status == MAREA_OK) status = make_ngrams(p, o);
  if (status == MAREA_OK) status = make_stop_words(p, o);
  if (status == MAREA_OK) status = make_phrases(p, o);
  if (status == MAREA_OK) return p;
  marea_pipeline_free(p);
  return NULL;
}

void marea_pipeline_free(marea_pipeline *p) {
  if (p == NULL) return;
  marea_normalizer_free(p->normalizer);
  for (size_t i = 0; i < p->split_count; i++) marea_splitter_free(p->splitters[i]);
  marea_vocabulary_free(p->stop_words);
  marea_free(p->join);
  marea_free(p);
}

bool marea_pipeline_has_function(const marea_pipeline *p) {
  if (marea_normalizer_has_function(p->normalizer)) return true;
  for (size_t i = 0; i < p->split_count; i++)
    if (marea_splitter_has_function(p->splitters[i])) return true;
  return false;
}

bool marea_pipeline_keeps_tokens(const marea_pipeline *p) {
  return p->ngram_count == 0;
}

marea_pipeline_scratch *marea_pipeline_scratch_new(void) {
  return marea_alloc_zero(1, sizeof(marea_pipeline_scratch));
}

void marea_pipeline_scratch_free(marea_pipeline_scratch *scratch) {
  if (scratch == NULL) return;
  marea_normal_scratch_free(&scratch->normal);
  for (int i = 0; i < MAREA_PHRASES_MAX; i++) marea_phrase_line_free(&scratch->lines[i]);
  marea_free(scratch->tokens);
  marea_free(scratch->joined);
  marea_free(scratch);
}

void marea_pipeline_report_add(marea_pipeline_report *a, const marea_pipeline_report *b) {
  a->normal.invalid_bytes += b->normal.invalid_bytes;
  a->normal.tags += b->normal.tags;
  a->normal.entities += b->normal.entities;
  a->normal.urls += b->normal.urls;
  a->normal.digits += b->normal.digits;
  a->normal.accents += b->normal.accents;
  a->normal.controls += b->normal.controls;
  a->too_short += b->too_short;
  a->too_long += b->too_long;
  a->stop_words += b->stop_words;
  a->phrases += b->phrases;
}

/* ---- running ---- */

typedef struct run {
  const marea_pipeline *pipeline;
  marea_pipeline_scratch *scratch;
  bool origins;
  marea_token_sink *sink;
  void *context;
} run;

/* A splitter's receiver: the next splitter, or the filter behind the last one. */
typedef struct level {
  const run *run;
  size_t next;   /* splitter */
  size_t offset; /* of the text that is being cut, in the normalized text */
} level;

static marea_status emit(const run *r, marea_token token) {
  if (r->origins) marea_normal_origin(&r->scratch->normal, &token.begin, &token.end);
  return r->sink(r->context, &token);
}

static size_t characters_of(const marea_token *token) {
  size_t count = 0;
  for (size_t i = 0; i < token->length; i++)
    count += ((unsigned char)token->bytes[i] & 0xC0) != 0x80;
  return count;
}

/* Whether a piece counts; notes why not. */
static bool counts(const run *r, const marea_token *token) {
  const marea_pipeline *p = r->pipeline;
  marea_pipeline_report *report = &r->scratch->report;
  if (p->shortest > 1 || p->longest > 0) {
    size_t length = characters_of(token);
    bool is_short = length<p->shortest, is_long = p->longest> 0 && length > p->longest;
    report->too_short += is_short;
    report->too_long += is_long;
    if (is_short || is_long) return false;
  }
  if (p->stop_words == NULL ||
      marea_vocabulary_find(p->stop_words, token->bytes, token->length) < 0)
    return true;
  report->stop_words++;
  return false;
}

static marea_status store(marea_pipeline_scratch *s, const marea_token *token) {
  marea_token *tokens =
      marea_grow(s->tokens, &s->token_capacity, s->token_count + 1, sizeof *tokens);
  if (tokens == NULL) return MAREA_NOMEM;
  s->tokens = tokens;
  s->tokens[s->token_count++] = *token;
  return MAREA_OK;
}

static marea_status accept(const run *r, const marea_token *token) {
  if (!counts(r, token)) return MAREA_OK;
  if (r->pipeline->phrase_count > 0)
    return marea_phrase_line_add(r->pipeline->phrases[0], &r->scratch->lines[0], token);
  return r->pipeline->ngram_count > 0 ? store(r->scratch, token) : emit(r, *token);
}

static marea_status cut(void *context, const marea_token *token) {
  const level *l = context;
  marea_token moved = {token->bytes, token->length, token->begin + l->offset,
                       token->end + l->offset};
  if (l->next == l->run->pipeline->split_count) return accept(l->run, &moved);
  level below = {l->run, l->next + 1, moved.begin};
  return marea_split(l->run->pipeline->splitters[l->next],
                     (marea_text){token->bytes, token->length}, cut, &below);
}

/* Joins the phrases of the text's tokens, and gives or keeps what comes out. */
static marea_status join_phrases(const run *r) {
  const marea_pipeline *p = r->pipeline;
  marea_status status = MAREA_OK;
  for (size_t k = 0; k < p->phrase_count; k++) {
    marea_phrase_line *line = &r->scratch->lines[k];
    r->scratch->report.phrases += marea_phrases_join(p->phrases[k], line);
    for (size_t i = 0; i < line->count && status == MAREA_OK; i++) {
      const marea_phrase_piece *piece = &line->pieces[i];
      marea_token token = {line->bytes + piece->offset, piece->length, piece->begin, piece->end};
      if (k + 1 < p->phrase_count)
        status = marea_phrase_line_add(p->phrases[k + 1], line + 1, &token);
      else
        status = p->ngram_count > 0 ? store(r->scratch, &token) : emit(r, token);
    }
  }
  return status;
}

/* ---- n-grams ---- */

static char *joined_room(marea_pipeline_scratch *s, size_t length) {
  char *joined = marea_grow(s->joined, &s->joined_capacity, length, 1);
  if (joined != NULL) s->joined = joined;
  return joined;
}

static marea_status emit_joined(const run *r, const marea_token *tokens, size_t width) {
  const marea_pipeline *p = r->pipeline;
  size_t length = (width - 1) * p->join_length;
  for (size_t i = 0; i < width; i++) length += tokens[i].length;
  char *to = joined_room(r->scratch, length);
  if (to == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < width; i++) {
    if (i > 0 && p->join_length > 0) memcpy(to, p->join, p->join_length);
    to += i > 0 ? p->join_length : 0;
    memcpy(to, tokens[i].bytes, tokens[i].length);
    to += tokens[i].length;
  }
  return emit(r, (marea_token){r->scratch->joined, length, tokens[0].begin, tokens[width - 1].end});
}

/* n-grams of pieces: all of the first width, then all of the second, … */
static marea_status emit_ngrams(const run *r) {
  const marea_pipeline_scratch *s = r->scratch;
  for (size_t k = 0; k < r->pipeline->ngram_count; k++) {
    size_t width = r->pipeline->ngrams[k];
    for (size_t i = 0; i + width <= s->token_count; i++) {
      const marea_token *first = &s->tokens[i];
      marea_status status = width == 1 ? emit(r, *first) : emit_joined(r, first, width);
      if (status != MAREA_OK) return status;
    }
  }
  return MAREA_OK;
}

/* Moves `at` past `characters` code points. */
static size_t skip(marea_text text, size_t at, size_t characters) {
  int32_t code;
  for (; characters > 0 && at < text.length; characters--)
    at += marea_utf8_next(text.bytes + at, &code);
  return at;
}

/* n-grams of one width of a padded piece; *whole: the piece was no longer than the width. */
static marea_status emit_within(const run *r, const marea_token *token, marea_text padded,
                                size_t width, bool *whole) {
  size_t begin = 0, end = skip(padded, 0, width), pad = r->pipeline->join_length;
  *whole = end == padded.length;
  for (;;) {
    size_t from = begin > pad ? begin - pad : 0, to = end > pad ? end - pad : 0;
    if (from > token->length) from = token->length;
    if (to > token->length) to = token->length;
    /* The bytes of a phrase are not those of the text: its parts are placed where it is. */
    if (token->end - token->begin != token->length) from = 0, to = token->end - token->begin;
    marea_status status = emit(r, (marea_token){padded.bytes + begin, end - begin,
                                                token->begin + from, token->begin + to});
    if (status != MAREA_OK || end == padded.length) return status;
    begin = skip(padded, begin, 1);
    end = skip(padded, end, 1);
  }
}

static marea_status emit_piece_ngrams(const run *r, const marea_token *token) {
  const marea_pipeline *p = r->pipeline;
  size_t length = token->length + 2 * p->join_length;
  char *bytes = joined_room(r->scratch, length);
  if (bytes == NULL) return MAREA_NOMEM;
  if (p->join_length > 0) {
    memcpy(bytes, p->join, p->join_length);
    memcpy(bytes + length - p->join_length, p->join, p->join_length);
  }
  memcpy(bytes + p->join_length, token->bytes, token->length);
  for (size_t k = 0; k < p->ngram_count; k++) {
    bool whole;
    marea_status status = emit_within(r, token, (marea_text){bytes, length}, p->ngrams[k], &whole);
    if (status != MAREA_OK || whole) return status;
  }
  return MAREA_OK;
}

static marea_status finish(const run *r) {
  if (!r->pipeline->within) return emit_ngrams(r);
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < r->scratch->token_count && status == MAREA_OK; i++)
    status = emit_piece_ngrams(r, &r->scratch->tokens[i]);
  return status;
}

/* ---- the whole ---- */

static bool is_plain(const marea_pipeline *p) {
  return p->split_count == 1 && p->shortest <= 1 && p->longest == 0 && p->stop_words == NULL &&
         p->phrase_count == 0 && p->ngram_count == 0;
}

marea_status marea_pipeline_run(const marea_pipeline *p, marea_text text, bool origins,
                                marea_pipeline_scratch *scratch, marea_token_sink *sink,
                                void *context) {
  marea_text normal;
  marea_status status = marea_normalize(p->normalizer, text, origins, &scratch->normal, &normal);
  scratch->report.normal = scratch->normal.report;
  if (status != MAREA_OK) return status;
  if (is_plain(p) && !origins) return marea_split(p->splitters[0], normal, sink, context);
  run r = {p, scratch, origins, sink, context};
  level first = {&r, 1, 0};
  scratch->token_count = 0;
  for (size_t k = 0; k < p->phrase_count; k++) scratch->lines[k].count = scratch->lines[k].used = 0;
  status = marea_split(p->splitters[0], normal, cut, &first);
  if (status == MAREA_OK && p->phrase_count > 0) status = join_phrases(&r);
  return status == MAREA_OK && p->ngram_count > 0 ? finish(&r) : status;
}

marea_status marea_pipeline_normalize(const marea_pipeline *p, marea_text text,
                                      marea_pipeline_scratch *scratch, marea_text *out) {
  return marea_normalize(p->normalizer, text, false, &scratch->normal, out);
}

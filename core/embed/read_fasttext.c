/* fastText's .bin, version 11 and 12: settings, dictionary, matrix of word rows and part rows.
 * A word's vector is the mean of its own row and those of its parts. What the product quantiser
 * wrote (.ftz) is refused. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "embed/feed.h"

enum { OLD_VERSION = 11, VERSION = 12, SUPERVISED = 3, MOST_PART = 64, ROWS_PER_PIECE = 256 };

typedef struct settings { /* the file's first numbers, in its order */
  int32_t magic, version, width, window, epochs, min_count, negative, word_ngrams, loss, model;
  int32_t buckets, least, most, update_rate;
} settings;

typedef struct fasttext_reader {
  marea_feed *feed;
  settings s;
  int32_t entries, words, labels;
  marea_lexicon lexicon; /* in the order of the rows */
  float *matrix;         /* (words + buckets, width) */
  marea_vectors *vectors;
} fasttext_reader;

static marea_status read_settings(fasttext_reader *r) {
  double sampling;
  marea_status status = marea_feed_read(r->feed, &r->s, sizeof r->s, "the list of settings");
  if (status == MAREA_OK)
    status = marea_feed_read(r->feed, &sampling, sizeof sampling, "the list of settings");
  if (status != MAREA_OK) return status;
  const settings *s = &r->s;
  if (s->version != VERSION && s->version != OLD_VERSION)
    return marea_fail(MAREA_FORMAT, "\"%s\" is of fastText's version %d, expected 11 or 12",
                      marea_source_path(r->feed->source), s->version);
  if (s->width < 1 || s->width > MAREA_MOST_WIDTH || s->buckets < 0 || s->least < 0 ||
      s->most < 0 || s->most > MOST_PART)
    return marea_feed_broken(r->feed, "the settings are out of range");
  if (s->version == OLD_VERSION && s->model == SUPERVISED) r->s.most = 0;
  return MAREA_OK;
}

/* A word up to its zero byte, a count and a kind (0 word, 1 label). */
static marea_status read_entry(fasttext_reader *r, int32_t i) {
  char what[80];
  marea_feed *feed = r->feed;
  marea_status status = MAREA_OK;
  if (marea_feed_there(feed) < 1024) status = marea_feed_fill(feed, MAREA_FEED_BLOCK);
  if (status != MAREA_OK) return status;
  size_t there = marea_feed_there(feed), length;
  const char *bytes = marea_feed_bytes(feed), *zero = memchr(bytes, 0, there);
  if (zero == NULL && !feed->at_end) {
    status = marea_feed_fill(feed, MAREA_FEED_BLOCK);
    bytes = marea_feed_bytes(feed);
    there = marea_feed_there(feed);
    zero = memchr(bytes, 0, there);
  }
  if (status != MAREA_OK) return status;
  length = zero != NULL ? (size_t)(zero - bytes) : there;
  if (zero == NULL || there - length < 10) {
    snprintf(what, sizeof what, "word %d of the dictionary is cut short", i + 1);
    return marea_feed_broken(feed, what);
  }
  bool is_new = true;
  if (i < r->words) status = marea_lexicon_add(&r->lexicon, bytes, length, &is_new);
  if (status != MAREA_OK) return marea_feed_failure(feed, status, "byte", feed->taken + 1);
  if (!is_new) {
    snprintf(what, sizeof what, "word %d of the dictionary is there twice", i + 1);
    return marea_feed_broken(feed, what);
  }
  marea_feed_take(feed, length + 10);
  return MAREA_OK;
}

static marea_status read_dictionary(fasttext_reader *r) {
  int32_t sizes[3];
  int64_t more[2]; /* tokens, pruned parts */
  marea_status status = marea_feed_read(r->feed, sizes, sizeof sizes, "the dictionary");
  if (status == MAREA_OK) status = marea_feed_read(r->feed, more, sizeof more, "the dictionary");
  if (status != MAREA_OK) return status;
  r->entries = sizes[0];
  r->words = sizes[1];
  r->labels = sizes[2];
  if (r->words < 0 || r->labels < 0 || (int64_t)r->entries != (int64_t)r->words + r->labels ||
      (uint64_t)r->entries * 10 > marea_feed_most(r->feed))
    return marea_feed_broken(r->feed, "the dictionary's sizes do not fit the file");
  if (more[1] > 0)
    return marea_feed_broken(r->feed, "the file is quantised (.ftz), which cannot be read");
  status = marea_lexicon_init(&r->lexicon, (size_t)r->words);
  for (int32_t i = 0; i < r->entries && status == MAREA_OK; i++) status = read_entry(r, i);
  return status;
}

static marea_status read_matrix(fasttext_reader *r) {
  unsigned char quantised;
  int64_t sizes[2];
  size_t width = (size_t)r->s.width, rows = (size_t)r->words + (size_t)r->s.buckets;
  marea_status status = marea_feed_read(r->feed, &quantised, 1, "the matrix");
  if (status == MAREA_OK && quantised != 0)
    return marea_feed_broken(r->feed, "the file is quantised (.ftz), which cannot be read");
  if (status == MAREA_OK) status = marea_feed_read(r->feed, sizes, sizeof sizes, "the matrix");
  if (status != MAREA_OK) return status;
  if (sizes[0] < 0 || (uint64_t)sizes[0] != rows || (uint64_t)sizes[1] != width ||
      rows > marea_feed_most(r->feed) / (width * sizeof(float)))
    return marea_feed_broken(r->feed, "the matrix's sizes do not fit the settings or the file");
  r->matrix = marea_alloc_array(rows, width * sizeof *r->matrix);
  if (r->matrix == NULL) return MAREA_NOMEM;
  uint64_t at = r->feed->taken;
  status = marea_feed_read(r->feed, r->matrix, rows * width * sizeof *r->matrix, "the matrix");
  for (size_t i = 0; i < rows * width && status == MAREA_OK; i++)
    if (!(r->matrix[i] - r->matrix[i] == 0))
      status = marea_fail(MAREA_NONFINITE, "\"%s\" byte %llu: a number is NaN or infinite",
                          marea_source_path(r->feed->source),
                          (unsigned long long)(at + i * sizeof(float) + 1));
  return status;
}

/* ---- the words' vectors ---- */

typedef struct composing {
  const fasttext_reader *r;
  marea_subwords parts;
  double *sums; /* a row a piece */
} composing;

static void compose_piece(void *context, size_t piece) {
  const composing *c = context;
  const fasttext_reader *r = c->r;
  size_t width = (size_t)r->s.width, first = piece * ROWS_PER_PIECE, last = first + ROWS_PER_PIECE;
  double *sum = c->sums + piece * width;
  if (last > (size_t)r->words) last = (size_t)r->words;
  for (size_t row = first; row < last; row++) {
    float *x = r->matrix + row * width;
    marea_text word = marea_lexicon_word(&r->lexicon, row);
    for (size_t i = 0; i < width; i++) sum[i] = (double)x[i];
    size_t count = 1 + marea_subwords_sum(&c->parts, width, word.bytes, word.length, sum);
    for (size_t i = 0; i < width; i++) x[i] = (float)(sum[i] / (double)count);
  }
}

static marea_status compose(fasttext_reader *r) {
  size_t width = (size_t)r->s.width, pieces = marea_pieces((size_t)r->words, ROWS_PER_PIECE);
  composing c = {.r = r,
                 .parts = {.least = r->s.least,
                           .most = r->s.most,
                           .buckets = (size_t)r->s.buckets,
                           .rows = r->matrix + (size_t)r->words * width}};
  c.sums = marea_alloc_array(pieces + 1, width * sizeof *c.sums);
  if (c.sums == NULL) return MAREA_NOMEM;
  marea_parallel(pieces, compose_piece, &c);
  marea_free(c.sums);
  return MAREA_OK;
}

static marea_status add_words(fasttext_reader *r) {
  marea_status status = MAREA_OK;
  size_t width = (size_t)r->s.width;
  const marea_reading_options *o = r->feed->options;
  size_t rows = (size_t)r->words;
  if (o->only != NULL && rows > o->only->count) rows = o->only->count;
  if (o->limit > 0 && rows > o->limit) rows = o->limit;
  r->vectors = marea_vectors_new(width, o->type, rows);
  if (r->vectors == NULL) return marea_error_code();
  for (size_t row = 0; row < (size_t)r->words && status == MAREA_OK; row++) {
    if (marea_feed_full(r->feed, r->vectors)) break;
    status = marea_feed_add(r->feed, r->vectors, marea_lexicon_word(&r->lexicon, row),
                            r->matrix + row * width);
    if (status != MAREA_OK) return marea_feed_failure(r->feed, status, "word", row + 1);
  }
  return status;
}

/* The parts' rows stay: moved to the front of the matrix, which becomes theirs. */
static marea_status keep_parts(fasttext_reader *r) {
  marea_subwords *parts = &r->vectors->subwords;
  size_t width = (size_t)r->s.width, buckets = (size_t)r->s.buckets;
  if (r->feed->options->no_subwords || buckets == 0 || r->s.most == 0) return MAREA_OK;
  memmove(r->matrix, r->matrix + (size_t)r->words * width, buckets * width * sizeof *r->matrix);
  float *rows = marea_realloc(r->matrix, buckets * width * sizeof *rows);
  if (rows == NULL) return MAREA_NOMEM;
  r->matrix = NULL;
  *parts =
      (marea_subwords){.least = r->s.least, .most = r->s.most, .buckets = buckets, .rows = rows};
  return MAREA_OK;
}

marea_vectors *marea_read_fasttext(marea_feed *feed) {
  fasttext_reader r = {.feed = feed};
  marea_status status = read_settings(&r);
  if (status == MAREA_OK) status = read_dictionary(&r);
  if (status == MAREA_OK) status = read_matrix(&r);
  if (status == MAREA_OK) status = compose(&r);
  if (status == MAREA_OK) status = add_words(&r);
  if (status == MAREA_OK) status = keep_parts(&r);
  marea_lexicon_clear(&r.lexicon);
  marea_free(r.matrix);
  if (status == MAREA_OK) return r.vectors;
  marea_vectors_free(r.vectors);
  return NULL;
}

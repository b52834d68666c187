#include "embed/feed.h"

#include <string.h>

#include "base/memory.h"
#include "embed/number.h"

enum { GZIP_MOST = 1032 }; /* deflate packs at most so many bytes into one */

marea_status marea_feed_open(marea_feed *feed, const char *path,
                             const marea_reading_options *options, marea_reading_report *report) {
  *feed = (marea_feed){.options = options, .report = report, .capacity = MAREA_FEED_BLOCK};
  feed->source = marea_source_new(path);
  if (feed->source == NULL) return marea_error_code();
  feed->buffer = marea_alloc(feed->capacity);
  return feed->buffer == NULL ? MAREA_NOMEM : MAREA_OK;
}

void marea_feed_close(marea_feed *feed) {
  marea_source_free(feed->source);
  marea_free(feed->buffer);
  *feed = (marea_feed){0};
}

static marea_status make_room(marea_feed *feed, size_t wanted) {
  if (feed->begin > 0) {
    memmove(feed->buffer, feed->buffer + feed->begin, feed->end - feed->begin);
    feed->end -= feed->begin;
    feed->begin = 0;
  }
  if (wanted <= feed->capacity) return MAREA_OK;
  char *wider = marea_realloc(feed->buffer, wanted);
  if (wider == NULL) return MAREA_NOMEM;
  feed->buffer = wider;
  feed->capacity = wanted;
  return MAREA_OK;
}

marea_status marea_feed_fill(marea_feed *feed, size_t wanted) {
  if (feed->at_end || marea_feed_there(feed) >= wanted) return MAREA_OK;
  marea_status status = make_room(feed, wanted);
  while (status == MAREA_OK && !feed->at_end && marea_feed_there(feed) < wanted) {
    size_t got;
    status =
        marea_source_read(feed->source, feed->buffer + feed->end, feed->capacity - feed->end, &got);
    if (status != MAREA_OK) break;
    feed->end += got;
    feed->at_end = got == 0;
  }
  const marea_reading_options *o = feed->options;
  if (status == MAREA_OK && o->progress != NULL &&
      !o->progress(o->context, marea_source_position(feed->source),
                   marea_source_size(feed->source)))
    return marea_fail(MAREA_INTERRUPTED, "reading \"%s\" was stopped",
                      marea_source_path(feed->source));
  return status;
}

void marea_feed_take(marea_feed *feed, size_t bytes) {
  feed->begin += bytes;
  feed->taken += bytes;
}

marea_status marea_feed_read(marea_feed *feed, void *to, size_t count, const char *what) {
  char *target = to;
  while (count > 0) {
    size_t part = count < MAREA_FEED_BLOCK ? count : MAREA_FEED_BLOCK;
    marea_status status = marea_feed_fill(feed, part);
    if (status != MAREA_OK) return status;
    if (marea_feed_there(feed) < part) {
      marea_feed_take(feed, marea_feed_there(feed));
      return marea_fail(MAREA_FORMAT, "\"%s\" ends at byte %llu: %s is cut short",
                        marea_source_path(feed->source), (unsigned long long)feed->taken, what);
    }
    memcpy(target, marea_feed_bytes(feed), part);
    marea_feed_take(feed, part);
    target += part;
    count -= part;
  }
  return MAREA_OK;
}

uint64_t marea_feed_most(const marea_feed *feed) {
  uint64_t size = marea_source_size(feed->source);
  if (size == 0) return UINT64_MAX; /* a pipe */
  if (marea_source_packed(feed->source))
    return size < UINT64_MAX / GZIP_MOST ? size * GZIP_MOST : UINT64_MAX;
  return size > feed->taken ? size - feed->taken : 0;
}

marea_status marea_feed_broken(const marea_feed *feed, const char *what) {
  return marea_fail(MAREA_FORMAT, "\"%s\" byte %llu: %s", marea_source_path(feed->source),
                    (unsigned long long)feed->taken + 1, what);
}

marea_status marea_feed_failure(const marea_feed *feed, marea_status status, const char *place,
                                uint64_t number) {
  char text[512];
  if (status == MAREA_NOMEM) return status;
  strncpy(text, marea_error_text(), sizeof text - 1);
  text[sizeof text - 1] = '\0';
  return marea_fail(status, "\"%s\" %s %llu: %s", marea_source_path(feed->source), place,
                    (unsigned long long)number, text);
}

marea_status marea_feed_add(marea_feed *feed, marea_vectors *vectors, marea_text word,
                            const float *row) {
  bool is_new;
  feed->report->seen++;
  if (!marea_feed_wants(feed, word)) {
    feed->report->left_out++;
    return MAREA_OK;
  }
  marea_status status = marea_vectors_append(vectors, word.bytes, word.length, row, &is_new);
  if (status == MAREA_OK && !is_new) feed->report->duplicates++;
  return status;
}

bool marea_feed_full(const marea_feed *feed, const marea_vectors *vectors) {
  const marea_reading_options *o = feed->options;
  if (o->only != NULL && vectors->rows == o->only->count) return true;
  return o->limit > 0 && feed->report->seen >= o->limit;
}

size_t marea_feed_room(const marea_feed *feed, uint64_t rows, uint64_t row_bytes) {
  const marea_reading_options *o = feed->options;
  uint64_t most = marea_feed_most(feed);
  if (most == UINT64_MAX) most = (uint64_t)1 << 24;
  if (rows > most / row_bytes) rows = most / row_bytes;
  if (o->limit > 0 && rows > o->limit) rows = o->limit;
  if (o->only != NULL && rows > o->only->count) rows = o->only->count;
  return (size_t)(rows < MAREA_MOST_ROWS ? rows : MAREA_MOST_ROWS);
}

static size_t whole_number(const char *bytes, size_t length, uint64_t *value) {
  size_t digits = 0;
  *value = 0;
  while (digits < length && digits < 18 && (unsigned char)(bytes[digits] - '0') < 10)
    *value = *value * 10 + (uint64_t)(bytes[digits++] - '0');
  return digits;
}

size_t marea_feed_header(const marea_feed *feed, uint64_t *rows, uint64_t *width) {
  const char *bytes = marea_feed_bytes(feed);
  size_t there = marea_feed_there(feed), at = whole_number(bytes, there, rows);
  if (at == 0 || at == there || bytes[at] != ' ') return 0;
  size_t digits = whole_number(bytes + at + 1, there - at - 1, width);
  at += 1 + digits;
  while (at < there && (bytes[at] == ' ' || bytes[at] == '\r')) at++;
  return digits > 0 && at < there && bytes[at] == '\n' ? at + 1 : 0;
}

/* ---- which format ---- */

static const char MAGIC[] = "\xBA\x16\x4F\x2F"; /* fastText's 793712314, little-endian */

/* Whether the line behind the header is text: no control byte, and either fields for `width`
 * numbers behind a word or a number as its second field. */
static bool line_is_text(const char *line, size_t length, uint64_t width) {
  uint64_t fields = 1;
  const char *second = NULL;
  size_t i = 0;
  for (; i < length && line[i] != '\n'; i++) {
    unsigned char byte = (unsigned char)line[i];
    if (byte < 32 && byte != '\t' && byte != '\r') return false;
    if ((byte != ' ' && byte != '\t') || i == 0) continue;
    fields++;
    if (second == NULL) second = line + i + 1;
  }
  double value;
  while (i > 0 && line[i - 1] == '\r') i--;
  return fields > width || (second != NULL && marea_number_read(&second, line + i, &value));
}

static marea_vector_format guess(const marea_feed *feed) {
  uint64_t rows, width;
  const char *bytes = marea_feed_bytes(feed);
  size_t there = marea_feed_there(feed);
  if (there >= 4 && memcmp(bytes, MAGIC, 4) == 0) return MAREA_VECTORS_FASTTEXT;
  if (there >= 9 && bytes[8] == '{' && memchr(bytes, 0, 8) != NULL) return MAREA_VECTORS_OWN;
  size_t header = marea_feed_header(feed, &rows, &width);
  if (header == 0 || header == there) return MAREA_VECTORS_TEXT;
  return line_is_text(bytes + header, there - header, width) ? MAREA_VECTORS_TEXT
                                                             : MAREA_VECTORS_WORD2VEC;
}

static marea_vectors *read_format(marea_feed *feed, const char *path, marea_vector_format format) {
  feed->report->format = format;
  switch (format) {
  case MAREA_VECTORS_WORD2VEC: return marea_read_word2vec(feed);
  case MAREA_VECTORS_FASTTEXT: return marea_read_fasttext(feed);
  case MAREA_VECTORS_OWN: return marea_read_own(path, feed->options, feed->report);
  default: return marea_read_text(feed);
  }
}

marea_vectors *marea_vectors_load(const char *path, const marea_reading_options *options,
                                  marea_reading_report *report) {
  marea_feed feed;
  marea_vectors *vectors = NULL;
  *report = (marea_reading_report){.format = options->format};
  marea_status status = marea_feed_open(&feed, path, options, report);
  if (status == MAREA_OK) status = marea_feed_fill(&feed, MAREA_FEED_BLOCK);
  if (status == MAREA_OK && marea_feed_there(&feed) == 0)
    status = marea_fail(MAREA_FORMAT, "\"%s\" is empty, expected word vectors", path);
  if (status == MAREA_OK)
    vectors = read_format(&feed, path,
                          options->format == MAREA_VECTORS_AUTO ? guess(&feed) : options->format);
  marea_feed_close(&feed);
  if (vectors != NULL && marea_vectors_trim(vectors) != MAREA_OK) {
    marea_vectors_free(vectors);
    return NULL;
  }
  return vectors;
}

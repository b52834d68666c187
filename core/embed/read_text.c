/* Text files of vectors: "word v1 … vD" a line, after a line "V D" or not. A word may hold blanks:
 * the last D fields are the numbers. Lines of a block are read on all threads and added in order.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "embed/feed.h"
#include "embed/number.h"

enum { LINES_PER_PIECE = 128, TRIED_LINES = 8 };

typedef enum fault { SOUND, SHORT, NO_NUMBER, NONFINITE } fault;

typedef struct line {
  const char *bytes;
  size_t length; /* without line end and blanks behind */
  uint64_t number;
  size_t word;  /* bytes of the word */
  size_t field; /* of a fault, from 1 */
  fault fault;
  bool wanted;
} line;

typedef struct text_reader {
  marea_feed *feed;
  marea_vectors *vectors;
  size_t width;
  uint64_t line_number;
  uint64_t claimed; /* rows of the header; 0: none */
  line *lines;
  size_t line_count, line_capacity;
  float *rows; /* (row_capacity, width): of one block */
  size_t row_capacity;
} text_reader;

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static size_t trimmed(const char *bytes, size_t length) {
  while (length > 0 && (is_blank(bytes[length - 1]) || bytes[length - 1] == '\r')) length--;
  return length;
}

/* ---- one line ---- */

/* Where the number that ends before `end` begins: behind a blank. 0: there is none. */
static size_t field_before(const char *bytes, size_t end) {
  while (end > 0 && is_blank(bytes[end - 1])) end--;
  while (end > 0 && !is_blank(bytes[end - 1])) end--;
  return end;
}

/* The word's length when the last `width` fields are numbers; 0 when there are not so many. */
static size_t word_length(const char *bytes, size_t length, size_t width) {
  size_t at = length;
  for (size_t i = 0; i < width && at > 0; i++) at = field_before(bytes, at);
  while (at > 0 && is_blank(bytes[at - 1])) at--;
  return at;
}

/* The numbers from `at` to the end of the line; how many there are, or the place of a bad one. */
static size_t read_numbers(line *l, size_t at, float *row, size_t width) {
  const char *p = l->bytes + at, *end = l->bytes + l->length;
  size_t count = 0;
  for (;; count++) {
    double value;
    while (p < end && is_blank(*p)) p++;
    if (p == end) return count;
    if (count == width) return width + 1;
    if (!marea_number_read(&p, end, &value)) {
      l->fault = NO_NUMBER;
      return count;
    }
    row[count] = (float)value;
    if (!isfinite(row[count])) {
      l->fault = NONFINITE;
      return count;
    }
  }
}

/* Most words have no blank: the numbers begin behind the first one. Otherwise fields are counted
 * from the right. */
static void read_line(const text_reader *r, line *l, float *row) {
  const char *blank = memchr(l->bytes, ' ', l->length);
  const char *tab = memchr(l->bytes, '\t', blank != NULL ? (size_t)(blank - l->bytes) : l->length);
  if (tab != NULL) blank = tab;
  l->word = blank != NULL ? (size_t)(blank - l->bytes) : l->length;
  l->fault = SOUND;
  bool selects = r->feed->options->only != NULL;
  if (selects) {
    l->word = word_length(l->bytes, l->length, r->width);
    l->wanted = marea_feed_wants(r->feed, (marea_text){l->bytes, l->word});
    if (!l->wanted) return;
  }
  size_t count = l->word > 0 ? read_numbers(l, l->word, row, r->width) : 0;
  if (count == r->width && l->fault == SOUND) return;
  l->fault = SOUND;
  l->word = word_length(l->bytes, l->length, r->width);
  if (l->word == 0) {
    l->fault = SHORT;
    return;
  }
  l->field = read_numbers(l, l->word, row, r->width) + 1;
  if (l->field != r->width + 1 && l->fault == SOUND) l->fault = SHORT;
}

static void read_piece(void *context, size_t piece) {
  const text_reader *r = context;
  size_t first = piece * LINES_PER_PIECE, last = first + LINES_PER_PIECE;
  if (last > r->line_count) last = r->line_count;
  for (size_t i = first; i < last; i++) read_line(r, &r->lines[i], r->rows + i * r->width);
}

static marea_status line_failure(const text_reader *r, const line *l) {
  const char *path = marea_source_path(r->feed->source);
  unsigned long long number = (unsigned long long)l->number;
  if (l->fault == SHORT)
    return marea_fail(MAREA_FORMAT, "\"%s\" line %llu: expected a word and %zu numbers", path,
                      number, r->width);
  size_t at = word_length(l->bytes, l->length, r->width);
  for (size_t i = 0; i < l->field && at < l->length; i++) {
    while (at < l->length && is_blank(l->bytes[at])) at++;
    if (i + 1 < l->field)
      while (at < l->length && !is_blank(l->bytes[at])) at++;
  }
  size_t length = 0;
  while (at + length < l->length && !is_blank(l->bytes[at + length]) && length < 40) length++;
  return marea_fail(l->fault == NONFINITE ? MAREA_NONFINITE : MAREA_FORMAT,
                    "\"%s\" line %llu: number %zu is \"%.*s\", expected a finite number", path,
                    number, l->field, (int)length, l->bytes + at);
}

/* ---- a block of lines ---- */

static marea_status note_line(text_reader *r, const char *bytes, size_t length) {
  r->line_number++;
  length = trimmed(bytes, length);
  if (length == 0) return MAREA_OK;
  if (r->line_count == r->line_capacity) {
    size_t wider = 2 * r->line_capacity + 1024;
    line *lines = marea_realloc(r->lines, wider * sizeof *lines);
    if (lines == NULL) return MAREA_NOMEM;
    r->lines = lines;
    r->line_capacity = wider;
  }
  line *l = &r->lines[r->line_count];
  *l = (line){.bytes = bytes, .length = length, .number = r->line_number, .wanted = true};
  if (length < 2 * r->width + 1) { /* before memory is made ready for its numbers */
    l->fault = SHORT;
    return line_failure(r, l);
  }
  r->line_count++;
  return MAREA_OK;
}

/* The whole lines that are there, all of them at the end of the file. */
static marea_status split_block(text_reader *r, size_t *used) {
  const char *bytes = marea_feed_bytes(r->feed);
  size_t there = marea_feed_there(r->feed), at = 0;
  r->line_count = 0;
  while (at < there) {
    const char *end = memchr(bytes + at, '\n', there - at);
    if (end == NULL && !r->feed->at_end) break;
    size_t length = end != NULL ? (size_t)(end - bytes) - at : there - at;
    marea_status status = note_line(r, bytes + at, length);
    if (status != MAREA_OK) return status;
    at += length + (end != NULL);
  }
  *used = at;
  return MAREA_OK;
}

static marea_status read_block(text_reader *r) {
  if (r->line_count > r->row_capacity) {
    marea_free(r->rows);
    r->row_capacity = r->line_count + r->line_count / 4;
    r->rows = marea_alloc_array(r->row_capacity, r->width * sizeof *r->rows);
    if (r->rows == NULL) {
      r->row_capacity = 0;
      return MAREA_NOMEM;
    }
  }
  marea_parallel(marea_pieces(r->line_count, LINES_PER_PIECE), read_piece, r);
  return MAREA_OK;
}

static marea_status add_block(text_reader *r) {
  for (size_t i = 0; i < r->line_count; i++) {
    const line *l = &r->lines[i];
    if (marea_feed_full(r->feed, r->vectors)) break;
    if (l->wanted && l->fault != SOUND) return line_failure(r, l);
    marea_status status = marea_feed_add(r->feed, r->vectors, (marea_text){l->bytes, l->word},
                                         r->rows + i * r->width);
    if (status != MAREA_OK) return marea_feed_failure(r->feed, status, "line", l->number);
  }
  return MAREA_OK;
}

/* Until the end of the file, or until there is enough. */
static marea_status read_lines(text_reader *r) {
  size_t wanted = MAREA_FEED_BLOCK;
  for (;;) {
    size_t used = 0;
    marea_status status = marea_feed_fill(r->feed, wanted);
    if (status == MAREA_OK) status = split_block(r, &used);
    if (status == MAREA_OK && used > 0) status = read_block(r);
    if (status == MAREA_OK && used > 0) status = add_block(r);
    if (status != MAREA_OK) return status;
    marea_feed_take(r->feed, used);
    if (marea_feed_full(r->feed, r->vectors)) return MAREA_OK;
    if (r->feed->at_end && marea_feed_there(r->feed) == 0) return MAREA_OK;
    wanted = MAREA_FEED_BLOCK;
    if (used > 0) continue;
    wanted = marea_feed_there(r->feed) * 2;
    if (wanted > MAREA_FEED_LONGEST)
      return marea_fail(MAREA_FORMAT, "\"%s\" line %llu: longer than %d bytes",
                        marea_source_path(r->feed->source), (unsigned long long)r->line_number + 1,
                        MAREA_FEED_LONGEST / 2);
  }
}

/* ---- the beginning ---- */

/* How many fields at the end of a line are numbers, the first field left out. */
static size_t count_numbers(const char *bytes, size_t length) {
  size_t count = 0, at = trimmed(bytes, length);
  while (at > 0) {
    size_t begin = field_before(bytes, at);
    const char *p = bytes + begin;
    double value;
    while (at > 0 && is_blank(bytes[at - 1])) at--;
    if (begin == 0 || !marea_number_read(&p, bytes + at, &value)) break;
    count++;
    at = begin;
  }
  return count;
}

/* The count that most of the first lines have, the first one among equals: a word with blanks may
 * end in numbers too. */
static size_t most_common(const size_t *counts, int n) {
  int best = 0, best_votes = 0;
  for (int i = 0; i < n; i++) {
    int votes = 0;
    for (int j = 0; j < n; j++) votes += counts[j] == counts[i];
    if (votes > best_votes) best = i, best_votes = votes;
  }
  return n > 0 ? counts[best] : 0;
}

static size_t guess_width(const marea_feed *feed, size_t from) {
  const char *bytes = marea_feed_bytes(feed);
  size_t there = marea_feed_there(feed), counts[TRIED_LINES];
  int n = 0;
  while (n < TRIED_LINES && from < there) {
    const char *end = memchr(bytes + from, '\n', there - from);
    size_t length = end != NULL ? (size_t)(end - bytes) - from : there - from;
    if (end == NULL && !feed->at_end && n > 0) break;
    if (trimmed(bytes + from, length) > 0) counts[n++] = count_numbers(bytes + from, length);
    from += length + 1;
  }
  return most_common(counts, n);
}

/* How many lines a plain file has, so that the matrix is asked for once. */
static marea_status count_lines(const marea_feed *feed, uint64_t *count) {
  size_t got = 1;
  *count = 1;
  marea_source *source = marea_source_new(marea_source_path(feed->source));
  if (source == NULL) return marea_error_code();
  char *block = marea_alloc(MAREA_FEED_BLOCK / 4);
  marea_status status = block == NULL ? MAREA_NOMEM : MAREA_OK;
  while (status == MAREA_OK && got > 0) {
    status = marea_source_read(source, block, MAREA_FEED_BLOCK / 4, &got);
    for (const char *p = block, *end = block + got;
         status == MAREA_OK && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
      ++*count;
  }
  marea_free(block);
  marea_source_free(source);
  return status;
}

static marea_status begin(text_reader *r) {
  marea_feed *feed = r->feed;
  const marea_reading_options *o = feed->options;
  uint64_t width = 0, rows = 0;
  marea_feed_take(feed, marea_bom_length(marea_feed_bytes(feed), marea_feed_there(feed)));
  size_t header = marea_feed_header(feed, &rows, &width);
  r->width = guess_width(feed, header);
  if (header > 0 && r->width != width && header < marea_feed_there(feed) &&
      guess_width(feed, 0) != 1)
    return marea_fail(MAREA_FORMAT, "\"%s\" line 2: the header promises %llu numbers, %zu follow",
                      marea_source_path(feed->source), (unsigned long long)width, r->width);
  if (header > 0 && r->width != width && header < marea_feed_there(feed))
    header = 0; /* a word that is a number, with a vector of one number */
  if (header > 0 && header == marea_feed_there(feed)) r->width = (size_t)width;
  if (header == 0) r->width = guess_width(feed, 0);
  if (o->width > 0) r->width = o->width;
  if (r->width < 1 || r->width > MAREA_MOST_WIDTH)
    return marea_fail(MAREA_FORMAT, "\"%s\" line %d: expected a word and its numbers",
                      marea_source_path(feed->source), header > 0 ? 2 : 1);
  if (header > 0) {
    r->claimed = rows;
    r->line_number = 1;
    marea_feed_take(feed, header);
  } else if (marea_source_packed(feed->source) || marea_source_size(feed->source) == 0) {
    rows = 1024;
  } else {
    marea_status status = o->only != NULL || o->limit > 0 ? MAREA_OK : count_lines(feed, &rows);
    if (status != MAREA_OK) return status;
    if (rows == 0) rows = o->limit > 0 ? o->limit : 1024;
  }
  r->vectors =
      marea_vectors_new(r->width, o->type, marea_feed_room(feed, rows, 2 * (uint64_t)r->width + 1));
  return r->vectors == NULL ? marea_error_code() : MAREA_OK;
}

static marea_status finish(const text_reader *r) {
  const marea_reading_report *report = r->feed->report;
  if (marea_feed_full(r->feed, r->vectors)) return MAREA_OK;
  if (r->claimed > 0 && report->seen != r->claimed)
    return marea_fail(MAREA_FORMAT, "\"%s\": the header promises %llu vectors, %zu follow",
                      marea_source_path(r->feed->source), (unsigned long long)r->claimed,
                      report->seen);
  return MAREA_OK;
}

marea_vectors *marea_read_text(marea_feed *feed) {
  text_reader r = {.feed = feed};
  marea_status status = begin(&r);
  if (status == MAREA_OK) status = read_lines(&r);
  if (status == MAREA_OK) status = finish(&r);
  marea_free(r.lines);
  marea_free(r.rows);
  if (status == MAREA_OK) return r.vectors;
  marea_vectors_free(r.vectors);
  return NULL;
}

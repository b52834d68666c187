/* word2vec's binary form: "V D", line end; then V times a word, a blank, D float32. A line end may
 * stand before each word, or not. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "embed/feed.h"

static marea_status no_header(const marea_feed *feed) {
  return marea_feed_broken(feed, "expected a line with the number of vectors and their width");
}

/* The word at the beginning, its bytes up to the blank. The row follows in the same buffer. */
static marea_status find_word(marea_feed *feed, size_t row_bytes, uint64_t number,
                              marea_text *word) {
  char what[80];
  size_t wanted = MAREA_LONGEST_WORD + 2 + row_bytes;
  if (marea_feed_there(feed) < 512 + row_bytes) {
    marea_status status = marea_feed_fill(feed, wanted);
    if (status != MAREA_OK) return status;
  }
  const char *bytes = marea_feed_bytes(feed);
  if (marea_feed_there(feed) > 0 && bytes[0] == '\n') {
    marea_feed_take(feed, 1);
    bytes++;
  }
  size_t there = marea_feed_there(feed);
  const char *blank = memchr(bytes, ' ', there < MAREA_LONGEST_WORD ? there : MAREA_LONGEST_WORD);
  if (blank == NULL && there < wanted && !feed->at_end) {
    marea_status status = marea_feed_fill(feed, wanted);
    if (status != MAREA_OK) return status;
    bytes = marea_feed_bytes(feed);
    there = marea_feed_there(feed);
    blank = memchr(bytes, ' ', there < MAREA_LONGEST_WORD ? there : MAREA_LONGEST_WORD);
  }
  if (blank == NULL) {
    snprintf(what, sizeof what, "expected word %llu and a blank", (unsigned long long)number);
    return marea_feed_broken(feed, what);
  }
  *word = (marea_text){bytes, (size_t)(blank - bytes)};
  return MAREA_OK;
}

static marea_status read_row(marea_feed *feed, marea_vectors *vectors, float *row,
                             uint64_t number) {
  marea_text word;
  size_t row_bytes = vectors->width * sizeof *row;
  marea_status status = find_word(feed, row_bytes, number, &word);
  if (status != MAREA_OK) return status;
  if (marea_feed_there(feed) < word.length + 1 + row_bytes) { /* a word longer than usual */
    status = marea_feed_fill(feed, word.length + 1 + row_bytes);
    if (status != MAREA_OK) return status;
    word.bytes = marea_feed_bytes(feed);
  }
  if (marea_feed_there(feed) < word.length + 1 + row_bytes) {
    char what[80];
    snprintf(what, sizeof what, "vector %llu is cut short", (unsigned long long)number);
    return marea_feed_broken(feed, what);
  }
  memcpy(row, word.bytes + word.length + 1, row_bytes);
  uint64_t place = feed->taken + 1;
  status = marea_feed_add(feed, vectors, word, row);
  if (status != MAREA_OK) return marea_feed_failure(feed, status, "byte", place);
  marea_feed_take(feed, word.length + 1 + row_bytes);
  return MAREA_OK;
}

/* Nothing but a line end may follow the last vector. */
static marea_status check_end(marea_feed *feed) {
  marea_status status = marea_feed_fill(feed, 2);
  if (status != MAREA_OK) return status;
  size_t there = marea_feed_there(feed);
  if (there == 0 || (there == 1 && marea_feed_bytes(feed)[0] == '\n')) return MAREA_OK;
  return marea_feed_broken(feed, "more follows the last vector that the header promises");
}

static marea_status read_rows(marea_feed *feed, marea_vectors *vectors, uint64_t rows) {
  float *row = marea_alloc_array(vectors->width, sizeof *row);
  marea_status status = row == NULL ? MAREA_NOMEM : MAREA_OK;
  uint64_t done = 0;
  for (; done < rows && status == MAREA_OK && !marea_feed_full(feed, vectors); done++)
    status = read_row(feed, vectors, row, done + 1);
  if (status == MAREA_OK && done == rows) status = check_end(feed);
  marea_free(row);
  return status;
}

marea_vectors *marea_read_word2vec(marea_feed *feed) {
  uint64_t rows, width;
  size_t header = marea_feed_header(feed, &rows, &width);
  if (header == 0) {
    no_header(feed);
    return NULL;
  }
  if (width < 1 || width > MAREA_MOST_WIDTH || rows > MAREA_MOST_ROWS ||
      rows > marea_feed_most(feed) / (width * sizeof(float) + 1)) {
    marea_fail(MAREA_FORMAT,
               "\"%s\": the header promises %llu vectors of %llu numbers, more than the file holds",
               marea_source_path(feed->source), (unsigned long long)rows,
               (unsigned long long)width);
    return NULL;
  }
  marea_feed_take(feed, header);
  marea_vectors *vectors = marea_vectors_new(
      (size_t)width, feed->options->type, marea_feed_room(feed, rows, width * sizeof(float) + 1));
  if (vectors == NULL) return NULL;
  if (read_rows(feed, vectors, rows) == MAREA_OK) return vectors;
  marea_vectors_free(vectors);
  return NULL;
}

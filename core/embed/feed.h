/* Inside embed only: bytes of a source with a look ahead, and what the readers share. */
#ifndef MAREA_EMBED_FEED_H
#define MAREA_EMBED_FEED_H

#include "base/source.h"
#include "embed/reading.h"

enum { MAREA_FEED_BLOCK = 1 << 22, MAREA_FEED_LONGEST = 1 << 28 };

typedef struct marea_feed {
  marea_source *source;
  char *buffer;
  size_t capacity, begin, end; /* bytes begin … end-1 are there */
  uint64_t taken;              /* unpacked bytes before `begin` */
  bool at_end;                 /* nothing follows what is there */
  const marea_reading_options *options;
  marea_reading_report *report;
} marea_feed;

marea_status marea_feed_open(marea_feed *feed, const char *path,
                             const marea_reading_options *options, marea_reading_report *report);
void marea_feed_close(marea_feed *feed);

/* Sees to it that `wanted` bytes are there, or all that follow; asks the progress function. */
marea_status marea_feed_fill(marea_feed *feed, size_t wanted);
static inline size_t marea_feed_there(const marea_feed *feed) {
  return feed->end - feed->begin;
}
static inline const char *marea_feed_bytes(const marea_feed *feed) {
  return feed->buffer + feed->begin;
}
void marea_feed_take(marea_feed *feed, size_t bytes);
/* Exactly `count` bytes into `to`; MAREA_FORMAT "ends at byte …, `what` is cut short". */
marea_status marea_feed_read(marea_feed *feed, void *to, size_t count, const char *what);
/* How many bytes can follow at most, for checking what a file claims. */
uint64_t marea_feed_most(const marea_feed *feed);

/* MAREA_FORMAT with path and byte. */
marea_status marea_feed_broken(const marea_feed *feed, const char *what);
/* The status of an append with path and place ("line 3", "byte 40") in front of its message. */
marea_status marea_feed_failure(const marea_feed *feed, marea_status status, const char *place,
                                uint64_t number);

/* Adds a row if it is wanted, and counts. */
marea_status marea_feed_add(marea_feed *feed, marea_vectors *vectors, marea_text word,
                            const float *row);
static inline bool marea_feed_wants(const marea_feed *feed, marea_text word) {
  return feed->options->only == NULL ||
         marea_lexicon_find(feed->options->only, word.bytes, word.length) >= 0;
}
/* Whether the limit is reached. */
bool marea_feed_full(const marea_feed *feed, const marea_vectors *vectors);
/* How many rows to make room for when a file claims `rows` of at least `row_bytes` bytes. */
size_t marea_feed_room(const marea_feed *feed, uint64_t rows, uint64_t row_bytes);

marea_vectors *marea_read_text(marea_feed *feed);
marea_vectors *marea_read_word2vec(marea_feed *feed);
marea_vectors *marea_read_fasttext(marea_feed *feed);
marea_vectors *marea_read_own(const char *path, const marea_reading_options *options,
                              marea_reading_report *report);

/* The two whole numbers of "V D" at the beginning of what is there; the header's length with its
 * line end, or 0. */
size_t marea_feed_header(const marea_feed *feed, uint64_t *rows, uint64_t *width);

#endif

/* Lists of ids of different lengths: encoding texts, padding, bag-of-words matrices. */
#ifndef MAREA_TEXT_SEQUENCES_H
#define MAREA_TEXT_SEQUENCES_H

#include "base/real.h"
#include "text/vocabulary.h"

/* Sequence i holds ids[offsets[i]] … ids[offsets[i+1] - 1]. */
typedef struct marea_sequences {
  int32_t *ids;
  size_t id_count, id_capacity;
  size_t *offsets;
  size_t count, capacity;
} marea_sequences;

marea_sequences *marea_sequences_new(void);
void marea_sequences_free(marea_sequences *sequences); /* NULL is allowed */
marea_status marea_sequences_push(marea_sequences *sequences, int32_t id);
/* Ends the sequence that _push has filled since the last end. */
marea_status marea_sequences_end(marea_sequences *sequences);

/* What became of the words. */
typedef struct marea_encoding_report {
  size_t tokens;  /* in the texts */
  size_t unknown; /* not in the vocabulary */
  size_t beyond;  /* in it, but not among the first num_words */
  size_t empty;   /* texts without a single id */
} marea_encoding_report;

/* Keras's rule. Ids are ranks from 1, or from 2 when there is an OOV word, whose id is 1. A word is
 * kept if its id < num_words (0: no limit); any other becomes the OOV id or is left out. */
typedef struct marea_encoding {
  const marea_vocabulary *vocabulary; /* ranked */
  size_t num_words;
  bool oov;
  marea_text oov_word; /* a word of the texts that equals it gets its id */
} marea_encoding;

int32_t marea_encode_word(const marea_encoding *encoding, const char *bytes, size_t length,
                          marea_encoding_report *report);
marea_status marea_encode(const marea_encoding *encoding, const marea_splitter *splitter,
                          const marea_text *texts, size_t count, marea_sequences *sequences,
                          marea_encoding_report *report);

typedef struct marea_padding {
  size_t maxlen;
  bool pad_after, cut_after; /* Keras's defaults: both before */
  int32_t value;
} marea_padding;

typedef struct marea_padding_report {
  size_t cut_rows, lost, tokens, longest;
} marea_padding_report;

/* out (count, maxlen). MAREA_RANGE for maxlen 0. */
marea_status marea_pad(const marea_sequences *sequences, const marea_padding *padding, int32_t *out,
                       marea_padding_report *report);

/* The length that `share` (0 … 1) of the sequences do not exceed. */
marea_status marea_length_quantile(const marea_sequences *sequences, double share, size_t *length);

typedef enum marea_bag {
  MAREA_BAG_BINARY,
  MAREA_BAG_COUNT,
  MAREA_BAG_FREQ,
  MAREA_BAG_TFIDF
} marea_bag;

/* out (count, columns), Keras's texts_to_matrix: 1; c; c / length; (1 + ln c) ln(1 + N/(1 + df)).
 * Ids from `columns` on are left out. `frequency` (columns) holds df by id, for tfidf only. */
marea_status marea_bag_matrix(const marea_sequences *sequences, marea_bag mode, size_t columns,
                              const int64_t *frequency, int64_t documents, marea_real *out);

#endif

/* Texts as lists of ids, by a ranked vocabulary. */
#ifndef MAREA_TEXT_ENCODING_H
#define MAREA_TEXT_ENCODING_H

#include "text/sequences.h"
#include "text/vocabulary.h"

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

#endif

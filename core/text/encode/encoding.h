/* Texts as lists of ids, by a ranked vocabulary. */
#ifndef MAREA_TEXT_ENCODING_H
#define MAREA_TEXT_ENCODING_H

#include "text/pipeline.h"
#include "text/sequences/sequences.h"

/* How words become ids. Keras: first_id 1 and unknown words left out, or with an OOV word first_id
 * 2, unknown_id 1 and that word among the specials; limit is num_words. */
typedef struct marea_encoding {
  const marea_vocabulary *vocabulary; /* ranked */
  int32_t first_id;                   /* of the first word in the ranking */
  size_t limit;                       /* ids of words stay below it; 0: none */
  int32_t unknown_id;                 /* of a word without an id; -1: it is left out */
  size_t unknown_ids; /* several: unknown_id + a stable hash of the word modulo this; 0 is 1 */
  const marea_vocabulary *specials; /* words that have ids of their own; NULL: none */
  const int32_t *special_ids;       /* by place in specials */
} marea_encoding;

/* What became of the words. */
typedef struct marea_encoding_report {
  size_t tokens;  /* in the texts */
  size_t unknown; /* not in the vocabulary, or left out of its ranking */
  size_t beyond;  /* ranked, but the id is not below the limit */
  size_t empty;   /* texts without a single id */
  marea_pipeline_report pipeline;
} marea_encoding_report;

/* The id of a word; -1: it is left out. */
int32_t marea_encode_word(const marea_encoding *encoding, const char *bytes, size_t length,
                          marea_encoding_report *report);

/* Appends one sequence a text, with all threads. `report` is added to. MAREA_FORMAT names the
 * text (from 1). */
marea_status marea_encode_texts(const marea_encoding *encoding, const marea_pipeline *pipeline,
                                const marea_text *texts, size_t count, marea_sequences *sequences,
                                marea_encoding_report *report);

#endif

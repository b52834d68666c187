/* Files of word vectors, read. Sizes in a file are never believed before there are bytes for
 * them. Plain or gzip; the format is told by the content. */
#ifndef MAREA_EMBED_READING_H
#define MAREA_EMBED_READING_H

#include "embed/vectors.h"

typedef enum marea_vector_format {
  MAREA_VECTORS_AUTO,
  MAREA_VECTORS_TEXT,     /* GloVe's, word2vec's and fastText's .vec: with a header or without */
  MAREA_VECTORS_WORD2VEC, /* word2vec's binary form */
  MAREA_VECTORS_FASTTEXT, /* fastText's .bin, with the parts of words */
  MAREA_VECTORS_OWN       /* safetensors, written by marea_vectors_save */
} marea_vector_format;

/* Tells how far reading is: bytes of the file used, all bytes (0: unknown). False stops it with
 * MAREA_INTERRUPTED. */
typedef bool marea_reading_progress(void *context, uint64_t done, uint64_t total);

typedef struct marea_reading_options {
  marea_vector_format format;
  marea_row_type type;
  bool any_type;             /* a file of our own keeps its type, and can stay mapped */
  bool copy;                 /* a file of our own is copied and checked, not mapped */
  bool no_subwords;          /* fastText's parts are left out */
  size_t width;              /* numbers a row; 0: told by the file */
  size_t limit;              /* rows at most, the first ones; 0: all */
  const marea_lexicon *only; /* the words that are kept; NULL: all */
  marea_reading_progress *progress;
  void *context;
} marea_reading_options;

typedef struct marea_reading_report {
  marea_vector_format format;
  size_t seen;       /* rows of the file that were looked at */
  size_t duplicates; /* rows whose word came before: the first one stays */
  size_t left_out;   /* rows of words that are not wanted */
  bool mapped;
} marea_reading_report;

/* NULL on failure: MAREA_IO, MAREA_FORMAT (line or byte named), MAREA_NONFINITE, MAREA_NOMEM. */
marea_vectors *marea_vectors_load(const char *path, const marea_reading_options *options,
                                  marea_reading_report *report);

#endif

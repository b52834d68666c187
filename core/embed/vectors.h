/* A store of word vectors: words, and a row of `width` numbers for each.
 *
 * Rows are float32 in both builds (that is what files hold), or float16, or int8 with a scale a
 * row: half and a quarter of the memory. A store may lie in a mapped file. Fields are for reading.
 */
#ifndef MAREA_EMBED_VECTORS_H
#define MAREA_EMBED_VECTORS_H

#include "base/real.h"
#include "embed/lexicon.h"
#include "embed/mapping.h"

typedef enum marea_row_type { MAREA_FLOAT32, MAREA_FLOAT16, MAREA_INT8 } marea_row_type;

/* fastText's parts of words: a row for each bucket of the hash of a part. */
typedef struct marea_subwords {
  int least, most; /* code points of a part, the marks < and > counted */
  size_t buckets;  /* 0: there are none */
  float *rows;     /* (buckets, width) */
  bool borrowed;   /* they lie in the mapped file */
} marea_subwords;

typedef struct marea_vectors {
  marea_lexicon words;
  size_t rows, width, capacity; /* of the matrix */
  marea_row_type type;
  void *data;    /* (rows, width) */
  float *scales; /* int8: number = scale * byte; else NULL */
  float *norms;  /* Euclidean, of the rows as stored */
  bool borrowed; /* data, scales, norms lie in the mapped file */
  marea_subwords subwords;
  struct marea_sketch *sketch; /* for searching; NULL until marea_vectors_prepare */
  size_t searches;             /* of one question, so far */
  char *card;                  /* a text that travels with the file: source, licence; may be NULL */
  marea_mapping mapping;
} marea_vectors;

/* Rows beyond these are refused: an id is an int32, a width beyond it an accident. */
enum { MAREA_MOST_ROWS = INT32_MAX - 8, MAREA_MOST_WIDTH = 1 << 20 };

/* An empty store with room for `rows`. MAREA_RANGE for a width outside 1 … MAREA_MOST_WIDTH,
 * MAREA_NOMEM; NULL then. */
marea_vectors *marea_vectors_new(size_t width, marea_row_type type, size_t rows);
void marea_vectors_free(marea_vectors *vectors); /* NULL is allowed */

/* Frees what marea_vectors_prepare made; NULL is allowed. */
void marea_sketch_free(struct marea_sketch *sketch);

/* Appends a word and its row. *is_new false, nothing added, when the word is there already.
 * MAREA_NONFINITE for NaN and infinity, MAREA_RANGE for what float16 cannot hold. */
marea_status marea_vectors_append(marea_vectors *vectors, const char *bytes, size_t length,
                                  const float *row, bool *is_new);
/* Gives back room that is not used, when it is much. */
marea_status marea_vectors_trim(marea_vectors *vectors);

/* Rows first … first+count-1 as reals. */
void marea_vectors_rows(const marea_vectors *vectors, size_t first, size_t count, marea_real *to);
void marea_vectors_row(const marea_vectors *vectors, size_t row, float *to);

/* The mean of a word's parts (Bojanowski et al., 2017); false when there are no parts. `to` has
 * `width` numbers. */
bool marea_subwords_vector(const marea_vectors *vectors, const char *bytes, size_t length,
                           float *to);
/* Adds the rows of a word's parts to `sum` and returns how many there are. */
size_t marea_subwords_sum(const marea_subwords *subwords, size_t width, const char *bytes,
                          size_t length, double *sum);
/* fastText's hash of a part: FNV-1a over bytes that are sign-extended. */
uint32_t marea_subword_hash(const char *bytes, size_t length);

/* Bytes of one number. */
size_t marea_row_type_bytes(marea_row_type type);
/* Bytes in memory; what is mapped is not counted. */
size_t marea_vectors_bytes(const marea_vectors *vectors);

#endif

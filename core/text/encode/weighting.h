/* What a count of words is worth: tf-idf in the forms of the libraries that people come from, over
 * sparse matrices of counts (N documents, V words).
 *
 * The idea: a word that is in every document says little, one that is in few says much (Sparck
 * Jones, 1972). c is the count, N the number of documents, df how many of them have the word. */
#ifndef MAREA_TEXT_WEIGHTING_H
#define MAREA_TEXT_WEIGHTING_H

#include "base/csr.h"
#include "text/sequences/sequences.h"

/* How often each id from `first` to first+columns-1 occurs, `first` in column 0; others are left
 * out. MAREA_RANGE names a sequence with a negative id. */
marea_csr *marea_count_ids(const marea_sequences *sequences, int32_t first, int64_t columns);

typedef enum marea_tf {
  MAREA_TF_BINARY, /* 1 */
  MAREA_TF_COUNT,  /* c */
  MAREA_TF_FREQ,   /* c / length of the document */
  MAREA_TF_LOG     /* 1 + ln c */
} marea_tf;

typedef enum marea_idf {
  MAREA_IDF_KERAS,         /* ln(1 + N / (1 + df)): Keras's Tokenizer and TextVectorization */
  MAREA_IDF_SKLEARN,       /* ln((1 + N) / (1 + df)) + 1 */
  MAREA_IDF_SKLEARN_PLAIN, /* ln(N / df) + 1, without smoothing; 0 for a word in no document */
  MAREA_IDF_GENSIM         /* log2(N / df); 0 for a word in no document */
} marea_idf;

/* out[j] for df[0 … n-1]. MAREA_RANGE for a df that is negative or, where the rule cannot bear it,
 * above N. */
marea_status marea_idf_values(marea_idf rule, int64_t documents, const int32_t *df, int64_t n,
                              marea_real *out);

/* tf times idf[column] (NULL: 1), then each row divided by its norm. `length` (rows) is for
 * MAREA_TF_FREQ; NULL: the sum of the row's counts. A count of 0 or less has the weight 0 in
 * MAREA_TF_LOG. */
marea_csr *marea_weigh(const marea_csr *counts, marea_tf tf, const marea_real *idf, marea_norm norm,
                       const int32_t *length);

#endif

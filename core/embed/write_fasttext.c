/* fastText's .bin, version 12, written for fastText's own programs: settings, dictionary, matrix of
 * word rows and part rows, and an empty output matrix, since a store of vectors has none. */
#include <string.h>

#include "base/memory.h"
#include "embed/output_formats.h"

enum { MAGIC = 793712314, VERSION = 12, NEGATIVE_SAMPLING = 2, SKIP_GRAM = 2 };

/* The settings that training would need are fastText's defaults; nothing of them is in the rows. */
static marea_status write_settings(const marea_vectors *v, marea_output *output) {
  const marea_subwords *parts = &v->subwords;
  int32_t settings[] = {MAGIC,
                        VERSION,
                        (int32_t)v->width,
                        5 /* window */,
                        5 /* epochs */,
                        1 /* least count */,
                        5 /* negative samples */,
                        1 /* word n-grams */,
                        NEGATIVE_SAMPLING,
                        SKIP_GRAM,
                        (int32_t)parts->buckets,
                        parts->buckets > 0 ? parts->least : 0,
                        parts->buckets > 0 ? parts->most : 0,
                        100 /* update rate */};
  double sampling = 1e-4;
  marea_status status = marea_output_write(output, settings, sizeof settings);
  if (status == MAREA_OK) status = marea_output_write(output, &sampling, sizeof sampling);
  return status;
}

/* Counts are not kept in a store; ranks stand for them, as the rows are in the order of counts. */
static marea_status write_dictionary(const marea_vectors *v, marea_output *output) {
  int32_t sizes[3] = {(int32_t)v->rows, (int32_t)v->rows, 0};
  int64_t tokens_and_pruned[2] = {(int64_t)v->rows * ((int64_t)v->rows + 1) / 2, -1};
  marea_status status = marea_output_write(output, sizes, sizeof sizes);
  if (status == MAREA_OK)
    status = marea_output_write(output, tokens_and_pruned, sizeof tokens_and_pruned);
  for (size_t row = 0; row < v->rows && status == MAREA_OK; row++) {
    marea_text word = marea_lexicon_word(&v->words, row);
    int64_t count = (int64_t)(v->rows - row);
    status = marea_output_check_word(word, row, "\n ");
    if (status == MAREA_OK) status = marea_output_write(output, word.bytes, word.length);
    if (status == MAREA_OK) status = marea_output_write(output, "", 1);
    if (status == MAREA_OK) status = marea_output_write(output, &count, sizeof count);
    if (status == MAREA_OK) status = marea_output_write(output, "", 1); /* a word, no label */
  }
  return status;
}

static marea_status write_sizes(size_t rows, size_t width, marea_output *output) {
  int64_t sizes[2] = {(int64_t)rows, (int64_t)width};
  marea_status status = marea_output_write(output, "", 1); /* not quantised */
  return status == MAREA_OK ? marea_output_write(output, sizes, sizeof sizes) : status;
}

/* The row of a word alone, so that its mean with the rows of its parts is the vector. */
static void own_row(const marea_vectors *v, size_t row, float *x, double *sum) {
  marea_text word = marea_lexicon_word(&v->words, row);
  marea_vectors_row(v, row, x);
  memset(sum, 0, v->width * sizeof *sum);
  size_t parts = marea_subwords_sum(&v->subwords, v->width, word.bytes, word.length, sum);
  for (size_t i = 0; i < v->width && parts > 0; i++)
    x[i] = (float)((double)x[i] * (double)(parts + 1) - sum[i]);
}

static marea_status write_rows(const marea_vectors *v, marea_output *output, float *x,
                               double *sum) {
  const marea_subwords *parts = &v->subwords;
  marea_status status = write_sizes(v->rows + parts->buckets, v->width, output);
  for (size_t row = 0; row < v->rows && status == MAREA_OK; row++) {
    own_row(v, row, x, sum);
    status = marea_output_write(output, x, v->width * sizeof *x);
  }
  for (size_t row = 0; row < parts->buckets && status == MAREA_OK; row++)
    status = marea_output_write(output, parts->rows + row * v->width, v->width * sizeof *x);
  memset(x, 0, v->width * sizeof *x);
  if (status == MAREA_OK) status = write_sizes(v->rows, v->width, output);
  for (size_t row = 0; row < v->rows && status == MAREA_OK; row++)
    status = marea_output_write(output, x, v->width * sizeof *x);
  return status;
}

marea_status marea_write_fasttext(const marea_vectors *v, marea_output *output) {
  float *x = marea_alloc_array(v->width, sizeof *x);
  double *sum = marea_alloc_array(v->width, sizeof *sum);
  marea_status status = x == NULL || sum == NULL ? MAREA_NOMEM : write_settings(v, output);
  if (status == MAREA_OK) status = write_dictionary(v, output);
  if (status == MAREA_OK) status = write_rows(v, output, x, sum);
  marea_free(sum);
  marea_free(x);
  return status;
}

/* Files of word vectors in every format: whatever is read answers questions without NaN, and what
 * is written from it reads the same. */
#include <math.h>
#include <string.h>

#include "embed/reading.h"
#include "embed/search.h"
#include "fuzz.h"

enum { BEST = 4, FORMATS = MAREA_VECTORS_OWN + 1, MOST_ROWS = 200 };

static void check_words(const marea_vectors *v) {
  for (size_t row = 0; row < v->rows && row < MOST_ROWS; row++) {
    marea_text word = marea_lexicon_word(&v->words, row);
    int64_t found = marea_lexicon_find(&v->words, word.bytes, word.length);
    REQUIRE(v->mapping.bytes != NULL || found == (int64_t)row);
    REQUIRE(found < (int64_t)v->rows);
    REQUIRE(v->norms[row] >= 0 && isfinite(v->norms[row]));
  }
}

static void check_search(const marea_vectors *v) {
  marea_found found[BEST];
  marea_real *term = calloc(v->width, sizeof *term);
  REQUIRE(term != NULL);
  term[0] = 1;
  marea_search search = {
      .terms = term, .questions = 1, .positive = 1, .last = v->rows, .best = BEST};
  REQUIRE(marea_vectors_search(v, &search, found) == MAREA_OK);
  for (size_t i = 0; i < BEST; i++) {
    REQUIRE(!isnan(found[i].score) && found[i].row < (int64_t)v->rows);
    REQUIRE(i == 0 || found[i - 1].score >= found[i].score);
  }
  free(term);
}

static void check_parts(const marea_vectors *v) {
  float *row = calloc(v->width, sizeof *row);
  REQUIRE(row != NULL);
  marea_subwords_vector(v,
                        "ni\xC3\xB1"
                        "as",
                        6, row);
  free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  unsigned how = fuzz_byte(&in);
  marea_reading_report report;
  marea_reading_options options = {.format = (marea_vector_format)(how % FORMATS),
                                   .type = (marea_row_type)(how / 8 % 3),
                                   .any_type = how & 32,
                                   .copy = how & 64,
                                   .limit = how & 128 ? 3 : 0};
  marea_vectors *v = marea_vectors_load(fuzz_file(0, in.data, in.size), &options, &report);
  if (v == NULL) {
    REQUIRE(marea_error_text()[0] != '\0');
  } else {
    REQUIRE(v->width >= 1 && v->width <= MAREA_MOST_WIDTH);
    check_words(v);
    check_search(v);
    check_parts(v);
  }
  marea_vectors_free(v);
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

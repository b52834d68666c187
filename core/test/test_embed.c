/* Co-occurrences, GloVe and word2vec by hand: golden numbers, threads, spilling, memory that runs
 * out. */
#include <stdlib.h>

#include "base/random.h"
#include "base/threads.h"
#include "embed/alias.h"
#include "embed/glove.h"
#include "embed/pair_run.h"
#include "embed/word2vec.h"
#include "kernels/simd.h"
#include "test.h"

static const double NEAR = sizeof(marea_real) == 8 ? 1e-9 : 2e-7;

enum { WORDS = 300, TOKENS = 9000, DOCUMENTS = 20 };

static int32_t ids[TOKENS];
static size_t offsets[DOCUMENTS + 1];

static void make_texts(void) {
  marea_stream stream = marea_stream_new(1, 1);
  for (size_t i = 0; i < TOKENS; i++) {
    double u = marea_stream_uniform(&stream);
    ids[i] = (int32_t)(WORDS * u * u * u);
  }
  for (size_t i = 0; i <= DOCUMENTS; i++) offsets[i] = i * i * TOKENS / DOCUMENTS / DOCUMENTS;
}

static marea_cooccurrence *count(size_t window, bool symmetric, size_t memory) {
  marea_cooccurrence_options o = {.words = WORDS,
                                  .window = window,
                                  .symmetric = symmetric,
                                  .weighting = true,
                                  .memory = memory};
  marea_cooccurrence *c = marea_cooccurrence_new(&o);
  if (c == NULL) return NULL;
  if (marea_cooccurrence_add(c, ids, offsets, DOCUMENTS) == MAREA_OK &&
      marea_cooccurrence_finish(c) == MAREA_OK)
    return c;
  marea_cooccurrence_free(c);
  return NULL;
}

/* ---- co-occurrences ---- */

typedef struct dense {
  const marea_cooccurrence *from;
  double x[WORDS][WORDS];
} dense;

static marea_status spread(void *context, const marea_cooccurrence_row *row) {
  dense *d = context;
  for (uint32_t k = 0; k < row->count; k++)
    d->x[row->row][marea_pair_column(row->body, k)] = marea_cooccurrence_value(d->from, row, k);
  return MAREA_OK;
}

static dense *dense_of(const marea_cooccurrence *c) {
  dense *d = calloc(1, sizeof *d);
  d->from = c;
  CHECK(marea_cooccurrence_rows(c, spread, d) == MAREA_OK);
  return d;
}

static void check_definition(size_t window, bool symmetric, size_t memory) {
  marea_cooccurrence *c = count(window, symmetric, memory);
  dense *got = dense_of(c), *expected = calloc(1, sizeof *expected);
  for (size_t k = 0; k < DOCUMENTS; k++)
    for (size_t i = offsets[k]; i < offsets[k + 1]; i++)
      for (size_t d = 1; d <= window && offsets[k] + d <= i; d++) {
        int32_t left = ids[i - d], word = ids[i];
        expected->x[left][word] += 1 / (double)d;
        if (symmetric) expected->x[word][left] += 1 / (double)d;
      }
  double worst = 0;
  for (size_t i = 0; i < WORDS; i++)
    for (size_t j = 0; j < WORDS; j++) {
      double want = symmetric && j > i ? 0 : expected->x[i][j];
      worst = fmax(worst, fabs(want - got->x[i][j]) / (1 + want));
    }
  CHECK_NEAR(worst, 0, window > 22 ? 1e-8 : 1e-13);
  CHECK((marea_cooccurrence_told(c)->files > 1) == (memory > 0));
  free(got);
  free(expected);
  marea_cooccurrence_free(c);
}

static void test_cooccurrence(void) {
  for (int symmetric = 0; symmetric < 2; symmetric++) {
    check_definition(1, symmetric, 0);
    check_definition(15, symmetric, 0);
    check_definition(15, symmetric, 1 << 14);
    check_definition(30, symmetric, 0);
  }
  marea_cooccurrence_options o = {.words = 2, .window = 1};
  marea_cooccurrence *c = marea_cooccurrence_new(&o);
  size_t ends[] = {0, 1};
  CHECK(marea_cooccurrence_add(c, (int32_t[]){2}, ends, 1) == MAREA_RANGE);
  CHECK_ERROR("id 2, expected 0 to 1");
  CHECK(marea_cooccurrence_rows(c, spread, NULL) == MAREA_STATE);
  marea_cooccurrence_free(c);
  o.window = 0;
  CHECK(marea_cooccurrence_new(&o) == NULL);
}

/* ---- GloVe ---- */

static const marea_glove_options usual = {
    .dimensions = 2, .x_max = 100, .alpha = 0.75, .eta = 0.05, .clip = 100, .seed = 1};

/* X has one entry, (0, 1) = 4. */
static void test_golden_step(void) {
  marea_cooccurrence_options o = {.words = 2, .window = 1, .weighting = true};
  marea_cooccurrence *c = marea_cooccurrence_new(&o);
  const int32_t text[] = {0, 1, 0, 1, 0, 1, 0, 1};
  const size_t ends[] = {0, 2, 4, 6, 8};
  CHECK(marea_cooccurrence_add(c, text, ends, 4) == MAREA_OK);
  CHECK(marea_cooccurrence_finish(c) == MAREA_OK);
  marea_glove *g = marea_glove_new(&usual, c);
  marea_real words[] = {(marea_real)(.1), (marea_real)(-.2), (marea_real)(.01), 9, 9, 9};
  marea_real contexts[] = {9, 9, 9, (marea_real)(.3), (marea_real)(.05), (marea_real)(-.02)},
             squares[6];
  CHECK(marea_glove_import(g, MAREA_GLOVE_WORDS, words) == MAREA_OK);
  CHECK(marea_glove_import(g, MAREA_GLOVE_CONTEXTS, contexts) == MAREA_OK);
  marea_glove_progress progress = {0};
  bool done = false;
  CHECK(marea_glove_go_on(g, 100, &progress, &done) == MAREA_OK && done);
  marea_glove_export(g, MAREA_GLOVE_WORDS, words);
  marea_glove_export(g, MAREA_GLOVE_CONTEXTS, contexts);
  marea_glove_export(g, MAREA_GLOVE_WORD_SQUARES, squares);
  static const double w[] = {0.101846493, -0.199692251, 0.133099510, 9, 9, 9};
  static const double x[] = {9, 9, 9, 0.300615498, 0.048769005, 0.103099510};
  static const double s[] = {1.000003409535, 1.000000094709, 1.015153489, 1, 1, 1};
  for (int i = 0; i < 6; i++) {
    CHECK_NEAR(words[i], w[i], NEAR);
    CHECK_NEAR(contexts[i], x[i], NEAR);
    CHECK_NEAR(squares[i], s[i], NEAR);
  }
  CHECK_NEAR(progress.cost, 0.084710581, NEAR);
  CHECK(progress.pairs == 1 && progress.skipped == 0);
  words[4] = (marea_real)HUGE_VAL;
  CHECK(marea_glove_import(g, MAREA_GLOVE_WORDS, words) == MAREA_NONFINITE);
  CHECK_ERROR("word 2");
  marea_glove_free(g);
  marea_cooccurrence_free(c);
}

enum { DIMENSIONS = 7, TABLE = WORDS * (DIMENSIONS + 1) };

static double train(int threads, size_t memory, marea_real *words) {
  marea_glove_options o = usual;
  o.dimensions = DIMENSIONS;
  o.x_max = 10;
  o.memory = memory;
  marea_threads_set(threads);
  marea_cooccurrence *c = count(5, true, memory);
  marea_glove *g = marea_glove_new(&o, c);
  marea_glove_progress progress = {0};
  for (int i = 0; i < 3; i++)
    for (bool done = false; !done;) CHECK(marea_glove_go_on(g, 5, &progress, &done) == MAREA_OK);
  CHECK(marea_glove_iteration(g) == 3);
  CHECK(progress.pairs == 3 * marea_glove_entries(g));
  marea_glove_export(g, MAREA_GLOVE_WORDS, words);
  marea_glove_free(g);
  marea_cooccurrence_free(c);
  return progress.cost;
}

static void test_invariance(void) {
  static marea_real one[TABLE], more[TABLE];
  double cost = train(1, 0, one);
  for (int threads = 2; threads <= 8; threads *= 2) {
    CHECK(train(threads, 0, more) == cost);
    CHECK(memcmp(one, more, sizeof one) == 0);
  }
  CHECK(train(2, 1 << 14, more) == cost); /* pairs in a temporary file */
  CHECK(memcmp(one, more, sizeof one) == 0);
  for (int level = MAREA_ISA_BASELINE; level <= MAREA_ISA_V4; level++) {
    marea_isa before = marea_isa_level();
    if (marea_isa_set((marea_isa)level) == MAREA_OK) {
      CHECK_NEAR(train(2, 0, more) / cost, 1, 1e-4);
      for (size_t i = 0; i < TABLE; i++) CHECK_NEAR(one[i], more[i], 1e-3);
    }
    marea_isa_set(before);
  }
}

/* ---- word2vec ---- */

static void test_alias(void) {
  static const double weights[] = {1, 0, 5, 2};
  double drawn[4] = {0};
  marea_alias a;
  CHECK(marea_alias_make(&a, weights, 4) == MAREA_OK);
  marea_stream stream = marea_stream_new(2, 2);
  for (int i = 0; i < 80000; i++) drawn[marea_alias_draw(&a, marea_stream_u64(&stream))]++;
  for (int i = 0; i < 4; i++) CHECK_NEAR(drawn[i] / 10000, weights[i], 0.1);
  CHECK(drawn[1] == 0);
  marea_alias_free(&a);
}

static marea_status learn(bool cbow, int threads, marea_real *words) {
  int64_t counts[WORDS];
  for (size_t i = 0; i < WORDS; i++) counts[i] = 1;
  for (size_t i = 0; i < TOKENS; i++) counts[ids[i]]++;
  marea_word2vec_options o = {.words = WORDS,
                              .dimensions = DIMENSIONS + 1,
                              .window = 3,
                              .negative = 4,
                              .epochs = 1,
                              .cbow = cbow,
                              .rate = 0.025,
                              .sample = 1e-2,
                              .power = 0.75,
                              .seed = 4};
  marea_threads_set(threads);
  marea_word2vec *w = marea_word2vec_new(&o, counts);
  if (w == NULL) return marea_error_code();
  marea_word2vec_progress progress = {0};
  bool done = false;
  marea_status status = marea_word2vec_add(w, ids, offsets, DOCUMENTS);
  while (status == MAREA_OK && !done) status = marea_word2vec_go_on(w, 3000, &progress, &done);
  if (status == MAREA_OK) marea_word2vec_export(w, false, words);
  marea_word2vec_free(w);
  return status;
}

static void test_word2vec(void) {
  static marea_real one[TABLE], more[TABLE];
  for (int cbow = 0; cbow < 2; cbow++) {
    CHECK(learn(cbow, 1, one) == MAREA_OK);
    for (int threads = 2; threads <= 8; threads *= 2) {
      CHECK(learn(cbow, threads, more) == MAREA_OK);
      CHECK(memcmp(one, more, sizeof one) == 0);
    }
  }
}

/* ---- memory ---- */

static marea_status everything(void) {
  static marea_real words[TABLE];
  marea_status status = MAREA_OK;
  marea_cooccurrence *c = count(5, true, 1 << 14);
  marea_glove *g = c == NULL ? NULL : marea_glove_new(&usual, c);
  marea_glove_progress progress = {0};
  bool done;
  if (g == NULL || marea_glove_go_on(g, 2, &progress, &done) != MAREA_OK)
    status = marea_error_code();
  marea_glove_free(g);
  marea_cooccurrence_free(c);
  return status == MAREA_OK ? learn(false, 2, words) : status;
}

static void test_allocation_failures(void) {
  size_t before = marea_memory_allocations();
  CHECK(everything() == MAREA_OK);
  size_t needed = marea_memory_allocations() - before, passed = 0;
  for (size_t n = 1; n <= needed; n += 1 + n / 50) {
    marea_memory_fail_at(n);
    marea_status status = everything();
    passed += status == MAREA_OK; /* a buffer that could not be cut to its size stays longer */
    CHECK(status == MAREA_OK || status == MAREA_NOMEM);
    CHECK(marea_memory_used() == 0);
  }
  marea_memory_fail_at(0);
  CHECK(needed > 100 && passed < 50);
}

int main(void) {
  make_texts();
  test_cooccurrence();
  test_golden_step();
  test_invariance();
  test_alias();
  test_word2vec();
  test_allocation_failures();
  return test_end();
}

/* CRF and CTC on plain arrays: values by hand, and memory that runs out in the beam. */
#include "test.h"

#include "base/memory.h"
#include "kernels/convolution.h"
#include "kernels/crf.h"
#include "kernels/ctc.h"

static void test_windows(void) {
  int64_t left;
  marea_window w = {.size = 3, .strides = 2, .dilation = 1, .border = MAREA_BORDER_VALID};
  CHECK(marea_window_steps(&w, 7, &left) == 3 && left == 0);
  CHECK(marea_window_steps(&w, 2, &left) == 0);
  w.border = MAREA_BORDER_SAME;
  CHECK(marea_window_steps(&w, 7, &left) == 4 && left == 1);
  CHECK(marea_window_steps(&w, 6, &left) == 3 && left == 0); /* one step is missing, at the end */
  w.border = MAREA_BORDER_CAUSAL;
  w.dilation = 2;
  CHECK(marea_window_steps(&w, 6, &left) == 3 && left == 4);
}

/* Two tags that never change, and scores for one of them: ln Z = ln(1 + e^3). */
static void test_crf(void) {
  const marea_real zeros[2] = {0, 0}, transitions[4] = {0, -10000, -10000, 0};
  const marea_real emissions[6] = {1, 0, 1, 0, 1, 0};
  const int32_t steps[3] = {0, 1, 2};
  double weights[4], alpha[6], work[8];
  marea_crf crf = {2, zeros, zeros, transitions, weights, 0};
  marea_crf_chain chain = {emissions, steps, 3};
  marea_crf_prepare(&crf);
  CHECK_NEAR(marea_crf_forward(&crf, &chain, alpha, work), log(1 + exp(3)), 1e-12);
  int32_t tags[3], back[6];
  CHECK_NEAR(marea_crf_viterbi(&crf, &chain, tags, back, work), 3, 1e-12);
  CHECK(tags[0] == 0 && tags[1] == 0 && tags[2] == 0);
  CHECK_NEAR(marea_crf_score(&crf, &chain, tags), 3, 1e-12);
}

static const int32_t STEPS[3] = {0, 1, 2};

/* Three steps of (blank 0.6, label 0.4): "1" has all paths but blank-blank-blank and 1-blank-1. */
static marea_ctc_rows rows(marea_real log_p[6]) {
  for (int t = 0; t < 3; t++) {
    log_p[2 * t] = (marea_real)log(0.6);
    log_p[2 * t + 1] = (marea_real)log(0.4);
  }
  return (marea_ctc_rows){2, 0, 3, log_p, STEPS};
}

static void test_ctc(void) {
  marea_real log_p[6];
  marea_ctc_rows ctc = rows(log_p);
  const int32_t labels[2] = {1, 1};
  double alpha[15], score;
  CHECK(marea_ctc_needs(labels, 2) == 3);
  CHECK_NEAR(exp(-marea_ctc_forward(&ctc, labels, 1, alpha)), 1 - 0.216 - 0.096, 1e-6);
  CHECK_NEAR(exp(-marea_ctc_forward(&ctc, labels, 2, alpha)), 0.096, 1e-6);
  CHECK_NEAR(exp(-marea_ctc_forward(&ctc, labels, 0, alpha)), 0.216, 1e-6);
  int32_t found[3];
  CHECK(marea_ctc_greedy(&ctc, found, &score) == 0);
  CHECK_NEAR(exp(score), 0.216, 1e-6);
}

static void test_beam(void) {
  marea_real log_p[6];
  marea_ctc_rows ctc = rows(log_p);
  int32_t labels[9];
  size_t lengths[3], found;
  double scores[3];
  CHECK(marea_ctc_beam(&ctc, 3, 3, labels, lengths, scores, &found) == MAREA_OK && found == 3);
  CHECK(lengths[0] == 1 && labels[0] == 1);
  CHECK_NEAR(exp(scores[0]), 1 - 0.216 - 0.096, 1e-6);
  CHECK(marea_ctc_beam(&ctc, 1, 2, labels, lengths, scores, &found) == MAREA_RANGE);
  size_t before = marea_memory_allocations();
  marea_ctc_beam(&ctc, 3, 3, labels, lengths, scores, &found);
  size_t needed = marea_memory_allocations() - before;
  for (size_t n = 1; n <= needed; n++) {
    marea_memory_fail_at(n);
    CHECK(marea_ctc_beam(&ctc, 3, 3, labels, lengths, scores, &found) == MAREA_NOMEM && found == 0);
    marea_memory_fail_at(0);
    CHECK(marea_memory_used() == 0);
  }
}

int main(void) {
  test_windows();
  test_crf();
  test_ctc();
  test_beam();
  return test_end();
}

#include "kernels/ctc.h"

#include <math.h>
#include <string.h>

static double add_logs(double a, double b) {
  if (a < b) {
    double swap = a;
    a = b, b = swap;
  }
  return isinf(a) && a < 0 ? a : a + log1p(exp(b - a));
}

/* Place s of the labels with blanks around each. */
static size_t class_at(const marea_ctc_rows *ctc, const int32_t *labels, size_t s) {
  return s % 2 == 0 ? ctc->blank : (size_t)labels[s / 2];
}

/* Whether a path may go from place s - 2 to s, over the blank: unless the labels are equal. */
static int may_skip(const int32_t *labels, size_t s) {
  return s % 2 == 1 && s >= 2 && labels[s / 2] != labels[s / 2 - 1];
}

static const marea_real *row_of(const marea_ctc_rows *ctc, size_t t) {
  return ctc->log_p + (size_t)ctc->steps[t] * ctc->C;
}

size_t marea_ctc_needs(const int32_t *labels, size_t U) {
  size_t steps = U;
  for (size_t u = 1; u < U; u++) steps += labels[u] == labels[u - 1];
  return steps;
}

double marea_ctc_forward(const marea_ctc_rows *ctc, const int32_t *labels, size_t U,
                         double *alpha) {
  size_t S = 2 * U + 1;
  if (ctc->n == 0) return U == 0 ? 0 : (double)INFINITY;
  for (size_t t = 0; t < ctc->n; t++) {
    const marea_real *row = row_of(ctc, t);
    double *now = alpha + t * S, *before = now - S;
    for (size_t s = 0; s < S; s++) {
      double sum = t == 0 ? (s < 2 ? 0 : -(double)INFINITY) : before[s];
      if (t > 0 && s > 0) sum = add_logs(sum, before[s - 1]);
      if (t > 0 && may_skip(labels, s)) sum = add_logs(sum, before[s - 2]);
      now[s] = sum + (double)row[class_at(ctc, labels, s)];
    }
  }
  const double *last = alpha + (ctc->n - 1) * S;
  return -(U == 0 ? last[0] : add_logs(last[S - 1], last[S - 2]));
}

/* beta of step t from that of t + 1, whose rows it includes: the log sum over all ends of the path
 * behind place s. */
static void step_back(const marea_ctc_rows *ctc, const int32_t *labels, size_t S, size_t t,
                      const double *behind, double *beta) {
  const marea_real *row = row_of(ctc, t + 1);
  for (size_t s = 0; s < S; s++) {
    double sum = behind[s] + (double)row[class_at(ctc, labels, s)];
    if (s + 1 < S) sum = add_logs(sum, behind[s + 1] + (double)row[class_at(ctc, labels, s + 1)]);
    if (s + 2 < S && may_skip(labels, s + 2))
      sum = add_logs(sum, behind[s + 2] + (double)row[class_at(ctc, labels, s + 2)]);
    beta[s] = sum;
  }
}

void marea_ctc_backward(const marea_ctc_rows *ctc, const int32_t *labels, size_t U,
                        const double *alpha, double loss, marea_real *gradient, double *work) {
  size_t S = 2 * U + 1;
  double *beta = work, *behind = work + S, *share = work + 2 * S;
  /* Rows are overwritten when `gradient` is log_p, so beta of t - 1 is taken before row t goes. */
  for (size_t s = 0; s < S; s++) beta[s] = s + 2 < S ? -(double)INFINITY : 0;
  for (size_t t = ctc->n; t-- > 0;) {
    const marea_real *row = row_of(ctc, t);
    marea_real *to = gradient + (size_t)ctc->steps[t] * ctc->C;
    memset(share, 0, ctc->C * sizeof *share);
    for (size_t s = 0; s < S; s++)
      share[class_at(ctc, labels, s)] += exp(alpha[t * S + s] + beta[s] + loss);
    if (t > 0) {
      step_back(ctc, labels, S, t - 1, beta, behind);
      double *swap = beta;
      beta = behind, behind = swap;
    }
    for (size_t c = 0; c < ctc->C; c++) to[c] = (marea_real)(exp((double)row[c]) - share[c]);
  }
}

size_t marea_ctc_greedy(const marea_ctc_rows *ctc, int32_t *labels, double *log_p) {
  size_t count = 0, before = ctc->blank;
  *log_p = 0;
  for (size_t t = 0; t < ctc->n; t++) {
    const marea_real *row = row_of(ctc, t);
    size_t best = 0;
    for (size_t c = 1; c < ctc->C; c++)
      if (row[c] > row[best]) best = c;
    *log_p += (double)row[best];
    if (best != ctc->blank && best != before) labels[count++] = (int32_t)best;
    before = best;
  }
  return count;
}

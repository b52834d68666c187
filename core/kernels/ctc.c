#include "kernels/ctc.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ln(e^a + e^b + e^c): two exponentials at most, and a logarithm. */
static double log_sum(double a, double b, double c) {
  double most = a, other = b;
  if (b > most) most = b, other = a;
  if (c > most) {
    double swap = most;
    most = c, c = swap;
  }
  if (isinf(most)) return most;
  double sum = 1;
  if (!isinf(other)) sum += exp(other - most);
  if (!isinf(c)) sum += exp(c - most);
  return most + log(sum);
}

/* Place s of the labels with blanks around each. */
static size_t class_at(const marea_ctc_rows *ctc, const int32_t *labels, size_t s) {
  return s % 2 == 0 ? ctc->blank : (size_t)labels[s / 2];
}

/* Whether a path may go from place s - 2 to s, over the blank: unless the labels are equal. */
static int may_skip(const int32_t *labels, size_t s) {
  return s % 2 == 1 && s >= 2 && labels[s / 2] != labels[s / 2 - 1];
}

/* The places that a path can have reached at step t, and from which it can still get to the end. */
static size_t last_place(size_t S, size_t t) {
  return 2 * t + 1 < S ? 2 * t + 1 : S - 1;
}

static size_t first_place(const marea_ctc_rows *ctc, size_t S, size_t t) {
  size_t left = 2 * (ctc->n - t);
  return left < S ? S - left : 0;
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
    size_t first = first_place(ctc, S, t), last = last_place(S, t);
    for (size_t s = 0; s < S; s++) {
      now[s] = -(double)INFINITY;
      if (s < first || s > last) continue;
      double sum = 0;
      if (t > 0)
        sum = log_sum(before[s], s > 0 ? before[s - 1] : -(double)INFINITY,
                      may_skip(labels, s) ? before[s - 2] : -(double)INFINITY);
      now[s] = sum + (double)row[class_at(ctc, labels, s)];
    }
  }
  const double *last = alpha + (ctc->n - 1) * S;
  return -log_sum(last[S - 1], U == 0 ? -(double)INFINITY : last[S - 2], -(double)INFINITY);
}

/* beta of step t from that of t + 1, whose rows it includes: the log sum over all ends of the path
 * behind place s. */
static void step_back(const marea_ctc_rows *ctc, const int32_t *labels, size_t S, size_t t,
                      const double *behind, double *beta) {
  const marea_real *row = row_of(ctc, t + 1);
  double rest[3];
  for (size_t s = 0; s < S; s++) {
    beta[s] = -(double)INFINITY;
    if (s < first_place(ctc, S, t) || s > last_place(S, t)) continue;
    for (size_t k = 0; k < 3; k++) {
      bool goes = s + k < S && (k < 2 || may_skip(labels, s + 2));
      rest[k] =
          goes ? behind[s + k] + (double)row[class_at(ctc, labels, s + k)] : -(double)INFINITY;
    }
    beta[s] = log_sum(rest[0], rest[1], rest[2]);
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
    for (size_t s = first_place(ctc, S, t); s <= last_place(S, t); s++)
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

#include "kernels/crf.h"

#include <math.h>
#include <string.h>

/* Sums of scaled exponentials below this are taken again with a maximum of their own: the scale of
 * the whole row has swallowed them. */
static const double SWALLOWED = 1e-250;
/* Exponents above this are added up before they are raised. */
static const double LARGE = 300;

void marea_crf_prepare(marea_crf *crf) {
  size_t count = crf->K * crf->K;
  crf->shift = -(double)INFINITY;
  for (size_t i = 0; i < count; i++) crf->shift = fmax(crf->shift, (double)crf->transitions[i]);
  if (!isfinite(crf->shift)) crf->shift = 0;
  for (size_t i = 0; i < count; i++)
    crf->weights[i] = exp((double)crf->transitions[i] - crf->shift);
}

static const marea_real *row_of(const marea_crf *crf, const marea_crf_chain *chain, size_t t) {
  return chain->emissions + (size_t)chain->steps[t] * crf->K;
}

static double largest(const double *x, size_t n) {
  double most = -(double)INFINITY;
  for (size_t i = 0; i < n; i++)
    if (!(x[i] <= most)) most = x[i];
  return most;
}

static double log_sum(const double *x, size_t n) {
  double most = largest(x, n), sum = 0;
  if (!isfinite(most)) return most;
  for (size_t i = 0; i < n; i++) sum += exp(x[i] - most);
  return most + log(sum);
}

/* ln sum_i e^(x_i + transition), directly: to tag `tag`, or from it when `from`. */
static double log_sum_exact(const marea_crf *crf, const double *x, size_t tag, int from) {
  double most = -(double)INFINITY, sum = 0;
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < crf->K; i++) {
      size_t at = from ? tag * crf->K + i : i * crf->K + tag;
      double value = x[i] + (double)crf->transitions[at];
      if (pass == 0)
        most = fmax(most, value);
      else if (isfinite(most))
        sum += exp(value - most);
    }
  return isfinite(most) ? most + log(sum) : most;
}

/* next[j] = ln sum_i e^(x_i + transitions[i][j]) (or with i and j exchanged, when `from`): a
 * product of a vector and a matrix. work: K. */
static void pass_on(const marea_crf *crf, const double *x, int from, double *next, double *work) {
  size_t K = crf->K;
  double most = largest(x, K);
  for (size_t i = 0; i < K; i++) work[i] = exp(x[i] - most);
  memset(next, 0, K * sizeof *next);
  for (size_t i = 0; i < K; i++) {
    const double *row = crf->weights + i * K;
    if (from) {
      for (size_t j = 0; j < K; j++) next[i] += row[j] * work[j];
    } else {
      for (size_t j = 0; j < K; j++) next[j] += row[j] * work[i];
    }
  }
  for (size_t j = 0; j < K; j++)
    next[j] =
        next[j] < SWALLOWED ? log_sum_exact(crf, x, j, from) : most + crf->shift + log(next[j]);
}

double marea_crf_forward(const marea_crf *crf, const marea_crf_chain *chain, double *alpha,
                         double *work) {
  size_t K = crf->K;
  for (size_t t = 0; t < chain->n; t++) {
    const marea_real *row = row_of(crf, chain, t);
    double *now = alpha + t * K;
    if (t > 0) pass_on(crf, now - K, 0, now, work);
    for (size_t k = 0; k < K; k++)
      now[k] = (t > 0 ? now[k] : (double)crf->start[k]) + (double)row[k];
  }
  for (size_t k = 0; k < K; k++) work[k] = alpha[(chain->n - 1) * K + k] + (double)crf->end[k];
  return log_sum(work, K);
}

double marea_crf_score(const marea_crf *crf, const marea_crf_chain *chain, const int32_t *tags) {
  double score = 0;
  size_t before = 0;
  for (size_t t = 0; t < chain->n; t++) {
    size_t tag = (size_t)tags[chain->steps[t]];
    score += (double)row_of(crf, chain, t)[tag];
    score += (double)(t == 0 ? crf->start[tag] : crf->transitions[before * crf->K + tag]);
    before = tag;
  }
  return score + (double)crf->end[before];
}

/* Adds scale P(tag i at t-1, tag j at t) to pairs (K, K); ahead[j]: the rest of the path from tag j
 * at t on, its emission included. work: K. */
static void add_pairs(const marea_crf *crf, const double *alpha, const double *ahead, double log_z,
                      double scale, double *pairs, double *work) {
  size_t K = crf->K;
  double a = largest(alpha, K), b = largest(ahead, K), rest = a + b + crf->shift - log_z;
  for (size_t j = 0; j < K; j++) work[j] = exp(ahead[j] - b);
  for (size_t i = 0; i < K; i++) {
    double factor = scale * exp(alpha[i] - a + (rest > LARGE ? 0 : rest));
    for (size_t j = 0; j < K; j++) {
      size_t at = i * K + j;
      pairs[at] += rest > LARGE
                       ? scale * exp(alpha[i] + (double)crf->transitions[at] + ahead[j] - log_z)
                       : factor * crf->weights[at] * work[j];
    }
  }
}

void marea_crf_posteriors(const marea_crf *crf, const marea_crf_chain *chain, const double *alpha,
                          double log_z, double scale, marea_real *at_steps, double *parameters,
                          double *work) {
  size_t K = crf->K;
  double *beta = work, *ahead = work + K, *spare = work + 2 * K;
  for (size_t k = 0; k < K; k++) beta[k] = (double)crf->end[k];
  for (size_t t = chain->n; t-- > 0;) {
    const marea_real *row = row_of(crf, chain, t);
    for (size_t k = 0; k < K; k++) {
      double p = scale * exp(alpha[t * K + k] + beta[k] - log_z);
      if (at_steps != NULL) at_steps[(size_t)chain->steps[t] * K + k] += (marea_real)p;
      if (parameters != NULL && t == 0) parameters[k] += p;
      if (parameters != NULL && t == chain->n - 1) parameters[K + k] += p;
      ahead[k] = (double)row[k] + beta[k];
    }
    if (t == 0) break;
    if (parameters != NULL)
      add_pairs(crf, alpha + (t - 1) * K, ahead, log_z, scale, parameters + 2 * K, spare);
    pass_on(crf, ahead, 1, beta, spare);
  }
}

void marea_crf_path(const marea_crf *crf, const marea_crf_chain *chain, const int32_t *tags,
                    double scale, marea_real *at_steps, double *parameters) {
  size_t K = crf->K, before = 0;
  for (size_t t = 0; t < chain->n; t++) {
    size_t step = (size_t)chain->steps[t], tag = (size_t)tags[step];
    if (at_steps != NULL) at_steps[step * K + tag] -= (marea_real)scale;
    parameters[t == 0 ? tag : (2 + before) * K + tag] -= scale;
    before = tag;
  }
  parameters[K + before] -= scale;
}

double marea_crf_viterbi(const marea_crf *crf, const marea_crf_chain *chain, int32_t *tags,
                         int32_t *back, double *work) {
  size_t K = crf->K, last = chain->n - 1, best = 0;
  double *now = work, *next = work + K;
  for (size_t t = 0; t <= last; t++) {
    const marea_real *row = row_of(crf, chain, t);
    for (size_t j = 0; j < K; j++) {
      int32_t from = 0;
      double most = t == 0 ? (double)crf->start[j] : -(double)INFINITY;
      for (size_t i = 0; i < K && t > 0; i++) {
        double value = now[i] + (double)crf->transitions[i * K + j];
        if (value > most) most = value, from = (int32_t)i;
      }
      next[j] = most + (double)row[j];
      back[t * K + j] = from;
    }
    double *swap = now;
    now = next, next = swap;
  }
  for (size_t k = 0; k < K; k++) now[k] += (double)crf->end[k];
  for (size_t k = 1; k < K; k++)
    if (now[k] > now[best]) best = k;
  double score = now[best];
  for (size_t t = last + 1; t-- > 0;) {
    tags[chain->steps[t]] = (int32_t)best;
    best = (size_t)back[t * K + best];
  }
  return score;
}

/* Linear-chain conditional random field (Lafferty et al., 2001): score of a path of tags
 *
 *   s(y) = start[y_1] + sum_t emission[t][y_t] + sum_t transitions[y_t-1][y_t] + end[y_n]
 *
 * and P(y) = e^s(y) / Z. Everything for one sequence, in logarithms and double precision. A
 * sequence is the n rows `steps[0 … n-1]` of `emissions` (…, K), in that order, so that hidden
 * steps are left out wherever they stand. */
#ifndef MAREA_KERNELS_CRF_H
#define MAREA_KERNELS_CRF_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

typedef struct marea_crf {
  size_t K;
  const marea_real *start, *end, *transitions; /* (K), (K), (K, K): from, to */
  double *weights;                             /* (K, K): e^(transition - shift); see prepare */
  double shift;
} marea_crf;

typedef struct marea_crf_chain {
  const marea_real *emissions;
  const int32_t *steps;
  size_t n;
} marea_crf_chain;

/* Fills weights (K, K), which the caller has set, and shift from the transitions. */
void marea_crf_prepare(marea_crf *crf);

/* ln Z; alpha (n, K) is filled: the log sum over all paths that end in a tag, up to each step.
 * work: K. n >= 1 here and below. */
double marea_crf_forward(const marea_crf *crf, const marea_crf_chain *chain, double *alpha,
                         double *work);

/* s(y); tags[steps[t]] is the tag of step t. */
double marea_crf_score(const marea_crf *crf, const marea_crf_chain *chain, const int32_t *tags);

/* Adds `scale` times the probabilities: of each tag at each step to at_steps[steps[t]] (…, K; NULL:
 * not wanted) and, unless `parameters` is NULL, of the first tag, the last tag and each transition,
 * summed over the sequence, to parameters: start (K), end (K), transitions (K, K). work: 4 K. */
void marea_crf_posteriors(const marea_crf *crf, const marea_crf_chain *chain, const double *alpha,
                          double log_z, double scale, marea_real *at_steps, double *parameters,
                          double *work);

/* The same for the one path `tags`, each with probability 1: scale is subtracted from the sums. */
void marea_crf_path(const marea_crf *crf, const marea_crf_chain *chain, const int32_t *tags,
                    double scale, marea_real *at_steps, double *parameters);

/* The best path (Viterbi, 1967; of equal ones that with the smaller tags at the end) to
 * tags[steps[t]]; returns its score. back: (n, K), work: 2 K. */
double marea_crf_viterbi(const marea_crf *crf, const marea_crf_chain *chain, int32_t *tags,
                         int32_t *back, double *work);

#endif

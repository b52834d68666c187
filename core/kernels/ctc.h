/* Connectionist temporal classification (Graves et al., 2006): labels without an alignment.
 *
 * A path names a class or the blank at each step; merging repeats and then dropping blanks turns it
 * into labels. P(labels) is the sum over all paths that become them. A sequence is the n rows
 * `steps[0 … n-1]` of log probabilities (…, C). In logarithms and double precision. */
#ifndef MAREA_KERNELS_CTC_H
#define MAREA_KERNELS_CTC_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"

typedef struct marea_ctc_rows {
  size_t C, blank, n;
  const marea_real *log_p; /* rows that sum to 1 as probabilities */
  const int32_t *steps;
} marea_ctc_rows;

/* Steps that U labels need: one each, and a blank between equal neighbours. */
size_t marea_ctc_needs(const int32_t *labels, size_t U);

/* -ln P(labels), infinity when there are too few steps. alpha: n (2U + 1) (equation 6 ff.). */
double marea_ctc_forward(const marea_ctc_rows *ctc, const int32_t *labels, size_t U, double *alpha);

/* gradient[steps[t]] (…, C) = that of the loss, by the logits from which log_p came (equation 15):
 * p - the share of the paths with that class. `gradient` may be log_p. alpha and loss are those of
 * marea_ctc_forward, which was finite. work: 2 (2U + 1) + C. */
void marea_ctc_backward(const marea_ctc_rows *ctc, const int32_t *labels, size_t U,
                        const double *alpha, double loss, marea_real *gradient, double *work);

/* The labels of the most probable path; returns their number (at most n) and its log probability.
 */
size_t marea_ctc_greedy(const marea_ctc_rows *ctc, int32_t *labels, double *log_p);

/* The most probable labels by a beam of `width` prefixes (Graves, 2008, section 7.5; Hannun et al.,
 * 2014): `paths` <= width results, best first. labels: (paths, n), lengths and log_p: (paths).
 * *found <= paths are filled. MAREA_RANGE, MAREA_NOMEM. */
marea_status marea_ctc_beam(const marea_ctc_rows *ctc, size_t width, size_t paths, int32_t *labels,
                            size_t *lengths, double *log_p, size_t *found);

#endif

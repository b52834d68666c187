/* Drawing a token from logits, the same on every machine.
 *
 * Everything happens on logits minus their maximum, in double precision with a fixed order of
 * plain operations, and the draw itself on whole numbers: equal logits, rule and stream give an
 * equal token whatever the processor and the C library. The tokens lie side by side in the order of
 * their ids, each as long as its probability, and the stream's number is a place there: logits that
 * differ by a little, as between instruction sets, move the borders by a little, and give another
 * token only where the place lies between the old and the new border (or where a token comes in or
 * falls out at the edge of top-k, top-p or min-p).
 *
 * The order of the steps: repetition penalty, temperature, top-k, top-p, min-p, draw. */
#ifndef MAREA_KERNELS_SAMPLING_H
#define MAREA_KERNELS_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "base/status.h"

typedef struct marea_sampling {
  double temperature;        /* logits / temperature; 0 takes the largest one; >= 0, finite */
  size_t top_k;              /* only the k largest; 0: all */
  double top_p;              /* the shortest list, largest first, whose probabilities sum to at
                                least p (Holtzman et al. 2020); 0 < p <= 1; 1: all */
  double min_p;              /* only probabilities of at least min_p times the largest one
                                (Nguyen et al. 2024); 0 <= min_p <= 1 */
  double repetition_penalty; /* logits of seen tokens: divided by it where positive, else
                                multiplied (Keskar et al. 2019); > 0; 1: none */
} marea_sampling;

/* A token that may be drawn, with a probability in proportion to `weight`: 2^40 for the largest
 * logit. Tokens below 2^-41 of the largest have the weight 0. */
typedef struct marea_choice {
  double score; /* the logit after penalty and temperature, minus the largest one */
  uint64_t weight;
  int32_t token;
} marea_choice;

/* Fills choices[*first] … choices[n - 1] with the tokens that the rule leaves, 0 <= n <= 2^22.
 * `seen` lists tokens that were there before, each once (count 0: none). Equal logits are taken in
 * the order of their tokens. With top_k or top_p the likeliest token comes last. MAREA_RANGE for a
 * rule outside the ranges above or a seen token outside 0 … n-1; MAREA_NONFINITE when a logit is
 * NaN or none is above -infinity. */
marea_status marea_sampling_weigh(const marea_sampling *rule, const marea_real *logits, size_t n,
                                  const int32_t *seen, size_t count, marea_choice *choices,
                                  size_t *first);

/* One of the choices, drawn with the stream's next number; sorts them by their tokens. */
const marea_choice *marea_sampling_draw(marea_choice *choices, size_t count, marea_stream *stream);

/* ln of the probability that softmax(logits) gives the token. */
double marea_sampling_log_probability(const marea_real *logits, size_t n, size_t token);

#endif

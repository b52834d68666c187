/* Inside train only: the update rules of the optimizers, as loops over a run of elements.
 *
 * w weights, g gradient (after clipping), the rest slots in the order of the rule's names. A rule
 * looks at one element at a time, so its results do not depend on how a parameter is cut. */
#ifndef MAREA_TRAIN_RULES_H
#define MAREA_TRAIN_RULES_H

#include <math.h>

#include "train/optimizer.h"

enum { MAREA_MAX_SLOTS = 3 };

/* What is the same for every element in one step; which of them a rule uses is its own affair. */
typedef struct marea_rule_step {
  marea_real rate;           /* learning rate, with the corrections that multiply it */
  marea_real beta_1, rest_1; /* rest = 1 - beta, rounded once */
  marea_real beta_2, rest_2;
  marea_real momentum;
  marea_real epsilon;
  marea_real correction;    /* of the second moment, or of the look-ahead's momentum part */
  marea_real gradient_part; /* of the look-ahead (Nadam) */
  bool pytorch, nesterov, centered, amsgrad;
} marea_rule_step;

typedef struct marea_rule {
  /* Names of the slots that these options need; returns their number. */
  int (*slots)(const marea_optimizer_options *options, const char *names[MAREA_MAX_SLOTS]);
  /* Fills `step` for iteration t = 1, 2, …; `product` is 1 at first and the rule's to keep. */
  void (*prepare)(const marea_optimizer_options *options, int64_t t, double *product,
                  marea_rule_step *step);
  void (*update)(const marea_rule_step *step, marea_real *w, const marea_real *g,
                 marea_real *const slots[MAREA_MAX_SLOTS], int64_t n);
} marea_rule;

extern const marea_rule marea_rule_sgd, marea_rule_rmsprop, marea_rule_adam, marea_rule_adagrad,
    marea_rule_adadelta, marea_rule_adamax, marea_rule_nadam, marea_rule_lion;

static inline marea_real marea_root(marea_real x) {
#ifdef MAREA_DOUBLE
  return sqrt(x);
#else
  return sqrtf(x);
#endif
}

static inline marea_real marea_magnitude(marea_real x) {
  return x < 0 ? -x : x;
}

static inline marea_real marea_larger(marea_real a, marea_real b) {
  return a > b ? a : b;
}

#endif

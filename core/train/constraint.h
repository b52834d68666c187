/* Constraints on weights, applied in place after a step, outside any history. */
#ifndef MAREA_TRAIN_CONSTRAINT_H
#define MAREA_TRAIN_CONSTRAINT_H

#include "autodiff/tensor.h"

/* Scales each group of weights so that its 2-norm lies in [low, high]. A group is what one choice
 * of the other indices leaves: bit a of `axes` says that axis a runs within a group (a kernel's
 * axis 0: the inputs of one unit). Keras's formula:
 *   w (rate clip(n, low, high) + (1 - rate) n) / (1e-7 + n), n the group's norm.
 * MaxNorm(c): low 0, high c, rate 1. UnitNorm: low 1, high 1, rate 1.
 * Errors: MAREA_ARGUMENT (not a contiguous tensor of reals, an axis it lacks), MAREA_RANGE (not
 * 0 <= low <= high, rate outside [0, 1]), MAREA_NOMEM. */
marea_status marea_constrain_norm(marea_tensor *w, unsigned axes, double low, double high,
                                  double rate);

/* Negative weights become 0. MAREA_ARGUMENT as above. */
marea_status marea_constrain_nonnegative(marea_tensor *w);

#endif

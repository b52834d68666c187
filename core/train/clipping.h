/* Gradient norms and clipping, for dense and row-sparse gradients alike. */
#ifndef MAREA_TRAIN_CLIPPING_H
#define MAREA_TRAIN_CLIPPING_H

#include "autodiff/tensor.h"

/* At most one limit is set; 0: not set. c is the limit, |g| the 2-norm.
 *   norm    each gradient by itself: g c / max(|g|, c)
 *   value   each element: g cut to [-c, c]
 *   global  all gradients by the same factor, min(1, c / N), N = the joint norm of all
 * (Pascanu, Mikolov and Bengio, 2013, "On the difficulty of training recurrent neural networks".)*/
typedef struct marea_clipping {
  double norm, value, global;
} marea_clipping;

/* MAREA_RANGE for a limit that is not positive and finite (0 stands for none), MAREA_ARGUMENT when
 * more than one is set. */
marea_status marea_clip_check(const marea_clipping *clip);

/* Elements that one call of marea_gradient_squares takes at most; a gradient's sum is the sum over
 * its pieces of this size, in order, which fixes its bits. */
enum { MAREA_CLIP_PIECE = 16384 };

/* The sum of (s g)^2 over elements from … to-1 of x's gradient, where s is `scale`, and the same
 * after cutting s g to [-limit, limit] (limit 0: no cut). The order of addition depends on the
 * positions alone, so that a row-sparse gradient gives the bits of its dense twin. */
typedef struct marea_squares {
  double before, after;
} marea_squares;
marea_squares marea_gradient_squares(const marea_tensor *x, int64_t from, int64_t to, double scale,
                                     double limit);

/* The 2-norm of x's gradient; 0 when x has none. */
double marea_gradient_norm(const marea_tensor *x);

/* The factor for a gradient with its own norm and the joint norm of all. */
double marea_clip_factor(const marea_clipping *clip, double norm, double joint_norm);

/* The row-major index of the first NaN or infinity in x's gradient, -1 when all are finite. */
int64_t marea_gradient_nonfinite(const marea_tensor *x);

#endif

/* Element-wise functions, activations, sums and softmax on plain arrays.
 *
 * Vectorised for the instruction set found at run time (kernels/simd.h), with errors of a few ulp
 * and the right answers at infinities, NaN, signed zeros and denormals. Outputs may be the same
 * array as an input (not a shifted one). Long arrays are cut into pieces of a fixed size for the
 * threads; sums are taken in a fixed order. Nothing here allocates or fails. */
#ifndef MAREA_KERNELS_POINTWISE_H
#define MAREA_KERNELS_POINTWISE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

/* Activations by their Keras names; a = the output. Formula, then derivative. */
typedef enum marea_activation {
  MAREA_LINEAR,       /* x; 1 */
  MAREA_TANH,         /* tanh x; 1 - a^2 */
  MAREA_SIGMOID,      /* 1 / (1 + e^-x); a (1 - a) */
  MAREA_RELU,         /* max(x, 0); a > 0 */
  MAREA_LEAKY_RELU,   /* x > 0 ? x : 0.2 x; a > 0 ? 1 : 0.2 */
  MAREA_ELU,          /* x > 0 ? x : e^x - 1; a > 0 ? 1 : a + 1 */
  MAREA_SELU,         /* s (x > 0 ? x : q (e^x - 1)), Klambauer et al. 2017; a > 0 ? s : a + s q */
  MAREA_GELU,         /* x/2 (1 + erf(x / sqrt 2)), Hendrycks and Gimpel 2016; of x */
  MAREA_SOFTPLUS,     /* log(1 + e^x); 1 - e^-a */
  MAREA_SOFTSIGN,     /* x / (1 + |x|); (1 - |a|)^2 */
  MAREA_HARD_SIGMOID, /* clip(x/6 + 0.5, 0, 1), Keras 3; 1/6 inside */
  MAREA_HARD_SIGMOID_TF, /* clip(0.2 x + 0.5, 0, 1), tf-keras and older; 0.2 inside */
  MAREA_EXPONENTIAL,     /* e^x; a */
  MAREA_SILU,            /* x sigmoid(x); of x */
  MAREA_ACTIVATION_COUNT
} marea_activation;

/* Keras's name ("hard_sigmoid"), or NULL for a value outside the enum; and the reverse: true and
 * *activation when the name is known ("swish" is silu). */
const char *marea_activation_name(marea_activation activation);
bool marea_activation_find(const char *name, marea_activation *activation);

/* Whether the derivative needs the input x (gelu, silu); the others take it from the output. */
bool marea_activation_needs_input(marea_activation activation);

/* a = f(x). */
void marea_activate(marea_activation activation, marea_real *a, const marea_real *x, size_t n);

/* dx += da f'(…). `x` may be NULL unless marea_activation_needs_input, `a` when it does. */
void marea_activate_backward(marea_activation activation, marea_real *dx, const marea_real *da,
                             const marea_real *x, const marea_real *a, size_t n);

/* y = f(x), element by element. */
void marea_pointwise_exp(marea_real *y, const marea_real *x, size_t n);
void marea_pointwise_log(marea_real *y, const marea_real *x, size_t n);
void marea_pointwise_erf(marea_real *y, const marea_real *x, size_t n);
void marea_pointwise_tanh(marea_real *y, const marea_real *x, size_t n);
void marea_pointwise_sigmoid(marea_real *y, const marea_real *x, size_t n);

/* y += a x. */
void marea_pointwise_axpy(marea_real *y, marea_real a, const marea_real *x, size_t n);

/* Sums in a fixed order: vectors within pieces of 4,096, the pieces in double precision. */
double marea_sum_all(const marea_real *x, size_t n);
double marea_dot(const marea_real *x, const marea_real *y, size_t n);
double marea_sum_squares(const marea_real *x, size_t n);
/* Largest element, NaN if there is one; n >= 1. */
marea_real marea_largest(const marea_real *x, size_t n);

/* y[j] += sum over i of x[i][j]; x (rows, columns), contiguous. Bias gradients. */
void marea_sum_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns);
/* y[i][j] = x[i][j] + bias[j]. */
void marea_add_bias(marea_real *y, const marea_real *x, const marea_real *bias, size_t rows,
                    size_t columns);

/* y[i] = softmax(x[i]) and y[i] = log softmax(x[i]) for each of `rows` rows of `columns`; the
 * row's maximum is subtracted first. */
void marea_softmax_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns);
void marea_log_softmax_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns);
/* dx += gradient of softmax: y (dy - <dy, y>); of log softmax: dy - e^y sum(dy). */
void marea_softmax_backward(marea_real *dx, const marea_real *dy, const marea_real *y, size_t rows,
                            size_t columns);
void marea_log_softmax_backward(marea_real *dx, const marea_real *dy, const marea_real *y,
                                size_t rows, size_t columns);

#endif

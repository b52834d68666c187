/* The activations of pointwise.h on vectors; `f` is a constant wherever speed matters. */
#ifndef MAREA_KERNELS_SIMD_ACTIVATIONS_H
#define MAREA_KERNELS_SIMD_ACTIVATIONS_H

#include "kernels/pointwise.h"
#include "kernels/simd/functions.h"

#define LEAK         REAL(0.2)
#define SELU_SCALE   REAL(1.0507009873554805)
#define SELU_LOWEST  REAL(1.7580993408473766) /* scale times alpha 1.6732632423543772 */
#define DENSITY_PEAK REAL(0.3989422804014327) /* 1 / sqrt(2 pi) */

INLINE vreal vector_hard_sigmoid(vreal x, marea_real slope) {
  return at_most(splat(1), at_least(splat(0), x * splat(slope) + splat(REAL(0.5))));
}

INLINE vreal vector_activate(marea_activation f, vreal x) {
  const vreal zero = splat(0);
  switch (f) {
  case MAREA_TANH: return vector_tanh(x);
  case MAREA_SIGMOID: return vector_sigmoid(x);
  case MAREA_RELU: return at_least(zero, x);
  case MAREA_LEAKY_RELU: return select(x > zero, x, x * splat(LEAK));
  case MAREA_ELU: return select(x > zero, x, vector_expm1(at_most(zero, x)));
  case MAREA_SELU:
    return select(x > zero, x * splat(SELU_SCALE),
                  vector_expm1(at_most(zero, x)) * splat(SELU_LOWEST));
  case MAREA_GELU: return x * vector_normal(x);
  case MAREA_SOFTPLUS: return at_least(zero, x) + vector_log1p(vector_exp(-absolute(x)));
  case MAREA_SOFTSIGN: return x / (splat(1) + absolute(x));
  case MAREA_HARD_SIGMOID: return vector_hard_sigmoid(x, REAL(1.0 / 6));
  case MAREA_HARD_SIGMOID_TF: return vector_hard_sigmoid(x, REAL(0.2));
  case MAREA_EXPONENTIAL: return vector_exp(x);
  case MAREA_SILU: return x * vector_sigmoid(x);
  default: return x;
  }
}

INLINE vreal inside_0_1(vreal a, marea_real slope) {
  return (vreal)((a > splat(0)) & (a < splat(1)) & (vbits)splat(slope));
}

/* f' from the input x (gelu, silu) or the output a (the others); the other one is not read. */
INLINE vreal vector_slope(marea_activation f, vreal x, vreal a) {
  const vreal zero = splat(0), one = splat(1);
  switch (f) {
  case MAREA_TANH: return one - a * a;
  case MAREA_SIGMOID: return a * (one - a);
  case MAREA_RELU: return (vreal)((a > zero) & (vbits)one);
  case MAREA_LEAKY_RELU: return select(a > zero, one, splat(LEAK));
  case MAREA_ELU: return select(a > zero, one, a + one);
  case MAREA_SELU: return select(a > zero, splat(SELU_SCALE), a + splat(SELU_LOWEST));
  case MAREA_GELU:
    return vector_normal(x) + x * splat(DENSITY_PEAK) * vector_exp(x * x * splat(REAL(-0.5)));
  case MAREA_SOFTPLUS: return -vector_expm1(-a);
  case MAREA_SOFTSIGN: return (one - absolute(a)) * (one - absolute(a));
  case MAREA_HARD_SIGMOID: return inside_0_1(a, REAL(1.0 / 6));
  case MAREA_HARD_SIGMOID_TF: return inside_0_1(a, REAL(0.2));
  case MAREA_EXPONENTIAL: return a;
  case MAREA_SILU: {
    vreal s = vector_sigmoid(x);
    return s + x * s * (one - s);
  }
  default: return one;
  }
}

#endif

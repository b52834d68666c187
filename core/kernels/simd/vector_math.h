/* exp, sigmoid and tanh of one element, without branches, so that loops over them vectorise.
 *
 * Float: exp splits x = n ln 2 + r and takes a polynomial of degree 6 in r (coefficients of the
 * Cephes library, S. Moshier, 1989); the factor 2^n is applied in two halves, which keeps
 * denormals and overflow right. tanh takes an odd polynomial below 0.625 and exp above. Errors
 * stay under 3 ulp. Double: the C library. */
#ifndef MAREA_KERNELS_VECTOR_MATH_H
#define MAREA_KERNELS_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/real.h"

#ifdef MAREA_DOUBLE

static inline double vector_exp(double x) {
  return exp(x);
}
static inline double vector_tanh(double x) {
  return tanh(x);
}

#else

static inline float power_of_two(int32_t n) {
  uint32_t bits = (uint32_t)(n + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

static inline float vector_exp(float x) {
  const float shift = 12582912.0f;           /* 1.5 * 2^23: adding it rounds to a whole number */
  float bounded = x < -104.0f ? -104.0f : x; /* comparisons let NaN through */
  bounded = bounded > 89.0f ? 89.0f : bounded;
  float shifted = bounded * 1.44269504089f + shift;
  int32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  int32_t n = bits - 0x4B400000;
  float whole = shifted - shift;
  float r = bounded - whole * 0.693359375f;
  r = r + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  n = n < -160 ? -160 : n > 160 ? 160 : n; /* NaN leaves any bits here */
  int32_t half = n >> 1;
  return p * power_of_two(half) * power_of_two(n - half);
}

static inline float vector_tanh(float x) {
  float size = fabsf(x), square = x * x;
  float p = -5.70498872745e-3f;
  p = p * square + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  float small = p * square * x + x;
  float large = copysignf(1.0f - 2.0f / (vector_exp(2.0f * size) + 1.0f), x);
  return size < 0.625f ? small : large;
}

#endif

static inline marea_real vector_sigmoid(marea_real x) {
  return (marea_real)1 / ((marea_real)1 + vector_exp(-x));
}

#endif

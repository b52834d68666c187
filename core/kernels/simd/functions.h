/* exp, log, tanh, sigmoid, erf on vectors. The polynomials were fitted for this file (minimax by
 * reweighted least squares); the reductions are the classical ones of Cody and Waite, 1980. */
#ifndef MAREA_KERNELS_SIMD_FUNCTIONS_H
#define MAREA_KERNELS_SIMD_FUNCTIONS_H

#include <math.h>

#include "kernels/simd/vector.h"

#define REAL(x) ((marea_real)(x))

#ifdef MAREA_DOUBLE
#define EXP_LOWEST    REAL(-746)
#define EXP_HIGHEST   REAL(710)
#define TANH_FLAT     REAL(44) /* 2x from which tanh x rounds to 1 */
#define LN2_HIGH      REAL(6.93147180369123816490e-01)
#define LN2_LOW       REAL(1.90821492927058770002e-10)
#define ROUNDER       REAL(6755399441055744.0) /* 1.5 2^52: adding it rounds to an integer */
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#else
#define EXP_LOWEST    REAL(-104)
#define EXP_HIGHEST   REAL(89)
#define TANH_FLAT     REAL(20)
#define LN2_HIGH      REAL(0.693145751953125)
#define LN2_LOW       REAL(1.42860682030941723e-06)
#define ROUNDER       REAL(12582912.0) /* 1.5 2^23 */
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#endif

/* e^r - 1 for |r| <= ln(2)/2. */
INLINE vreal small_expm1(vreal r) {
#ifdef MAREA_DOUBLE
  /* Taylor, with 1/k! for k = 13 … 2: the remainder is below 2^-56. */
  static const double factor[] = {
      1.6059043836821613e-10, 2.08767569878681e-09,   2.505210838544172e-08,  2.755731922398589e-07,
      2.7557319223985893e-06, 2.48015873015873e-05,   1.984126984126984e-04,  1.388888888888889e-03,
      8.333333333333333e-03,  4.1666666666666664e-02, 1.6666666666666666e-01, 0.5};
  enum { TERMS = 12 };
#else
  static const float factor[] = {1.3947595143690705e-03F, 8.367246948182583e-03F,
                                 4.1666265577077866e-02F, 1.6666537523269653e-01F, 0.5F};
  enum { TERMS = 5 };
#endif
  vreal q = splat(factor[0]);
  UNROLL for (int i = 1; i < TERMS; i++) q = q * r + splat(factor[i]);
  return q * (r * r) + r;
}

/* v 2^n for whole n; under- and overflow as they should. */
INLINE vreal scale(vreal v, vreal n) {
#if defined(__AVX512F__) && defined(MAREA_DOUBLE)
  return (vreal)_mm512_scalef_pd((__m512d)v, (__m512d)n);
#elif defined(__AVX512F__)
  return (vreal)_mm512_scalef_ps((__m512)v, (__m512)n);
#else
  vpattern whole = (vpattern)(n + splat(ROUNDER)) - (vpattern)splat(ROUNDER);
  vpattern half = (vpattern)((vbits)whole >> 1); /* two factors within the exponent's range */
  vreal first = (vreal)((half + EXPONENT_BIAS) << MANTISSA_BITS);
  vreal second = (vreal)((whole - half + EXPONENT_BIAS) << MANTISSA_BITS);
  return v * first * second;
#endif
}

/* x = n ln 2 + r, |r| <= ln(2)/2. */
INLINE vreal reduce(vreal x, vreal *r) {
  vreal n = (x * splat(REAL(1.4426950408889634)) + splat(ROUNDER)) - splat(ROUNDER);
  *r = (x - n * splat(LN2_HIGH)) - n * splat(LN2_LOW);
  return n;
}

INLINE vreal vector_exp(vreal x) {
  vreal r;
  vreal n = reduce(at_most(splat(EXP_HIGHEST), at_least(splat(EXP_LOWEST), x)), &r);
  return scale(small_expm1(r) + splat(1), n);
}

/* e^x - 1 for x up to TANH_FLAT. */
INLINE vreal vector_expm1(vreal x) {
  vreal r;
  vreal n = reduce(at_least(splat(-TANH_FLAT), x), &r);
  vreal power = scale(splat(1), n);
  return power * small_expm1(r) + (power - splat(1));
}

INLINE vreal vector_sigmoid(vreal x) {
  return splat(1) / (splat(1) + vector_exp(-x));
}

/* (e^2x - 1) / (e^2x + 1), without cancellation near zero. */
INLINE vreal vector_tanh(vreal x) {
  vreal m = vector_expm1(at_most(splat(TANH_FLAT), x + x));
  return with_sign(m / (m + splat(2)), x);
}

#ifdef MAREA_DOUBLE
/* High precision comes first in this build: libm, lane by lane. */
INLINE vreal vector_log(vreal x) {
  for (int i = 0; i < LANES; i++) x[i] = log(x[i]);
  return x;
}

INLINE vreal vector_erf(vreal x) {
  for (int i = 0; i < LANES; i++) x[i] = erf(x[i]);
  return x;
}

/* (1 + erf(x / sqrt 2)) / 2 = the normal distribution's mass below x. */
INLINE vreal vector_normal(vreal x) {
  for (int i = 0; i < LANES; i++) x[i] = 0.5 * erfc(x[i] * -0.7071067811865476);
  return x;
}
#else
INLINE vreal vector_log(vreal x) {
  static const float g[] = {0.06915368139743805F, -0.11789807677268982F, 0.11872976273298264F,
                            -0.1238434836268425F, 0.14218658208847046F,  -0.16669251024723053F,
                            0.20002226531505585F, -0.24999986588954926F, 0.3333331048488617F};
  const vbits tiny = x < splat(1.17549435e-38F);
  vreal scaled = select(tiny, x * splat(8388608.0F), x);
  const vpattern root = (vpattern)splat(0.70710678F);
  vpattern bits = (vpattern)scaled - root;
  vreal e =
      __builtin_convertvector((vbits)bits >> 23, vreal) + (vreal)(tiny & (vbits)splat(-23.0F));
  vreal f = (vreal)((bits & 0x7fffff) + root) - splat(1);
  vreal q = splat(g[0]);
  UNROLL for (int i = 1; i < 9; i++) q = q * f + splat(g[i]);
  vreal small = (q * f - splat(0.5F)) * (f * f) + e * splat(LN2_LOW);
  vreal result = (f + small) + e * splat(LN2_HIGH);
  result = select(x == splat(0), splat(-INFINITY), result);
  result = select(x == splat(INFINITY), x, result);
  return select(x >= splat(0), result, splat(NAN));
}

/* erfc(u) for u from 0.9 on: e^-(u^2 + p(u)). */
INLINE vreal erfc_tail(vreal u) {
  static const float p[] = {
      -2.6976574307724377e-09F, 1.593006260236507e-07F,  -4.198027909296798e-06F,
      6.545837095472962e-05F,   -6.765697035007179e-04F, 4.937493242323399e-03F,
      -2.6592278853058815e-02F, 1.100015779270401e-01F,  -3.6782824993133545e-01F,
      1.1299344301223755F,      -2.3230024089571089e-04F};
  u = at_most(splat(9.6F), u);
  vreal q = splat(p[0]);
  UNROLL for (int i = 1; i < 11; i++) q = q * u + splat(p[i]);
  return vector_exp(-(u * u + q));
}

/* erf(x) for |x| <= 0.95. */
INLINE vreal small_erf(vreal x) {
  static const float p[] = {8.215423440560699e-05F,  -8.105965098366141e-04F,
                            5.19779697060585e-03F,   -2.6858104392886162e-02F,
                            1.1283672600984573e-01F, -3.7612631916999817e-01F,
                            1.128379225730896F};
  vreal u = x * x, q = splat(p[0]);
  UNROLL for (int i = 1; i < 7; i++) q = q * u + splat(p[i]);
  return q * x;
}

INLINE vreal vector_erf(vreal x) {
  vreal size = absolute(x);
  vreal far = with_sign(splat(1) - erfc_tail(size), x);
  return select(size > splat(0.9F), far, small_erf(x));
}

/* (1 + erf(x / sqrt 2)) / 2 = the normal distribution's mass below x; small tails stay exact. */
INLINE vreal vector_normal(vreal x) {
  vreal u = x * splat(0.70710678F), size = absolute(u);
  vreal tail = splat(0.5F) * erfc_tail(size);
  vreal far = select(x > splat(0), splat(1) - tail, tail);
  return select(size > splat(0.9F), far, splat(0.5F) + splat(0.5F) * small_erf(u));
}
#endif

/* log(1 + x) for x >= 0: the rounding of 1 + x is put right to first order. */
INLINE vreal vector_log1p(vreal x) {
  vreal u = splat(1) + x;
  return vector_log(u) - ((u - splat(1)) - x) / u;
}

#endif

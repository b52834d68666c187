/* Vectors of marea_real as wide as the level being compiled allows, in the compilers' generic
 * vector notation (gcc and clang). MAREA_LEVEL, the level's suffix, comes from the build. */
#ifndef MAREA_KERNELS_SIMD_VECTOR_H
#define MAREA_KERNELS_SIMD_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "base/real.h"

#define MAREA_JOIN_(name, level) name##_##level
#define MAREA_JOIN(name, level)  MAREA_JOIN_(name, level)
/* The name of a symbol at this level. */
#define LEVEL(name) MAREA_JOIN(name, MAREA_LEVEL)

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64, VECTOR_REGISTERS = 32 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32, VECTOR_REGISTERS = 16 };
#elif defined(__aarch64__)
enum { VECTOR_BYTES = 16, VECTOR_REGISTERS = 32 };
#else
enum { VECTOR_BYTES = 16, VECTOR_REGISTERS = 16 };
#endif

#ifdef MAREA_DOUBLE
typedef int64_t marea_bits;
typedef uint64_t marea_pattern;
#else
typedef int32_t marea_bits;
typedef uint32_t marea_pattern;
#endif

enum { LANES = VECTOR_BYTES / sizeof(marea_real) };

typedef marea_real vreal __attribute__((vector_size(VECTOR_BYTES)));
typedef marea_bits vbits __attribute__((vector_size(VECTOR_BYTES)));
/* For arithmetic on bit patterns, which may wrap. */
typedef marea_pattern vpattern __attribute__((vector_size(VECTOR_BYTES)));
typedef marea_real vreal_anywhere
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(marea_real)), may_alias));

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE vreal load(const marea_real *p) {
  return *(const vreal_anywhere *)p;
}

INLINE void store(marea_real *p, vreal v) {
  *(vreal_anywhere *)p = v;
}

/* The first `count` < LANES elements; the others are zero, or left alone. */
INLINE vreal load_part(const marea_real *p, size_t count) {
  vreal v = {0};
  memcpy(&v, p, count * sizeof *p);
  return v;
}

INLINE void store_part(marea_real *p, vreal v, size_t count) {
  memcpy(p, &v, count * sizeof *p);
}

/* All lanes s. */
INLINE vreal splat(marea_real s) {
#if defined(__AVX512F__) && defined(MAREA_DOUBLE)
  return (vreal)_mm512_set1_pd(s);
#elif defined(__AVX512F__)
  return (vreal)_mm512_set1_ps(s);
#elif defined(__AVX2__) && defined(MAREA_DOUBLE)
  return (vreal)_mm256_set1_pd(s);
#elif defined(__AVX2__)
  return (vreal)_mm256_set1_ps(s);
#else
  return s - (vreal){0};
#endif
}

/* Lane by lane: where ? a : b. */
INLINE vreal select(vbits where, vreal a, vreal b) {
  return (vreal)((where & (vbits)a) | (~where & (vbits)b));
}

/* Lane by lane minimum and maximum; NaN when x is NaN, so the bound goes first. */
INLINE vreal at_most(vreal bound, vreal x) {
#if defined(__AVX512F__) && defined(MAREA_DOUBLE)
  return (vreal)_mm512_min_pd((__m512d)bound, (__m512d)x);
#elif defined(__AVX512F__)
  return (vreal)_mm512_min_ps((__m512)bound, (__m512)x);
#elif defined(__AVX2__) && defined(MAREA_DOUBLE)
  return (vreal)_mm256_min_pd((__m256d)bound, (__m256d)x);
#elif defined(__AVX2__)
  return (vreal)_mm256_min_ps((__m256)bound, (__m256)x);
#else
  return select(bound < x, bound, x);
#endif
}

INLINE vreal at_least(vreal bound, vreal x) {
#if defined(__AVX512F__) && defined(MAREA_DOUBLE)
  return (vreal)_mm512_max_pd((__m512d)bound, (__m512d)x);
#elif defined(__AVX512F__)
  return (vreal)_mm512_max_ps((__m512)bound, (__m512)x);
#elif defined(__AVX2__) && defined(MAREA_DOUBLE)
  return (vreal)_mm256_max_pd((__m256d)bound, (__m256d)x);
#elif defined(__AVX2__)
  return (vreal)_mm256_max_ps((__m256)bound, (__m256)x);
#else
  return select(bound > x, bound, x);
#endif
}

INLINE vreal absolute(vreal x) {
  const vbits sign = (vbits)splat(-(marea_real)0);
  return (vreal)((vbits)x & ~sign);
}

/* |size| with the sign of x. */
INLINE vreal with_sign(vreal size, vreal x) {
  const vbits sign = (vbits)splat(-(marea_real)0);
  return (vreal)(((vbits)size & ~sign) | ((vbits)x & sign));
}

/* The lanes' sum, in the order of halving. */
INLINE marea_real lanes_sum(vreal v) {
  marea_real x[LANES];
  store(x, v);
  for (size_t half = LANES / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; i++) x[i] += x[i + half];
  return x[0];
}

#endif

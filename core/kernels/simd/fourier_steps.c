#include "kernels/simd/fourier_steps.h"

#include "kernels/simd/vector.h"

enum { STEP = VECTOR_BYTES / sizeof(double), TURNS = 4 };

typedef double vdouble __attribute__((vector_size(VECTOR_BYTES)));
typedef double vdouble_anywhere
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(double)), may_alias));

typedef struct complex_lanes {
  vdouble re, im;
} complex_lanes;

/* Where an element's parts lie. */
typedef struct parts {
  size_t re, im;
} parts;

INLINE complex_lanes get(const double *p, parts at) {
  return (complex_lanes){*(const vdouble_anywhere *)(p + at.re),
                         *(const vdouble_anywhere *)(p + at.im)};
}

INLINE void put(double *p, parts at, complex_lanes z) {
  *(vdouble_anywhere *)(p + at.re) = z.re;
  *(vdouble_anywhere *)(p + at.im) = z.im;
}

INLINE complex_lanes add(complex_lanes a, complex_lanes b) {
  return (complex_lanes){a.re + b.re, a.im + b.im};
}

INLINE complex_lanes subtract(complex_lanes a, complex_lanes b) {
  return (complex_lanes){a.re - b.re, a.im - b.im};
}

INLINE complex_lanes scaled(double s, complex_lanes a) {
  return (complex_lanes){s * a.re, s * a.im};
}

/* a - i b and a + i b */
INLINE complex_lanes minus_i(complex_lanes a, complex_lanes b) {
  return (complex_lanes){a.re + b.im, a.im - b.re};
}

INLINE complex_lanes plus_i(complex_lanes a, complex_lanes b) {
  return (complex_lanes){a.re - b.im, a.im + b.re};
}

/* By exp(-i angle), given as cosine and sine. */
INLINE complex_lanes turned(complex_lanes a, const double *turn) {
  return (complex_lanes){a.re * turn[0] + a.im * turn[1], a.im * turn[0] - a.re * turn[1]};
}

INLINE void butterfly2(complex_lanes *a) {
  complex_lanes first = a[0];
  a[0] = add(first, a[1]);
  a[1] = subtract(first, a[1]);
}

INLINE void butterfly3(complex_lanes *a) {
  const double half_root3 = 0.86602540378443864676372317075294;
  complex_lanes sum = add(a[1], a[2]), apart = scaled(half_root3, subtract(a[1], a[2]));
  complex_lanes middle = subtract(a[0], scaled(0.5, sum));
  a[0] = add(a[0], sum);
  a[1] = minus_i(middle, apart);
  a[2] = plus_i(middle, apart);
}

INLINE void butterfly4(complex_lanes *a) {
  complex_lanes even = add(a[0], a[2]), even_apart = subtract(a[0], a[2]);
  complex_lanes odd = add(a[1], a[3]), odd_apart = subtract(a[1], a[3]);
  a[0] = add(even, odd);
  a[1] = minus_i(even_apart, odd_apart);
  a[2] = subtract(even, odd);
  a[3] = plus_i(even_apart, odd_apart);
}

INLINE void butterfly5(complex_lanes *a) {
  const double cos1 = 0.30901699437494742410229341718282,
               cos2 = -0.80901699437494742410229341718282;
  const double sin1 = 0.95105651629515357211643933337938, sin2 = 0.58778525229247312916870595463907;
  complex_lanes near = add(a[1], a[4]), near_apart = subtract(a[1], a[4]);
  complex_lanes far = add(a[2], a[3]), far_apart = subtract(a[2], a[3]);
  complex_lanes one = add(a[0], add(scaled(cos1, near), scaled(cos2, far)));
  complex_lanes two = add(a[0], add(scaled(cos2, near), scaled(cos1, far)));
  complex_lanes one_side = add(scaled(sin1, near_apart), scaled(sin2, far_apart));
  complex_lanes two_side = subtract(scaled(sin2, near_apart), scaled(sin1, far_apart));
  a[0] = add(a[0], add(near, far));
  a[1] = minus_i(one, one_side);
  a[2] = minus_i(two, two_side);
  a[3] = plus_i(two, two_side);
  a[4] = plus_i(one, one_side);
}

INLINE void butterfly(const size_t radix, complex_lanes *a) {
  if (radix == 2) butterfly2(a);
  if (radix == 3) butterfly3(a);
  if (radix == 4) butterfly4(a);
  if (radix == 5) butterfly5(a);
}

/* Stockham's passes: elements change places on the way, so that none is needed for the order. */
INLINE void pass_of(const size_t radix, const marea_fourier_pass *p, size_t real,
                    const double *from, double *to) {
  const size_t group = MAREA_FOURIER_GROUP, before = p->before * group;
  for (size_t i = 0; i < p->after; i++) {
    double turns[2 * TURNS];
    for (size_t k = 0; k < 2 * (radix - 1); k++) turns[k] = p->turns[2 * (radix - 1) * i + k];
    for (size_t j = 0; j < before; j += group)
      for (size_t lane = 0; lane < MAREA_FOURIER_LANES; lane += STEP) {
        parts at = {real + lane, MAREA_FOURIER_LANES - real + lane};
        const double *source = from + before * i + j;
        double *sink = to + before * radix * i + j;
        complex_lanes a[TURNS + 1];
        UNROLL for (size_t k = 0; k < radix; k++) a[k] = get(source + before * p->after * k, at);
        butterfly(radix, a);
        put(sink, at, a[0]);
        UNROLL for (size_t k = 1; k < radix; k++)
            put(sink + before * k, at, turned(a[k], turns + 2 * (k - 1)));
      }
  }
}

static void pass(const marea_fourier_pass *p, size_t real, const double *from, double *to) {
  if (p->radix == 2) pass_of(2, p, real, from, to);
  if (p->radix == 3) pass_of(3, p, real, from, to);
  if (p->radix == 4) pass_of(4, p, real, from, to);
  if (p->radix == 5) pass_of(5, p, real, from, to);
}

static void transpose(const double *from, size_t from_stride, double *to, size_t to_stride) {
  UNROLL for (size_t j = 0; j < MAREA_FOURIER_LANES; j++)
      UNROLL for (size_t i = 0; i < MAREA_FOURIER_LANES; i++) to[j * to_stride + i] =
          from[i * from_stride + j];
}

const marea_fourier_table LEVEL(marea_fourier_steps) = {pass, transpose};

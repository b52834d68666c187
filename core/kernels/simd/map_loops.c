#include "kernels/simd/map_loops.h"

#include <stdbool.h>

#include "kernels/simd/vector.h"

enum { BLOCK = 4096 }; /* points whose sums are kept in the element type */

INLINE vreal get(const marea_real *p, size_t left) {
  return left >= LANES ? load(p) : load_part(p, left);
}

/* y[columns[lane]] for the first `left` lanes. */
INLINE vreal gather(const marea_real *y, const int32_t *columns, size_t left) {
#if defined(__AVX512F__) && !defined(MAREA_DOUBLE)
  if (left >= LANES) return (vreal)_mm512_i32gather_ps(_mm512_loadu_si512(columns), y, sizeof *y);
#elif defined(__AVX2__) && !defined(MAREA_DOUBLE)
  if (left >= LANES)
    return (vreal)_mm256_i32gather_ps(y, _mm256_loadu_si256((const __m256i *)columns), sizeof *y);
#endif
  marea_real lanes[LANES] = {0};
  for (size_t lane = 0; lane < LANES && lane < left; lane++) lanes[lane] = y[columns[lane]];
  return load(lanes);
}

INLINE vreal first_lanes(size_t left) {
  vreal mask = splat(1);
  for (size_t lane = left; lane < LANES; lane++) mask[lane] = 0;
  return mask;
}

INLINE void repel_vector(const int axes, const marea_real *y, size_t stride, size_t left,
                         const vreal *at, vreal *z, vreal *force) {
  vreal apart[3], squared = splat(1);
  for (int a = 0; a < axes; a++) {
    apart[a] = at[a] - get(y + (size_t)a * stride, left);
    squared += apart[a] * apart[a];
  }
  vreal q = splat(1) / squared;
  if (left < LANES) q *= first_lanes(left);
  *z += q;
  q *= q;
  for (int a = 0; a < axes; a++) force[a] += q * apart[a];
}

INLINE double repel_all(const int axes, const marea_real *y, size_t stride, size_t n,
                        const marea_real *from, marea_real *to) {
  double total = 0, sums[3] = {0};
  vreal at[3];
  for (int a = 0; a < axes; a++) at[a] = splat(from[a]);
  for (size_t block = 0; block < n; block += BLOCK) {
    size_t end = block + BLOCK < n ? block + BLOCK : n, i = block;
    vreal z = {0}, force[3] = {{0}, {0}, {0}};
    for (; i + LANES <= end; i += LANES) repel_vector(axes, y + i, stride, LANES, at, &z, force);
    if (i < end) repel_vector(axes, y + i, stride, end - i, at, &z, force);
    total += (double)lanes_sum(z);
    for (int a = 0; a < axes; a++) sums[a] += (double)lanes_sum(force[a]);
  }
  for (int a = 0; a < axes; a++) to[a] = (marea_real)sums[a];
  return total;
}

INLINE void attract_all(const int axes, const marea_real *y, size_t stride, const int32_t *columns,
                        const marea_real *p, size_t count, const marea_real *from, marea_real *to) {
  vreal at[3], force[3] = {{0}, {0}, {0}};
  for (int a = 0; a < axes; a++) at[a] = splat(from[a]);
  for (size_t i = 0; i < count; i += LANES) {
    size_t left = count - i;
    vreal apart[3], squared = splat(1);
    for (int a = 0; a < axes; a++) {
      apart[a] = at[a] - gather(y + (size_t)a * stride, columns + i, left);
      squared += apart[a] * apart[a];
    }
    vreal q = get(p + i, left) / squared;
    for (int a = 0; a < axes; a++) force[a] += q * apart[a];
  }
  for (int a = 0; a < axes; a++) to[a] = lanes_sum(force[a]);
}

static double repel(int axes, const marea_real *y, size_t stride, size_t n, const marea_real *at,
                    marea_real *force) {
  if (axes == 1) return repel_all(1, y, stride, n, at, force);
  return axes == 2 ? repel_all(2, y, stride, n, at, force) : repel_all(3, y, stride, n, at, force);
}

static void attract(int axes, const marea_real *y, size_t stride, const int32_t *columns,
                    const marea_real *p, size_t count, const marea_real *at, marea_real *force) {
  if (axes == 1)
    attract_all(1, y, stride, columns, p, count, at, force);
  else if (axes == 2)
    attract_all(2, y, stride, columns, p, count, at, force);
  else
    attract_all(3, y, stride, columns, p, count, at, force);
}

/* Whether a lane of a comparison holds. */
INLINE bool any(vbits lanes) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask((__m512i)lanes, (__m512i)lanes) != 0;
#elif defined(__AVX2__)
  return !_mm256_testz_si256((__m256i)lanes, (__m256i)lanes);
#else
  marea_bits all = 0;
  UNROLL for (size_t i = 0; i < LANES; i++) all |= lanes[i];
  return all != 0;
#endif
}

static size_t nearer(const marea_real *norms, const marea_real *products, size_t count,
                     marea_real bound, int32_t *places, marea_real *values) {
  size_t found = 0;
  for (size_t i = 0; i < count; i += LANES) {
    size_t left = count - i < LANES ? count - i : LANES;
    vreal value = get(norms + i, left) - splat(2) * get(products + i, left);
    if (!any(~(value > splat(bound)))) continue;
    for (size_t lane = 0; lane < left; lane++)
      if (!(value[lane] > bound)) {
        places[found] = (int32_t)(i + lane);
        values[found++] = value[lane];
      }
  }
  return found;
}

const marea_map_table LEVEL(marea_map) = {repel, attract, nearer};

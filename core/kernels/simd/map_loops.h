/* Loops of t-SNE for each instruction set: near points, and the forces in a map. Maps are planar:
 * the coordinate of point i along axis a is y[a * stride + i]; 1 to 3 axes; q = 1 / (1 + d^2). */
#ifndef MAREA_KERNELS_SIMD_MAP_LOOPS_H
#define MAREA_KERNELS_SIMD_MAP_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "kernels/simd.h"

typedef struct marea_map_table {
  /* force[a] = sum over all n points j of q^2 (at - y_j), and the sum of q, which is returned. */
  double (*repel)(int axes, const marea_real *y, size_t stride, size_t n, const marea_real *at,
                  marea_real *force);
  /* force[a] = sum over `count` entries of p q (at - y_column). */
  void (*attract)(int axes, const marea_real *y, size_t stride, const int32_t *columns,
                  const marea_real *p, size_t count, const marea_real *at, marea_real *force);
  /* values[i] = norms[i] - 2 products[i], in order, of those i < count that are not above `bound`;
   * places[] are their i. Returns how many; places and values have room for `count`. */
  size_t (*nearer)(const marea_real *norms, const marea_real *products, size_t count,
                   marea_real bound, int32_t *places, marea_real *values);
} marea_map_table;

MAREA_TABLES(marea_map, const marea_map_table);

#endif

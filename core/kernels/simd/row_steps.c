#include "kernels/simd/row_steps.h"

#include "kernels/simd/vector.h"

static marea_real dot(const marea_real *a, const marea_real *b, size_t n) {
  vreal sum = splat(0);
  for (size_t i = 0; i < n; i += LANES) sum += load(a + i) * load(b + i);
  return lanes_sum(sum);
}

static void add_scaled(marea_real *y, marea_real scale, const marea_real *x, size_t n) {
  for (size_t i = 0; i < n; i += LANES) store(y + i, load(y + i) + splat(scale) * load(x + i));
}

const marea_row_table LEVEL(marea_row_steps) = {.dot = dot, .add_scaled = add_scaled};

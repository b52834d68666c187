/* Layer normalisation within a step: of a block of the gates, forward and backward. Nothing
 * happens in a step without. */
#ifndef MAREA_KERNELS_SIMD_NORM_STEPS_H
#define MAREA_KERNELS_SIMD_NORM_STEPS_H

#include "kernels/simd/cell_steps.h"

/* to = (x - mean) / sqrt(variance + epsilon) over the H live elements; returns the factor. */
INLINE marea_real normal_row(const marea_step *s, marea_real *to, const marea_real *x) {
  const size_t padded = s->padded;
  const marea_real share = 1 / (marea_real)s->hidden;
  vreal sum = splat(0), squares = splat(0);
  for (size_t j = 0; j < padded; j += LANES) sum += load(x + j);
  const vreal mean = splat(lanes_sum(sum) * share);
  for (size_t j = 0; j < padded; j += LANES) {
    vreal centred = live_lanes(load(x + j) - mean, j, s->hidden);
    squares += centred * centred;
    store(to + j, centred);
  }
  double variance = (double)(lanes_sum(squares) * share);
  marea_real scale = REAL(1 / sqrt(variance + (double)s->norm.epsilon));
  for (size_t j = 0; j < padded; j += LANES) store(to + j, load(to + j) * splat(scale));
  return scale;
}

/* Blocks [block, block + count) of the gates = gain times their normal form, + shift (or NULL). */
static inline void normalise(const marea_step *s, const marea_cell_table *cell, size_t block,
                             size_t count, const marea_real *shift) {
  const marea_norm *n = &s->norm;
  const size_t padded = s->padded;
  if (n->gain == NULL) return;
  for (size_t r = 0; r < s->rows; r++)
    for (size_t b = block; b < block + count; b++) {
      marea_real *x = s->gates + (r * cell->blocks + b) * padded;
      marea_real *to = n->normal + (r * n->count + b) * padded;
      n->scale[r * n->count + b] = normal_row(s, to, x);
      for (size_t j = 0; j < padded; j += LANES) {
        vreal more = shift != NULL ? load(shift + j) : splat(0);
        store(x + j, load(to + j) * load(n->gain + b * padded + j) + more);
      }
    }
}

/* d, the gradient after gain and bias of vector `which` in row r, becomes that of its sum. */
INLINE void denormalise_row(const marea_step *s, size_t r, size_t which, marea_real *d) {
  const marea_norm *n = &s->norm;
  const size_t padded = s->padded;
  const marea_real *normal = n->normal + (r * n->count + which) * padded;
  const marea_real *gain = n->gain + which * padded;
  marea_real *dgain = n->dgain + which * padded, *dbias = n->dbias + which * padded;
  vreal sum = splat(0), along = splat(0);
  for (size_t j = 0; j < padded; j += LANES) {
    vreal dj = load(d + j), x = load(normal + j), inner = dj * load(gain + j);
    store(dgain + j, load(dgain + j) + dj * x);
    store(dbias + j, load(dbias + j) + dj);
    sum += inner;
    along += inner * x;
    store(d + j, inner);
  }
  const marea_real share = 1 / (marea_real)s->hidden;
  const vreal mean = splat(lanes_sum(sum) * share), slope = splat(lanes_sum(along) * share);
  const vreal scale = splat(n->scale[r * n->count + which]);
  for (size_t j = 0; j < padded; j += LANES) {
    vreal dx = scale * (load(d + j) - mean - load(normal + j) * slope);
    store(d + j, live_lanes(dx, j, s->hidden));
  }
}

/* The gates' gradients of blocks [block, block + count) become those of the blocks' sums. */
static inline void denormalise(const marea_step *s, const marea_cell_table *cell, size_t block,
                               size_t count) {
  if (s->norm.gain == NULL) return;
  for (size_t r = 0; r < s->rows; r++)
    for (size_t b = block; b < block + count; b++)
      denormalise_row(s, r, b, s->dgates + (r * cell->blocks + b) * s->padded);
}

#endif

/* What the cells' files share: the recurrent product of a step, forward and backward, with its
 * dropout multipliers, and the activations of a step. */
#ifndef MAREA_KERNELS_SIMD_CELL_STEPS_H
#define MAREA_KERNELS_SIMD_CELL_STEPS_H

#include "kernels/simd/activations.h"
#include "kernels/simd/cell.h"
#include "kernels/simd/product.h"

extern const marea_product_table LEVEL(marea_products);

/* The activation functions; constants in the code that runs for tanh and sigmoid (`usual`). */
typedef struct step_functions {
  bool usual;
  marea_activation activation, recurrent;
  bool keep_inputs;
} step_functions;

INLINE bool is_usual(const marea_step *s) {
  return s->activation == MAREA_TANH && s->recurrent_activation == MAREA_SIGMOID && !s->keep_inputs;
}

static const step_functions usual_functions = {true, MAREA_TANH, MAREA_SIGMOID, false};

INLINE step_functions functions_of(const marea_step *s) {
  return (step_functions){false, s->activation, s->recurrent_activation, s->keep_inputs};
}

/* v with zeros in the lanes that lie behind H. */
INLINE vreal live_lanes(vreal v, size_t unit, size_t hidden) {
  if (hidden - unit >= LANES) return v;
  marea_bits live[LANES];
  for (size_t i = 0; i < LANES; i++) live[i] = i < hidden - unit ? -1 : 0;
  vbits mask;
  memcpy(&mask, live, sizeof mask);
  return (vreal)((vbits)v & mask);
}

static __attribute__((noinline)) void activate_any(marea_activation f, vreal *x) {
  *x = vector_activate(f, *x);
}

/* In: the input and the output (the other one of the two that vector_slope reads may be junk). */
static __attribute__((noinline)) void slope_any(marea_activation f, const vreal *x, vreal *a) {
  *a = vector_slope(f, *x, *a);
}

INLINE vreal gate(const step_functions f, vreal x) {
  if (f.usual) return vector_sigmoid(x);
  activate_any(f.recurrent, &x);
  return x;
}

INLINE vreal output(const step_functions f, vreal x) {
  if (f.usual) return vector_tanh(x);
  activate_any(f.activation, &x);
  return x;
}

/* Slopes from the input x and the activation a. */
INLINE vreal gate_slope(const step_functions f, vreal x, vreal a) {
  if (f.usual) return vector_slope(MAREA_SIGMOID, x, a);
  slope_any(f.recurrent, &x, &a);
  return a;
}

INLINE vreal output_slope(const step_functions f, vreal x, vreal a) {
  if (f.usual) return vector_slope(MAREA_TANH, x, a);
  slope_any(f.activation, &x, &a);
  return a;
}

/* The activation and its slope from what forward kept: input or output. */
INLINE vreal kept_gate(const step_functions f, vreal kept, vreal *slope) {
  vreal a = f.keep_inputs ? gate(f, kept) : kept;
  *slope = gate_slope(f, kept, a);
  return a;
}

INLINE vreal kept_output(const step_functions f, vreal kept, vreal *slope) {
  vreal a = f.keep_inputs ? output(f, kept) : kept;
  *slope = output_slope(f, kept, a);
  return a;
}

/* The share of h' in a gated unit's h = share h' + (1 - share) g: z, or with z_writes 1 - z. */
INLINE vreal kept_share(const marea_step *s, vreal z) {
  return s->z_writes ? splat(1) - z : z;
}

INLINE vreal blend(const marea_step *s, vreal z, vreal h, vreal g) {
  vreal share = kept_share(s, z);
  return share * h + (splat(1) - share) * g;
}

/* The gradient of z from that of h. */
INLINE vreal blend_slope(const marea_step *s, vreal dh, vreal h, vreal g) {
  return s->z_writes ? dh * (g - h) : dh * (h - g);
}

/* scratch (rows, n, padded state) = h times its multipliers, and where gate g's part starts. */
static inline void multiply_states(const marea_step *s, const marea_real *h) {
  size_t n = s->multiplier_gates;
  for (size_t r = 0; r < s->rows; r++)
    for (size_t g = 0; g < n; g++)
      for (size_t j = 0; j < s->padded_state; j += LANES) {
        size_t at = (r * n + g) * s->padded_state + j;
        store(s->scratch + at, load(h + r * s->padded_state + j) * load(s->multipliers + at));
      }
}

/* Recurrent blocks [block, block + count) of the gates += a U; a has rows of `width`. */
static inline void recur_one(const marea_step *s, const marea_cell_table *cell, size_t block,
                             size_t count, const marea_real *a, size_t width) {
  bool packed = s->panels_ld == 0;
  size_t panel = packed ? block * s->state : cell->recurrent_gate[block];
  marea_product p = {.m = s->rows,
                     .n = count * s->padded,
                     .k = s->state,
                     .a = a,
                     .a_row = width,
                     .a_column = 1,
                     .b = s->panels + panel * s->padded,
                     .ldb = s->panels_ld,
                     .packed_depth = packed ? s->state : 0,
                     .c = s->gates + (cell->recurrent_first + block) * s->padded,
                     .ldc = cell->blocks * s->padded,
                     .accumulate = true};
  LEVEL(marea_products).product(&p);
}

/* The same with h' from the step, multipliers applied. `gate` of a block picks its multiplier. */
static inline void recur(const marea_step *s, const marea_cell_table *cell, size_t block,
                         size_t count) {
  size_t n = s->multiplier_gates;
  if (s->multipliers == NULL) {
    recur_one(s, cell, block, count, s->h, s->padded_state);
    return;
  }
  multiply_states(s, s->h);
  if (n == 1) {
    recur_one(s, cell, block, count, s->scratch, s->padded_state);
    return;
  }
  for (size_t i = block; i < block + count; i++)
    recur_one(s, cell, i, 1, s->scratch + cell->recurrent_gate[i] * s->padded_state,
              n * s->padded_state);
}

/* out (rows, padded state) (+)= gradient blocks [block, block + count) U'. */
static inline void recur_back_one(const marea_step *s, const marea_cell_table *cell, size_t block,
                                  size_t count, marea_real *out, bool accumulate) {
  if (s->panels_ld != 0) {
    LEVEL(marea_products)
        .dots(out, s->padded_state, s->dgates + (cell->recurrent_first + block) * s->padded,
              cell->blocks * s->padded, s->panels + cell->recurrent_gate[block] * s->padded,
              s->panels_ld, s->rows, s->state, count * s->padded, accumulate);
    return;
  }
  marea_product p = {.m = s->rows,
                     .n = s->padded_state,
                     .k = count * s->padded,
                     .a = s->dgates + (cell->recurrent_first + block) * s->padded,
                     .a_row = cell->blocks * s->padded,
                     .a_column = 1,
                     .b = s->panels,
                     .packed_depth = cell->recurrent_blocks * s->padded,
                     .packed_start = block * s->padded,
                     .c = out,
                     .ldc = s->padded_state,
                     .accumulate = accumulate};
  LEVEL(marea_products).product(&p);
}

/* dh (+)= the same, through the multipliers. */
static inline void recur_back(const marea_step *s, const marea_cell_table *cell, size_t block,
                              size_t count, bool accumulate) {
  if (s->multipliers == NULL) {
    recur_back_one(s, cell, block, count, s->dh, accumulate);
    return;
  }
  size_t n = s->multiplier_gates, together = n == 1 ? count : 1;
  for (size_t i = block; i < block + count; i += together) {
    recur_back_one(s, cell, i, together, s->scratch, false);
    size_t which = n == 1 ? 0 : cell->recurrent_gate[i];
    for (size_t r = 0; r < s->rows; r++)
      for (size_t j = 0; j < s->padded_state; j += LANES) {
        marea_real *dh = s->dh + r * s->padded_state + j;
        vreal more = load(s->scratch + r * s->padded_state + j) *
                     load(s->multipliers + (r * n + which) * s->padded_state + j);
        store(dh, accumulate || i > block ? load(dh) + more : more);
      }
  }
}

#endif

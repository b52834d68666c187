/* The simple GRU, with one gate: z = s(a_z + h' U_z), g = f(a_h + h' U_h) or f(a_h), h = z h' +
 * (1 - z) g. Blocks z, h as the weights' gates. */
#include "kernels/simd/norm_steps.h"

static void forward(const marea_step *s);
static void backward(const marea_step *s);
static void forward_x(const marea_step *s);
static void backward_x(const marea_step *s);

const marea_cell_table LEVEL(marea_cell_simple_gru) = {.gates = 2,
                                                       .states = 1,
                                                       .blocks = 2,
                                                       .input_gate = {0, 1},
                                                       .recurrent_gate = {0, 1},
                                                       .recurrent_blocks = 2,
                                                       .recurrent_together = 2,
                                                       .forward = forward,
                                                       .backward = backward};

/* The candidate sees x alone. */
const marea_cell_table LEVEL(marea_cell_simple_gru_x) = {.gates = 2,
                                                         .states = 1,
                                                         .blocks = 2,
                                                         .input_gate = {0, 1},
                                                         .recurrent_gate = {0, 1},
                                                         .recurrent_blocks = 1,
                                                         .recurrent_together = 1,
                                                         .forward = forward_x,
                                                         .backward = backward_x};

INLINE void step_row(const marea_step *s, const step_functions f, size_t r) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *gates = s->gates + r * 2 * padded + j;
    const size_t at = r * padded + j;
    vreal z_input = load(gates) + load(s->bias + j);
    vreal g_input = load(gates + padded) + load(s->bias + padded + j);
    vreal z = gate(f, z_input), g = output(f, g_input);
    store(s->h_new + at, live_lanes(blend(s, z, load(s->h + at), g), j, s->hidden));
    store(gates, f.keep_inputs ? z_input : z);
    store(gates + padded, f.keep_inputs ? g_input : g);
  }
}

static inline void step_all(const marea_step *s, const marea_cell_table *cell) {
  recur(s, cell, 0, cell->recurrent_blocks);
  normalise(s, cell, 0, 2, NULL);
  if (is_usual(s)) {
    for (size_t r = 0; r < s->rows; r++) step_row(s, usual_functions, r);
  } else {
    for (size_t r = 0; r < s->rows; r++) step_row(s, functions_of(s), r);
  }
}

static void forward(const marea_step *s) {
  step_all(s, &LEVEL(marea_cell_simple_gru));
}

static void forward_x(const marea_step *s) {
  step_all(s, &LEVEL(marea_cell_simple_gru_x));
}

INLINE void gradient_row(const marea_step *s, const step_functions f, size_t r) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    const marea_real *gates = s->gates + r * 2 * padded + j;
    marea_real *dgates = s->dgates + r * 2 * padded + j;
    const size_t at = r * padded + j;
    vreal z_slope, g_slope;
    vreal z = kept_gate(f, load(gates), &z_slope);
    vreal g = kept_output(f, load(gates + padded), &g_slope);
    vreal dh = load(s->dh + at), kept = kept_share(s, z);
    store(dgates, blend_slope(s, dh, load(s->h + at), g) * z_slope);
    store(dgates + padded, dh * (splat(1) - kept) * g_slope);
    store(s->dh + at, dh * kept);
  }
}

static inline void gradient_all(const marea_step *s, const marea_cell_table *cell) {
  if (is_usual(s)) {
    for (size_t r = 0; r < s->rows; r++) gradient_row(s, usual_functions, r);
  } else {
    for (size_t r = 0; r < s->rows; r++) gradient_row(s, functions_of(s), r);
  }
  denormalise(s, cell, 0, 2);
  recur_back(s, cell, 0, cell->recurrent_blocks, true);
}

static void backward(const marea_step *s) {
  gradient_all(s, &LEVEL(marea_cell_simple_gru));
}

static void backward_x(const marea_step *s) {
  gradient_all(s, &LEVEL(marea_cell_simple_gru_x));
}

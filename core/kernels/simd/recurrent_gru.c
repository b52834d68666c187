/* GRU with the reset gate after the recurrent product (PyTorch, cuDNN, Keras 3):
 * z, r = s(a + q), g = f(a_h + r q_h), h = z h' + (1 - z) g, with a = x K + b0, q = h' U + b1.
 *
 * Blocks: a_h (then g), z, r, q_h: the input's part is the first three, the recurrent part the
 * last three, forward and backward. */
#include "kernels/simd/norm_steps.h"

static void forward(const marea_step *s);
static void backward(const marea_step *s);

const marea_cell_table LEVEL(marea_cell_gru) = {.gates = 3,
                                                .states = 1,
                                                .blocks = 4,
                                                .recurrent_first = 1,
                                                .input_gate = {2, 0, 1},
                                                .recurrent_gate = {0, 1, 2},
                                                .recurrent_blocks = 3,
                                                .recurrent_together = 3,
                                                .forward = forward,
                                                .backward = backward};

/* The recurrent product adds to its blocks; q_h starts at its bias, or gets it when normalised. */
static void start_q(const marea_step *s) {
  const size_t padded = s->padded;
  const bool later = s->norm.gain != NULL;
  for (size_t r = 0; r < s->rows; r++)
    for (size_t j = 0; j < padded; j += LANES)
      store(s->gates + (r * 4 + 3) * padded + j, later ? splat(0) : load(s->bias + 5 * padded + j));
}

INLINE void step_row(const marea_step *s, const step_functions f, size_t row) {
  const size_t padded = s->padded;
  const marea_real *bias = s->bias, *bias_q = s->bias + 3 * padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *gates = s->gates + row * 4 * padded + j;
    const size_t at = row * padded + j;
    vreal z_input = load(gates + padded) + (load(bias + padded + j) + load(bias_q + j));
    vreal r_input =
        load(gates + 2 * padded) + (load(bias + 2 * padded + j) + load(bias_q + padded + j));
    vreal z = gate(f, z_input);
    vreal r = gate(f, r_input);
    vreal g_input = load(gates) + load(bias + j) + r * load(gates + 3 * padded);
    vreal g = output(f, g_input);
    vreal h = blend(s, z, load(s->h + at), g);
    store(s->h_new + at, live_lanes(h, j, s->hidden));
    store(gates, f.keep_inputs ? g_input : g);
    store(gates + padded, f.keep_inputs ? z_input : z);
    store(gates + 2 * padded, f.keep_inputs ? r_input : r);
  }
}

static void forward(const marea_step *s) {
  start_q(s);
  recur(s, &LEVEL(marea_cell_gru), 0, 3);
  normalise(s, &LEVEL(marea_cell_gru), 0, 3, NULL);
  normalise(s, &LEVEL(marea_cell_gru), 3, 1, s->bias + 5 * s->padded);
  if (is_usual(s)) {
    for (size_t r = 0; r < s->rows; r++) step_row(s, usual_functions, r);
  } else {
    for (size_t r = 0; r < s->rows; r++) step_row(s, functions_of(s), r);
  }
}

INLINE void gradient_row(const marea_step *s, const step_functions f, size_t row) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    const marea_real *gates = s->gates + row * 4 * padded + j;
    marea_real *dgates = s->dgates + row * 4 * padded + j;
    const size_t at = row * padded + j;
    vreal g_slope, z_slope, r_slope;
    vreal g = kept_output(f, load(gates), &g_slope);
    vreal z = kept_gate(f, load(gates + padded), &z_slope);
    vreal r = kept_gate(f, load(gates + 2 * padded), &r_slope);
    vreal dh = load(s->dh + at), kept = kept_share(s, z);
    vreal dg = dh * (splat(1) - kept) * g_slope;
    store(s->dh + at, dh * kept);
    store(dgates, dg);
    store(dgates + padded, blend_slope(s, dh, load(s->h + at), g) * z_slope);
    store(dgates + 2 * padded, dg * load(gates + 3 * padded) * r_slope);
    store(dgates + 3 * padded, dg * r);
  }
}

static void backward(const marea_step *s) {
  if (is_usual(s)) {
    for (size_t r = 0; r < s->rows; r++) gradient_row(s, usual_functions, r);
  } else {
    for (size_t r = 0; r < s->rows; r++) gradient_row(s, functions_of(s), r);
  }
  denormalise(s, &LEVEL(marea_cell_gru), 0, 4);
  recur_back(s, &LEVEL(marea_cell_gru), 0, 3, true);
}

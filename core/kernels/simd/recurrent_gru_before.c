/* GRU with the reset gate before the recurrent product (Cho et al., 2014; ONNX's default):
 * z, r = s(a + h' U), g = f(a_h + (r h') U_h), h = z h' + (1 - z) g. Blocks z, r, h as the
 * weights' gates. */
#include "kernels/simd/cell_steps.h"

static void forward(const marea_step *s);
static void backward(const marea_step *s);

const marea_cell_table LEVEL(marea_cell_gru_before) = {.gates = 3,
                                                       .states = 1,
                                                       .blocks = 3,
                                                       .input_gate = {0, 1, 2},
                                                       .recurrent_gate = {0, 1, 2},
                                                       .recurrent_together = 2,
                                                       .reset_before = true,
                                                       .forward = forward,
                                                       .backward = backward};

/* The multiplier of h' in the candidate's product. */
INLINE vreal candidate_multiplier(const marea_step *s, size_t row, size_t j) {
  if (s->multipliers == NULL) return splat(1);
  size_t n = s->multiplier_gates;
  return load(s->multipliers + (row * n + (n == 1 ? 0 : 2)) * s->padded + j);
}

/* z and r; scratch = h' times multiplier times r. */
INLINE void gate_row(const marea_step *s, const step_functions f, size_t row) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *gates = s->gates + row * 3 * padded + j;
    vreal z_input = load(gates) + load(s->bias + j);
    vreal r_input = load(gates + padded) + load(s->bias + padded + j);
    vreal r = gate(f, r_input);
    vreal h = load(s->h + row * padded + j) * candidate_multiplier(s, row, j);
    store(gates, f.keep_inputs ? z_input : gate(f, z_input));
    store(gates + padded, f.keep_inputs ? r_input : r);
    store(s->scratch + row * padded + j, h * r);
  }
}

INLINE void candidate_row(const marea_step *s, const step_functions f, size_t row) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *gates = s->gates + row * 3 * padded + j;
    vreal slope;
    vreal z = kept_gate(f, load(gates), &slope);
    vreal input = load(gates + 2 * padded) + load(s->bias + 2 * padded + j);
    vreal g = output(f, input);
    vreal h = z * load(s->h + row * padded + j) + (splat(1) - z) * g;
    store(s->h_new + row * padded + j, live_lanes(h, j, s->hidden));
    store(gates + 2 * padded, f.keep_inputs ? input : g);
  }
}

INLINE void forward_rows(const marea_step *s, const step_functions f) {
  for (size_t r = 0; r < s->rows; r++) gate_row(s, f, r);
  recur_one(s, &LEVEL(marea_cell_gru_before), 2, 1, s->scratch, s->padded);
  for (size_t r = 0; r < s->rows; r++) candidate_row(s, f, r);
}

static void forward(const marea_step *s) {
  recur(s, &LEVEL(marea_cell_gru_before), 0, 2);
  if (is_usual(s))
    forward_rows(s, usual_functions);
  else
    forward_rows(s, functions_of(s));
}

INLINE void candidate_gradient_row(const marea_step *s, const step_functions f, size_t row) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    const marea_real *gates = s->gates + row * 3 * padded + j;
    vreal slope, g_slope;
    vreal z = kept_gate(f, load(gates), &slope);
    kept_output(f, load(gates + 2 * padded), &g_slope);
    store(s->dgates + (row * 3 + 2) * padded + j,
          load(s->dh + row * padded + j) * (splat(1) - z) * g_slope);
  }
}

/* scratch holds the gradient of r h' m. */
INLINE void gate_gradient_row(const marea_step *s, const step_functions f, size_t row) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    const marea_real *gates = s->gates + row * 3 * padded + j;
    marea_real *dgates = s->dgates + row * 3 * padded + j;
    const size_t at = row * padded + j;
    vreal z_slope, r_slope, g_slope;
    vreal z = kept_gate(f, load(gates), &z_slope);
    vreal r = kept_gate(f, load(gates + padded), &r_slope);
    vreal g = kept_output(f, load(gates + 2 * padded), &g_slope);
    vreal h = load(s->h + at), dh = load(s->dh + at);
    vreal through = load(s->scratch + at) * candidate_multiplier(s, row, j);
    store(dgates, dh * (h - g) * z_slope);
    store(dgates + padded, through * h * r_slope);
    store(s->dh + at, dh * z + through * r);
  }
}

INLINE void backward_rows(const marea_step *s, const step_functions f) {
  for (size_t r = 0; r < s->rows; r++) candidate_gradient_row(s, f, r);
  recur_back_one(s, &LEVEL(marea_cell_gru_before), 2, 1, s->scratch, false);
  for (size_t r = 0; r < s->rows; r++) gate_gradient_row(s, f, r);
}

static void backward(const marea_step *s) {
  if (is_usual(s))
    backward_rows(s, usual_functions);
  else
    backward_rows(s, functions_of(s));
  recur_back(s, &LEVEL(marea_cell_gru_before), 0, 2, true);
}

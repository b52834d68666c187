/* GRU with the reset gate before the recurrent product (Cho et al., 2014; ONNX's default):
 * z, r = s(a + h' U), g = f(a_h + (r h') U_h), h = z h' + (1 - z) g. Blocks z, r, h as the
 * weights' gates. The minimal gated unit (Zhou et al., 2016) is the same with one gate for both:
 * r = z, blocks z, h. */
#include "kernels/simd/norm_steps.h"

static void forward(const marea_step *s);
static void backward(const marea_step *s);
static void forward_minimal(const marea_step *s);
static void backward_minimal(const marea_step *s);

const marea_cell_table LEVEL(marea_cell_gru_before) = {.gates = 3,
                                                       .states = 1,
                                                       .blocks = 3,
                                                       .input_gate = {0, 1, 2},
                                                       .recurrent_gate = {0, 1, 2},
                                                       .recurrent_blocks = 3,
                                                       .recurrent_together = 2,
                                                       .reset_block = 1 + 1,
                                                       .forward = forward,
                                                       .backward = backward};

const marea_cell_table LEVEL(marea_cell_mgu) = {.gates = 2,
                                                .states = 1,
                                                .blocks = 2,
                                                .input_gate = {0, 1},
                                                .recurrent_gate = {0, 1},
                                                .recurrent_blocks = 2,
                                                .recurrent_together = 1,
                                                .reset_block = 0 + 1,
                                                .forward = forward_minimal,
                                                .backward = backward_minimal};

/* Gates before the candidate, whose block comes after them: 2, or 1 when r is z. */
typedef struct form {
  const marea_cell_table *cell;
  size_t gates;
} form;

static const form two_gates = {&LEVEL(marea_cell_gru_before), 2};
static const form one_gate = {&LEVEL(marea_cell_mgu), 1};

/* The multiplier of h' in the candidate's product. */
INLINE vreal candidate_multiplier(const marea_step *s, const form *m, size_t row, size_t j) {
  if (s->multipliers == NULL) return splat(1);
  size_t n = s->multiplier_gates;
  return load(s->multipliers + (row * n + (n == 1 ? 0 : m->gates)) * s->padded + j);
}

/* z and r; scratch = h' times multiplier times r. */
INLINE void gate_row(const marea_step *s, const form *m, const step_functions f, size_t row) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *gates = s->gates + row * (m->gates + 1) * padded + j;
    vreal z_input = load(gates) + load(s->bias + j);
    vreal z = gate(f, z_input), r = z;
    if (m->gates == 2) {
      vreal r_input = load(gates + padded) + load(s->bias + padded + j);
      r = gate(f, r_input);
      store(gates + padded, f.keep_inputs ? r_input : r);
    }
    vreal h = load(s->h + row * padded + j) * candidate_multiplier(s, m, row, j);
    store(gates, f.keep_inputs ? z_input : z);
    store(s->scratch + row * padded + j, h * r);
  }
}

INLINE void candidate_row(const marea_step *s, const form *m, const step_functions f, size_t row) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *gates = s->gates + row * (m->gates + 1) * padded + j;
    marea_real *candidate = gates + m->gates * padded;
    vreal slope;
    vreal z = kept_gate(f, load(gates), &slope);
    vreal input = load(candidate) + load(s->bias + m->gates * padded + j);
    vreal g = output(f, input);
    vreal h = blend(s, z, load(s->h + row * padded + j), g);
    store(s->h_new + row * padded + j, live_lanes(h, j, s->hidden));
    store(candidate, f.keep_inputs ? input : g);
  }
}

INLINE void forward_rows(const marea_step *s, const form *m, const step_functions f) {
  recur(s, m->cell, 0, m->gates);
  normalise(s, m->cell, 0, m->gates, NULL);
  for (size_t r = 0; r < s->rows; r++) gate_row(s, m, f, r);
  recur_one(s, m->cell, m->gates, 1, s->scratch, s->padded);
  normalise(s, m->cell, m->gates, 1, NULL);
  for (size_t r = 0; r < s->rows; r++) candidate_row(s, m, f, r);
}

static void forward(const marea_step *s) {
  if (is_usual(s))
    forward_rows(s, &two_gates, usual_functions);
  else
    forward_rows(s, &two_gates, functions_of(s));
}

static void forward_minimal(const marea_step *s) {
  if (is_usual(s))
    forward_rows(s, &one_gate, usual_functions);
  else
    forward_rows(s, &one_gate, functions_of(s));
}

INLINE void candidate_gradient_row(const marea_step *s, const form *m, const step_functions f,
                                   size_t row) {
  const size_t padded = s->padded, width = (m->gates + 1) * padded;
  for (size_t j = 0; j < padded; j += LANES) {
    const marea_real *gates = s->gates + row * width + j;
    vreal slope, g_slope;
    vreal z = kept_gate(f, load(gates), &slope);
    kept_output(f, load(gates + m->gates * padded), &g_slope);
    store(s->dgates + row * width + m->gates * padded + j,
          load(s->dh + row * padded + j) * (splat(1) - kept_share(s, z)) * g_slope);
  }
}

/* scratch holds the gradient of r h' m. */
INLINE void gate_gradient_row(const marea_step *s, const form *m, const step_functions f,
                              size_t row) {
  const size_t padded = s->padded, width = (m->gates + 1) * padded;
  for (size_t j = 0; j < padded; j += LANES) {
    const marea_real *gates = s->gates + row * width + j;
    marea_real *dgates = s->dgates + row * width + j;
    const size_t at = row * padded + j;
    vreal z_slope, r_slope, g_slope;
    vreal z = kept_gate(f, load(gates), &z_slope);
    vreal r = kept_gate(f, load(gates + (m->gates - 1) * padded), &r_slope);
    vreal g = kept_output(f, load(gates + m->gates * padded), &g_slope);
    vreal h = load(s->h + at), dh = load(s->dh + at);
    vreal through = load(s->scratch + at) * candidate_multiplier(s, m, row, j);
    vreal dz = blend_slope(s, dh, h, g) * z_slope, dr = through * h * r_slope;
    store(dgates, m->gates == 2 ? dz : dz + dr);
    if (m->gates == 2) store(dgates + padded, dr);
    store(s->dh + at, dh * kept_share(s, z) + through * r);
  }
}

INLINE void backward_rows(const marea_step *s, const form *m, const step_functions f) {
  for (size_t r = 0; r < s->rows; r++) candidate_gradient_row(s, m, f, r);
  denormalise(s, m->cell, m->gates, 1);
  recur_back_one(s, m->cell, m->gates, 1, s->scratch, false);
  for (size_t r = 0; r < s->rows; r++) gate_gradient_row(s, m, f, r);
  denormalise(s, m->cell, 0, m->gates);
  recur_back(s, m->cell, 0, m->gates, true);
}

static void backward(const marea_step *s) {
  if (is_usual(s))
    backward_rows(s, &two_gates, usual_functions);
  else
    backward_rows(s, &two_gates, functions_of(s));
}

static void backward_minimal(const marea_step *s) {
  if (is_usual(s))
    backward_rows(s, &one_gate, usual_functions);
  else
    backward_rows(s, &one_gate, functions_of(s));
}

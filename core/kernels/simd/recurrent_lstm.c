/* LSTM: i, f, o = s(a), g = f(a_c); c = f c' + i g; h = o f(c). Blocks i, f, c, o as the weights'
 * gates. Gradients: Gers et al., 2000, written out in gradient_row. */
#include "kernels/simd/cell_steps.h"

static void forward(const marea_step *s);
static void backward(const marea_step *s);

const marea_cell_table LEVEL(marea_cell_lstm) = {.gates = 4,
                                                 .states = 2,
                                                 .blocks = 4,
                                                 .input_gate = {0, 1, 2, 3},
                                                 .recurrent_gate = {0, 1, 2, 3},
                                                 .recurrent_blocks = 4,
                                                 .recurrent_together = 4,
                                                 .forward = forward,
                                                 .backward = backward};

INLINE void step_row(const marea_step *s, const step_functions f, size_t r) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *gates = s->gates + r * 4 * padded + j;
    const size_t at = r * padded + j;
    vreal input[4];
    UNROLL for (size_t g = 0; g < 4; g++) {
      input[g] = load(gates + g * padded) + load(s->bias + g * padded + j);
    }
    vreal i = gate(f, input[0]);
    vreal forget = gate(f, input[1]);
    vreal candidate = output(f, input[2]);
    vreal o = gate(f, input[3]);
    vreal c = live_lanes(forget * load(s->c + at) + i * candidate, j, s->hidden);
    store(s->c_new + at, c);
    store(s->h_new + at, live_lanes(o * output(f, c), j, s->hidden));
    store(gates, f.keep_inputs ? input[0] : i);
    store(gates + padded, f.keep_inputs ? input[1] : forget);
    store(gates + 2 * padded, f.keep_inputs ? input[2] : candidate);
    store(gates + 3 * padded, f.keep_inputs ? input[3] : o);
  }
}

static void forward(const marea_step *s) {
  recur(s, &LEVEL(marea_cell_lstm), 0, 4);
  if (is_usual(s)) {
    for (size_t r = 0; r < s->rows; r++) step_row(s, usual_functions, r);
  } else {
    for (size_t r = 0; r < s->rows; r++) step_row(s, functions_of(s), r);
  }
}

INLINE void gradient_row(const marea_step *s, const step_functions f, size_t r) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    const marea_real *gates = s->gates + r * 4 * padded + j;
    marea_real *dgates = s->dgates + r * 4 * padded + j;
    const size_t at = r * padded + j;
    vreal i_slope, f_slope, g_slope, o_slope;
    vreal i = kept_gate(f, load(gates), &i_slope);
    vreal forget = kept_gate(f, load(gates + padded), &f_slope);
    vreal g = kept_output(f, load(gates + 2 * padded), &g_slope);
    vreal o = kept_gate(f, load(gates + 3 * padded), &o_slope);
    vreal c = load(s->c_new + at), dh = load(s->dh + at);
    vreal c_activated = output(f, c);
    vreal dc = load(s->dc + at) + dh * o * output_slope(f, c, c_activated);
    store(s->dc + at, dc * forget);
    store(dgates, dc * g * i_slope);
    store(dgates + padded, dc * load(s->c + at) * f_slope);
    store(dgates + 2 * padded, dc * i * g_slope);
    store(dgates + 3 * padded, dh * c_activated * o_slope);
  }
}

static void backward(const marea_step *s) {
  if (is_usual(s)) {
    for (size_t r = 0; r < s->rows; r++) gradient_row(s, usual_functions, r);
  } else {
    for (size_t r = 0; r < s->rows; r++) gradient_row(s, functions_of(s), r);
  }
  recur_back(s, &LEVEL(marea_cell_lstm), 0, 4, false);
}

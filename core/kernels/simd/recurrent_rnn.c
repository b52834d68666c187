/* SimpleRNN: h = f(a), a = x K + h' U + b. */
#include "kernels/simd/norm_steps.h"

static void forward(const marea_step *s);
static void backward(const marea_step *s);

const marea_cell_table LEVEL(marea_cell_rnn) = {.gates = 1,
                                                .states = 1,
                                                .blocks = 1,
                                                .recurrent_blocks = 1,
                                                .recurrent_together = 1,
                                                .forward = forward,
                                                .backward = backward};

INLINE void activate_rows(const marea_step *s, const step_functions f) {
  for (size_t r = 0; r < s->rows; r++)
    for (size_t j = 0; j < s->padded; j += LANES) {
      marea_real *kept = s->gates + r * s->padded + j;
      vreal input = load(kept) + load(s->bias + j);
      vreal h = live_lanes(output(f, input), j, s->hidden);
      store(kept, f.keep_inputs ? input : h);
      store(s->h_new + r * s->padded + j, h);
    }
}

static void forward(const marea_step *s) {
  recur(s, &LEVEL(marea_cell_rnn), 0, 1);
  normalise(s, &LEVEL(marea_cell_rnn), 0, 1, NULL);
  if (is_usual(s))
    activate_rows(s, usual_functions);
  else
    activate_rows(s, functions_of(s));
}

INLINE void gradient_rows(const marea_step *s, const step_functions f) {
  for (size_t i = 0; i < s->rows * s->padded; i += LANES) {
    vreal slope;
    kept_output(f, load(s->gates + i), &slope);
    store(s->dgates + i, load(s->dh + i) * slope);
  }
}

static void backward(const marea_step *s) {
  if (is_usual(s))
    gradient_rows(s, usual_functions);
  else
    gradient_rows(s, functions_of(s));
  denormalise(s, &LEVEL(marea_cell_rnn), 0, 1);
  recur_back(s, &LEVEL(marea_cell_rnn), 0, 1, false);
}

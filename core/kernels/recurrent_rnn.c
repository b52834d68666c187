/* SimpleRNN: h = f(x K + b + h' U) (Elman, 1990). */
#include <string.h>

#include "kernels/recurrent_slice.h"

static void forward(recurrent_slice *s, size_t at) {
  size_t n = s->rows * s->layer->hidden;
  marea_real *gates = s->gates + at * n, *h = s->h + at * n;
  recurrent_multiply(s, h, gates, 0, 1);
  marea_activate(s->layer->activation, gates, gates, n);
  memcpy(h + n, gates, n * sizeof *h);
}

static void backward(recurrent_slice *s, size_t at, const unsigned char *visible) {
  size_t H = s->layer->hidden, n = s->rows * H;
  marea_real *gates = s->gates + at * n;
  const marea_real *h = s->h + (at + 1) * n;
  memset(gates, 0, n * sizeof *gates);
  memset(s->dh_next, 0, n * sizeof *gates);
  for (size_t r = 0; r < s->rows; r++)
    if (visible[r])
      marea_activate_backward(s->layer->activation, gates + r * H, s->dh + r * H, NULL, h + r * H,
                              H);
  recurrent_multiply_back(s, gates, s->dh_next, 0, 1);
}

const recurrent_cell recurrent_cell_rnn = {"SimpleRNN", 1, 1, 1, 0, forward, backward, false};

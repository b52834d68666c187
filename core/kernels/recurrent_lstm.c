/* LSTM with forget gate (Hochreiter and Schmidhuber, 1997; Gers et al., 2000); gates i, f, c, o.
 * Kept beside the gates: the activation of c. */
#include <string.h>

#include "kernels/recurrent_slice.h"

/* A step of one row with any activations; the usual ones have a fused loop. */
static void row_forward(const recurrent_slice *s, marea_real *gates, const marea_real *c_before,
                        marea_real *c, marea_real *active_c, marea_real *h) {
  size_t H = s->layer->hidden;
  marea_activation f = s->layer->activation, g = s->layer->recurrent_activation;
  marea_activate(g, gates, gates, 2 * H);
  marea_activate(f, gates + 2 * H, gates + 2 * H, H);
  marea_activate(g, gates + 3 * H, gates + 3 * H, H);
  for (size_t j = 0; j < H; j++) c[j] = gates[H + j] * c_before[j] + gates[j] * gates[2 * H + j];
  marea_activate(f, active_c, c, H);
  for (size_t j = 0; j < H; j++) h[j] = gates[3 * H + j] * active_c[j];
}

static void row_backward(const recurrent_slice *s, marea_real *gates, const marea_real *c_before,
                         const marea_real *active_c, const marea_real *dh, marea_real *dc) {
  size_t H = s->layer->hidden;
  marea_activation f = s->layer->activation, g = s->layer->recurrent_activation;
  marea_real *d = s->row, *before = s->row + 4 * H; /* dL/d(gate), dL/d(pre-activation) */
  for (size_t j = 0; j < H; j++) d[j] = dh[j] * gates[3 * H + j];
  marea_activate_backward(f, dc, d, NULL, active_c, H);
  for (size_t j = 0; j < H; j++) {
    d[j] = dc[j] * gates[2 * H + j];
    d[H + j] = dc[j] * c_before[j];
    d[2 * H + j] = dc[j] * gates[j];
    d[3 * H + j] = dh[j] * active_c[j];
    dc[j] *= gates[H + j];
  }
  memset(before, 0, 4 * H * sizeof *before);
  marea_activate_backward(g, before, d, NULL, gates, 2 * H);
  marea_activate_backward(f, before + 2 * H, d + 2 * H, NULL, gates + 2 * H, H);
  marea_activate_backward(g, before + 3 * H, d + 3 * H, NULL, gates + 3 * H, H);
  memcpy(gates, before, 4 * H * sizeof *gates);
}

static void forward(recurrent_slice *s, size_t at) {
  size_t H = s->layer->hidden, n = s->rows * H;
  marea_real *gates = s->gates + at * 4 * n, *active_c = s->extra + at * n;
  marea_real *h = s->h + at * n, *c = s->c + at * n;
  bool usual = recurrent_usual(s);
  recurrent_multiply(s, h, gates, 0, 4);
  for (size_t r = 0; r < n; r += H) {
    if (usual)
      s->simd->lstm_row(gates + 4 * r, c + r, c + n + r, active_c + r, h + n + r, H);
    else
      row_forward(s, gates + 4 * r, c + r, c + n + r, active_c + r, h + n + r);
  }
}

static void backward(recurrent_slice *s, size_t at, const unsigned char *visible) {
  size_t H = s->layer->hidden, n = s->rows * H;
  marea_real *gates = s->gates + at * 4 * n;
  const marea_real *active_c = s->extra + at * n, *c = s->c + at * n;
  bool usual = recurrent_usual(s);
  for (size_t r = 0; r < s->rows; r++) {
    size_t i = r * H;
    if (!visible[r])
      memset(gates + 4 * i, 0, 4 * H * sizeof *gates);
    else if (usual)
      s->simd->lstm_row_backward(gates + 4 * i, c + i, active_c + i, s->dh + i, s->dc + i, H);
    else
      row_backward(s, gates + 4 * i, c + i, active_c + i, s->dh + i, s->dc + i);
  }
  memset(s->dh_next, 0, n * sizeof *s->dh_next);
  recurrent_multiply_back(s, gates, s->dh_next, 0, 4);
}

const recurrent_cell recurrent_cell_lstm = {"LSTM", 4, 2, 4, 1, forward, backward, false};

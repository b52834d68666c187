/* GRU, reset before the product (Cho et al., 2014); gates z, r, h.
 * Kept beside the gates: r times the (dropped) state, which meets the candidate's block of U. */
#include <string.h>

#include "kernels/gemm.h"
#include "kernels/recurrent_slice.h"

enum { CANDIDATE = 2 };

static void reset_states(const recurrent_slice *s, const marea_real *a, const marea_real *h,
                         marea_real *reset_h) {
  size_t H = s->layer->hidden;
  for (size_t r = 0; r < s->rows; r++) {
    const marea_real *keep = recurrent_dropout_row(s, r, CANDIDATE);
    const marea_real *gate = a + r * 3 * H + H;
    for (size_t j = 0; j < H; j++)
      reset_h[r * H + j] = gate[j] * h[r * H + j] * (keep != NULL ? keep[j] : 1);
  }
}

static void forward(recurrent_slice *s, size_t at) {
  size_t H = s->layer->hidden, n = s->rows * H, width = 3 * H;
  marea_real *a = s->gates + at * 3 * n, *reset_h = s->extra + at * n, *h = s->h + at * n;
  recurrent_multiply(s, h, a, 0, CANDIDATE);
  for (size_t r = 0; r < s->rows; r++)
    marea_activate(s->layer->recurrent_activation, a + r * width, a + r * width, 2 * H);
  reset_states(s, a, h, reset_h);
  marea_gemm(false, false, s->rows, H, H, 1, reset_h, H, s->weights->recurrent_kernel + 2 * H,
             width, 1, a + 2 * H, width);
  for (size_t r = 0; r < s->rows; r++) {
    marea_real *z = a + r * width, *g = z + 2 * H, *from = h + r * H;
    marea_activate(s->layer->activation, g, g, H);
    for (size_t j = 0; j < H; j++) from[n + j] = z[j] * from[j] + (1 - z[j]) * g[j];
  }
}

/* From dL/dh of a row: the candidate's pre-activation gradient into its place; the direct part of
 * dh_next; dL/dz into the scratch row. */
static void candidate_backward(recurrent_slice *s, marea_real *a, const marea_real *h, size_t r) {
  size_t H = s->layer->hidden;
  marea_real *z = a + r * 3 * H, *g = z + 2 * H, *d = s->row, *before = s->row + H;
  const marea_real *dh = s->dh + r * H;
  memset(before, 0, H * sizeof *before);
  for (size_t j = 0; j < H; j++) {
    d[j] = dh[j] * (1 - z[j]);
    s->dh_next[r * H + j] = dh[j] * z[j];
  }
  marea_activate_backward(s->layer->activation, before, d, NULL, g, H);
  for (size_t j = 0; j < H; j++) d[j] = dh[j] * (h[r * H + j] - g[j]);
  memcpy(g, before, H * sizeof *g);
  memset(before, 0, H * sizeof *before);
  marea_activate_backward(s->layer->recurrent_activation, before, d, NULL, z, H);
  memcpy(z, before, H * sizeof *z);
}

/* Given d(r h) of a row: the reset gate's gradient and the state's part. */
static void reset_backward(recurrent_slice *s, marea_real *a, const marea_real *h, size_t r,
                           const marea_real *d_reset) {
  size_t H = s->layer->hidden;
  const marea_real *keep = recurrent_dropout_row(s, r, CANDIDATE);
  marea_real *gate = a + r * 3 * H + H, *d = s->row, *before = s->row + H;
  for (size_t j = 0; j < H; j++) {
    marea_real scale = keep != NULL ? keep[j] : 1;
    d[j] = d_reset[j] * h[r * H + j] * scale;
    s->dh_next[r * H + j] += d_reset[j] * gate[j] * scale;
  }
  memset(before, 0, H * sizeof *before);
  marea_activate_backward(s->layer->recurrent_activation, before, d, NULL, gate, H);
  memcpy(gate, before, H * sizeof *gate);
}

static void backward(recurrent_slice *s, size_t at, const unsigned char *visible) {
  size_t H = s->layer->hidden, n = s->rows * H, width = 3 * H;
  marea_real *a = s->gates + at * 3 * n, *d_reset = s->h_block;
  const marea_real *h = s->h + at * n;
  memset(s->dh_next, 0, n * sizeof *s->dh_next);
  for (size_t r = 0; r < s->rows; r++) {
    if (visible[r])
      candidate_backward(s, a, h, r);
    else
      memset(a + r * width, 0, width * sizeof *a);
  }
  marea_gemm(false, false, s->rows, H, H, 1, a + 2 * H, width, s->recurrent_back + 2 * H * H, H, 0,
             d_reset, H);
  for (size_t r = 0; r < s->rows; r++)
    if (visible[r]) reset_backward(s, a, h, r, d_reset + r * H);
  recurrent_multiply_back(s, a, s->dh_next, 0, CANDIDATE);
}

const recurrent_cell recurrent_cell_gru_before = {"GRU", 3, 1, 3, 1, forward, backward, false};

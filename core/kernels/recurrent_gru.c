/* GRU, reset after the product (the form of cuDNN and Keras's default); gates z, r, h.
 * Kept beside the gates: q = h' U + b1, which becomes the recurrent product's gradient. */
#include <string.h>

#include "kernels/recurrent_slice.h"

static void row_forward(const recurrent_slice *s, marea_real *a, const marea_real *q,
                        const marea_real *h_before, marea_real *h) {
  size_t H = s->layer->hidden;
  for (size_t j = 0; j < 2 * H; j++) a[j] += q[j];
  marea_activate(s->layer->recurrent_activation, a, a, 2 * H);
  for (size_t j = 0; j < H; j++) a[2 * H + j] += a[H + j] * q[2 * H + j];
  marea_activate(s->layer->activation, a + 2 * H, a + 2 * H, H);
  for (size_t j = 0; j < H; j++) h[j] = a[j] * h_before[j] + (1 - a[j]) * a[2 * H + j];
}

static void row_backward(const recurrent_slice *s, marea_real *a, marea_real *q,
                         const marea_real *h_before, const marea_real *dh, marea_real *dh_before) {
  size_t H = s->layer->hidden;
  marea_real *d = s->row, *before = s->row + 3 * H; /* dL/d(gate), dL/d(pre-activation) */
  memset(before, 0, 3 * H * sizeof *before);
  for (size_t j = 0; j < H; j++) {
    d[j] = dh[j] * (h_before[j] - a[2 * H + j]);
    d[2 * H + j] = dh[j] * (1 - a[j]);
    dh_before[j] = dh[j] * a[j];
  }
  marea_activate_backward(s->layer->activation, before + 2 * H, d + 2 * H, NULL, a + 2 * H, H);
  for (size_t j = 0; j < H; j++) d[H + j] = before[2 * H + j] * q[2 * H + j];
  marea_activate_backward(s->layer->recurrent_activation, before, d, NULL, a, 2 * H);
  for (size_t j = 0; j < H; j++) {
    q[j] = before[j];
    q[H + j] = before[H + j];
    q[2 * H + j] = before[2 * H + j] * a[H + j];
  }
  memcpy(a, before, 3 * H * sizeof *a);
}

/* q begins as the recurrent bias, the second row of bias (2, 3H). */
static void start_with_bias(const recurrent_slice *s, marea_real *q) {
  size_t width = 3 * s->layer->hidden;
  const marea_real *bias = s->weights->bias;
  for (size_t r = 0; r < s->rows; r++) {
    if (bias != NULL)
      memcpy(q + r * width, bias + width, width * sizeof *q);
    else
      memset(q + r * width, 0, width * sizeof *q);
  }
}

static void forward(recurrent_slice *s, size_t at) {
  size_t H = s->layer->hidden, n = s->rows * H;
  marea_real *a = s->gates + at * 3 * n, *q = s->extra + at * 3 * n, *h = s->h + at * n;
  bool usual = recurrent_usual(s);
  start_with_bias(s, q);
  recurrent_multiply(s, h, q, 0, 3);
  for (size_t r = 0; r < n; r += H) {
    if (usual)
      s->simd->gru_row(a + 3 * r, q + 3 * r, h + r, h + n + r, H);
    else
      row_forward(s, a + 3 * r, q + 3 * r, h + r, h + n + r);
  }
}

static void backward(recurrent_slice *s, size_t at, const unsigned char *visible) {
  size_t H = s->layer->hidden, n = s->rows * H;
  marea_real *a = s->gates + at * 3 * n, *q = s->extra + at * 3 * n;
  const marea_real *h = s->h + at * n;
  bool usual = recurrent_usual(s);
  for (size_t r = 0; r < s->rows; r++) {
    size_t i = r * H;
    if (!visible[r]) {
      memset(a + 3 * i, 0, 3 * H * sizeof *a);
      memset(q + 3 * i, 0, 3 * H * sizeof *q);
      memset(s->dh_next + i, 0, H * sizeof *a);
    } else if (usual) {
      s->simd->gru_row_backward(a + 3 * i, q + 3 * i, h + i, s->dh + i, s->dh_next + i, H);
    } else {
      row_backward(s, a + 3 * i, q + 3 * i, h + i, s->dh + i, s->dh_next + i);
    }
  }
  recurrent_multiply_back(s, q, s->dh_next, 0, 3);
}

const recurrent_cell recurrent_cell_gru = {"GRU", 3, 1, 6, 3, forward, backward, true};

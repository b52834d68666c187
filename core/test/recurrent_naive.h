/* The recurrent cells written as their formulas, one row and one step at a time: the reference
 * that the fast kernels are compared with. Same interface, but the caller hands the arrays that
 * are kept: `a` (B, T, 4H) gate activations, `pre` (B, T, 4H) their inputs, `h` and `c`
 * (B, T + 1, H) with the initial state first, all indexed by row and visible step. */
#ifndef MAREA_TEST_RECURRENT_NAIVE_H
#define MAREA_TEST_RECURRENT_NAIVE_H

#include <stdlib.h>
#include <string.h>

#include "kernels/recurrent.h"

typedef struct naive {
  const marea_recurrent *layer;
  const marea_recurrent_weights *w;
  const marea_recurrent_inputs *in;
  size_t B, T, D, H, G;
  marea_real *a, *pre, *h, *c;
  size_t *count, *step; /* (B), (B, T): the visible p of a row */
} naive;

static inline naive naive_new(const marea_recurrent *layer, const marea_recurrent_weights *w,
                              const marea_recurrent_inputs *in) {
  naive n = {layer,
             w,
             in,
             layer->batch,
             layer->time,
             layer->input,
             layer->hidden,
             marea_cell_gates(layer->cell),
             NULL,
             NULL,
             NULL,
             NULL,
             NULL,
             NULL};
  n.a = calloc(n.B * n.T * 4 * n.H, sizeof *n.a);
  n.pre = calloc(n.B * n.T * 4 * n.H, sizeof *n.a);
  n.h = calloc(n.B * (n.T + 1) * n.H, sizeof *n.a);
  n.c = calloc(n.B * (n.T + 1) * n.H, sizeof *n.a);
  n.count = calloc(n.B, sizeof *n.count);
  n.step = calloc(n.B * n.T, sizeof *n.step);
  return n;
}

static inline void naive_free(naive *n) {
  free(n->a), free(n->pre), free(n->h), free(n->c), free(n->count), free(n->step);
}

static inline size_t naive_time(const naive *n, size_t p) {
  return n->layer->backwards ? n->T - 1 - p : p;
}

static inline size_t naive_place(const naive *n, size_t p) {
  return n->layer->original_order ? naive_time(n, p) : p;
}

/* Input i of row b for gate g, with its multiplier. */
static inline marea_real naive_x(const naive *n, size_t b, size_t t, size_t g, size_t i) {
  size_t gates = n->in->input_dropout_gates;
  marea_real m = n->in->input_dropout == NULL
                     ? 1
                     : n->in->input_dropout[(b * gates + (gates == 1 ? 0 : g)) * n->D + i];
  return n->in->x[(b * n->T + t) * n->D + i] * m;
}

static inline marea_real naive_multiplier(const naive *n, size_t b, size_t g, size_t i) {
  size_t gates = n->in->recurrent_dropout_gates;
  return n->in->recurrent_dropout == NULL
             ? 1
             : n->in->recurrent_dropout[(b * gates + (gates == 1 ? 0 : g)) * n->H + i];
}

static inline marea_real naive_bias(const naive *n, size_t row, size_t g, size_t j) {
  return n->w->bias == NULL ? 0 : n->w->bias[(row * n->G + g) * n->H + j];
}

static inline marea_real naive_from_x(const naive *n, size_t b, size_t t, size_t g, size_t j) {
  marea_real sum = naive_bias(n, 0, g, j);
  for (size_t i = 0; i < n->D; i++)
    sum += naive_x(n, b, t, g, i) * n->w->kernel[(i * n->G + g) * n->H + j];
  return sum;
}

/* Sum of h' m r U, with r = NULL for ones. */
static inline marea_real naive_from_h(const naive *n, size_t b, const marea_real *h,
                                      const marea_real *r, size_t g, size_t j) {
  marea_real sum = 0;
  for (size_t i = 0; i < n->H; i++)
    sum += h[i] * naive_multiplier(n, b, g, i) * (r != NULL ? r[i] : 1) *
           n->w->recurrent_kernel[(i * n->G + g) * n->H + j];
  return sum;
}

static inline marea_real naive_act(marea_activation f, marea_real x) {
  marea_real a;
  marea_activate(f, &a, &x, 1);
  return a;
}

static inline marea_real naive_slope(marea_activation f, marea_real x, marea_real a) {
  marea_real dx = 0, one = 1;
  marea_activate_backward(f, &dx, &one, &x, &a, 1);
  return dx;
}

static inline void naive_gru_step(naive *n, size_t b, size_t t, marea_real *a, marea_real *pre,
                                  const marea_real *h, marea_real *h_new) {
  size_t H = n->H;
  bool before = n->layer->cell == MAREA_CELL_GRU_BEFORE;
  for (size_t g = 0; g < 2; g++)
    for (size_t j = 0; j < H; j++) {
      pre[g * H + j] = naive_from_x(n, b, t, g, j) + naive_from_h(n, b, h, NULL, g, j) +
                       (before ? 0 : naive_bias(n, 1, g, j));
      a[g * H + j] = naive_act(n->layer->recurrent_activation, pre[g * H + j]);
    }
  for (size_t j = 0; j < H; j++) {
    marea_real q = naive_from_h(n, b, h, before ? a + H : NULL, 2, j);
    if (!before) q += naive_bias(n, 1, 2, j);
    pre[3 * H + j] = q;
    pre[2 * H + j] = naive_from_x(n, b, t, 2, j) + (before ? q : a[H + j] * q);
    a[2 * H + j] = naive_act(n->layer->activation, pre[2 * H + j]);
    h_new[j] = a[j] * h[j] + (1 - a[j]) * a[2 * H + j];
  }
}

static inline void naive_lstm_step(naive *n, size_t b, size_t t, marea_real *a, marea_real *pre,
                                   const marea_real *h, const marea_real *c, marea_real *h_new,
                                   marea_real *c_new) {
  size_t H = n->H;
  for (size_t g = 0; g < 4; g++)
    for (size_t j = 0; j < H; j++) {
      marea_activation f = g == 2 ? n->layer->activation : n->layer->recurrent_activation;
      pre[g * H + j] = naive_from_x(n, b, t, g, j) + naive_from_h(n, b, h, NULL, g, j);
      a[g * H + j] = naive_act(f, pre[g * H + j]);
    }
  for (size_t j = 0; j < H; j++) {
    c_new[j] = a[H + j] * c[j] + a[j] * a[2 * H + j];
    h_new[j] = a[3 * H + j] * naive_act(n->layer->activation, c_new[j]);
  }
}

static inline void naive_step(naive *n, size_t b, size_t s, size_t t) {
  size_t H = n->H, row = b * n->T + s, state = (b * (n->T + 1) + s) * H;
  marea_real *a = n->a + row * 4 * H, *pre = n->pre + row * 4 * H;
  marea_real *h = n->h + state, *c = n->c + state;
  if (n->layer->cell == MAREA_CELL_LSTM) {
    naive_lstm_step(n, b, t, a, pre, h, c, h + H, c + H);
  } else if (n->layer->cell == MAREA_CELL_RNN) {
    for (size_t j = 0; j < H; j++) {
      pre[j] = naive_from_x(n, b, t, 0, j) + naive_from_h(n, b, h, NULL, 0, j);
      h[H + j] = a[j] = naive_act(n->layer->activation, pre[j]);
    }
  } else {
    naive_gru_step(n, b, t, a, pre, h, h + H);
  }
}

static inline void naive_copy(marea_real *to, const marea_real *from, size_t count) {
  if (to == NULL) return;
  if (from != NULL)
    memcpy(to, from, count * sizeof *to);
  else
    memset(to, 0, count * sizeof *to);
}

static inline void naive_forward(naive *n, const marea_recurrent_outputs *out) {
  size_t H = n->H, T = n->T;
  for (size_t b = 0; b < n->B; b++) {
    marea_real *h = n->h + b * (T + 1) * H, *c = n->c + b * (T + 1) * H;
    naive_copy(h, n->in->initial[0] ? n->in->initial[0] + b * H : NULL, H);
    naive_copy(c, n->in->initial[1] ? n->in->initial[1] + b * H : NULL, H);
    n->count[b] = 0;
    for (size_t p = 0; p < T; p++) {
      size_t t = naive_time(n, p);
      bool visible = n->in->mask == NULL || n->in->mask[b * T + t] != 0;
      if (visible) {
        naive_step(n, b, n->count[b], t);
        n->step[b * T + n->count[b]++] = p;
      }
      bool zero = n->count[b] == 0 || (!visible && n->layer->masked_output == MAREA_MASKED_ZERO);
      const marea_real *y = zero ? NULL : h + n->count[b] * H;
      if (out->y != NULL) naive_copy(out->y + (b * T + naive_place(n, p)) * H, y, H);
      if (p == T - 1 && out->y_last != NULL) naive_copy(out->y_last + b * H, y, H);
    }
    if (out->last[0] != NULL) naive_copy(out->last[0] + b * H, h + n->count[b] * H, H);
    if (out->last[1] != NULL) naive_copy(out->last[1] + b * H, c + n->count[b] * H, H);
  }
}

/* Takes the gradient `d` of the sum for gate g at unit j to everything below it. */
static inline void naive_back_x(const naive *n, const marea_recurrent_gradients *out, size_t b,
                                size_t t, size_t g, size_t j, marea_real d) {
  size_t column = g * n->H + j, width = n->G * n->H, gates = n->in->input_dropout_gates;
  if (out->bias != NULL) out->bias[column] += d;
  for (size_t i = 0; i < n->D; i++) {
    marea_real m = n->in->input_dropout == NULL
                       ? 1
                       : n->in->input_dropout[(b * gates + (gates == 1 ? 0 : g)) * n->D + i];
    if (out->kernel != NULL) out->kernel[i * width + column] += d * naive_x(n, b, t, g, i);
    if (out->x != NULL)
      out->x[(b * n->T + t) * n->D + i] += d * m * n->w->kernel[i * width + column];
  }
}

static inline void naive_back_h(const naive *n, const marea_recurrent_gradients *out, size_t b,
                                const marea_real *h, const marea_real *r, size_t g, size_t j,
                                marea_real d, marea_real *dh, marea_real *dr) {
  size_t column = g * n->H + j, width = n->G * n->H;
  for (size_t i = 0; i < n->H; i++) {
    marea_real m = naive_multiplier(n, b, g, i), u = n->w->recurrent_kernel[i * width + column];
    marea_real reset = r != NULL ? r[i] : 1;
    if (out->recurrent_kernel != NULL)
      out->recurrent_kernel[i * width + column] += d * m * reset * h[i];
    dh[i] += d * u * m * reset;
    if (dr != NULL) dr[i] += d * u * m * h[i];
  }
}

static inline void naive_gru_back(const naive *n, const marea_recurrent_gradients *out, size_t b,
                                  size_t t, const marea_real *a, const marea_real *pre,
                                  const marea_real *h, const marea_real *dy, marea_real *dh) {
  size_t H = n->H;
  bool before = n->layer->cell == MAREA_CELL_GRU_BEFORE;
  marea_real *dr = calloc(H, sizeof *dr);
  for (size_t j = 0; j < H; j++) {
    dh[j] += dy[j] * a[j];
    marea_real d =
        dy[j] * (1 - a[j]) * naive_slope(n->layer->activation, pre[2 * H + j], a[2 * H + j]);
    naive_back_x(n, out, b, t, 2, j, d);
    if (before) {
      naive_back_h(n, out, b, h, a + H, 2, j, d, dh, dr);
    } else {
      dr[j] += d * pre[3 * H + j];
      d *= a[H + j];
      if (out->bias != NULL) out->bias[(n->G + 2) * H + j] += d;
      naive_back_h(n, out, b, h, NULL, 2, j, d, dh, NULL);
    }
  }
  for (size_t g = 0; g < 2; g++)
    for (size_t j = 0; j < H; j++) {
      marea_real d = g == 0 ? dy[j] * (h[j] - a[2 * H + j]) : dr[j];
      d *= naive_slope(n->layer->recurrent_activation, pre[g * H + j], a[g * H + j]);
      naive_back_x(n, out, b, t, g, j, d);
      if (!before && out->bias != NULL) out->bias[(n->G + g) * H + j] += d;
      naive_back_h(n, out, b, h, NULL, g, j, d, dh, NULL);
    }
  free(dr);
}

static inline void naive_lstm_back(const naive *n, const marea_recurrent_gradients *out, size_t b,
                                   size_t t, const marea_real *a, const marea_real *pre,
                                   const marea_real *h, const marea_real *c, const marea_real *dy,
                                   marea_real *dh, marea_real *dc) {
  size_t H = n->H;
  for (size_t j = 0; j < H; j++) {
    marea_real f_c = naive_act(n->layer->activation, c[H + j]), o = a[3 * H + j];
    marea_real d_c = dc[j] + dy[j] * o * naive_slope(n->layer->activation, c[H + j], f_c);
    marea_real d[4] = {d_c * a[2 * H + j], d_c * c[j], d_c * a[j], dy[j] * f_c};
    dc[j] = d_c * a[H + j];
    for (size_t g = 0; g < 4; g++) {
      marea_activation f = g == 2 ? n->layer->activation : n->layer->recurrent_activation;
      d[g] *= naive_slope(f, pre[g * H + j], a[g * H + j]);
      naive_back_x(n, out, b, t, g, j, d[g]);
      naive_back_h(n, out, b, h, NULL, g, j, d[g], dh, NULL);
    }
  }
}

static inline void naive_back_step(const naive *n, const marea_recurrent_gradients *out, size_t b,
                                   size_t s, marea_real *dy, marea_real *dh, marea_real *dc) {
  size_t H = n->H, row = b * n->T + s, state = (b * (n->T + 1) + s) * H;
  size_t t = naive_time(n, n->step[b * n->T + s]);
  const marea_real *a = n->a + row * 4 * H, *pre = n->pre + row * 4 * H, *h = n->h + state;
  if (n->layer->cell == MAREA_CELL_LSTM) {
    naive_lstm_back(n, out, b, t, a, pre, h, n->c + state, dy, dh, dc);
  } else if (n->layer->cell == MAREA_CELL_RNN) {
    for (size_t j = 0; j < H; j++) {
      marea_real d = dy[j] * naive_slope(n->layer->activation, pre[j], a[j]);
      naive_back_x(n, out, b, t, 0, j, d);
      naive_back_h(n, out, b, h, NULL, 0, j, d, dh, NULL);
    }
  } else {
    naive_gru_back(n, out, b, t, a, pre, h, dy, dh);
  }
}

static inline void naive_add(marea_real *to, const marea_real *from, size_t count) {
  for (size_t i = 0; to != NULL && from != NULL && i < count; i++) to[i] += from[i];
}

/* What y and y_last hand to row b's visible step s: all outputs that show its h. */
static inline void naive_collect(const naive *n, const marea_recurrent_output_gradients *in,
                                 size_t b, size_t s, marea_real *dy) {
  size_t H = n->H, T = n->T, first = n->step[b * T + s];
  size_t end = s + 1 < n->count[b] ? n->step[b * T + s + 1] : T;
  if (n->layer->masked_output == MAREA_MASKED_ZERO) end = first + 1;
  for (size_t p = first; p < end; p++) {
    if (in->y != NULL) naive_add(dy, in->y + (b * T + naive_place(n, p)) * H, H);
    if (p == T - 1 && in->y_last != NULL) naive_add(dy, in->y_last + b * H, H);
  }
}

static inline void naive_backward(naive *n, const marea_recurrent_output_gradients *in,
                                  const marea_recurrent_gradients *out) {
  size_t H = n->H;
  marea_real *dy = calloc(3 * H, sizeof *dy), *dh = dy + H, *dc = dh + H;
  for (size_t b = 0; b < n->B; b++) {
    memset(dy, 0, 3 * H * sizeof *dy);
    naive_add(dh, in->last[0] ? in->last[0] + b * H : NULL, H);
    naive_add(dc, in->last[1] ? in->last[1] + b * H : NULL, H);
    for (size_t s = n->count[b]; s-- > 0;) {
      memcpy(dy, dh, H * sizeof *dy);
      memset(dh, 0, H * sizeof *dh);
      naive_collect(n, in, b, s, dy);
      naive_back_step(n, out, b, s, dy, dh, dc);
    }
    if (out->initial[0] != NULL) naive_add(out->initial[0] + b * H, dh, H);
    if (out->initial[1] != NULL) naive_add(out->initial[1] + b * H, dc, H);
  }
  free(dy);
}

#endif

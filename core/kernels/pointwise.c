#include "kernels/pointwise.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "kernels/simd.h"

enum { PIECE = 16384, SUM_BLOCK = 4096 };

/* ---- long arrays in pieces ---- */

typedef struct map {
  void (*loop)(marea_real *y, const marea_real *x, size_t n);
  marea_real *y;
  const marea_real *x;
  size_t n;
} map;

static void map_piece(void *context, size_t piece) {
  const map *m = context;
  size_t first = piece * PIECE, left = m->n - first;
  m->loop(m->y + first, m->x + first, left < PIECE ? left : PIECE);
}

static void apply(void (*loop)(marea_real *, const marea_real *, size_t), marea_real *y,
                  const marea_real *x, size_t n) {
  map m = {loop, y, x, n};
  marea_parallel(marea_pieces(n, PIECE), map_piece, &m);
}

void marea_pointwise_exp(marea_real *y, const marea_real *x, size_t n) {
  apply(marea_simd_get()->exp, y, x, n);
}

void marea_pointwise_tanh(marea_real *y, const marea_real *x, size_t n) {
  apply(marea_simd_get()->tanh, y, x, n);
}

void marea_pointwise_sigmoid(marea_real *y, const marea_real *x, size_t n) {
  apply(marea_simd_get()->sigmoid, y, x, n);
}

void marea_pointwise_axpy(marea_real *y, marea_real a, const marea_real *x, size_t n) {
  marea_simd_get()->axpy(y, a, x, n);
}

/* ---- sums ---- */

double marea_sum_all(const marea_real *x, size_t n) {
  double total = 0;
  for (size_t first = 0; first < n; first += SUM_BLOCK) {
    size_t last = n - first < SUM_BLOCK ? n : first + SUM_BLOCK;
    double block = 0;
    for (size_t i = first; i < last; i++) block += (double)x[i];
    total += block;
  }
  return total;
}

double marea_dot(const marea_real *x, const marea_real *y, size_t n) {
  double lanes[8] = {0};
  size_t whole = n / 8 * 8;
  for (size_t i = 0; i < whole; i += 8)
    for (size_t j = 0; j < 8; j++) lanes[j] += (double)x[i + j] * (double)y[i + j];
  for (size_t i = whole; i < n; i++) lanes[0] += (double)x[i] * (double)y[i];
  double total = 0;
  for (int j = 0; j < 8; j++) total += lanes[j];
  return total;
}

double marea_sum_squares(const marea_real *x, size_t n) {
  return marea_dot(x, x, n);
}

marea_real marea_largest(const marea_real *x, size_t n) {
  marea_real largest = x[0];
  for (size_t i = 1; i < n; i++)
    if (x[i] > largest || isnan(x[i])) largest = x[i];
  return largest;
}

void marea_sum_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++) marea_pointwise_axpy(y, 1, x + i * columns, columns);
}

void marea_add_bias(marea_real *y, const marea_real *x, const marea_real *bias, size_t rows,
                    size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) y[i * columns + j] = x[i * columns + j] + bias[j];
}

/* ---- softmax ---- */

void marea_softmax_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++, y += columns, x += columns) {
    marea_real largest = marea_largest(x, columns);
    for (size_t j = 0; j < columns; j++) y[j] = x[j] - largest;
    marea_simd_get()->exp(y, y, columns);
    marea_real scale = (marea_real)(1 / marea_sum_all(y, columns));
    for (size_t j = 0; j < columns; j++) y[j] *= scale;
  }
}

void marea_log_softmax_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++, y += columns, x += columns) {
    marea_real largest = marea_largest(x, columns);
    double total = 0;
    for (size_t j = 0; j < columns; j++) total += exp((double)(x[j] - largest));
    marea_real shift = largest + (marea_real)log(total);
    for (size_t j = 0; j < columns; j++) y[j] = x[j] - shift;
  }
}

void marea_softmax_backward(marea_real *dx, const marea_real *dy, const marea_real *y, size_t rows,
                            size_t columns) {
  for (size_t i = 0; i < rows * columns; i += columns) {
    marea_real mean = (marea_real)marea_dot(dy + i, y + i, columns);
    for (size_t j = i; j < i + columns; j++) dx[j] += y[j] * (dy[j] - mean);
  }
}

void marea_log_softmax_backward(marea_real *dx, const marea_real *dy, const marea_real *y,
                                size_t rows, size_t columns) {
  for (size_t i = 0; i < rows * columns; i += columns) {
    marea_real total = (marea_real)marea_sum_all(dy + i, columns);
    for (size_t j = i; j < i + columns; j++) dx[j] += dy[j] - (marea_real)exp((double)y[j]) * total;
  }
}

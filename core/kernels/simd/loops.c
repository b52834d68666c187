/* The loops of simd.h; compiled once per instruction set with MAREA_SIMD_TABLE as the name. */
#include "kernels/simd.h"

#include "kernels/simd/vector_math.h"

#define STRINGIFY(x) #x
#define NAME_OF(x)   STRINGIFY(x)

static void loop_exp(marea_real *y, const marea_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = vector_exp(x[i]);
}

static void loop_tanh(marea_real *y, const marea_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = vector_tanh(x[i]);
}

static void loop_sigmoid(marea_real *y, const marea_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = vector_sigmoid(x[i]);
}

static void loop_axpy(marea_real *restrict y, marea_real a, const marea_real *restrict x,
                      size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void lstm_row(marea_real *restrict gates, const marea_real *restrict c_before,
                     marea_real *restrict c, marea_real *restrict tanh_c, marea_real *restrict h,
                     size_t H) {
  marea_real *restrict in = gates, *restrict forget = gates + H;
  marea_real *restrict candidate = gates + 2 * H, *restrict out = gates + 3 * H;
  for (size_t j = 0; j < H; j++) {
    in[j] = vector_sigmoid(in[j]);
    forget[j] = vector_sigmoid(forget[j]);
    candidate[j] = vector_tanh(candidate[j]);
    out[j] = vector_sigmoid(out[j]);
    c[j] = forget[j] * c_before[j] + in[j] * candidate[j];
    tanh_c[j] = vector_tanh(c[j]);
    h[j] = out[j] * tanh_c[j];
  }
}

static void lstm_row_backward(marea_real *restrict gates, const marea_real *restrict c_before,
                              const marea_real *restrict tanh_c, const marea_real *restrict dh,
                              marea_real *restrict dc, size_t H) {
  marea_real *restrict in = gates, *restrict forget = gates + H;
  marea_real *restrict candidate = gates + 2 * H, *restrict out = gates + 3 * H;
  for (size_t j = 0; j < H; j++) {
    marea_real i = in[j], f = forget[j], g = candidate[j], o = out[j], t = tanh_c[j];
    marea_real d = dc[j] + dh[j] * o * (1 - t * t);
    in[j] = d * g * i * (1 - i);
    forget[j] = d * c_before[j] * f * (1 - f);
    candidate[j] = d * i * (1 - g * g);
    out[j] = dh[j] * t * o * (1 - o);
    dc[j] = d * f;
  }
}

static void gru_row(marea_real *restrict a, const marea_real *restrict q,
                    const marea_real *restrict h_before, marea_real *restrict h, size_t H) {
  marea_real *restrict update = a, *restrict reset = a + H, *restrict candidate = a + 2 * H;
  for (size_t j = 0; j < H; j++) {
    update[j] = vector_sigmoid(update[j] + q[j]);
    reset[j] = vector_sigmoid(reset[j] + q[H + j]);
    candidate[j] = vector_tanh(candidate[j] + reset[j] * q[2 * H + j]);
    h[j] = update[j] * h_before[j] + (1 - update[j]) * candidate[j];
  }
}

static void gru_row_backward(marea_real *restrict a, marea_real *restrict q,
                             const marea_real *restrict h_before, const marea_real *restrict dh,
                             marea_real *restrict dh_before, size_t H) {
  marea_real *restrict update = a, *restrict reset = a + H, *restrict candidate = a + 2 * H;
  for (size_t j = 0; j < H; j++) {
    marea_real z = update[j], r = reset[j], g = candidate[j], d = dh[j];
    marea_real dg = d * (1 - z) * (1 - g * g);
    update[j] = q[j] = d * (h_before[j] - g) * z * (1 - z);
    reset[j] = q[H + j] = dg * q[2 * H + j] * r * (1 - r);
    candidate[j] = dg;
    q[2 * H + j] = dg * r;
    dh_before[j] = d * z;
  }
}

extern const marea_simd MAREA_SIMD_TABLE;

const marea_simd MAREA_SIMD_TABLE = {
    .name = NAME_OF(MAREA_SIMD_NAME),
    .exp = loop_exp,
    .tanh = loop_tanh,
    .sigmoid = loop_sigmoid,
    .axpy = loop_axpy,
    .lstm_row = lstm_row,
    .lstm_row_backward = lstm_row_backward,
    .gru_row = gru_row,
    .gru_row_backward = gru_row_backward,
};

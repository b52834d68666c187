#include "kernels/simd/loops.h"

#include "kernels/simd/activations.h"

/* `statement` for whole vectors at i, then once for the last `left` elements, with get and put
 * that touch only those. */
#define VECTORS(n, statement)                                                                      \
  do {                                                                                             \
    size_t i = 0, left = LANES;                                                                    \
    for (; i + LANES <= (n); i += LANES) {                                                         \
      statement;                                                                                   \
    }                                                                                              \
    left = (n)-i;                                                                                  \
    if (left > 0) {                                                                                \
      statement;                                                                                   \
    }                                                                                              \
  } while (0)

INLINE vreal get(const marea_real *p, size_t left) {
  return left >= LANES ? load(p) : load_part(p, left);
}

INLINE void put(marea_real *p, vreal v, size_t left) {
  if (left >= LANES)
    store(p, v);
  else
    store_part(p, v, left);
}

/* The lanes from `left` on replaced. */
INLINE vreal fill(vreal v, marea_real with, size_t left) {
  for (size_t lane = left; lane < LANES; lane++) v[lane] = with;
  return v;
}

INLINE void activate_all(const marea_activation f, marea_real *a, const marea_real *x, size_t n) {
  VECTORS(n, put(a + i, vector_activate(f, get(x + i, left)), left));
}

INLINE void back_all(const marea_activation f, marea_real *dx, const marea_real *da,
                     const marea_real *x, const marea_real *a, size_t n) {
  const marea_real *from = f == MAREA_GELU || f == MAREA_SILU ? x : a;
  VECTORS(n, {
    vreal v = get(from + i, left);
    put(dx + i, get(dx + i, left) + get(da + i, left) * vector_slope(f, v, v), left);
  });
}

/* One compiled loop for each activation. */
#define EACH_ACTIVATION(CASE)                                                                      \
  CASE(MAREA_LINEAR)                                                                               \
  CASE(MAREA_TANH)                                                                                 \
  CASE(MAREA_SIGMOID)                                                                              \
  CASE(MAREA_RELU)                                                                                 \
  CASE(MAREA_LEAKY_RELU)                                                                           \
  CASE(MAREA_ELU)                                                                                  \
  CASE(MAREA_SELU)                                                                                 \
  CASE(MAREA_GELU)                                                                                 \
  CASE(MAREA_SOFTPLUS)                                                                             \
  CASE(MAREA_SOFTSIGN)                                                                             \
  CASE(MAREA_HARD_SIGMOID)                                                                         \
  CASE(MAREA_HARD_SIGMOID_TF)                                                                      \
  CASE(MAREA_EXPONENTIAL)                                                                          \
  CASE(MAREA_SILU)

static void activate(marea_activation f, marea_real *a, const marea_real *x, size_t n) {
  switch (f) {
#define CASE(name)                                                                                 \
  case name: activate_all(name, a, x, n); return;
    EACH_ACTIVATION(CASE)
#undef CASE
  default: return;
  }
}

static void activate_backward(marea_activation f, marea_real *dx, const marea_real *da,
                              const marea_real *x, const marea_real *a, size_t n) {
  switch (f) {
#define CASE(name)                                                                                 \
  case name: back_all(name, dx, da, x, a, n); return;
    EACH_ACTIVATION(CASE)
#undef CASE
  default: return;
  }
}

static void log_all(marea_real *y, const marea_real *x, size_t n) {
  VECTORS(n, put(y + i, vector_log(get(x + i, left)), left));
}

static void erf_all(marea_real *y, const marea_real *x, size_t n) {
  VECTORS(n, put(y + i, vector_erf(get(x + i, left)), left));
}

static void axpy(marea_real *y, marea_real a, const marea_real *x, size_t n) {
  VECTORS(n, put(y + i, get(y + i, left) + splat(a) * get(x + i, left), left));
}

static void add(marea_real *y, const marea_real *a, const marea_real *b, size_t n) {
  VECTORS(n, put(y + i, get(a + i, left) + get(b + i, left), left));
}

/* Four sums side by side, because each addition waits for the one before. */
enum { CHAINS = 4 };

INLINE double chains_sum(const vreal sums[CHAINS]) {
  return (double)lanes_sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static double sum(const marea_real *x, size_t n) {
  vreal sums[CHAINS] = {splat(0), splat(0), splat(0), splat(0)};
  VECTORS(n, sums[i / LANES % CHAINS] += get(x + i, left));
  return chains_sum(sums);
}

static double dot(const marea_real *x, const marea_real *y, size_t n) {
  vreal sums[CHAINS] = {splat(0), splat(0), splat(0), splat(0)};
  VECTORS(n, sums[i / LANES % CHAINS] += get(x + i, left) * get(y + i, left));
  return chains_sum(sums);
}

static marea_real largest(const marea_real *x, size_t n) {
  vreal most = splat(x[0]);
  vbits nan = most != most;
  VECTORS(n, {
    vreal v = fill(get(x + i, left), x[0], left);
    nan |= v != v;
    most = at_least(most, v);
  });
  marea_real result = x[0];
  for (int lane = 0; lane < LANES; lane++) {
    if (nan[lane]) return (marea_real)NAN;
    if (most[lane] > result) result = most[lane];
  }
  return result;
}

static double exp_shifted(marea_real *y, const marea_real *x, marea_real shift, size_t n) {
  vreal total = splat(0);
  VECTORS(n, {
    vreal e = vector_exp(get(x + i, left) - splat(shift));
    total += fill(e, 0, left);
    put(y + i, e, left);
  });
  return (double)lanes_sum(total);
}

static double sum_exp_shifted(const marea_real *x, marea_real shift, size_t n) {
  vreal total = splat(0);
  VECTORS(n, total += fill(vector_exp(get(x + i, left) - splat(shift)), 0, left));
  return (double)lanes_sum(total);
}

static void scale_shift(marea_real *y, const marea_real *x, marea_real a, marea_real b, size_t n) {
  VECTORS(n, put(y + i, splat(a) * get(x + i, left) + splat(b), left));
}

static void softmax_back(marea_real *dx, const marea_real *dy, const marea_real *y, marea_real mean,
                         size_t n) {
  VECTORS(n, put(dx + i, get(dx + i, left) + get(y + i, left) * (get(dy + i, left) - splat(mean)),
                 left));
}

static void log_softmax_back(marea_real *dx, const marea_real *dy, const marea_real *y,
                             marea_real total, size_t n) {
  VECTORS(n,
          put(dx + i,
              get(dx + i, left) + (get(dy + i, left) - vector_exp(get(y + i, left)) * splat(total)),
              left));
}

const marea_loops_table LEVEL(marea_loops) = {activate,
                                              activate_backward,
                                              log_all,
                                              erf_all,
                                              axpy,
                                              add,
                                              sum,
                                              dot,
                                              largest,
                                              exp_shifted,
                                              sum_exp_shifted,
                                              scale_shift,
                                              softmax_back,
                                              log_softmax_back};

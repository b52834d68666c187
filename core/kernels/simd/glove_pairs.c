#include "kernels/simd/glove_pairs.h"

#include <math.h>

#include "kernels/simd/functions.h"

enum { BATCH = 64, AHEAD = 4, LINE = 64 / sizeof(marea_real) };

/* 1 / sqrt(g): by the processor's estimate and a Newton step (float), or exactly rounded steps. */
INLINE vreal inverse_root(vreal g) {
#if defined(MAREA_DOUBLE) && defined(__AVX512F__)
  return splat(1) / (vreal)_mm512_sqrt_pd((__m512d)g);
#elif defined(MAREA_DOUBLE) && defined(__AVX2__)
  return splat(1) / (vreal)_mm256_sqrt_pd((__m256d)g);
#elif !defined(MAREA_DOUBLE) && defined(__AVX512F__)
  vreal y = (vreal)_mm512_rsqrt14_ps((__m512)g);
  return y * (splat(1.5F) - splat(0.5F) * g * y * y);
#elif !defined(MAREA_DOUBLE) && defined(__AVX2__)
  vreal y = (vreal)_mm256_rsqrt_ps((__m256)g);
  return y * (splat(1.5F) - splat(0.5F) * g * y * y);
#else
  vreal y;
  UNROLL for (size_t i = 0; i < LANES; i++) y[i] = (marea_real)(1.0 / sqrt((double)g[i]));
  return y;
#endif
}

/* f of a batch of pairs. */
INLINE void weigh(const marea_glove_tile *t, size_t from, size_t count, marea_real *weights) {
  marea_real logs[BATCH] = {0};
  memcpy(logs, t->logs + from, count * sizeof *logs);
  for (size_t i = 0; i < BATCH; i += LANES)
    store(weights + i,
          vector_exp(at_most(splat(0), (load(logs + i) - splat(t->log_max)) * splat(t->alpha))));
}

typedef struct rows {
  marea_real *word, *context;
} rows;

INLINE rows rows_of(const marea_glove_tile *t, uint32_t place) {
  size_t row = place & 0xffff, column = place >> 16, stride = 2 * t->width;
  return t->transposed ? (rows){t->words + column * stride, t->contexts + row * stride}
                       : (rows){t->words + row * stride, t->contexts + column * stride};
}

INLINE void fetch(const marea_glove_tile *t, size_t pair) {
  if (pair >= t->count) return;
  rows r = rows_of(t, t->places[pair]);
  for (size_t i = 0; i < 2 * t->width; i += LINE) {
    __builtin_prefetch(r.word + i, 1);
    __builtin_prefetch(r.context + i, 1);
  }
}

INLINE vreal clip(vreal bound, vreal x) {
  return at_most(bound, at_least(-bound, x));
}

INLINE void step_rows(const marea_glove_tile *t, rows r, marea_real gradient) {
  for (size_t i = 0; i < t->width; i += LANES) {
    marea_real *gw = r.word + t->width + i, *gc = r.context + t->width + i;
    vreal w = load(r.word + i), c = load(r.context + i), bound = load(t->clips + i);
    vreal to_w = clip(bound, splat(gradient) * c) * load(t->word_rates + i);
    vreal to_c = clip(bound, splat(gradient) * w) * load(t->context_rates + i);
    vreal old_w = load(gw), old_c = load(gc);
    store(r.word + i, w - to_w * inverse_root(old_w));
    store(r.context + i, c - to_c * inverse_root(old_c));
    store(gw, old_w + to_w * to_w);
    store(gc, old_c + to_c * to_c);
  }
}

/* One pair; returns f diff², or a negative number when diff is not finite. */
INLINE double step_pair(const marea_glove_tile *t, size_t pair, marea_real weight) {
  rows r = rows_of(t, t->places[pair]);
  vreal sum = splat(0);
  for (size_t i = 0; i < t->width; i += LANES) sum += load(r.word + i) * load(r.context + i);
  marea_real diff = lanes_sum(sum) - t->logs[pair], gradient = weight * diff;
  if (!(gradient - gradient == 0)) return -1;
  step_rows(t, r, gradient);
  return (double)gradient * (double)diff;
}

static void update(const marea_glove_tile *t, marea_glove_result *result) {
  marea_real weights[BATCH];
  double cost = 0;
  size_t taken = 0, skipped = 0;
  for (size_t from = 0; from < t->count; from += BATCH) {
    size_t count = t->count - from < BATCH ? t->count - from : BATCH;
    weigh(t, from, count, weights);
    for (size_t i = 0; i < count; i++) {
      uint32_t place = t->places[from + i];
      fetch(t, from + i + AHEAD);
      if (t->skip_equal && (place & 0xffff) == place >> 16) continue;
      double one = step_pair(t, from + i, weights[i]);
      skipped += one < 0;
      cost += one < 0 ? 0 : one;
      taken++;
    }
  }
  result->cost += 0.5 * cost;
  result->pairs += taken;
  result->skipped += skipped;
}

const marea_glove_table LEVEL(marea_glove_pairs) = {.update = update};

#include "text/encode/weighting.h"

#include <math.h>

#include "base/threads.h"

marea_csr *marea_count_ids(const marea_sequences *s, int32_t first, int64_t columns) {
  for (size_t i = 0; i < s->count; i++)
    for (size_t k = s->offsets[i]; k < s->offsets[i + 1]; k++)
      if (s->ids[k] < 0) {
        marea_fail(MAREA_RANGE, "sequence %zu has the negative id %d", i + 1, s->ids[k]);
        return NULL;
      }
  return marea_csr_count((int64_t)s->count, s->offsets, s->ids, first, columns);
}

static double idf_value(marea_idf rule, double N, double df) {
  switch (rule) {
  case MAREA_IDF_KERAS: return log(1 + N / (1 + df));
  case MAREA_IDF_SKLEARN: return log((1 + N) / (1 + df)) + 1;
  case MAREA_IDF_SKLEARN_PLAIN: return df > 0 ? log(N / df) + 1 : 0;
  default: return df > 0 ? log2(N / df) : 0;
  }
}

marea_status marea_idf_values(marea_idf rule, int64_t documents, const int32_t *df, int64_t n,
                              marea_real *out) {
  if (documents < 0) return marea_fail(MAREA_RANGE, "idf: %lld documents", (long long)documents);
  for (int64_t j = 0; j < n; j++) {
    if (df[j] < 0 || df[j] > documents)
      return marea_fail(MAREA_RANGE, "idf: column %lld is in %d of %lld documents",
                        (long long)j + 1, df[j], (long long)documents);
    out[j] = (marea_real)idf_value(rule, (double)documents, (double)df[j]);
  }
  return MAREA_OK;
}

typedef struct weighing {
  const marea_csr *counts;
  marea_csr *result;
  marea_tf tf;
  const marea_real *idf;
  marea_norm norm;
  const int32_t *length;
} weighing;

static double tf_value(marea_tf tf, double c, double length) {
  switch (tf) {
  case MAREA_TF_BINARY: return 1;
  case MAREA_TF_COUNT: return c;
  case MAREA_TF_FREQ: return length != 0 ? c / length : 0;
  default: return c > 0 ? 1 + log(c) : 0;
  }
}

static double row_length(const weighing *w, int64_t i) {
  if (w->length != NULL) return (double)w->length[i];
  double sum = 0;
  for (size_t e = w->counts->offsets[i]; e < w->counts->offsets[i + 1]; e++)
    sum += (double)w->counts->value[e];
  return sum;
}

static void weigh_piece(void *context, size_t piece) {
  const weighing *w = context;
  int64_t from = (int64_t)piece * MAREA_CSR_CHUNK, to = from + MAREA_CSR_CHUNK;
  for (int64_t i = from; i < to && i < w->counts->rows; i++) {
    size_t n = w->counts->offsets[i + 1] - w->counts->offsets[i];
    const marea_real *c = w->counts->value + w->counts->offsets[i];
    const int32_t *column = w->counts->column + w->counts->offsets[i];
    marea_real *out = w->result->value + w->result->offsets[i];
    double length = w->tf == MAREA_TF_FREQ ? row_length(w, i) : 0;
    for (size_t e = 0; e < n; e++) {
      double idf = w->idf != NULL ? (double)w->idf[column[e]] : 1;
      out[e] = (marea_real)(tf_value(w->tf, (double)c[e], length) * idf);
    }
    marea_csr_normalize(out, n, w->norm);
  }
}

marea_csr *marea_weigh(const marea_csr *counts, marea_tf tf, const marea_real *idf, marea_norm norm,
                       const int32_t *length) {
  weighing w = {counts, marea_csr_like(counts), tf, idf, norm, length};
  if (w.result == NULL) return NULL;
  marea_parallel(marea_pieces((size_t)counts->rows, MAREA_CSR_CHUNK), weigh_piece, &w);
  return w.result;
}

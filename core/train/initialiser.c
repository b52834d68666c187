#include "train/initialiser.h"

#include <math.h>
#include <string.h>

#include "train/orthogonal.h"

/* The deviation of the standard normal distribution cut at two deviations. */
static const double CUT_DEVIATION = 0.87962566103423978;

static marea_status check_target(const marea_tensor *x) {
  if (x->dtype == MAREA_REAL && marea_tensor_contiguous(x)) return MAREA_OK;
  return marea_fail(MAREA_ARGUMENT, "initial values need a contiguous tensor of reals");
}

void marea_fans(int rank, const int64_t *size, double *fan_in, double *fan_out) {
  double receptive = 1;
  for (int axis = 0; axis < rank - 2; axis++) receptive *= (double)size[axis];
  *fan_out = rank == 0 ? 1 : receptive * (double)size[rank - 1];
  *fan_in = rank < 2 ? *fan_out : receptive * (double)size[rank - 2];
}

marea_status marea_initialise_constant(marea_tensor *x, double value) {
  marea_status status = check_target(x);
  if (status == MAREA_OK) marea_tensor_fill(x, value);
  return status;
}

marea_status marea_initialise_uniform(marea_tensor *x, marea_stream *stream, double low,
                                      double high) {
  marea_status status = check_target(x);
  if (status == MAREA_OK)
    marea_stream_fill_uniform(stream, marea_reals(x), (size_t)marea_tensor_count(x), low, high);
  return status;
}

marea_status marea_initialise_normal(marea_tensor *x, marea_stream *stream, double mean,
                                     double deviation) {
  marea_status status = check_target(x);
  if (status == MAREA_OK)
    marea_stream_fill_normal(stream, marea_reals(x), (size_t)marea_tensor_count(x), mean,
                             deviation);
  return status;
}

marea_status marea_initialise_truncated(marea_tensor *x, marea_stream *stream, double mean,
                                        double deviation) {
  marea_status status = check_target(x);
  if (status == MAREA_OK)
    marea_stream_fill_truncated(stream, marea_reals(x), (size_t)marea_tensor_count(x), mean,
                                deviation);
  return status;
}

marea_status marea_initialise_scaled(marea_tensor *x, marea_stream *stream, double scale,
                                     marea_fan_mode mode, marea_distribution distribution) {
  double fan_in, fan_out;
  if (!(scale > 0 && isfinite(scale)))
    return marea_fail(MAREA_RANGE, "variance scaling: scale is %g, expected a number > 0", scale);
  marea_fans(x->rank, x->size, &fan_in, &fan_out);
  double fan = mode == MAREA_FAN_IN    ? fan_in
               : mode == MAREA_FAN_OUT ? fan_out
                                       : (fan_in + fan_out) / 2;
  double variance = scale / (fan > 1 ? fan : 1), limit = sqrt(3 * variance);
  if (distribution == MAREA_UNIFORM) return marea_initialise_uniform(x, stream, -limit, limit);
  if (distribution == MAREA_UNTRUNCATED_NORMAL)
    return marea_initialise_normal(x, stream, 0, sqrt(variance));
  return marea_initialise_truncated(x, stream, 0, sqrt(variance) / CUT_DEVIATION);
}

marea_status marea_initialise_identity(marea_tensor *x, double gain) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  marea_status status = check_target(x);
  if (status != MAREA_OK) return status;
  if (x->rank != 2)
    return marea_fail(MAREA_SHAPE, "identity: expected a matrix, not the shape %s",
                      marea_shape_text(x, text));
  marea_tensor_fill(x, 0);
  for (int64_t i = 0; i < x->size[0] && i < x->size[1]; i++)
    marea_reals(x)[i * x->size[1] + i] = (marea_real)gain;
  return MAREA_OK;
}

/* x holds normal numbers as a row-major matrix (long, short), that is, for rows < cols, the
 * matrix's transpose; `columns` holds the columns that become orthogonal. */
static marea_status orthogonal_values(marea_tensor *x, size_t longer, size_t shorter, bool turned,
                                      double gain) {
  double *columns = marea_alloc_array(longer * shorter, sizeof *columns);
  if (columns == NULL) return MAREA_NOMEM;
  marea_real *values = marea_reals(x);
  for (size_t i = 0; i < longer; i++)
    for (size_t j = 0; j < shorter; j++) columns[j * longer + i] = (double)values[i * shorter + j];
  marea_status status = marea_orthogonalise(columns, longer, shorter);
  if (status == MAREA_OK) {
    for (size_t i = 0; i < longer; i++)
      for (size_t j = 0; j < shorter; j++)
        values[turned ? j * longer + i : i * shorter + j] =
            (marea_real)(gain * columns[j * longer + i]);
  }
  marea_free(columns);
  return status;
}

marea_status marea_initialise_orthogonal(marea_tensor *x, marea_stream *stream, double gain) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (x->rank < 2)
    return marea_fail(MAREA_SHAPE, "orthogonal: expected at least two axes, not the shape %s",
                      marea_shape_text(x, text));
  size_t count = (size_t)marea_tensor_count(x), cols = (size_t)x->size[x->rank - 1];
  marea_status status = marea_initialise_normal(x, stream, 0, 1);
  if (status != MAREA_OK || count == 0) return status;
  size_t rows = count / cols;
  bool turned = rows < cols;
  return orthogonal_values(x, turned ? cols : rows, turned ? rows : cols, turned, gain);
}

/* ---- names ---- */

typedef struct scaled_name {
  const char *name;
  double scale;
  marea_fan_mode mode;
  marea_distribution distribution;
} scaled_name;

static const scaled_name scaled_names[] = {
    {"glorot_uniform", 1, MAREA_FAN_AVERAGE, MAREA_UNIFORM},
    {"glorot_normal", 1, MAREA_FAN_AVERAGE, MAREA_TRUNCATED_NORMAL},
    {"he_uniform", 2, MAREA_FAN_IN, MAREA_UNIFORM},
    {"he_normal", 2, MAREA_FAN_IN, MAREA_TRUNCATED_NORMAL},
    {"lecun_uniform", 1, MAREA_FAN_IN, MAREA_UNIFORM},
    {"lecun_normal", 1, MAREA_FAN_IN, MAREA_TRUNCATED_NORMAL},
};

static bool is(const char *name, const char *one, const char *other) {
  return strcmp(name, one) == 0 || strcmp(name, other) == 0;
}

marea_status marea_initialise(marea_tensor *x, const char *name, marea_stream *stream) {
  for (size_t i = 0; i < sizeof scaled_names / sizeof *scaled_names; i++) {
    const scaled_name *s = &scaled_names[i];
    if (strcmp(name, s->name) == 0)
      return marea_initialise_scaled(x, stream, s->scale, s->mode, s->distribution);
  }
  if (strcmp(name, "zeros") == 0) return marea_initialise_constant(x, 0);
  if (strcmp(name, "ones") == 0) return marea_initialise_constant(x, 1);
  if (is(name, "uniform", "random_uniform"))
    return marea_initialise_uniform(x, stream, -0.05, 0.05);
  if (is(name, "normal", "random_normal")) return marea_initialise_normal(x, stream, 0, 0.05);
  if (strcmp(name, "truncated_normal") == 0) return marea_initialise_truncated(x, stream, 0, 0.05);
  if (strcmp(name, "orthogonal") == 0) return marea_initialise_orthogonal(x, stream, 1);
  if (strcmp(name, "identity") == 0) return marea_initialise_identity(x, 1);
  return marea_fail(MAREA_ARGUMENT,
                    "no initializer is called \"%s\"; there are zeros, ones, uniform, normal, "
                    "truncated_normal, glorot_uniform, glorot_normal, he_uniform, he_normal, "
                    "lecun_uniform, lecun_normal, orthogonal and identity",
                    name);
}

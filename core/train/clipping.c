#include "train/clipping.h"

#include <math.h>
#include <string.h>

#include "train/spans.h"

enum { LANES = 8 };

static marea_status check_limit(const char *name, double limit) {
  if (limit >= 0 && isfinite(limit)) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "%s is %g, expected a positive number", name, limit);
}

marea_status marea_clip_check(const marea_clipping *clip) {
  marea_status status = check_limit("clipnorm", clip->norm);
  if (status == MAREA_OK) status = check_limit("clipvalue", clip->value);
  if (status == MAREA_OK) status = check_limit("global_clipnorm", clip->global);
  if (status != MAREA_OK) return status;
  if ((clip->norm > 0) + (clip->value > 0) + (clip->global > 0) > 1)
    return marea_fail(MAREA_ARGUMENT,
                      "only one of clipnorm (%g), clipvalue (%g) and global_clipnorm (%g) can be "
                      "set",
                      clip->norm, clip->value, clip->global);
  return MAREA_OK;
}

/* Element i of the parameter always goes to lane i mod LANES, whatever run it comes in; the whole
 * lanes in the middle are what the compiler turns into vectors. */
static void add_squares(double lanes[LANES], const marea_span *span) {
  const marea_real *g = span->gradient;
  int64_t i = 0, n = span->count;
  for (; i < n && (span->start + i) % LANES != 0; i++)
    lanes[(span->start + i) % LANES] += (double)g[i] * (double)g[i];
  double sums[LANES];
  memcpy(sums, lanes, sizeof sums);
  for (; i + LANES <= n; i += LANES)
    for (int lane = 0; lane < LANES; lane++)
      sums[lane] += (double)g[i + lane] * (double)g[i + lane];
  memcpy(lanes, sums, sizeof sums);
  for (; i < n; i++) lanes[(span->start + i) % LANES] += (double)g[i] * (double)g[i];
}

static void add_cut_squares(double lanes[LANES], const marea_span *span, double scale,
                            double limit) {
  for (int64_t i = 0; i < span->count; i++) {
    double g = scale * (double)span->gradient[i];
    g = g > limit ? limit : g < -limit ? -limit : g;
    lanes[(span->start + i) % LANES] += g * g;
  }
}

marea_squares marea_gradient_squares(const marea_tensor *x, int64_t from, int64_t to, double scale,
                                     double limit) {
  double lanes[LANES] = {0}, cut_lanes[LANES] = {0};
  marea_squares total = {0};
  marea_span span;
  marea_span_walk walk = marea_spans(x, from, to);
  while (marea_spans_next(&walk, &span)) {
    if (span.gradient == NULL) continue;
    add_squares(lanes, &span);
    if (limit > 0) add_cut_squares(cut_lanes, &span, scale, limit);
  }
  for (int lane = 0; lane < LANES; lane++) {
    total.before += scale * scale * lanes[lane];
    total.after += cut_lanes[lane];
  }
  if (limit == 0) total.after = total.before;
  return total;
}

double marea_gradient_norm(const marea_tensor *x) {
  double sum = 0;
  int64_t count = marea_tensor_count(x);
  if (x->gradient == NULL) return 0;
  for (int64_t from = 0; from < count; from += MAREA_CLIP_PIECE) {
    int64_t to = from + MAREA_CLIP_PIECE < count ? from + MAREA_CLIP_PIECE : count;
    sum += marea_gradient_squares(x, from, to, 1, 0).before;
  }
  return sqrt(sum);
}

double marea_clip_factor(const marea_clipping *clip, double norm, double joint_norm) {
  if (clip->norm > 0) return norm > clip->norm ? clip->norm / norm : 1;
  if (clip->global > 0) return joint_norm > clip->global ? clip->global / joint_norm : 1;
  return 1;
}

int64_t marea_gradient_nonfinite(const marea_tensor *x) {
  marea_span span;
  if (x->gradient == NULL) return -1;
  marea_span_walk walk = marea_spans(x, 0, marea_tensor_count(x));
  while (marea_spans_next(&walk, &span)) {
    if (span.gradient == NULL) continue;
    for (int64_t i = 0; i < span.count; i++)
      if (!isfinite(span.gradient[i])) return span.start + i;
  }
  return -1;
}

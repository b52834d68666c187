#include "train/constraint.h"

#include <math.h>

static const double EPSILON = 1e-7; /* Keras's, against division by zero */

static marea_status check_weights(const marea_tensor *w) {
  if (w->dtype == MAREA_REAL && marea_tensor_contiguous(w)) return MAREA_OK;
  return marea_fail(MAREA_ARGUMENT, "a constraint needs a contiguous tensor of reals");
}

/* Which group each element belongs to: steps[a] is how far the group's number moves along axis a,
 * 0 within a group. Returns the number of groups. */
static size_t number_groups(const marea_tensor *w, unsigned axes, size_t steps[MAREA_MAX_RANK]) {
  size_t groups = 1;
  for (int axis = w->rank - 1; axis >= 0; axis--) {
    bool within = (axes >> axis & 1) != 0;
    steps[axis] = within ? 0 : groups;
    if (!within) groups *= (size_t)w->size[axis];
  }
  return groups;
}

/* The group of the first element of each line along the last axis, line after line. */
static size_t next_line(const marea_tensor *w, const size_t steps[MAREA_MAX_RANK],
                        int64_t index[MAREA_MAX_RANK], size_t group) {
  for (int axis = w->rank - 2; axis >= 0; axis--) {
    group += steps[axis];
    if (++index[axis] < w->size[axis]) return group;
    group -= steps[axis] * (size_t)w->size[axis];
    index[axis] = 0;
  }
  return group;
}

/* Adds the squares of w to squares (multiply false) or multiplies w by factors (true). */
static void visit(marea_tensor *w, const size_t steps[MAREA_MAX_RANK], double *groups,
                  bool multiply) {
  int64_t index[MAREA_MAX_RANK] = {0};
  int64_t count = marea_tensor_count(w), line = w->rank > 0 ? w->size[w->rank - 1] : 1;
  size_t group = 0, step = w->rank > 0 ? steps[w->rank - 1] : 0;
  marea_real *values = marea_reals(w);
  for (int64_t start = 0; start < count; start += line) {
    for (int64_t i = 0; i < line; i++) {
      double *g = &groups[group + (size_t)i * step], value = (double)values[start + i];
      if (multiply)
        values[start + i] = (marea_real)(value * *g);
      else
        *g += value * value;
    }
    group = next_line(w, steps, index, group);
  }
}

marea_status marea_constrain_norm(marea_tensor *w, unsigned axes, double low, double high,
                                  double rate) {
  size_t steps[MAREA_MAX_RANK] = {0};
  marea_status status = check_weights(w);
  if (status != MAREA_OK) return status;
  if (axes >> w->rank != 0)
    return marea_fail(MAREA_ARGUMENT, "a constraint's axis is beyond the weights' %d axes",
                      w->rank);
  if (!(low >= 0 && low <= high && isfinite(high)))
    return marea_fail(MAREA_RANGE, "norms from %g to %g asked for, expected 0 <= least <= most",
                      low, high);
  if (!(rate >= 0 && rate <= 1))
    return marea_fail(MAREA_RANGE, "the rate of a constraint is %g, expected 0 to 1", rate);
  size_t count = number_groups(w, axes, steps);
  double *groups = marea_alloc_zero(count, sizeof *groups);
  if (groups == NULL) return MAREA_NOMEM;
  visit(w, steps, groups, false);
  for (size_t i = 0; i < count; i++) {
    double norm = sqrt(groups[i]), wanted = norm < low ? low : norm > high ? high : norm;
    groups[i] = (rate * wanted + (1 - rate) * norm) / (EPSILON + norm);
  }
  visit(w, steps, groups, true);
  marea_free(groups);
  return MAREA_OK;
}

marea_status marea_constrain_nonnegative(marea_tensor *w) {
  marea_status status = check_weights(w);
  if (status != MAREA_OK) return status;
  int64_t count = marea_tensor_count(w);
  marea_real *values = marea_reals(w);
  for (int64_t i = 0; i < count; i++)
    if (values[i] < 0) values[i] = 0;
  return MAREA_OK;
}

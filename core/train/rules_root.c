/* Rules that divide by the root of summed squares: RMSprop, Adagrad, Adadelta. */
#include "train/rules.h"

/* ---- RMSprop: Hinton (2012), Coursera lecture 6e; centered after Graves (2013). Keras has
 * epsilon under the root, PyTorch beside it; Keras's momentum holds steps, PyTorch's holds
 * directions. ---- */

static int rmsprop_slots(const marea_optimizer_options *options,
                         const char *names[MAREA_MAX_SLOTS]) {
  int count = 0;
  names[count++] = "velocity";
  if (options->momentum > 0) names[count++] = "momentum";
  if (options->centered) names[count++] = "average_gradient";
  return count;
}

static void rmsprop_prepare(const marea_optimizer_options *options, int64_t t, double *product,
                            marea_rule_step *step) {
  (void)t, (void)product;
  *step = (marea_rule_step){.rate = (marea_real)options->learning_rate,
                            .beta_2 = (marea_real)options->rho,
                            .rest_2 = (marea_real)(1 - options->rho),
                            .momentum = (marea_real)options->momentum,
                            .epsilon = (marea_real)options->epsilon,
                            .centered = options->centered,
                            .pytorch = options->pytorch};
}

static inline marea_real rmsprop_direction(const marea_rule_step *s, marea_real g,
                                           marea_real square) {
  return s->pytorch ? g / (marea_root(square) + s->epsilon) : g / marea_root(square + s->epsilon);
}

static void rmsprop_plain(const marea_rule_step *step, marea_real *restrict w,
                          const marea_real *restrict g, marea_real *restrict v, int64_t n) {
  const marea_rule_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    v[i] = s.beta_2 * v[i] + s.rest_2 * g[i] * g[i];
    w[i] -= s.rate * rmsprop_direction(&s, g[i], v[i]);
  }
}

/* m, a: NULL when there is no momentum, when it is not centered. */
static void rmsprop_full(const marea_rule_step *step, marea_real *restrict w,
                         const marea_real *restrict g, marea_real *restrict v,
                         marea_real *restrict m, marea_real *restrict a, int64_t n) {
  const marea_rule_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    v[i] = s.beta_2 * v[i] + s.rest_2 * g[i] * g[i];
    marea_real square = v[i];
    if (a != NULL) {
      a[i] = s.beta_2 * a[i] + s.rest_2 * g[i];
      square = marea_larger(square - a[i] * a[i], 0); /* rounding may leave it just below zero */
    }
    marea_real direction = rmsprop_direction(&s, g[i], square);
    if (m == NULL) {
      w[i] -= s.rate * direction;
    } else if (s.pytorch) {
      m[i] = s.momentum * m[i] + direction;
      w[i] -= s.rate * m[i];
    } else {
      m[i] = s.momentum * m[i] + s.rate * direction;
      w[i] -= m[i];
    }
  }
}

static void rmsprop_update(const marea_rule_step *step, marea_real *w, const marea_real *g,
                           marea_real *const slots[MAREA_MAX_SLOTS], int64_t n) {
  marea_real *momentum = step->momentum > 0 ? slots[1] : NULL;
  marea_real *average = !step->centered ? NULL : slots[momentum == NULL ? 1 : 2];
  if (momentum == NULL && average == NULL)
    rmsprop_plain(step, w, g, slots[0], n);
  else
    rmsprop_full(step, w, g, slots[0], momentum, average, n);
}

const marea_rule marea_rule_rmsprop = {rmsprop_slots, rmsprop_prepare, rmsprop_update};

/* ---- Adagrad: Duchi, Hazan and Singer (2011). Keras has epsilon under the root, PyTorch beside
 * it. ---- */

static int adagrad_slots(const marea_optimizer_options *options,
                         const char *names[MAREA_MAX_SLOTS]) {
  (void)options;
  names[0] = "accumulator";
  return 1;
}

static void adagrad_prepare(const marea_optimizer_options *options, int64_t t, double *product,
                            marea_rule_step *step) {
  (void)t, (void)product;
  *step = (marea_rule_step){.rate = (marea_real)options->learning_rate,
                            .epsilon = (marea_real)options->epsilon,
                            .pytorch = options->pytorch};
}

static void adagrad_run(const marea_rule_step *step, marea_real *restrict w,
                        const marea_real *restrict g, marea_real *restrict a, int64_t n) {
  const marea_rule_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    a[i] += g[i] * g[i];
    w[i] -= s.rate * rmsprop_direction(&s, g[i], a[i]);
  }
}

static void adagrad_update(const marea_rule_step *step, marea_real *w, const marea_real *g,
                           marea_real *const slots[MAREA_MAX_SLOTS], int64_t n) {
  adagrad_run(step, w, g, slots[0], n);
}

const marea_rule marea_rule_adagrad = {adagrad_slots, adagrad_prepare, adagrad_update};

/* ---- Adadelta: Zeiler (2012), algorithm 1. ---- */

static int adadelta_slots(const marea_optimizer_options *options,
                          const char *names[MAREA_MAX_SLOTS]) {
  (void)options;
  names[0] = "accumulated_grad";
  names[1] = "accumulated_delta_var";
  return 2;
}

static void adadelta_prepare(const marea_optimizer_options *options, int64_t t, double *product,
                             marea_rule_step *step) {
  (void)t, (void)product;
  *step = (marea_rule_step){.rate = (marea_real)options->learning_rate,
                            .beta_2 = (marea_real)options->rho,
                            .rest_2 = (marea_real)(1 - options->rho),
                            .epsilon = (marea_real)options->epsilon};
}

static void adadelta_run(const marea_rule_step *step, marea_real *restrict w,
                         const marea_real *restrict g, marea_real *restrict a,
                         marea_real *restrict d, int64_t n) {
  const marea_rule_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    a[i] = s.beta_2 * a[i] + s.rest_2 * g[i] * g[i];
    marea_real delta = -(marea_root(d[i] + s.epsilon) / marea_root(a[i] + s.epsilon)) * g[i];
    d[i] = s.beta_2 * d[i] + s.rest_2 * delta * delta;
    w[i] += s.rate * delta;
  }
}

static void adadelta_update(const marea_rule_step *step, marea_real *w, const marea_real *g,
                            marea_real *const slots[MAREA_MAX_SLOTS], int64_t n) {
  adadelta_run(step, w, g, slots[0], slots[1], n);
}

const marea_rule marea_rule_adadelta = {adadelta_slots, adadelta_prepare, adadelta_update};

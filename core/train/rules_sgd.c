/* Rules that follow the gradient or its sign: SGD, Lion. */
#include "train/rules.h"

/* ---- SGD: stochastic gradient descent, momentum after Polyak (1964), look-ahead after Nesterov
 * (1983). Keras folds the rate into the velocity, PyTorch multiplies by it at the end; the paths
 * differ once the rate changes. ---- */

static int sgd_slots(const marea_optimizer_options *options, const char *names[MAREA_MAX_SLOTS]) {
  names[0] = "momentum";
  return options->momentum > 0 ? 1 : 0;
}

static void sgd_prepare(const marea_optimizer_options *options, int64_t t, double *product,
                        marea_rule_step *step) {
  (void)t, (void)product;
  *step = (marea_rule_step){.rate = (marea_real)options->learning_rate,
                            .momentum = (marea_real)options->momentum,
                            .nesterov = options->nesterov,
                            .pytorch = options->pytorch};
}

static void plain(const marea_rule_step *step, marea_real *restrict w, const marea_real *restrict g,
                  int64_t n) {
  const marea_real rate = step->rate;
  for (int64_t i = 0; i < n; i++) w[i] -= rate * g[i];
}

static void keras_momentum(const marea_rule_step *step, marea_real *restrict w,
                           const marea_real *restrict g, marea_real *restrict m, int64_t n) {
  const marea_real rate = step->rate, momentum = step->momentum;
  if (step->nesterov) {
    for (int64_t i = 0; i < n; i++) {
      m[i] = momentum * m[i] - rate * g[i];
      w[i] += momentum * m[i] - rate * g[i];
    }
  } else {
    for (int64_t i = 0; i < n; i++) {
      m[i] = momentum * m[i] - rate * g[i];
      w[i] += m[i];
    }
  }
}

static void pytorch_momentum(const marea_rule_step *step, marea_real *restrict w,
                             const marea_real *restrict g, marea_real *restrict m, int64_t n) {
  const marea_real rate = step->rate, momentum = step->momentum;
  if (step->nesterov) {
    for (int64_t i = 0; i < n; i++) {
      m[i] = momentum * m[i] + g[i];
      w[i] -= rate * (g[i] + momentum * m[i]);
    }
  } else {
    for (int64_t i = 0; i < n; i++) {
      m[i] = momentum * m[i] + g[i];
      w[i] -= rate * m[i];
    }
  }
}

static void sgd_update(const marea_rule_step *step, marea_real *w, const marea_real *g,
                       marea_real *const slots[MAREA_MAX_SLOTS], int64_t n) {
  if (slots[0] == NULL)
    plain(step, w, g, n);
  else if (step->pytorch)
    pytorch_momentum(step, w, g, slots[0], n);
  else
    keras_momentum(step, w, g, slots[0], n);
}

const marea_rule marea_rule_sgd = {sgd_slots, sgd_prepare, sgd_update};

/* ---- Lion: Chen et al. (2023), "Symbolic discovery of optimization algorithms". ---- */

static int lion_slots(const marea_optimizer_options *options, const char *names[MAREA_MAX_SLOTS]) {
  (void)options;
  names[0] = "momentum";
  return 1;
}

static void lion_prepare(const marea_optimizer_options *options, int64_t t, double *product,
                         marea_rule_step *step) {
  (void)t, (void)product;
  *step = (marea_rule_step){.rate = (marea_real)options->learning_rate,
                            .beta_1 = (marea_real)options->beta_1,
                            .rest_1 = (marea_real)(1 - options->beta_1),
                            .beta_2 = (marea_real)options->beta_2,
                            .rest_2 = (marea_real)(1 - options->beta_2)};
}

static void lion_run(const marea_rule_step *step, marea_real *restrict w,
                     const marea_real *restrict g, marea_real *restrict m, int64_t n) {
  const marea_rule_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    marea_real direction = s.beta_1 * m[i] + s.rest_1 * g[i];
    marea_real sign = (marea_real)((direction > 0) - (direction < 0));
    w[i] -= s.rate * sign;
    m[i] = s.beta_2 * m[i] + s.rest_2 * g[i];
  }
}

static void lion_update(const marea_rule_step *step, marea_real *w, const marea_real *g,
                        marea_real *const slots[MAREA_MAX_SLOTS], int64_t n) {
  lion_run(step, w, g, slots[0], n);
}

const marea_rule marea_rule_lion = {lion_slots, lion_prepare, lion_update};

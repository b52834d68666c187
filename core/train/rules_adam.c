/* Rules with first and second moments: Adam (and AdamW, whose decay is not the rule's affair),
 * Adamax, Nadam. */
#include "train/rules.h"

static marea_rule_step moments(const marea_optimizer_options *options) {
  return (marea_rule_step){.rate = (marea_real)options->learning_rate,
                           .beta_1 = (marea_real)options->beta_1,
                           .rest_1 = (marea_real)(1 - options->beta_1),
                           .beta_2 = (marea_real)options->beta_2,
                           .rest_2 = (marea_real)(1 - options->beta_2),
                           .epsilon = (marea_real)options->epsilon,
                           .amsgrad = options->amsgrad,
                           .pytorch = options->pytorch};
}

/* ---- Adam: Kingma and Ba (2015), in Keras's "epsilon hat" form (their section 2, end) or with
 * epsilon beside the corrected moment as in algorithm 1 (PyTorch). amsgrad: Reddi et al. (2018).
 * Both are w -= rate m / (correction sqrt(v) + epsilon); Keras has correction 1. ---- */

static int adam_slots(const marea_optimizer_options *options, const char *names[MAREA_MAX_SLOTS]) {
  names[0] = "momentum";
  names[1] = "velocity";
  names[2] = "velocity_hat";
  return options->amsgrad ? 3 : 2;
}

static void adam_prepare(const marea_optimizer_options *options, int64_t t, double *product,
                         marea_rule_step *step) {
  (void)product;
  double unbias_1 = 1 - pow(options->beta_1, (double)t);
  double unbias_2 = sqrt(1 - pow(options->beta_2, (double)t));
  *step = moments(options);
  if (options->pytorch) {
    step->rate = (marea_real)(options->learning_rate / unbias_1);
    step->correction = (marea_real)(1 / unbias_2);
  } else {
    step->rate = (marea_real)(options->learning_rate * unbias_2 / unbias_1);
    step->correction = 1;
  }
}

static void adam_run(const marea_rule_step *step, marea_real *restrict w,
                     const marea_real *restrict g, marea_real *restrict m, marea_real *restrict v,
                     int64_t n) {
  const marea_rule_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    m[i] += (g[i] - m[i]) * s.rest_1;
    v[i] += (g[i] * g[i] - v[i]) * s.rest_2;
    w[i] -= s.rate * m[i] / (s.correction * marea_root(v[i]) + s.epsilon);
  }
}

static void amsgrad_run(const marea_rule_step *step, marea_real *restrict w,
                        const marea_real *restrict g, marea_real *restrict m,
                        marea_real *restrict v, marea_real *restrict largest, int64_t n) {
  const marea_rule_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    m[i] += (g[i] - m[i]) * s.rest_1;
    v[i] += (g[i] * g[i] - v[i]) * s.rest_2;
    largest[i] = marea_larger(largest[i], v[i]);
    w[i] -= s.rate * m[i] / (s.correction * marea_root(largest[i]) + s.epsilon);
  }
}

static void adam_update(const marea_rule_step *step, marea_real *w, const marea_real *g,
                        marea_real *const slots[MAREA_MAX_SLOTS], int64_t n) {
  if (step->amsgrad)
    amsgrad_run(step, w, g, slots[0], slots[1], slots[2], n);
  else
    adam_run(step, w, g, slots[0], slots[1], n);
}

const marea_rule marea_rule_adam = {adam_slots, adam_prepare, adam_update};

/* ---- Adamax: Kingma and Ba (2015), algorithm 2, the infinity norm. Keras adds epsilon to the
 * norm where it divides, PyTorch to each |g| that enters it. ---- */

static int adamax_slots(const marea_optimizer_options *options,
                        const char *names[MAREA_MAX_SLOTS]) {
  (void)options;
  names[0] = "momentum";
  names[1] = "norm";
  return 2;
}

static void adamax_prepare(const marea_optimizer_options *options, int64_t t, double *product,
                           marea_rule_step *step) {
  (void)product;
  *step = moments(options);
  step->rate = (marea_real)(options->learning_rate / (1 - pow(options->beta_1, (double)t)));
}

static void adamax_run(const marea_rule_step *step, marea_real *restrict w,
                       const marea_real *restrict g, marea_real *restrict m, marea_real *restrict u,
                       int64_t n) {
  const marea_rule_step s = *step;
  const marea_real inside = s.pytorch ? s.epsilon : 0, outside = s.pytorch ? 0 : s.epsilon;
  for (int64_t i = 0; i < n; i++) {
    m[i] += (g[i] - m[i]) * s.rest_1;
    u[i] = marea_larger(s.beta_2 * u[i], marea_magnitude(g[i]) + inside);
    w[i] -= s.rate * m[i] / (u[i] + outside);
  }
}

static void adamax_update(const marea_rule_step *step, marea_real *w, const marea_real *g,
                          marea_real *const slots[MAREA_MAX_SLOTS], int64_t n) {
  adamax_run(step, w, g, slots[0], slots[1], n);
}

const marea_rule marea_rule_adamax = {adamax_slots, adamax_prepare, adamax_update};

/* ---- Nadam: Dozat (2016), Adam with Nesterov's look-ahead and a momentum that warms up:
 * mu_t = beta_1 (1 - 0.96^t / 2), in PyTorch 0.96^(0.004 t). ---- */

static double warm_momentum(const marea_optimizer_options *options, int64_t t) {
  double pace = options->pytorch ? 0.004 : 1;
  return options->beta_1 * (1 - 0.5 * pow(0.96, pace * (double)t));
}

static void nadam_prepare(const marea_optimizer_options *options, int64_t t, double *product,
                          marea_rule_step *step) {
  double now = warm_momentum(options, t), next = warm_momentum(options, t + 1);
  *product *= now;
  *step = moments(options);
  step->momentum = (marea_real)(next / (1 - *product * next));
  step->gradient_part = (marea_real)((1 - now) / (1 - *product));
  step->correction = (marea_real)(1 / (1 - pow(options->beta_2, (double)t)));
}

static void nadam_run(const marea_rule_step *step, marea_real *restrict w,
                      const marea_real *restrict g, marea_real *restrict m, marea_real *restrict v,
                      int64_t n) {
  const marea_rule_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    m[i] += (g[i] - m[i]) * s.rest_1;
    v[i] += (g[i] * g[i] - v[i]) * s.rest_2;
    marea_real ahead = s.momentum * m[i] + s.gradient_part * g[i];
    w[i] -= s.rate * ahead / (marea_root(s.correction * v[i]) + s.epsilon);
  }
}

static void nadam_update(const marea_rule_step *step, marea_real *w, const marea_real *g,
                         marea_real *const slots[MAREA_MAX_SLOTS], int64_t n) {
  nadam_run(step, w, g, slots[0], slots[1], n);
}

const marea_rule marea_rule_nadam = {adam_slots, nadam_prepare, nadam_update};

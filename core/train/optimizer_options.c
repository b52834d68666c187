/* Names, defaults and checks of the optimizers' options. */
#include <math.h>
#include <string.h>

#include "train/optimizer.h"
#include "train/optimizer_options.h"

static const char *const names[MAREA_OPTIMIZER_COUNT] = {
    "sgd", "rmsprop", "adam", "adamw", "adagrad", "adadelta", "adamax", "nadam", "lion"};

const char *marea_optimizer_name(marea_optimizer_kind kind) {
  return kind >= 0 && kind < MAREA_OPTIMIZER_COUNT ? names[kind] : NULL;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_word(const char *word, const char *lower_word) {
  while (*word != '\0' && lower(*word) == *lower_word) word++, lower_word++;
  return *word == '\0' && *lower_word == '\0';
}

bool marea_optimizer_find(const char *name, marea_optimizer_kind *kind) {
  for (int i = 0; i < MAREA_OPTIMIZER_COUNT; i++) {
    if (!same_word(name, names[i])) continue;
    *kind = (marea_optimizer_kind)i;
    return true;
  }
  return false;
}

/* What differs between rules; -1: the rule has no use for it. */
typedef struct defaults {
  double rate, rho, beta_1, beta_2, epsilon, accumulator, decay;
} defaults;

static const defaults keras[MAREA_OPTIMIZER_COUNT] = {
    [MAREA_SGD] = {.rate = 0.01},
    [MAREA_RMSPROP] = {.rate = 0.001, .rho = 0.9, .epsilon = 1e-7},
    [MAREA_ADAM] = {.rate = 0.001, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7},
    [MAREA_ADAMW] =
        {.rate = 0.001, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7, .decay = 0.004},
    [MAREA_ADAGRAD] = {.rate = 0.001, .epsilon = 1e-7, .accumulator = 0.1},
    [MAREA_ADADELTA] = {.rate = 0.001, .rho = 0.95, .epsilon = 1e-7},
    [MAREA_ADAMAX] = {.rate = 0.001, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7},
    [MAREA_NADAM] = {.rate = 0.001, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7},
    [MAREA_LION] = {.rate = 0.001, .beta_1 = 0.9, .beta_2 = 0.99},
};

static const defaults pytorch_style[MAREA_OPTIMIZER_COUNT] = {
    [MAREA_SGD] = {.rate = 0.001},
    [MAREA_RMSPROP] = {.rate = 0.01, .rho = 0.99, .epsilon = 1e-8},
    [MAREA_ADAM] = {.rate = 0.001, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-8},
    [MAREA_ADAMW] = {.rate = 0.001, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-8, .decay = 0.01},
    [MAREA_ADAGRAD] = {.rate = 0.01, .epsilon = 1e-10},
    [MAREA_ADADELTA] = {.rate = 1, .rho = 0.9, .epsilon = 1e-6},
    [MAREA_ADAMAX] = {.rate = 0.002, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-8},
    [MAREA_NADAM] = {.rate = 0.002, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-8},
    [MAREA_LION] = {.rate = 0.001, .beta_1 = 0.9, .beta_2 = 0.99},
};

marea_optimizer_options marea_optimizer_defaults(marea_optimizer_kind kind, bool pytorch) {
  const defaults *from = pytorch ? &pytorch_style[kind] : &keras[kind];
  return (marea_optimizer_options){.kind = kind,
                                   .pytorch = pytorch,
                                   .learning_rate = from->rate,
                                   .rho = from->rho,
                                   .beta_1 = from->beta_1,
                                   .beta_2 = from->beta_2,
                                   .epsilon = from->epsilon,
                                   .initial_accumulator = from->accumulator,
                                   .weight_decay = from->decay,
                                   .loss_scale = 1,
                                   .average_momentum = 0.99};
}

static marea_status check_share(const char *name, double value) {
  if (value >= 0 && value < 1) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "%s is %g, expected 0 <= %s < 1", name, value, name);
}

static marea_status check_size(const char *name, double value) {
  if (value >= 0 && isfinite(value)) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "%s is %g, expected a number >= 0", name, value);
}

marea_status marea_check_rate(double learning_rate) {
  return check_size("learning_rate", learning_rate);
}

marea_status marea_check_loss_scale(double loss_scale) {
  if (loss_scale > 0 && isfinite(loss_scale)) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "loss_scale is %g, expected a number > 0", loss_scale);
}

/* A mistake that would otherwise go unnoticed: an option that the rule ignores. */
static marea_status check_use(const marea_optimizer_options *o) {
  if (o->amsgrad && o->kind != MAREA_ADAM && o->kind != MAREA_ADAMW)
    return marea_fail(MAREA_ARGUMENT, "amsgrad is for adam and adamw, not %s", names[o->kind]);
  if (o->momentum > 0 && o->kind != MAREA_SGD && o->kind != MAREA_RMSPROP)
    return marea_fail(MAREA_ARGUMENT, "momentum is for sgd and rmsprop, not %s", names[o->kind]);
  if (o->nesterov && o->kind != MAREA_SGD)
    return marea_fail(MAREA_ARGUMENT, "nesterov is for sgd, not %s", names[o->kind]);
  if (o->centered && o->kind != MAREA_RMSPROP)
    return marea_fail(MAREA_ARGUMENT, "centered is for rmsprop, not %s", names[o->kind]);
  return MAREA_OK;
}

marea_status marea_check_options(const marea_optimizer_options *o) {
  if (marea_optimizer_name(o->kind) == NULL)
    return marea_fail(MAREA_ARGUMENT, "there is no optimizer number %d", (int)o->kind);
  marea_status status = marea_check_rate(o->learning_rate);
  if (status == MAREA_OK) status = marea_check_loss_scale(o->loss_scale);
  if (status == MAREA_OK) status = check_share("momentum", o->momentum);
  if (status == MAREA_OK) status = check_share("rho", o->rho);
  if (status == MAREA_OK) status = check_share("beta_1", o->beta_1);
  if (status == MAREA_OK) status = check_share("beta_2", o->beta_2);
  if (status == MAREA_OK) status = check_size("epsilon", o->epsilon);
  if (status == MAREA_OK) status = check_size("initial_accumulator_value", o->initial_accumulator);
  if (status == MAREA_OK) status = check_size("weight_decay", o->weight_decay);
  if (status == MAREA_OK) status = check_share("ema_momentum", o->average_momentum);
  if (status == MAREA_OK)
    status = check_size("ema_overwrite_frequency", (double)o->average_overwrite);
  if (status == MAREA_OK) status = marea_clip_check(&o->clip);
  return status == MAREA_OK ? check_use(o) : status;
}

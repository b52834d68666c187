/* Optimizers: golden paths, order of a step, options, failures. */
#include "test/optimizer_cases.h"

#ifdef MAREA_DOUBLE
static const double GOLDEN_TOLERANCE = 6e-10; /* the goldens have nine digits */
#else
static const double GOLDEN_TOLERANCE = 1.3e-7;
#endif

/* ---- golden paths: w starts at 1, gradients 0.5, -0.25, 1, 0 ---- */

typedef struct golden {
  marea_optimizer_options options;
  double path[4];
} golden;

static golden with(marea_optimizer_kind kind, bool pytorch, double w1, double w2, double w3,
                   double w4) {
  return (golden){marea_optimizer_defaults(kind, pytorch), {w1, w2, w3, w4}};
}

static void follow(const golden *expected, const char *what) {
  static const double gradients[4] = {0.5, -0.25, 1, 0};
  marea_optimizer *optimizer = marea_optimizer_new(&expected->options);
  marea_tensor *w = vector(1, 1);
  CHECK(marea_optimizer_add(optimizer, "w", w, true) == MAREA_OK);
  for (int t = 0; t < 4; t++) {
    marea_real g = (marea_real)gradients[t];
    give_gradient(w, &g);
    CHECK(marea_optimizer_step(optimizer, NULL) == MAREA_OK);
    double got = marea_tensor_get(w, 0);
    if (!CHECK_NEAR(got, expected->path[t], GOLDEN_TOLERANCE))
      fprintf(stderr, "  %s, step %d: %.10f, expected %.10f\n", what, t + 1, got,
              expected->path[t]);
  }
  CHECK(marea_optimizer_iterations(optimizer) == 4);
  marea_tensor_free(w);
  marea_optimizer_free(optimizer);
}

static void test_golden(void) {
  golden path = with(MAREA_SGD, false, .995, .9975, .9875, .9875);
  follow(&path, "SGD");
  path = with(MAREA_SGD, false, .995, .993, .9812, .97058);
  path.options.momentum = 0.9;
  follow(&path, "SGD, momentum");
  path.options.pytorch = true; /* the same path while the rate is constant */
  follow(&path, "SGD, momentum, PyTorch");
  path = with(MAREA_SGD, false, .9905, .9912, .97058, .961022);
  path.options.momentum = 0.9;
  path.options.nesterov = true;
  follow(&path, "SGD, nesterov");
  path.options.pytorch = true;
  follow(&path, "SGD, nesterov, PyTorch");
  path = with(MAREA_ADAM, false, .999000006, .998733671, .998075561, .997536478);
  follow(&path, "Adam");
  path = with(MAREA_ADAM, true, .999000000, .998733663, .998075551, .997536466);
  follow(&path, "Adam, PyTorch");
  path = with(MAREA_RMSPROP, false, .996837729, .998312146, .995493567, .995493567);
  follow(&path, "RMSprop");
  path = with(MAREA_RMSPROP, true, .900000020, .944901337, .857427378, .857427378);
  follow(&path, "RMSprop, PyTorch");
  path = with(MAREA_ADAGRAD, false, .999154846, .999544095, .998702689, .998702689);
  follow(&path, "Adagrad");
  path = with(MAREA_ADAGRAD, true, .990000000, .994472136, .985743420, .985743420);
  follow(&path, "Adagrad, PyTorch");
  path = with(MAREA_ADADELTA, false, .999998586, .999999499, .999997579, .999997579);
  follow(&path, "Adadelta");
  path = with(MAREA_NADAM, false, .998937212, .999329808, .998381926, .998279887);
  follow(&path, "Nadam");
  path = with(MAREA_ADAMAX, false, .999000000, .998789263, .998353839, .998044719);
  follow(&path, "Adamax");
  path = with(MAREA_LION, false, .999, 1.0, .999, .998);
  follow(&path, "Lion");
}

/* The same gradients through Keras 3.15 in double precision. */
static void test_golden_options(void) {
  golden path = with(MAREA_ADAM, false, .9990000063, .9987336708, .9980755610, .9975367471);
  path.options.amsgrad = true;
  follow(&path, "Adam, amsgrad");
  path = with(MAREA_ADAMW, false, .9989960063, .9987256748, .9980635701, .9975204944);
  follow(&path, "AdamW");
  path = with(MAREA_RMSPROP, false, .9968377287, .9954661015, .9914130588, .9877653204);
  path.options.momentum = 0.9;
  follow(&path, "RMSprop, momentum");
  path = with(MAREA_RMSPROP, false, .9966666741, .9981514561, .9951627321, .9951627321);
  path.options.centered = true;
  follow(&path, "RMSprop, centered");
  path = with(MAREA_RMSPROP, false, .9966666741, .9951514628, .9907990486, .9868818758);
  path.options.momentum = 0.9;
  path.options.centered = true;
  follow(&path, "RMSprop, momentum, centered");
  path = with(MAREA_SGD, false, .994, .995506, .984510494, .9835259835);
  path.options.weight_decay = 0.1;
  follow(&path, "SGD, weight decay");
  path = with(MAREA_LION, false, .9989, .99980011, .99870013, .99760026);
  path.options.weight_decay = 0.1;
  follow(&path, "Lion, weight decay");
  path = with(MAREA_ADAM, false, .9990000079, .9988264143, .9983107418, .9978883344);
  path.options.clip.norm = 0.4;
  follow(&path, "Adam, clipnorm");
  path = with(MAREA_SGD, false, .996, .9985, .9945, .9945);
  path.options.clip.value = 0.4;
  follow(&path, "SGD, clipvalue");
  path = with(MAREA_SGD, false, .9975, .99875, .99375, .99375);
  path.options.loss_scale = 2;
  follow(&path, "SGD, loss scale");
  path = with(MAREA_SGD, false, .95, .9525, .8525, .9335);
  path.options.learning_rate = 0.1;
  path.options.average = true;
  path.options.average_momentum = 0.9;
  path.options.average_overwrite = 2;
  follow(&path, "SGD, average overwrites");
}

/* ---- order and details of a step ---- */

static void test_stale(void) {
  marea_optimizer_options options = marea_optimizer_defaults(MAREA_SGD, false);
  marea_optimizer *optimizer = marea_optimizer_new(&options);
  marea_tensor *used = vector(2, 1), *idle = vector(2, 1);
  marea_optimizer_add(optimizer, "used", used, true);
  marea_optimizer_add(optimizer, "idle", idle, true);
  CHECK(marea_optimizer_step(optimizer, NULL) == MAREA_STATE);
  CHECK_ERROR("2 parameters");
  give_gradient(used, (marea_real[]){3, 4});
  marea_step_report report;
  CHECK(marea_optimizer_norm(optimizer) == 5);
  CHECK(marea_optimizer_step(optimizer, &report) == MAREA_OK);
  CHECK(marea_optimizer_norm(optimizer) == 0);
  CHECK(report.parameters == 1 && report.norm_before == 5 && report.norm_after == 5);
  CHECK_NEAR(marea_tensor_get(used, 0), 0.97, 1e-7);
  CHECK(marea_tensor_get(idle, 0) == 1);
  CHECK(marea_optimizer_step(optimizer, NULL) == MAREA_STATE);
  CHECK(marea_optimizer_iterations(optimizer) == 1);
  marea_optimizer_free(optimizer);
  marea_tensor_free(used);
  marea_tensor_free(idle);
}

/* Keras: w -= w wd lr, then the rule; PyTorch's AdamW multiplies once, its SGD adds to g. */
static void test_decay(void) {
  struct {
    marea_optimizer_kind kind;
    bool pytorch;
    double expected;
  } cases[] = {{MAREA_SGD, false, 2 - 2 * 0.1 * 0.01 - 0.01 * 0.5},
               {MAREA_SGD, true, 2 - 0.01 * (0.5 + 0.1 * 2)},
               {MAREA_LION, true, 2 - 2 * 0.1 * 0.01 - 0.01}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    marea_optimizer_options options = marea_optimizer_defaults(cases[i].kind, cases[i].pytorch);
    options.weight_decay = 0.1;
    options.learning_rate = 0.01;
    marea_optimizer *optimizer = marea_optimizer_new(&options);
    marea_tensor *kernel = vector(1, 2), *bias = vector(1, 2);
    marea_optimizer_add(optimizer, "kernel", kernel, true);
    marea_optimizer_add(optimizer, "bias", bias, false);
    marea_real g = (marea_real)0.5;
    give_gradient(kernel, &g);
    marea_gradient_add(bias, &g);
    CHECK(marea_optimizer_step(optimizer, NULL) == MAREA_OK);
    CHECK_NEAR(marea_tensor_get(kernel, 0), cases[i].expected, 1e-6);
    CHECK_NEAR(marea_tensor_get(bias, 0), cases[i].kind == MAREA_LION ? 1.99 : 1.995, 1e-6);
    marea_optimizer_free(optimizer);
    marea_tensor_free(kernel);
    marea_tensor_free(bias);
  }
}

static void test_average(void) {
  marea_optimizer_options options = marea_optimizer_defaults(MAREA_SGD, false);
  options.learning_rate = 1;
  options.average = true;
  options.average_momentum = 0.5;
  marea_optimizer *optimizer = marea_optimizer_new(&options);
  marea_tensor *w = vector(1, 10);
  marea_optimizer_add(optimizer, "w", w, true);
  const char *parameter, *slot;
  marea_tensor *average = marea_optimizer_slot(optimizer, 0, &parameter, &slot);
  CHECK(strcmp(parameter, "w") == 0 && strcmp(slot, "average") == 0);
  marea_real g = 2;
  static const double expected[] = {8, 7, 5.5};
  for (int t = 0; t < 3; t++) {
    give_gradient(w, &g);
    marea_optimizer_step(optimizer, NULL);
    CHECK(marea_tensor_get(average, 0) == expected[t]);
  }
  CHECK(marea_tensor_get(w, 0) == 4);
  CHECK(marea_optimizer_swap_average(optimizer) == MAREA_OK);
  CHECK(marea_tensor_get(w, 0) == 5.5 && marea_tensor_get(average, 0) == 4);
  marea_tensor_free(w);
  marea_optimizer_free(optimizer);
}

/* ---- mistakes and failures ---- */

static void expect_refusal(const marea_optimizer_options *options, const char *part) {
  CHECK(marea_optimizer_new(options) == NULL);
  if (!CHECK(strstr(marea_error_text(), part) != NULL)) fprintf(stderr, "  expected: %s\n", part);
}

static void test_options(void) {
  marea_optimizer_kind kind;
  CHECK(marea_optimizer_find("AdamW", &kind) && kind == MAREA_ADAMW);
  CHECK(!marea_optimizer_find("adamw ", &kind) && !marea_optimizer_find("", &kind));
  CHECK(marea_optimizer_name(MAREA_OPTIMIZER_COUNT) == NULL);
  const marea_optimizer_options good = marea_optimizer_defaults(MAREA_ADAM, false);
  marea_optimizer_options o = good;
  o.learning_rate = -1;
  expect_refusal(&o, "learning_rate is -1");
  o = good, o.learning_rate = (double)NAN;
  expect_refusal(&o, "learning_rate is nan");
  o = good, o.beta_2 = 1;
  expect_refusal(&o, "beta_2 is 1, expected 0 <= beta_2 < 1");
  o = good, o.clip.norm = 1, o.clip.global = 1;
  expect_refusal(&o, "only one of clipnorm");
  o = good, o.clip.value = -1;
  expect_refusal(&o, "clipvalue is -1");
  o = good, o.momentum = 0.5;
  expect_refusal(&o, "momentum is for sgd and rmsprop, not adam");
  o = good, o.nesterov = true;
  expect_refusal(&o, "nesterov is for sgd");
  o = good, o.centered = true;
  expect_refusal(&o, "centered is for rmsprop");
  o = good, o.kind = MAREA_NADAM, o.amsgrad = true;
  expect_refusal(&o, "amsgrad is for adam");
  o = good, o.loss_scale = 0;
  expect_refusal(&o, "loss_scale is 0");
  o = good, o.kind = MAREA_OPTIMIZER_COUNT;
  expect_refusal(&o, "no optimizer number");
}

static void test_parameters(void) {
  marea_optimizer_options options = marea_optimizer_defaults(MAREA_SGD, false);
  marea_optimizer *optimizer = marea_optimizer_new(&options);
  marea_tensor *w = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){2, 3});
  marea_tensor *turned = marea_view(w, 2, (int64_t[]){3, 2}, (int64_t[]){1, 3}, 0);
  marea_tensor *ids = marea_tensor_new(MAREA_INT32, 1, (int64_t[]){2});
  marea_tensor *empty = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){0, 3});
  CHECK(marea_optimizer_add(optimizer, "empty", empty, true) == MAREA_OK);
  CHECK(marea_optimizer_add(optimizer, "w", w, true) == MAREA_OK);
  CHECK(marea_optimizer_add(optimizer, "w", ids, true) == MAREA_ARGUMENT);
  CHECK_ERROR("of whole numbers");
  CHECK(marea_optimizer_add(optimizer, "v", turned, true) == MAREA_ARGUMENT);
  CHECK_ERROR("strided view");
  CHECK(marea_optimizer_add(optimizer, "again", w, true) == MAREA_ARGUMENT);
  CHECK_ERROR("as w");
  marea_tensor *other = vector(1, 0);
  CHECK(marea_optimizer_add(optimizer, "w", other, true) == MAREA_ARGUMENT);
  CHECK(marea_optimizer_set_rate(optimizer, (double)INFINITY) == MAREA_RANGE);
  CHECK(marea_optimizer_set_iterations(optimizer, -1) == MAREA_RANGE);
  CHECK(marea_optimizer_set_loss_scale(optimizer, -1) == MAREA_RANGE);
  CHECK(marea_optimizer_swap_average(optimizer) == MAREA_STATE);
  marea_real g[6] = {1, 1, 1, 1, 1, 1};
  give_gradient(w, g);
  CHECK(marea_optimizer_step(optimizer, NULL) == MAREA_OK);
  CHECK_NEAR(marea_tensor_get(w, 5), -0.01, 1e-9);
  marea_optimizer_free(optimizer);
  marea_optimizer_free(NULL);
  marea_tensor_free(turned);
  marea_tensor_free(other);
  marea_tensor_free(empty);
  marea_tensor_free(ids);
  marea_tensor_free(w);
}

/* Making an optimizer of one parameter, with every single allocation failing in turn. */
static void test_allocation_failures(void) {
  marea_optimizer_options options = marea_optimizer_defaults(MAREA_ADAM, false);
  options.amsgrad = options.average = true;
  marea_tensor *w = vector(3, 1);
  size_t used = marea_memory_used();
  bool done = false;
  for (size_t n = 1; !done; n++) {
    marea_memory_fail_at(n);
    marea_optimizer *optimizer = marea_optimizer_new(&options);
    done = optimizer != NULL && marea_optimizer_add(optimizer, "w", w, true) == MAREA_OK;
    marea_memory_fail_at(0);
    if (!done) CHECK(marea_error_code() == MAREA_NOMEM);
    if (done) { /* a step allocates nothing */
      give_gradient(w, (marea_real[]){1, 2, 3});
      size_t allocations = marea_memory_allocations();
      CHECK(marea_optimizer_step(optimizer, NULL) == MAREA_OK);
      CHECK(marea_memory_allocations() == allocations);
      marea_tensor_clear_gradient(w);
    }
    marea_optimizer_free(optimizer);
    CHECK(marea_memory_used() == used && w->references == 1 && n < 100);
    if (n >= 100) break;
  }
  marea_tensor_free(w);
}

int main(void) {
  test_golden();
  test_golden_options();
  test_stale();
  test_decay();
  test_average();
  test_options();
  test_parameters();
  test_allocation_failures();
  return test_end();
}

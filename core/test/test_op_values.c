/* What operations give: values against plain formulas, results without gradients, the shapes and
 * places that messages name, and tensors with no element or no axis. */
#include "test.h"

#include "autodiff/ops.h"

static const double NEAR = sizeof(marea_real) == 8 ? 1e-12 : 2e-6;

static marea_tensor *reals(int rank, const int64_t *size, const double *values) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, rank, size);
  for (int64_t i = 0; i < marea_tensor_count(x); i++) marea_tensor_set(x, i, values[i]);
  return x;
}

static marea_tensor *ids(int64_t n, const double *values) {
  marea_tensor *x = marea_tensor_new(MAREA_INT32, 1, &n);
  for (int64_t i = 0; i < n; i++) marea_tensor_set(x, i, values[i]);
  return x;
}

/* y has these values; frees it. */
static void expect(const char *name, marea_tensor *y, int64_t n, const double *values) {
  if (!CHECK(y != NULL) || !CHECK(marea_tensor_count(y) == n)) {
    fprintf(stderr, "  in %s\n", name);
    return;
  }
  for (int64_t i = 0; i < n; i++)
    if (!CHECK_NEAR(marea_tensor_get(y, i), values[i], NEAR * (1 + fabs(values[i]))))
      fprintf(stderr, "  in %s, element %d: %g, expected %g\n", name, (int)i,
              marea_tensor_get(y, i), values[i]);
  marea_tensor_free(y);
}

/* y is NULL with this code and a message that holds `part`. */
static void refuse(const marea_tensor *y, marea_status code, const char *part) {
  CHECK(y == NULL && marea_error_code() == code);
  if (!CHECK(strstr(marea_error_text(), part) != NULL))
    fprintf(stderr, "  expected \"%s\"\n", part);
}

#define SHAPE(...)                                                                                 \
  (int64_t[]) {                                                                                    \
    __VA_ARGS__                                                                                    \
  }
#define LIST(...)                                                                                  \
  (double[]) {                                                                                     \
    __VA_ARGS__                                                                                    \
  }

static double plain_sigmoid(double x) {
  return 1 / (1 + exp(-x));
}
static double plain_softplus(double x) {
  return log1p(exp(x));
}
static double plain_selu(double x) {
  return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
}
static double plain_gelu(double x) {
  return 0.5 * x * (1 + erf(x / sqrt(2)));
}
static double plain_hard(double x, double slope) {
  double y = slope * x + 0.5;
  return y < 0 ? 0 : y > 1 ? 1 : y;
}

static void test_unary(void) {
  static const double x[] = {-4, -1.5, -0.25, 0.5, 2, 3.5};
  marea_tensor *t = reals(1, SHAPE(6), x);
  double y[6];
#define UNARY(name, formula)                                                                       \
  for (int i = 0; i < 6; i++) {                                                                    \
    double v = x[i];                                                                               \
    y[i] = formula;                                                                                \
  }                                                                                                \
  expect(#name, marea_##name(t), 6, y);
  UNARY(neg, -v)
  UNARY(abs, fabs(v))
  UNARY(exp, exp(v))
  UNARY(square, v * v)
  UNARY(reciprocal, 1 / v)
  UNARY(sin, sin(v))
  UNARY(cos, cos(v))
  UNARY(tanh, tanh(v))
  UNARY(sigmoid, plain_sigmoid(v))
  UNARY(relu, v > 0 ? v : 0)
  UNARY(leaky_relu, v > 0 ? v : 0.2 * v)
  UNARY(elu, v > 0 ? v : expm1(v))
  UNARY(selu, plain_selu(v))
  UNARY(gelu, plain_gelu(v))
  UNARY(silu, v * plain_sigmoid(v))
  UNARY(softplus, plain_softplus(v))
  UNARY(softsign, v / (1 + fabs(v)))
  UNARY(hard_sigmoid, plain_hard(v, 1.0 / 6))
  UNARY(hard_sigmoid_tf, plain_hard(v, 0.2))
#undef UNARY
  expect("clip", marea_clip(t, -1, 1), 6, LIST(-1, -1, -0.25, 0.5, 1, 1));
  marea_tensor *positive = marea_abs(t);
  expect("sqrt", marea_sqrt(positive), 6, LIST(2, sqrt(1.5), 0.5, sqrt(0.5), sqrt(2), sqrt(3.5)));
  expect("log", marea_log(positive), 6,
         LIST(log(4), log(1.5), log(0.25), log(0.5), log(2), log(3.5)));
  expect("log1p", marea_log1p(positive), 6,
         LIST(log(5), log(2.5), log(1.25), log(1.5), log(3), log(4.5)));
  expect("power", marea_power(positive, 0), 6, LIST(1, 1, 1, 1, 1, 1));
  marea_tensor_free(positive);
  marea_tensor_free(t);
}

static void test_binary(void) {
  marea_tensor *a = reals(2, SHAPE(2, 1), LIST(1, 4)), *b = reals(1, SHAPE(2), LIST(4, 2));
  expect("add", marea_add(a, b), 4, LIST(5, 3, 8, 6));
  expect("sub", marea_sub(a, b), 4, LIST(-3, -1, 0, 2));
  expect("mul", marea_mul(a, b), 4, LIST(4, 2, 16, 8));
  expect("div", marea_div(a, b), 4, LIST(0.25, 0.5, 1, 2));
  expect("maximum", marea_maximum(a, b), 4, LIST(4, 2, 4, 4));
  expect("minimum", marea_minimum(a, b), 4, LIST(1, 1, 4, 2));
  expect("equal", marea_equal(a, b), 4, LIST(0, 0, 1, 0));
  expect("not_equal", marea_not_equal(a, b), 4, LIST(1, 1, 0, 1));
  expect("less", marea_less(a, b), 4, LIST(1, 1, 0, 0));
  expect("less_equal", marea_less_equal(a, b), 4, LIST(1, 1, 1, 0));
  expect("greater", marea_greater(a, b), 4, LIST(0, 0, 0, 1));
  expect("greater_equal", marea_greater_equal(a, b), 4, LIST(0, 0, 1, 1));
  marea_tensor *whole = ids(2, LIST(4, 2));
  expect("equal of ids", marea_equal(whole, whole), 2, LIST(1, 1));
  marea_tensor *three = reals(1, SHAPE(3), LIST(1, 2, 3));
  refuse(marea_add(b, three), MAREA_SHAPE, "add: a is (2), b is (3); axes must be equal or 1");
  refuse(marea_less(b, three), MAREA_SHAPE, "less: a is (2), b is (3)");
  refuse(marea_where(three, a, b), MAREA_SHAPE, "where: a is (2, 2), b is (3)");
  refuse(marea_add(b, whole), MAREA_TYPE, "add: expects real numbers, got int32");
  marea_tensor_free(three);
  marea_tensor_free(whole);
  marea_tensor_free(a);
  marea_tensor_free(b);
}

static void test_reductions(void) {
  marea_tensor *x = reals(2, SHAPE(2, 3), LIST(1, 5, 2, -1, 0, -1));
  expect("sum", marea_sum(x, 0, false), 3, LIST(0, 5, 1));
  expect("mean", marea_mean(x, 1, true), 2, LIST(8.0 / 3, -2.0 / 3));
  expect("max", marea_max(x, -1, false), 1, LIST(5));
  expect("min", marea_min(x, 1, false), 2, LIST(1, -1));
  expect("logsumexp", marea_logsumexp(x, 1, false), 2,
         LIST(log(exp(1) + exp(5) + exp(2)), log(2 * exp(-1) + 1)));
  expect("argmax", marea_argmax(x, 1), 2, LIST(1, 1));
  expect("argmax of all", marea_argmax(x, -1), 1, LIST(1));
  refuse(marea_sum(x, 2, false), MAREA_RANGE, "sum: axis 3, the tensor has axes 1 to 2");
  marea_tensor *number = reals(0, NULL, LIST(3)), *none = reals(2, SHAPE(0, 3), NULL);
  refuse(marea_softmax(number), MAREA_SHAPE, "softmax: needs an axis");
  expect("sum of nothing", marea_sum(none, -1, false), 1, LIST(0));
  CHECK(marea_max(none, 0, false) == NULL);
  CHECK(marea_argmax(none, 0) == NULL);
  expect("softmax of nothing", marea_softmax(none), 0, NULL);
  marea_tensor_free(none);
  marea_tensor_free(number);
  marea_tensor_free(x);
}

static void test_shapes(void) {
  marea_tensor *x = reals(2, SHAPE(2, 3), LIST(1, 2, 3, 4, 5, 6));
  expect("reshape", marea_reshape(x, 1, SHAPE(-1)), 6, LIST(1, 2, 3, 4, 5, 6));
  expect("permute", marea_permute(x, (int[]){1, 0}), 6, LIST(1, 4, 2, 5, 3, 6));
  expect("narrow", marea_narrow(x, 1, 1, 2), 4, LIST(2, 3, 5, 6));
  expect("select", marea_select(x, 0, 1), 3, LIST(4, 5, 6));
  expect("flip", marea_flip(x, 1), 6, LIST(3, 2, 1, 6, 5, 4));
  expect("broadcast", marea_broadcast(x, 3, SHAPE(1, 2, 3)), 6, LIST(1, 2, 3, 4, 5, 6));
  expect("concat", marea_concat((marea_tensor *[]){x, x}, 2, 1), 12,
         LIST(1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6));
  expect("stack", marea_stack((marea_tensor *[]){x, x}, 2, 2), 12,
         LIST(1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6));
  marea_tensor *lengths = ids(2, LIST(2, 0));
  expect("reverse_sequence", marea_reverse_sequence(x, lengths), 6, LIST(2, 1, 3, 4, 5, 6));
  expect("cast", marea_cast(lengths, MAREA_REAL), 2, LIST(2, 0));
  marea_tensor *detached = marea_detach(x);
  CHECK(detached->data == x->data && !detached->requires_grad);
  marea_tensor_free(detached);

  refuse(marea_reshape(x, 2, SHAPE(4, -1)), MAREA_SHAPE,
         "has 6 elements and cannot become (4, -1)");
  refuse(marea_reshape(x, 2, SHAPE(-1, -1)), MAREA_SHAPE, "reshape");
  refuse(marea_permute(x, (int[]){1, 1}), MAREA_ARGUMENT, "permute: axis 2 is named twice");
  refuse(marea_permute(x, (int[]){0, 2}), MAREA_RANGE, "permute: axis 3, the tensor has axes 1");
  refuse(marea_narrow(x, 1, 2, 2), MAREA_RANGE, "narrow: elements 3 to 4 of axis 2, which has 3");
  refuse(marea_narrow(x, 1, 1, INT64_MAX), MAREA_RANGE, "narrow");
  refuse(marea_select(x, 0, 2), MAREA_RANGE, "select: element 3 of axis 1, which has 2");
  refuse(marea_broadcast(x, 2, SHAPE(3, 3)), MAREA_SHAPE, "(2, 3) cannot become (3, 3)");
  marea_tensor *y = reals(2, SHAPE(1, 2), LIST(0, 0));
  refuse(marea_concat((marea_tensor *[]){x, y}, 2, 0), MAREA_SHAPE, "item 1 is (2, 3), item 2");
  refuse(marea_stack((marea_tensor *[]){x, y}, 2, 0), MAREA_SHAPE,
         "stack: item 1 is (2, 3), item 2 is (1, 2)");
  refuse(marea_stack((marea_tensor *[]){x, x}, 2, 3), MAREA_RANGE, "stack: new axis 4");
  refuse(marea_reverse_sequence(y, lengths), MAREA_SHAPE, "expected (B, T");
  marea_tensor *long_ones = ids(2, LIST(1, 4));
  refuse(marea_reverse_sequence(x, long_ones), MAREA_RANGE, "sample 2 has length 4, allowed are 0");
  marea_tensor *half = reals(1, SHAPE(1), LIST(0.5));
  refuse(marea_cast(half, MAREA_INT32), MAREA_RANGE, "0.5");
  marea_tensor_free(half);
  marea_tensor_free(long_ones);
  marea_tensor_free(y);
  marea_tensor_free(lengths);
  marea_tensor_free(x);
}

static void test_products(void) {
  marea_tensor *a = reals(2, SHAPE(2, 2), LIST(1, 2, 3, 4)), *b = reals(1, SHAPE(2), LIST(10, 20));
  expect("matmul", marea_matmul(a, a), 4, LIST(7, 10, 15, 22));
  expect("affine", marea_affine(a, a, b), 4, LIST(17, 30, 25, 42));
  marea_tensor *c = reals(2, SHAPE(3, 2), LIST(0, 0, 0, 0, 0, 0));
  refuse(marea_matmul(a, c), MAREA_SHAPE, "a is (2, 2), b is (3, 2); a's columns must equal b's");
  refuse(marea_affine(a, b, NULL), MAREA_SHAPE, "kernel is (2), bias is absent");
  refuse(marea_affine(a, a, c), MAREA_SHAPE, "kernel is (2, 2), bias is (3, 2)");
  marea_tensor *none = reals(2, SHAPE(0, 2), NULL);
  expect("matmul of nothing", marea_matmul(none, a), 0, NULL);
  marea_tensor_free(none);
  marea_tensor_free(c);
  marea_tensor_free(b);
  marea_tensor_free(a);
}

static void test_lookups(void) {
  marea_tensor *x = reals(2, SHAPE(2, 2), LIST(1, 2, 3, 4)), *which = ids(2, LIST(1, 0));
  expect("embedding", marea_embedding(x, which), 4, LIST(3, 4, 1, 2));
  expect("take", marea_take(x, which), 4, LIST(3, 4, 1, 2));
  expect("pick", marea_pick(x, which), 2, LIST(2, 3));
  expect("one_hot", marea_one_hot(which, 2), 4, LIST(0, 1, 1, 0));
  marea_tensor *far = ids(2, LIST(0, 2)), *below = ids(1, LIST(-1));
  refuse(marea_embedding(x, far), MAREA_RANGE, "sample 2, step 1 has id 2, allowed are 0 to 1");
  refuse(marea_take(x, below), MAREA_RANGE, "has id -1");
  refuse(marea_pick(x, far), MAREA_RANGE, "pick: sample 2, step 1 has id 2");
  refuse(marea_pick(x, below), MAREA_SHAPE, "pick: x is (2, 2), ids are (1)");
  refuse(marea_one_hot(far, 2), MAREA_RANGE, "one_hot");
  refuse(marea_one_hot(which, -1), MAREA_RANGE, "the depth is -1");
  refuse(marea_embedding(which, which), MAREA_TYPE, "embedding: expects real numbers");
  refuse(marea_embedding(x, x), MAREA_TYPE, "embedding: expects int32 ids");
  marea_tensor *row = marea_select(x, 0, 0);
  refuse(marea_embedding(row, which), MAREA_SHAPE, "the table is (2), expected (V, D)");
  marea_tensor_free(row);
  marea_tensor_free(below);
  marea_tensor_free(far);
  marea_tensor_free(which);
  marea_tensor_free(x);
}

static void test_losses_and_noise(void) {
  marea_tensor *y = reals(1, SHAPE(2), LIST(1, 0)), *p = reals(1, SHAPE(2), LIST(0.8, 0.8));
  expect("binary_crossentropy", marea_binary_crossentropy(y, p), 2, LIST(-log(0.8), -log(0.2)));
  expect("from logits", marea_binary_crossentropy_logits(y, p), 2,
         LIST(plain_softplus(-0.8), plain_softplus(0.8)));
  marea_tensor *logits = reals(2, SHAPE(1, 2), LIST(1, 3)), *id = ids(1, LIST(0));
  expect("sparse_crossentropy_logits", marea_sparse_crossentropy_logits(id, logits), 1,
         LIST(log(exp(1) + exp(3)) - 1));
  expect("layer_norm", marea_layer_norm(logits, NULL, NULL, 0), 2, LIST(-1, 1));
  refuse(marea_binary_crossentropy(y, logits), MAREA_SHAPE, "binary_crossentropy");
  marea_stream stream = marea_stream_new(1, 1);
  refuse(marea_dropout(p, 1, NULL, &stream), MAREA_RANGE, "the rate is 1, allowed are 0 up to");
  refuse(marea_dropout(p, 0.5, SHAPE(3), &stream), MAREA_SHAPE,
         "the noise is (3) for a tensor (2)");
  refuse(marea_layer_norm(logits, y, p, -1), MAREA_RANGE, "epsilon");
  marea_tensor *three = reals(1, SHAPE(3), LIST(1, 1, 1));
  refuse(marea_layer_norm(logits, three, NULL, 0), MAREA_SHAPE, "layer_norm");
  marea_tensor_free(three);
  marea_tensor_free(id);
  marea_tensor_free(logits);
  marea_tensor_free(p);
  marea_tensor_free(y);
}

int main(void) {
  test_unary();
  test_binary();
  test_reductions();
  test_shapes();
  test_products();
  test_lookups();
  test_losses_and_noise();
  return test_end();
}

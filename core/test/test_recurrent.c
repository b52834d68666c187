/* Recurrent kernels against the naive reference, at every instruction set, and their invariances.
 */
#include "test/test.h"

#include "test/recurrent_cases.h"

static const double tolerance = sizeof(marea_real) == 8 ? 1e-12 : 2e-5;

static void compare(marea_recurrent layer, unsigned bits, uint64_t seed) {
  layer.keep = true;
  layer_case fast = case_new(layer, bits, seed), slow = case_new(layer, bits, seed);
  case_run(&fast);
  case_run_naive(&slow);
  double distance = case_distance(&fast, &slow);
  if (!CHECK(distance < tolerance))
    fprintf(stderr, "  cell %d (%zu, %zu, %zu) to %zu, bits %u, activations %d %d, %s: %g\n",
            layer.cell, layer.batch, layer.time, layer.input, layer.hidden, bits, layer.activation,
            layer.recurrent_activation, marea_isa_name(marea_isa_level()), distance);
  fast.layer.keep = false; /* inference gives the same bits as training */
  marea_real *y = fast.outputs.y, *copy = slow.outputs.y;
  size_t bytes = layer.batch * layer.time * layer.hidden * sizeof *y;
  memcpy(copy, y, bytes);
  memset(y, 0xff, bytes);
  case_run(&fast);
  CHECK(memcmp(y, copy, bytes) == 0);
  case_free(&fast);
  case_free(&slow);
}

static void test_against_naive(void) {
  static const size_t sizes[][4] = {{1, 1, 1, 1},   {2, 3, 2, 2},    {5, 7, 3, 5}, {17, 9, 33, 17},
                                    {33, 5, 7, 32}, {9, 20, 16, 65}, {2, 3, 5, 32}};
  for (int cell = 0; cell <= MAREA_CELL_GRU_BEFORE; cell++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      for (unsigned bits = 0; bits < 128; bits += i < 4 ? 5 : 23) {
        marea_recurrent layer = {.cell = (marea_cell)cell,
                                 .activation = MAREA_TANH,
                                 .recurrent_activation = MAREA_SIGMOID,
                                 .batch = sizes[i][0],
                                 .time = sizes[i][1],
                                 .input = sizes[i][2],
                                 .hidden = sizes[i][3]};
        compare(layer, bits, 100 * i + bits);
      }
}

/* Few rows and steps: with whole vectors of units the weights are used where they lie. */
static void test_short_sequences(void) {
  static const size_t sizes[][4] = {{1, 1, 128, 128}, {1, 1, 5, 16},  {2, 1, 1, 32}, {3, 2, 7, 48},
                                    {2, 3, 33, 16},   {1, 3, 17, 80}, {8, 1, 3, 32}, {1, 8, 16, 16},
                                    {3, 3, 9, 32},    {1, 2, 9, 17},  {3, 1, 4, 33}};
  for (int cell = 0; cell <= MAREA_CELL_GRU_BEFORE; cell++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      for (unsigned bits = (unsigned)i; bits < 128; bits += i == 0 ? 127 : 29) {
        marea_recurrent layer = {.cell = (marea_cell)cell,
                                 .activation = bits % 5 == 4 ? MAREA_GELU : MAREA_TANH,
                                 .recurrent_activation = MAREA_SIGMOID,
                                 .batch = sizes[i][0],
                                 .time = sizes[i][1],
                                 .input = sizes[i][2],
                                 .hidden = sizes[i][3]};
        compare(layer, bits, 100 * i + bits);
      }
}

/* Gradients that hold nothing yet are written over: the same bits as added to zeros. */
static void check_new_gradients(marea_recurrent layer, unsigned bits, bool all_hidden) {
  layer_case sums = case_new(layer, bits, 8), fresh = case_new(layer, bits, 8);
  size_t rows = layer.batch * layer.time, gates = marea_cell_gates(layer.cell);
  marea_recurrent_gradients *g = &fresh.gradients;
  memset(g->x, 0xff, rows * layer.input * sizeof *g->x);
  memset(g->kernel, 0xff, layer.input * gates * layer.hidden * sizeof *g->kernel);
  memset(g->recurrent_kernel, 0xff, layer.hidden * gates * layer.hidden * sizeof *g->kernel);
  g->x_is_new = g->kernel_is_new = g->recurrent_kernel_is_new = true;
  for (layer_case *c = &sums; all_hidden && c != NULL; c = c == &sums ? &fresh : NULL)
    memset(c->mask, 0, rows);
  case_run(&sums);
  case_run(&fresh);
  if (!CHECK(case_distance(&fresh, &sums) == 0))
    fprintf(stderr, "  cell %d (%zu, %zu), bits %u\n", layer.cell, layer.batch, layer.time, bits);
  case_free(&sums);
  case_free(&fresh);
}

static void test_new_gradients(void) {
  static const size_t sizes[][4] = {{1, 1, 5, 32}, {2, 3, 7, 48}, {1, 9, 3, 16}, {33, 40, 9, 16}};
  for (int cell = 0; cell < MAREA_CELL_COUNT; cell++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      for (unsigned bits = 0; bits < 128; bits += 7) {
        marea_recurrent layer = {.cell = (marea_cell)cell,
                                 .activation = MAREA_TANH,
                                 .recurrent_activation = MAREA_SIGMOID,
                                 .batch = sizes[i][0],
                                 .time = sizes[i][1],
                                 .input = sizes[i][2],
                                 .hidden = sizes[i][3],
                                 .keep = true};
        check_new_gradients(layer, bits, false);
        if (bits & 1) check_new_gradients(layer, bits, true);
      }
}

static void test_activations(void) {
  for (int cell = 0; cell <= MAREA_CELL_GRU_BEFORE; cell++)
    for (int f = 0; f < MAREA_ACTIVATION_COUNT; f++) {
      if (f == MAREA_EXPONENTIAL) continue; /* grows beyond any tolerance */
      marea_recurrent layer = {.cell = (marea_cell)cell,
                               .activation = (marea_activation)f,
                               .recurrent_activation = MAREA_HARD_SIGMOID,
                               .batch = 3,
                               .time = 4,
                               .input = 3,
                               .hidden = 5};
      compare(layer, 3, (uint64_t)f);
      layer.activation = MAREA_TANH;
      layer.recurrent_activation = (marea_activation)f;
      compare(layer, 8, (uint64_t)f);
    }
}

static void test_threads_do_not_matter(size_t batch, size_t time, size_t hidden) {
  for (int cell = 0; cell < MAREA_CELL_COUNT; cell++) {
    marea_recurrent layer = {.cell = (marea_cell)cell,
                             .activation = MAREA_TANH,
                             .recurrent_activation = MAREA_SIGMOID,
                             .batch = batch,
                             .time = time,
                             .input = 9,
                             .hidden = hidden,
                             .keep = true};
    layer_case one = case_new(layer, 3, 5);
    CHECK(marea_threads_set(1) == MAREA_OK);
    case_run(&one);
    for (int threads = 2; threads <= 8; threads *= 4) {
      layer_case many = case_new(layer, 3, 5);
      CHECK(marea_threads_set(threads) == MAREA_OK);
      case_run(&many);
      CHECK(case_equal(&one, &many));
      case_free(&many);
    }
    case_free(&one);
  }
}

/* A sequence alone, and the same behind padding among others, gives the same bits. */
static void test_padding_does_not_matter(void) {
  enum { T = 6, MORE = 5, D = 3, H = 20, B = 19 };
  marea_recurrent layer = {.cell = MAREA_CELL_LSTM,
                           .activation = MAREA_TANH,
                           .recurrent_activation = MAREA_SIGMOID,
                           .batch = 1,
                           .time = T,
                           .input = D,
                           .hidden = H,
                           .keep = true};
  layer_case alone = case_new(layer, 0, 3);
  case_run(&alone);
  layer.batch = B;
  layer.time = T + MORE;
  layer_case padded = case_new(layer, 1, 4);
  padded.weights = alone.weights;
  memset(padded.mask + 7 * (T + MORE), 0, MORE);
  memset(padded.mask + 7 * (T + MORE) + MORE, 1, T);
  memcpy(padded.arrays[3] + (7 * (T + MORE) + MORE) * D, alone.inputs.x,
         T * D * sizeof(marea_real));
  case_run(&padded);
  CHECK(memcmp(padded.outputs.y + (7 * (T + MORE) + MORE) * H, alone.outputs.y,
               T * H * sizeof(marea_real)) == 0);
  for (int i = 0; i < MORE * D; i++) CHECK(padded.gradients.x[7 * (T + MORE) * D + i] == 0);
  case_free(&padded);
  case_free(&alone);
}

static void test_long_blocks(void) {
  marea_recurrent layer = {.cell = MAREA_CELL_LSTM,
                           .activation = MAREA_TANH,
                           .recurrent_activation = MAREA_SIGMOID,
                           .batch = 37,
                           .time = 45,
                           .input = 6,
                           .hidden = 18};
  for (unsigned bits = 0; bits < 128; bits += 31) compare(layer, bits, bits);
}

enum { WORDS = 9, B_WORDS = 21, T_WORDS = 13, D_WORDS = 6 };

/* A case whose inputs are rows of a table, and the table's gradient by each step's dx. */
static layer_case words_case(marea_recurrent layer, unsigned bits, int32_t *ids) {
  layer.batch = B_WORDS, layer.time = T_WORDS, layer.input = D_WORDS, layer.keep = true;
  layer_case c = case_new(layer, bits, 11);
  marea_real *x = c.arrays[3], rows[WORDS * D_WORDS];
  memcpy(rows, x, sizeof rows);
  for (int i = 0; i < B_WORDS * T_WORDS; i++) {
    ids[i] = i * i % WORDS;
    memcpy(x + i * D_WORDS, rows + ids[i] * D_WORDS, D_WORDS * sizeof *x);
  }
  return c;
}

static void add_to_table(const layer_case *c, const int32_t *ids, marea_real *table) {
  memset(table, 0, WORDS * D_WORDS * sizeof *table);
  for (int i = 0; i < B_WORDS * T_WORDS * D_WORDS; i++)
    table[ids[i / D_WORDS] * D_WORDS + i % D_WORDS] += c->gradients.x[i];
  memset(c->gradients.x, 0, B_WORDS * T_WORDS * D_WORDS * sizeof *table);
}

/* The same through the ids. */
static void run_by_words(layer_case *c, const int32_t *ids, marea_real *table) {
  marea_real rows[WORDS * D_WORDS];
  const int32_t *found;
  size_t bytes = 0;
  c->layer.vocabulary = WORDS;
  c->inputs.ids = ids;
  c->gradients.distinct = rows;
  CHECK(marea_recurrent_workspace(&c->layer, &bytes) == MAREA_OK);
  void *workspace = marea_alloc(bytes);
  memset(workspace, 0xff, bytes);
  CHECK(marea_recurrent_forward(&c->layer, &c->weights, &c->inputs, &c->outputs, workspace) ==
        MAREA_OK);
  size_t count = marea_recurrent_distinct(&c->layer, workspace, &found);
  CHECK(count > 1 && count <= WORDS);
  CHECK(marea_recurrent_backward(&c->layer, &c->weights, &c->inputs, &c->given, &c->gradients,
                                 workspace) == MAREA_OK);
  memset(table, 0, WORDS * D_WORDS * sizeof *table);
  for (size_t i = 0; i < count; i++)
    memcpy(table + found[i] * D_WORDS, rows + i * D_WORDS, D_WORDS * sizeof *table);
  marea_free(workspace);
}

static void test_equal_words(void) {
  static int32_t ids[B_WORDS * T_WORDS];
  marea_real table[WORDS * D_WORDS], other[WORDS * D_WORDS];
  for (int cell = 0; cell < MAREA_CELL_COUNT; cell++)
    for (unsigned bits = 0; bits < 128; bits += bits == 3 ? 13 : 1) {
      if (bits & 12) continue; /* dropout of the inputs makes them differ */
      marea_recurrent layer = {.cell = (marea_cell)cell,
                               .activation = MAREA_TANH,
                               .recurrent_activation = MAREA_SIGMOID,
                               .hidden = 18};
      layer_case slow = words_case(layer, bits, ids), fast = words_case(layer, bits, ids);
      CHECK(marea_threads_set(1) == MAREA_OK);
      case_run(&slow);
      add_to_table(&slow, ids, table);
      CHECK(marea_threads_set(1 + (int)(bits % 3)) == MAREA_OK);
      run_by_words(&fast, ids, other);
      size_t y = B_WORDS * T_WORDS * 18 * sizeof(marea_real);
      CHECK(memcmp(slow.outputs.y, fast.outputs.y, y) == 0);
      CHECK(case_distance(&slow, &fast) < tolerance);
      for (int i = 0; i < WORDS * D_WORDS; i++)
        CHECK(fabs((double)(table[i] - other[i])) < 100 * tolerance);
      case_free(&slow);
      case_free(&fast);
    }
}

static void test_errors(void) {
  marea_recurrent layer = {.batch = 2, .time = 3, .input = 0, .hidden = 4};
  size_t bytes;
  CHECK(marea_recurrent_workspace(&layer, &bytes) == MAREA_RANGE);
  CHECK_ERROR("input 0");
  layer.input = 1;
  layer.cell = (marea_cell)9;
  CHECK(marea_recurrent_workspace(&layer, &bytes) == MAREA_RANGE);
  CHECK_ERROR("cell 9");
  layer.cell = MAREA_CELL_LSTM;
  layer.activation = (marea_activation)99;
  CHECK(marea_recurrent_workspace(&layer, &bytes) == MAREA_RANGE);
  CHECK_ERROR("99");
  layer.activation = MAREA_TANH;
  layer.batch = layer.time = layer.hidden = 4000000000U;
  CHECK(marea_recurrent_workspace(&layer, &bytes) == MAREA_NOMEM);
  CHECK_ERROR("exceeds the address space");
  layer =
      (marea_recurrent){.cell = MAREA_CELL_LSTM, .batch = 1, .time = 1, .input = 1, .hidden = 1};
  marea_real one = 1;
  marea_recurrent_inputs in = {.x = &one, .input_dropout = &one, .input_dropout_gates = 3};
  CHECK(marea_recurrent_forward(&layer, NULL, &in, NULL, NULL) == MAREA_RANGE);
  CHECK_ERROR("for 3 (input)");
  CHECK(marea_recurrent_backward(&layer, NULL, &in, NULL, NULL, NULL) == MAREA_STATE);
}

static void expect_refused(marea_recurrent layer, const char *text) {
  size_t bytes;
  layer.batch = layer.time = layer.input = 1;
  layer.hidden = 4;
  CHECK(marea_recurrent_workspace(&layer, &bytes) == MAREA_RANGE);
  CHECK(strstr(marea_error_text(), text) != NULL);
}

static void test_form_errors(void) {
  expect_refused((marea_recurrent){.cell = MAREA_CELL_GRU, .projection = 2}, "LSTM alone");
  expect_refused((marea_recurrent){.cell = MAREA_CELL_LSTM, .projection = 5}, "projection to 5");
  expect_refused((marea_recurrent){.cell = MAREA_CELL_LSTM, .cell_clip = -1}, "cell clip -1");
  expect_refused((marea_recurrent){.cell = MAREA_CELL_RNN, .normalised = true}, "epsilon 0");
  expect_refused((marea_recurrent){.cell = MAREA_CELL_RNN, .zoneout = {2}}, "zoneout 2");
  expect_refused((marea_recurrent){.cell = MAREA_CELL_LSTM, .peephole = (marea_peephole)7},
                 "peephole 7");
}

int main(void) {
  marea_isa highest = marea_isa_level();
  for (int level = 0; level <= (int)highest; level++) {
    CHECK(marea_isa_set((marea_isa)level) == MAREA_OK);
    test_against_naive();
    test_short_sequences();
    test_new_gradients();
    test_activations();
    test_padding_does_not_matter();
    test_long_blocks();
    test_equal_words();
  }
  test_threads_do_not_matter(70, 12, 20);
  test_threads_do_not_matter(4, 2, 32);
  test_errors();
  test_form_errors();
  marea_threads_stop();
  return test_end();
}

/* Golden numbers of the cells (D = u = 2, three steps; computed in double precision from the
 * formulas by an independent program), for the fast kernels at every instruction set. */
#include "test/test.h"

#include "base/threads.h"
#include "kernels/recurrent.h"
#include "kernels/simd.h"

typedef struct golden {
  const char *what;
  marea_cell cell;
  unsigned char mask[3];
  double h[6], c[6], loss, dx[6], bias[12], recurrent_row[8];
} golden;

static const golden table[] = {
    {"SimpleRNN",
     MAREA_CELL_RNN,
     {1, 1, 1},
     {-0.421899005, 0.148885034, -0.207940118, -0.097216377, 0.316380013, -0.197335845},
     {0},
     -0.604793488,
     {-0.226599737, -0.348205028, -0.238879348, -0.315547814, -0.269971106, -0.204442688},
     {2.451500637, 6.792478290},
     {-0.523069277, -1.401275005}},
    {"LSTM",
     MAREA_CELL_LSTM,
     {1, 1, 1},
     {0.040265521, -0.100605804, 0.080846346, -0.086312082, 0.016685056, 0.012377350},
     {0.076850206, -0.248355552, 0.162223449, -0.194543674, 0.036912858, 0.020817435},
     -0.211284150,
     {-0.017718104, 0.180739109, -0.039671665, 0.212031495, -0.040940754, 0.156748152},
     {0.089573864, -0.131797383, 0.032057498, -0.141543364, 0.896267022, 1.674181255, 0.073300945,
      -0.176742674},
     {0.001464593, 0.003713153, 0.002027342, -0.008044512, 0.031472308, 0.066065837, 0.002519210,
      -0.002620660}},
    {"GRU reset_after",
     MAREA_CELL_GRU,
     {1, 1, 1},
     {0.122858110, -0.203404162, 0.216067061, -0.174433524, 0.082022484, 0.073225009},
     {0},
     -0.188277699,
     {0.007869772, 0.250535781, -0.092203047, 0.395854331, -0.135031011, 0.346331545},
     {-0.069217428, 0.067816582, -0.010253528, 0.117936327, 2.395483249, 3.521782365, -0.069217428,
      0.067816582, -0.010253528, 0.117936327, 1.282013588, 1.724710689},
     {0.008099659, -0.053064995, -0.001726407, 0.017103147, 0.109882280, 0.178832442}},
    {"GRU reset before",
     MAREA_CELL_GRU_BEFORE,
     {1, 1, 1},
     {0.120525114, -0.213761605, 0.213425369, -0.186922147, 0.084727967, 0.056464065},
     {0},
     -0.269760923,
     {0.022261131, 0.239768689, -0.086058802, 0.400301221, -0.132565105, 0.359311527},
     {-0.076220002, 0.088805521, 0.018435988, 0.048275454, 2.383758457, 3.483418597},
     {0.007609591, -0.051100493, 0.003274633, 0.007586400, 0.103068023, 0.192764130}},
    {"LSTM, mask 1,0,1",
     MAREA_CELL_LSTM,
     {1, 0, 1},
     {0.040265521, -0.100605804, 0.040265521, -0.100605804, 0.001237862, -0.004693711},
     {0},
     -0.330041735,
     {-0.023194826, 0.270361210, 0, 0, -0.037985333, 0.158288065},
     {0},
     {0}},
    {"GRU reset_after, mask 0,1,1",
     MAREA_CELL_GRU,
     {0, 1, 1},
     {0, 0, 0.174405266, -0.104718306, 0.061826252, 0.094091174},
     {0},
     0.214977255,
     {0, 0, -0.062277160, 0.350256641, -0.130909219, 0.339320146},
     {0},
     {0}},
};

enum { U = 2, T = 3, WIDEST = 8 };
static const double tolerance = sizeof(marea_real) == 8 ? 2e-9 : 1e-6;

static void check_all(const char *what, const marea_real *came, const double *expected, size_t n,
                      double within) {
  for (size_t i = 0; i < n; i++)
    if (!CHECK_NEAR(came[i], expected[i], within))
      fprintf(stderr, "  %s [%zu]: %.9g, expected %.9g\n", what, i, (double)came[i], expected[i]);
}

static void fill_weights(marea_real *kernel, marea_real *recurrent, marea_real *bias, int columns) {
  for (int i = 0; i < U; i++)
    for (int j = 0; j < columns; j++) {
      kernel[i * columns + j] = (marea_real)((5 * i + 3 * j) % 7 - 3) / 10;
      recurrent[i * columns + j] = (marea_real)((2 * i + 5 * j) % 9 - 4) / 10;
    }
  for (int j = 0; j < columns; j++) {
    bias[j] = (marea_real)(j % 5 - 2) / 20;
    bias[columns + j] = (marea_real)(j % 3 - 1) / 20;
  }
}

static void check(const golden *g) {
  marea_real kernel[U * WIDEST], recurrent[U * WIDEST], bias[2 * WIDEST], y[T * U], dy[T * U];
  const marea_real x[] = {(marea_real)0.5, -1, 1, (marea_real)0.25, (marea_real)-0.75,
                          (marea_real)0.5};
  marea_recurrent layer = {.cell = g->cell,
                           .activation = MAREA_TANH,
                           .recurrent_activation = MAREA_SIGMOID,
                           .batch = 1,
                           .time = T,
                           .input = U,
                           .hidden = U,
                           .keep = true};
  size_t columns = marea_cell_gates(g->cell) * U, bytes;
  fill_weights(kernel, recurrent, bias, (int)columns);
  marea_recurrent_weights weights = {.kernel = kernel, .recurrent_kernel = recurrent, .bias = bias};
  marea_recurrent_inputs inputs = {.x = x, .mask = g->mask};
  marea_real last_c[U], dx[T * U] = {7}, dkernel[U * WIDEST] = {0}, drecurrent[U * WIDEST] = {0};
  marea_real dbias[2 * WIDEST] = {0};
  marea_recurrent_outputs outputs = {.y = y, .last = {NULL, last_c}};
  CHECK(marea_recurrent_workspace(&layer, &bytes) == MAREA_OK);
  void *workspace = marea_alloc(bytes);
  CHECK(marea_recurrent_forward(&layer, &weights, &inputs, &outputs, workspace) == MAREA_OK);
  check_all(g->what, y, g->h, T * U, tolerance);
  if (g->c[0] != 0) check_all("c", last_c, g->c + 4, U, tolerance);
  double loss = 0;
  for (int i = 0; i < T * U; i++) {
    dy[i] = (marea_real)(1 + i % U);
    loss += (double)dy[i] * (double)y[i];
  }
  CHECK_NEAR(loss, g->loss, tolerance * 3);
  marea_recurrent_output_gradients given = {.y = dy};
  /* dx begins as garbage: as a new gradient it is overwritten. */
  marea_recurrent_gradients gradients = {
      .x = dx, .kernel = dkernel, .recurrent_kernel = drecurrent, .bias = dbias, .x_is_new = true};
  CHECK(marea_recurrent_backward(&layer, &weights, &inputs, &given, &gradients, workspace) ==
        MAREA_OK);
  check_all(g->what, dx, g->dx, T * U, tolerance);
  if (g->bias[0] != 0) {
    check_all(g->what, dbias, g->bias, marea_cell_biases(g->cell, U), tolerance * 4);
    check_all(g->what, drecurrent, g->recurrent_row, columns, tolerance * 2);
  }
  marea_free(workspace);
}

int main(void) {
  marea_isa highest = marea_isa_level();
  for (int level = 0; level <= (int)highest; level++) {
    CHECK(marea_isa_set((marea_isa)level) == MAREA_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) check(&table[i]);
  }
  marea_threads_stop();
  return test_end();
}

/* Recurrent gradients against central differences. In the float build the steps are too coarse for
 * tight bounds, so there it only takes part with loose ones. */
#include "test/test.h"

#include "test/recurrent_cases.h"

static const double step = sizeof(marea_real) == 8 ? 1e-5 : 1e-2;
static const double tolerance = sizeof(marea_real) == 8 ? 5e-7 : 3e-2;

static double weighted(const marea_real *a, const marea_real *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; a != NULL && i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* All outputs weighted with the gradients that backward is given. */
static double loss(layer_case *c) {
  size_t states = c->layer.batch * c->layer.hidden;
  case_run(c);
  return weighted(c->outputs.y, c->given.y, states * c->layer.time) +
         weighted(c->outputs.y_last, c->given.y_last, states) +
         weighted(c->outputs.last[0], c->given.last[0], states) +
         weighted(c->outputs.last[1], c->given.last[1], states);
}

static void check_array(layer_case *c, const char *what, const marea_real *array,
                        const marea_real *gradient, size_t n) {
  if (array == NULL) return;
  marea_real *x = (marea_real *)(size_t)array; /* our own, handed to the layer as const */
  for (size_t i = 0; i < n; i++) {
    marea_real kept = x[i];
    x[i] = kept + (marea_real)step;
    double above = loss(c), wide = (double)x[i];
    x[i] = kept - (marea_real)step;
    double slope = (above - loss(c)) / (wide - (double)x[i]);
    x[i] = kept;
    if (!CHECK(fabs(slope - (double)gradient[i]) <= tolerance * (1 + fabs(slope))))
      fprintf(stderr, "  cell %d, %s [%zu]: %.12g, difference quotient %.12g\n", c->layer.cell,
              what, i, (double)gradient[i], slope);
  }
}

static void check_layer(marea_cell cell, marea_activation f, marea_activation gate, unsigned bits) {
  marea_recurrent layer = {.cell = cell,
                           .activation = f,
                           .recurrent_activation = gate,
                           .batch = 7,
                           .time = 4,
                           .input = 2,
                           .hidden = 3,
                           .keep = true};
  layer_case c = case_new(layer, bits, bits + (unsigned)cell);
  size_t B = layer.batch, D = layer.input, H = layer.hidden, G = marea_cell_gates(cell);
  case_run(&c);
  c.layer.keep = false;
  marea_recurrent_gradients g = c.gradients;
  check_array(&c, "x", c.inputs.x, g.x, B * layer.time * D);
  check_array(&c, "kernel", c.weights.kernel, g.kernel, D * G * H);
  check_array(&c, "recurrent", c.weights.recurrent_kernel, g.recurrent_kernel, H * G * H);
  check_array(&c, "bias", c.weights.bias, g.bias, marea_cell_biases(cell, H));
  check_array(&c, "initial h", c.inputs.initial[0], g.initial[0], B * H);
  check_array(&c, "initial c", c.inputs.initial[1], g.initial[1], B * H);
  case_free(&c);
}

int main(void) {
  for (int cell = 0; cell < MAREA_CELL_COUNT; cell++) {
    for (unsigned bits = 0; bits < 128; bits += 9)
      check_layer((marea_cell)cell, MAREA_TANH, MAREA_SIGMOID, bits);
    check_layer((marea_cell)cell, MAREA_GELU, MAREA_SILU, 3);
    check_layer((marea_cell)cell, MAREA_SOFTSIGN, MAREA_SOFTPLUS, 11);
  }
  marea_threads_stop();
  return test_end();
}

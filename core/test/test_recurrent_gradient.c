/* Recurrent gradients against central differences. In the float build the steps are too coarse for
 * tight bounds, so there it only takes part with loose ones. */
#include "test/test.h"

#include "kernels/simd/product.h"
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

static void check_layer(marea_recurrent layer, unsigned bits) {
  marea_cell cell = layer.cell;
  layer.keep = true;
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

static void check_cell(marea_recurrent layer, unsigned step_of_bits) {
  layer.activation = MAREA_TANH;
  layer.recurrent_activation = MAREA_SIGMOID;
  for (unsigned bits = 0; bits < 128; bits += step_of_bits) check_layer(layer, bits);
  layer.activation = MAREA_GELU;
  layer.recurrent_activation = MAREA_SILU;
  check_layer(layer, 3);
  layer.activation = MAREA_SOFTSIGN;
  layer.recurrent_activation = MAREA_SOFTPLUS;
  check_layer(layer, 11);
}

int main(void) {
  size_t lanes = MAREA_PICK(marea_products)->lanes;
  for (int i = 0; i < MAREA_CELL_COUNT; i++) {
    marea_cell cell = (marea_cell)i;
    check_cell((marea_recurrent){.cell = cell, .batch = 7, .time = 4, .input = 2, .hidden = 3}, 9);
    /* Few rows and steps, whole vectors: the weights are used where they lie. */
    check_cell((marea_recurrent){.cell = cell, .batch = 2, .time = 3, .input = 3, .hidden = lanes},
               31);
  }
  marea_threads_stop();
  return test_end();
}

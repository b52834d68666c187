/* The activations' names; their formulas are in kernels/simd/activations.h. */
#include <string.h>

#include "kernels/pointwise.h"

static const char *const names[MAREA_ACTIVATION_COUNT] = {
    "linear", "tanh",     "sigmoid",  "relu",         "leaky_relu",      "elu",         "selu",
    "gelu",   "softplus", "softsign", "hard_sigmoid", "hard_sigmoid_tf", "exponential", "silu"};

const char *marea_activation_name(marea_activation activation) {
  return (unsigned)activation < MAREA_ACTIVATION_COUNT ? names[activation] : NULL;
}

bool marea_activation_find(const char *name, marea_activation *activation) {
  if (strcmp(name, "swish") == 0) name = "silu";
  for (int i = 0; i < MAREA_ACTIVATION_COUNT; i++) {
    if (strcmp(name, names[i]) != 0) continue;
    *activation = (marea_activation)i;
    return true;
  }
  return false;
}

bool marea_activation_needs_input(marea_activation activation) {
  return activation == MAREA_GELU || activation == MAREA_SILU;
}

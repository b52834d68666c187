#include "kernels/recurrent.h"

#include <stdint.h>

#include "test/recurrent_naive.h"

size_t marea_cell_gates(marea_cell cell) {
  switch (cell) {
  case MAREA_CELL_RNN:
    return 1;
  case MAREA_CELL_LSTM:
    return 4;
  case MAREA_CELL_GRU:
  case MAREA_CELL_GRU_BEFORE:
    return 3;
  default:
    return 0;
  }
}

size_t marea_cell_states(marea_cell cell) {
  return cell == MAREA_CELL_LSTM ? 2 : marea_cell_gates(cell) > 0;
}

size_t marea_cell_biases(marea_cell cell, size_t hidden) {
  return (cell == MAREA_CELL_GRU ? 2 : 1) * marea_cell_gates(cell) * hidden;
}

marea_status marea_recurrent_workspace(const marea_recurrent *l, size_t *bytes) {
  if (marea_cell_gates(l->cell) == 0 || l->batch * l->time * l->input * l->hidden == 0)
    return marea_fail(MAREA_RANGE, "recurrent layer: sizes must be at least 1");
  *bytes = (l->batch * l->time * 9 * l->hidden + 2 * l->batch * (l->time + 2) * l->hidden) * 2 *
           sizeof(marea_real);
  return MAREA_OK;
}

static naive in_workspace(const marea_recurrent *l, const marea_recurrent_weights *w,
                          const marea_recurrent_inputs *in, void *workspace) {
  naive n = {l,    w,    in,   l->batch, l->time, l->input, l->hidden, marea_cell_gates(l->cell),
             NULL, NULL, NULL, NULL,     NULL,    NULL};
  n.count = workspace;
  n.step = n.count + n.B;
  n.a = (marea_real *)(n.step + n.B * n.T);
  n.pre = n.a + n.B * n.T * 4 * n.H;
  n.h = n.pre + n.B * n.T * 4 * n.H;
  n.c = n.h + n.B * (n.T + 1) * n.H;
  return n;
}

marea_status marea_recurrent_forward(const marea_recurrent *l, const marea_recurrent_weights *w,
                                     const marea_recurrent_inputs *in,
                                     const marea_recurrent_outputs *out, void *workspace) {
  naive n = in_workspace(l, w, in, workspace);
  naive_forward(&n, out);
  return MAREA_OK;
}

marea_status marea_recurrent_backward(const marea_recurrent *l, const marea_recurrent_weights *w,
                                      const marea_recurrent_inputs *in,
                                      const marea_recurrent_output_gradients *d,
                                      const marea_recurrent_gradients *out, void *workspace) {
  naive n = in_workspace(l, w, in, workspace);
  naive_backward(&n, d, out);
  return MAREA_OK;
}

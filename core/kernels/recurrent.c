/* The recurrent layers' interface: checks and the layout of the workspace. */
#include "kernels/recurrent.h"

#include <string.h>

#include "base/memory.h"
#include "kernels/recurrent_driver.h"

enum { BLOCK_ROWS = 256, WIDE_HIDDEN = 256, FEW_STEPS = 8 };

static const marea_cell_table *cell_table(marea_cell cell) {
  switch (cell) {
  case MAREA_CELL_RNN: return MAREA_PICK(marea_cell_rnn);
  case MAREA_CELL_LSTM: return MAREA_PICK(marea_cell_lstm);
  case MAREA_CELL_GRU: return MAREA_PICK(marea_cell_gru);
  case MAREA_CELL_GRU_BEFORE: return MAREA_PICK(marea_cell_gru_before);
  default: return NULL;
  }
}

size_t marea_cell_gates(marea_cell cell) {
  const marea_cell_table *table = cell_table(cell);
  return table != NULL ? table->gates : 0;
}

size_t marea_cell_states(marea_cell cell) {
  const marea_cell_table *table = cell_table(cell);
  return table != NULL ? table->states : 0;
}

size_t marea_cell_biases(marea_cell cell, size_t hidden) {
  return (cell == MAREA_CELL_GRU ? 2 : 1) * marea_cell_gates(cell) * hidden;
}

/* Rows of a slice: few enough that two threads have work of equal size even with a small batch,
 * many enough to fill register tiles; more where the weights leave the second-level cache. */
static size_t slice_rows(const marea_recurrent *layer) {
  size_t most = layer->hidden >= WIDE_HIDDEN ? 32 : 16;
  size_t slices = (layer->batch + most - 1) / most;
  if (layer->batch > 1) slices = marea_round_up(slices, 2);
  return (layer->batch + slices - 1) / slices;
}

/* Cuts aligned arrays from the workspace; with base NULL it only counts. */
typedef struct cutter {
  char *base;
  size_t used;
  bool overflow;
} cutter;

static void *cut(cutter *to, size_t size, size_t a, size_t b, size_t c) {
  size_t bytes, end;
  if (__builtin_mul_overflow(size, a, &bytes) || __builtin_mul_overflow(bytes, b, &bytes) ||
      __builtin_mul_overflow(bytes, c, &bytes) ||
      __builtin_add_overflow(bytes, (size_t)MAREA_ALIGNMENT - 1, &bytes)) {
    to->overflow = true;
    return NULL;
  }
  bytes -= bytes % MAREA_ALIGNMENT;
  size_t start = to->used;
  if (__builtin_add_overflow(start, bytes, &end) || end > SIZE_MAX / 2) {
    to->overflow = true;
    return NULL;
  }
  to->used = end;
  return to->base != NULL ? to->base + start : NULL;
}

static marea_real *cut_reals(cutter *to, size_t a, size_t b, size_t c) {
  return cut(to, sizeof(marea_real), a, b, c);
}

static void lay_out_shared(recurrent_run *run, cutter *to) {
  size_t batch = run->layer->batch, time = run->layer->time, padded = run->padded;
  size_t gates = run->cell->gates;
  run->order = cut(to, sizeof(size_t), batch, 1, 1);
  run->counts = cut(to, sizeof(size_t), batch, 1, 1);
  run->spare = cut(to, sizeof(size_t), batch, 1, 1);
  run->steps = cut(to, sizeof(uint32_t), batch, time, 1);
  run->flat = cut(to, sizeof(size_t), run->slices, time + 1, 1);
  run->kernel = cut_reals(to, run->layer->input, gates, padded);
  run->recurrent = cut_reals(to, run->layer->hidden, gates, padded);
  run->bias = cut_reals(to, 2, gates, padded);
  if (!run->layer->keep) return;
  run->kernel_back = cut_reals(to, run->padded_input, gates, padded);
  run->recurrent_back = cut_reals(to, padded, gates, padded);
  size_t flat_rows = batch * time;
  run->gates = cut_reals(to, flat_rows, run->cell->blocks, padded);
  run->h = cut_reals(to, flat_rows, 1, padded);
  if (run->cell->states > 1) run->c = cut_reals(to, flat_rows, 1, padded);
}

static void lay_out_scratch(const recurrent_run *run, recurrent_scratch *s, cutter *to) {
  size_t rows = run->slice_rows, padded = run->padded, gates = run->cell->gates;
  s->block_x = cut_reals(to, run->block_rows, run->layer->input, 1);
  s->block_gates = cut_reals(to, run->block_rows, run->cell->blocks, padded);
  for (int i = 0; i < 2; i++) s->h[i] = cut_reals(to, rows, padded, 1);
  s->c = cut_reals(to, rows, padded, 1);
  for (int i = 0; i < 2; i++) s->initial[i] = cut_reals(to, rows, padded, 1);
  s->multipliers = cut_reals(to, rows, gates, padded);
  s->step = cut_reals(to, rows, gates, padded);
  if (!run->layer->keep) return;
  s->block_h = cut_reals(to, run->block_rows, padded, 1);
  s->block_dx = cut_reals(to, run->block_rows, run->padded_input, 1);
  s->dkernel = cut_reals(to, run->layer->input, gates, padded);
  s->drecurrent = cut_reals(to, run->layer->hidden, gates, padded);
  s->dbias = cut_reals(to, run->cell->blocks, padded, 1);
}

static marea_status check_layer(const marea_recurrent *layer) {
  if (cell_table(layer->cell) == NULL)
    return marea_fail(MAREA_RANGE, "recurrent layer: cell %d, expected 0 to %d", (int)layer->cell,
                      MAREA_CELL_COUNT - 1);
  if (marea_activation_name(layer->activation) == NULL ||
      marea_activation_name(layer->recurrent_activation) == NULL)
    return marea_fail(MAREA_RANGE, "recurrent layer: activations %d and %d, expected 0 to %d",
                      (int)layer->activation, (int)layer->recurrent_activation,
                      MAREA_ACTIVATION_COUNT - 1);
  const size_t most = UINT32_MAX;
  if (layer->batch == 0 || layer->time == 0 || layer->input == 0 || layer->hidden == 0 ||
      layer->batch > most || layer->time >= most || layer->input > most || layer->hidden > most)
    return marea_fail(MAREA_RANGE,
                      "recurrent layer: batch %zu, time %zu, input %zu, hidden %zu; each must be "
                      "from 1 to 2^32 - 2",
                      layer->batch, layer->time, layer->input, layer->hidden);
  return MAREA_OK;
}

marea_status recurrent_run_init(recurrent_run *run, const marea_recurrent *layer, void *workspace,
                                size_t *bytes) {
  marea_status status = check_layer(layer);
  if (status != MAREA_OK) return status;
  memset(run, 0, sizeof *run);
  run->layer = layer;
  run->cell = cell_table(layer->cell);
  run->products = MAREA_PICK(marea_products);
  run->keep_inputs = marea_activation_needs_input(layer->activation) ||
                     marea_activation_needs_input(layer->recurrent_activation);
  run->padded = marea_round_up(layer->hidden, run->products->lanes);
  run->padded_input = marea_round_up(layer->input, run->products->lanes);
  run->as_is = !layer->keep && run->padded == layer->hidden && layer->batch <= FEW_STEPS &&
               layer->batch * layer->time <= FEW_STEPS;
  run->slice_rows = slice_rows(layer);
  run->slices = (layer->batch + run->slice_rows - 1) / run->slice_rows;
  run->groups = run->slices < MAX_GROUPS ? run->slices : MAX_GROUPS;
  size_t block_steps = BLOCK_ROWS / run->slice_rows;
  if (block_steps > layer->time) block_steps = layer->time;
  run->block_rows = run->slice_rows * (block_steps > 0 ? block_steps : 1);
  cutter place = {workspace, 0, false};
  lay_out_shared(run, &place);
  for (size_t g = 0; g < run->groups; g++) lay_out_scratch(run, &run->scratch[g], &place);
  if (place.overflow)
    return marea_fail(MAREA_NOMEM,
                      "recurrent layer: workspace for (%zu, %zu, %zu) to %zu units "
                      "exceeds the address space",
                      layer->batch, layer->time, layer->input, layer->hidden);
  *bytes = place.used;
  return MAREA_OK;
}

marea_status marea_recurrent_workspace(const marea_recurrent *layer, size_t *bytes) {
  recurrent_run run;
  return recurrent_run_init(&run, layer, NULL, bytes);
}

static marea_status check_dropout(const recurrent_run *run, const marea_recurrent_inputs *inputs) {
  size_t gates = run->cell->gates, x = inputs->input_dropout_gates,
         h = inputs->recurrent_dropout_gates;
  if ((inputs->input_dropout != NULL && x != 1 && x != gates) ||
      (inputs->recurrent_dropout != NULL && h != 1 && h != gates))
    return marea_fail(MAREA_RANGE,
                      "recurrent layer: dropout multipliers for %zu (input) and %zu (recurrent) "
                      "gates, expected 1 or %zu",
                      x, h, gates);
  return MAREA_OK;
}

marea_status marea_recurrent_forward(const marea_recurrent *layer,
                                     const marea_recurrent_weights *weights,
                                     const marea_recurrent_inputs *inputs,
                                     const marea_recurrent_outputs *outputs, void *workspace) {
  recurrent_run run;
  size_t bytes;
  marea_status status = recurrent_run_init(&run, layer, workspace, &bytes);
  if (status == MAREA_OK) status = check_dropout(&run, inputs);
  if (status != MAREA_OK) return status;
  run.weights = weights;
  run.inputs = inputs;
  run.outputs = outputs;
  recurrent_plan(&run);
  recurrent_forward(&run);
  return MAREA_OK;
}

marea_status marea_recurrent_backward(const marea_recurrent *layer,
                                      const marea_recurrent_weights *weights,
                                      const marea_recurrent_inputs *inputs,
                                      const marea_recurrent_output_gradients *output_gradients,
                                      const marea_recurrent_gradients *gradients, void *workspace) {
  recurrent_run run;
  size_t bytes;
  if (!layer->keep)
    return marea_fail(MAREA_STATE, "recurrent layer: backward after a forward without keep");
  marea_status status = recurrent_run_init(&run, layer, workspace, &bytes);
  if (status == MAREA_OK) status = check_dropout(&run, inputs);
  if (status != MAREA_OK) return status;
  run.weights = weights;
  run.inputs = inputs;
  run.output_gradients = output_gradients;
  run.gradients = gradients;
  recurrent_backward(&run);
  return MAREA_OK;
}

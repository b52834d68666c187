/* The recurrent layers' interface: checks and the run's sizes. */
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
  case MAREA_CELL_LSTM_COUPLED: return MAREA_PICK(marea_cell_lstm_coupled);
  case MAREA_CELL_SIMPLE_GRU: return MAREA_PICK(marea_cell_simple_gru);
  case MAREA_CELL_SIMPLE_GRU_X: return MAREA_PICK(marea_cell_simple_gru_x);
  case MAREA_CELL_MGU: return MAREA_PICK(marea_cell_mgu);
  default: return NULL;
  }
}

/* The plain LSTM is its own, shorter code. */
static const marea_cell_table *layer_table(const marea_recurrent *l) {
  bool plain = l->peephole == MAREA_PEEPHOLE_NONE && !l->gates_without_x && l->cell_clip == 0 &&
               l->projection == 0 && !l->normalised;
  if (l->cell == MAREA_CELL_LSTM && !plain) return MAREA_PICK(marea_cell_lstm_forms);
  return cell_table(l->cell);
}

size_t marea_cell_gates(marea_cell cell) {
  const marea_cell_table *table = cell_table(cell);
  return table != NULL ? table->gates : 0;
}

size_t marea_cell_states(marea_cell cell) {
  const marea_cell_table *table = cell_table(cell);
  return table != NULL ? table->states : 0;
}

size_t marea_cell_gains(marea_cell cell) {
  const marea_cell_table *table = cell_table(cell);
  return table != NULL ? table->blocks : 0;
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

/* The forms that only cells with a cell state have, and their ranges. */
static marea_status check_forms(const marea_recurrent *l) {
  bool lstm = l->cell == MAREA_CELL_LSTM || l->cell == MAREA_CELL_LSTM_COUPLED;
  bool has = l->peephole != MAREA_PEEPHOLE_NONE || l->gates_without_x || l->cell_clip != 0 ||
             l->projection != 0;
  if (has && !lstm)
    return marea_fail(MAREA_RANGE, "recurrent layer: peepholes, gates without x, cell clip and "
                                   "projection are forms of the LSTM alone");
  if ((unsigned)l->peephole > MAREA_PEEPHOLE_FULL)
    return marea_fail(MAREA_RANGE, "recurrent layer: peephole %d, expected 0 to %d",
                      (int)l->peephole, MAREA_PEEPHOLE_FULL);
  if (l->projection > l->hidden)
    return marea_fail(MAREA_RANGE, "recurrent layer: projection to %zu, expected 1 to %zu units",
                      l->projection, l->hidden);
  if (!(l->cell_clip >= 0) || (l->normalised && !(l->epsilon > 0)))
    return marea_fail(MAREA_RANGE, "recurrent layer: cell clip %g and epsilon %g must be positive",
                      (double)l->cell_clip, (double)l->epsilon);
  for (int i = 0; i < MAREA_STATES_MAX; i++)
    if (!(l->zoneout[i] >= 0 && l->zoneout[i] <= 1))
      return marea_fail(MAREA_RANGE, "recurrent layer: zoneout %g, expected 0 to 1",
                        (double)l->zoneout[i]);
  return MAREA_OK;
}

static void set_sizes(recurrent_run *run, const marea_recurrent *layer) {
  size_t lanes = run->products->lanes;
  run->state = marea_recurrent_width(layer);
  run->padded = marea_round_up(layer->hidden, lanes);
  run->padded_state = marea_round_up(run->state, lanes);
  run->padded_input = marea_round_up(layer->input, lanes);
  run->input_blocks = layer->gates_without_x ? 1 : run->cell->gates;
  if (layer->normalised) run->norms = run->cell->blocks + run->cell->has_forms;
  run->as_is = !run->cell->has_forms && run->padded == layer->hidden &&
               layer->batch * layer->time <= FEW_STEPS;
  run->slice_rows = run->as_is ? layer->batch : slice_rows(layer);
  run->slices = (layer->batch + run->slice_rows - 1) / run->slice_rows;
  run->groups = run->slices < MAX_GROUPS ? run->slices : MAX_GROUPS;
  size_t block_steps = BLOCK_ROWS / run->slice_rows;
  if (block_steps > layer->time) block_steps = layer->time;
  run->block_rows = run->slice_rows * (block_steps > 0 ? block_steps : 1);
}

marea_status recurrent_run_init(recurrent_run *run, const marea_recurrent *layer, void *workspace,
                                size_t *bytes) {
  marea_status status = check_layer(layer);
  if (status == MAREA_OK) status = check_forms(layer);
  if (status != MAREA_OK) return status;
  memset(run, 0, sizeof *run);
  run->layer = layer;
  run->cell = layer_table(layer);
  run->products = MAREA_PICK(marea_products);
  run->keep_inputs = marea_activation_needs_input(layer->activation) ||
                     marea_activation_needs_input(layer->recurrent_activation);
  set_sizes(run, layer);
  if (!recurrent_lay_out(run, workspace, bytes))
    return marea_fail(MAREA_NOMEM,
                      "recurrent layer: workspace for (%zu, %zu, %zu) to %zu units "
                      "exceeds the address space",
                      layer->batch, layer->time, layer->input, layer->hidden);
  return MAREA_OK;
}

marea_status marea_recurrent_workspace(const marea_recurrent *layer, size_t *bytes) {
  recurrent_run run;
  return recurrent_run_init(&run, layer, NULL, bytes);
}

static void set_inputs(recurrent_run *run, const marea_recurrent_weights *weights,
                       const marea_recurrent_inputs *inputs) {
  run->weights = weights;
  run->inputs = inputs;
  for (size_t i = 0; i < run->cell->states; i++) run->zones[i] = run->layer->zoneout[i] > 0;
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
  set_inputs(&run, weights, inputs);
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
  set_inputs(&run, weights, inputs);
  run.output_gradients = output_gradients;
  run.gradients = gradients;
  recurrent_backward(&run);
  return MAREA_OK;
}

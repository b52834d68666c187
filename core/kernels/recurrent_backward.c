/* The recurrent layers, backward: slice by slice from the last step, the gates' gradients of a
 * block of steps are collected, then the block's products give the gradients of weights and
 * inputs; the groups' sums are added at the end. */
#include <string.h>

#include "base/threads.h"
#include "kernels/recurrent_driver.h"

enum { REDUCE_ROWS = 16 };

/* Packs the transpose of the first `blocks` blocks of a (rows, gates, H) weight matrix: (blocks
 * padded, rows). */
static void pack_transposed(const recurrent_run *run, marea_real *panels, const marea_real *w,
                            size_t rows, const unsigned char *gate_of, size_t blocks) {
  size_t hidden = run->layer->hidden, padded = run->padded, gates = run->cell->gates;
  size_t lanes = run->products->lanes, panel = PANEL_VECTORS * lanes;
  size_t columns = marea_round_up(rows, lanes);
  for (size_t start = 0; start < columns; start += panel) {
    size_t width = columns - start < panel ? columns - start : panel;
    memset(panels, 0, blocks * padded * width * sizeof *panels);
    for (size_t i = 0; i < blocks; i++)
      for (size_t l = 0; l < width && start + l < rows; l++) {
        const marea_real *from = w + ((start + l) * gates + gate_of[i]) * hidden;
        marea_real *to = panels + i * padded * width + l;
        for (size_t j = 0; j < hidden; j++) to[j * width] = from[j];
      }
    panels += blocks * padded * width;
  }
}

static void add_row(marea_real *to, const marea_real *from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] += from[i];
}

/* dh of each row += the gradients of all outputs that show its step s. */
static void add_output_gradients(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                                 const marea_step *step) {
  const marea_recurrent *layer = run->layer;
  const marea_recurrent_output_gradients *in = run->output_gradients;
  for (size_t r = 0; r < step->rows; r++) {
    size_t row = slice->first + r, b = run->order[row];
    size_t first = recurrent_p(run, row, s), end = recurrent_p(run, row, s + 1);
    if (layer->masked_output == MAREA_MASKED_ZERO) end = first + 1;
    marea_real *dh = step->dh + r * run->padded_state;
    for (size_t p = first; in->y != NULL && p < end; p++)
      add_row(dh, in->y + recurrent_place(layer, b, p), run->state);
    if (end == layer->time && in->y_last != NULL)
      add_row(dh, in->y_last + b * run->state, run->state);
  }
}

/* Where step s's states lie. */
static void place_states(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                         marea_step *step) {
  size_t padded = run->padded_state;
  step->h = s == 0 ? slice->scratch->initial[0] : run->h + slice->flat[s - 1] * padded;
  step->h_new = run->h + slice->flat[s] * padded;
  if (run->c != NULL) {
    step->c = s == 0 ? slice->scratch->initial[1] : run->c + slice->flat[s - 1] * run->padded;
    step->c_new = run->c + slice->flat[s] * run->padded;
  }
  recurrent_place_forms(run, slice, s, step);
}

/* One step of one slice: gradients of its gates, of the states before it. */
static void back_step(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                      marea_real *block_dh, marea_step *step) {
  marea_real *states[] = {step->dh, step->dc};
  step->rows = recurrent_active(slice, s);
  step->gates = run->gates + slice->flat[s] * run->cell->blocks * run->padded;
  place_states(run, slice, s, step);
  add_output_gradients(run, slice, s, step);
  for (int i = 0; i < MAREA_STATES_MAX; i++)
    if (run->zones[i]) recurrent_hold(run, slice, s, step->rows, i, states[i]);
  if (step->projection != NULL)
    memcpy(block_dh, step->dh, step->rows * run->padded_state * sizeof *block_dh);
  run->cell->backward(step);
  for (int i = 0; i < MAREA_STATES_MAX; i++)
    if (run->zones[i]) recurrent_give_back(run, slice, step->rows, i, states[i]);
}

/* Whether a new weight gradient of `blocks` blocks is written by the products of the first block of
 * steps (the last in time), not cleared and added to: where it lies as it is and no gate is
 * missing. */
static bool is_written(const recurrent_run *run, size_t blocks) {
  return run->as_is && blocks == run->cell->gates && run->counts[0] > 0;
}

static bool kernel_is_written(const recurrent_run *run) {
  return run->gradients->kernel_is_new && is_written(run, run->input_blocks);
}

static bool recurrent_kernel_is_written(const recurrent_run *run) {
  return run->gradients->recurrent_kernel_is_new && is_written(run, run->cell->recurrent_blocks);
}

/* Clears the new gradients that are added to. */
static void clear_weight_gradients(const recurrent_run *run) {
  size_t width = run->cell->gates * run->layer->hidden * sizeof(marea_real);
  const marea_recurrent_gradients *to = run->gradients;
  if (to->kernel_is_new && !kernel_is_written(run))
    memset(to->kernel, 0, run->layer->input * width);
  if (to->recurrent_kernel_is_new && !recurrent_kernel_is_written(run))
    memset(to->recurrent_kernel, 0, run->state * width);
}

/* A = x (rows, D) of the block: dK += A' dgates. */
static void add_kernel_gradient(const recurrent_run *run, const recurrent_slice *slice,
                                size_t first, size_t end) {
  size_t together = recurrent_inputs_together(run), input = run->layer->input;
  bool writes = end == slice->steps && kernel_is_written(run);
  const recurrent_scratch *scratch = slice->scratch;
  for (size_t i = 0; i < run->input_blocks; i += together) {
    size_t gate = run->cell->input_gate[i];
    recurrent_gather_x(run, slice, first, end, gate, scratch->block_x);
    marea_product p = {.m = input,
                       .n = together * run->padded,
                       .k = slice->flat[end] - slice->flat[first],
                       .a = scratch->block_x,
                       .a_row = 1,
                       .a_column = input,
                       .b = scratch->block_gates + i * run->padded,
                       .ldb = run->cell->blocks * run->padded,
                       .c = run->as_is ? run->gradients->kernel + gate * run->padded
                                       : scratch->dkernel + i * run->padded,
                       .ldc = (run->as_is ? run->cell->gates : run->input_blocks) * run->padded,
                       .accumulate = !writes};
    run->products->product(&p);
  }
}

/* h' of one flat row as the product of recurrent block `block` saw it. */
static void gather_state(const recurrent_run *run, const recurrent_slice *slice, size_t s, size_t r,
                         size_t block, marea_real *to) {
  size_t padded = run->padded_state, n = run->inputs->recurrent_dropout_gates;
  const marea_real *h =
      s == 0 ? slice->scratch->initial[0] + r * padded : run->h + (slice->flat[s - 1] + r) * padded;
  memcpy(to, h, padded * sizeof *to);
  if (run->inputs->recurrent_dropout != NULL) {
    size_t gate = n == 1 ? 0 : run->cell->recurrent_gate[block];
    const marea_real *m = slice->scratch->multipliers + (r * n + gate) * padded;
    for (size_t j = 0; j < padded; j++) to[j] *= m[j];
  }
  size_t reset_block = run->cell->reset_block;
  if (reset_block == 0 || block + 1 < run->cell->gates) return;
  const marea_real *reset =
      run->gates + ((slice->flat[s] + r) * run->cell->blocks + reset_block - 1) * padded;
  marea_real *spare = slice->scratch->step;
  if (run->keep_inputs) {
    marea_activate(run->layer->recurrent_activation, spare, reset, padded);
    reset = spare;
  }
  for (size_t j = 0; j < padded; j++) to[j] *= reset[j];
}

static void gather_states(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                          size_t end, size_t block) {
  marea_real *to = slice->scratch->block_h;
  for (size_t s = first; s < end; s++)
    for (size_t r = 0; r < recurrent_active(slice, s); r++, to += run->padded_state)
      gather_state(run, slice, s, r, block, to);
}

/* dU += H' dgates, with H the states before the block's steps. */
static void add_recurrent_gradient(const recurrent_run *run, const recurrent_slice *slice,
                                   size_t first, size_t end) {
  const recurrent_scratch *scratch = slice->scratch;
  bool writes = end == slice->steps && recurrent_kernel_is_written(run);
  for (size_t i = 0, together; i < run->cell->recurrent_blocks; i += together) {
    size_t gate = run->cell->recurrent_gate[i];
    size_t blocks = run->as_is ? run->cell->gates : run->cell->recurrent_blocks;
    together = recurrent_blocks_together(run, i);
    gather_states(run, slice, first, end, i);
    marea_product p = {.m = run->state,
                       .n = together * run->padded,
                       .k = slice->flat[end] - slice->flat[first],
                       .a = scratch->block_h,
                       .a_row = 1,
                       .a_column = run->padded_state,
                       .b = scratch->block_gates + (run->cell->recurrent_first + i) * run->padded,
                       .ldb = run->cell->blocks * run->padded,
                       .c = run->as_is ? run->gradients->recurrent_kernel + gate * run->padded
                                       : scratch->drecurrent + i * run->padded,
                       .ldc = blocks * run->padded,
                       .accumulate = !writes};
    run->products->product(&p);
  }
}

/* Whether every visible step's dx comes in one piece and nothing is there yet: it is written, not
 * added, and only rows with hidden steps are cleared before. */
static bool writes_dx(const recurrent_run *run) {
  return run->gradients->x_is_new && run->inputs->input_dropout == NULL && !run->as_is;
}

/* dx of the block's steps += block_dx through the multipliers of `gate`. */
static void scatter_dx(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                       size_t end, size_t gate) {
  const marea_recurrent *layer = run->layer;
  const marea_real *from = slice->scratch->block_dx, *m = run->inputs->input_dropout;
  size_t n = run->inputs->input_dropout_gates;
  bool writes = writes_dx(run);
  for (size_t s = first; s < end; s++)
    for (size_t r = 0; r < recurrent_active(slice, s); r++, from += run->padded_input) {
      size_t row = slice->first + r, b = run->order[row];
      size_t t = recurrent_time(layer, recurrent_p(run, row, s));
      marea_real *to = run->gradients->x + (b * layer->time + t) * layer->input;
      if (writes) {
        memcpy(to, from, layer->input * sizeof *to);
        continue;
      }
      if (m == NULL) {
        add_row(to, from, layer->input);
        continue;
      }
      const marea_real *row_m = m + (b * n + (n == 1 ? 0 : gate)) * layer->input;
      for (size_t i = 0; i < layer->input; i++) to[i] += from[i] * row_m[i];
    }
}

/* block_dx = dgates K' of input blocks [block, block + count); as_is of one of them. */
static void block_input_gradient(const recurrent_run *run, const recurrent_slice *slice,
                                 size_t rows, size_t block, size_t count) {
  const marea_real *dgates = slice->scratch->block_gates + block * run->padded;
  size_t width = run->cell->blocks * run->padded;
  if (run->as_is) {
    run->products->dots(slice->scratch->block_dx, run->padded_input, dgates, width,
                        run->weights->kernel + run->cell->input_gate[block] * run->padded,
                        run->cell->gates * run->padded, rows, run->layer->input, run->padded,
                        false);
    return;
  }
  marea_product p = {.m = rows,
                     .n = run->padded_input,
                     .k = count * run->padded,
                     .a = dgates,
                     .a_row = width,
                     .a_column = 1,
                     .b = run->kernel_back,
                     .packed_depth = run->input_blocks * run->padded,
                     .packed_start = block * run->padded,
                     .c = slice->scratch->block_dx,
                     .ldc = run->padded_input};
  run->products->product(&p);
}

static void add_input_gradient(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                               size_t end) {
  size_t together = recurrent_inputs_together(run), rows = slice->flat[end] - slice->flat[first];
  for (size_t i = 0; i < run->input_blocks; i += together) {
    block_input_gradient(run, slice, rows, i, together);
    scatter_dx(run, slice, first, end, run->cell->input_gate[i]);
  }
}

static void finish_block(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                         size_t end) {
  size_t width = run->cell->blocks * run->padded;
  bool distinct = recurrent_is_distinct(run);
  if (!distinct && run->gradients->kernel != NULL) add_kernel_gradient(run, slice, first, end);
  if (run->gradients->recurrent_kernel != NULL) add_recurrent_gradient(run, slice, first, end);
  recurrent_add_forms(run, slice, first, end);
  if (run->gradients->bias != NULL && run->norms == 0)
    run->products->sum_rows(slice->scratch->dbias, slice->scratch->block_gates, width,
                            slice->flat[end] - slice->flat[first], width);
  if (distinct)
    recurrent_keep_gate_gradients(run, slice, first, end);
  else if (run->gradients->x != NULL)
    add_input_gradient(run, slice, first, end);
}

static size_t block_start(const recurrent_run *run, const recurrent_slice *slice, size_t end) {
  size_t first = end - 1;
  while (first > 0 && slice->flat[end] - slice->flat[first - 1] <= run->block_rows) first--;
  return first;
}

static void add_initial(const recurrent_run *run, const recurrent_slice *slice, int which,
                        const marea_real *from) {
  marea_real *to = run->gradients->initial[which];
  size_t width = recurrent_width(run, which), padded = recurrent_padded(run, which);
  for (size_t r = 0; to != NULL && r < slice->rows; r++)
    add_row(to + run->order[slice->first + r] * width, from + r * padded, width);
}

/* The slice's states around its steps, and the step's fields that stay. */
static marea_step start_slice(const recurrent_run *run, const recurrent_slice *slice) {
  recurrent_scratch *scratch = slice->scratch;
  for (int i = 0; i < MAREA_STATES_MAX; i++) {
    recurrent_gather_initial(run, slice, i, run->inputs->initial[i], scratch->initial[i]);
    recurrent_gather_initial(run, slice, i, run->output_gradients->last[i],
                             i == 0 ? scratch->h[0] : scratch->c);
  }
  recurrent_gather_multipliers(run, slice);
  marea_step step = recurrent_step(run, slice);
  if (!run->as_is) step.panels = run->recurrent_back;
  step.dh = scratch->h[0];
  step.dc = scratch->c;
  step.norm.dgain = scratch->dgain;
  step.norm.dbias = scratch->dbias;
  memcpy(step.dpeephole, scratch->dpeephole, sizeof step.dpeephole);
  return step;
}

static void run_slice(const recurrent_run *run, const recurrent_slice *slice) {
  recurrent_scratch *scratch = slice->scratch;
  size_t width = run->cell->blocks * run->padded;
  marea_step step = start_slice(run, slice);
  for (size_t end = slice->steps, first; end > 0; end = first) {
    first = block_start(run, slice, end);
    for (size_t s = end; s-- > first;) {
      size_t row = slice->flat[s] - slice->flat[first];
      step.dgates = scratch->block_gates + row * width;
      back_step(run, slice, s,
                scratch->block_dh != NULL ? scratch->block_dh + row * run->padded_state : NULL,
                &step);
    }
    finish_block(run, slice, first, end);
  }
  add_initial(run, slice, 0, step.dh);
  if (run->cell->states > 1) add_initial(run, slice, 1, step.dc);
}

static void clear_input_gradient(const recurrent_run *run, const recurrent_slice *slice) {
  size_t row = run->layer->time * run->layer->input;
  for (size_t r = slice->first; r < slice->first + slice->rows; r++)
    if (!writes_dx(run) || run->counts[r] < run->layer->time)
      memset(run->gradients->x + run->order[r] * row, 0, row * sizeof(marea_real));
}

static void run_group(void *context, size_t group) {
  recurrent_run *run = context;
  recurrent_scratch *scratch = &run->scratch[group];
  size_t block = run->padded * sizeof(marea_real);
  if (!run->as_is) {
    memset(scratch->dkernel, 0, run->layer->input * run->input_blocks * block);
    memset(scratch->drecurrent, 0, run->state * run->cell->recurrent_blocks * block);
  }
  memset(scratch->dbias, 0, (run->cell->blocks + 1) * block);
  recurrent_clear_forms(run, scratch);
  for (size_t i = group; i < run->slices; i += run->groups) {
    recurrent_slice slice = recurrent_slice_of(run, i, group);
    if (run->gradients->x != NULL && run->gradients->x_is_new) clear_input_gradient(run, &slice);
    run_slice(run, &slice);
  }
}

/* Row `row` of a weight gradient += the groups' sums, blocks back in the weights' order. */
static void reduce_row(const recurrent_run *run, marea_real *to, size_t row,
                       const unsigned char *gate_of, bool is_kernel) {
  size_t gates = run->cell->gates, hidden = run->layer->hidden, padded = run->padded;
  size_t blocks = is_kernel ? run->input_blocks : run->cell->recurrent_blocks;
  for (size_t g = 0; g < run->groups; g++) {
    const recurrent_scratch *scratch = &run->scratch[g];
    const marea_real *sums = is_kernel ? scratch->dkernel : scratch->drecurrent;
    for (size_t i = 0; i < blocks; i++)
      add_row(to + (row * gates + gate_of[i]) * hidden, sums + (row * blocks + i) * padded, hidden);
  }
}

static void reduce_piece(void *context, size_t piece) {
  const recurrent_run *run = context;
  size_t input = run->layer->input, end = (piece + 1) * REDUCE_ROWS;
  if (end > input + run->state) end = input + run->state;
  for (size_t row = piece * REDUCE_ROWS; row < end; row++) {
    if (row < input && run->gradients->kernel != NULL)
      reduce_row(run, run->gradients->kernel, row, run->cell->input_gate, true);
    if (row >= input && run->gradients->recurrent_kernel != NULL)
      reduce_row(run, run->gradients->recurrent_kernel, row - input, run->cell->recurrent_gate,
                 false);
  }
}

static void reduce_bias(const recurrent_run *run) {
  const marea_cell_table *cell = run->cell;
  size_t hidden = run->layer->hidden, gates = cell->gates;
  size_t rows = marea_cell_biases(run->layer->cell, 1) / gates;
  for (size_t g = 0; g < run->groups; g++)
    for (size_t row = 0; row < rows; row++)
      for (size_t i = 0; i < gates; i++) {
        size_t gate = row == 0 ? cell->input_gate[i] : cell->recurrent_gate[i];
        size_t block = row == 0 ? i : cell->recurrent_first + i;
        add_row(run->gradients->bias + (row * gates + gate) * hidden,
                run->scratch[g].dbias + block * run->padded, hidden);
      }
}

static void pack_weights_back(recurrent_run *run) {
  recurrent_pack_forms_back(run);
  if (run->as_is) return;
  if (run->gradients->x != NULL || run->gradients->distinct != NULL)
    pack_transposed(run, run->kernel_back, run->weights->kernel, run->layer->input,
                    run->cell->input_gate, run->input_blocks);
  pack_transposed(run, run->recurrent_back, run->weights->recurrent_kernel, run->state,
                  run->cell->recurrent_gate, run->cell->recurrent_blocks);
}

void recurrent_backward(recurrent_run *run) {
  size_t rows = run->layer->input + run->state;
  pack_weights_back(run);
  clear_weight_gradients(run);
  marea_parallel(run->groups, run_group, run);
  recurrent_back_distinct(run);
  if (!run->as_is) marea_parallel(marea_pieces(rows, REDUCE_ROWS), reduce_piece, run);
  if (run->gradients->bias != NULL) reduce_bias(run);
  recurrent_reduce_forms(run);
}

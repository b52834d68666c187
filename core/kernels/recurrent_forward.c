/* The recurrent layers, forward: pack the weights, then slice by slice: gather and project a block
 * of steps, walk through it step by step, hand out the outputs. */
#include <string.h>

#include "base/threads.h"
#include "kernels/recurrent_driver.h"

/* Packs a (rows, gates, H) weight matrix, blocks [first, first + count) of `gate_of` side by side
 * in one set of panels for each product. */
static void pack_blocks(const recurrent_run *run, marea_real *panels, const marea_real *w,
                        size_t rows, const unsigned char *gate_of, size_t first, size_t count) {
  size_t hidden = run->layer->hidden, padded = run->padded, width = run->cell->gates * hidden;
  size_t lanes = run->products->lanes, panel = PANEL_VECTORS * lanes;
  marea_real *to = panels + first * rows * padded;
  for (size_t start = 0; start < count * padded; start += panel) {
    size_t columns = count * padded - start < panel ? count * padded - start : panel;
    for (size_t l = 0; l < columns; l += lanes) {
      size_t column = start + l, unit = column % padded, gate = gate_of[first + column / padded];
      size_t live = hidden > unit ? hidden - unit : 0;
      if (live > lanes) live = lanes;
      for (size_t i = 0; i < rows; i++) {
        marea_real *lane = to + i * columns + l;
        memcpy(lane, w + i * width + gate * hidden + unit, live * sizeof *lane);
        memset(lane + live, 0, (lanes - live) * sizeof *lane);
      }
    }
    to += rows * columns;
  }
}

static void pack_bias(const recurrent_run *run) {
  size_t gates = run->cell->gates, hidden = run->layer->hidden;
  size_t rows = marea_cell_biases(run->layer->cell, 1) / gates;
  memset(run->bias, 0, 2 * gates * run->padded * sizeof *run->bias);
  if (run->weights->bias == NULL) return;
  for (size_t row = 0; row < rows; row++)
    for (size_t i = 0; i < gates; i++) {
      const unsigned char *gate_of = row == 0 ? run->cell->input_gate : run->cell->recurrent_gate;
      memcpy(run->bias + (row * gates + i) * run->padded,
             run->weights->bias + (row * gates + gate_of[i]) * hidden, hidden * sizeof *run->bias);
    }
}

static void pack_weights(recurrent_run *run) {
  pack_bias(run);
  recurrent_pack_forms(run);
  if (run->as_is) return;
  size_t together = recurrent_inputs_together(run);
  for (size_t i = 0; i < run->input_blocks; i += together)
    pack_blocks(run, run->kernel, run->weights->kernel, run->layer->input, run->cell->input_gate, i,
                together);
  for (size_t i = 0; i < run->cell->recurrent_blocks; i += together) {
    together = recurrent_blocks_together(run, i);
    pack_blocks(run, run->recurrent, run->weights->recurrent_kernel, run->state,
                run->cell->recurrent_gate, i, together);
  }
}

/* Zeros in the blocks of the gates that x does not reach. */
static void clear_unreached(const recurrent_run *run, marea_real *gates, size_t rows) {
  size_t reached = run->input_blocks * run->padded, width = run->cell->gates * run->padded;
  for (size_t r = 0; reached < width && r < rows; r++)
    memset(gates + r * run->cell->blocks * run->padded + reached, 0,
           (width - reached) * sizeof *gates);
}

/* gates of the flat rows of steps [first, end) = x K, blocks in the input's order. */
static void project(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                    size_t end, marea_real *gates) {
  size_t together = recurrent_inputs_together(run), input = run->layer->input;
  size_t width = run->cell->gates * run->padded;
  clear_unreached(run, gates, slice->flat[end] - slice->flat[first]);
  if (recurrent_is_distinct(run)) {
    recurrent_copy_projected(run, slice->flat[first], slice->flat[end], gates);
    return;
  }
  for (size_t i = 0; i < run->input_blocks; i += together) {
    recurrent_gather_x(run, slice, first, end, run->cell->input_gate[i], slice->scratch->block_x);
    marea_product p = {.m = slice->flat[end] - slice->flat[first],
                       .n = together * run->padded,
                       .k = input,
                       .a = slice->scratch->block_x,
                       .a_row = input,
                       .a_column = 1,
                       .b = run->as_is
                                ? run->weights->kernel + run->cell->input_gate[i] * run->padded
                                : run->kernel + i * input * run->padded,
                       .ldb = width,
                       .packed_depth = run->as_is ? 0 : input,
                       .c = gates + i * run->padded,
                       .ldc = run->cell->blocks * run->padded};
    run->products->product(&p);
  }
}

static void write_row(marea_real *to, const marea_real *from, size_t n) {
  if (from != NULL)
    memcpy(to, from, n * sizeof *to);
  else
    memset(to, 0, n * sizeof *to);
}

/* Outputs of sorted row `row` at p in [first, end): h at the first, by the mask's rule behind. */
static void write_outputs(const recurrent_run *run, size_t row, size_t first, size_t end,
                          const marea_real *h) {
  const marea_recurrent *layer = run->layer;
  size_t b = run->order[row];
  for (size_t p = first; p < end; p++) {
    if (p > first && layer->masked_output == MAREA_MASKED_ZERO) h = NULL;
    if (run->outputs->y != NULL)
      write_row(run->outputs->y + recurrent_place(layer, b, p), h, run->state);
    if (p == layer->time - 1 && run->outputs->y_last != NULL)
      write_row(run->outputs->y_last + b * run->state, h, run->state);
  }
}

static void write_last(const recurrent_run *run, size_t row, const marea_real *h,
                       const marea_real *c) {
  size_t hidden = run->layer->hidden, b = run->order[row];
  if (run->outputs->last[0] != NULL)
    write_row(run->outputs->last[0] + b * run->state, h, run->state);
  if (run->outputs->last[1] != NULL && run->cell->states > 1)
    write_row(run->outputs->last[1] + b * hidden, c, hidden);
}

/* What the rows show after step s, with states h and c: outputs up to their next step, states
 * where they end. */
static void hand_out(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                     const marea_real *h, const marea_real *c) {
  bool outputs = run->outputs->y != NULL;
  for (size_t r = 0; r < recurrent_active(slice, s); r++, h += run->padded_state) {
    size_t row = slice->first + r;
    bool ends = s + 1 == run->counts[row];
    if (outputs || ends)
      write_outputs(run, row, recurrent_p(run, row, s), recurrent_p(run, row, s + 1), h);
    if (ends) write_last(run, row, h, c + r * run->padded);
  }
}

/* Zeros before the rows' first steps; the states of rows without any. */
static void start_rows(const recurrent_run *run, const recurrent_slice *slice) {
  for (size_t r = 0; r < slice->rows; r++) {
    size_t row = slice->first + r;
    write_outputs(run, row, 0, recurrent_p(run, row, 0), NULL);
    if (run->counts[row] == 0)
      write_last(run, row, slice->scratch->initial[0] + r * run->padded_state,
                 slice->scratch->initial[1] + r * run->padded);
  }
}

/* The cell states after step s. */
static marea_real *cell_states(const recurrent_run *run, const recurrent_slice *slice, size_t s) {
  return run->c != NULL ? run->c + slice->flat[s] * run->padded : slice->scratch->c;
}

/* Where the states of step s come from and go to. */
static void place_states(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                         marea_step *step) {
  recurrent_scratch *scratch = slice->scratch;
  step->h = s == 0 ? scratch->initial[0] : step->h_new;
  step->c = s == 0 ? scratch->initial[1] : cell_states(run, slice, s - 1);
  step->h_new = run->layer->keep ? run->h + slice->flat[s] * run->padded_state : scratch->h[s % 2];
  step->c_new = cell_states(run, slice, s);
  recurrent_place_forms(run, slice, s, step);
}

static void forward_step(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                         marea_step *step) {
  marea_real *c = cell_states(run, slice, s);
  step->rows = recurrent_active(slice, s);
  place_states(run, slice, s, step);
  run->cell->forward(step);
  if (run->zones[0]) recurrent_zone(run, slice, s, step, 0, step->h_new);
  if (run->zones[1]) recurrent_zone(run, slice, s, step, 1, c);
  hand_out(run, slice, s, step->h_new, c);
}

static void run_slice(const recurrent_run *run, const recurrent_slice *slice) {
  size_t width = run->cell->blocks * run->padded;
  for (int i = 0; i < MAREA_STATES_MAX; i++)
    recurrent_gather_initial(run, slice, i, run->inputs->initial[i], slice->scratch->initial[i]);
  recurrent_gather_multipliers(run, slice);
  start_rows(run, slice);
  marea_step step = recurrent_step(run, slice);
  for (size_t first = 0, end; first < slice->steps; first = end) {
    end = recurrent_block_end(run, slice, first);
    marea_real *gates =
        run->layer->keep ? run->gates + slice->flat[first] * width : slice->scratch->block_gates;
    project(run, slice, first, end, gates);
    for (size_t s = first; s < end; s++) {
      step.gates = gates + (slice->flat[s] - slice->flat[first]) * width;
      forward_step(run, slice, s, &step);
    }
  }
}

static void run_group(void *context, size_t group) {
  recurrent_run *run = context;
  for (size_t i = group; i < run->slices; i += run->groups) {
    recurrent_slice slice = recurrent_slice_of(run, i, group);
    run_slice(run, &slice);
  }
}

void recurrent_forward(recurrent_run *run) {
  pack_weights(run);
  recurrent_project_distinct(run);
  marea_parallel(run->groups, run_group, run);
}

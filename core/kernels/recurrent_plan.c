/* The recurrent layers' plan (see recurrent_driver.h) and what both directions gather by it. */
#include <string.h>

#include "kernels/recurrent_driver.h"

static bool is_visible(const recurrent_run *run, size_t b, size_t p) {
  size_t t = recurrent_time(run->layer, p);
  return run->inputs->mask[b * run->layer->time + t] != 0;
}

static size_t count_visible(const recurrent_run *run, size_t b) {
  size_t count = 0;
  for (size_t t = 0; t < run->layer->time; t++)
    count += run->inputs->mask[b * run->layer->time + t] != 0;
  return count;
}

static void list_steps(recurrent_run *run, size_t row) {
  uint32_t *steps = run->steps + row * run->layer->time;
  size_t count = 0;
  for (size_t p = 0; p < run->layer->time; p++)
    if (is_visible(run, run->order[row], p)) steps[count++] = (uint32_t)p;
}

/* Merges two sorted runs of `from` into `to`, longer rows first, equal ones in their order. */
static void merge(size_t *to, const size_t *from, size_t middle, size_t end, const size_t *length) {
  size_t i = 0, j = middle;
  for (size_t k = 0; k < end; k++) {
    bool left = j >= end || (i < middle && length[from[i]] >= length[from[j]]);
    to[k] = left ? from[i++] : from[j++];
  }
}

/* Stable merge sort of `order` by falling length[…]; `spare` has the same size. */
static void sort_rows(size_t *order, size_t *spare, size_t n, const size_t *length) {
  for (size_t i = 0; i < n; i++) order[i] = i;
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t start = 0; start < n; start += 2 * width) {
      size_t end = n - start < 2 * width ? n - start : 2 * width;
      merge(spare + start, order + start, width < end ? width : end, end, length);
    }
    memcpy(order, spare, n * sizeof *order);
  }
}

static void plan_masked(recurrent_run *run) {
  size_t batch = run->layer->batch;
  size_t *length = run->counts, *spare = run->spare;
  for (size_t b = 0; b < batch; b++) length[b] = count_visible(run, b);
  sort_rows(run->order, spare, batch, length);
  for (size_t row = 0; row < batch; row++) spare[row] = length[run->order[row]];
  memcpy(run->counts, spare, batch * sizeof *spare);
  for (size_t row = 0; row < batch; row++) list_steps(run, row);
}

static void plan_plain(recurrent_run *run) {
  for (size_t row = 0; row < run->layer->batch; row++) {
    run->order[row] = row;
    run->counts[row] = run->layer->time;
  }
}

static size_t rows_of_slice(const recurrent_run *run, size_t slice) {
  size_t left = run->layer->batch - slice * run->slice_rows;
  return left < run->slice_rows ? left : run->slice_rows;
}

void recurrent_plan(recurrent_run *run) {
  if (run->inputs->mask != NULL)
    plan_masked(run);
  else
    plan_plain(run);
  size_t next = 0;
  for (size_t slice = 0; slice < run->slices; slice++) {
    size_t *flat = run->flat + slice * (run->layer->time + 1);
    const size_t *counts = run->counts + slice * run->slice_rows;
    size_t active = rows_of_slice(run, slice);
    for (size_t s = 0; s <= run->layer->time; s++) {
      flat[s] = next;
      while (active > 0 && counts[active - 1] <= s) active--;
      next += active;
    }
  }
}

recurrent_slice recurrent_slice_of(recurrent_run *run, size_t slice, size_t group) {
  size_t first = slice * run->slice_rows;
  return (recurrent_slice){first, rows_of_slice(run, slice), run->counts[first],
                           run->flat + slice * (run->layer->time + 1), &run->scratch[group]};
}

size_t recurrent_block_end(const recurrent_run *run, const recurrent_slice *slice, size_t step) {
  size_t end = step + 1;
  while (end < slice->steps && slice->flat[end + 1] - slice->flat[step] <= run->block_rows) end++;
  return end;
}

static void gather_row(marea_real *to, const marea_real *from, const marea_real *multipliers,
                       size_t n) {
  if (multipliers == NULL) {
    memcpy(to, from, n * sizeof *to);
    return;
  }
  for (size_t i = 0; i < n; i++) to[i] = from[i] * multipliers[i];
}

void recurrent_gather_x(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                        size_t end, size_t gate, marea_real *x) {
  const marea_recurrent *layer = run->layer;
  const marea_recurrent_inputs *in = run->inputs;
  size_t n = in->input_dropout_gates;
  for (size_t s = first; s < end; s++)
    for (size_t r = 0; r < recurrent_active(slice, s); r++, x += layer->input) {
      size_t row = slice->first + r, b = run->order[row];
      size_t t = recurrent_time(layer, recurrent_p(run, row, s));
      const marea_real *m = in->input_dropout;
      if (m != NULL) m += (b * n + (n == 1 ? 0 : gate)) * layer->input;
      gather_row(x, in->x + (b * layer->time + t) * layer->input, m, layer->input);
    }
}

void recurrent_gather_initial(const recurrent_run *run, const recurrent_slice *slice, int which,
                              const marea_real *state, marea_real *rows) {
  size_t width = recurrent_width(run, which), padded = recurrent_padded(run, which);
  memset(rows, 0, slice->rows * padded * sizeof *rows);
  for (size_t r = 0; state != NULL && r < slice->rows; r++)
    memcpy(rows + r * padded, state + run->order[slice->first + r] * width, width * sizeof *rows);
}

void recurrent_gather_multipliers(const recurrent_run *run, const recurrent_slice *slice) {
  if (run->inputs->recurrent_dropout == NULL) return;
  size_t width = run->state, n = run->inputs->recurrent_dropout_gates;
  marea_real *to = slice->scratch->multipliers;
  memset(to, 0, slice->rows * n * run->padded_state * sizeof *to);
  for (size_t r = 0; r < slice->rows; r++)
    for (size_t g = 0; g < n; g++, to += run->padded_state)
      memcpy(to, run->inputs->recurrent_dropout + (run->order[slice->first + r] * n + g) * width,
             width * sizeof *to);
}

marea_step recurrent_step(const recurrent_run *run, const recurrent_slice *slice) {
  const marea_recurrent *layer = run->layer;
  return (marea_step){
      .hidden = layer->hidden,
      .padded = run->padded,
      .state = run->state,
      .padded_state = run->padded_state,
      .activation = layer->activation,
      .recurrent_activation = layer->recurrent_activation,
      .keep_inputs = run->keep_inputs,
      .z_writes = layer->z_writes,
      .cell_clip = layer->cell_clip,
      .peephole_full = layer->peephole == MAREA_PEEPHOLE_FULL,
      .peephole_on_old = layer->peephole_on_old,
      .bias = run->bias,
      .panels = run->as_is ? run->weights->recurrent_kernel : run->recurrent,
      .panels_ld = run->as_is ? run->cell->gates * layer->hidden : 0,
      .multipliers = run->inputs->recurrent_dropout != NULL ? slice->scratch->multipliers : NULL,
      .multiplier_gates = run->inputs->recurrent_dropout_gates,
      .scratch = slice->scratch->step};
}

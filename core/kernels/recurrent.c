/* The driver of recurrent.h: cuts the batch into slices and takes each through time. */
#include "kernels/recurrent.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/gemm.h"
#include "kernels/recurrent_slice.h"

static const recurrent_cell *const CELLS[MAREA_CELL_COUNT] = {
    &recurrent_cell_rnn, &recurrent_cell_lstm, &recurrent_cell_gru, &recurrent_cell_gru_before};

size_t marea_cell_gates(marea_cell cell) {
  return cell < MAREA_CELL_COUNT ? CELLS[cell]->gates : 0;
}

size_t marea_cell_states(marea_cell cell) {
  return cell < MAREA_CELL_COUNT ? CELLS[cell]->states : 0;
}

size_t marea_cell_biases(marea_cell cell, size_t hidden) {
  return cell < MAREA_CELL_COUNT ? CELLS[cell]->biases_a_unit * hidden : 0;
}

/* ---- planning ---- */

/* Enough rows for efficient products, few enough that two threads share a batch of 32. */
static size_t rows_a_slice(size_t B, size_t H) {
  if (H >= 256 && B > 32) return B > 64 ? 64 : 32;
  if (B <= 8) return B;
  if (B <= 64) return 16;
  return 32;
}

/* The weights' transposes and the order of rows, shared by all slices, in elements. */
static size_t shared_elements(const marea_recurrent *layer, const recurrent_plan *p) {
  return p->width * (layer->input + layer->hidden);
}

static size_t partial_elements(const marea_recurrent *layer, const recurrent_plan *p) {
  return p->width * (layer->input + layer->hidden) + p->biases;
}

static size_t elements_a_slice(const marea_recurrent *layer, const recurrent_plan *p) {
  size_t D = layer->input, H = layer->hidden, m = p->slice_rows;
  size_t kept = p->span * m * (p->width + p->extra) + p->states * (p->span + 1) * m * H;
  size_t blocks = p->block * m * (2 * D + H);
  return kept + blocks + 3 * m * H + 2 * p->width + partial_elements(layer, p);
}

static marea_status check_layer(const marea_recurrent *layer) {
  if (layer->cell >= MAREA_CELL_COUNT)
    return marea_fail(MAREA_RANGE, "unknown recurrent cell %d", (int)layer->cell);
  if (layer->batch == 0 || layer->time == 0 || layer->input == 0 || layer->hidden == 0)
    return marea_fail(MAREA_RANGE, "%s: batch, time, input and units are at least 1",
                      CELLS[layer->cell]->name);
  const marea_activation used[] = {layer->activation, layer->recurrent_activation};
  for (int i = 0; i < 2; i++)
    if (used[i] >= MAREA_ACTIVATION_COUNT || marea_activation_needs_input(used[i]))
      return marea_fail(MAREA_RANGE, "%s cannot use the activation %s", CELLS[layer->cell]->name,
                        used[i] >= MAREA_ACTIVATION_COUNT ? "?" : marea_activation_name(used[i]));
  return MAREA_OK;
}

static marea_status make_plan(const marea_recurrent *layer, recurrent_plan *p) {
  marea_status status = check_layer(layer);
  if (status != MAREA_OK) return status;
  const recurrent_cell *cell = CELLS[layer->cell];
  size_t H = layer->hidden;
  double estimate = ((double)layer->time + 64) * ((double)layer->batch + 64) *
                    ((double)layer->input + 16 * (double)H + 64) * 8;
  estimate += 64.0 * (double)H * ((double)layer->input + (double)H) * ((double)layer->batch + 1);
  if (estimate > (double)(PTRDIFF_MAX / 16))
    return marea_fail(MAREA_NOMEM, "%s: the layer needs more memory than can be addressed",
                      cell->name);
  *p = (recurrent_plan){.gates = cell->gates,
                        .states = cell->states,
                        .biases = cell->biases_a_unit * H,
                        .extra = cell->extra_a_unit * H,
                        .width = cell->gates * H,
                        .slice_rows = rows_a_slice(layer->batch, H)};
  p->slices = marea_pieces(layer->batch, p->slice_rows);
  p->block = 512 / p->slice_rows;
  if (p->block > layer->time) p->block = layer->time;
  p->span = layer->keep ? layer->time : p->block;
  size_t unit = MAREA_ALIGNMENT / sizeof(marea_real);
  p->slice_elements = (elements_a_slice(layer, p) + 16 * unit) / unit * unit;
  p->bytes = (p->slices * p->slice_elements + shared_elements(layer, p)) * sizeof(marea_real) +
             2 * layer->batch * sizeof(size_t) + 2 * MAREA_ALIGNMENT;
  return MAREA_OK;
}

marea_status marea_recurrent_workspace(const marea_recurrent *layer, size_t *bytes) {
  recurrent_plan plan;
  marea_status status = make_plan(layer, &plan);
  if (status == MAREA_OK) *bytes = plan.bytes;
  return status;
}

/* ---- one call ---- */

typedef struct call {
  const marea_recurrent *layer;
  recurrent_plan plan;
  const marea_recurrent_weights *weights;
  const marea_recurrent_inputs *inputs;
  const marea_recurrent_outputs *outputs;
  const marea_recurrent_output_gradients *output_gradients;
  const marea_recurrent_gradients *gradients;
  size_t *order, *first; /* (B): rows sorted by first visible step; that step, in sorted order */
  marea_real *shared, *slices;
} call;

static void lay_out_call(call *k, void *workspace) {
  size_t B = k->layer->batch;
  k->slices = workspace;
  k->shared = k->slices + k->plan.slices * k->plan.slice_elements;
  char *after = (char *)(k->shared + shared_elements(k->layer, &k->plan));
  size_t misfit = (size_t)((uintptr_t)after % sizeof(size_t));
  k->order = (size_t *)(void *)(after + (misfit ? sizeof(size_t) - misfit : 0));
  k->first = k->order + B;
}

static marea_real *take(marea_real **free_space, size_t elements) {
  marea_real *taken = *free_space;
  *free_space += elements;
  return taken;
}

static recurrent_slice open_slice(const call *k, size_t number) {
  const recurrent_plan *p = &k->plan;
  size_t D = k->layer->input, H = k->layer->hidden, m = p->slice_rows;
  size_t first_row = number * m;
  recurrent_slice s = {.layer = k->layer,
                       .plan = p,
                       .weights = k->weights,
                       .inputs = k->inputs,
                       .simd = marea_simd_get(),
                       .order = k->order + first_row,
                       .first = k->first + first_row,
                       .rows = k->layer->batch - first_row < m ? k->layer->batch - first_row : m};
  marea_real *space = k->slices + number * p->slice_elements;
  s.gates = take(&space, p->span * m * p->width);
  s.extra = take(&space, p->span * m * p->extra);
  s.h = take(&space, (p->span + 1) * m * H);
  s.c = p->states > 1 ? take(&space, (p->span + 1) * m * H) : NULL;
  s.x_block = take(&space, p->block * m * D);
  s.dx_block = take(&space, p->block * m * D);
  s.h_block = take(&space, p->block * m * H);
  s.dh = take(&space, m * H);
  s.dh_next = take(&space, m * H);
  s.dc = take(&space, m * H);
  s.row = take(&space, 2 * p->width);
  s.d_kernel = take(&space, D * p->width);
  s.d_recurrent = take(&space, H * p->width);
  s.d_bias = take(&space, p->biases);
  s.kernel_back = k->shared;
  s.recurrent_back = k->shared + D * p->width;
  return s;
}

/* ---- masks and order ---- */

/* The time of x that step p of the processing reads. */
static size_t source_time(const marea_recurrent *layer, size_t p) {
  return layer->backwards ? layer->time - 1 - p : p;
}

static bool is_visible(const recurrent_slice *s, size_t row, size_t p) {
  const unsigned char *mask = s->inputs->mask;
  return mask == NULL || mask[s->order[row] * s->layer->time + source_time(s->layer, p)] != 0;
}

/* Fills `visible`; returns how many rows are. */
static size_t visible_rows(const recurrent_slice *s, size_t p, unsigned char *visible) {
  size_t count = 0;
  for (size_t r = 0; r < s->rows; r++) count += visible[r] = is_visible(s, r, p);
  return count;
}

typedef struct extent {
  size_t first, last, row;
} extent;

static int compare_extents(const void *left, const void *right) {
  const extent *a = left, *b = right;
  if (a->first != b->first) return a->first < b->first ? -1 : 1;
  if (a->last != b->last) return a->last < b->last ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

static extent extent_of(const call *k, size_t row) {
  size_t T = k->layer->time;
  extent e = {T, 0, row};
  for (size_t p = 0; p < T; p++) {
    if (k->inputs->mask[row * T + source_time(k->layer, p)] == 0) continue;
    if (e.first == T) e.first = p;
    e.last = p;
  }
  return e;
}

/* Rows whose visible steps lie alike share a slice, so that a slice can skip hidden steps. */
static marea_status order_rows(call *k) {
  size_t B = k->layer->batch;
  for (size_t i = 0; i < B; i++) k->order[i] = i, k->first[i] = 0;
  if (k->inputs->mask == NULL) return MAREA_OK;
  extent *extents = marea_alloc_array(B, sizeof *extents);
  if (extents == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < B; i++) extents[i] = extent_of(k, i);
  qsort(extents, B, sizeof *extents, compare_extents);
  for (size_t i = 0; i < B; i++) k->order[i] = extents[i].row, k->first[i] = extents[i].first;
  marea_free(extents);
  return MAREA_OK;
}

/* ---- products with dropout ---- */

const marea_real *recurrent_dropout_row(const recurrent_slice *s, size_t row, size_t gate) {
  const marea_real *all = s->inputs->recurrent_dropout;
  size_t gates = s->inputs->recurrent_dropout_gates;
  if (all == NULL) return NULL;
  return all + (s->order[row] * gates + (gates > 1 ? gate : 0)) * s->layer->hidden;
}

static const marea_real *input_dropout_row(const recurrent_slice *s, size_t row, size_t gate) {
  const marea_real *all = s->inputs->input_dropout;
  size_t gates = s->inputs->input_dropout_gates;
  return all + (s->order[row] * gates + (gates > 1 ? gate : 0)) * s->layer->input;
}

/* How many gates share one product: all of them, unless each has dropout of its own. */
static size_t gates_together(const marea_real *dropout, size_t dropout_gates, size_t gates) {
  return dropout != NULL && dropout_gates > 1 ? 1 : gates;
}

void recurrent_multiply(recurrent_slice *s, const marea_real *h, marea_real *to, size_t first_gate,
                        size_t last_gate) {
  size_t H = s->layer->hidden, width = s->plan->width;
  size_t step = gates_together(s->inputs->recurrent_dropout, s->inputs->recurrent_dropout_gates,
                               last_gate - first_gate);
  for (size_t g = first_gate; g < last_gate; g += step) {
    const marea_real *from = h;
    if (s->inputs->recurrent_dropout != NULL) {
      for (size_t r = 0; r < s->rows; r++) {
        const marea_real *keep = recurrent_dropout_row(s, r, g);
        for (size_t j = 0; j < H; j++) s->h_block[r * H + j] = h[r * H + j] * keep[j];
      }
      from = s->h_block;
    }
    marea_gemm(false, false, s->rows, step * H, H, 1, from, H, s->weights->recurrent_kernel + g * H,
               width, 1, to + g * H, width);
  }
}

void recurrent_multiply_back(recurrent_slice *s, const marea_real *d, marea_real *dh,
                             size_t first_gate, size_t last_gate) {
  size_t H = s->layer->hidden, width = s->plan->width;
  const marea_real *dropout = s->inputs->recurrent_dropout;
  size_t step = gates_together(dropout, s->inputs->recurrent_dropout_gates, last_gate - first_gate);
  for (size_t g = first_gate; g < last_gate; g += step) {
    marea_real *to = dropout != NULL ? s->h_block : dh;
    marea_gemm(false, false, s->rows, H, step * H, 1, d + g * H, width,
               s->recurrent_back + g * H * H, H, dropout != NULL ? 0 : 1, to, H);
    if (dropout == NULL) continue;
    for (size_t r = 0; r < s->rows; r++) {
      const marea_real *keep = recurrent_dropout_row(s, r, g);
      for (size_t j = 0; j < H; j++) dh[r * H + j] += s->h_block[r * H + j] * keep[j];
    }
  }
}

/* The block's inputs (steps, rows, D), with dropout when given. */
static void gather_inputs(recurrent_slice *s, size_t p, size_t steps, size_t gate) {
  size_t D = s->layer->input, T = s->layer->time;
  for (size_t i = 0; i < steps; i++) {
    for (size_t r = 0; r < s->rows; r++) {
      const marea_real *x = s->inputs->x + (s->order[r] * T + source_time(s->layer, p + i)) * D;
      marea_real *to = s->x_block + (i * s->rows + r) * D;
      if (s->inputs->input_dropout == NULL) {
        memcpy(to, x, D * sizeof *to);
        continue;
      }
      const marea_real *keep = input_dropout_row(s, r, gate);
      for (size_t j = 0; j < D; j++) to[j] = x[j] * keep[j];
    }
  }
}

/* gates (steps, rows, width) = x K + b for the block that begins at step p. */
static void project_inputs(recurrent_slice *s, size_t p, size_t at, size_t steps) {
  size_t D = s->layer->input, H = s->layer->hidden, width = s->plan->width, n = steps * s->rows;
  marea_real *gates = s->gates + at * s->rows * width;
  for (size_t i = 0; i < n && s->weights->bias != NULL; i++)
    memcpy(gates + i * width, s->weights->bias, width * sizeof *gates);
  size_t step =
      gates_together(s->inputs->input_dropout, s->inputs->input_dropout_gates, s->plan->gates);
  for (size_t g = 0; g < s->plan->gates; g += step) {
    gather_inputs(s, p, steps, g);
    marea_gemm(false, false, n, step * H, D, 1, s->x_block, D, s->weights->kernel + g * H, width,
               s->weights->bias != NULL, gates + g * H, width);
  }
}

/* ---- forward ---- */

static void load_states(const recurrent_slice *s) {
  size_t H = s->layer->hidden;
  marea_real *states[MAREA_STATES_MAX] = {s->h, s->c};
  for (size_t i = 0; i < s->plan->states; i++)
    for (size_t r = 0; r < s->rows; r++) {
      const marea_real *given = s->inputs->initial[i];
      if (given != NULL)
        memcpy(states[i] + r * H, given + s->order[r] * H, H * sizeof *given);
      else
        memset(states[i] + r * H, 0, H * sizeof *given);
    }
}

static void store_states(const recurrent_slice *s, const marea_recurrent_outputs *out, size_t at) {
  size_t H = s->layer->hidden;
  const marea_real *states[MAREA_STATES_MAX] = {s->h, s->c};
  for (size_t i = 0; i < s->plan->states; i++)
    for (size_t r = 0; r < s->rows && out->last[i] != NULL; r++)
      memcpy(out->last[i] + s->order[r] * H, states[i] + (at * s->rows + r) * H,
             H * sizeof **states);
}

/* Hidden rows take over the states before the step. */
static void carry_hidden(const recurrent_slice *s, size_t at, const unsigned char *visible) {
  size_t H = s->layer->hidden, n = s->rows * H;
  for (size_t r = 0; r < s->rows; r++) {
    if (visible[r]) continue;
    marea_real *h = s->h + at * n + r * H;
    memcpy(h + n, h, H * sizeof *h);
    marea_real *c = s->c != NULL ? s->c + at * n + r * H : NULL;
    if (c != NULL) memcpy(c + n, c, H * sizeof *c);
  }
}

/* Whether the row's output at step p is its state: not before its first visible step, and on a
 * hidden step only when outputs repeat. */
static bool shows_state(const recurrent_slice *s, size_t r, size_t p, bool visible) {
  return visible || (s->layer->masked_output == MAREA_MASKED_REPEATS && s->first[r] <= p);
}

static size_t output_time(const marea_recurrent *layer, size_t p) {
  return layer->original_order ? source_time(layer, p) : p;
}

static void write_outputs(const recurrent_slice *s, const marea_recurrent_outputs *out, size_t p,
                          size_t at, const unsigned char *visible) {
  size_t H = s->layer->hidden, T = s->layer->time;
  bool last = p == T - 1;
  if (out->y == NULL && !(last && out->y_last != NULL)) return;
  for (size_t r = 0; r < s->rows; r++) {
    const marea_real *h = s->h + ((at + 1) * s->rows + r) * H;
    marea_real *places[2] = {
        out->y != NULL ? out->y + (s->order[r] * T + output_time(s->layer, p)) * H : NULL,
        last && out->y_last != NULL ? out->y_last + s->order[r] * H : NULL};
    for (int i = 0; i < 2; i++) {
      if (places[i] == NULL) continue;
      if (shows_state(s, r, p, visible[r]))
        memcpy(places[i], h, H * sizeof *h);
      else
        memset(places[i], 0, H * sizeof *h);
    }
  }
}

static bool block_visible(const recurrent_slice *s, size_t p, size_t steps) {
  unsigned char visible[64];
  for (size_t i = 0; i < steps; i++)
    if (visible_rows(s, p + i, visible) > 0) return true;
  return false;
}

static void forward_slice(void *context, size_t number) {
  const call *k = context;
  recurrent_slice s = open_slice(k, number);
  const recurrent_cell *cell = CELLS[k->layer->cell];
  size_t T = k->layer->time, n = s.rows * k->layer->hidden, at = 0;
  unsigned char visible[64];
  load_states(&s);
  for (size_t p = 0; p < T; p += k->plan.block) {
    size_t steps = T - p < k->plan.block ? T - p : k->plan.block;
    if (!k->layer->keep && p > 0) {
      memcpy(s.h, s.h + at * n, n * sizeof *s.h);
      if (s.c != NULL) memcpy(s.c, s.c + at * n, n * sizeof *s.c);
      at = 0;
    }
    if (block_visible(&s, p, steps)) project_inputs(&s, p, at, steps);
    for (size_t i = 0; i < steps; i++, at++) {
      size_t count = visible_rows(&s, p + i, visible);
      if (count > 0) cell->forward(&s, at);
      if (count < s.rows) carry_hidden(&s, at, visible);
      write_outputs(&s, k->outputs, p + i, at, visible);
    }
  }
  store_states(&s, k->outputs, at);
}

static marea_status check_dropout(const marea_recurrent *layer, const marea_recurrent_inputs *in) {
  size_t gates = CELLS[layer->cell]->gates;
  bool input_fits =
      in->input_dropout == NULL || in->input_dropout_gates == 1 || in->input_dropout_gates == gates;
  bool recurrent_fits = in->recurrent_dropout == NULL || in->recurrent_dropout_gates == 1 ||
                        in->recurrent_dropout_gates == gates;
  if (input_fits && recurrent_fits) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "%s: dropout multipliers come once or once a gate (%zu)",
                    CELLS[layer->cell]->name, gates);
}

marea_status marea_recurrent_forward(const marea_recurrent *layer,
                                     const marea_recurrent_weights *weights,
                                     const marea_recurrent_inputs *inputs,
                                     const marea_recurrent_outputs *outputs, void *workspace) {
  call k = {.layer = layer, .weights = weights, .inputs = inputs, .outputs = outputs};
  marea_status status = make_plan(layer, &k.plan);
  if (status == MAREA_OK) status = check_dropout(layer, inputs);
  if (status != MAREA_OK) return status;
  lay_out_call(&k, workspace);
  status = order_rows(&k);
  if (status == MAREA_OK) marea_parallel(k.plan.slices, forward_slice, &k);
  return status;
}

/* ---- backward ---- */

static void load_state_gradients(const call *k, const recurrent_slice *s) {
  size_t H = k->layer->hidden;
  marea_real *to[MAREA_STATES_MAX] = {s->dh, s->dc};
  for (size_t i = 0; i < MAREA_STATES_MAX; i++)
    for (size_t r = 0; r < s->rows; r++) {
      const marea_real *given = i < k->plan.states ? k->output_gradients->last[i] : NULL;
      if (given != NULL)
        memcpy(to[i] + r * H, given + s->order[r] * H, H * sizeof *given);
      else
        memset(to[i] + r * H, 0, H * sizeof *given);
    }
}

static void add_output_gradients(const call *k, const recurrent_slice *s, size_t p,
                                 const unsigned char *visible) {
  size_t H = k->layer->hidden, T = k->layer->time;
  const marea_recurrent_output_gradients *d = k->output_gradients;
  for (size_t r = 0; r < s->rows; r++) {
    if (!shows_state(s, r, p, visible[r])) continue;
    marea_real *dh = s->dh + r * H;
    if (d->y != NULL)
      s->simd->axpy(dh, 1, d->y + (s->order[r] * T + output_time(k->layer, p)) * H, H);
    if (d->y_last != NULL && p == T - 1) s->simd->axpy(dh, 1, d->y_last + s->order[r] * H, H);
  }
}

/* Hidden rows hand the gradient of the state after to the state before. */
static void take_over(recurrent_slice *s, const unsigned char *visible) {
  size_t H = s->layer->hidden;
  for (size_t r = 0; r < s->rows; r++)
    if (!visible[r]) memcpy(s->dh_next + r * H, s->dh + r * H, H * sizeof *s->dh);
  marea_real *swap = s->dh;
  s->dh = s->dh_next;
  s->dh_next = swap;
}

static void block_kernel_gradients(recurrent_slice *s, size_t p, size_t steps) {
  size_t D = s->layer->input, H = s->layer->hidden, width = s->plan->width, n = steps * s->rows;
  const marea_real *d = s->gates + p * s->rows * width;
  size_t step =
      gates_together(s->inputs->input_dropout, s->inputs->input_dropout_gates, s->plan->gates);
  for (size_t g = 0; g < s->plan->gates; g += step) {
    gather_inputs(s, p, steps, g);
    marea_gemm(true, false, D, step * H, n, 1, s->x_block, D, d + g * H, width, 1,
               s->d_kernel + g * H, width);
  }
}

static void block_recurrent_gradients(recurrent_slice *s, size_t p, size_t steps,
                                      const marea_real *d, size_t last_gate) {
  size_t H = s->layer->hidden, width = s->plan->width, n = steps * s->rows;
  const marea_real *h = s->h + p * s->rows * H;
  size_t step =
      gates_together(s->inputs->recurrent_dropout, s->inputs->recurrent_dropout_gates, last_gate);
  for (size_t g = 0; g < last_gate; g += step) {
    const marea_real *from = h;
    if (s->inputs->recurrent_dropout != NULL) {
      for (size_t i = 0; i < n; i++) {
        const marea_real *keep = recurrent_dropout_row(s, i % s->rows, g);
        for (size_t j = 0; j < H; j++) s->h_block[i * H + j] = h[i * H + j] * keep[j];
      }
      from = s->h_block;
    }
    marea_gemm(true, false, H, step * H, n, 1, from, H, d + g * H, width, 1, s->d_recurrent + g * H,
               width);
  }
}

static void block_input_gradients(const call *k, recurrent_slice *s, size_t p, size_t steps) {
  size_t D = s->layer->input, H = s->layer->hidden, T = s->layer->time, width = s->plan->width;
  const marea_real *d = s->gates + p * s->rows * width;
  size_t step =
      gates_together(s->inputs->input_dropout, s->inputs->input_dropout_gates, s->plan->gates);
  for (size_t g = 0; g < s->plan->gates; g += step) {
    marea_gemm(false, false, steps * s->rows, D, step * H, 1, d + g * H, width,
               s->kernel_back + g * H * D, D, 0, s->dx_block, D);
    for (size_t i = 0; i < steps * s->rows; i++) {
      size_t row = s->order[i % s->rows], time = source_time(s->layer, p + i / s->rows);
      marea_real *dx = k->gradients->x + (row * T + time) * D, *from = s->dx_block + i * D;
      if (s->inputs->input_dropout != NULL) {
        const marea_real *keep = input_dropout_row(s, i % s->rows, g);
        for (size_t j = 0; j < D; j++) from[j] *= keep[j];
      }
      s->simd->axpy(dx, 1, from, D);
    }
  }
}

static void block_gradients(const call *k, recurrent_slice *s, size_t p, size_t steps) {
  const recurrent_cell *cell = CELLS[k->layer->cell];
  size_t H = k->layer->hidden, width = k->plan.width, n = steps * s->rows;
  const marea_real *d = s->gates + p * s->rows * width;
  const marea_real *d_recurrent =
      cell->recurrent_gradients_in_extra ? s->extra + p * s->rows * width : d;
  if (k->gradients->kernel != NULL) block_kernel_gradients(s, p, steps);
  if (k->gradients->recurrent_kernel != NULL) {
    bool before = k->layer->cell == MAREA_CELL_GRU_BEFORE;
    block_recurrent_gradients(s, p, steps, d_recurrent, before ? 2 : k->plan.gates);
    if (before) /* the candidate's block met r h', which the cell kept */
      marea_gemm(true, false, H, H, n, 1, s->extra + p * s->rows * H, H, d + 2 * H, width, 1,
                 s->d_recurrent + 2 * H, width);
  }
  if (k->gradients->bias != NULL) {
    for (size_t i = 0; i < n; i++) s->simd->axpy(s->d_bias, 1, d + i * width, width);
    for (size_t i = 0; i < n && k->plan.biases > width; i++)
      s->simd->axpy(s->d_bias + width, 1, d_recurrent + i * width, width);
  }
  if (k->gradients->x != NULL) block_input_gradients(k, s, p, steps);
}

static void store_state_gradients(const call *k, const recurrent_slice *s) {
  size_t H = k->layer->hidden;
  const marea_real *from[MAREA_STATES_MAX] = {s->dh, s->dc};
  for (size_t i = 0; i < k->plan.states; i++)
    for (size_t r = 0; r < s->rows && k->gradients->initial[i] != NULL; r++)
      s->simd->axpy(k->gradients->initial[i] + s->order[r] * H, 1, from[i] + r * H, H);
}

static void backward_slice(void *context, size_t number) {
  const call *k = context;
  recurrent_slice s = open_slice(k, number);
  const recurrent_cell *cell = CELLS[k->layer->cell];
  size_t T = k->layer->time, block = k->plan.block;
  unsigned char visible[64];
  memset(s.d_kernel, 0, partial_elements(k->layer, &k->plan) * sizeof(marea_real));
  load_state_gradients(k, &s);
  for (size_t end = T; end > 0;) {
    size_t begin = (end - 1) / block * block;
    bool any = block_visible(&s, begin, end - begin);
    for (size_t p = end; p-- > begin;) {
      size_t count = visible_rows(&s, p, visible);
      add_output_gradients(k, &s, p, visible);
      if (count > 0) {
        cell->backward(&s, p, visible);
        take_over(&s, visible);
      } else if (any) {
        size_t width = k->plan.width;
        memset(s.gates + p * s.rows * width, 0, s.rows * width * sizeof(marea_real));
        if (cell->recurrent_gradients_in_extra)
          memset(s.extra + p * s.rows * width, 0, s.rows * width * sizeof(marea_real));
      }
    }
    if (any) block_gradients(k, &s, begin, end - begin);
    end = begin;
  }
  store_state_gradients(k, &s);
}

static void transpose(marea_real *to, const marea_real *from, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j];
}

/* Slices add up in their order. */
static void add_partials(const call *k) {
  size_t D = k->layer->input, H = k->layer->hidden;
  const marea_recurrent_gradients *g = k->gradients;
  for (size_t i = 0; i < k->plan.slices; i++) {
    recurrent_slice s = open_slice(k, i);
    if (g->kernel != NULL) s.simd->axpy(g->kernel, 1, s.d_kernel, D * k->plan.width);
    if (g->recurrent_kernel != NULL)
      s.simd->axpy(g->recurrent_kernel, 1, s.d_recurrent, H * k->plan.width);
    if (g->bias != NULL) s.simd->axpy(g->bias, 1, s.d_bias, k->plan.biases);
  }
}

marea_status marea_recurrent_backward(const marea_recurrent *layer,
                                      const marea_recurrent_weights *weights,
                                      const marea_recurrent_inputs *inputs,
                                      const marea_recurrent_output_gradients *output_gradients,
                                      const marea_recurrent_gradients *gradients, void *workspace) {
  call k = {.layer = layer,
            .weights = weights,
            .inputs = inputs,
            .output_gradients = output_gradients,
            .gradients = gradients};
  marea_status status = make_plan(layer, &k.plan);
  if (status != MAREA_OK) return status;
  if (!layer->keep)
    return marea_fail(MAREA_STATE, "%s: backward needs a forward call that kept its steps",
                      CELLS[layer->cell]->name);
  lay_out_call(&k, workspace);
  transpose(k.shared, weights->kernel, layer->input, k.plan.width);
  transpose(k.shared + layer->input * k.plan.width, weights->recurrent_kernel, layer->hidden,
            k.plan.width);
  marea_parallel(k.plan.slices, backward_slice, &k);
  add_partials(&k);
  return MAREA_OK;
}

/* Steps whose inputs are rows of a table (word vectors) repeat each other: a text has far fewer
 * different words than words. x K is computed once a different row and copied, and the gradients
 * of K and of the rows come from the sums of the gates' gradients of equal rows. Forward gives the
 * bits that it gives step by step. */
#include <string.h>

#include "base/threads.h"
#include "kernels/recurrent_driver.h"

enum { ROWS_A_PIECE = 128 };

static size_t projected_width(const recurrent_run *run) {
  return run->input_blocks * run->padded;
}

/* Numbers the different ids in the order of the flat rows, and notes where each was first. False
 * when they are more than there is room for, or look like it after an eighth of the steps: then too
 * few are equal to be worth it. */
static bool number_rows(const recurrent_run *run) {
  const recurrent_distinct *d = &run->distinct;
  size_t count = 0, flat = 0, time = run->layer->time;
  size_t look = run->layer->batch * time / 8, likely = look - look / 16;
  memset(d->slot_of, 0, run->layer->vocabulary * sizeof *d->slot_of);
  for (size_t first = 0, i = 0; i < run->slices; i++, first += run->slice_rows) {
    const size_t *starts = run->flat + i * (time + 1);
    for (size_t s = 0; s < run->counts[first]; s++)
      for (size_t r = 0; r < starts[s + 1] - starts[s]; r++, flat++) {
        size_t b = run->order[first + r];
        size_t place = b * time + recurrent_time(run->layer, recurrent_p(run, first + r, s));
        uint32_t *slot = &d->slot_of[run->inputs->ids[place]];
        if (flat == look && count > likely) return false;
        if (*slot == 0) {
          if (count == d->most) return false;
          d->places[count] = place;
          *slot = (uint32_t)++count;
        }
        d->slots[flat] = *slot - 1;
      }
  }
  *d->count = count;
  return true;
}

static void project_piece(void *context, size_t piece) {
  const recurrent_run *run = context;
  const recurrent_distinct *d = &run->distinct;
  size_t first = piece * ROWS_A_PIECE, end = first + ROWS_A_PIECE, input = run->layer->input;
  if (end > *d->count) end = *d->count;
  for (size_t i = first; i < end; i++) {
    memcpy(d->x + i * input, run->inputs->x + d->places[i] * input, input * sizeof *d->x);
    d->ids[i] = run->inputs->ids[d->places[i]];
  }
  marea_product p = {.m = end - first,
                     .n = projected_width(run),
                     .k = input,
                     .a = d->x + first * input,
                     .a_row = input,
                     .a_column = 1,
                     .b = run->kernel,
                     .packed_depth = input,
                     .c = d->projected + first * projected_width(run),
                     .ldc = projected_width(run)};
  run->products->product(&p);
}

void recurrent_project_distinct(recurrent_run *run) {
  if (run->distinct.most == 0) return;
  *run->distinct.count = 0;
  bool fits = run->inputs->ids != NULL && run->inputs->input_dropout == NULL && number_rows(run);
  if (fits) marea_parallel(marea_pieces(*run->distinct.count, ROWS_A_PIECE), project_piece, run);
}

void recurrent_copy_projected(const recurrent_run *run, size_t first, size_t end,
                              marea_real *gates) {
  const recurrent_distinct *d = &run->distinct;
  size_t width = projected_width(run), row = run->cell->blocks * run->padded;
  for (size_t flat = first; flat < end; flat++, gates += row)
    memcpy(gates, d->projected + d->slots[flat] * width, width * sizeof *gates);
}

void recurrent_keep_gate_gradients(const recurrent_run *run, const recurrent_slice *slice,
                                   size_t first, size_t end) {
  size_t row = run->cell->blocks * run->padded, rows = slice->flat[end] - slice->flat[first];
  memcpy(run->gates + slice->flat[first] * row, slice->scratch->block_gates,
         rows * row * sizeof *run->gates);
}

/* Lists the flat rows by slot: a counting sort, which keeps their order. */
static void list_rows(const recurrent_run *run) {
  const recurrent_distinct *d = &run->distinct;
  size_t rows = run->flat[run->slices * (run->layer->time + 1) - 1], count = *d->count;
  memset(d->start, 0, (count + 2) * sizeof *d->start);
  for (size_t flat = 0; flat < rows; flat++) d->start[d->slots[flat] + 2]++;
  for (size_t slot = 0; slot < count; slot++) d->start[slot + 2] += d->start[slot + 1];
  for (size_t flat = 0; flat < rows; flat++)
    d->rows[d->start[d->slots[flat] + 1]++] = (uint32_t)flat;
}

/* The gates' gradients of slots first … end - 1, each the sum of its rows'. */
static void sum_gradients(const recurrent_run *run, size_t first, size_t end, marea_real *sums) {
  const recurrent_distinct *d = &run->distinct;
  size_t width = projected_width(run), row = run->cell->blocks * run->padded;
  for (size_t slot = first; slot < end; slot++, sums += width) {
    const uint32_t *flat = d->rows + d->start[slot], *last = d->rows + d->start[slot + 1];
    memcpy(sums, run->gates + *flat * row, width * sizeof *sums);
    while (++flat < last) run->products->sum_rows(sums, run->gates + *flat * row, 0, 1, width);
  }
}

static void add_kernel_gradient(const recurrent_run *run, recurrent_scratch *scratch, size_t first,
                                size_t end) {
  size_t width = projected_width(run), input = run->layer->input;
  marea_product p = {.m = input,
                     .n = width,
                     .k = end - first,
                     .a = run->distinct.x + first * input,
                     .a_row = 1,
                     .a_column = input,
                     .b = scratch->block_gates,
                     .ldb = width,
                     .c = scratch->dkernel,
                     .ldc = width,
                     .accumulate = true};
  run->products->product(&p);
}

static void write_row_gradients(const recurrent_run *run, recurrent_scratch *scratch, size_t first,
                                size_t end) {
  size_t width = projected_width(run), input = run->layer->input;
  marea_product p = {.m = end - first,
                     .n = run->padded_input,
                     .k = width,
                     .a = scratch->block_gates,
                     .a_row = width,
                     .a_column = 1,
                     .b = run->kernel_back,
                     .packed_depth = width,
                     .c = scratch->block_dx,
                     .ldc = run->padded_input};
  run->products->product(&p);
  for (size_t i = first; i < end; i++)
    memcpy(run->gradients->distinct + i * input,
           scratch->block_dx + (i - first) * run->padded_input, input * sizeof(marea_real));
}

static void back_group(void *context, size_t group) {
  recurrent_run *run = context;
  recurrent_scratch *scratch = &run->scratch[group];
  size_t count = *run->distinct.count, last = count * (group + 1) / run->groups;
  for (size_t first = count * group / run->groups, end; first < last; first = end) {
    end = last - first < run->block_rows ? last : first + run->block_rows;
    sum_gradients(run, first, end, scratch->block_gates);
    if (run->gradients->kernel != NULL) add_kernel_gradient(run, scratch, first, end);
    if (run->gradients->distinct != NULL) write_row_gradients(run, scratch, first, end);
  }
}

void recurrent_back_distinct(recurrent_run *run) {
  if (!recurrent_is_distinct(run)) return;
  list_rows(run);
  marea_parallel(run->groups, back_group, run);
}

size_t marea_recurrent_distinct(const marea_recurrent *layer, void *workspace,
                                const int32_t **ids) {
  recurrent_run run;
  size_t bytes;
  if (layer->vocabulary == 0 || recurrent_run_init(&run, layer, workspace, &bytes) != MAREA_OK)
    return 0;
  *ids = run.distinct.ids;
  return recurrent_is_distinct(&run) ? *run.distinct.count : 0;
}

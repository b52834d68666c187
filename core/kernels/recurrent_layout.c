/* The layout of the recurrent layers' workspace. */
#include "base/memory.h"
#include "kernels/recurrent_driver.h"

/* Equal rows are looked for from so many steps on, and used when there are at most so many eighths
 * as many different ones: beyond it finding, copying and summing them costs what they save. */
enum { LEAST_STEPS = 64, MOST_EIGHTHS = 5 };

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

static bool has_peephole(const recurrent_run *run, int which) {
  return run->layer->peephole != MAREA_PEEPHOLE_NONE &&
         !(which == 1 && run->layer->cell == MAREA_CELL_LSTM_COUPLED);
}

static void lay_out_forms(recurrent_run *run, cutter *to) {
  const marea_recurrent *layer = run->layer;
  size_t padded = run->padded, depth = layer->peephole == MAREA_PEEPHOLE_FULL ? layer->hidden : 1;
  for (int i = 0; i < MAREA_PEEPHOLES; i++)
    if (has_peephole(run, i)) {
      run->peephole[i] = cut_reals(to, depth, padded, 1);
      run->peephole_back[i] = layer->keep && depth > 1 ? cut_reals(to, depth, padded, 1) : NULL;
    }
  if (run->norms > 0) {
    run->gain = cut_reals(to, run->norms, padded, 1);
    run->shift = cut_reals(to, padded, 1, 1);
  }
  if (layer->projection > 0) {
    run->projection = cut_reals(to, layer->hidden, run->padded_state, 1);
    if (layer->keep) run->projection_back = cut_reals(to, run->state, padded, 1);
  }
}

static void lay_out_kept(recurrent_run *run, cutter *to) {
  const marea_recurrent *layer = run->layer;
  size_t rows = layer->batch * layer->time, padded = run->padded; /* checked by `steps` */
  run->gates = cut_reals(to, rows, run->cell->blocks, padded);
  run->h = cut_reals(to, rows, 1, run->padded_state);
  if (run->cell->states > 1) {
    run->c = cut_reals(to, rows, 1, padded);
    run->new_c = cut_reals(to, rows, 1, layer->zoneout[1] > 0 ? padded : 0);
  }
  if (layer->projection > 0) run->unprojected = cut_reals(to, rows, 1, padded);
  if (run->norms > 0) {
    run->normal = cut_reals(to, rows, run->norms, padded);
    run->scale = cut_reals(to, rows, run->norms, 1);
  }
}

static void lay_out_distinct(recurrent_run *run, cutter *to) {
  const marea_recurrent *layer = run->layer;
  recurrent_distinct *d = &run->distinct;
  size_t steps = layer->batch * layer->time; /* checked by `steps` */
  if (layer->vocabulary == 0 || steps < LEAST_STEPS) return;
  d->most = steps / 8 * MOST_EIGHTHS;
  d->count = cut(to, sizeof *d->count, 1, 1, 1);
  d->slot_of = cut(to, sizeof *d->slot_of, layer->vocabulary, 1, 1);
  d->places = cut(to, sizeof *d->places, d->most, 1, 1);
  d->ids = cut(to, sizeof *d->ids, d->most, 1, 1);
  d->slots = cut(to, sizeof *d->slots, steps, 1, 1);
  d->x = cut_reals(to, d->most, layer->input, 1);
  d->projected = cut_reals(to, d->most, run->input_blocks, run->padded);
  if (!layer->keep) return;
  d->start = cut(to, sizeof *d->start, d->most + 2, 1, 1);
  d->rows = cut(to, sizeof *d->rows, steps, 1, 1);
}

static void lay_out_shared(recurrent_run *run, cutter *to) {
  size_t batch = run->layer->batch, time = run->layer->time, padded = run->padded;
  size_t gates = run->cell->gates;
  run->order = cut(to, sizeof(size_t), batch, 1, 1);
  run->counts = cut(to, sizeof(size_t), batch, 1, 1);
  run->spare = cut(to, sizeof(size_t), batch, 1, 1);
  run->steps = cut(to, sizeof(uint32_t), batch, time, 1);
  run->flat = cut(to, sizeof(size_t), run->slices, time + 1, 1);
  run->bias = cut_reals(to, 2, gates, padded);
  lay_out_distinct(run, to);
  lay_out_forms(run, to);
  if (run->layer->keep) lay_out_kept(run, to);
  if (run->as_is) return;
  run->kernel = cut_reals(to, run->layer->input, gates, padded);
  run->recurrent = cut_reals(to, run->state, gates, padded);
  if (!run->layer->keep) return;
  run->kernel_back = cut_reals(to, run->padded_input, gates, padded);
  run->recurrent_back = cut_reals(to, run->padded_state, gates, padded);
}

/* Sums of gradients. */
static void lay_out_sums(const recurrent_run *run, recurrent_scratch *s, cutter *to) {
  const marea_recurrent *layer = run->layer;
  size_t padded = run->padded, depth = layer->peephole == MAREA_PEEPHOLE_FULL ? layer->hidden : 1;
  if (!run->as_is) {
    s->dkernel = cut_reals(to, layer->input, run->cell->gates, padded);
    s->drecurrent = cut_reals(to, run->state, run->cell->gates, padded);
  }
  s->dbias = cut_reals(to, run->cell->blocks + 1, padded, 1);
  s->dgain = cut_reals(to, run->norms, padded, 1);
  for (int i = 0; i < MAREA_PEEPHOLES; i++)
    if (has_peephole(run, i)) s->dpeephole[i] = cut_reals(to, depth, padded, 1);
  if (layer->projection > 0) s->dprojection = cut_reals(to, layer->hidden, run->padded_state, 1);
}

static void lay_out_scratch(const recurrent_run *run, recurrent_scratch *s, cutter *to) {
  size_t rows = run->slice_rows, padded = run->padded;
  s->block_x = cut_reals(to, run->block_rows, run->layer->input, 1);
  s->block_gates = cut_reals(to, run->block_rows, run->cell->blocks, padded);
  for (int i = 0; i < 2; i++) s->h[i] = cut_reals(to, rows, run->padded_state, 1);
  s->c = cut_reals(to, rows, padded, 1);
  for (int i = 0; i < 2; i++) s->initial[i] = cut_reals(to, rows, padded, 1);
  s->multipliers = cut_reals(to, rows, run->cell->gates, run->padded_state);
  s->step = cut_reals(to, rows, MAREA_GATES_MAX, padded);
  for (int i = 0; i < 2; i++) s->held[i] = cut_reals(to, rows, padded, 1);
  if (run->layer->keep) {
    s->block_h = cut_reals(to, run->block_rows, padded, 1);
    s->block_dx = cut_reals(to, run->block_rows, run->padded_input, 1);
    if (run->layer->projection > 0)
      s->block_dh = cut_reals(to, run->block_rows, run->padded_state, 1);
    lay_out_sums(run, s, to);
    return;
  }
  s->new_c = cut_reals(to, rows, padded, 1);
  s->unprojected = cut_reals(to, rows, padded, 1);
  s->normal = cut_reals(to, rows, run->norms, padded);
  s->scale = cut_reals(to, rows, run->norms, 1);
}

bool recurrent_lay_out(recurrent_run *run, void *workspace, size_t *bytes) {
  cutter place = {workspace, 0, false};
  lay_out_shared(run, &place);
  for (size_t g = 0; g < run->groups; g++) lay_out_scratch(run, &run->scratch[g], &place);
  *bytes = place.used;
  return !place.overflow;
}

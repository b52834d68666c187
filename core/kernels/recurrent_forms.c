/* The recurrent layers' forms: normalisation, peepholes, projection and zoneout, as far as the
 * driver has to do with them; the arithmetic of a step is the cells'. */
#include <string.h>

#include "kernels/recurrent_driver.h"

enum { PEEP_O = 2 };

/* The gain that belongs to a block of the gates. */
static size_t gain_of(const marea_cell_table *cell, size_t block) {
  return block < cell->gates ? cell->input_gate[block] : block;
}

/* The block that peephole `which` of i, f, o looks into: c's comes first, o's last. */
static size_t block_of(const recurrent_run *run, int which) {
  return which == PEEP_O ? run->cell->blocks - 1 : (size_t)which + 1;
}

static void copy_padded(const recurrent_run *run, marea_real *to, const marea_real *from) {
  size_t live = run->layer->hidden;
  memcpy(to, from, live * sizeof *to);
  memset(to + live, 0, (run->padded - live) * sizeof *to);
}

void recurrent_pack_forms(recurrent_run *run) {
  const marea_recurrent_weights *w = run->weights;
  size_t hidden = run->layer->hidden, blocks = run->cell->blocks;
  bool full = run->layer->peephole == MAREA_PEEPHOLE_FULL;
  for (int i = 0; i < MAREA_PEEPHOLES; i++) {
    if (run->peephole[i] == NULL) continue;
    if (full)
      run->products->pack(run->peephole[i], w->peephole[i], hidden, 1, hidden, hidden);
    else
      copy_padded(run, run->peephole[i], w->peephole[i]);
  }
  for (size_t b = 0; b < run->norms; b++)
    copy_padded(run, run->gain + b * run->padded,
                b < blocks ? w->gain + gain_of(run->cell, b) * hidden : w->cell_gain);
  if (run->norms > blocks) copy_padded(run, run->shift, w->cell_bias);
  if (run->projection != NULL)
    run->products->pack(run->projection, w->projection, run->state, 1, hidden, run->state);
}

void recurrent_pack_forms_back(recurrent_run *run) {
  const marea_recurrent_weights *w = run->weights;
  size_t hidden = run->layer->hidden;
  for (int i = 0; i < MAREA_PEEPHOLES; i++)
    if (run->peephole_back[i] != NULL)
      run->products->pack(run->peephole_back[i], w->peephole[i], 1, hidden, hidden, hidden);
  if (run->projection_back != NULL)
    run->products->pack(run->projection_back, w->projection, 1, run->state, run->state, hidden);
}

static void place_norm(const recurrent_run *run, size_t row, marea_step *step) {
  marea_norm *norm = &step->norm;
  norm->gain = run->gain;
  norm->shift = run->shift;
  norm->epsilon = run->layer->epsilon;
  norm->count = run->norms;
  norm->normal = run->normal + row * run->norms * run->padded;
  norm->scale = run->scale + row * run->norms;
}

void recurrent_place_forms(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                           marea_step *step) {
  const recurrent_scratch *scratch = slice->scratch;
  bool keep = run->layer->keep;
  size_t row = slice->flat[s];
  if (run->zones[1]) step->c_new = keep ? run->new_c + row * run->padded : scratch->new_c;
  if (run->norms > 0) {
    place_norm(run, keep ? row : 0, step);
    if (!keep) {
      step->norm.normal = scratch->normal;
      step->norm.scale = scratch->scale;
    }
  }
  bool back = step->dgates != NULL;
  for (int i = 0; i < MAREA_PEEPHOLES; i++)
    step->peephole[i] = back && step->peephole_full ? run->peephole_back[i] : run->peephole[i];
  step->projection = back ? run->projection_back : run->projection;
  if (step->projection != NULL)
    step->unprojected = keep ? run->unprojected + row * run->padded : scratch->unprojected;
}

/* d of one row of state `which` at step s: an array, or NULL and the same for all units. */
static const marea_real *kept_part(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                                   size_t r, int which) {
  const marea_real *given = run->inputs->zoneout[which];
  size_t row = slice->first + r, t = recurrent_time(run->layer, recurrent_p(run, row, s));
  if (given == NULL) return NULL;
  return given + (run->order[row] * run->layer->time + t) * recurrent_width(run, which);
}

void recurrent_zone(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                    const marea_step *step, int which, marea_real *state) {
  const marea_real *before = which == 0 ? step->h : step->c;
  const marea_real *new = which == 0 ? step->h_new : step->c_new;
  size_t width = recurrent_width(run, which), padded = recurrent_padded(run, which);
  for (size_t r = 0; r < step->rows; r++) {
    const marea_real *part = kept_part(run, slice, s, r, which);
    for (size_t j = 0; j < padded; j++) {
      size_t at = r * padded + j;
      marea_real d = part == NULL ? run->layer->zoneout[which] : j < width ? part[j] : 0;
      state[at] = d * before[at] + (1 - d) * new[at];
    }
  }
}

void recurrent_hold(const recurrent_run *run, const recurrent_slice *slice, size_t s, size_t rows,
                    int which, marea_real *gradient) {
  size_t width = recurrent_width(run, which), padded = recurrent_padded(run, which);
  marea_real *held = slice->scratch->held[which];
  for (size_t r = 0; r < rows; r++) {
    const marea_real *part = kept_part(run, slice, s, r, which);
    for (size_t j = 0; j < padded; j++) {
      size_t at = r * padded + j;
      marea_real d = part == NULL ? run->layer->zoneout[which] : j < width ? part[j] : 0;
      held[at] = d * gradient[at];
      gradient[at] *= 1 - d;
    }
  }
}

void recurrent_give_back(const recurrent_run *run, const recurrent_slice *slice, size_t rows,
                         int which, marea_real *gradient) {
  const marea_real *held = slice->scratch->held[which];
  for (size_t i = 0; i < rows * recurrent_padded(run, which); i++) gradient[i] += held[i];
}

static size_t peephole_depth(const recurrent_run *run) {
  return run->layer->peephole == MAREA_PEEPHOLE_FULL ? run->layer->hidden : 1;
}

void recurrent_clear_forms(const recurrent_run *run, recurrent_scratch *scratch) {
  size_t row = run->padded * sizeof(marea_real);
  memset(scratch->dgain, 0, run->norms * row);
  for (int i = 0; i < MAREA_PEEPHOLES; i++)
    if (scratch->dpeephole[i] != NULL) memset(scratch->dpeephole[i], 0, peephole_depth(run) * row);
  if (scratch->dprojection != NULL)
    memset(scratch->dprojection, 0, run->layer->hidden * run->padded_state * sizeof(marea_real));
}

/* The cell states that peephole `which` saw in the block's steps, by flat row. */
static const marea_real *seen_cells(const recurrent_run *run, const recurrent_slice *slice,
                                    size_t first, size_t end, int which) {
  size_t padded = run->padded;
  if (which == PEEP_O && !run->layer->peephole_on_old)
    return (run->zones[1] ? run->new_c : run->c) + slice->flat[first] * padded;
  marea_real *to = slice->scratch->block_h;
  for (size_t s = first; s < end; s++) {
    size_t rows = recurrent_active(slice, s);
    const marea_real *from =
        s == 0 ? slice->scratch->initial[1] : run->c + slice->flat[s - 1] * padded;
    memcpy(to, from, rows * padded * sizeof *to);
    to += rows * padded;
  }
  return slice->scratch->block_h;
}

/* to (H, n) += a' b, over the block's rows. */
static void add_product(const recurrent_run *run, marea_real *to, size_t rows, const marea_real *a,
                        const marea_real *b, size_t ldb, size_t n) {
  marea_product p = {.m = run->layer->hidden,
                     .n = n,
                     .k = rows,
                     .a = a,
                     .a_row = 1,
                     .a_column = run->padded,
                     .b = b,
                     .ldb = ldb,
                     .c = to,
                     .ldc = n,
                     .accumulate = true};
  run->products->product(&p);
}

void recurrent_add_forms(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                         size_t end) {
  const recurrent_scratch *scratch = slice->scratch;
  size_t rows = slice->flat[end] - slice->flat[first], padded = run->padded;
  bool full = run->layer->peephole == MAREA_PEEPHOLE_FULL;
  for (int i = 0; full && i < MAREA_PEEPHOLES; i++)
    if (scratch->dpeephole[i] != NULL)
      add_product(run, scratch->dpeephole[i], rows, seen_cells(run, slice, first, end, i),
                  scratch->block_gates + block_of(run, i) * padded, run->cell->blocks * padded,
                  padded);
  if (scratch->dprojection != NULL)
    add_product(run, scratch->dprojection, rows, run->unprojected + slice->flat[first] * padded,
                scratch->block_dh, run->padded_state, run->padded_state);
}

/* to (rows, width) += from (rows, padded); nothing for NULL. */
static void add_rows(marea_real *to, const marea_real *from, size_t rows, size_t width,
                     size_t padded) {
  for (size_t r = 0; to != NULL && r < rows; r++)
    for (size_t j = 0; j < width; j++) to[r * width + j] += from[r * padded + j];
}

static void reduce_norms(const recurrent_run *run, const recurrent_scratch *scratch) {
  const marea_recurrent_gradients *out = run->gradients;
  size_t hidden = run->layer->hidden, padded = run->padded, blocks = run->cell->blocks;
  for (size_t b = 0; b < blocks && out->gain != NULL; b++)
    add_rows(out->gain + gain_of(run->cell, b) * hidden, scratch->dgain + b * padded, 1, hidden,
             padded);
  if (run->norms == blocks) return;
  add_rows(out->cell_gain, scratch->dgain + blocks * padded, 1, hidden, padded);
  add_rows(out->cell_bias, scratch->dbias + blocks * padded, 1, hidden, padded);
}

void recurrent_reduce_forms(const recurrent_run *run) {
  const marea_recurrent_gradients *out = run->gradients;
  size_t hidden = run->layer->hidden;
  for (size_t g = 0; g < run->groups; g++) {
    const recurrent_scratch *scratch = &run->scratch[g];
    for (int i = 0; i < MAREA_PEEPHOLES; i++)
      if (scratch->dpeephole[i] != NULL)
        add_rows(out->peephole[i], scratch->dpeephole[i], peephole_depth(run), hidden, run->padded);
    if (scratch->dprojection != NULL)
      add_rows(out->projection, scratch->dprojection, hidden, run->state, run->padded_state);
    if (run->norms > 0) reduce_norms(run, scratch);
  }
}

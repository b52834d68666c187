/* Inside of the recurrent layers: what the files recurrent*.c share.
 *
 * The plan. A hidden step changes nothing in its row, so each row is only its visible steps, and
 * any mask becomes right padding: row r has counts[r] steps, steps[r][s] is the p of the s-th.
 * Rows are sorted by their counts, longest first (stable), and cut into slices; the rows that are
 * active at step s of a slice are then its first ones. The active (step, row) pairs of all slices
 * are numbered one after the other, steps before rows; arrays over them ("flat rows") have no
 * gaps and make long products.
 *
 * Threads. A slice goes through all its steps without waiting for anybody. Slices are dealt to at
 * most MAX_GROUPS groups; a group is one piece of work, with its own scratch memory and its own
 * sums of the weights' gradients, which are added in the groups' order at the end. */
#ifndef MAREA_KERNELS_RECURRENT_DRIVER_H
#define MAREA_KERNELS_RECURRENT_DRIVER_H

#include <stdint.h>

#include "kernels/recurrent.h"
#include "kernels/simd/cell.h"
#include "kernels/simd/product.h"

enum { MAX_GROUPS = 16 };

/* Scratch memory of one group: byte-exact places are cut from the workspace by the layout. */
typedef struct recurrent_scratch {
  marea_real *block_x;     /* (block_rows, D): gathered inputs */
  marea_real *block_gates; /* (block_rows, blocks, padded): gates without keep; backward: dgates */
  marea_real *h[2];        /* (slice_rows, padded state) */
  marea_real *c;           /* (slice_rows, padded) */
  marea_real *initial[2];  /* (slice_rows, padded) */
  marea_real *multipliers; /* (slice_rows, gates, padded state) */
  marea_real *step;        /* (slice_rows, MAREA_GATES_MAX, padded) */
  marea_real *held[2];     /* (slice_rows, padded): zoneout */
  /* What forward keeps, when there is no backward to keep it for: (slice_rows, …). */
  marea_real *new_c, *unprojected, *normal, *scale;
  /* Backward alone. */
  marea_real *block_h;  /* (block_rows, padded) */
  marea_real *block_dx; /* (block_rows, padded D) */
  marea_real *block_dh; /* (block_rows, padded state): with a projection */
  marea_real *dkernel;  /* (D, input blocks, padded) */
  marea_real *drecurrent;
  marea_real *dbias;                      /* (blocks + 1, padded) */
  marea_real *dgain;                      /* (norms, padded) */
  marea_real *dpeephole[MAREA_PEEPHOLES]; /* (padded), or (H, padded) when full */
  marea_real *dprojection;                /* (H, padded state) */
} recurrent_scratch;

/* Different rows of x (recurrent_distinct.c), in the workspace. */
typedef struct recurrent_distinct {
  size_t most;           /* rows there is room for; 0: the layer has no vocabulary */
  size_t *count;         /* rows found; 0: more than `most` */
  uint32_t *slot_of;     /* (vocabulary): 1 + slot of an id, 0 for none */
  size_t *places;        /* (most): b T + t of a slot's first step */
  int32_t *ids;          /* (most) */
  uint32_t *slots;       /* (B T): slot of a flat row */
  uint32_t *start;       /* (most + 2): where a slot's rows begin in */
  uint32_t *rows;        /* (B T): flat rows by slot */
  marea_real *x;         /* (most, D) */
  marea_real *projected; /* (most, input blocks, padded): x K */
} recurrent_distinct;

typedef struct recurrent_run {
  const marea_recurrent *layer;
  const marea_recurrent_weights *weights;
  const marea_recurrent_inputs *inputs;
  const marea_recurrent_outputs *outputs;
  const marea_recurrent_output_gradients *output_gradients;
  const marea_recurrent_gradients *gradients;
  const marea_cell_table *cell;
  const marea_product_table *products;
  bool keep_inputs;
  bool as_is; /* few rows and steps: weights are used and gradients summed where they lie, by one
               * group, since packing would cost more */
  size_t padded, padded_input; /* H and D rounded up to vectors */
  size_t state, padded_state;  /* features of h: H, or P with a projection */
  size_t input_blocks;         /* blocks that x reaches: all gates, or the candidate's, the first */
  size_t norms;                /* normalised vectors a row: 0 without */
  bool zones[2];               /* zoneout of h, of c */
  size_t slice_rows, slices, groups, block_rows;
  /* The plan. */
  size_t *order;   /* (B): batch row of a sorted row */
  size_t *counts;  /* (B): visible steps of a sorted row */
  size_t *spare;   /* (B): for the sort */
  uint32_t *steps; /* (B, T) by sorted row; not filled without a mask (p = s) */
  size_t *flat;    /* (slices, T + 1): first flat row of a step */
  recurrent_distinct distinct;
  /* Packed weights. */
  marea_real *kernel, *recurrent, *bias;
  marea_real *kernel_back, *recurrent_back;
  marea_real *gain;  /* (norms, padded) */
  marea_real *shift; /* (padded) */
  marea_real *peephole[MAREA_PEEPHOLES], *peephole_back[MAREA_PEEPHOLES];
  marea_real *projection, *projection_back;
  /* Kept for backward, by flat row; new_c is c before zoneout. */
  marea_real *gates, *h, *c, *new_c, *unprojected, *normal, *scale;
  recurrent_scratch scratch[MAX_GROUPS];
} recurrent_run;

/* Lays the workspace out (NULL: only counts) by the run's sizes; false when the bytes overflow. */
bool recurrent_lay_out(recurrent_run *run, void *workspace, size_t *bytes);

/* Checks the layer and lays the workspace out (NULL: only *bytes). */
marea_status recurrent_run_init(recurrent_run *run, const marea_recurrent *layer, void *workspace,
                                size_t *bytes);

/* Fills the plan from the mask. */
void recurrent_plan(recurrent_run *run);

/* One slice of the plan. */
typedef struct recurrent_slice {
  size_t first, rows, steps; /* sorted rows first … first + rows - 1; the longest row's steps */
  const size_t *flat;
  recurrent_scratch *scratch;
} recurrent_slice;

recurrent_slice recurrent_slice_of(recurrent_run *run, size_t slice, size_t group);

static inline size_t recurrent_active(const recurrent_slice *slice, size_t step) {
  return step < slice->steps ? slice->flat[step + 1] - slice->flat[step] : 0;
}

/* End (exclusive) of the block of steps that starts at `step`; block before `end` for backward. */
size_t recurrent_block_end(const recurrent_run *run, const recurrent_slice *slice, size_t step);

/* p of the s-th visible step of sorted row r, T when s is behind the last. */
static inline size_t recurrent_p(const recurrent_run *run, size_t row, size_t step) {
  if (step >= run->counts[row]) return run->layer->time;
  return run->inputs->mask != NULL ? run->steps[row * run->layer->time + step] : step;
}

static inline size_t recurrent_time(const marea_recurrent *layer, size_t p) {
  return layer->backwards ? layer->time - 1 - p : p;
}

/* Element where y of batch row b and processing step p begins. */
static inline size_t recurrent_place(const marea_recurrent *layer, size_t b, size_t p) {
  size_t t = layer->original_order ? recurrent_time(layer, p) : p;
  return (b * layer->time + t) * marea_recurrent_width(layer);
}

/* Inputs of steps [first, end) by flat row, (rows, D), times gate's multipliers. */
void recurrent_gather_x(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                        size_t end, size_t gate, marea_real *x);

/* Features of state 0 (h) or 1 (c), and rounded up. */
static inline size_t recurrent_width(const recurrent_run *run, int which) {
  return which == 0 ? run->state : run->layer->hidden;
}
static inline size_t recurrent_padded(const recurrent_run *run, int which) {
  return which == 0 ? run->padded_state : run->padded;
}

/* Rows (zeros for NULL) of state `which`, padded; the rows' recurrent dropout multipliers. */
void recurrent_gather_initial(const recurrent_run *run, const recurrent_slice *slice, int which,
                              const marea_real *state, marea_real *rows);
void recurrent_gather_multipliers(const recurrent_run *run, const recurrent_slice *slice);

/* The step's fields that do not depend on the step. */
marea_step recurrent_step(const recurrent_run *run, const recurrent_slice *slice);

/* Number of input blocks that share one product: all; or one with a dropout mask a gate, and as_is,
 * where the gates may lie in another order than the blocks. */
static inline size_t recurrent_inputs_together(const recurrent_run *run) {
  bool each = run->inputs->input_dropout != NULL && run->inputs->input_dropout_gates > 1;
  return each || run->as_is ? 1 : run->input_blocks;
}

/* The same for the recurrent blocks from `block` on. */
static inline size_t recurrent_blocks_together(const recurrent_run *run, size_t block) {
  bool each = run->inputs->recurrent_dropout != NULL && run->inputs->recurrent_dropout_gates > 1;
  if (each || run->as_is) return 1;
  return block == 0 ? run->cell->recurrent_together : 1;
}

/* ---- recurrent_distinct.c ---- */
static inline bool recurrent_is_distinct(const recurrent_run *run) {
  return run->distinct.most > 0 && *run->distinct.count > 0;
}

/* Finds the different rows and their x K, if it is worth it. */
void recurrent_project_distinct(recurrent_run *run);

/* gates of flat rows first … end - 1 = x K. */
void recurrent_copy_projected(const recurrent_run *run, size_t first, size_t end,
                              marea_real *gates);

/* Keeps a block's gate gradients, where its gates were, for the sums over equal rows; those sums
 * and the gradients of the kernel and of the rows, when all slices are done. */
void recurrent_keep_gate_gradients(const recurrent_run *run, const recurrent_slice *slice,
                                   size_t first, size_t end);
void recurrent_back_distinct(recurrent_run *run);

/* ---- recurrent_forms.c ---- */
/* Packs gains, peepholes and projection, for forward or (transposed) backward. */
void recurrent_pack_forms(recurrent_run *run);
void recurrent_pack_forms_back(recurrent_run *run);

/* Points the step at what forward keeps of step s, and at the packed forms. */
void recurrent_place_forms(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                           marea_step *step);

/* h_new (h) or c = d h' + (1 - d) new of step s. */
void recurrent_zone(const recurrent_run *run, const recurrent_slice *slice, size_t s,
                    const marea_step *step, int which, marea_real *state);
/* Splits the gradient of state `which`: what goes to h' directly is held back, and given back. */
void recurrent_hold(const recurrent_run *run, const recurrent_slice *slice, size_t s, size_t rows,
                    int which, marea_real *gradient);
void recurrent_give_back(const recurrent_run *run, const recurrent_slice *slice, size_t rows,
                         int which, marea_real *gradient);

/* Clears the group's sums of the forms' gradients; adds a block's; adds the groups' to the given
 * arrays. */
void recurrent_clear_forms(const recurrent_run *run, recurrent_scratch *scratch);
void recurrent_add_forms(const recurrent_run *run, const recurrent_slice *slice, size_t first,
                         size_t end);
void recurrent_reduce_forms(const recurrent_run *run);

void recurrent_forward(recurrent_run *run);
void recurrent_backward(recurrent_run *run);

#endif

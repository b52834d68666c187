/* What a cell has to say for itself; the driver (kernels/recurrent.c) does the rest: slicing the
 * batch, masks, the input projection, gathering and scattering, and the gradients of weights and
 * inputs. A new cell is a new file beside recurrent_lstm.c with one such table.
 *
 * A row of a slice at a step has `blocks` blocks of `padded` elements (H rounded up to vectors),
 * side by side. The input projection fills the first `gates` of them; the recurrent product works
 * on the blocks from `recurrent_first` on. Backward lays out the gradients in the same blocks. */
#ifndef MAREA_KERNELS_SIMD_CELL_H
#define MAREA_KERNELS_SIMD_CELL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"
#include "kernels/pointwise.h"
#include "kernels/simd.h"

enum { MAREA_GATES_MAX = 4 };

/* One step of one slice. Rows that have ended are not among the `rows`. All states are (rows,
 * padded); their padding is zero. */
typedef struct marea_step {
  size_t rows, hidden, padded;
  marea_activation activation, recurrent_activation;
  bool keep_inputs;              /* leave the activations' inputs in `gates`, not the activations */
  const marea_real *bias;        /* (2, gates, padded) in the blocks' order: input, recurrent */
  const marea_real *panels;      /* recurrent kernel, packed; backward: its transpose */
  size_t panels_ld;              /* not 0: the recurrent kernel as it is, with this ld */
  const marea_real *multipliers; /* recurrent dropout (rows, multiplier_gates, padded), or NULL */
  size_t multiplier_gates;
  marea_real *gates; /* (rows, blocks, padded); in: the projections */
  const marea_real *h, *c;
  marea_real *h_new, *c_new; /* may be c's place, not h's */
  marea_real *scratch;       /* (rows, MAREA_GATES_MAX + 1, padded) */
  /* Backward alone. */
  marea_real *dgates; /* (rows, blocks, padded) */
  marea_real *dh;     /* in: gradient of h_new; out: of h */
  marea_real *dc;     /* in: gradient of c_new by later steps; out: of c */
} marea_step;

typedef struct marea_cell_table {
  size_t gates, states, blocks, recurrent_first;
  /* The weights' gate that each block of the input projection and of the recurrent product
   * belongs to. */
  unsigned char input_gate[MAREA_GATES_MAX], recurrent_gate[MAREA_GATES_MAX];
  /* Recurrent blocks that share one product, from the first on; the others have one each. */
  size_t recurrent_together;
  /* The last recurrent block's product takes r h instead of h, r in block 1. */
  bool reset_before;
  void (*forward)(const marea_step *step);
  void (*backward)(const marea_step *step);
} marea_cell_table;

MAREA_TABLES(marea_cell_rnn, const marea_cell_table);
MAREA_TABLES(marea_cell_lstm, const marea_cell_table);
MAREA_TABLES(marea_cell_gru, const marea_cell_table);
MAREA_TABLES(marea_cell_gru_before, const marea_cell_table);

#endif

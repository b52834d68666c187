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

enum { MAREA_GATES_MAX = 4, MAREA_BLOCKS_MAX = 4 };

/* Layer normalisation of a step: of the cell's blocks, and in an LSTM of c, which comes last. */
typedef struct marea_norm {
  const marea_real *gain;  /* (count, padded); NULL: nothing is normalised */
  const marea_real *shift; /* (padded): c's bias */
  marea_real epsilon;
  size_t count;       /* of normalised vectors a row */
  marea_real *normal; /* (rows, count, padded): centred and scaled to deviation 1 */
  marea_real *scale;  /* (rows, count): 1 / deviation */
  /* Backward alone: sums, the blocks' biases in their places and c's behind them. */
  marea_real *dgain; /* (count, padded) */
  marea_real *dbias; /* (blocks + 1, padded) */
} marea_norm;

/* One step of one slice. Rows that have ended are not among the `rows`. All states are (rows,
 * padded); their padding is zero. */
typedef struct marea_step {
  size_t rows, hidden, padded;
  size_t state, padded_state; /* width of h: H, or that of the projection */
  marea_activation activation, recurrent_activation;
  bool keep_inputs;              /* leave the activations' inputs in `gates`, not the activations */
  const marea_real *bias;        /* (2, gates, padded) in the blocks' order: input, recurrent */
  const marea_real *panels;      /* recurrent kernel, packed; backward: its transpose */
  size_t panels_ld;              /* not 0: panels are the recurrent kernel as it is, with this ld */
  const marea_real *multipliers; /* recurrent dropout (rows, multiplier_gates, padded), or NULL */
  size_t multiplier_gates;
  marea_real *gates; /* (rows, blocks, padded); in: the projections */
  marea_norm norm;
  bool z_writes;
  /* LSTM alone. */
  marea_real cell_clip;          /* 0: none */
  const marea_real *peephole[3]; /* i, f, o: (padded), or packed; NULL: none */
  bool peephole_full, peephole_on_old;
  const marea_real *projection; /* packed, or NULL; backward: its transpose */
  marea_real *unprojected;      /* (rows, padded): o f(c) */
  const marea_real *h, *c;
  marea_real *h_new, *c_new; /* may be c's place, not h's */
  marea_real *scratch;       /* (rows, MAREA_GATES_MAX, padded) */
  /* Backward alone. */
  marea_real *dgates;       /* (rows, blocks, padded) */
  marea_real *dh;           /* in: gradient of h_new; out: of h */
  marea_real *dc;           /* in: gradient of c_new by later steps; out: of c */
  marea_real *dpeephole[3]; /* diagonal: sums (padded) */
} marea_step;

typedef struct marea_cell_table {
  size_t gates, states, blocks, recurrent_first;
  /* The weights' gate that each block of the input projection and of the recurrent product
   * belongs to. */
  unsigned char input_gate[MAREA_GATES_MAX], recurrent_gate[MAREA_GATES_MAX];
  /* Recurrent blocks in use, and those of them that share one product, from the first on; the
   * others have one each. */
  size_t recurrent_blocks, recurrent_together;
  /* Not 0: the last recurrent block's product takes r h instead of h, r in this block - 1. */
  size_t reset_block;
  /* An LSTM, which has the forms of c. */
  bool has_forms;
  void (*forward)(const marea_step *step);
  void (*backward)(const marea_step *step);
} marea_cell_table;

MAREA_TABLES(marea_cell_rnn, const marea_cell_table);
MAREA_TABLES(marea_cell_lstm, const marea_cell_table);
MAREA_TABLES(marea_cell_gru, const marea_cell_table);
MAREA_TABLES(marea_cell_gru_before, const marea_cell_table);
MAREA_TABLES(marea_cell_lstm_forms, const marea_cell_table);
MAREA_TABLES(marea_cell_lstm_coupled, const marea_cell_table);
MAREA_TABLES(marea_cell_simple_gru, const marea_cell_table);
MAREA_TABLES(marea_cell_simple_gru_x, const marea_cell_table);
MAREA_TABLES(marea_cell_mgu, const marea_cell_table);

#endif

/* Whole-sequence recurrent cells, forward and backward, one call a sequence.
 *
 * Shapes: B batch, T time, D input, H hidden, G gates; every array row-major and contiguous.
 * Weights have Keras's layout: kernel (D, G H), recurrent_kernel (H, G H), bias (G H).
 *
 *   MAREA_CELL_RNN  G=1  h = f(x K + b + h' U)                     (Elman 1990)
 *   MAREA_CELL_LSTM G=4  blocks i, f, c, o                         (Hochreiter, Schmidhuber 1997;
 *     i, f, o = s(x K + h' U + b), g = f(x K_c + h' U_c + b_c)      Gers et al. 2000)
 *     c = f c' + i g, h = o f(c)
 *   MAREA_CELL_GRU  G=3  blocks z, r, h; bias (2, 3H): input, then recurrent  (Cho et al. 2014,
 *     a = x K + b0, q = h' U + b1                                   "reset after")
 *     z = s(a_z + q_z), r = s(a_r + q_r), g = f(a_h + r q_h), h = z h' + (1 - z) g
 *   MAREA_CELL_GRU_BEFORE G=3, bias (3H): g = f(a_h + (r h') U_h)  ("reset before")
 *   MAREA_CELL_LSTM_COUPLED G=3, blocks i, c, o: the LSTM with f = 1 - i   (Greff et al. 2017)
 *   MAREA_CELL_SIMPLE_GRU G=2, blocks z, h: z = s(a_z + h' U_z), g = f(a_h + h' U_h), h as GRU's
 *   MAREA_CELL_SIMPLE_GRU_X G=2: g = f(a_h); U_h keeps its place in the weights, unused
 *   MAREA_CELL_MGU  G=2, blocks f, h: the GRU "before" with r = z = f      (Zhou et al. 2016)
 *
 * with h', c' the states before the step, f the activation and s the recurrent activation.
 *
 * Forms. `z_writes` swaps the parts of z in the GRUs, the simple GRUs and the MGU:
 * h = (1 - z) h' + z g. The LSTMs alone (Gers and Schmidhuber 2000; Sak et al. 2014):
 *   peephole  + p_i c' in the sum of i, + p_f c' in that of f, + p_o c in that of o; p (H), or
 *             with MAREA_PEEPHOLE_FULL c' P_i … with P (H, H); `peephole_on_old`: o sees c', too
 *   gates_without_x  the sums of i, f, o lack x K; the kernel keeps its layout
 *   cell_clip  c is cut to [-clip, clip] before o and h see it
 *   projection h = (o f(c)) R, R (H, P): h has P features, U is (P, G H), c keeps H
 * Every cell: `normalised` (Ba et al. 2016) puts each gate's whole sum through
 * gain (a - mean(a)) / sqrt(var(a) + epsilon) over its H units, before the bias; a LSTM's h is
 * o f(the same of c, with a gain and a bias of its own). GRU has four gains: z, r, h of x, h of h'.
 *
 * Zoneout (Krueger et al. 2017): h = d h' + (1 - d) (the new h), c alike, h being made from the new
 * c; d is 0 or 1 by chance in training, given by the caller, and its expectation otherwise.
 *
 * Order of time. Step p = 0 … T-1 of the processing reads x at time p, or T-1-p when `backwards`.
 * Its output lies in y at p; with `original_order` at the time that was read.
 *
 * Mask. mask (B, T) of bytes belongs to x's times; 0 hides a step. A hidden step is not computed
 * and keeps the states. Its output repeats the output of the step processed before it, or is zero
 * (`masked_output`); before a row's first visible step the output is zero whatever the initial
 * state. So `backwards` with a mask that shows a row's own length reverses within that length.
 * y_last is the output at p = T-1 by the same rule; the last states of a row without visible
 * steps are its initial states.
 *
 * Dropout multipliers are given by the caller, constant over time: input_dropout (B, n, D) and
 * recurrent_dropout (B, n, H) with n = 1 (shared) or n = G (one a gate, in the weights' order).
 * They multiply x and h' before the matrix products only; GRU_BEFORE multiplies h' by the
 * multiplier before r does.
 *
 * The same bits come out for any number of threads, and a row's outputs do not depend on the
 * other rows, on hidden steps or on T. */
#ifndef MAREA_KERNELS_RECURRENT_H
#define MAREA_KERNELS_RECURRENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"
#include "kernels/pointwise.h"

typedef enum marea_cell {
  MAREA_CELL_RNN,
  MAREA_CELL_LSTM,
  MAREA_CELL_GRU,
  MAREA_CELL_GRU_BEFORE,
  MAREA_CELL_LSTM_COUPLED,
  MAREA_CELL_SIMPLE_GRU,
  MAREA_CELL_SIMPLE_GRU_X,
  MAREA_CELL_MGU,
  MAREA_CELL_COUNT
} marea_cell;

typedef enum marea_peephole {
  MAREA_PEEPHOLE_NONE,
  MAREA_PEEPHOLE_DIAGONAL,
  MAREA_PEEPHOLE_FULL
} marea_peephole;

typedef enum marea_masked_output { MAREA_MASKED_REPEATS, MAREA_MASKED_ZERO } marea_masked_output;

enum { MAREA_STATES_MAX = 2, MAREA_PEEPHOLES = 3 };

/* What is computed. Zero-initialise, then set; all four sizes are at least 1. */
typedef struct marea_recurrent {
  marea_cell cell;
  marea_activation activation;           /* Keras's default: MAREA_TANH */
  marea_activation recurrent_activation; /* Keras's default: MAREA_SIGMOID */
  size_t batch, time, input, hidden;     /* B, T, D, H */
  bool backwards;
  bool original_order;
  marea_masked_output masked_output;
  bool keep; /* forward keeps in the workspace what backward needs */
  /* Steps of equal ids (inputs.ids, each below this) have equal x, and what depends on x alone is
   * computed once an id; 0: not known. */
  size_t vocabulary;
  /* The forms; zero for the plain cells. */
  bool z_writes;
  marea_peephole peephole;
  bool peephole_on_old, gates_without_x;
  marea_real cell_clip; /* 0: none */
  size_t projection;    /* P, up to H; 0: none */
  bool normalised;
  marea_real epsilon;
  marea_real zoneout[MAREA_STATES_MAX]; /* 0 (none) to 1: d of h and c where the
                                         * inputs give none */
} marea_recurrent;

/* Features of the output and of the state h: P with a projection, else H. */
static inline size_t marea_recurrent_width(const marea_recurrent *layer) {
  return layer->projection != 0 ? layer->projection : layer->hidden;
}

typedef struct marea_recurrent_weights {
  const marea_real *kernel;                    /* (D, G H) */
  const marea_real *recurrent_kernel;          /* (H, G H); (P, G H) with a projection */
  const marea_real *bias;                      /* marea_cell_biases elements, or NULL for zeros */
  const marea_real *peephole[MAREA_PEEPHOLES]; /* i, f, o: (H) or (H, H); no f when coupled */
  const marea_real *projection;                /* (H, P) */
  const marea_real *gain;                      /* (marea_cell_gains, H), in the gates' order */
  const marea_real *cell_gain, *cell_bias;     /* LSTMs, normalised: (H) each */
} marea_recurrent_weights;

typedef struct marea_recurrent_inputs {
  const marea_real *x;                         /* (B, T, D) */
  const int32_t *ids;                          /* (B, T), or NULL: see `vocabulary` */
  const unsigned char *mask;                   /* (B, T), or NULL: all steps are visible */
  const marea_real *initial[MAREA_STATES_MAX]; /* h, c: (B, H) each, or NULL for zeros */
  const marea_real *input_dropout;             /* (B, input_dropout_gates, D), or NULL */
  size_t input_dropout_gates;
  const marea_real *recurrent_dropout; /* (B, recurrent_dropout_gates, H), or NULL */
  size_t recurrent_dropout_gates;
  const marea_real *zoneout[MAREA_STATES_MAX]; /* d by x's times, (B, T, P or H) each, or
                                                * NULL; read where the layer's is not 0 */
} marea_recurrent_inputs;

/* Any of them may be NULL: not wanted. */
typedef struct marea_recurrent_outputs {
  marea_real *y;                      /* (B, T, H) */
  marea_real *y_last;                 /* (B, H) */
  marea_real *last[MAREA_STATES_MAX]; /* h, c after the last visible step: (B, H) each */
} marea_recurrent_outputs;

/* Gradients that come in, of the outputs' shapes; NULL means zeros. */
typedef struct marea_recurrent_output_gradients {
  const marea_real *y;
  const marea_real *y_last;
  const marea_real *last[MAREA_STATES_MAX];
} marea_recurrent_output_gradients;

/* Gradients that go out, of the inputs' and weights' shapes. Each is ADDED to what the array
 * holds; NULL means not wanted (and what only it needs is not computed). */
typedef struct marea_recurrent_gradients {
  marea_real *x;
  marea_real *kernel;
  marea_real *recurrent_kernel;
  marea_real *bias;
  marea_real *initial[MAREA_STATES_MAX];
  bool x_is_new; /* x holds nothing yet: it is cleared here, by the threads that fill it */
  bool kernel_is_new, recurrent_kernel_is_new; /* the same of the weights: written or cleared */
  marea_real *distinct; /* WRITTEN: of the different rows, see marea_recurrent_distinct */
  marea_real *peephole[MAREA_PEEPHOLES];
  marea_real *projection, *gain, *cell_gain, *cell_bias;
} marea_recurrent_gradients;

/* Gains of a normalised cell's gates: G, and 4 for GRU. */
size_t marea_cell_gains(marea_cell cell);

/* Gates G, states (1: h; 2: h, c) and bias elements of a cell; 0 for a value outside the enum. */
size_t marea_cell_gates(marea_cell cell);
size_t marea_cell_states(marea_cell cell);
size_t marea_cell_biases(marea_cell cell, size_t hidden);

/* Bytes of workspace for forward (and, with layer->keep, for the backward after it). MAREA_RANGE
 * for a size of 0, an unknown cell or activation, or a form that the cell does not have;
 * MAREA_NOMEM when the bytes overflow size_t. */
marea_status marea_recurrent_workspace(const marea_recurrent *layer, size_t *bytes);

/* How many different ids forward found; 0 when it took each step by itself (no ids, input dropout,
 * or few equal ones). Then *ids are they, and backward gives the sums of dx over the steps of each
 * in `distinct` (that many rows of D), and nothing in `x`. */
size_t marea_recurrent_distinct(const marea_recurrent *layer, void *workspace, const int32_t **ids);

/* Runs the layer. `workspace`: the bytes asked above, aligned to MAREA_ALIGNMENT, contents
 * undefined. MAREA_RANGE as above, or for a number of dropout gates that is neither 1 nor G. */
marea_status marea_recurrent_forward(const marea_recurrent *layer,
                                     const marea_recurrent_weights *weights,
                                     const marea_recurrent_inputs *inputs,
                                     const marea_recurrent_outputs *outputs, void *workspace);

/* Gradients of the forward call that used the same layer (keep = true), weights, inputs and
 * workspace, all unchanged. Overwrites what forward kept: once for each forward. */
marea_status marea_recurrent_backward(const marea_recurrent *layer,
                                      const marea_recurrent_weights *weights,
                                      const marea_recurrent_inputs *inputs,
                                      const marea_recurrent_output_gradients *output_gradients,
                                      const marea_recurrent_gradients *gradients, void *workspace);

#endif

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
 *
 * with h', c' the states before the step, f the activation and s the recurrent activation.
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

#include "base/real.h"
#include "base/status.h"
#include "kernels/pointwise.h"

typedef enum marea_cell {
  MAREA_CELL_RNN,
  MAREA_CELL_LSTM,
  MAREA_CELL_GRU,
  MAREA_CELL_GRU_BEFORE,
  MAREA_CELL_COUNT
} marea_cell;

typedef enum marea_masked_output { MAREA_MASKED_REPEATS, MAREA_MASKED_ZERO } marea_masked_output;

enum { MAREA_STATES_MAX = 2 };

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
} marea_recurrent;

typedef struct marea_recurrent_weights {
  const marea_real *kernel;           /* (D, G H) */
  const marea_real *recurrent_kernel; /* (H, G H) */
  const marea_real *bias;             /* marea_cell_biases elements, or NULL for zeros */
} marea_recurrent_weights;

typedef struct marea_recurrent_inputs {
  const marea_real *x;                         /* (B, T, D) */
  const unsigned char *mask;                   /* (B, T), or NULL: all steps are visible */
  const marea_real *initial[MAREA_STATES_MAX]; /* h, c: (B, H) each, or NULL for zeros */
  const marea_real *input_dropout;             /* (B, input_dropout_gates, D), or NULL */
  size_t input_dropout_gates;
  const marea_real *recurrent_dropout; /* (B, recurrent_dropout_gates, H), or NULL */
  size_t recurrent_dropout_gates;
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
} marea_recurrent_gradients;

/* Gates G, states (1: h; 2: h, c) and bias elements of a cell; 0 for a value outside the enum. */
size_t marea_cell_gates(marea_cell cell);
size_t marea_cell_states(marea_cell cell);
size_t marea_cell_biases(marea_cell cell, size_t hidden);

/* Bytes of workspace for forward (and, with layer->keep, for the backward after it). MAREA_RANGE
 * for a size of 0 or an unknown cell or activation, MAREA_NOMEM when the bytes overflow size_t. */
marea_status marea_recurrent_workspace(const marea_recurrent *layer, size_t *bytes);

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

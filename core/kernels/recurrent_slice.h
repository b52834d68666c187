/* Inside kernels only: how a recurrent layer's work is cut, shared by the driver and the cells.
 *
 * The batch is cut into slices of rows by its size alone; one thread takes a slice through all
 * steps. In a slice everything is time-major: step `at` of `rows` rows. With `keep` all T steps
 * stay for backward; without it a block of steps is reused. */
#ifndef MAREA_KERNELS_RECURRENT_SLICE_H
#define MAREA_KERNELS_RECURRENT_SLICE_H

#include "kernels/recurrent.h"
#include "kernels/simd.h"

/* Sizes that follow from the layer, in elements. */
typedef struct recurrent_plan {
  size_t gates, states, biases, extra; /* extra: what a cell keeps beside gates, a row and step */
  size_t width;                        /* gates * H */
  size_t slice_rows, slices, block, span;
  size_t slice_elements; /* workspace of one slice */
  size_t bytes;
} recurrent_plan;

typedef struct recurrent_slice {
  const marea_recurrent *layer;
  const recurrent_plan *plan;
  const marea_recurrent_weights *weights;
  const marea_recurrent_inputs *inputs;
  const marea_simd *simd;
  const size_t *order; /* the batch row of each of the slice's rows */
  const size_t *first; /* each row's first visible step of the processing, or T */
  size_t rows;
  /* (span, rows, width), (span, rows, extra), (span + 1, rows, H) twice; h[0] is the state before
   */
  marea_real *gates, *extra, *h, *c;
  marea_real *x_block, *h_block, *dx_block;    /* (block, rows, D or H) */
  marea_real *dh, *dh_next, *dc;               /* (rows, H) */
  marea_real *row;                             /* 2 * width elements for one row */
  marea_real *kernel_back, *recurrent_back;    /* transposed weights: (width, D), (width, H) */
  marea_real *d_kernel, *d_recurrent, *d_bias; /* this slice's part of the weights' gradients */
} recurrent_slice;

/* One step of a cell. forward: gates hold x K + b, h[at] and c[at] the states before; writes
 * h[at+1], c[at+1] and what backward needs. backward: dh, dc hold the gradients of the states
 * after; writes the gates' gradients, dh_next and dc. */
typedef struct recurrent_cell {
  const char *name;
  size_t gates, states, biases_a_unit, extra_a_unit;
  void (*forward)(recurrent_slice *slice, size_t at);
  void (*backward)(recurrent_slice *slice, size_t at, const unsigned char *visible);
  /* The gradients (rows, width) that belong to the recurrent product, when not the gates'. */
  bool recurrent_gradients_in_extra;
} recurrent_cell;

extern const recurrent_cell recurrent_cell_rnn, recurrent_cell_lstm;
extern const recurrent_cell recurrent_cell_gru, recurrent_cell_gru_before;

/* to (rows, width) += (h * dropout) U for the gates from … to-1. */
void recurrent_multiply(recurrent_slice *slice, const marea_real *h, marea_real *to,
                        size_t first_gate, size_t last_gate);

/* dh (rows, H) += dropout * (d (rows, width) U') for the gates from … to-1. */
void recurrent_multiply_back(recurrent_slice *slice, const marea_real *d, marea_real *dh,
                             size_t first_gate, size_t last_gate);

/* The row's recurrent dropout multipliers for a gate, or NULL. */
const marea_real *recurrent_dropout_row(const recurrent_slice *slice, size_t row, size_t gate);

/* True when the layer has the usual tanh and sigmoid, for which there are fused loops. */
static inline bool recurrent_usual(const recurrent_slice *slice) {
  return slice->layer->activation == MAREA_TANH &&
         slice->layer->recurrent_activation == MAREA_SIGMOID;
}

#endif

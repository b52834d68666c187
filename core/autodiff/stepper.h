/* One step at a time through a row of layers, for serving and generation: embedding, recurrent
 * layers, dense layers. All memory is taken while the row is put together; a step allocates
 * nothing.
 *
 * Weights and states are the caller's owned tensors, of which a stepper holds references: it sees
 * what training changes, and a state is read, kept and set through its tensor. */
#ifndef MAREA_AUTODIFF_STEPPER_H
#define MAREA_AUTODIFF_STEPPER_H

#include "autodiff/ops.h"

typedef struct marea_stepper marea_stepper;

/* A row for `batch` sequences that takes ids (features = 0) or vectors of `features` reals; each
 * at least 1. NULL: MAREA_RANGE, MAREA_NOMEM. */
marea_stepper *marea_stepper_new(int64_t batch, int64_t features);
void marea_stepper_free(marea_stepper *stepper); /* NULL is allowed */

/* Each appends a layer. Tensors must be owned, contiguous and real; MAREA_SHAPE, MAREA_TYPE or
 * MAREA_STATE naming what does not fit.
 *
 * table (V, D): ids → rows; the first layer of a row that takes ids.
 * Recurrent: a cell without weights beyond these, which are as in ops.h (bias may be NULL); of the
 * options, cell, activations and z_writes count. A weight of MAREA_CELL_MGU may lack the columns of
 * its gate f, which are zeros then. h and c (batch, units) are the states, read and written by each
 * step; c is NULL for cells without.
 * Dense: x kernel + bias (may be NULL).
 * Activation, softmax: of the outputs so far. */
marea_status marea_stepper_embedding(marea_stepper *stepper, marea_tensor *table);
marea_status marea_stepper_recurrent(marea_stepper *stepper, const marea_recurrent_options *options,
                                     marea_tensor *kernel, marea_tensor *recurrent_kernel,
                                     marea_tensor *bias, marea_tensor *h, marea_tensor *c);
marea_status marea_stepper_dense(marea_stepper *stepper, marea_tensor *kernel, marea_tensor *bias);
marea_status marea_stepper_activation(marea_stepper *stepper, marea_activation activation);
marea_status marea_stepper_softmax(marea_stepper *stepper, bool log);

int64_t marea_stepper_batch(const marea_stepper *stepper);
int64_t marea_stepper_features(const marea_stepper *stepper); /* of the input; 0: ids */
int64_t marea_stepper_width(const marea_stepper *stepper); /* of the output so far; 0: none yet */

/* One step: `ids` (batch) or `x` (batch, features) → y (batch, width). MAREA_RANGE for an id
 * outside the table; then nothing has changed. */
marea_status marea_stepper_ids(marea_stepper *stepper, const int32_t *ids, marea_real *y);
marea_status marea_stepper_vectors(marea_stepper *stepper, const marea_real *x, marea_real *y);

#endif

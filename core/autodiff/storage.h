/* Inside autodiff only: the reference-counted bytes under owned tensors and their views, and what
 * tensors and tapes share when they make a tensor. */
#ifndef MAREA_AUTODIFF_STORAGE_H
#define MAREA_AUTODIFF_STORAGE_H

#include "autodiff/tensor.h"

/* Uninitialised bytes with one reference; NULL: MAREA_NOMEM. */
marea_storage *marea_storage_new(size_t bytes);
marea_storage *marea_storage_retain(marea_storage *storage);
void marea_storage_free(marea_storage *storage);
void *marea_storage_data(marea_storage *storage);
size_t marea_storage_bytes(const marea_storage *storage);

/* Checks the sizes, sets x's shape with row-major strides, and gives the bytes it needs. */
marea_status marea_tensor_layout(marea_tensor *x, marea_dtype dtype, int rank, const int64_t *size,
                                 size_t *bytes);

/* marea_tensor_new without the zeros. */
marea_tensor *marea_tensor_uninitialised(marea_dtype dtype, int rank, const int64_t *size);

#endif

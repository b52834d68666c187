/* Tensors: strided views of reals or of 32-bit ids, with one of two lifetimes.
 *
 * Owned tensors (parameters, data) are reference-counted: marea_tensor_new gives a reference,
 * marea_tensor_free drops it. Taped tensors (results of operations while a tape is active) live in
 * the tape's arena and die with it; _free ignores them. Axes and indices are 0-based in C.
 *
 * Fields are for reading; change them through functions only. */
#ifndef MAREA_AUTODIFF_TENSOR_H
#define MAREA_AUTODIFF_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"
#include "base/status.h"

enum { MAREA_MAX_RANK = 6 };

typedef enum marea_dtype { MAREA_REAL, MAREA_INT32 } marea_dtype;

typedef struct marea_tape marea_tape;
typedef struct marea_storage marea_storage;

/* dL/dx of a tensor: dense (contiguous, the tensor's shape) or, for a table of rows of which few
 * were looked up, the touched rows alone: ids in ascending order without repetition, and their
 * values (row_count, D). */
typedef struct marea_gradient {
  bool fresh;  /* set by backward, cleared by whoever consumed it (an optimizer) */
  bool sparse; /* rows and row_values hold it, not dense */
  marea_real *dense;
  int64_t row_count, row_capacity;
  int32_t *rows;
  marea_real *row_values;
  uint64_t pass; /* the backward pass that wrote it last */
} marea_gradient;

/* Which rows of a table a tensor is made of: element (…, d) is table[ids[…]][d]. */
typedef struct marea_lookup {
  struct marea_tensor *table; /* NULL when it wants no gradient */
  const int32_t *ids;
  int64_t rows; /* of the table */
} marea_lookup;

typedef struct marea_tensor {
  int rank;
  marea_dtype dtype;
  int64_t size[MAREA_MAX_RANK];
  int64_t stride[MAREA_MAX_RANK]; /* in elements; 0 along a broadcast axis */
  void *data;                     /* first element */
  bool requires_grad;
  marea_tape *tape;         /* NULL: owned */
  marea_storage *storage;   /* the shared bytes of an owned tensor; NULL when taped */
  marea_gradient *gradient; /* NULL until backward reaches it */
  marea_lookup *lookup;     /* of a result of marea_embedding on some tapes; NULL: nothing known */
  int references;
} marea_tensor;

/* ---- making ---- */

/* An owned tensor of the given shape, all zero. Sizes are >= 0, rank <= MAREA_MAX_RANK. NULL:
 * MAREA_SHAPE or MAREA_NOMEM. */
marea_tensor *marea_tensor_new(marea_dtype dtype, int rank, const int64_t *size);

/* One more reference to an owned tensor; returns it. A taped tensor is returned as it is. */
marea_tensor *marea_tensor_retain(marea_tensor *x);

/* Drops a reference; the last one frees data and gradient. NULL and taped tensors: nothing. */
void marea_tensor_free(marea_tensor *x);

/* An owned copy, contiguous, without history: outlives any tape. NULL in, NULL out. */
marea_tensor *marea_tensor_copy(const marea_tensor *x);

/* ---- asking ---- */

int64_t marea_tensor_count(const marea_tensor *x); /* number of elements */
bool marea_tensor_contiguous(const marea_tensor *x);
bool marea_same_shape(const marea_tensor *a, const marea_tensor *b);
const char *marea_dtype_name(marea_dtype dtype); /* "float", "double" or "int32" */
size_t marea_dtype_bytes(marea_dtype dtype);
size_t marea_tensor_bytes(const marea_tensor *x); /* of its storage or, if taped, its elements */

/* The data pointers by type (the caller knows the dtype). */
static inline marea_real *marea_reals(const marea_tensor *x) {
  return (marea_real *)x->data;
}
static inline int32_t *marea_ints(const marea_tensor *x) {
  return (int32_t *)x->data;
}

/* Offset in elements of the i-th element in row-major order. */
int64_t marea_tensor_offset(const marea_tensor *x, int64_t i);

/* Element i in row-major order, as a double, whatever the dtype and strides. */
double marea_tensor_get(const marea_tensor *x, int64_t i);
/* Writes element i; MAREA_RANGE when an int32 tensor gets a fraction or a number outside int32. */
marea_status marea_tensor_set(marea_tensor *x, int64_t i, double value);

/* "(32, 200, 100)" into `text`; returns text. */
enum { MAREA_SHAPE_TEXT_BYTES = 160 };
const char *marea_shape_text(const marea_tensor *x, char text[MAREA_SHAPE_TEXT_BYTES]);
const char *marea_sizes_text(int rank, const int64_t *size, char text[MAREA_SHAPE_TEXT_BYTES]);

/* Copies all elements of `from` (any strides) in row-major order into the array `to`, which has
 * from's element type. */
void marea_tensor_gather(const marea_tensor *from, void *to);

/* Overwrites x with the values of `from`, in place and outside any history. Same shape. */
marea_status marea_tensor_assign(marea_tensor *x, const marea_tensor *from);
void marea_tensor_fill(marea_tensor *x, double value);

/* ---- gradients ---- */

/* The dense gradient of x as an owned tensor (a copy; sparse ones are spread out, zeros where
 * backward never came). */
marea_tensor *marea_tensor_gradient(const marea_tensor *x);

/* Frees the gradient of an owned tensor. */
void marea_tensor_clear_gradient(marea_tensor *x);

#endif

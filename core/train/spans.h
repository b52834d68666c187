/* Inside train only: walks a stretch of a parameter as runs that have a gradient and runs, between
 * the touched rows of a row-sparse gradient, that have none. Dense and sparse gradients thereby
 * pass through the same loops, which makes their results equal bit for bit. */
#ifndef MAREA_TRAIN_SPANS_H
#define MAREA_TRAIN_SPANS_H

#include "autodiff/tensor.h"

typedef struct marea_span {
  int64_t start, count;       /* elements of the parameter, row-major */
  const marea_real *gradient; /* `count` values; NULL: all zero */
} marea_span;

typedef struct marea_span_walk {
  const marea_gradient *gradient;
  int64_t width; /* of a row */
  int64_t at, end;
  int64_t row; /* place in gradient->rows of the first touched row that does not end before `at` */
} marea_span_walk;

/* Begins at the elements from … to-1 of x, which has a gradient. */
marea_span_walk marea_spans(const marea_tensor *x, int64_t from, int64_t to);

/* The next run, in ascending order; false after the last. */
bool marea_spans_next(marea_span_walk *walk, marea_span *span);

#endif

/* What the reductions share: looking at the rows of a matrix. */
#ifndef MAREA_REDUCE_ROWS_H
#define MAREA_REDUCE_ROWS_H

#include <stddef.h>

#include "base/real.h"
#include "base/status.h"

/* MAREA_NONFINITE, naming the first element (1-based) of x (n, d) that is no number. */
marea_status marea_rows_check(const char *who, const marea_real *x, size_t n, size_t d);

/* mean (d) of the rows of x (n, d), in double precision and a fixed order; n >= 1. */
marea_status marea_rows_mean(const marea_real *x, size_t n, size_t d, marea_real *mean);

/* to (n, d) = x - mean; to may be x. */
void marea_rows_centre(marea_real *to, const marea_real *x, size_t n, size_t d,
                       const marea_real *mean);

#endif

/* Inner products and scaled sums of rows whose length is a multiple of 16. */
#ifndef MAREA_KERNELS_SIMD_ROW_STEPS_H
#define MAREA_KERNELS_SIMD_ROW_STEPS_H

#include <stddef.h>

#include "base/real.h"
#include "kernels/simd.h"

enum { MAREA_ROW_ALIGN = 16 };

typedef struct marea_row_table {
  marea_real (*dot)(const marea_real *a, const marea_real *b, size_t n);
  void (*add_scaled)(marea_real *y, marea_real scale, const marea_real *x, size_t n); /* y += s x */
} marea_row_table;

MAREA_TABLES(marea_row_steps, const marea_row_table);

#endif

/* Products of rows of bytes with one vector, for a first look at many rows. */
#ifndef MAREA_KERNELS_SIMD_BYTE_DOTS_H
#define MAREA_KERNELS_SIMD_BYTE_DOTS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/simd.h"

enum { MAREA_BYTE_LANES = 16 };

typedef struct marea_byte_dots_table {
  /* out[i] = sum of rows[i * stride + j] * vector[j], j < stride, a multiple of MAREA_BYTE_LANES.
   * The sums must fit. */
  void (*dots)(const int8_t *rows, size_t count, size_t stride, const int16_t *vector,
               int32_t *out);
} marea_byte_dots_table;

MAREA_TABLES(marea_byte_dots, const marea_byte_dots_table);

#endif

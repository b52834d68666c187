/* The loops of scan.h for each instruction set. */
#ifndef MAREA_KERNELS_SIMD_SCAN_LOOPS_H
#define MAREA_KERNELS_SIMD_SCAN_LOOPS_H

#include "kernels/scan.h"
#include "kernels/simd.h"

typedef struct marea_scans_table {
  void (*set)(const marea_byte_set *set, const char *bytes, size_t blocks, uint64_t *masks);
  void (*high)(const char *bytes, size_t blocks, uint64_t *masks);
  void (*lower)(char *to, const char *from, size_t length);
} marea_scans_table;

MAREA_TABLES(marea_scans, const marea_scans_table);

#endif

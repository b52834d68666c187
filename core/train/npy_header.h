/* Inside train only: the header of an .npy array. */
#ifndef MAREA_TRAIN_NPY_HEADER_H
#define MAREA_TRAIN_NPY_HEADER_H

#include "train/element_types.h"

typedef struct marea_npy_header {
  const marea_element_type *type;
  bool fortran;
  int rank;
  int64_t size[MAREA_MAX_RANK];
  uint64_t count; /* elements */
  size_t start;   /* where they begin */
} marea_npy_header;

/* Reads the header of an array of `length` bytes and checks that the elements fill the rest.
 * NULL, or what is wrong (static or at `what`, which has room for 160 bytes). */
const char *marea_npy_read_header(const unsigned char *bytes, size_t length,
                                  marea_npy_header *header, char what[160]);

enum { MAREA_NPY_HEADER_BYTES = 256 };

/* Writes the header for x's elements in C's order; returns its length, a multiple of 64. */
size_t marea_npy_write_header(const marea_tensor *x, char header[MAREA_NPY_HEADER_BYTES]);

#endif

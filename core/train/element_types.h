/* Inside train only: the element types of safetensors files. */
#ifndef MAREA_TRAIN_ELEMENT_TYPES_H
#define MAREA_TRAIN_ELEMENT_TYPES_H

#include "autodiff/tensor.h"

/* Converts `count` elements from the file's bytes to an array of the type in memory; returns how
 * many went well before the first that does not fit (`count`: all). */
typedef size_t marea_element_reader(const unsigned char *bytes, size_t count, void *to);

typedef struct marea_element_type {
  const char *name; /* "BF16" */
  size_t bytes;     /* of one element */
  marea_dtype dtype;
  marea_element_reader *read;
} marea_element_type;

/* NULL for a name that is not in the list. */
const marea_element_type *marea_element_type_find(const char *name);

/* The type under which tensors of this dtype are written: their bytes as they lie in memory. */
const marea_element_type *marea_element_type_of(marea_dtype dtype);

#endif

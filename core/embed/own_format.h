/* Inside embed only: the file of a store, a safetensors file.
 *
 *   words.starts  U64 (V+1)  offsets of the words in words.bytes
 *   norms         F32 (V)
 *   scales        F32 (V)    with int8 only
 *   subwords      F32 (B,D)  with fastText's parts only
 *   vectors       F32, F16 or I8 (V,D)
 *   words.table   U32 (S)    hash table: row + 1, 0 free
 *   words.bytes   U8
 *
 * in the order of their alignment, so that each array can be used where it lies. */
#ifndef MAREA_EMBED_OWN_FORMAT_H
#define MAREA_EMBED_OWN_FORMAT_H

#include "embed/vectors.h"

marea_status marea_own_save(const marea_vectors *vectors, const char *path);

enum { MAREA_OWN_ARRAYS = 7 };

typedef struct marea_own_array {
  const char *name, *type;
  int rank;
  uint64_t size[2];
  size_t item; /* bytes of one */
  const void *data;
} marea_own_array;

#endif

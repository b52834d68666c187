/* IDX files (the format of MNIST; LeCun, Cortes & Burges, 1998): a header with the element type and
 * the sizes, big-endian, then the elements in row-major order. Plain or gzip. */
#ifndef MAREA_BASE_IDX_H
#define MAREA_BASE_IDX_H

#include "base/source.h"

enum { MAREA_IDX_RANK = 6 };

typedef enum marea_idx_type {
  MAREA_IDX_UINT8 = 0x08,
  MAREA_IDX_INT8 = 0x09,
  MAREA_IDX_INT16 = 0x0b,
  MAREA_IDX_INT32 = 0x0c,
  MAREA_IDX_FLOAT = 0x0d,
  MAREA_IDX_DOUBLE = 0x0e
} marea_idx_type;

typedef struct marea_idx marea_idx;

/* Reads the header. NULL on failure: as marea_source_new, and MAREA_FORMAT for a file that is no
 * IDX file, has more than MAREA_IDX_RANK axes or cannot hold as much as its header says. */
marea_idx *marea_idx_new(const char *path);

marea_idx_type marea_idx_element(const marea_idx *idx);
int marea_idx_rank(const marea_idx *idx);
const int64_t *marea_idx_sizes(const marea_idx *idx);

/* The next `count` elements as doubles; MAREA_FORMAT when the file ends before. */
marea_status marea_idx_read(marea_idx *idx, double *to, size_t count);

/* MAREA_FORMAT when something follows the elements. */
marea_status marea_idx_check_end(marea_idx *idx);
void marea_idx_free(marea_idx *idx); /* NULL is allowed */

#endif

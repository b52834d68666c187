/* Lists of ids of different lengths, one after the other in memory. */
#ifndef MAREA_TEXT_SEQUENCES_H
#define MAREA_TEXT_SEQUENCES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Sequence i holds ids[offsets[i]] … ids[offsets[i+1] - 1]. */
typedef struct marea_sequences {
  int32_t *ids;
  size_t id_count, id_capacity;
  size_t *offsets;
  size_t count, capacity;
} marea_sequences;

marea_sequences *marea_sequences_new(void);
void marea_sequences_free(marea_sequences *sequences); /* NULL is allowed */
marea_status marea_sequences_push(marea_sequences *sequences, int32_t id);
/* Ends the sequence that _push has filled since the last end. */
marea_status marea_sequences_end(marea_sequences *sequences);

/* Appends all sequences of `from`. */
marea_status marea_sequences_append(marea_sequences *to, const marea_sequences *from);

/* Appends the sequences `rows` (counted from 0) of `from`, in that order. MAREA_RANGE for a row
 * that is not there. */
marea_status marea_sequences_pick(const marea_sequences *from, const int32_t *rows, size_t count,
                                  marea_sequences *to);

#endif

/* Rows of a sparse matrix of whole numbers, one after the other: in memory, or beyond a limit in a
 * temporary file without a name. */
#ifndef MAREA_EMBED_PAIR_RUN_H
#define MAREA_EMBED_PAIR_RUN_H

#include <stdbool.h>

#include "embed/scratch_file.h"

/* Rows on their way into a run: row, n, n columns, n sums (two halves each), in 32-bit words. */
typedef struct marea_pair_buffer {
  uint32_t *words;
  size_t used, capacity;
  uint64_t pairs;
} marea_pair_buffer;

/* Room for a row of n pairs, which the caller fills by _set; NULL: MAREA_NOMEM. */
uint32_t *marea_pair_buffer_row(marea_pair_buffer *buffer, uint32_t row, uint32_t n);
void marea_pair_buffer_free(marea_pair_buffer *buffer);

/* Pair k of a row of n, whose words begin behind its head. */
void marea_pair_set(uint32_t *body, uint32_t n, uint32_t k, uint32_t column, uint64_t sum);
static inline uint32_t marea_pair_column(const uint32_t *body, uint32_t k) {
  return body[k];
}
uint64_t marea_pair_sum(const uint32_t *body, uint32_t n, uint32_t k);

typedef struct marea_pair_run marea_pair_run;

/* An empty run. `folder` is where it would spill (NULL: TMPDIR or /tmp). */
marea_pair_run *marea_pair_run_new(const char *folder);
void marea_pair_run_free(marea_pair_run *run); /* NULL is allowed */

/* Takes the rows of the buffer, which is empty afterwards. Rows ascend within a run. */
marea_status marea_pair_run_append(marea_pair_run *run, marea_pair_buffer *buffer);

/* Moves the rows to a file, to which later ones go directly. */
marea_status marea_pair_run_spill(marea_pair_run *run);

bool marea_pair_run_spilled(const marea_pair_run *run);
size_t marea_pair_run_held(const marea_pair_run *run); /* bytes in memory */
uint64_t marea_pair_run_pairs(const marea_pair_run *run);
uint64_t marea_pair_run_file_bytes(const marea_pair_run *run);

/* Goes through the rows of a run. */
typedef struct marea_pair_cursor {
  const marea_pair_run *run;
  size_t block, at; /* in memory */
  uint64_t offset;  /* in the file, of what comes after the window */
  char *window;
  size_t window_at, window_end;
  uint32_t *copy; /* of the current row, when it comes from a file */
  size_t copy_capacity;
  /* The current row; body is valid until the next call. */
  bool there; /* false: behind the last row */
  uint32_t row, count;
  const uint32_t *body;
} marea_pair_cursor;

void marea_pair_cursor_begin(marea_pair_cursor *cursor, const marea_pair_run *run);
marea_status marea_pair_cursor_next(marea_pair_cursor *cursor);
void marea_pair_cursor_end(marea_pair_cursor *cursor);

#endif

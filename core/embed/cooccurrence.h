/* Counting which words stand near which: X[i][j] is the sum, over all places of word i and of word
 * j at a distance d of at most `window`, of 1/d (or of 1). Pennington et al., 2014, section 3.
 *
 * Sums are whole numbers of a unit that all 1/d are multiples of (for windows up to 22; beyond,
 * 1/d is rounded to 32 binary places), so no order of adding changes them: the result is the same
 * for any number of threads and however often rows were spilled to a disk. */
#ifndef MAREA_EMBED_COOCCURRENCE_H
#define MAREA_EMBED_COOCCURRENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { MAREA_WINDOW_MAX = 10000 };

typedef struct marea_cooccurrence_options {
  size_t words;       /* ids run from 0 to words - 1; others have been left out before */
  size_t window;      /* 1 … MAREA_WINDOW_MAX */
  bool symmetric;     /* both sides; false: only words to the right of the row's word */
  bool weighting;     /* 1/d; false: 1 */
  size_t memory;      /* bytes for texts and sums; beyond, sums go to temporary files; 0: 4 GiB */
  const char *folder; /* of those files; NULL: TMPDIR, else /tmp */
} marea_cooccurrence_options;

typedef struct marea_cooccurrence_report {
  uint64_t tokens;
  uint64_t stored;  /* entries; of a symmetric matrix those with column <= row */
  uint64_t spilled; /* bytes that were written to temporary files */
  size_t files;
} marea_cooccurrence_report;

typedef struct marea_cooccurrence marea_cooccurrence;

/* NULL: MAREA_RANGE for words above INT32_MAX or a window out of range, MAREA_NOMEM. */
marea_cooccurrence *marea_cooccurrence_new(const marea_cooccurrence_options *options);
void marea_cooccurrence_free(marea_cooccurrence *counter); /* NULL is allowed */

/* Adds documents: document k is ids[offsets[k]] … ids[offsets[k + 1] - 1]. No pair crosses their
 * borders. MAREA_RANGE for an id that is no word, MAREA_IO for a disk that is full. After a failure
 * the counter can only be freed. */
marea_status marea_cooccurrence_add(marea_cooccurrence *counter, const int32_t *ids,
                                    const size_t *offsets, size_t documents);

/* Ends the counting; after it the rows can be read, as often as wanted. */
marea_status marea_cooccurrence_finish(marea_cooccurrence *counter);

/* One row: `columns` ascend; the sums are in units. MAREA_OK goes on, anything else stops. */
typedef struct marea_cooccurrence_row {
  uint32_t row, count;
  const uint32_t *body; /* see pair_run.h */
} marea_cooccurrence_row;
typedef marea_status marea_cooccurrence_sink(void *context, const marea_cooccurrence_row *row);

/* Gives the rows in ascending order, those without an entry left out. Of a symmetric matrix only
 * entries with column <= row come. MAREA_STATE before _finish. */
marea_status marea_cooccurrence_rows(const marea_cooccurrence *counter,
                                     marea_cooccurrence_sink *sink, void *context);

/* The value of entry k of a row. */
double marea_cooccurrence_value(const marea_cooccurrence *counter,
                                const marea_cooccurrence_row *row, uint32_t k);

const marea_cooccurrence_options *marea_cooccurrence_asked(const marea_cooccurrence *counter);
const marea_cooccurrence_report *marea_cooccurrence_told(const marea_cooccurrence *counter);

#endif

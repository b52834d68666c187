/* Sliding windows over long sequences, and one answer from the answers for a sequence's windows. */
#ifndef MAREA_TEXT_WINDOWS_H
#define MAREA_TEXT_WINDOWS_H

#include <stdbool.h>

#include "base/real.h"
#include "text/sequences/sequences.h"

/* Windows of `length` items begin at every `stride`-th item. The last one may reach beyond the end:
 * it is filled with `value`, or left out with `drop_last`. */
typedef struct marea_windowing {
  size_t length, stride; /* 1 or more */
  bool drop_last, pad_before;
  int32_t value;
} marea_windowing;

/* Of a sequence of n items. With drop_last: 0 if n < length, else floor((n - length) / stride) + 1.
 * Else: 1 if n <= length (also for an empty sequence), else ceil((n - length) / stride) + 1, or one
 * less when the stride exceeds the length and the last would begin behind the end. */
size_t marea_window_count(const marea_windowing *windowing, size_t n);

/* Of all sequences; MAREA_RANGE for more than 2^31 or a length or stride of 0. */
marea_status marea_windows_count(const marea_sequences *sequences, const marea_windowing *windowing,
                                 size_t *windows);

/* What the windows do not show, and what they fill. */
typedef struct marea_windows_report {
  size_t tokens, lost; /* items there were; those in no window */
  size_t filled;       /* places without an item */
  size_t without;      /* sequences without a window */
} marea_windows_report;

/* out (windows, length). For each window: `sequence` and `first` place, both counted from 1, and
 * `lengths`, its items. */
void marea_windows_fill(const marea_sequences *sequences, const marea_windowing *windowing,
                        int32_t *out, int32_t *sequence, int32_t *first, int32_t *lengths,
                        marea_windows_report *report);

/* One row for each owner 1 … owners from the rows (count, width) that owner[i] says are his: their
 * mean or, with `majority`, the share of the rows whose largest element (of width 1: above 1/2)
 * each column is. Rows are added in order. MAREA_RANGE for an owner out of range or without rows,
 * MAREA_NOMEM. out (owners, width) */
marea_status marea_vote(const marea_real *rows, size_t count, size_t width, const int32_t *owner,
                        size_t owners, bool majority, marea_real *out);

#endif

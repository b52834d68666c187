#include "text/sequences/windows.h"

#include <string.h>

#include "base/memory.h"

size_t marea_window_count(const marea_windowing *w, size_t n) {
  if (n < w->length) return w->drop_last ? 0 : 1;
  size_t beyond = n - w->length, whole = beyond / w->stride + 1;
  /* A stride beyond the length may leap over the end: then there is nothing left to show. */
  bool rest = !w->drop_last && beyond % w->stride != 0 && whole * w->stride < n;
  return whole + rest;
}

marea_status marea_windows_count(const marea_sequences *s, const marea_windowing *w,
                                 size_t *windows) {
  if (w->length == 0 || w->stride == 0)
    return marea_fail(MAREA_RANGE, "length is %zu and stride %zu, expected 1 or more", w->length,
                      w->stride);
  *windows = 0;
  for (size_t i = 0; i < s->count; i++) {
    *windows += marea_window_count(w, s->offsets[i + 1] - s->offsets[i]);
    if (*windows > INT32_MAX) return marea_fail(MAREA_RANGE, "more than 2^31 windows");
  }
  return MAREA_OK;
}

/* One window of the items from `first` on, of which there are n; returns how many it holds. */
static size_t fill_window(const marea_windowing *w, const int32_t *ids, size_t n, size_t first,
                          int32_t *out) {
  size_t left = first < n ? n - first : 0, kept = left < w->length ? left : w->length;
  size_t pads = w->length - kept, begin = w->pad_before ? pads : 0;
  if (kept > 0) memcpy(out + begin, ids + first, kept * sizeof *out);
  for (size_t i = 0; i < pads; i++) out[w->pad_before ? i : kept + i] = w->value;
  return kept;
}

void marea_windows_fill(const marea_sequences *s, const marea_windowing *w, int32_t *out,
                        int32_t *sequence, int32_t *first, int32_t *lengths,
                        marea_windows_report *report) {
  *report = (marea_windows_report){.tokens = s->id_count};
  for (size_t i = 0; i < s->count; i++) {
    size_t n = s->offsets[i + 1] - s->offsets[i], windows = marea_window_count(w, n), shown = 0;
    for (size_t k = 0; k < windows; k++, out += w->length) {
      size_t start = k * w->stride, begin = start > shown ? start : shown;
      size_t kept = fill_window(w, s->ids + s->offsets[i], n, start, out);
      *sequence++ = (int32_t)i + 1;
      *first++ = (int32_t)start + 1;
      *lengths++ = (int32_t)kept;
      report->filled += w->length - kept;
      report->lost += begin - shown;
      shown = start + kept > begin ? start + kept : begin;
    }
    report->lost += n - (shown < n ? shown : n);
    report->without += windows == 0;
  }
}

/* ---- voting ---- */

static size_t winner(const marea_real *row, size_t width) {
  size_t best = 0;
  for (size_t j = 1; j < width; j++)
    if (row[j] > row[best]) best = j;
  return best;
}

static void add_row(const marea_real *row, size_t width, bool majority, double *sum) {
  if (!majority)
    for (size_t j = 0; j < width; j++) sum[j] += (double)row[j];
  else if (width == 1)
    sum[0] += (double)row[0] > 0.5;
  else
    sum[winner(row, width)] += 1;
}

marea_status marea_vote(const marea_real *rows, size_t count, size_t width, const int32_t *owner,
                        size_t owners, bool majority, marea_real *out) {
  marea_status status = MAREA_OK;
  double *sums = marea_alloc_zero(owners, (width + 1) * sizeof *sums); /* a row's last: how many */
  if (sums == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < count && status == MAREA_OK; i++) {
    if (owner[i] < 1 || (size_t)owner[i] > owners)
      status = marea_fail(MAREA_RANGE, "window %zu belongs to sequence %d, there are 1 to %zu",
                          i + 1, owner[i], owners);
    else {
      double *sum = sums + (size_t)(owner[i] - 1) * (width + 1);
      add_row(rows + i * width, width, majority, sum);
      sum[width] += 1;
    }
  }
  for (size_t i = 0; i < owners && status == MAREA_OK; i++) {
    const double *sum = sums + i * (width + 1);
    if (sum[width] == 0)
      status = marea_fail(MAREA_RANGE, "sequence %zu has no window to vote for it", i + 1);
    for (size_t j = 0; j < width && status == MAREA_OK; j++)
      out[i * width + j] = (marea_real)(sum[j] / sum[width]);
  }
  marea_free(sums);
  return status;
}

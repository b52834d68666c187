#include "text/sequences/padding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Writes n copies of an item; each round doubles what is there. */
static void fill(char *out, const void *item, size_t bytes, size_t n) {
  size_t total = n * bytes, done = bytes;
  if (n == 0) return;
  memcpy(out, item, bytes);
  while (done < total) {
    size_t more = done < total - done ? done : total - done;
    memcpy(out + done, out, more);
    done += more;
  }
}

marea_status marea_pad_rows(const marea_rows *rows, const marea_padding *p, const void *pad,
                            void *out, marea_padding_report *report) {
  if (p->maxlen == 0) return marea_fail(MAREA_RANGE, "maxlen is 0, expected 1 or more");
  *report = (marea_padding_report){.tokens = rows->offsets[rows->count]};
  char *row = out;
  for (size_t i = 0; i < rows->count; i++, row += p->maxlen * rows->bytes) {
    size_t first = rows->offsets[i], length = rows->offsets[i + 1] - first;
    if (length > report->longest) report->longest = length;
    if (length > p->maxlen) {
      report->cut_rows++;
      report->lost += length - p->maxlen;
      if (!p->cut_after) first += length - p->maxlen;
      length = p->maxlen;
    }
    size_t pads = p->maxlen - length;
    fill(row + (p->pad_after ? length * rows->bytes : 0), pad, rows->bytes, pads);
    if (length > 0)
      memcpy(row + (p->pad_after ? 0 : pads * rows->bytes),
             (const char *)rows->items + first * rows->bytes, length * rows->bytes);
  }
  return MAREA_OK;
}

marea_status marea_pad(const marea_sequences *s, const marea_padding *p, int32_t *out,
                       marea_padding_report *report) {
  marea_rows rows = {s->ids, s->offsets, s->count, sizeof *out};
  return marea_pad_rows(&rows, p, &p->value, out, report);
}

void marea_kept_lengths(const size_t *offsets, size_t count, size_t maxlen, int32_t *lengths) {
  for (size_t i = 0; i < count; i++) {
    size_t length = offsets[i + 1] - offsets[i];
    lengths[i] = (int32_t)(length < maxlen ? length : maxlen);
  }
}

void marea_pad_mask(const int32_t *lengths, size_t count, const marea_padding *p,
                    marea_real *mask) {
  for (size_t i = 0; i < count; i++, mask += p->maxlen) {
    size_t length = (size_t)lengths[i], begin = p->pad_after ? 0 : p->maxlen - length;
    for (size_t t = 0; t < p->maxlen; t++) mask[t] = t >= begin && t < begin + length;
  }
}

static int compare_lengths(const void *left, const void *right) {
  size_t a = *(const size_t *)left, b = *(const size_t *)right;
  return a < b ? -1 : a > b;
}

marea_status marea_length_quantile(const size_t *offsets, size_t count, double share,
                                   size_t *length) {
  if (count == 0 || !(share >= 0 && share <= 1))
    return marea_fail(MAREA_RANGE, "a quantile needs sequences and a share from 0 to 1");
  size_t *lengths = marea_alloc_array(count, sizeof *lengths);
  if (lengths == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < count; i++) lengths[i] = offsets[i + 1] - offsets[i];
  qsort(lengths, count, sizeof *lengths, compare_lengths);
  size_t place = (size_t)ceil(share * (double)count);
  *length = lengths[place == 0 ? 0 : place - 1];
  marea_free(lengths);
  return MAREA_OK;
}

/* Rows of different lengths cut and filled to one length. */
#ifndef MAREA_TEXT_PADDING_H
#define MAREA_TEXT_PADDING_H

#include <stdbool.h>

#include "base/real.h"
#include "text/sequences/sequences.h"

typedef struct marea_padding {
  size_t maxlen;
  bool pad_after, cut_after; /* Keras's defaults: both before */
  int32_t value;             /* of marea_pad; marea_pad_rows is given an item */
} marea_padding;

/* Rows cut, items cut away from them, items there were, items in the longest row. */
typedef struct marea_padding_report {
  size_t cut_rows, lost, tokens, longest;
} marea_padding_report;

/* Items of any kind, `bytes` bytes each: row i holds items offsets[i] … offsets[i+1] - 1. */
typedef struct marea_rows {
  const void *items;
  const size_t *offsets;
  size_t count, bytes;
} marea_rows;

/* out (count, maxlen) items; `pad` is the item that fills. MAREA_RANGE for maxlen 0. */
marea_status marea_pad_rows(const marea_rows *rows, const marea_padding *padding, const void *pad,
                            void *out, marea_padding_report *report);

/* The same for ids; out (count, maxlen). */
marea_status marea_pad(const marea_sequences *sequences, const marea_padding *padding, int32_t *out,
                       marea_padding_report *report);

/* How many items of each row are left after cutting to maxlen; lengths (count). */
void marea_kept_lengths(const size_t *offsets, size_t count, size_t maxlen, int32_t *lengths);

/* 1 where a row of that many items has one, 0 where it is filled; mask (count, maxlen). */
void marea_pad_mask(const int32_t *lengths, size_t count, const marea_padding *padding,
                    marea_real *mask);

/* The length that `share` (0 … 1) of the rows do not exceed. MAREA_RANGE without rows. */
marea_status marea_length_quantile(const size_t *offsets, size_t count, double share,
                                   size_t *length);

#endif

/* Tables as text: CSV after RFC 4180 (Shafranovich, 2005), and the same with another separator or
 * without quotes (TSV). Plain or gzip, in constant memory. */
#ifndef MAREA_TEXT_CSV_H
#define MAREA_TEXT_CSV_H

#include "base/source.h"

enum { MAREA_MOST_CELLS = 1 << 20, MAREA_LONGEST_ROW = 1 << 28 }; /* in one row; bytes */

typedef struct marea_field {
  const char *bytes; /* any bytes, NUL too; not terminated */
  size_t length;
} marea_field;

typedef struct marea_csv_options {
  char separator; /* 0: comma */
  char quote;     /* 0: quotes mean nothing */
  size_t longest; /* most bytes in the cells of one row; 0: MAREA_LONGEST_ROW */
} marea_csv_options;

typedef struct marea_csv marea_csv;

/* NULL on failure: as marea_source_new, and MAREA_ARGUMENT when separator and quote are the same or
 * a line end. */
marea_csv *marea_csv_new(const char *path, const marea_csv_options *options);

/* The next row. True and its borrowed cells (valid until the next call), or false at the end and on
 * failure; then *status tells which.
 *
 * Rows end with LF, CR LF or the file. A cell that begins with the quote reaches to the next single
 * quote and may hold separators, line ends and doubled quotes. Lines without a byte are passed over
 * and counted; a byte order mark at the beginning is left out. Every row must have as many cells as
 * the first. MAREA_FORMAT names path, line and column (in code points, from 1): a quote that is
 * never closed, a quote or text where none may be, a row with too few or too many cells, a row
 * that is too long. */
bool marea_csv_next(marea_csv *csv, const marea_field **cells, size_t *count, marea_status *status);

/* The line on which the row that came last begins, from 1. */
size_t marea_csv_line(const marea_csv *csv);
size_t marea_csv_rows(const marea_csv *csv);        /* so far */
size_t marea_csv_empty_lines(const marea_csv *csv); /* so far */
/* Bytes of the file used so far; exact for a plain file. */
uint64_t marea_csv_position(const marea_csv *csv);
const marea_source *marea_csv_source(const marea_csv *csv);
void marea_csv_free(marea_csv *csv); /* NULL is allowed */

#endif

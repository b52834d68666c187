/* The table reader of csv.h: chunks of the file go through a small state machine; the bytes of a
 * row's cells are gathered, without their quotes, one behind the other. */
#include "text/read/csv.h"

#include <string.h>

#include "base/memory.h"

enum { CHUNK_BYTES = 1 << 16, FILE_END = -1, FAILED = -2 };

struct marea_csv {
  marea_source *source;
  marea_csv_options options;
  marea_status status;
  bool special[256]; /* bytes that a plain cell does not simply take */
  char *chunk;
  size_t begin, end; /* unread bytes of the chunk */
  bool started, at_end;
  char *bytes; /* of the row's cells */
  size_t used, capacity;
  marea_field *cells;
  size_t *starts; /* of the cells in bytes, which may still move */
  size_t count, cell_capacity;
  size_t line, column; /* of the next byte, from 1 */
  size_t row_line, first_line, width, rows, empty_lines;
};

static int fail_at(marea_csv *csv, size_t line, size_t column, const char *what) {
  csv->status = marea_fail(MAREA_FORMAT, "\"%s\" line %zu, column %zu: %s",
                           marea_source_path(csv->source), line, column, what);
  return FAILED;
}

/* ---- the bytes to come ---- */

static void fill_chunk(marea_csv *csv) {
  size_t got;
  csv->status = marea_source_read(csv->source, csv->chunk + csv->end, CHUNK_BYTES - csv->end, &got);
  csv->end += got;
  csv->at_end = got == 0;
}

/* The next byte, which stays where it is; or FILE_END or FAILED. */
static int peek(marea_csv *csv) {
  if (csv->begin == csv->end && !csv->at_end) {
    csv->begin = csv->end = 0;
    fill_chunk(csv);
    if (csv->status != MAREA_OK) return FAILED;
  }
  return csv->begin < csv->end ? (unsigned char)csv->chunk[csv->begin] : FILE_END;
}

static void skip_byte(marea_csv *csv) {
  bool feed = csv->chunk[csv->begin++] == '\n';
  csv->line += feed;
  csv->column = feed ? 1 : csv->column + 1;
}

/* Line and column behind `count` more bytes; bytes that go on with a code point are no column. */
static void advance(marea_csv *csv, const char *bytes, size_t count) {
  const char *end = bytes + count, *feed;
  while ((feed = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
    csv->line++;
    csv->column = 1;
    bytes = feed + 1;
  }
  size_t columns = 0;
  for (; bytes < end; bytes++) columns += ((unsigned char)*bytes & 0xc0) != 0x80;
  csv->column += columns;
}

/* ---- the row's cells ---- */

static bool widen_bytes(marea_csv *csv, size_t wanted) {
  if (wanted > csv->options.longest) {
    csv->status =
        marea_fail(MAREA_FORMAT, "\"%s\" line %zu, column 1: the row is longer than %zu bytes",
                   marea_source_path(csv->source), csv->row_line, csv->options.longest);
    return false;
  }
  if (wanted <= csv->capacity) return true;
  size_t capacity = wanted < CHUNK_BYTES ? CHUNK_BYTES : 2 * wanted;
  char *wider = marea_realloc(csv->bytes, capacity);
  if (wider == NULL) {
    csv->status = MAREA_NOMEM;
    return false;
  }
  csv->bytes = wider;
  csv->capacity = capacity;
  return true;
}

/* Moves `count` bytes of the chunk to the cell. */
static bool take(marea_csv *csv, size_t count) {
  if (count == 0) return true;
  if (!widen_bytes(csv, csv->used + count)) return false;
  memcpy(csv->bytes + csv->used, csv->chunk + csv->begin, count);
  csv->used += count;
  advance(csv, csv->chunk + csv->begin, count);
  csv->begin += count;
  return true;
}

static bool widen_cells(marea_csv *csv) {
  size_t capacity = csv->cell_capacity == 0 ? 16 : 2 * csv->cell_capacity;
  size_t *starts = marea_realloc(csv->starts, capacity * sizeof *starts);
  if (starts != NULL) csv->starts = starts;
  marea_field *cells = marea_realloc(csv->cells, capacity * sizeof *cells);
  if (cells != NULL) csv->cells = cells;
  if (starts == NULL || cells == NULL) {
    csv->status = MAREA_NOMEM;
    return false;
  }
  csv->cell_capacity = capacity;
  return true;
}

static bool begin_cell(marea_csv *csv) {
  if (csv->count == MAREA_MOST_CELLS) {
    fail_at(csv, csv->line, csv->column, "more than 1048576 cells in a row");
    return false;
  }
  if (csv->count == csv->cell_capacity && !widen_cells(csv)) return false;
  csv->starts[csv->count++] = csv->used;
  return true;
}

static void finish_cells(marea_csv *csv) {
  for (size_t i = 0; i < csv->count; i++) {
    size_t end = i + 1 < csv->count ? csv->starts[i + 1] : csv->used;
    csv->cells[i].bytes = csv->bytes == NULL ? "" : csv->bytes + csv->starts[i];
    csv->cells[i].length = end - csv->starts[i];
  }
}

/* ---- cells as they are written; each returns the byte behind the cell ---- */

static bool ends_cell(const marea_csv *csv, int c) {
  return c == FILE_END || c == '\n' || c == (unsigned char)csv->options.separator;
}

/* A CR ends the line together with LF or the file; anywhere else it is a byte of the text. */
static int after_return(marea_csv *csv) {
  skip_byte(csv);
  int c = peek(csv);
  if (c == '\n' || c == FILE_END || c == FAILED) return c;
  if (!widen_bytes(csv, csv->used + 1)) return FAILED;
  csv->bytes[csv->used++] = '\r';
  return c;
}

static int plain_cell(marea_csv *csv) {
  int c = peek(csv);
  while (c != FAILED && !ends_cell(csv, c)) {
    size_t stop = csv->begin;
    if (csv->options.quote != '\0' && c == (unsigned char)csv->options.quote)
      return fail_at(csv, csv->line, csv->column,
                     "a quote inside a cell that does not begin with one");
    if (c == '\r') {
      c = after_return(csv);
      continue;
    }
    while (stop < csv->end && !csv->special[(unsigned char)csv->chunk[stop]]) stop++;
    if (!take(csv, stop - csv->begin)) return FAILED;
    c = peek(csv);
  }
  return c;
}

static int behind_quote(marea_csv *csv, int c) {
  if (c == '\r') {
    size_t used = csv->used;
    c = after_return(csv);
    if (csv->used != used) c = 0;
  }
  if (c == FAILED || ends_cell(csv, c)) return c;
  return fail_at(csv, csv->line, csv->column, "text behind the quote that closes the cell");
}

static int quoted_cell(marea_csv *csv) {
  size_t line = csv->line, column = csv->column;
  char quote = csv->options.quote;
  skip_byte(csv);
  for (;;) {
    int c = peek(csv);
    if (c == FILE_END)
      return fail_at(csv, line, column, "the quote that opens here is never closed");
    if (c == FAILED) return FAILED;
    const char *first = csv->chunk + csv->begin;
    const char *found = memchr(first, quote, csv->end - csv->begin);
    if (!take(csv, found != NULL ? (size_t)(found - first) : csv->end - csv->begin)) return FAILED;
    if (found == NULL) continue;
    skip_byte(csv);
    c = peek(csv);
    if (c != (unsigned char)quote) return behind_quote(csv, c);
    if (!take(csv, 1)) return FAILED; /* of two quotes one stays */
  }
}

/* ---- rows ---- */

static bool check_width(marea_csv *csv) {
  if (csv->width == 0) {
    csv->width = csv->count;
    csv->first_line = csv->row_line;
  }
  if (csv->count == csv->width) return true;
  csv->status = marea_fail(MAREA_FORMAT,
                           "\"%s\" line %zu, column %zu: the row has %zu cell%s, expected %zu as "
                           "in line %zu",
                           marea_source_path(csv->source), csv->row_line, csv->column, csv->count,
                           csv->count == 1 ? "" : "s", csv->width, csv->first_line);
  return false;
}

static bool read_row(marea_csv *csv) {
  int c;
  csv->used = csv->count = 0;
  csv->row_line = csv->line;
  for (;;) {
    if (!begin_cell(csv)) return false;
    bool quoted = csv->options.quote != '\0' && peek(csv) == (unsigned char)csv->options.quote;
    c = quoted ? quoted_cell(csv) : plain_cell(csv);
    if (c != (unsigned char)csv->options.separator) break;
    skip_byte(csv);
  }
  if (c == FAILED || !check_width(csv)) return false;
  if (c == '\n') skip_byte(csv);
  csv->rows++;
  finish_cells(csv);
  return true;
}

/* Passes over lines without a byte; false at the end of the file. */
static bool find_row(marea_csv *csv) {
  for (;;) {
    int c = peek(csv);
    if (c == '\r') { /* an empty line, or a row that begins with CR: only the next byte tells */
      if (csv->begin + 1 == csv->end && !csv->at_end) {
        csv->chunk[0] = '\r';
        csv->begin = 0;
        csv->end = 1;
        fill_chunk(csv);
        if (csv->status != MAREA_OK) return false;
      }
      bool alone = csv->begin + 1 == csv->end;
      if (!alone && csv->chunk[csv->begin + 1] != '\n') return true;
      skip_byte(csv);
      if (alone) return false;
      c = '\n';
    }
    if (c != '\n') return c >= 0;
    skip_byte(csv);
    csv->empty_lines++;
  }
}

/* Reads until it can be told whether the file begins with a byte order mark. */
static void start(marea_csv *csv) {
  csv->started = true;
  while (csv->status == MAREA_OK && csv->end < 3 && !csv->at_end) fill_chunk(csv);
  csv->begin = marea_bom_length(csv->chunk, csv->end);
}

bool marea_csv_next(marea_csv *csv, const marea_field **cells, size_t *count,
                    marea_status *status) {
  if (!csv->started) start(csv);
  bool found = csv->status == MAREA_OK && find_row(csv) && read_row(csv);
  *cells = csv->cells;
  *count = csv->count;
  *status = csv->status;
  return found;
}

static marea_status check_options(const marea_csv_options *options) {
  if (strchr("\n\r", options->separator) == NULL && options->separator != options->quote &&
      (options->quote == '\0' || strchr("\n\r", options->quote) == NULL))
    return MAREA_OK;
  return marea_fail(MAREA_ARGUMENT, "separator and quote of a CSV file must be two characters, "
                                    "neither of them a line end");
}

marea_csv *marea_csv_new(const char *path, const marea_csv_options *options) {
  marea_csv *csv = marea_alloc_zero(1, sizeof *csv);
  if (csv == NULL) return NULL;
  csv->options = *options;
  if (csv->options.separator == '\0') csv->options.separator = ',';
  if (csv->options.longest == 0) csv->options.longest = MAREA_LONGEST_ROW;
  csv->line = csv->column = 1;
  csv->special['\n'] = csv->special['\r'] = true;
  csv->special[(unsigned char)csv->options.separator] = true;
  if (csv->options.quote != '\0') csv->special[(unsigned char)csv->options.quote] = true;
  if (check_options(&csv->options) == MAREA_OK) csv->chunk = marea_alloc(CHUNK_BYTES);
  if (csv->chunk != NULL) csv->source = marea_source_new(path);
  if (csv->source != NULL) return csv;
  marea_csv_free(csv);
  return NULL;
}

size_t marea_csv_line(const marea_csv *csv) {
  return csv->row_line;
}

size_t marea_csv_rows(const marea_csv *csv) {
  return csv->rows;
}

size_t marea_csv_empty_lines(const marea_csv *csv) {
  return csv->empty_lines;
}

uint64_t marea_csv_position(const marea_csv *csv) {
  uint64_t position = marea_source_position(csv->source);
  return marea_source_packed(csv->source) ? position : position - (csv->end - csv->begin);
}

const marea_source *marea_csv_source(const marea_csv *csv) {
  return csv->source;
}

void marea_csv_free(marea_csv *csv) {
  if (csv == NULL) return;
  marea_source_free(csv->source);
  marea_free(csv->chunk);
  marea_free(csv->bytes);
  marea_free(csv->cells);
  marea_free(csv->starts);
  marea_free(csv);
}

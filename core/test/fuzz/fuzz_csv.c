/* Tables: whatever is read can be written again and then reads the same. */
#include <string.h>

#include "fuzz.h"
#include "text/read/csv.h"

/* A file in the making. */
typedef struct writer {
  char *bytes;
  size_t used, capacity;
} writer;

static void put(writer *w, const char *bytes, size_t count) {
  if (w->used + count > w->capacity) {
    w->capacity = 2 * (w->used + count) + 64;
    w->bytes = realloc(w->bytes, w->capacity);
    REQUIRE(w->bytes != NULL);
  }
  if (count > 0) memcpy(w->bytes + w->used, bytes, count);
  w->used += count;
}

static void put_quoted(writer *w, const marea_field *cell, char quote) {
  put(w, &quote, 1);
  for (size_t i = 0; i < cell->length; i++) {
    if (cell->bytes[i] == quote) put(w, &quote, 1);
    put(w, cell->bytes + i, 1);
  }
  put(w, &quote, 1);
}

/* Reads all rows; appends them to `again` with every cell quoted. */
static marea_status read_table(const char *path, const marea_csv_options *options, writer *again,
                               size_t *rows) {
  marea_csv *csv = marea_csv_new(path, options);
  if (csv == NULL) return marea_error_code();
  char separator = options->separator != '\0' ? options->separator : ',';
  const marea_field *cells;
  size_t count, line = 0, width = 0;
  uint64_t position = 0;
  marea_status status;
  for (*rows = 0; marea_csv_next(csv, &cells, &count, &status); ++*rows) {
    REQUIRE(count > 0 && (width == 0 || count == width) && marea_csv_line(csv) > line);
    REQUIRE(marea_csv_position(csv) >= position && marea_csv_rows(csv) == *rows + 1);
    width = count;
    line = marea_csv_line(csv);
    position = marea_csv_position(csv);
    for (size_t i = 0; i < count; i++) {
      if (i > 0) put(again, &separator, 1);
      put_quoted(again, &cells[i], options->quote != '\0' ? options->quote : '"');
    }
    put(again, "\n", 1);
  }
  REQUIRE(status == MAREA_OK || marea_error_text()[0] != '\0');
  marea_csv_free(csv);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char separators[] = {'\0', '\t', ';', '|'}, quotes[] = {'"', '\0', '\'', '\t'};
  fuzz_input in = {data, size};
  unsigned how = fuzz_byte(&in);
  marea_csv_options options = {.separator = separators[how & 3],
                               .quote = quotes[how >> 2 & 3],
                               .longest = how & 16 ? 1 + fuzz_byte(&in) : 0};
  writer first = {0}, second = {0};
  size_t rows, same;
  marea_status status = read_table(fuzz_file(0, in.data, in.size), &options, &first, &rows);
  if (status == MAREA_OK && options.quote != '\0') {
    REQUIRE(read_table(fuzz_file(1, first.bytes, first.used), &options, &second, &same) ==
            MAREA_OK);
    REQUIRE(rows == same && first.used == second.used);
    if (first.used > 0) REQUIRE(memcmp(first.bytes, second.bytes, first.used) == 0);
  }
  free(first.bytes);
  free(second.bytes);
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

/* The sentence reader of conll.h. */
#include "text/read/conll.h"

#include <string.h>

#include "base/memory.h"

/* A list of cells that still count from the beginning of the bytes, which may move. */
typedef struct cell_list {
  marea_field *cells;
  size_t *starts;
  size_t count, capacity;
} cell_list;

struct marea_conll {
  marea_lines *lines;
  marea_conll_options options;
  char *bytes; /* of the sentence's lines */
  size_t used, capacity;
  cell_list cells, comments;
  marea_conll_kind *kinds;
  size_t rows, kind_capacity;
  size_t words; /* so far: the next one has this ID + 1 */
};

marea_conll *marea_conll_new(const char *path, const marea_conll_options *options) {
  if (options->width == 0) {
    marea_fail(MAREA_ARGUMENT, "a sentence needs one column or more");
    return NULL;
  }
  marea_conll *conll = marea_alloc_zero(1, sizeof *conll);
  if (conll == NULL) return NULL;
  conll->options = *options;
  conll->lines = marea_lines_new(path);
  if (conll->lines != NULL) return conll;
  marea_conll_free(conll);
  return NULL;
}

/* ---- keeping the lines ---- */

static marea_status widen(void **block, size_t *capacity, size_t wanted, size_t size) {
  if (wanted <= *capacity) return MAREA_OK;
  size_t wider = wanted < 64 ? 64 : 2 * wanted;
  void *moved = marea_realloc(*block, wider * size);
  if (moved == NULL) return MAREA_NOMEM;
  *block = moved;
  *capacity = wider;
  return MAREA_OK;
}

static marea_status push_cell(marea_conll *conll, cell_list *list, const char *text,
                              size_t length) {
  size_t capacity = list->capacity;
  void *cells = list->cells, *starts = list->starts, *bytes = conll->bytes;
  marea_status status = widen(&starts, &capacity, list->count + 1, sizeof *list->starts);
  list->starts = starts;
  capacity = list->capacity;
  if (status == MAREA_OK) status = widen(&cells, &capacity, list->count + 1, sizeof *list->cells);
  list->cells = cells;
  list->capacity = capacity;
  if (status == MAREA_OK) status = widen(&bytes, &conll->capacity, conll->used + length, 1);
  conll->bytes = bytes;
  if (status != MAREA_OK) return status;
  if (length > 0) memcpy(conll->bytes + conll->used, text, length);
  list->starts[list->count] = conll->used;
  list->cells[list->count++].length = length;
  conll->used += length;
  return MAREA_OK;
}

static void place_cells(const marea_conll *conll, cell_list *list) {
  for (size_t i = 0; i < list->count; i++)
    list->cells[i].bytes = conll->bytes == NULL ? "" : conll->bytes + list->starts[i];
}

static marea_status push_kind(marea_conll *conll, marea_conll_kind kind) {
  void *kinds = conll->kinds;
  marea_status status = widen(&kinds, &conll->kind_capacity, conll->rows + 1, sizeof kind);
  conll->kinds = kinds;
  if (status == MAREA_OK) conll->kinds[conll->rows++] = kind;
  return status;
}

/* ---- reading a line ---- */

static marea_status fail_at(const marea_conll *conll, size_t column, const char *what) {
  return marea_fail(MAREA_FORMAT, "\"%s\" line %zu, column %zu: %s",
                    marea_source_path(marea_lines_source(conll->lines)),
                    marea_lines_number(conll->lines), column, what);
}

/* A decimal number at *text; its digits are passed over. 0 when there is none. */
static size_t read_number(const char **text, const char *end) {
  size_t number = 0;
  for (; *text < end && **text >= '0' && **text <= '9' && number < SIZE_MAX / 16; (*text)++)
    number = 10 * number + (size_t)(**text - '0');
  return number;
}

/* IDs: 1, 2 …; 3-4 before word 3; 8.1 behind word 8 (0.1 before the first). */
static marea_status read_kind(marea_conll *conll, const char *id, size_t length) {
  const char *at = id, *end = id + length;
  size_t first = read_number(&at, end), second = 0;
  char mark = at > id && at < end ? *at++ : '\0';
  const char *second_begins = at;
  if (mark != '\0') second = read_number(&at, end);
  bool whole = at == end && at > id && (mark == '\0' || at > second_begins);
  if (whole && mark == '\0' && first == conll->words + 1) {
    conll->words++;
    return push_kind(conll, MAREA_CONLL_WORD);
  }
  if (whole && mark == '-' && first == conll->words + 1 && second >= first)
    return push_kind(conll, MAREA_CONLL_RANGE);
  if (whole && mark == '.' && first == conll->words && second > 0)
    return push_kind(conll, MAREA_CONLL_EMPTY);
  return fail_at(conll, 1,
                 "the ID must be the next word's number, a range from it, or an empty node's");
}

/* The end of the column that begins at `begin`. */
static const char *column_end(const marea_conll *conll, const char *begin, const char *end) {
  const char *stop = memchr(begin, conll->options.separator, (size_t)(end - begin));
  return stop != NULL ? stop : end;
}

static marea_status read_row(marea_conll *conll, const char *text, size_t length) {
  const char *begin = text, *end = text + length, *stop;
  bool blanks = conll->options.separator == ' ';
  marea_status status = MAREA_OK;
  while (blanks && end > begin && end[-1] == ' ') end--;
  for (size_t width = 0; width < conll->options.width; width++, begin = stop + 1) {
    while (blanks && begin < end && *begin == ' ') begin++;
    if (begin > end || (blanks && begin == end))
      return fail_at(conll, length + 1, "the line ends before its last column");
    stop = column_end(conll, begin, end);
    status = push_cell(conll, &conll->cells, begin, (size_t)(stop - begin));
    if (status == MAREA_OK && width == 0)
      status = conll->options.conllu ? read_kind(conll, begin, (size_t)(stop - begin))
                                     : push_kind(conll, MAREA_CONLL_WORD);
    if (status != MAREA_OK) return status;
  }
  if (begin <= end) return fail_at(conll, (size_t)(begin - text) + 1, "more columns than expected");
  return MAREA_OK;
}

static marea_status read_comment(marea_conll *conll, const char *text, size_t length) {
  size_t skip = 1;
  while (skip < length && text[skip] == ' ') skip++;
  return push_cell(conll, &conll->comments, text + skip, length - skip);
}

bool marea_conll_next(marea_conll *conll, marea_conll_sentence *sentence, marea_status *status) {
  const char *text;
  size_t length, begins = 0;
  conll->used = conll->rows = conll->words = conll->cells.count = conll->comments.count = 0;
  *status = MAREA_OK;
  while (*status == MAREA_OK && marea_lines_next(conll->lines, &text, &length, status)) {
    if (length == 0) {
      if (conll->rows > 0) break;
      conll->comments.count = 0;
      begins = 0;
      continue;
    }
    if (begins == 0) begins = marea_lines_number(conll->lines);
    *status = conll->options.conllu && text[0] == '#' ? read_comment(conll, text, length)
                                                      : read_row(conll, text, length);
  }
  if (*status != MAREA_OK || conll->rows == 0) return false;
  place_cells(conll, &conll->cells);
  place_cells(conll, &conll->comments);
  *sentence = (marea_conll_sentence){conll->rows,  conll->options.width,  conll->cells.cells,
                                     conll->kinds, conll->comments.cells, conll->comments.count,
                                     begins};
  return true;
}

const marea_lines *marea_conll_lines(const marea_conll *conll) {
  return conll->lines;
}

void marea_conll_free(marea_conll *conll) {
  if (conll == NULL) return;
  marea_lines_free(conll->lines);
  marea_free(conll->bytes);
  marea_free(conll->cells.cells);
  marea_free(conll->cells.starts);
  marea_free(conll->comments.cells);
  marea_free(conll->comments.starts);
  marea_free(conll->kinds);
  marea_free(conll);
}

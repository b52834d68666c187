/* The line reader of lines.h. */
#include "base/lines.h"

#include <string.h>

#include "base/memory.h"

enum { BUFFER_BYTES = 1 << 16 };

struct marea_lines {
  marea_source *source;
  char *buffer;
  size_t capacity, begin, end; /* unread bytes lie in [begin, end) */
  size_t longest, number;
  bool started, at_end;
};

marea_lines *marea_lines_new(const char *path) {
  marea_lines *lines = marea_alloc_zero(1, sizeof *lines);
  if (lines == NULL) return NULL;
  lines->longest = MAREA_LONGEST_LINE;
  lines->capacity = BUFFER_BYTES;
  lines->buffer = marea_alloc(BUFFER_BYTES);
  if (lines->buffer != NULL) lines->source = marea_source_new(path);
  if (lines->source != NULL) return lines;
  marea_lines_free(lines);
  return NULL;
}

void marea_lines_limit(marea_lines *lines, size_t longest) {
  lines->longest = longest;
}

static marea_status too_long(const marea_lines *lines) {
  return marea_fail(MAREA_FORMAT, "\"%s\" line %zu: longer than %zu bytes",
                    marea_source_path(lines->source), lines->number + 1, lines->longest);
}

/* Moves the unread bytes to the front, widens the buffer when they fill it, and reads on. */
static marea_status refill(marea_lines *lines) {
  size_t unread = lines->end - lines->begin, got;
  if (unread > lines->longest && unread - lines->longest > 1) return too_long(lines);
  if (lines->begin > 0) memmove(lines->buffer, lines->buffer + lines->begin, unread);
  lines->begin = 0;
  lines->end = unread;
  if (unread == lines->capacity) {
    char *wider = marea_realloc(lines->buffer, 2 * lines->capacity);
    if (wider == NULL) return MAREA_NOMEM;
    lines->buffer = wider;
    lines->capacity *= 2;
  }
  marea_status status = marea_source_read(lines->source, lines->buffer + lines->end,
                                          lines->capacity - lines->end, &got);
  lines->at_end = got == 0;
  lines->end += got;
  return status;
}

/* Reads until it can be told whether the file begins with a byte order mark. */
static marea_status start(marea_lines *lines) {
  marea_status status = MAREA_OK;
  while (status == MAREA_OK && lines->end < 3 && !lines->at_end) status = refill(lines);
  lines->begin = marea_bom_length(lines->buffer, lines->end);
  lines->started = true;
  return status;
}

static bool take_line(marea_lines *lines, size_t length, size_t skip, const char **text,
                      size_t *count, marea_status *status) {
  *text = lines->buffer + lines->begin;
  *count = length > 0 && (*text)[length - 1] == '\r' ? length - 1 : length;
  if (*count > lines->longest) {
    *status = too_long(lines);
    return false;
  }
  lines->begin += length + skip;
  lines->number++;
  return true;
}

bool marea_lines_next(marea_lines *lines, const char **text, size_t *length, marea_status *status) {
  size_t searched = 0;
  *status = lines->started ? MAREA_OK : start(lines);
  while (*status == MAREA_OK) {
    char *first = lines->buffer + lines->begin;
    size_t unread = lines->end - lines->begin;
    char *feed = memchr(first + searched, '\n', unread - searched);
    if (feed != NULL) return take_line(lines, (size_t)(feed - first), 1, text, length, status);
    if (lines->at_end) return unread > 0 && take_line(lines, unread, 0, text, length, status);
    searched = unread;
    *status = refill(lines);
  }
  return false;
}

size_t marea_lines_number(const marea_lines *lines) {
  return lines->number;
}

uint64_t marea_lines_position(const marea_lines *lines) {
  uint64_t position = marea_source_position(lines->source);
  return marea_source_packed(lines->source) ? position : position - (lines->end - lines->begin);
}

const marea_source *marea_lines_source(const marea_lines *lines) {
  return lines->source;
}

void marea_lines_free(marea_lines *lines) {
  if (lines == NULL) return;
  marea_source_free(lines->source);
  marea_free(lines->buffer);
  marea_free(lines);
}

/* The line reader of file.h; zlib reads plain files as they are. */
#include "base/file.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"

enum { BUFFER_BYTES = 1 << 18, DEFAULT_LONGEST = 1 << 26 };

struct marea_lines {
  gzFile file;
  char *path;
  char *buffer;
  size_t capacity, begin, end; /* unread bytes lie in [begin, end) */
  size_t longest, number;
  bool at_end;
};

marea_lines *marea_lines_new(const char *path) {
  marea_lines *lines = marea_alloc_zero(1, sizeof *lines);
  if (lines == NULL) return NULL;
  lines->path = marea_strdup(path);
  lines->buffer = marea_alloc(BUFFER_BYTES);
  lines->capacity = BUFFER_BYTES;
  lines->longest = DEFAULT_LONGEST;
  if (lines->path != NULL && lines->buffer != NULL) {
    lines->file = gzopen(path, "rb");
    if (lines->file != NULL) {
      gzbuffer(lines->file, BUFFER_BYTES);
      return lines;
    }
    marea_fail(MAREA_IO, "cannot read \"%s\": %s", path, strerror(errno));
  }
  marea_lines_free(lines);
  return NULL;
}

void marea_lines_limit(marea_lines *lines, size_t longest) {
  lines->longest = longest;
}

static marea_status read_failure(marea_lines *lines) {
  int code = Z_OK;
  const char *reason = gzerror(lines->file, &code);
  return marea_fail(MAREA_FORMAT, "\"%s\" after line %zu: %s", lines->path, lines->number,
                    code == Z_ERRNO ? strerror(errno) : reason);
}

/* Moves the unread bytes to the front, widens the buffer when they fill it, and reads on. */
static marea_status refill(marea_lines *lines) {
  size_t unread = lines->end - lines->begin;
  if (unread > lines->longest)
    return marea_fail(MAREA_FORMAT, "\"%s\" line %zu: longer than %zu bytes", lines->path,
                      lines->number + 1, lines->longest);
  memmove(lines->buffer, lines->buffer + lines->begin, unread);
  lines->begin = 0;
  lines->end = unread;
  if (unread == lines->capacity) {
    char *wider = marea_realloc(lines->buffer, 2 * lines->capacity);
    if (wider == NULL) return MAREA_NOMEM;
    lines->buffer = wider;
    lines->capacity *= 2;
  }
  size_t room = lines->capacity - lines->end;
  int got =
      gzread(lines->file, lines->buffer + lines->end, (unsigned)(room < 1 << 30 ? room : 1 << 30));
  int code = Z_OK;
  if (got == 0) gzerror(lines->file, &code);
  if (got < 0 || code != Z_OK) return read_failure(lines);
  lines->at_end = got == 0;
  lines->end += (size_t)got;
  return MAREA_OK;
}

static void take_line(marea_lines *lines, size_t length, size_t skip, const char **text,
                      size_t *count) {
  *text = lines->buffer + lines->begin;
  *count = length > 0 && (*text)[length - 1] == '\r' ? length - 1 : length;
  lines->begin += length + skip;
  lines->number++;
}

bool marea_lines_next(marea_lines *lines, const char **text, size_t *length, marea_status *status) {
  size_t searched = 0;
  *status = MAREA_OK;
  for (;;) {
    char *start = lines->buffer + lines->begin;
    size_t unread = lines->end - lines->begin;
    char *feed = memchr(start + searched, '\n', unread - searched);
    if (feed != NULL) {
      take_line(lines, (size_t)(feed - start), 1, text, length);
      return true;
    }
    if (lines->at_end) {
      if (unread == 0) return false;
      take_line(lines, unread, 0, text, length);
      return true;
    }
    searched = unread;
    *status = refill(lines);
    if (*status != MAREA_OK) return false;
  }
}

size_t marea_lines_position(const marea_lines *lines) {
  z_off_t at = gzoffset(lines->file);
  return at < 0 ? 0 : (size_t)at;
}

void marea_lines_free(marea_lines *lines) {
  if (lines == NULL) return;
  if (lines->file != NULL) gzclose_r(lines->file);
  marea_free(lines->path);
  marea_free(lines->buffer);
  marea_free(lines);
}

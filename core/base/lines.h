/* Lines of a text file, plain or gzip, in constant memory. */
#ifndef MAREA_BASE_LINES_H
#define MAREA_BASE_LINES_H

#include "base/source.h"

enum { MAREA_LONGEST_LINE = 1 << 28 }; /* bytes; the limit unless another one is set */

typedef struct marea_lines marea_lines;

/* NULL on failure, as marea_source_new. */
marea_lines *marea_lines_new(const char *path);

/* The next line without its LF or CR LF. True and the borrowed bytes (valid until the next call),
 * or false at the end and on failure; then *status tells which. A last line needs no LF. A byte
 * order mark before the first line is left out. A line longer than the limit is MAREA_FORMAT with
 * its number; the memory held is at most three times the longest line. */
bool marea_lines_next(marea_lines *lines, const char **text, size_t *length, marea_status *status);

/* The longest line that is accepted, in bytes. */
void marea_lines_limit(marea_lines *lines, size_t longest);

/* The number of the line that came last; 0 before the first. */
size_t marea_lines_number(const marea_lines *lines);

/* Bytes of the file that the lines so far took. Exact for a plain file: the byte behind the line
 * that came last. For gzip it is what had to be unpacked for it. */
uint64_t marea_lines_position(const marea_lines *lines);
const marea_source *marea_lines_source(const marea_lines *lines);
void marea_lines_free(marea_lines *lines); /* NULL is allowed */

#endif

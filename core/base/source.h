/* Bytes of a file from its beginning to its end, plain or gzip (told by its first bytes). */
#ifndef MAREA_BASE_SOURCE_H
#define MAREA_BASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct marea_source marea_source;

/* NULL on failure (MAREA_IO names the path and the system's reason). Files, pipes and devices can
 * be read; a folder cannot. */
marea_source *marea_source_new(const char *path);

/* Puts at most `room` (> 0) unpacked bytes at `to`; *got is 0 only at the end. A gzip file may have
 * several members. MAREA_FORMAT with the byte position for a gzip file that is cut short, damaged
 * or followed by something else. */
marea_status marea_source_read(marea_source *source, void *to, size_t room, size_t *got);

const char *marea_source_path(const marea_source *source);
/* Bytes of the file used so far (packed ones for gzip), and all of them; 0 when the size is not
 * known beforehand, as for a pipe. */
uint64_t marea_source_position(const marea_source *source);
uint64_t marea_source_size(const marea_source *source);
bool marea_source_packed(const marea_source *source);
void marea_source_free(marea_source *source); /* NULL is allowed */

/* The whole file as *length bytes in a block to be freed with marea_free; a zero byte follows. A
 * UTF-8 byte order mark at the beginning is left out. MAREA_FORMAT when it is longer than
 * `longest` bytes; NULL on failure. */
char *marea_source_read_all(const char *path, size_t longest, size_t *length);

/* How many bytes of a byte order mark (EF BB BF) `bytes` begin with: 3 or 0. */
size_t marea_bom_length(const char *bytes, size_t length);

#endif

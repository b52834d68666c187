/* Files: random access for reading, atomic writing. For streams see source.h and lines.h. */
#ifndef MAREA_BASE_FILE_H
#define MAREA_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Writing that either replaces `path` as a whole or leaves it as it was: the bytes go to a
 * temporary file beside it, which is synced and renamed by marea_file_commit. */
typedef struct marea_file_writer marea_file_writer;

/* NULL on failure (MAREA_IO names the path and the system's reason). */
marea_file_writer *marea_file_writer_new(const char *path);
marea_status marea_file_write(marea_file_writer *writer, const void *bytes, size_t count);
/* Syncs, renames and frees the writer; on failure the temporary file is removed. */
marea_status marea_file_commit(marea_file_writer *writer);
/* Removes the temporary file and frees the writer; NULL is allowed. */
void marea_file_abandon(marea_file_writer *writer);

/* Random access to a file for reading. */
typedef struct marea_file_reader marea_file_reader;
marea_file_reader *marea_file_reader_new(const char *path);
size_t marea_file_size(const marea_file_reader *reader);
/* Exactly `count` bytes from `offset`; MAREA_FORMAT when the file ends before. */
marea_status marea_file_read(marea_file_reader *reader, size_t offset, void *bytes, size_t count);
void marea_file_reader_free(marea_file_reader *reader);

/* Sets the failure "cannot VERB "PATH": the system's reason" for an errno and returns MAREA_IO. */
marea_status marea_file_failure(const char *verb, const char *path, int reason);

#endif

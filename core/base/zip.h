/* ZIP archives (PKWARE's APPNOTE 6.3), as far as arrays need them: entries that are stored or
 * deflated, archives below 4 GiB. Encrypted entries, other methods and zip64 are refused by name.
 *
 * Nothing that an archive says is believed before it is checked against its real size, and what an
 * entry unpacks to is checked against its length and CRC-32. */
#ifndef MAREA_BASE_ZIP_H
#define MAREA_BASE_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct marea_zip_reader marea_zip_reader;

/* Opens `path` and reads its directory. NULL: MAREA_IO, MAREA_NOMEM, or MAREA_FORMAT when it is no
 * archive, or one that is cut short or lies about itself. */
marea_zip_reader *marea_zip_reader_new(const char *path);
void marea_zip_reader_free(marea_zip_reader *reader); /* NULL is allowed */

/* Entries in the order of the directory, from 0; names as they stand there, without NUL. */
size_t marea_zip_count(const marea_zip_reader *reader);
const char *marea_zip_name(const marea_zip_reader *reader, size_t i);

/* The unpacked bytes of entry i, a block to be released with marea_free. NULL on failure. */
void *marea_zip_read(marea_zip_reader *reader, size_t i, size_t *length);

/* Writing: the archive replaces `path` as a whole at the commit, or `path` stays as it was. */
typedef struct marea_zip_writer marea_zip_writer;

marea_zip_writer *marea_zip_writer_new(const char *path);

/* Adds an entry, stored, whose bytes are those of head and body. The date is 1980-01-01, so that
 * the same content gives the same archive. MAREA_RANGE at 4 GiB or 65,535 entries. */
marea_status marea_zip_add(marea_zip_writer *writer, const char *name, const void *head,
                           size_t head_bytes, const void *body, size_t body_bytes);

/* Writes the directory and frees the writer; on failure the temporary file is removed. */
marea_status marea_zip_commit(marea_zip_writer *writer);
void marea_zip_abandon(marea_zip_writer *writer); /* NULL is allowed */

#endif

/* Temporary files without a name: unlinked as soon as they exist, so that nothing is left behind,
 * whatever happens to the process. */
#ifndef MAREA_EMBED_SCRATCH_FILE_H
#define MAREA_EMBED_SCRATCH_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct marea_scratch_file {
  int descriptor; /* -1: not open */
  uint64_t size;  /* bytes written */
  char *folder;   /* for messages */
} marea_scratch_file;

/* Opens a file in `folder` (NULL: TMPDIR, else /tmp). MAREA_IO names the folder. */
marea_status marea_scratch_file_open(marea_scratch_file *file, const char *folder);

/* Appends. MAREA_IO: the disk is full, or another reason of the system's. */
marea_status marea_scratch_file_append(marea_scratch_file *file, const void *bytes, size_t count);

/* At most `count` bytes from `offset`; *got is less only at the file's end. */
marea_status marea_scratch_file_read(const marea_scratch_file *file, uint64_t offset, void *bytes,
                                     size_t count, size_t *got);

/* Room for `bytes` bytes on the disk, mapped into memory; NULL on failure. */
void *marea_scratch_file_map(marea_scratch_file *file, size_t bytes);

/* Closes it, which also removes it; mapped bytes are given back with _unmap before. */
void marea_scratch_file_close(marea_scratch_file *file);
void marea_scratch_file_unmap(void *mapped, size_t bytes);

#endif

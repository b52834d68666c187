/* A file seen as memory. */
#ifndef MAREA_EMBED_MAPPING_H
#define MAREA_EMBED_MAPPING_H

#include <stddef.h>

#include "base/status.h"

typedef struct marea_mapping {
  const char *bytes;
  size_t size;
} marea_mapping;

/* Maps a file for reading. MAREA_IO names path and reason. A file that another program cuts while
 * it is mapped ends the process: replace such files, as marea_file_writer does. */
marea_status marea_mapping_open(marea_mapping *mapping, const char *path);
void marea_mapping_close(marea_mapping *mapping);

#endif

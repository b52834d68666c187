/* Inside embed only: a file that is written through a buffer, packed when its name ends in .gz. */
#ifndef MAREA_EMBED_OUTPUT_H
#define MAREA_EMBED_OUTPUT_H

#include <zlib.h>

#include "base/file.h"

typedef struct marea_output {
  marea_file_writer *writer;
  char *buffer;
  size_t used;
  bool packed;
  z_stream stream;
  unsigned char *deflated;
} marea_output;

marea_status marea_output_open(marea_output *output, const char *path);
marea_status marea_output_write(marea_output *output, const void *bytes, size_t count);
/* Ends the file when `status` is MAREA_OK, removes it otherwise; returns what went wrong first. */
marea_status marea_output_close(marea_output *output, marea_status status);

#endif

#include "embed/output.h"

#include <string.h>

#include "base/memory.h"

enum { BUFFER_BYTES = 1 << 18, GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8 };

static void *counted_alloc(void *context, unsigned items, unsigned size) {
  (void)context;
  return marea_alloc_array(items, size);
}

static void counted_free(void *context, void *block) {
  (void)context;
  marea_free(block);
}

static bool ends_in_gz(const char *path) {
  size_t length = strlen(path);
  return length > 3 && strcmp(path + length - 3, ".gz") == 0;
}

static marea_status begin_packing(marea_output *output) {
  output->deflated = marea_alloc(BUFFER_BYTES);
  if (output->deflated == NULL) return MAREA_NOMEM;
  output->stream.zalloc = counted_alloc;
  output->stream.zfree = counted_free;
  if (deflateInit2(&output->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    return marea_fail(MAREA_NOMEM, "out of memory for packing a file");
  output->packed = true;
  return MAREA_OK;
}

static void release(marea_output *output) {
  if (output->packed) deflateEnd(&output->stream);
  marea_free(output->deflated);
  marea_free(output->buffer);
}

marea_status marea_output_open(marea_output *output, const char *path) {
  *output = (marea_output){0};
  output->buffer = marea_alloc(BUFFER_BYTES);
  marea_status status = output->buffer == NULL ? MAREA_NOMEM : MAREA_OK;
  if (status == MAREA_OK && ends_in_gz(path)) status = begin_packing(output);
  if (status == MAREA_OK) {
    output->writer = marea_file_writer_new(path);
    if (output->writer != NULL) return MAREA_OK;
    status = marea_error_code();
  }
  release(output);
  return status;
}

static marea_status pack(marea_output *output, int flush) {
  output->stream.next_in = (unsigned char *)output->buffer;
  output->stream.avail_in = (unsigned)output->used;
  int code;
  do {
    output->stream.next_out = output->deflated;
    output->stream.avail_out = BUFFER_BYTES;
    code = deflate(&output->stream, flush);
    marea_status status =
        marea_file_write(output->writer, output->deflated, BUFFER_BYTES - output->stream.avail_out);
    if (status != MAREA_OK) return status;
  } while (output->stream.avail_out == 0 || (flush == Z_FINISH && code == Z_OK));
  output->used = 0;
  return MAREA_OK;
}

static marea_status flush(marea_output *output) {
  if (output->packed) return pack(output, Z_NO_FLUSH);
  marea_status status = marea_file_write(output->writer, output->buffer, output->used);
  output->used = 0;
  return status;
}

marea_status marea_output_write(marea_output *output, const void *bytes, size_t count) {
  const char *from = bytes;
  while (count > 0) {
    size_t room = BUFFER_BYTES - output->used, part = count < room ? count : room;
    memcpy(output->buffer + output->used, from, part);
    output->used += part;
    from += part;
    count -= part;
    if (output->used < BUFFER_BYTES) continue;
    marea_status status = flush(output);
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

marea_status marea_output_close(marea_output *output, marea_status status) {
  if (status == MAREA_OK) status = output->packed ? pack(output, Z_FINISH) : flush(output);
  if (status == MAREA_OK)
    status = marea_file_commit(output->writer);
  else
    marea_file_abandon(output->writer);
  release(output);
  return status;
}

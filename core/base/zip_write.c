/* Writing ZIP archives of stored entries. */
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/zip.h"

enum {
  LOCAL_BYTES = 30,
  ENTRY_BYTES = 46,
  END_BYTES = 22,
  VERSION = 20,             /* 2.0, the oldest that everybody reads */
  NAMES_ARE_UTF8 = 1 << 11, /* a flag */
  FIRST_DAY = 1 << 5 | 1    /* 1980-01-01 in MS-DOS's form */
};

struct marea_zip_writer {
  marea_file_writer *file;
  unsigned char *directory; /* grows with the entries and is written at the end */
  size_t directory_bytes, directory_capacity, count;
  uint64_t offset;
};

static void put16(unsigned char *p, uint32_t value) {
  p[0] = (unsigned char)value;
  p[1] = (unsigned char)(value >> 8);
}

static void put32(unsigned char *p, uint32_t value) {
  put16(p, value);
  put16(p + 2, value >> 16);
}

marea_zip_writer *marea_zip_writer_new(const char *path) {
  marea_zip_writer *w = marea_alloc_zero(1, sizeof *w);
  if (w == NULL) return NULL;
  w->file = marea_file_writer_new(path);
  if (w->file != NULL) return w;
  marea_free(w);
  return NULL;
}

void marea_zip_abandon(marea_zip_writer *writer) {
  if (writer == NULL) return;
  marea_file_abandon(writer->file);
  marea_free(writer->directory);
  marea_free(writer);
}

/* The 26 bytes that the header of an entry and its line in the directory have in common. */
static void put_common(unsigned char *p, uint32_t crc, uint32_t bytes, size_t name) {
  memset(p, 0, 26);
  put16(p, VERSION);
  put16(p + 2, NAMES_ARE_UTF8);
  put16(p + 8, FIRST_DAY);
  put32(p + 10, crc);
  put32(p + 14, bytes);
  put32(p + 18, bytes);
  put16(p + 22, (uint32_t)name);
}

static marea_status add_line(marea_zip_writer *w, const char *name, const unsigned char *common) {
  size_t length = strlen(name), wanted = w->directory_bytes + ENTRY_BYTES + length;
  unsigned char *grown = marea_grow(w->directory, &w->directory_capacity, wanted, 1);
  if (grown == NULL) return MAREA_NOMEM;
  w->directory = grown;
  unsigned char *p = grown + w->directory_bytes;
  memset(p, 0, ENTRY_BYTES);
  memcpy(p, "PK\1\2", 4);
  put16(p + 4, VERSION);
  memcpy(p + 6, common, 26);
  put32(p + 42, (uint32_t)w->offset);
  memcpy(p + ENTRY_BYTES, name, length);
  w->directory_bytes = wanted;
  w->count++;
  return MAREA_OK;
}

marea_status marea_zip_add(marea_zip_writer *writer, const char *name, const void *head,
                           size_t head_bytes, const void *body, size_t body_bytes) {
  unsigned char local[LOCAL_BYTES] = "PK\3\4";
  size_t length = strlen(name);
  if (length > 65535) return marea_fail(MAREA_RANGE, "the name of an entry is too long");
  if (writer->count == 65534)
    return marea_fail(MAREA_RANGE, "an archive holds at most 65534 entries");
  uint64_t end = writer->offset + LOCAL_BYTES + length + head_bytes + body_bytes;
  if (end + writer->directory_bytes + ENTRY_BYTES + length + END_BYTES >= UINT32_MAX)
    return marea_fail(MAREA_RANGE,
                      "entry \"%s\" makes the archive longer than 4 GiB; use safetensors", name);
  unsigned long crc = crc32_z(0, head, head_bytes);
  crc = crc32_z(crc, body, body_bytes);
  put_common(local + 4, (uint32_t)crc, (uint32_t)(head_bytes + body_bytes), length);
  marea_status status = add_line(writer, name, local + 4);
  if (status == MAREA_OK) status = marea_file_write(writer->file, local, LOCAL_BYTES);
  if (status == MAREA_OK) status = marea_file_write(writer->file, name, length);
  if (status == MAREA_OK) status = marea_file_write(writer->file, head, head_bytes);
  if (status == MAREA_OK) status = marea_file_write(writer->file, body, body_bytes);
  writer->offset = end;
  return status;
}

marea_status marea_zip_commit(marea_zip_writer *writer) {
  unsigned char end[END_BYTES] = "PK\5\6";
  put16(end + 8, (uint32_t)writer->count);
  put16(end + 10, (uint32_t)writer->count);
  put32(end + 12, (uint32_t)writer->directory_bytes);
  put32(end + 16, (uint32_t)writer->offset);
  marea_status status = MAREA_OK;
  if (writer->directory_bytes > 0)
    status = marea_file_write(writer->file, writer->directory, writer->directory_bytes);
  if (status == MAREA_OK) status = marea_file_write(writer->file, end, END_BYTES);
  if (status == MAREA_OK)
    status = marea_file_commit(writer->file);
  else
    marea_file_abandon(writer->file);
  marea_free(writer->directory);
  marea_free(writer);
  return status;
}

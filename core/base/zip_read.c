/* Reading ZIP archives. Sizes and places are those of the directory at the end; of the header in
 * front of an entry only its own length counts. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/zip.h"

enum {
  END_BYTES = 22,
  COMMENT_BYTES = 65535, /* at most, behind the end record */
  ENTRY_BYTES = 46,
  LOCAL_BYTES = 30,
  STORED = 0,
  DEFLATED = 8,
  ENCRYPTED = 1,        /* a flag */
  MOST_EXPANSION = 1032 /* deflate gives at most 1032 bytes for one (zlib, "technical details") */
};

typedef struct zip_entry {
  char *name;
  unsigned method, flags;
  uint32_t crc, packed, unpacked, offset;
} zip_entry;

struct marea_zip_reader {
  marea_file_reader *file;
  char *path;
  zip_entry *entries;
  size_t count;
};

static uint32_t u16(const unsigned char *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const unsigned char *p) {
  return u16(p) | u16(p + 2) << 16;
}

static marea_status no_archive(const marea_zip_reader *r, const char *what) {
  return marea_fail(MAREA_FORMAT, "\"%s\" is no ZIP archive (npz): %s", r->path, what);
}

static marea_status broken(const marea_zip_reader *r, const zip_entry *e, const char *what) {
  return marea_fail(MAREA_FORMAT, "\"%s\", entry \"%s\": %s", r->path, e->name, what);
}

/* ---- the directory ---- */

/* The end record in the last bytes of the file; its comment must reach the file's end. */
static const unsigned char *find_end(const unsigned char *tail, size_t bytes) {
  for (size_t at = bytes < END_BYTES ? 0 : bytes - END_BYTES + 1; at-- > 0;)
    if (memcmp(tail + at, "PK\5\6", 4) == 0 && u16(tail + at + 20) == bytes - at - END_BYTES)
      return tail + at;
  return NULL;
}

/* One entry of the directory at *at; moves *at behind it. */
static marea_status read_entry(marea_zip_reader *r, const unsigned char *directory, size_t bytes,
                               size_t *at) {
  const unsigned char *p = directory + *at;
  if (bytes - *at < ENTRY_BYTES || memcmp(p, "PK\1\2", 4) != 0)
    return no_archive(r, "its directory is cut short or damaged");
  size_t name = u16(p + 28), all = ENTRY_BYTES + name + u16(p + 30) + u16(p + 32);
  if (all > bytes - *at) return no_archive(r, "its directory is cut short or damaged");
  if (name == 0 || memchr(p + ENTRY_BYTES, 0, name) != NULL)
    return no_archive(r, "the name of an entry is empty or holds a zero byte");
  zip_entry *e = &r->entries[r->count];
  *e = (zip_entry){.method = u16(p + 10),
                   .flags = u16(p + 8),
                   .crc = u32(p + 16),
                   .packed = u32(p + 20),
                   .unpacked = u32(p + 24),
                   .offset = u32(p + 42)};
  e->name = marea_alloc(name + 1);
  if (e->name == NULL) return MAREA_NOMEM;
  memcpy(e->name, p + ENTRY_BYTES, name);
  e->name[name] = '\0';
  r->count++;
  *at += all;
  return MAREA_OK;
}

static marea_status check_entry(const marea_zip_reader *r, const zip_entry *e) {
  char what[120];
  if (e->packed == UINT32_MAX || e->unpacked == UINT32_MAX || e->offset == UINT32_MAX)
    return broken(r, e, "it is of the zip64 form; files of 4 GiB and more are not read");
  if (e->flags & ENCRYPTED) return broken(r, e, "it is encrypted");
  if (e->method != STORED && e->method != DEFLATED) {
    snprintf(what, sizeof what, "its packing method is %u, expected 0 (stored) or 8 (deflated)",
             e->method);
    return broken(r, e, what);
  }
  uint64_t most = e->method == STORED ? e->packed : (uint64_t)e->packed * MOST_EXPANSION;
  if (e->unpacked > most || (e->method == STORED && e->unpacked != e->packed)) {
    snprintf(what, sizeof what, "it claims %lu bytes unpacked, which its %lu packed ones cannot be",
             (unsigned long)e->unpacked, (unsigned long)e->packed);
    return broken(r, e, what);
  }
  return MAREA_OK;
}

/* Entries that share bytes would make a small archive large: together they fit into the file. */
static marea_status read_entries(marea_zip_reader *r, const unsigned char *directory, size_t bytes,
                                 size_t count) {
  size_t at = 0;
  uint64_t packed = 0;
  for (size_t i = 0; i < count; i++) {
    marea_status status = read_entry(r, directory, bytes, &at);
    if (status == MAREA_OK) status = check_entry(r, &r->entries[i]);
    if (status != MAREA_OK) return status;
    packed += r->entries[i].packed;
  }
  if (packed > marea_file_size(r->file))
    return no_archive(r, "its entries together are longer than the file");
  return MAREA_OK;
}

static marea_status read_directory(marea_zip_reader *r, const unsigned char *end) {
  size_t count = u16(end + 10), bytes = u32(end + 12), offset = u32(end + 16);
  if (u16(end + 4) != 0 || u16(end + 8) != count) return no_archive(r, "it is one part of several");
  if (count == 65535 || bytes == UINT32_MAX || offset == UINT32_MAX)
    return no_archive(r, "it is of the zip64 form; files of 4 GiB and more are not read");
  if (offset > marea_file_size(r->file) || bytes > marea_file_size(r->file) - offset ||
      count > bytes / ENTRY_BYTES)
    return no_archive(r, "its directory lies outside of the file");
  r->entries = marea_alloc_zero(count, sizeof *r->entries);
  unsigned char *directory = marea_alloc(bytes);
  marea_status status = r->entries == NULL || directory == NULL ? MAREA_NOMEM : MAREA_OK;
  if (status == MAREA_OK) status = marea_file_read(r->file, offset, directory, bytes);
  if (status == MAREA_OK) status = read_entries(r, directory, bytes, count);
  marea_free(directory);
  return status;
}

static marea_status read_end(marea_zip_reader *r) {
  size_t size = marea_file_size(r->file);
  size_t bytes = size < END_BYTES + COMMENT_BYTES ? size : END_BYTES + COMMENT_BYTES;
  if (size < END_BYTES) return no_archive(r, "it has fewer than 22 bytes");
  unsigned char *tail = marea_alloc(bytes);
  if (tail == NULL) return MAREA_NOMEM;
  marea_status status = marea_file_read(r->file, size - bytes, tail, bytes);
  const unsigned char *end = status == MAREA_OK ? find_end(tail, bytes) : NULL;
  if (end != NULL)
    status = read_directory(r, end);
  else if (status == MAREA_OK)
    status = no_archive(r, "the record at its end is missing");
  marea_free(tail);
  return status;
}

marea_zip_reader *marea_zip_reader_new(const char *path) {
  marea_file_reader *file = marea_file_reader_new(path);
  if (file == NULL) return NULL;
  marea_zip_reader *r = marea_alloc_zero(1, sizeof *r);
  if (r == NULL) {
    marea_file_reader_free(file);
    return NULL;
  }
  r->file = file;
  r->path = marea_strdup(path);
  if (r->path != NULL && read_end(r) == MAREA_OK) return r;
  marea_zip_reader_free(r);
  return NULL;
}

void marea_zip_reader_free(marea_zip_reader *reader) {
  if (reader == NULL) return;
  for (size_t i = 0; i < reader->count; i++) marea_free(reader->entries[i].name);
  marea_free(reader->entries);
  marea_free(reader->path);
  marea_file_reader_free(reader->file);
  marea_free(reader);
}

size_t marea_zip_count(const marea_zip_reader *reader) {
  return reader->count;
}

const char *marea_zip_name(const marea_zip_reader *reader, size_t i) {
  return reader->entries[i].name;
}

/* ---- entries ---- */

/* zlib's allocations pass through our counters. */
static void *zlib_alloc(void *opaque, unsigned items, unsigned size) {
  (void)opaque;
  return marea_alloc_zero(items, size);
}

static void zlib_free(void *opaque, void *block) {
  (void)opaque;
  marea_free(block);
}

static marea_status inflate_all(const marea_zip_reader *r, const zip_entry *e,
                                unsigned char *packed, unsigned char *bytes) {
  z_stream stream = {.next_in = packed,
                     .avail_in = e->packed,
                     .next_out = bytes,
                     .avail_out = e->unpacked,
                     .zalloc = zlib_alloc,
                     .zfree = zlib_free};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    return marea_fail(MAREA_NOMEM, "out of memory for unpacking \"%s\"", r->path);
  int code = inflate(&stream, Z_FINISH);
  bool whole = code == Z_STREAM_END && stream.avail_out == 0 && stream.avail_in == 0;
  inflateEnd(&stream);
  return whole ? MAREA_OK : broken(r, e, "its packed bytes are damaged");
}

/* Where the bytes of an entry begin, behind its own header. */
static marea_status find_bytes(const marea_zip_reader *r, const zip_entry *e, size_t *begin) {
  unsigned char local[LOCAL_BYTES];
  size_t size = marea_file_size(r->file);
  if (e->offset > size || size - e->offset < LOCAL_BYTES)
    return broken(r, e, "it lies outside of the file");
  marea_status status = marea_file_read(r->file, e->offset, local, LOCAL_BYTES);
  if (status != MAREA_OK) return status;
  if (memcmp(local, "PK\3\4", 4) != 0) return broken(r, e, "its header is damaged");
  *begin = e->offset + LOCAL_BYTES + u16(local + 26) + u16(local + 28);
  if (*begin > size || e->packed > size - *begin)
    return broken(r, e, "it lies outside of the file");
  return MAREA_OK;
}

static marea_status fill(const marea_zip_reader *r, const zip_entry *e, size_t begin,
                         unsigned char *bytes) {
  if (e->method == STORED) return marea_file_read(r->file, begin, bytes, e->packed);
  unsigned char *packed = marea_alloc(e->packed);
  if (packed == NULL) return MAREA_NOMEM;
  marea_status status = marea_file_read(r->file, begin, packed, e->packed);
  if (status == MAREA_OK) status = inflate_all(r, e, packed, bytes);
  marea_free(packed);
  return status;
}

void *marea_zip_read(marea_zip_reader *reader, size_t i, size_t *length) {
  const zip_entry *e = &reader->entries[i];
  size_t begin = 0;
  if (find_bytes(reader, e, &begin) != MAREA_OK) return NULL;
  unsigned char *bytes = marea_alloc(e->unpacked);
  if (bytes == NULL) return NULL;
  marea_status status = fill(reader, e, begin, bytes);
  if (status == MAREA_OK && crc32_z(0, bytes, e->unpacked) != e->crc)
    status = broken(reader, e, "its CRC-32 is wrong: the bytes are damaged");
  *length = e->unpacked;
  if (status == MAREA_OK) return bytes;
  marea_free(bytes);
  return NULL;
}

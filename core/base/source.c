/* The byte source of source.h. zlib's inflate is driven here, not by gzread, because only so are
 * the byte positions exact and the memory counted. */
#define _POSIX_C_SOURCE 200809L
#include "base/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"

enum { PACKED_BYTES = 1 << 16, GZIP_WINDOW = 15 + 16, MAGIC_BYTES = 2 };

struct marea_source {
  char *path;
  int descriptor;
  uint64_t size, taken; /* bytes of the file: all, read from the system */
  char first[MAGIC_BYTES];
  size_t first_begin, first_end; /* of the bytes read to see what the file is */
  bool packed, inflating, in_member, at_end;
  z_stream stream;
  unsigned char *buffer; /* packed bytes; only for gzip */
};

static void *counted_alloc(void *context, unsigned items, unsigned size) {
  (void)context;
  return marea_alloc_array(items, size);
}

static void counted_free(void *context, void *block) {
  (void)context;
  marea_free(block);
}

/* read(2), going on after signals. */
static marea_status read_file(marea_source *source, void *to, size_t room, size_t *got) {
  ssize_t count;
  if (room > INT_MAX) room = INT_MAX;
  do count = read(source->descriptor, to, room);
  while (count < 0 && errno == EINTR);
  *got = 0;
  if (count < 0) return marea_file_failure("read", source->path, errno);
  *got = (size_t)count;
  source->taken += *got;
  return MAREA_OK;
}

/* Reads the first two bytes, which say whether the file is gzip. */
static marea_status look(marea_source *source) {
  while (source->first_end < MAGIC_BYTES) {
    size_t got;
    marea_status status =
        read_file(source, source->first + source->first_end, MAGIC_BYTES - source->first_end, &got);
    if (status != MAREA_OK) return status;
    if (got == 0) return MAREA_OK;
    source->first_end += got;
  }
  source->packed = memcmp(source->first, "\x1f\x8b", MAGIC_BYTES) == 0;
  return MAREA_OK;
}

static marea_status begin_inflating(marea_source *source) {
  source->buffer = marea_alloc(PACKED_BYTES);
  if (source->buffer == NULL) return MAREA_NOMEM;
  source->stream.zalloc = counted_alloc;
  source->stream.zfree = counted_free;
  int code = inflateInit2(&source->stream, GZIP_WINDOW);
  if (code == Z_MEM_ERROR) return MAREA_NOMEM;
  if (code != Z_OK) return marea_fail(MAREA_IO, "zlib cannot start (code %d)", code);
  source->inflating = true;
  source->in_member = true;
  memcpy(source->buffer, source->first, MAGIC_BYTES);
  source->stream.next_in = source->buffer;
  source->stream.avail_in = MAGIC_BYTES;
  return MAREA_OK;
}

static marea_status open_source(marea_source *source) {
  struct stat facts;
  source->descriptor = open(source->path, O_RDONLY | O_CLOEXEC);
  if (source->descriptor < 0) return marea_file_failure("read", source->path, errno);
  if (fstat(source->descriptor, &facts) != 0)
    return marea_file_failure("read", source->path, errno);
  if (S_ISDIR(facts.st_mode)) return marea_file_failure("read", source->path, EISDIR);
  if (S_ISREG(facts.st_mode)) source->size = (uint64_t)facts.st_size;
  marea_status status = look(source);
  return status == MAREA_OK && source->packed ? begin_inflating(source) : status;
}

marea_source *marea_source_new(const char *path) {
  marea_source *source = marea_alloc_zero(1, sizeof *source);
  if (source == NULL) return NULL;
  source->descriptor = -1;
  source->path = marea_strdup(path);
  if (source->path != NULL && open_source(source) == MAREA_OK) return source;
  marea_source_free(source);
  return NULL;
}

static marea_status damaged(const marea_source *source, const char *what) {
  return marea_fail(MAREA_FORMAT, "\"%s\": %s at byte %llu of the gzip file", source->path, what,
                    (unsigned long long)marea_source_position(source));
}

/* Makes packed bytes available, or tells that the file has no more. */
static marea_status refill(marea_source *source) {
  size_t got;
  if (source->stream.avail_in > 0) return MAREA_OK;
  marea_status status = read_file(source, source->buffer, PACKED_BYTES, &got);
  source->stream.next_in = source->buffer;
  source->stream.avail_in = (unsigned)got;
  return status;
}

/* Between two members: either the file ends, or another one begins. */
static marea_status next_member(marea_source *source) {
  marea_status status = refill(source);
  if (status != MAREA_OK) return status;
  if (source->stream.avail_in == 0) {
    source->at_end = true;
    return MAREA_OK;
  }
  if (source->stream.next_in[0] != 0x1f)
    return damaged(source, "something that is no gzip follows");
  if (inflateReset(&source->stream) != Z_OK) return damaged(source, "zlib cannot go on");
  source->in_member = true;
  return MAREA_OK;
}

/* One call of inflate. */
static marea_status inflate_some(marea_source *source) {
  marea_status status = refill(source);
  if (status != MAREA_OK) return status;
  if (source->stream.avail_in == 0) return damaged(source, "cut short");
  int code = inflate(&source->stream, Z_NO_FLUSH);
  if (code == Z_STREAM_END) source->in_member = false;
  if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR) return MAREA_OK;
  if (code == Z_MEM_ERROR) return MAREA_NOMEM;
  return damaged(source, source->stream.msg != NULL ? source->stream.msg : "damaged");
}

static marea_status read_packed(marea_source *source, void *to, size_t room, size_t *got) {
  unsigned wanted = (unsigned)(room < INT_MAX ? room : INT_MAX);
  source->stream.next_out = to;
  source->stream.avail_out = wanted;
  marea_status status = MAREA_OK;
  while (status == MAREA_OK && source->stream.avail_out == wanted && !source->at_end)
    status = source->in_member ? inflate_some(source) : next_member(source);
  *got = wanted - source->stream.avail_out;
  return status;
}

marea_status marea_source_read(marea_source *source, void *to, size_t room, size_t *got) {
  if (source->packed) return read_packed(source, to, room, got);
  size_t kept = source->first_end - source->first_begin;
  if (kept == 0) return read_file(source, to, room, got);
  *got = kept < room ? kept : room;
  memcpy(to, source->first + source->first_begin, *got);
  source->first_begin += *got;
  return MAREA_OK;
}

const char *marea_source_path(const marea_source *source) {
  return source->path;
}

uint64_t marea_source_position(const marea_source *source) {
  if (source->packed) return source->taken - source->stream.avail_in;
  return source->taken - (source->first_end - source->first_begin);
}

uint64_t marea_source_size(const marea_source *source) {
  return source->size;
}

bool marea_source_packed(const marea_source *source) {
  return source->packed;
}

void marea_source_free(marea_source *source) {
  if (source == NULL) return;
  if (source->inflating) inflateEnd(&source->stream);
  if (source->descriptor >= 0) close(source->descriptor);
  marea_free(source->buffer);
  marea_free(source->path);
  marea_free(source);
}

size_t marea_bom_length(const char *bytes, size_t length) {
  return length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* Reads until the end, widening the block as needed; one byte stays free for the closing zero. */
static marea_status slurp(marea_source *source, size_t longest, char **block, size_t *length) {
  size_t capacity = source->packed || source->size > longest ? 0 : (size_t)source->size + 2;
  if (capacity < 4096) capacity = 4096;
  *block = marea_alloc(capacity);
  *length = 0;
  if (*block == NULL) return MAREA_NOMEM;
  for (;;) {
    size_t got;
    if (*length + 1 == capacity) {
      char *wider = marea_realloc(*block, 2 * capacity);
      if (wider == NULL) return MAREA_NOMEM;
      *block = wider;
      capacity *= 2;
    }
    marea_status status = marea_source_read(source, *block + *length, capacity - *length - 1, &got);
    if (status != MAREA_OK || got == 0) return status;
    *length += got;
    if (*length > longest)
      return marea_fail(MAREA_FORMAT, "\"%s\": longer than %zu bytes", source->path, longest);
  }
}

char *marea_source_read_all(const char *path, size_t longest, size_t *length) {
  char *block = NULL;
  marea_source *source = marea_source_new(path);
  if (source == NULL) return NULL;
  marea_status status = slurp(source, longest, &block, length);
  marea_source_free(source);
  if (status != MAREA_OK) {
    marea_free(block);
    return NULL;
  }
  size_t skip = marea_bom_length(block, *length);
  *length -= skip;
  memmove(block, block + skip, *length);
  block[*length] = '\0';
  return block;
}

/* Lines, plain and gzip: the input as a file, and packed by zlib into one or two members. */
#include <string.h>
#include <zlib.h>

#include "base/lines.h"
#include "fuzz.h"

enum { PACKED_ROOM = 1 << 17, LONGEST_INPUT = 1 << 15 };

/* Reads all lines; on success checks them against the bytes they must come from. */
static marea_status read_lines(const char *path, size_t longest, const char *bytes, size_t size) {
  marea_lines *lines = marea_lines_new(path);
  if (lines == NULL) return marea_error_code();
  marea_lines_limit(lines, longest);
  marea_status status;
  const char *line;
  size_t length, number = 0, at = bytes != NULL ? marea_bom_length(bytes, size) : 0;
  while (marea_lines_next(lines, &line, &length, &status)) {
    REQUIRE(marea_lines_number(lines) == ++number && length <= longest);
    if (bytes == NULL) continue;
    const char *feed = memchr(bytes + at, '\n', size - at);
    size_t raw = feed != NULL ? (size_t)(feed - bytes) - at : size - at;
    bool crlf = raw > 0 && bytes[at + raw - 1] == '\r';
    REQUIRE(length == raw - crlf && memcmp(line, bytes + at, length) == 0);
    at += raw + (feed != NULL);
  }
  if (status == MAREA_OK && bytes != NULL) REQUIRE(at == size);
  REQUIRE(status == MAREA_OK || marea_error_text()[0] != '\0');
  marea_lines_free(lines);
  return status;
}

/* One gzip member of these bytes at `to`. */
static size_t pack(const uint8_t *bytes, size_t size, unsigned char *to, size_t room) {
  z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)size};
  stream.next_out = to;
  stream.avail_out = (unsigned)room;
  REQUIRE(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 4, Z_DEFAULT_STRATEGY) == Z_OK);
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  deflateEnd(&stream);
  return room - stream.avail_out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static unsigned char packed[PACKED_ROOM];
  fuzz_input in = {data, size};
  unsigned how = fuzz_byte(&in);
  size_t longest = how & 1 ? MAREA_LONGEST_LINE : 1 + fuzz_byte(&in);
  bool gzip = in.size >= 2 && memcmp(in.data, "\x1f\x8b", 2) == 0;
  const char *bytes = (const char *)in.data;
  marea_status plain =
      read_lines(fuzz_file(0, bytes, in.size), longest, gzip ? NULL : bytes, in.size);
  if (!gzip) REQUIRE(plain == MAREA_OK || !(how & 1));
  if (in.size <= LONGEST_INPUT) {
    size_t first = how & 2 ? in.size / 2 : in.size;
    size_t used = pack(in.data, first, packed, PACKED_ROOM);
    if (how & 2) used += pack(in.data + first, in.size - first, packed + used, PACKED_ROOM - used);
    marea_status unpacked = read_lines(fuzz_file(0, packed, used), longest, bytes, in.size);
    if (!gzip) REQUIRE(unpacked == plain);
    if (how & 4 && !(how & 2) && used > 2) { /* cut short behind the mark that says gzip */
      used -= 1 + how % (used - 2);
      REQUIRE(read_lines(fuzz_file(0, packed, used), longest, NULL, 0) != MAREA_OK);
    }
  }
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

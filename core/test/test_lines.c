/* Lines of text files: endings, limits, broken gzip, files that are none, memory that runs out;
 * and the flag of interruptions. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/interrupt.h"

static char folder[] = "/tmp/marea-lines-XXXXXX";
static char path[64];

static void write_file(const char *bytes, size_t count) {
  FILE *file = fopen(path, "wb");
  fwrite(bytes, 1, count, file);
  fclose(file);
}

/* Reads the next line and compares it. */
static void expect_line(marea_lines *lines, const char *wanted, size_t count) {
  const char *text;
  size_t length;
  marea_status status;
  CHECK(marea_lines_next(lines, &text, &length, &status) && status == MAREA_OK);
  CHECK(length == count && memcmp(text, wanted, count) == 0);
}

static marea_status expect_end(marea_lines *lines) {
  const char *text;
  size_t length;
  marea_status status;
  CHECK(!marea_lines_next(lines, &text, &length, &status));
  return status;
}

static void test_endings(void) {
  static const char bytes[] = "one\nzwei\r\n\n¿tres?\0x\nlast";
  write_file(bytes, sizeof bytes - 1);
  marea_lines *lines = marea_lines_new(path);
  expect_line(lines, "one", 3);
  expect_line(lines, "zwei", 4);
  expect_line(lines, "", 0);
  expect_line(lines, "¿tres?\0x", sizeof "¿tres?\0x" - 1);
  expect_line(lines, "last", 4);
  CHECK(expect_end(lines) == MAREA_OK);
  CHECK(expect_end(lines) == MAREA_OK);
  CHECK(marea_lines_position(lines) == sizeof bytes - 1);
  marea_lines_free(lines);
  write_file("", 0);
  lines = marea_lines_new(path);
  CHECK(expect_end(lines) == MAREA_OK);
  marea_lines_free(lines);
  marea_lines_free(NULL);
}

/* Longer than the buffer of the reader; then longer than what is allowed. */
static void test_long_lines(void) {
  size_t count = 1000001;
  char *bytes = malloc(count);
  memset(bytes, 'a', count);
  bytes[count - 1] = '\n';
  write_file(bytes, count);
  marea_lines *lines = marea_lines_new(path);
  expect_line(lines, bytes, count - 1);
  CHECK(expect_end(lines) == MAREA_OK);
  marea_lines_free(lines);
  lines = marea_lines_new(path);
  marea_lines_limit(lines, 300000);
  CHECK(expect_end(lines) == MAREA_FORMAT);
  CHECK_ERROR("line 1: longer than 300000 bytes");
  marea_lines_free(lines);
  for (size_t n = 1; n < 10; n++) {
    marea_memory_fail_at(n);
    lines = marea_lines_new(path);
    const char *text;
    size_t length;
    marea_status status = MAREA_OK;
    bool whole = lines != NULL && marea_lines_next(lines, &text, &length, &status);
    CHECK(whole || marea_error_code() == MAREA_NOMEM);
    marea_memory_fail_at(0);
    marea_lines_free(lines);
  }
  free(bytes);
}

static void test_broken(void) {
  static const char gzip[] = "\x1f\x8b\x08\0\0\0\0\0\0\xff\xff\xff\xff";
  write_file(gzip, sizeof gzip - 1);
  marea_lines *lines = marea_lines_new(path);
  CHECK(expect_end(lines) == MAREA_FORMAT);
  CHECK(strstr(marea_error_text(), path) != NULL);
  marea_lines_free(lines);
  CHECK(marea_lines_new("/nowhere/at/all") == NULL && marea_error_code() == MAREA_IO);
  CHECK_ERROR("cannot read \"/nowhere/at/all\": No such file");
  lines = marea_lines_new(folder); /* a folder may be opened, but not read */
  if (lines != NULL) CHECK(expect_end(lines) != MAREA_OK);
  marea_lines_free(lines);
}

static void test_interrupts(void) {
  CHECK(!marea_interrupted() && !marea_interrupt_watched());
  marea_interrupt_request();
  marea_interrupt_watch(true);
  CHECK(marea_interrupted() && marea_interrupt_watched());
  marea_interrupt_clear();
  marea_interrupt_watch(false);
  CHECK(!marea_interrupted() && !marea_interrupt_watched());
}

int main(void) {
  if (mkdtemp(folder) == NULL) return 1;
  snprintf(path, sizeof path, "%s/file", folder);
  test_endings();
  test_long_lines();
  test_broken();
  test_interrupts();
  unlink(path);
  rmdir(folder);
  return test_end();
}

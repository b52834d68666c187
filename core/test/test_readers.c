/* Readers from C: what they give, and that each survives a failure of any single allocation. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <unistd.h>

#include "marea.h"
#include "test.h"

static char path[] = "/tmp/marea_readers_XXXXXX";

static void write_bytes(const char *bytes, size_t count) {
  marea_file_writer *writer = marea_file_writer_new(path);
  CHECK(writer != NULL && marea_file_write(writer, bytes, count) == MAREA_OK);
  CHECK(marea_file_commit(writer) == MAREA_OK);
}

/* Each round reads the file and says whether it succeeded; `found` counts what was there. */
typedef bool round_function(size_t *found);

static bool lines_round(size_t *found) {
  const char *text;
  size_t length;
  marea_status status;
  marea_lines *lines = marea_lines_new(path);
  if (lines == NULL) return false;
  while (marea_lines_next(lines, &text, &length, &status)) ++*found;
  marea_lines_free(lines);
  return status == MAREA_OK;
}

static bool csv_round(size_t *found) {
  const marea_field *cells;
  size_t count;
  marea_status status;
  marea_csv_options options = {.quote = '"'};
  marea_csv *csv = marea_csv_new(path, &options);
  if (csv == NULL) return false;
  while (marea_csv_next(csv, &cells, &count, &status)) *found += count;
  marea_csv_free(csv);
  return status == MAREA_OK;
}

static bool conll_round(size_t *found) {
  marea_conll_sentence sentence;
  marea_status status;
  marea_conll_options options = {.width = 2, .separator = '\t', .conllu = true};
  marea_conll *conll = marea_conll_new(path, &options);
  if (conll == NULL) return false;
  while (marea_conll_next(conll, &sentence, &status)) *found += sentence.rows;
  marea_conll_free(conll);
  return status == MAREA_OK;
}

static bool idx_round(size_t *found) {
  double x[2];
  marea_idx *idx = marea_idx_new(path);
  if (idx == NULL) return false;
  bool good = marea_idx_read(idx, x, 2) == MAREA_OK && marea_idx_check_end(idx) == MAREA_OK;
  *found += (size_t)marea_idx_sizes(idx)[0];
  marea_idx_free(idx);
  return good;
}

static bool text_round(size_t *found) {
  char *text = marea_source_read_all(path, 1 << 20, found);
  marea_free(text);
  return text != NULL;
}

static bool folder_round(size_t *found) {
  marea_folder *folder = marea_folder_new("/");
  if (folder == NULL) return false;
  for (size_t i = 1; i < folder->count; i++)
    CHECK(strcmp(folder->entries[i - 1].name, folder->entries[i].name) < 0);
  *found += folder->count > 0;
  marea_folder_free(folder);
  return true;
}

static void check_round(round_function *round, size_t expected) {
  size_t found = 0, before = marea_memory_allocations();
  CHECK(round(&found) && found == expected);
  size_t needed = marea_memory_allocations() - before;
  for (size_t n = 1; n <= needed; n++) {
    marea_memory_fail_at(n);
    CHECK(!round(&found));
    CHECK(marea_error_code() == MAREA_NOMEM);
    CHECK(marea_memory_used() == 0);
  }
  marea_memory_fail_at(0);
}

/* zlib asks for its memory here too. */
static void test_gzip(void) {
  static const char bytes[] = "\x1f\x8b\x08\0\0\0\0\0\0\3"
                              "\x2b\xcd\xcb\xe7\x4a\xc9\x2f\xe6\x02\0"
                              "\x69\xfd\x01\xfa\10\0\0";
  write_bytes(bytes, sizeof bytes); /* "uno\ndos\n", the last zero is the string's own */
  check_round(lines_round, 2);
  check_round(text_round, 8);
  write_bytes(bytes, sizeof bytes - 1);
  size_t found = 0;
  CHECK(!lines_round(&found));
  CHECK_ERROR("cut short at byte 27 of the gzip file");
}

static void test_rows(void) {
  size_t big = 300000; /* rows that widen the buffers */
  char *bytes = malloc(big);
  memset(bytes, 'x', big);
  memcpy(bytes, "\"a\n", 3);
  memcpy(bytes + big - 6, "\",b\r\n", 6);
  write_bytes(bytes, big - 1);
  free(bytes);
  check_round(csv_round, 2);
  check_round(lines_round, 2);
}

int main(void) {
  close(mkstemp(path));
  test_gzip();
  test_rows();
  write_bytes("# c\n1-2\tab\n1\ta\n2\tb\n\n1\tc", 24);
  check_round(conll_round, 4);
  write_bytes("\0\0\10\1\0\0\0\2\7\7", 10);
  check_round(idx_round, 2);
  check_round(folder_round, 1);
  unlink(path);
  return test_end();
}

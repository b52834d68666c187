#define _GNU_SOURCE /* mkstemp */
/* base/: status, memory, arena, random, threads, files. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lines.h"
#include "base/random.h"
#include "base/threads.h"

static void test_status(void) {
  CHECK(marea_fail(MAREA_RANGE, "rate is %g", 2.0) == MAREA_RANGE);
  CHECK(marea_error_code() == MAREA_RANGE);
  CHECK_ERROR("rate is 2");
  CHECK(strcmp(marea_status_text(MAREA_NOMEM), "out of memory") == 0);
  marea_error_clear();
  CHECK(marea_error_text()[0] == '\0');
}

static void test_memory(void) {
  size_t before = marea_memory_used();
  char *block = marea_alloc(100);
  CHECK(block != NULL && (size_t)block % MAREA_ALIGNMENT == 0);
  CHECK(marea_memory_used() == before + 100);
  marea_free(block);
  CHECK(marea_memory_used() == before);
  CHECK(marea_alloc_array((size_t)-1, 16) == NULL);
  CHECK_ERROR("out of memory");
  marea_memory_fail_at(2);
  void *first = marea_alloc(1), *second = marea_alloc(1), *third = marea_alloc(1);
  CHECK(first != NULL && second == NULL && third != NULL);
  marea_free(first);
  marea_free(third);
}

static void test_arena(void) {
  marea_arena *arena = marea_arena_new();
  char *small = marea_arena_alloc(arena, 10);
  char *large = marea_arena_alloc(arena, 1 << 20);
  CHECK(small != NULL && large != NULL && (size_t)large % MAREA_ALIGNMENT == 0);
  size_t held = marea_memory_used();
  marea_arena_reset(arena);
  CHECK(marea_arena_alloc(arena, 10) == small);
  CHECK(marea_arena_alloc(arena, 1 << 20) == large);
  CHECK(marea_memory_used() == held);
  marea_arena_free(arena);
}

/* Rounds of the same requests hold the same bytes: each finds the chunks that it left behind. */
static void test_arena_again(void) {
  marea_arena_trim();
  size_t before = marea_memory_used(), held = 0;
  for (int round = 0; round < 4; round++) {
    marea_arena *arena = marea_arena_new();
    CHECK(marea_arena_alloc(arena, 10) != NULL);
    CHECK(marea_arena_alloc(arena, 1 << 20) != NULL);
    CHECK(marea_arena_alloc(arena, 5 << 20) != NULL);
    if (round == 0) held = marea_memory_used();
    CHECK(marea_memory_used() == held);
    marea_arena_free(arena);
    CHECK(marea_memory_used() == before);
  }
  marea_arena_trim();
}

/* Known answers of the Random123 distribution for philox4x32-10. */
static void test_random_known(void) {
  uint32_t block[4];
  marea_random_block(0, 0, 0, block);
  CHECK(block[0] == 0x6627e8d5u && block[1] == 0xe169c58du);
  CHECK(block[2] == 0xbc57ac4cu && block[3] == 0x9b00dbd8u);
  uint64_t ones = UINT64_MAX;
  marea_random_block(ones, ones, ones, block);
  CHECK(block[0] == 0x408f276du && block[1] == 0x41c83b0eu);
  CHECK(block[2] == 0xa20bc7c6u && block[3] == 0x6d5451fdu);
}

/* Places among n tell the number they come from where n is near a power of two. */
static void test_random_place(void) {
  marea_stream numbers = marea_stream_new(3, 4), places[] = {numbers, numbers, numbers, numbers};
  for (int i = 0; i < 1000; i++) {
    uint64_t u = marea_stream_u64(&numbers);
    CHECK(marea_stream_place(&places[0], 1) == 0);
    CHECK(marea_stream_place(&places[1], (uint64_t)1 << 40) == u >> 24);
    CHECK(marea_stream_place(&places[2], UINT64_MAX) == u - (u > 0));
    uint64_t half = ((uint64_t)1 << 63) + 1; /* u/2 + u/2^64 */
    CHECK(marea_stream_place(&places[3], half) == (u >> 1) + (u & u >> 63));
  }
  for (int i = 0; i < 4; i++) CHECK(places[i].position == numbers.position);
}

static void test_random_moments(void) {
  enum { N = 20000 };
  static marea_real x[N];
  marea_stream stream = marea_stream_new(1, 2);
  marea_stream_fill_normal(&stream, x, N, 1.0, 2.0);
  double sum = 0, squares = 0;
  for (int i = 0; i < N; i++) sum += (double)x[i], squares += (double)x[i] * (double)x[i];
  CHECK_NEAR(sum / N, 1.0, 0.06);
  CHECK_NEAR(squares / N, 5.0, 0.2);
  marea_stream_fill_truncated(&stream, x, N, 0.0, 1.0);
  for (int i = 0; i < N; i++) CHECK(fabs((double)x[i]) <= 2.0);
  marea_stream_fill_dropout(&stream, x, N, 0.25);
  int zeros = 0;
  for (int i = 0; i < N; i++) zeros += x[i] == (marea_real)0;
  CHECK_NEAR(zeros / (double)N, 0.25, 0.02);
  int32_t order[10], seen[10] = {0};
  marea_stream_permutation(&stream, order, 10);
  for (int i = 0; i < 10; i++) seen[order[i]]++;
  for (int i = 0; i < 10; i++) CHECK(seen[i] == 1);
}

static void count_piece(void *context, size_t piece) {
  int *counts = context;
  counts[piece]++;
}

static void nested_piece(void *context, size_t piece) {
  int *counts = context;
  marea_parallel(4, count_piece, counts + 4 * piece);
}

static void test_threads(void) {
  static int counts[4000];
  for (int threads = 1; threads <= 8; threads *= 2) {
    CHECK(marea_threads_set(threads) == MAREA_OK);
    for (int round = 0; round < 200; round++) marea_parallel(1000, nested_piece, counts);
  }
  for (int i = 0; i < 4000; i++) CHECK(counts[i] == 800);
  CHECK(marea_threads_set(0) == MAREA_RANGE);
  marea_threads_stop();
}

static void write_text(const char *path, const char *text) {
  marea_file_writer *writer = marea_file_writer_new(path);
  CHECK(writer != NULL);
  CHECK(marea_file_write(writer, text, strlen(text)) == MAREA_OK);
  CHECK(marea_file_commit(writer) == MAREA_OK);
}

static void test_files(void) {
  char path[] = "/tmp/marea_test_XXXXXX";
  close(mkstemp(path));
  write_text(path, "uno\r\ndos\n\ntres");
  marea_lines *lines = marea_lines_new(path);
  static const char *const expected[] = {"uno", "dos", "", "tres"};
  const char *text;
  size_t length, count = 0;
  marea_status status;
  for (; marea_lines_next(lines, &text, &length, &status); count++)
    CHECK(count < 4 && length == strlen(expected[count]) &&
          memcmp(text, expected[count], length) == 0);
  CHECK(count == 4 && status == MAREA_OK);
  marea_lines_free(lines);
  marea_file_reader *reader = marea_file_reader_new(path);
  char bytes[8];
  CHECK(marea_file_size(reader) == 14);
  CHECK(marea_file_read(reader, 10, bytes, 8) == MAREA_FORMAT);
  marea_file_reader_free(reader);
  marea_file_abandon(marea_file_writer_new(path));
  unlink(path);
  CHECK(marea_lines_new("/nowhere/at all") == NULL);
  CHECK_ERROR("/nowhere/at all");
  CHECK(marea_file_writer_new("/nowhere/at all") == NULL);
  CHECK(marea_file_reader_new("/") == NULL);
}

int main(void) {
  test_status();
  test_memory();
  test_arena();
  test_arena_again();
  test_random_known();
  test_random_place();
  test_random_moments();
  test_threads();
  test_files();
  return test_end();
}

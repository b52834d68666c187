#define _GNU_SOURCE /* mkdtemp, setrlimit */
/* safetensors: round trips, other element types, hostile files, full disks, short memory. */
#include "test.h"

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "autodiff/tape.h"
#include "train/safetensors.h"

static char folder[] = "/tmp/marea_safetensors_XXXXXX";
static char path[64];

static void write_bytes(const void *bytes, size_t count) {
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fwrite(bytes, 1, count, file) == count);
  fclose(file);
}

static size_t read_bytes(unsigned char *bytes, size_t capacity) {
  FILE *file = fopen(path, "rb");
  size_t count = file != NULL ? fread(bytes, 1, capacity, file) : 0;
  if (file != NULL) fclose(file);
  return count;
}

/* A file of this header (padded by nothing) and `count` bytes of data. */
static void write_file(const char *header, const void *data, size_t count) {
  static unsigned char bytes[70000];
  uint64_t length = strlen(header);
  memcpy(bytes, &length, 8);
  memcpy(bytes + 8, header, length);
  memcpy(bytes + 8 + length, data, count);
  write_bytes(bytes, 8 + length + count);
}

/* ---- round trip ---- */

static marea_safetensors *sample(void) {
  marea_safetensors *file = marea_safetensors_new();
  marea_tensor *w = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){2, 3});
  for (int i = 0; i < 6; i++) marea_tensor_set(w, i, i + 0.5);
  marea_tensor *turned = marea_view(w, 2, (int64_t[]){3, 2}, (int64_t[]){1, 3}, 0);
  marea_tensor *ids = marea_tensor_new(MAREA_INT32, 1, (int64_t[]){3});
  for (int i = 0; i < 3; i++) marea_tensor_set(ids, i, i * 1000000 - 7);
  marea_tensor *scalar = marea_tensor_new(MAREA_REAL, 0, NULL);
  marea_tensor_set(scalar, 0, -1.25);
  marea_tensor *empty = marea_tensor_new(MAREA_REAL, 3, (int64_t[]){4, 0, 2});
  CHECK(marea_safetensors_add(file, "z/scalar", scalar) == MAREA_OK);
  CHECK(marea_safetensors_add(file, "sílaba/ids", ids) == MAREA_OK);
  CHECK(marea_safetensors_add(file, "kernel", w) == MAREA_OK);
  CHECK(marea_safetensors_add(file, "kernel turned", turned) == MAREA_OK);
  CHECK(marea_safetensors_add(file, "empty", empty) == MAREA_OK);
  CHECK(marea_safetensors_set_text(file, "format", "old") == MAREA_OK);
  CHECK(marea_safetensors_set_text(file, "config", "{\"capas\": [\"ñ\", \"\\u0000\"]}\n") ==
        MAREA_OK);
  CHECK(marea_safetensors_set_text(file, "format", "marea") == MAREA_OK);
  marea_tensor_free(w);
  marea_tensor_free(turned);
  marea_tensor_free(ids);
  marea_tensor_free(scalar);
  marea_tensor_free(empty);
  return file;
}

static bool same_tensor(const marea_tensor *a, const marea_tensor *b) {
  if (a == NULL || b == NULL || a->dtype != b->dtype || !marea_same_shape(a, b)) return false;
  for (int64_t i = 0; i < marea_tensor_count(a); i++)
    if (marea_tensor_get(a, i) != marea_tensor_get(b, i)) return false;
  return true;
}

static void test_round_trip(void) {
  marea_safetensors *file = sample();
  CHECK(marea_safetensors_save(file, path) == MAREA_OK);
  marea_safetensors *read = marea_safetensors_load(path);
  CHECK(read != NULL && marea_safetensors_count(read) == 5);
  for (size_t i = 0; i < 5; i++)
    CHECK(same_tensor(marea_safetensors_tensor(file, i),
                      marea_safetensors_find(read, marea_safetensors_name(file, i))));
  CHECK(marea_safetensors_find(read, "Kernel") == NULL);
  CHECK(marea_safetensors_text_count(read) == 2);
  CHECK(strcmp(marea_safetensors_key(read, 0), "format") == 0);
  CHECK(strcmp(marea_safetensors_value(read, 0), "marea") == 0);
  CHECK(strcmp(marea_safetensors_text(read, "config"), marea_safetensors_text(file, "config")) ==
        0);
  CHECK(marea_safetensors_text(read, "nothing") == NULL);
  marea_safetensors_free(read);
  marea_safetensors_free(file);
  file = marea_safetensors_new(); /* nothing in it at all */
  CHECK(marea_safetensors_save(file, path) == MAREA_OK);
  read = marea_safetensors_load(path);
  CHECK(read != NULL && marea_safetensors_count(read) == 0);
  marea_safetensors_free(read);
  marea_safetensors_free(file);
}

/* The bytes themselves: order by alignment then name, padding, offsets. */
static void test_layout(void) {
  marea_safetensors *file = marea_safetensors_new();
  marea_tensor *b = marea_tensor_new(MAREA_INT32, 1, (int64_t[]){1});
  marea_tensor *a = marea_tensor_new(MAREA_INT32, 2, (int64_t[]){1, 2});
  marea_tensor_set(b, 0, 258);
  marea_safetensors_add(file, "b", b);
  marea_safetensors_add(file, "a", a);
  CHECK(marea_safetensors_save(file, path) == MAREA_OK);
  static const char header[] = "{\"a\":{\"dtype\":\"I32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                               "\"b\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[8,12]}}";
  size_t length = sizeof header - 1, padded = (length + 7) / 8 * 8;
  unsigned char bytes[400];
  CHECK(read_bytes(bytes, sizeof bytes) == 8 + padded + 12);
  CHECK(bytes[0] == padded && bytes[1] == 0);
  CHECK(memcmp(bytes + 8, header, length) == 0);
  for (size_t i = length; i < padded; i++) CHECK(bytes[8 + i] == ' ');
  CHECK(bytes[8 + padded + 8] == 2 && bytes[8 + padded + 9] == 1);
  marea_tensor_free(a);
  marea_tensor_free(b);
  marea_safetensors_free(file);
}

static void test_names(void) {
  marea_safetensors *file = marea_safetensors_new();
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 0, NULL);
  CHECK(marea_safetensors_add(file, "", x) == MAREA_ARGUMENT);
  CHECK(marea_safetensors_add(file, "__metadata__", x) == MAREA_ARGUMENT);
  CHECK(marea_safetensors_add(file, "\xff", x) == MAREA_ARGUMENT);
  CHECK(marea_safetensors_add(file, "x", x) == MAREA_OK);
  CHECK(marea_safetensors_add(file, "x", x) == MAREA_ARGUMENT);
  CHECK_ERROR("two tensors called \"x\"");
  CHECK(marea_safetensors_set_text(file, "k", "\xc3") == MAREA_ARGUMENT);
  marea_tape *tape = marea_tape_new();
  CHECK(marea_safetensors_add(file, "y", marea_result(MAREA_REAL, 0, NULL)) == MAREA_ARGUMENT);
  marea_tape_free(tape);
  marea_tensor_free(x);
  marea_safetensors_free(file);
}

/* ---- element types ---- */

static void expect_values(const char *dtype, size_t count, const void *data, size_t bytes,
                          const double *expected) {
  char header[200];
  snprintf(header, sizeof header,
           "{\"x\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}  ", dtype, count,
           bytes);
  write_file(header, data, bytes);
  marea_safetensors *file = marea_safetensors_load(path);
  if (!CHECK(file != NULL)) return;
  const marea_tensor *x = marea_safetensors_find(file, "x");
  for (size_t i = 0; i < count; i++) {
    double got = marea_tensor_get(x, (int64_t)i);
    CHECK(isnan(expected[i]) ? isnan(got) : got == expected[i]);
  }
  marea_safetensors_free(file);
}

static void test_types(void) {
  const double inf = (double)INFINITY, nan = (double)NAN;
  static const uint16_t half[] = {0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001,
                                  0x83ff, 0x0400, 0x7c00, 0xfc00, 0x7e00, 0x3555};
  expect_values("F16", 12, half, sizeof half,
                (double[]){0, -0.0, 1, -2, 65504, 0x1p-24, -1023 * 0x1p-24, 0x1p-14, inf, -inf, nan,
                           0.333251953125});
  static const uint16_t brain[] = {0x3f80, 0xc000, 0x7f80, 0x7fc0, 0x0001};
  expect_values("BF16", 5, brain, sizeof brain, (double[]){1, -2, inf, nan, 0x1p-133});
  expect_values("F32", 3, (float[]){1.5f, -INFINITY, 0x1p-149f}, 12,
                (double[]){1.5, -inf, 0x1p-149});
  expect_values("F64", 3, (double[]){0.25, inf, -3}, 24, (double[]){0.25, inf, -3});
  expect_values("I64", 3, (int64_t[]){INT32_MIN, INT32_MAX, -1}, 24,
                (double[]){INT32_MIN, INT32_MAX, -1});
  expect_values("U64", 2, (uint64_t[]){0, INT32_MAX}, 16, (double[]){0, INT32_MAX});
  expect_values("I32", 2, (int32_t[]){INT32_MIN, 5}, 8, (double[]){INT32_MIN, 5});
  expect_values("U32", 2, (uint32_t[]){7, INT32_MAX}, 8, (double[]){7, INT32_MAX});
  expect_values("I16", 2, (int16_t[]){-7, INT16_MAX}, 4, (double[]){-7, INT16_MAX});
  expect_values("U16", 2, (uint16_t[]){7, UINT16_MAX}, 4, (double[]){7, UINT16_MAX});
  expect_values("I8", 2, (int8_t[]){-128, 127}, 2, (double[]){-128, 127});
  expect_values("U8", 3, (uint8_t[]){0, 128, 255}, 3, (double[]){0, 128, 255});
  expect_values("BOOL", 2, (uint8_t[]){0, 1}, 2, (double[]){0, 1});
}

static void refuse(const char *header, const void *data, size_t bytes, const char *part) {
  write_file(header, data, bytes);
  marea_error_clear();
  bool refused = marea_safetensors_load(path) == NULL && marea_error_code() == MAREA_FORMAT &&
                 strstr(marea_error_text(), part) != NULL &&
                 strstr(marea_error_text(), path) != NULL;
  if (!CHECK(refused)) fprintf(stderr, "  header: %s, expected: %s\n", header, part);
}

static void test_out_of_range(void) {
  refuse("{\"ids\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]}}",
         (int64_t[]){1, (int64_t)1 << 31}, 16,
         "tensor \"ids\": element 2 (I64, counted from 1) does not fit into int32");
  refuse("{\"ids\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
         (uint32_t[]){UINT32_MAX}, 4, "element 1 (U32");
  refuse("{\"ids\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
         (uint64_t[]){UINT64_MAX - 3}, 8, "element 1 (U64");
#ifndef MAREA_DOUBLE
  refuse("{\"w\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", (double[]){-1e39}, 8,
         "element 1 (F64, counted from 1) does not fit into float");
#endif
}

/* ---- hostile files ---- */

#define U8(shape, offsets)                                                                         \
  "{\"t\":{\"dtype\":\"U8\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void test_hostile_headers(void) {
  static const char data[16];
  refuse("[]", data, 0, "does not begin with");
  refuse(" {}", data, 0, "does not begin with");
  refuse("{\"a\":", data, 0, "broken at byte");
  refuse("{}x", data, 0, "broken at byte");
  refuse("{\"\xff\":1}", data, 0, "broken at byte");
  refuse("{\"a\\u0000b\":1}", data, 0, "broken at byte");
  refuse("{}", data, 1, "has 1 bytes of data, its tensors cover 0");
  refuse("{\"t\":3}", data, 0, "tensor \"t\": its description is not an object");
  refuse("{\"t\":{}}", data, 0, "dtype is not a text");
  refuse("{\"t\":{\"dtype\":8}}", data, 0, "dtype is not a text");
  refuse("{\"t\":{\"dtype\":\"F8_E4M3\"}}", data, 0, "dtype is \"F8_E4M3\", expected F64");
  refuse("{\"t\":{\"dtype\":\"U8\"}}", data, 0, "shape is not a list");
  refuse(U8("[1.0]", "[0,1]"), data, 1, "shape holds something else");
  refuse(U8("[-1]", "[0,1]"), data, 1, "shape holds something else");
  refuse(U8("[18446744073709551617]", "[0,1]"), data, 1, "too big integer");
  refuse(U8("[4611686018427387904,4]", "[0,0]"), data, 0, "more elements than any file");
  refuse(U8("[0,4611686018427387904,4]", "[0,0]"), data, 0, "more elements than any file");
  refuse(U8("[1,1,1,1,1,1,1]", "[0,1]"), data, 1, "it has 7 axes, a tensor can have 6");
  refuse(U8("[1]", "[0]"), data, 1, "data_offsets are not two");
  refuse(U8("[1]", "[0,1,2]"), data, 1, "data_offsets are not two");
  refuse(U8("[1]", "[0,\"1\"]"), data, 1, "data_offsets are not two");
  refuse(U8("[1]", "{\"0\":0,\"1\":1}"), data, 1, "data_offsets are not two");
  refuse(U8("[1]", "[1,0]"), data, 1, "data_offsets are [1, 0]");
  refuse(U8("[1]", "[0,2]"), data, 1, "the file has 1 bytes of data");
  refuse(U8("[1]", "[9223372036854775806,9223372036854775807]"), data, 1, "the file has 1 bytes");
  refuse(U8("[2]", "[0,1]"), data, 1, "U8 (2) does not fit the 1 bytes");
  refuse(U8("[1]", "[1,2]"), data, 2, "its data begin at 1, expected 0 (there is a gap)");
  refuse(U8("[1]", "[0,1]"), data, 2, "has 2 bytes of data, its tensors cover 1");
  refuse("{\"t\":{\"dtype\":\"F32\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", data,
         0, "more elements than any file");
  refuse("{\"t\":{\"dtype\":\"F64\",\"shape\":[1152921504606846975],\"data_offsets\":[0,8]}}", data,
         8, "does not fit the 8 bytes");
}

static void test_hostile_tables(void) {
  static const char data[16];
  refuse("{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
         data, 1, "duplicate object key");
  refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
         data, 6, "tensor \"b\": its data begin at 2, expected 4 (tensors overlap)");
  refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
         data, 4, "tensors overlap");
  refuse("{\"__metadata__\":[]}", data, 0, "__metadata__ is not an object");
  refuse("{\"__metadata__\":{\"a\":1}}", data, 0, "metadata \"a\": expected a text");
  refuse("{\"__metadata__\":{\"a\":null}}", data, 0, "metadata \"a\"");
  refuse("{\"__metadata__\":{\"a\":\"x\",\"a\":\"y\"}}", data, 0, "duplicate object key");
  static char deep[60000];
  memset(deep, '[', sizeof deep - 1);
  memcpy(deep, "{\"a\":", 5);
  refuse(deep, data, 0, "depth");
}

static void test_hostile_lengths(void) {
  static const uint64_t lengths[] = {0, 1, 3, 100000001, UINT64_MAX, UINT64_MAX - 7, 1u << 31};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    unsigned char bytes[10] = "01234567{}";
    memcpy(bytes, &lengths[i], 8);
    write_bytes(bytes, sizeof bytes);
    CHECK(marea_safetensors_load(path) == NULL && marea_error_code() == MAREA_FORMAT);
    CHECK_ERROR("its header claims");
  }
  for (size_t size = 0; size < 8; size++) {
    write_bytes("\2\0\0\0\0\0\0\0", size);
    CHECK(marea_safetensors_load(path) == NULL && marea_error_code() == MAREA_FORMAT);
  }
  CHECK(marea_safetensors_load("/nowhere/model.safetensors") == NULL);
  CHECK(marea_error_code() == MAREA_IO);
  CHECK(marea_safetensors_load("/tmp") == NULL && marea_error_code() == MAREA_IO);
}

/* A good file cut at every place, and with every byte changed in several ways, is either refused
 * as malformed or gives tensors of sane shapes. */
static void test_mutations(void) {
  static const unsigned char flips[] = {0x01, 0x02, 0x08, 0x10, 0x40, 0x80, 0xff};
  unsigned char bytes[2000], changed[2000];
  marea_safetensors *file = sample();
  marea_safetensors_save(file, path);
  marea_safetensors_free(file);
  size_t count = read_bytes(bytes, sizeof bytes);
  CHECK(count > 300 && count < sizeof bytes);
  for (size_t length = 0; length < count; length++) {
    write_bytes(bytes, length);
    CHECK(marea_safetensors_load(path) == NULL && marea_error_code() == MAREA_FORMAT);
  }
  for (size_t i = 0; i < count * sizeof flips; i++) {
    memcpy(changed, bytes, count);
    changed[i / sizeof flips] ^= flips[i % sizeof flips];
    write_bytes(changed, count);
    file = marea_safetensors_load(path);
    bool malformed = marea_error_code() == MAREA_FORMAT;
    if (file == NULL && !malformed) CHECK(malformed);
    marea_safetensors_free(file);
  }
}

/* ---- failures ---- */

static int files_in_folder(void) {
  int count = 0;
  DIR *dir = opendir(folder);
  while (readdir(dir) != NULL) count++;
  closedir(dir);
  return count - 2;
}

/* Writing stops in the middle: the old file stays, no temporary one is left. */
static void test_full_disk(void) {
  marea_safetensors *file = sample();
  CHECK(marea_safetensors_save(file, path) == MAREA_OK);
  marea_tensor *large = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){100000});
  marea_safetensors *larger = marea_safetensors_new();
  marea_safetensors_add(larger, "large", large);
  struct rlimit before, small;
  getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  small.rlim_cur = 4096;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  marea_status status = marea_safetensors_save(larger, path);
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(status == MAREA_IO);
  CHECK_ERROR("cannot write");
  CHECK(files_in_folder() == 1);
  marea_safetensors *read = marea_safetensors_load(path);
  CHECK(read != NULL && marea_safetensors_find(read, "kernel") != NULL);
  CHECK(marea_safetensors_save(larger, "/nowhere/model.safetensors") == MAREA_IO);
  marea_safetensors_free(read);
  marea_safetensors_free(larger);
  marea_safetensors_free(file);
  marea_tensor_free(large);
}

static void test_allocation_failures(void) {
  marea_safetensors *file = sample();
  size_t used = marea_memory_used();
  bool saved = false, loaded = false;
  for (size_t n = 1; n < 200 && !saved; n++) {
    marea_memory_fail_at(n);
    marea_status status = marea_safetensors_save(file, path);
    saved = status == MAREA_OK;
    CHECK(saved || status == MAREA_NOMEM);
    CHECK(marea_memory_used() == used && files_in_folder() == 1);
  }
  for (size_t n = 1; n < 200 && !loaded; n++) {
    marea_memory_fail_at(n);
    marea_safetensors *read = marea_safetensors_load(path);
    loaded = read != NULL;
    CHECK(loaded || marea_error_code() == MAREA_NOMEM);
    marea_safetensors_free(read);
    CHECK(marea_memory_used() == used);
  }
  marea_memory_fail_at(0);
  CHECK(saved && loaded);
  marea_safetensors_free(file);
}

int main(int argument_count, char **arguments) {
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  if (argument_count > 1) { /* leaves a sample for another reader */
    marea_safetensors *file = sample();
    CHECK(marea_safetensors_save(file, arguments[1]) == MAREA_OK);
    marea_safetensors_free(file);
  }
  test_round_trip();
  test_layout();
  test_names();
  test_types();
  test_out_of_range();
  test_hostile_headers();
  test_hostile_tables();
  test_hostile_lengths();
  test_mutations();
  test_full_disk();
  test_allocation_failures();
  unlink(path);
  CHECK(rmdir(folder) == 0);
  return test_end();
}

#define _GNU_SOURCE /* mkdtemp */
/* npz: round trips, headers that lie, deflated entries, damaged archives, short memory. */
#include "test.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/zip.h"
#include "train/npz.h"

static char folder[] = "/tmp/marea_npz_XXXXXX";
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

/* ---- arrays ---- */

static marea_safetensors *sample(void) {
  marea_safetensors *file = marea_safetensors_new();
  marea_tensor *w = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){2, 3});
  for (int i = 0; i < 6; i++) marea_tensor_set(w, i, i + 0.5);
  marea_tensor *ids = marea_tensor_new(MAREA_INT32, 1, (int64_t[]){3});
  for (int i = 0; i < 3; i++) marea_tensor_set(ids, i, i * 1000000 - 7);
  marea_tensor *scalar = marea_tensor_new(MAREA_REAL, 0, NULL);
  CHECK(marea_safetensors_add(file, "w", w) == MAREA_OK);
  CHECK(marea_safetensors_add(file, "sílaba/ids", ids) == MAREA_OK);
  CHECK(marea_safetensors_add(file, "scalar", scalar) == MAREA_OK);
  marea_tensor_free(w);
  marea_tensor_free(ids);
  marea_tensor_free(scalar);
  return file;
}

static void test_round_trip(void) {
  marea_safetensors *file = sample();
  CHECK(marea_npz_save(file, path) == MAREA_OK);
  marea_safetensors *read = marea_npz_load(path);
  CHECK(read != NULL && marea_safetensors_count(read) == 3);
  const marea_tensor *w = marea_safetensors_find(read, "w");
  CHECK(w != NULL && w->rank == 2 && w->size[0] == 2 && w->size[1] == 3);
  CHECK(w != NULL && marea_tensor_get(w, 5) == 5.5);
  const marea_tensor *ids = marea_safetensors_find(read, "sílaba/ids");
  CHECK(ids != NULL && ids->dtype == MAREA_INT32 && marea_tensor_get(ids, 2) == 1999993);
  const marea_tensor *scalar = marea_safetensors_find(read, "scalar");
  CHECK(scalar != NULL && scalar->rank == 0);
  marea_safetensors_free(read);
  marea_safetensors_free(file);
}

/* An archive with one array of this header (version 1). */
static void write_array(const char *header, const void *data, size_t bytes) {
  unsigned char head[512] = "\x93NUMPY\x01";
  size_t length = strlen(header);
  head[8] = (unsigned char)(length & 255);
  head[9] = (unsigned char)(length >> 8);
  memcpy(head + 10, header, length);
  marea_zip_writer *zip = marea_zip_writer_new(path);
  CHECK(zip != NULL);
  CHECK(marea_zip_add(zip, "a.npy", head, 10 + length, data, bytes) == MAREA_OK);
  CHECK(marea_zip_commit(zip) == MAREA_OK);
}

static void refuse_file(const char *part) {
  marea_safetensors *file = marea_npz_load(path);
  CHECK(file == NULL && marea_error_code() == MAREA_FORMAT);
  if (strstr(marea_error_text(), part) == NULL)
    printf("expected \"%s\" in: %s\n", part, marea_error_text());
  CHECK(strstr(marea_error_text(), part) != NULL);
  marea_safetensors_free(file);
}

static void refuse(const char *header, const char *part) {
  write_array(header, "\0\0\0\0", 4);
  refuse_file(part);
}

static void test_fortran(void) {
  int64_t numbers[6] = {1, 4, 2, 5, 3, 6};
  write_array("{\"shape\": (2, 3), 'fortran_order': True, 'descr': '<i8'}", numbers,
              sizeof numbers);
  marea_safetensors *file = marea_npz_load(path);
  const marea_tensor *x = file != NULL ? marea_safetensors_find(file, "a") : NULL;
  CHECK(x != NULL && x->size[0] == 2 && x->size[1] == 3);
  for (int i = 0; i < 6 && x != NULL; i++) CHECK(marea_tensor_get(x, i) == i + 1);
  marea_safetensors_free(file);
}

static void test_headers(void) {
#define ORDER "'fortran_order': False, "
  refuse("", "its header is not a dict");
  refuse("{'descr' '<f4'}", "its header is not a dict");
  refuse("{'descr': '<f4' 'shape': ()}", "its header is not a dict");
  refuse("{'descr': '<f4', " ORDER "}", "its header lacks descr, fortran_order or shape");
  refuse("{'descr': '<f4', 'descr': '<f4'}", "a key twice");
  refuse("{'pickle': 1}", "one that is not descr");
  refuse("{'descr': [('x', '<f4')]}", "descr is not the name of a number's type");
  refuse("{'descr': '<f16'}", "its type is \"<f16\"");
  refuse("{'descr': '=f4'}", "its type is \"=f4\"");
  refuse("{'descr': '>f4'}", "big-endian");
  refuse("{'descr': 'a\\x41'}", "descr is not the name");
  refuse("{'fortran_order': 0}", "fortran_order is not True or False");
  refuse("{'shape': 3}", "shape is not a tuple");
  refuse("{'shape': (3 3)}", "shape is not a tuple");
  refuse("{'shape': (-3,)}", "something else than whole numbers");
  refuse("{'shape': (99999999999999999999,)}", "something else than whole numbers");
  refuse("{'shape': (1,1,1,1,1,1,1)}", "more axes than the 6");
  refuse("{'shape': (4294967296, 4294967296)}", "more elements than any file");
  refuse("{'descr': '<f4', " ORDER "'shape': (2,)}", "it has 4 bytes of elements");
  refuse("{'descr': '<f4', " ORDER "'shape': (1,)} x", "something follows");
#undef ORDER
  float wide[1] = {0};
  int64_t large[2] = {1, INT64_MAX};
  write_array("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", large, sizeof large);
  refuse_file("element 2 (I64, counted from 1) does not fit into int32");
  write_array("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", wide, sizeof wide);
  marea_safetensors *file = marea_npz_load(path);
  CHECK(file != NULL);
  marea_safetensors_free(file);
}

/* ---- archives ---- */

/* Turns the single, stored entry into a deflated one of a single stored block. */
static size_t deflate_by_hand(unsigned char *bytes, size_t count) {
  unsigned char *line = NULL;
  for (size_t i = 0; i + 4 < count; i++)
    if (memcmp(bytes + i, "PK\1\2", 4) == 0) line = bytes + i;
  CHECK(line != NULL);
  size_t name = 5, start = 30 + name, tail = count - (size_t)(line - bytes);
  size_t body = (size_t)(line - bytes) - start;
  memmove(line + 5, line, tail);
  memmove(bytes + start + 5, bytes + start, body);
  unsigned char block[5] = {1, (unsigned char)body, (unsigned char)(body >> 8),
                            (unsigned char)~body, (unsigned char)(~body >> 8)};
  memcpy(bytes + start, block, 5);
  line[5 + 10] = 8;
  line[5 + 20] = (unsigned char)(body + 5);
  line[5 + 21] = (unsigned char)((body + 5) >> 8);
  unsigned char *end = line + 5 + tail - 22;
  size_t offset = (size_t)(line + 5 - bytes);
  end[16] = (unsigned char)offset;
  end[17] = (unsigned char)(offset >> 8);
  return count + 5;
}

static size_t deflated_file(unsigned char *bytes, size_t capacity) {
  float numbers[2] = {1.5f, -2};
  write_array("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", numbers, sizeof numbers);
  size_t count = deflate_by_hand(bytes, read_bytes(bytes, capacity - 5));
  write_bytes(bytes, count);
  return count;
}

static void test_deflated(void) {
  unsigned char bytes[1024];
  size_t count = deflated_file(bytes, sizeof bytes);
  marea_safetensors *file = marea_npz_load(path);
  const marea_tensor *x = file != NULL ? marea_safetensors_find(file, "a") : NULL;
  CHECK(x != NULL && marea_tensor_get(x, 0) == 1.5 && marea_tensor_get(x, 1) == -2);
  marea_safetensors_free(file);
  bytes[35] = 3; /* the block's kind */
  write_bytes(bytes, count);
  refuse_file("its packed bytes are damaged");
}

/* Whatever byte is changed or missing: a file or a message, and nothing left behind. */
static void test_mutations(void) {
  unsigned char bytes[1024];
  size_t count = deflated_file(bytes, sizeof bytes), used = marea_memory_used();
  for (size_t at = 0; at < count; at++) {
    for (unsigned change = 1; change < 256; change *= 2) {
      bytes[at] ^= (unsigned char)change;
      write_bytes(bytes, count);
      marea_safetensors *file = marea_npz_load(path);
      CHECK(file != NULL || marea_error_code() == MAREA_FORMAT);
      marea_safetensors_free(file);
      bytes[at] ^= (unsigned char)change;
    }
    write_bytes(bytes, at);
    CHECK(marea_npz_load(path) == NULL);
    CHECK(marea_memory_used() == used);
  }
}

static void test_short_memory(void) {
  unsigned char bytes[1024];
  marea_safetensors *file = sample();
  size_t used = marea_memory_used();
  bool saved = false, loaded = false;
  for (size_t n = 1; n < 200 && !saved; n++) {
    marea_memory_fail_at(n);
    saved = marea_npz_save(file, path) == MAREA_OK;
    CHECK(saved || marea_error_code() == MAREA_NOMEM);
    CHECK(marea_memory_used() == used);
  }
  marea_memory_fail_at(0);
  deflated_file(bytes, sizeof bytes);
  for (size_t n = 1; n < 200 && !loaded; n++) {
    marea_memory_fail_at(n);
    marea_safetensors *read = marea_npz_load(path);
    loaded = read != NULL;
    CHECK(loaded || marea_error_code() == MAREA_NOMEM);
    marea_safetensors_free(read);
    CHECK(marea_memory_used() == used);
  }
  marea_memory_fail_at(0);
  CHECK(saved && loaded);
  marea_safetensors_free(file);
}

int main(void) {
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/weights.npz", folder);
  test_round_trip();
  test_fortran();
  test_headers();
  test_deflated();
  test_mutations();
  test_short_memory();
  CHECK(unlink(path) == 0 && rmdir(folder) == 0);
  return test_end();
}

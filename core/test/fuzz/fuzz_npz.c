/* npz files: whatever loads can be saved, and loads again with the same content. With an even first
 * byte the input is the archive; with an odd one it is one array, which is wrapped in an archive so
 * that lengths and sums are right. */
#include <string.h>
#include <unistd.h>

#include "base/zip.h"
#include "fuzz.h"
#include "train/npz.h"

static const char *spare_path(void) {
  static char path[64];
  if (path[0] == '\0') snprintf(path, sizeof path, "/tmp/marea-fuzz-npz-%ld", (long)getpid());
  return path;
}

static const char *file_of(fuzz_input in, unsigned how) {
  if (how % 2 == 0) return fuzz_file(0, in.data, in.size);
  marea_zip_writer *zip = marea_zip_writer_new(spare_path());
  REQUIRE(zip != NULL);
  REQUIRE(marea_zip_add(zip, "a.npy", in.data, in.size, NULL, 0) == MAREA_OK);
  REQUIRE(marea_zip_commit(zip) == MAREA_OK);
  return spare_path();
}

static void require_same(const marea_safetensors *a, const marea_safetensors *b) {
  REQUIRE(marea_safetensors_count(a) == marea_safetensors_count(b));
  for (size_t i = 0; i < marea_safetensors_count(a); i++) {
    const marea_tensor *x = marea_safetensors_tensor(a, i);
    const marea_tensor *y = marea_safetensors_find(b, marea_safetensors_name(a, i));
    REQUIRE(y != NULL && x->dtype == y->dtype && marea_same_shape(x, y));
    size_t bytes = (size_t)marea_tensor_count(x) * marea_dtype_bytes(x->dtype);
    REQUIRE(bytes == 0 || memcmp(x->data, y->data, bytes) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  unsigned how = fuzz_byte(&in);
  marea_safetensors *file = marea_npz_load(file_of(in, how));
  REQUIRE(file != NULL || marea_error_text()[0] != '\0');
  if (file != NULL && how & 2) { /* seldom: this one syncs a real file */
    REQUIRE(marea_npz_save(file, spare_path()) == MAREA_OK);
    marea_safetensors *again = marea_npz_load(spare_path());
    REQUIRE(again != NULL);
    require_same(file, again);
    marea_safetensors_free(again);
  }
  marea_safetensors_free(file);
  unlink(spare_path());
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

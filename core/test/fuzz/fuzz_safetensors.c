/* safetensors files: whatever loads can be saved, and loads again with the same content. With an
 * even first byte the input is the file; with an odd one it is the header, a NUL, and the data, so
 * that the length in front is right. */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "train/safetensors.h"

enum { LONGEST = 1 << 16 };

static const char *file_of(fuzz_input in, unsigned how) {
  static uint8_t bytes[LONGEST + 16];
  if (how % 2 == 0 || in.size > LONGEST) return fuzz_file(0, in.data, in.size);
  const uint8_t *nul = in.size > 0 ? memchr(in.data, 0, in.size) : NULL;
  uint64_t header = nul != NULL ? (uint64_t)(nul - in.data) : in.size;
  size_t behind = nul != NULL ? in.size - header - 1 : 0;
  memcpy(bytes, &header, 8);
  if (in.size > 0) memcpy(bytes + 8, in.data, header);
  if (behind > 0) memcpy(bytes + 8 + header, nul + 1, behind);
  return fuzz_file(0, bytes, 8 + header + behind);
}

static void require_same(const marea_safetensors *a, const marea_safetensors *b) {
  REQUIRE(marea_safetensors_count(a) == marea_safetensors_count(b));
  REQUIRE(marea_safetensors_text_count(a) == marea_safetensors_text_count(b));
  for (size_t i = 0; i < marea_safetensors_text_count(a); i++) {
    const char *text = marea_safetensors_text(b, marea_safetensors_key(a, i));
    REQUIRE(text != NULL && strcmp(text, marea_safetensors_value(a, i)) == 0);
  }
  for (size_t i = 0; i < marea_safetensors_count(a); i++) {
    const marea_tensor *x = marea_safetensors_tensor(a, i);
    const marea_tensor *y = marea_safetensors_find(b, marea_safetensors_name(a, i));
    REQUIRE(y != NULL && x->dtype == y->dtype && x->rank == y->rank);
    for (int axis = 0; axis < x->rank; axis++) REQUIRE(x->size[axis] == y->size[axis]);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char path[64];
  fuzz_input in = {data, size};
  unsigned how = fuzz_byte(&in);
  marea_safetensors *file = marea_safetensors_load(file_of(in, how));
  REQUIRE(file != NULL || marea_error_text()[0] != '\0');
  if (file != NULL && how & 2) { /* seldom: this one syncs a real file */
    if (path[0] == '\0') snprintf(path, sizeof path, "/tmp/marea-fuzz-%ld", (long)getpid());
    REQUIRE(marea_safetensors_save(file, path) == MAREA_OK);
    marea_safetensors *again = marea_safetensors_load(path);
    unlink(path);
    REQUIRE(again != NULL);
    require_same(file, again);
    marea_safetensors_free(again);
  }
  marea_safetensors_free(file);
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

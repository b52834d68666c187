/* IDX files: the header, the elements, the end. */
#include "base/idx.h"
#include "fuzz.h"

enum { PIECE = 1000 };

/* Elements announced; at most `most`, as packed files may hold many. */
static size_t announced(const marea_idx *idx, size_t most) {
  size_t count = 1;
  for (int i = 0; i < marea_idx_rank(idx); i++) {
    size_t along = (size_t)marea_idx_sizes(idx)[i];
    if (along == 0) return 0;
    count = count > most / along ? most : count * along;
  }
  return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  double numbers[PIECE];
  marea_idx *idx = marea_idx_new(fuzz_file(0, data, size));
  marea_status status = idx == NULL ? marea_error_code() : MAREA_OK;
  REQUIRE(idx == NULL || (marea_idx_rank(idx) >= 1 && marea_idx_rank(idx) <= MAREA_IDX_RANK));
  size_t most = (size_t)1 << 22, count = idx == NULL ? 0 : announced(idx, most), left = count;
  while (left > 0 && status == MAREA_OK) {
    size_t piece = left < PIECE ? left : PIECE;
    status = marea_idx_read(idx, numbers, piece);
    left -= piece;
  }
  if (status == MAREA_OK && count < most) status = marea_idx_check_end(idx);
  REQUIRE(status == MAREA_OK || marea_error_text()[0] != '\0');
  marea_idx_free(idx);
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

/* The reader of idx.h. */
#include "base/idx.h"

#include <string.h>

#include "base/memory.h"

enum { PIECE = 1 << 12, DEFLATE_RATIO = 1100 }; /* deflate packs at most 1032 to 1 */

struct marea_idx {
  marea_source *source;
  marea_idx_type type;
  int rank;
  int64_t sizes[MAREA_IDX_RANK];
};

static marea_status read_bytes(marea_idx *idx, unsigned char *to, size_t count) {
  while (count > 0) {
    size_t got;
    marea_status status = marea_source_read(idx->source, to, count, &got);
    if (status != MAREA_OK) return status;
    if (got == 0)
      return marea_fail(MAREA_FORMAT, "\"%s\" is cut short: more elements are announced",
                        marea_source_path(idx->source));
    to += got;
    count -= got;
  }
  return MAREA_OK;
}

static size_t element_bytes(marea_idx_type type) {
  switch (type) {
  case MAREA_IDX_UINT8:
  case MAREA_IDX_INT8: return 1;
  case MAREA_IDX_INT16: return 2;
  case MAREA_IDX_INT32:
  case MAREA_IDX_FLOAT: return 4;
  case MAREA_IDX_DOUBLE: return 8;
  }
  return 0;
}

/* Nobody should reserve memory for more than the file can hold. */
static marea_status check_size(const marea_idx *idx) {
  uint64_t size = marea_source_size(idx->source), bytes = element_bytes(idx->type);
  uint64_t most = marea_source_packed(idx->source) ? DEFLATE_RATIO * size : size;
  for (int i = 0; i < idx->rank; i++) {
    uint64_t along = (uint64_t)idx->sizes[i];
    if (along == 0) return MAREA_OK;
    if (bytes > most / along)
      return marea_fail(MAREA_FORMAT, "\"%s\": its header announces more than the file can hold",
                        marea_source_path(idx->source));
    bytes *= along;
  }
  return MAREA_OK;
}

static marea_status read_header(marea_idx *idx) {
  unsigned char bytes[4];
  marea_status status = read_bytes(idx, bytes, 4);
  if (status != MAREA_OK) return status;
  idx->type = (marea_idx_type)bytes[2];
  idx->rank = bytes[3];
  if (bytes[0] != 0 || bytes[1] != 0 || element_bytes(idx->type) == 0)
    return marea_fail(MAREA_FORMAT, "\"%s\" is no IDX file", marea_source_path(idx->source));
  if (idx->rank < 1 || idx->rank > MAREA_IDX_RANK)
    return marea_fail(MAREA_FORMAT, "\"%s\" has %d axes, expected 1 to %d",
                      marea_source_path(idx->source), idx->rank, MAREA_IDX_RANK);
  for (int i = 0; i < idx->rank; i++) {
    status = read_bytes(idx, bytes, 4);
    if (status != MAREA_OK) return status;
    idx->sizes[i] = (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
  }
  return check_size(idx);
}

marea_idx *marea_idx_new(const char *path) {
  marea_idx *idx = marea_alloc_zero(1, sizeof *idx);
  if (idx == NULL) return NULL;
  idx->source = marea_source_new(path);
  if (idx->source != NULL && read_header(idx) == MAREA_OK) return idx;
  marea_idx_free(idx);
  return NULL;
}

marea_idx_type marea_idx_element(const marea_idx *idx) {
  return idx->type;
}

int marea_idx_rank(const marea_idx *idx) {
  return idx->rank;
}

const int64_t *marea_idx_sizes(const marea_idx *idx) {
  return idx->sizes;
}

static double decode(marea_idx_type type, const unsigned char *bytes) {
  uint64_t bits = 0;
  size_t count = element_bytes(type);
  for (size_t i = 0; i < count; i++) bits = bits << 8 | bytes[i];
  uint32_t half = (uint32_t)bits;
  float single;
  double number;
  switch (type) {
  case MAREA_IDX_INT8: return bits < 0x80 ? (double)bits : (double)bits - 0x100;
  case MAREA_IDX_INT16: return bits < 0x8000 ? (double)bits : (double)bits - 0x10000;
  case MAREA_IDX_INT32: return half < 0x80000000 ? (double)half : (double)half - 0x100000000;
  case MAREA_IDX_FLOAT: memcpy(&single, &half, sizeof single); return (double)single;
  case MAREA_IDX_DOUBLE: memcpy(&number, &bits, sizeof number); return number;
  case MAREA_IDX_UINT8: break;
  }
  return (double)bits;
}

marea_status marea_idx_read(marea_idx *idx, double *to, size_t count) {
  unsigned char bytes[PIECE];
  size_t width = element_bytes(idx->type);
  while (count > 0) {
    size_t piece = count < PIECE / width ? count : PIECE / width;
    marea_status status = read_bytes(idx, bytes, piece * width);
    if (status != MAREA_OK) return status;
    for (size_t i = 0; i < piece; i++) *to++ = decode(idx->type, bytes + i * width);
    count -= piece;
  }
  return MAREA_OK;
}

marea_status marea_idx_check_end(marea_idx *idx) {
  size_t got;
  char byte;
  marea_status status = marea_source_read(idx->source, &byte, 1, &got);
  if (status != MAREA_OK || got == 0) return status;
  return marea_fail(MAREA_FORMAT, "\"%s\": something follows the last element",
                    marea_source_path(idx->source));
}

void marea_idx_free(marea_idx *idx) {
  if (idx == NULL) return;
  marea_source_free(idx->source);
  marea_free(idx);
}

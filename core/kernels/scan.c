#include "kernels/scan.h"

#include "kernels/simd/scan_loops.h"

void marea_scan_set(const marea_byte_set *set, const char *bytes, size_t length, uint64_t *masks) {
  MAREA_PICK(marea_scans)->set(set, bytes, (length + 63) / 64, masks);
}

void marea_scan_high(const char *bytes, size_t length, uint64_t *masks) {
  MAREA_PICK(marea_scans)->high(bytes, (length + 63) / 64, masks);
}

void marea_scan_lower(char *to, const char *from, size_t length) {
  MAREA_PICK(marea_scans)->lower(to, from, length);
}

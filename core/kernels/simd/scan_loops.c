/* Sets of bytes by two table look-ups a vector: the low half of a byte chooses eight bits, the high
 * half one of them. */
#include "kernels/simd/scan_loops.h"

#include "kernels/simd/vector.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512BW__)

static uint64_t block_mask(const marea_byte_set *set, const char *bytes) {
  const __m512i low = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)set->low));
  const __m512i bits = _mm512_broadcast_i32x4(
      _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512i x = _mm512_loadu_si512(bytes);
  __m512i high = _mm512_and_si512(_mm512_srli_epi16(x, 4), nibble);
  __m512i chosen = _mm512_shuffle_epi8(low, _mm512_and_si512(x, nibble));
  return _mm512_test_epi8_mask(chosen, _mm512_shuffle_epi8(bits, high));
}

static uint64_t high_mask(const char *bytes) {
  return _mm512_movepi8_mask(_mm512_loadu_si512(bytes));
}

#elif defined(__AVX2__)

static uint32_t half_mask(const marea_byte_set *set, const char *bytes) {
  const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)set->low));
  const __m256i bits = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i x = _mm256_loadu_si256((const __m256i *)bytes);
  __m256i high = _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble);
  __m256i chosen = _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(x, nibble)),
                                    _mm256_shuffle_epi8(bits, high));
  return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(chosen, _mm256_setzero_si256()));
}

static uint64_t block_mask(const marea_byte_set *set, const char *bytes) {
  return half_mask(set, bytes) | (uint64_t)half_mask(set, bytes + 32) << 32;
}

static uint64_t high_mask(const char *bytes) {
  uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *)bytes));
  uint32_t last = (uint32_t)_mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *)(bytes + 32)));
  return first | (uint64_t)last << 32;
}

#else

static uint64_t block_mask(const marea_byte_set *set, const char *bytes) {
  uint64_t mask = 0;
  for (int i = 0; i < 64; i++) {
    unsigned char c = (unsigned char)bytes[i];
    mask |= (uint64_t)(c < 0x80 && (set->low[c & 15] >> (c >> 4) & 1) != 0) << i;
  }
  return mask;
}

static uint64_t high_mask(const char *bytes) {
  uint64_t mask = 0;
  for (int i = 0; i < 64; i++) mask |= (uint64_t)((unsigned char)bytes[i] >> 7) << i;
  return mask;
}

#endif

static void scan_set(const marea_byte_set *set, const char *bytes, size_t blocks, uint64_t *masks) {
  for (size_t i = 0; i < blocks; i++) masks[i] = block_mask(set, bytes + 64 * i);
}

static void scan_high(const char *bytes, size_t blocks, uint64_t *masks) {
  for (size_t i = 0; i < blocks; i++) masks[i] = high_mask(bytes + 64 * i);
}

static void scan_lower(char *to, const char *from, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)from[i];
    to[i] = (char)(c | ((unsigned char)(c - 'A') < 26) << 5);
  }
}

const marea_scans_table LEVEL(marea_scans) = {scan_set, scan_high, scan_lower};

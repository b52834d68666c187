#include "kernels/simd/byte_dots.h"

#include "kernels/simd/vector.h"

#if defined(__AVX2__)
#include <immintrin.h>

static int32_t dot(const int8_t *row, const int16_t *vector, size_t n) {
  __m256i sum = _mm256_setzero_si256();
  for (size_t j = 0; j < n; j += MAREA_BYTE_LANES) {
    __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + j)));
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(vector + j));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, y));
  }
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
  return _mm_cvtsi128_si32(half);
}

#else

static int32_t dot(const int8_t *row, const int16_t *vector, size_t n) {
  int32_t sum = 0;
  for (size_t j = 0; j < n; j++) sum += row[j] * vector[j];
  return sum;
}

#endif

static void dots(const int8_t *rows, size_t count, size_t stride, const int16_t *vector,
                 int32_t *out) {
  for (size_t i = 0; i < count; i++) out[i] = dot(rows + i * stride, vector, stride);
}

const marea_byte_dots_table LEVEL(marea_byte_dots) = {dots};

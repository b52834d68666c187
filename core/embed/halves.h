/* Inside embed only: IEEE float16 in whole numbers of 16 bits. */
#ifndef MAREA_EMBED_HALVES_H
#define MAREA_EMBED_HALVES_H

#include <stdint.h>
#include <string.h>

static inline float marea_bits_to_float(uint32_t bits) {
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

static inline uint32_t marea_float_to_bits(float number) {
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}

/* Exact for every finite half, subnormal ones too; infinity and NaN, which no store writes, come
 * out as large finite numbers. */
static inline float marea_half_to_float(uint16_t half) {
  uint32_t bits = (uint32_t)(half & 0x7FFF) << 13;
  float magnitude = marea_bits_to_float(bits) * 0x1p112f; /* the exponents' biases differ by 112 */
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

/* Rounded to the nearest, ties to even, for magnitudes below 65520. */
static inline uint16_t marea_float_to_half(float number) {
  uint32_t bits = marea_float_to_bits(number), sign = bits >> 16 & 0x8000;
  bits &= 0x7FFFFFFF;
  if (bits < 0x38800000) { /* subnormal: the unit of 0.5's last place is a half's smallest number */
    float shifted = marea_bits_to_float(bits) + 0.5f;
    return (uint16_t)(sign | (marea_float_to_bits(shifted) - marea_float_to_bits(0.5f)));
  }
  bits += 0xFFF + (bits >> 13 & 1);
  return (uint16_t)(sign | (bits - 0x38000000) >> 13);
}

#endif

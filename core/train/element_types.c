#include "train/element_types.h"

#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "files are little-endian, and so must be the machine");

/* ---- reals ---- */

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static float from_half(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31u;
  uint32_t fraction = half & 1023u;
  if (exponent == 31) return from_bits(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
  float small = (float)fraction * 0x1p-24f;
  return sign != 0 ? -small : small;
}

static size_t read_f16(const unsigned char *bytes, size_t count, void *to) {
  marea_real *reals = to;
  for (size_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, sizeof half);
    reals[i] = (marea_real)from_half(half);
  }
  return count;
}

/* bfloat16: the upper half of a binary32. */
static size_t read_bf16(const unsigned char *bytes, size_t count, void *to) {
  marea_real *reals = to;
  for (size_t i = 0; i < count; i++) {
    uint16_t upper;
    memcpy(&upper, bytes + 2 * i, sizeof upper);
    reals[i] = (marea_real)from_bits((uint32_t)upper << 16);
  }
  return count;
}

static size_t read_f32(const unsigned char *bytes, size_t count, void *to) {
  marea_real *reals = to;
  for (size_t i = 0; i < count; i++) {
    float value;
    memcpy(&value, bytes + sizeof value * i, sizeof value);
    reals[i] = (marea_real)value;
  }
  return count;
}

static size_t read_f64(const unsigned char *bytes, size_t count, void *to) {
  marea_real *reals = to;
  for (size_t i = 0; i < count; i++) {
    double value;
    memcpy(&value, bytes + sizeof value * i, sizeof value);
    reals[i] = (marea_real)value;
    if (isfinite(value) && !isfinite(reals[i])) return i;
  }
  return count;
}

/* ---- whole numbers ---- */

#define WHOLE_READER(function, type)                                                               \
  static size_t function(const unsigned char *bytes, size_t count, void *to) {                     \
    int32_t *ids = to;                                                                             \
    for (size_t i = 0; i < count; i++) {                                                           \
      type value;                                                                                  \
      memcpy(&value, bytes + sizeof value * i, sizeof value);                                      \
      ids[i] = (int32_t)value;                                                                     \
      if ((type)ids[i] != value || (value > 0) != (ids[i] > 0)) return i;                          \
    }                                                                                              \
    return count;                                                                                  \
  }

WHOLE_READER(read_i8, int8_t)
WHOLE_READER(read_u8, uint8_t)
WHOLE_READER(read_i16, int16_t)
WHOLE_READER(read_u16, uint16_t)
WHOLE_READER(read_i32, int32_t)
WHOLE_READER(read_u32, uint32_t)
WHOLE_READER(read_i64, int64_t)
WHOLE_READER(read_u64, uint64_t)

static const marea_element_type types[] = {
    {"F64", 8, MAREA_REAL, read_f64},  {"F32", 4, MAREA_REAL, read_f32},
    {"F16", 2, MAREA_REAL, read_f16},  {"BF16", 2, MAREA_REAL, read_bf16},
    {"I64", 8, MAREA_INT32, read_i64}, {"U64", 8, MAREA_INT32, read_u64},
    {"I32", 4, MAREA_INT32, read_i32}, {"U32", 4, MAREA_INT32, read_u32},
    {"I16", 2, MAREA_INT32, read_i16}, {"U16", 2, MAREA_INT32, read_u16},
    {"I8", 1, MAREA_INT32, read_i8},   {"U8", 1, MAREA_INT32, read_u8},
    {"BOOL", 1, MAREA_INT32, read_u8},
};

const marea_element_type *marea_element_type_find(const char *name) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(name, types[i].name) == 0) return &types[i];
  return NULL;
}

const marea_element_type *marea_element_type_of(marea_dtype dtype) {
  if (dtype == MAREA_INT32) return marea_element_type_find("I32");
  return marea_element_type_find(sizeof(marea_real) == 8 ? "F64" : "F32");
}

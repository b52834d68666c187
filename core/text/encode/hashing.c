#include "text/encode/hashing.h"

#include <string.h>

#include "text/vocabulary/vocabulary.h"

/* ---- MurmurHash3 ---- */

static uint32_t rotate(uint32_t x, int bits) {
  return x << bits | x >> (32 - bits);
}

static uint32_t scramble(uint32_t block) {
  return rotate(block * 0xCC9E2D51u, 15) * 0x1B873593u;
}

/* Little-endian on every machine, so that hashes are the same everywhere. */
static uint32_t read_block(const char *bytes, size_t count) {
  uint32_t block = 0;
  for (size_t i = 0; i < count; i++) block |= (uint32_t)(unsigned char)bytes[i] << (8 * i);
  return block;
}

uint32_t marea_murmur3(const char *bytes, size_t length, uint32_t seed) {
  uint32_t h = seed;
  size_t left = length;
  for (; left >= 4; left -= 4, bytes += 4)
    h = rotate(h ^ scramble(read_block(bytes, 4)), 13) * 5 + 0xE6546B64u;
  if (left > 0) h ^= scramble(read_block(bytes, left));
  h ^= (uint32_t)length;
  h = (h ^ h >> 16) * 0x85EBCA6Bu;
  h = (h ^ h >> 13) * 0xC2B2AE35u;
  return h ^ h >> 16;
}

/* ---- rules ---- */

/* The hash counts as a signed number. -2^31 has no positive twin: scikit-learn has a case of its
 * own for it. */
static int32_t sklearn_column(uint32_t hash, int32_t columns, bool *negative) {
  *negative = hash > INT32_MAX;
  if (hash == 0x80000000u) return (int32_t)((int64_t)INT32_MAX - (columns - 1)) % columns;
  return (int32_t)((*negative ? 0u - hash : hash) % (uint32_t)columns);
}

int32_t marea_hash_column(marea_hash_rule rule, const char *bytes, size_t length, uint64_t seed,
                          int32_t columns, bool is_signed) {
  bool negative = false;
  int32_t column;
  if (rule == MAREA_HASH_KERAS) {
    column = 1 + (int32_t)marea_md5_modulo(bytes, length, (uint64_t)columns - 1);
  } else if (rule == MAREA_HASH_SKLEARN) {
    column = sklearn_column(marea_murmur3(bytes, length, (uint32_t)seed), columns, &negative);
  } else {
    uint64_t hash = marea_hash_bytes(bytes, length, seed);
    negative = hash >> 63 != 0;
    column = (int32_t)((hash & ~((uint64_t)1 << 63)) % (uint64_t)columns);
  }
  return negative && is_signed ? ~column : column;
}

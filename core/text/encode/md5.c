/* MD5 (RFC 1321), for the one place where ids have to equal Keras's. */
#include <string.h>

#include "text/encode/hashing.h"

/* floor(2^32 |sin(i + 1)|), the RFC's table. */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
static const int turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotate(uint32_t x, int bits) {
  return x << bits | x >> (32 - bits);
}

/* The function of round i / 16 on b, c and d; *place: which word of the block it meets. */
static uint32_t round_value(int i, uint32_t b, uint32_t c, uint32_t d, int *place) {
  switch (i / 16) {
  case 0: *place = i; return (b & c) | (~b & d);
  case 1: *place = (5 * i + 1) % 16; return (d & b) | (~d & c);
  case 2: *place = (3 * i + 5) % 16; return b ^ c ^ d;
  default: *place = 7 * i % 16; return c ^ (b | ~d);
  }
}

static void take_block(uint32_t state[4], const unsigned char *block) {
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  for (int i = 0; i < 64; i++) {
    int place;
    uint32_t f = round_value(i, b, c, d, &place);
    const unsigned char *w = block + 4 * place;
    uint32_t word = w[0] | (uint32_t)w[1] << 8 | (uint32_t)w[2] << 16 | (uint32_t)w[3] << 24;
    uint32_t turned = rotate(a + f + sines[i] + word, turns[i / 16][i % 4]);
    a = d, d = c, c = b, b += turned;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

void marea_md5(const char *bytes, size_t length, uint8_t digest[16]) {
  uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  unsigned char tail[128] = {0};
  size_t whole = length / 64 * 64, rest = length - whole, tail_bytes = rest < 56 ? 64 : 128;
  for (size_t at = 0; at < whole; at += 64) take_block(state, (const unsigned char *)bytes + at);
  if (rest > 0) memcpy(tail, bytes + whole, rest);
  tail[rest] = 0x80;
  for (size_t i = 0; i < 8; i++)
    tail[tail_bytes - 8 + i] = (unsigned char)((uint64_t)length * 8 >> (8 * i));
  for (size_t at = 0; at < tail_bytes; at += 64) take_block(state, tail + at);
  for (size_t i = 0; i < 16; i++) digest[i] = (uint8_t)(state[i / 4] >> (8 * (i % 4)));
}

uint64_t marea_md5_modulo(const char *bytes, size_t length, uint64_t m) {
  uint8_t digest[16];
  uint64_t rest = 0;
  marea_md5(bytes, length, digest);
  for (size_t i = 0; i < 16; i++) rest = (rest << 8 | digest[i]) % m;
  return rest;
}

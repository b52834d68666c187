/* Bytes of a text at the speed of memory: where separators are, and ASCII in lower case. */
#ifndef MAREA_KERNELS_SCAN_H
#define MAREA_KERNELS_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that may be read behind a text that is scanned; their values do not matter. */
enum { MAREA_SLACK = 64 };

/* A set of ASCII characters: c is in it when bit c >> 4 of low[c & 15] is 1. */
typedef struct marea_byte_set {
  unsigned char low[16];
} marea_byte_set;

static inline void marea_byte_set_add(marea_byte_set *set, unsigned char c) {
  if (c < 0x80) set->low[c & 15] = (unsigned char)(set->low[c & 15] | 1u << (c >> 4));
}

static inline int marea_byte_set_has(const marea_byte_set *set, unsigned char c) {
  return c < 0x80 && (set->low[c & 15] >> (c >> 4) & 1);
}

/* masks[i], bit j: byte 64 i + j is in the set; for all blocks that `length` bytes touch. Bits
 * behind the last byte are undefined. */
void marea_scan_set(const marea_byte_set *set, const char *bytes, size_t length, uint64_t *masks);

/* masks[i], bit j: byte 64 i + j is 0x80 or more; blocks as above. */
void marea_scan_high(const char *bytes, size_t length, uint64_t *masks);

/* to[i] = from[i] with A to Z as a to z; to may be from. */
void marea_scan_lower(char *to, const char *from, size_t length);

#endif

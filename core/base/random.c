#include "base/random.h"

#include <math.h>

static const uint32_t MULTIPLIER_0 = 0xD2511F53u, MULTIPLIER_1 = 0xCD9E8D57u;
static const uint32_t WEYL_0 = 0x9E3779B9u, WEYL_1 = 0xBB67AE85u;
static const double TWO_PI = 6.283185307179586476925287;

void marea_random_block(uint64_t seed, uint64_t id, uint64_t position, uint32_t block[4]) {
  uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
  uint32_t c0 = (uint32_t)position, c1 = (uint32_t)(position >> 32);
  uint32_t c2 = (uint32_t)id, c3 = (uint32_t)(id >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t product0 = (uint64_t)MULTIPLIER_0 * c0;
    uint64_t product1 = (uint64_t)MULTIPLIER_1 * c2;
    uint32_t next0 = (uint32_t)(product1 >> 32) ^ c1 ^ key0;
    uint32_t next2 = (uint32_t)(product0 >> 32) ^ c3 ^ key1;
    c1 = (uint32_t)product1;
    c3 = (uint32_t)product0;
    c0 = next0;
    c2 = next2;
    key0 += WEYL_0;
    key1 += WEYL_1;
  }
  block[0] = c0, block[1] = c1, block[2] = c2, block[3] = c3;
}

marea_stream marea_stream_new(uint64_t seed, uint64_t id) {
  return (marea_stream){.seed = seed, .id = id, .position = 0};
}

static void next_block(marea_stream *stream, uint32_t block[4]) {
  marea_random_block(stream->seed, stream->id, stream->position++, block);
}

/* 53 bits of two words, in [0, 1). */
static double unit53(uint32_t high, uint32_t low) {
  return (double)(((uint64_t)high << 21) ^ ((uint64_t)low >> 11)) * 0x1p-53;
}

/* 24 bits of one word at a half step, in (0, 1): exact in float too, and never 0. */
static double unit24(uint32_t word) {
  return ((double)(word >> 8) + 0.5) * 0x1p-24;
}

uint64_t marea_stream_u64(marea_stream *stream) {
  uint32_t block[4];
  next_block(stream, block);
  return (uint64_t)block[0] << 32 | block[1];
}

double marea_stream_uniform(marea_stream *stream) {
  uint32_t block[4];
  next_block(stream, block);
  return unit53(block[0], block[1]);
}

static void box_muller(const uint32_t block[4], double normal[2]) {
  double radius = sqrt(-2.0 * log(1.0 - unit53(block[0], block[1])));
  double angle = TWO_PI * unit53(block[2], block[3]);
  normal[0] = radius * cos(angle);
  normal[1] = radius * sin(angle);
}

double marea_stream_normal(marea_stream *stream) {
  uint32_t block[4];
  double normal[2];
  next_block(stream, block);
  box_muller(block, normal);
  return normal[0];
}

uint64_t marea_stream_below(marea_stream *stream, uint64_t n) {
  /* Numbers under 2^64 mod n would favour small results; they are drawn again. */
  uint64_t reject_below = (0 - n) % n;
  uint64_t drawn;
  do drawn = marea_stream_u64(stream);
  while (drawn < reject_below);
  return drawn % n;
}

uint64_t marea_stream_place(marea_stream *stream, uint64_t n) {
  uint64_t u = marea_stream_u64(stream);
  uint64_t u_high = u >> 32, u_low = (uint32_t)u, n_high = n >> 32, n_low = (uint32_t)n;
  uint64_t middle = u_high * n_low + (u_low * n_low >> 32);
  uint64_t other = u_low * n_high + (uint32_t)middle;
  return u_high * n_high + (middle >> 32) + (other >> 32);
}

void marea_stream_fill_uniform(marea_stream *stream, marea_real *x, size_t n, double low,
                               double high) {
  for (size_t i = 0; i < n; i += 4) {
    uint32_t block[4];
    next_block(stream, block);
    for (size_t j = 0; j < 4 && i + j < n; j++)
      x[i + j] = (marea_real)(low + (high - low) * unit24(block[j]));
  }
}

void marea_stream_fill_normal(marea_stream *stream, marea_real *x, size_t n, double mean,
                              double deviation) {
  for (size_t i = 0; i < n; i += 2) {
    uint32_t block[4];
    double normal[2];
    next_block(stream, block);
    box_muller(block, normal);
    x[i] = (marea_real)(mean + deviation * normal[0]);
    if (i + 1 < n) x[i + 1] = (marea_real)(mean + deviation * normal[1]);
  }
}

/* The element's own block chooses a private stream, so that redrawing disturbs no neighbour. */
static double truncated_normal(uint64_t seed, uint64_t id, uint64_t position) {
  uint32_t block[4];
  double normal[2];
  marea_random_block(seed, id, position, block);
  box_muller(block, normal);
  for (uint64_t again = 0; fabs(normal[0]) > 2.0; again++) {
    uint64_t own = (uint64_t)block[0] << 32 | block[1];
    uint32_t redrawn[4];
    marea_random_block(seed ^ own, ~id, again, redrawn);
    box_muller(redrawn, normal);
  }
  return normal[0];
}

void marea_stream_fill_truncated(marea_stream *stream, marea_real *x, size_t n, double mean,
                                 double deviation) {
  for (size_t i = 0; i < n; i++) {
    double normal = truncated_normal(stream->seed, stream->id, stream->position++);
    x[i] = (marea_real)(mean + deviation * normal);
  }
}

void marea_stream_fill_dropout(marea_stream *stream, marea_real *x, size_t n, double rate) {
  marea_real kept = (marea_real)(1.0 / (1.0 - rate));
  uint64_t threshold = (uint64_t)(rate * 0x1p32);
  for (size_t i = 0; i < n; i += 4) {
    uint32_t block[4];
    next_block(stream, block);
    for (size_t j = 0; j < 4 && i + j < n; j++)
      x[i + j] = block[j] < threshold ? (marea_real)0 : kept;
  }
}

void marea_stream_permutation(marea_stream *stream, int32_t *order, size_t n) {
  for (size_t i = 0; i < n; i++) order[i] = (int32_t)i;
  for (size_t i = n; i > 1; i--) {
    size_t j = (size_t)marea_stream_below(stream, i);
    int32_t kept = order[i - 1];
    order[i - 1] = order[j];
    order[j] = kept;
  }
}

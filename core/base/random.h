/* Counter-based random numbers: Philox 4x32-10 (Salmon et al., 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). A number is a pure function of (seed, stream, position), so results depend
 * neither on the number of threads nor on the order of calls, and a stream's whole state is three
 * integers that a checkpoint can store. */
#ifndef MAREA_BASE_RANDOM_H
#define MAREA_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

typedef struct marea_stream {
  uint64_t seed;
  uint64_t id;       /* one stream a layer, a shuffle, a sampler … */
  uint64_t position; /* in blocks of four 32-bit numbers */
} marea_stream;

/* The stream at its beginning. */
marea_stream marea_stream_new(uint64_t seed, uint64_t id);

/* The four 32-bit numbers of the block at `position`. */
void marea_random_block(uint64_t seed, uint64_t id, uint64_t position, uint32_t block[4]);

/* Each of the following advances the stream by one block. */
uint64_t marea_stream_u64(marea_stream *stream);
double marea_stream_uniform(marea_stream *stream);             /* [0, 1), 53 bits */
double marea_stream_normal(marea_stream *stream);              /* mean 0, deviation 1; Box-Muller */
uint64_t marea_stream_below(marea_stream *stream, uint64_t n); /* 0 … n-1, n > 0, without bias */
/* floor(u·n / 2^64) for the next 64 bits u (Lemire 2019, "Fast random integer generation in an
 * interval", without its rejection): 0 … n-1, n > 0. A little more of n moves the result a little,
 * where `below` gives another number; each result's probability is 1/n up to 2^-64. */
uint64_t marea_stream_place(marea_stream *stream, uint64_t n);

/* Fills advance the stream by ceil(n/4) blocks (uniform), ceil(n/2) blocks (normal) or, for the
 * truncated normal, n blocks; element i depends on its own block alone. */
void marea_stream_fill_uniform(marea_stream *stream, marea_real *x, size_t n, double low,
                               double high);
void marea_stream_fill_normal(marea_stream *stream, marea_real *x, size_t n, double mean,
                              double deviation);
/* Normal, cut at two deviations by redrawing. */
void marea_stream_fill_truncated(marea_stream *stream, marea_real *x, size_t n, double mean,
                                 double deviation);
/* Inverted dropout: each element is 0 with probability `rate`, else 1/(1-rate); 0 <= rate < 1. */
void marea_stream_fill_dropout(marea_stream *stream, marea_real *x, size_t n, double rate);

/* A random order of 0 … n-1 (Fisher-Yates). */
void marea_stream_permutation(marea_stream *stream, int32_t *order, size_t n);

#endif

/* A co-occurrence matrix cut into square tiles, as GloVe trains on it: blocks of words that a cache
 * holds on one side, blocks of contexts on the other.
 *
 * Words are dealt to places at random, so that all blocks have frequent and rare words and all
 * tiles have similar numbers of pairs. Of a symmetric matrix only tiles with column block <= row
 * block are kept, which serve both ways. */
#ifndef MAREA_EMBED_PAIR_TILES_H
#define MAREA_EMBED_PAIR_TILES_H

#include "base/real.h"
#include "embed/cooccurrence.h"
#include "embed/scratch_file.h"

typedef struct marea_pair_tiles {
  size_t words, blocks, block; /* block: words of a block, at most 65536; the last may have fewer */
  bool symmetric;
  size_t tiles;            /* kept */
  uint64_t *offsets;       /* tile t has pairs offsets[t] … offsets[t + 1] - 1 */
  uint32_t *places;        /* of each pair: row in the lower, column in the upper 16 bits */
  marea_real *logs;        /* ln x */
  uint64_t pairs, updates; /* kept; in an iteration */
  int32_t *place_of;       /* of each word */
  void *bytes;             /* places and logs */
  size_t byte_count;
  bool mapped;
  marea_scratch_file file;
} marea_pair_tiles;

/* Tiles of a finished matrix. `row_bytes`: what a word's parameters take, by which the block is
 * chosen; `memory`: more than this is kept in a temporary file (0: never). The pairs of a tile are
 * shuffled by `seed`. */
marea_status marea_pair_tiles_make(marea_pair_tiles *tiles, const marea_cooccurrence *matrix,
                                   size_t row_bytes, size_t memory, uint64_t seed);
void marea_pair_tiles_free(marea_pair_tiles *tiles);

/* The tile of a row block and a column block. */
size_t marea_pair_tile(const marea_pair_tiles *tiles, size_t row_block, size_t column_block);

#endif

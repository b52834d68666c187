/* GloVe: word vectors from co-occurrences (Pennington, Socher & Manning, 2014), by AdaGrad.
 *
 *   diff = w_i · c_j + b_i + b'_j − ln X_ij,   f(x) = (x / x_max)^alpha below x_max, else 1
 *   cost = sum of f(X_ij) diff² / 2 over the entries of X
 *
 * A step takes t = eta · clip(f diff c_j) from w_i as t / sqrt(G), where G, 1 at first, grows by t²
 * afterwards; likewise for c_j. A step is at most 1e15, which keeps everything finite. As in
 * Stanford's program the biases take f diff without eta and clip; with `paper` they take eta · f
 * diff. Vectors and biases begin uniformly in ±0.5 / dimensions.
 *
 * The order of the entries: tiles (pair_tiles.h) in rounds. The tiles of a round share no rows, so
 * that any number of threads gives the same bits. */
#ifndef MAREA_EMBED_GLOVE_H
#define MAREA_EMBED_GLOVE_H

#include "base/real.h"
#include "embed/cooccurrence.h"

typedef struct marea_glove_options {
  size_t dimensions;              /* 1 … 65536 */
  double x_max, alpha, eta, clip; /* 100, 0.75, 0.05, 100 in Stanford's program */
  bool paper;
  bool lock_free; /* no rounds: threads may meet in a row; bits depend on the threads */
  uint64_t seed;
  size_t memory; /* pairs that take more bytes are kept in a temporary file; 0: never */
} marea_glove_options;

typedef struct marea_glove_progress {
  double cost;      /* summed over the entries so far */
  uint64_t pairs;   /* entries that the cost sums up */
  uint64_t skipped; /* of them: entries whose difference was not finite, left out */
} marea_glove_progress;

typedef struct marea_glove marea_glove;

/* Ready for the first iteration; the matrix, which is finished, is not needed any more. NULL:
 * MAREA_RANGE for options out of range, MAREA_NOMEM, MAREA_IO for a disk that is full. */
marea_glove *marea_glove_new(const marea_glove_options *options, const marea_cooccurrence *matrix);
void marea_glove_free(marea_glove *glove); /* NULL is allowed */

/* The rounds of an iteration (0: there are no pairs), and the entries that an iteration visits. */
size_t marea_glove_rounds(const marea_glove *glove);
uint64_t marea_glove_entries(const marea_glove *glove);

/* Goes on by at most `rounds` rounds, within the current iteration; adds to `progress`. *done tells
 * whether the iteration has ended. */
marea_status marea_glove_go_on(marea_glove *glove, size_t rounds, marea_glove_progress *progress,
                               bool *done);

/* Iterations that have ended. Setting it, after _import, resumes a training exactly. */
size_t marea_glove_iteration(const marea_glove *glove);
void marea_glove_set_iteration(marea_glove *glove, size_t iteration);

/* Gives the entries in the order in which the coming iteration visits them (those of tiles of one
 * round could come in any order), so that it can be followed by hand. */
typedef void marea_glove_visitor(void *context, int32_t word, int32_t context_word, double log_x);
marea_status marea_glove_visit(const marea_glove *glove, marea_glove_visitor *visitor,
                               void *context);

typedef enum marea_glove_part {
  MAREA_GLOVE_WORDS,
  MAREA_GLOVE_CONTEXTS,
  MAREA_GLOVE_WORD_SQUARES, /* the accumulators */
  MAREA_GLOVE_CONTEXT_SQUARES
} marea_glove_part;

/* The shape of every part: words, dimensions + 1. */
void marea_glove_shape(const marea_glove *glove, int64_t size[2]);

/* All rows of a part in the order of the ids: (words, dimensions + 1), the bias last. */
void marea_glove_export(const marea_glove *glove, marea_glove_part part, marea_real *to);
/* MAREA_NONFINITE for NaN, infinity and for accumulators that are not positive. */
marea_status marea_glove_import(marea_glove *glove, marea_glove_part part, const marea_real *from);

#endif

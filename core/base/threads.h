/* A pool of threads for loops whose pieces do not depend on each other.
 *
 * Work is cut by its size, never by the number of threads, and pieces write to places of their
 * own; so the result has the same bits for any number of threads. */
#ifndef MAREA_BASE_THREADS_H
#define MAREA_BASE_THREADS_H

#include <stddef.h>

#include "base/status.h"

/* Number of threads that loops may use: at first MAREA_THREADS from the environment, else the
 * number of cores this process may run on. Setting takes 1 … 256, else MAREA_RANGE. */
int marea_threads(void);
marea_status marea_threads_set(int count);

/* Calls body(context, piece) once for every piece in 0 … pieces-1 and returns when all are done.
 * Each thread begins with pieces of its own, then helps the others; the caller's thread takes part.
 * Inside a body, and when another thread already runs a loop, the loop runs serially. A body
 * cannot fail: it notes a failure in its context. */
typedef void marea_loop_body(void *context, size_t piece);
void marea_parallel(size_t pieces, marea_loop_body *body, void *context);

/* Number of pieces of `chunk` elements that cover n: ceil(n / chunk). */
static inline size_t marea_pieces(size_t n, size_t chunk) {
  return (n + chunk - 1) / chunk;
}

/* Called once in each new worker before its first piece (the BLAS caller limits itself to one
 * thread there). Set before the first loop; NULL for none. */
void marea_threads_on_start(void (*start)(void));

/* Ends the workers; the next loop starts them again. For tests and clean unloading. */
void marea_threads_stop(void);

#endif

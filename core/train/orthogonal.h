/* Inside train only: the orthogonal factor of a random matrix. */
#ifndef MAREA_TRAIN_ORTHOGONAL_H
#define MAREA_TRAIN_ORTHOGONAL_H

#include "base/status.h"

#include <stddef.h>

/* Replaces the `count` columns of `columns`, each of `length` >= count numbers and one after the
 * other, by the Q of their QR decomposition, with the signs that make R's diagonal positive.
 * MAREA_NOMEM. */
marea_status marea_orthogonalise(double *columns, size_t length, size_t count);

#endif

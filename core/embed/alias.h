/* Drawing from a discrete distribution in constant time (Walker, 1977; Vose, 1991). */
#ifndef MAREA_EMBED_ALIAS_H
#define MAREA_EMBED_ALIAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct marea_alias {
  uint32_t *keep; /* of 2³²: how often column i gives i */
  int32_t *other; /* what it gives otherwise */
  size_t count;
} marea_alias;

/* Item i with a probability in proportion to weights[i] >= 0, of which one is positive. */
marea_status marea_alias_make(marea_alias *alias, const double *weights, size_t count);
void marea_alias_free(marea_alias *alias);

/* An item by 64 random bits. */
static inline int32_t marea_alias_draw(const marea_alias *alias, uint64_t bits) {
  size_t i = (size_t)(((bits >> 32) * alias->count) >> 32);
  return (uint32_t)bits < alias->keep[i] ? (int32_t)i : alias->other[i];
}

#endif

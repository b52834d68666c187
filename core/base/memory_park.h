/* Inside base only: how the arena's spare chunks leave and re-enter the count of used bytes. */
#ifndef MAREA_BASE_MEMORY_PARK_H
#define MAREA_BASE_MEMORY_PARK_H

#include <stdbool.h>
#include <stddef.h>

/* Parks bytes (no longer in use, not freed), or takes them back into use. Taking back counts as an
 * allocation for failure injection: false when that one is to fail. */
bool marea_memory_park(size_t bytes, bool park);

#endif

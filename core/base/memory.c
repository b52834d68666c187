#include "base/memory.h"
#include "base/memory_park.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In front of each block lies one alignment unit that remembers the block's size. */
static atomic_size_t used_bytes;
static atomic_size_t peak_bytes;
static atomic_size_t attempts;
static atomic_size_t fail_attempt; /* absolute attempt number that fails; 0: none */

static size_t *header_of(void *block) {
  return (size_t *)(void *)((char *)block - MAREA_ALIGNMENT);
}

static int injected_failure(void) {
  size_t attempt = atomic_fetch_add(&attempts, 1) + 1;
  return attempt == atomic_load_explicit(&fail_attempt, memory_order_relaxed);
}

static void count_bytes(size_t bytes) {
  size_t now = atomic_fetch_add(&used_bytes, bytes) + bytes;
  size_t peak = atomic_load(&peak_bytes);
  while (now > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, now)) {
  }
}

void *marea_alloc(size_t bytes) {
  size_t rounded = (bytes + MAREA_ALIGNMENT - 1) / MAREA_ALIGNMENT * MAREA_ALIGNMENT;
  char *raw = NULL;
  if (rounded >= bytes && rounded <= PTRDIFF_MAX - MAREA_ALIGNMENT && !injected_failure())
    raw = aligned_alloc(MAREA_ALIGNMENT, rounded + MAREA_ALIGNMENT);
  if (raw == NULL) {
    marea_fail(MAREA_NOMEM, "out of memory: %zu bytes asked for, %zu in use", bytes,
               marea_memory_used());
    return NULL;
  }
  *(size_t *)(void *)raw = bytes;
  count_bytes(bytes);
  return raw + MAREA_ALIGNMENT;
}

void *marea_alloc_array(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) {
    marea_fail(MAREA_NOMEM, "out of memory: %zu items of %zu bytes asked for", count, size);
    return NULL;
  }
  return marea_alloc(count * size);
}

void *marea_alloc_zero(size_t count, size_t size) {
  void *block = marea_alloc_array(count, size);
  if (block != NULL) memset(block, 0, count * size);
  return block;
}

void *marea_realloc(void *block, size_t bytes) {
  void *moved = marea_alloc(bytes);
  if (moved == NULL || block == NULL) return moved;
  size_t old = *header_of(block);
  memcpy(moved, block, old < bytes ? old : bytes);
  marea_free(block);
  return moved;
}

void *marea_grow(void *array, size_t *capacity, size_t wanted, size_t size) {
  enum { FIRST_ITEMS = 64 };
  if (array != NULL && wanted <= *capacity) return array;
  size_t wider, bytes;
  if (__builtin_add_overflow(wanted, wanted / 2, &wider) ||
      __builtin_add_overflow(wider, (size_t)FIRST_ITEMS, &wider) ||
      __builtin_mul_overflow(wider, size, &bytes)) {
    marea_fail(MAREA_NOMEM, "%zu items of %zu bytes exceed the address space", wanted, size);
    return NULL;
  }
  void *moved = marea_realloc(array, bytes);
  if (moved != NULL) *capacity = wider;
  return moved;
}

char *marea_strdup(const char *text) {
  size_t bytes = strlen(text) + 1;
  char *copy = marea_alloc(bytes);
  if (copy != NULL) memcpy(copy, text, bytes);
  return copy;
}

void marea_free(void *block) {
  if (block == NULL) return;
  atomic_fetch_sub(&used_bytes, *header_of(block));
  free(header_of(block));
}

bool marea_memory_park(size_t bytes, bool park) {
  if (park) {
    atomic_fetch_sub(&used_bytes, bytes);
    return true;
  }
  if (injected_failure()) return false;
  count_bytes(bytes);
  return true;
}

size_t marea_memory_used(void) {
  return atomic_load(&used_bytes);
}

size_t marea_memory_peak(void) {
  return atomic_load(&peak_bytes);
}

void marea_memory_reset_peak(void) {
  atomic_store(&peak_bytes, marea_memory_used());
}

void marea_memory_fail_at(size_t n) {
  atomic_store(&fail_attempt, n == 0 ? 0 : atomic_load(&attempts) + n);
}

size_t marea_memory_allocations(void) {
  return atomic_load(&attempts);
}

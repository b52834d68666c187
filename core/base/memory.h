/* Aligned, counted memory: every byte the library holds passes through here.
 *
 * The counters make leaks visible (they return to zero when everything is freed) and tell a
 * garbage collector what lies outside its heap. Failure injection lets a test make any single
 * allocation fail. All functions may be called from any thread. */
#ifndef MAREA_BASE_MEMORY_H
#define MAREA_BASE_MEMORY_H

#include <stddef.h>

#include "base/status.h"

enum { MAREA_ALIGNMENT = 64 };

/* `bytes` bytes aligned to MAREA_ALIGNMENT, contents undefined; NULL with MAREA_NOMEM set.
 * Zero bytes give a valid pointer. Release with marea_free. */
void *marea_alloc(size_t bytes);

/* count * size bytes, all zero; checks the product for overflow. */
void *marea_alloc_zero(size_t count, size_t size);

/* count * size bytes, contents undefined; checks the product for overflow. */
void *marea_alloc_array(size_t count, size_t size);

/* Resizes a block (NULL: allocates). On failure returns NULL and the old block stays valid. */
void *marea_realloc(void *block, size_t bytes);

/* The array with room for `wanted` items of `size` bytes; grows by half, so that adding items one
 * by one takes linear time. On failure returns NULL and the old array stays valid. An array with
 * room is returned as it is. */
void *marea_grow(void *array, size_t *capacity, size_t wanted, size_t size);

/* A copy of a NUL-terminated string. */
char *marea_strdup(const char *text);

/* Releases a block of any function above; NULL is allowed. */
void marea_free(void *block);

/* Bytes asked for and not yet freed, and the most there ever were since the last reset. */
size_t marea_memory_used(void);
size_t marea_memory_peak(void);
void marea_memory_reset_peak(void);

/* Failure injection for tests: the n-th allocation from now (n = 1 is the next one) fails, once.
 * n = 0 switches it off. marea_memory_allocations counts all attempts since the start. */
void marea_memory_fail_at(size_t n);
size_t marea_memory_allocations(void);

/* An arena: many allocations, one release. Not for several threads at a time. */
typedef struct marea_arena marea_arena;

marea_arena *marea_arena_new(void);

/* Aligned bytes that live until the arena is reset or freed; NULL with MAREA_NOMEM set. */
void *marea_arena_alloc(marea_arena *arena, size_t bytes);

/* Forgets every allocation and keeps the memory for reuse. */
void marea_arena_reset(marea_arena *arena);

/* Bytes handed out since the last reset. */
size_t marea_arena_used(const marea_arena *arena);

/* Frees the arena; NULL is allowed. Up to 256 MiB a thread wait, uncounted, for its next arena. */
void marea_arena_free(marea_arena *arena);

/* Gives what waits in this thread back to the system. */
void marea_arena_trim(void);

#endif

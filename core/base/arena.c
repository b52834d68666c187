/* The arena of memory.h: a list of chunks that are filled one after the other. */
#include "base/memory.h"
#include "base/memory_park.h"

#include <stdint.h>

typedef struct chunk {
  struct chunk *next;
  size_t capacity;
  char *bytes;
} chunk;

struct marea_arena {
  chunk *first;
  chunk *current;
  size_t offset; /* within current */
  size_t used;
};

enum { FIRST_CHUNK_BYTES = 1 << 16, LARGEST_STEP_BYTES = 1 << 26 };

marea_arena *marea_arena_new(void) {
  return marea_alloc_zero(1, sizeof(marea_arena));
}

/* Chunks of freed arenas wait here, per thread, for the next one: a training step opens and closes
 * an arena, and asking the system for fresh pages at each step costs more than the step itself.
 * They are not counted as in use. Under a sanitizer nothing waits, so that misuse is seen. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const size_t SPARE_LIMIT = 0;
#else
static const size_t SPARE_LIMIT = (size_t)1 << 29;
#endif
static _Thread_local chunk *spare;
static _Thread_local size_t spare_bytes;

static void really_free(chunk *c) {
  marea_free(c->bytes);
  marea_free(c);
}

static void put_aside(chunk *c) {
  if (spare_bytes + c->capacity > SPARE_LIMIT) {
    really_free(c);
    return;
  }
  c->next = spare;
  spare = c;
  spare_bytes += c->capacity;
  marea_memory_park(c->capacity + sizeof *c, true);
}

/* The smallest that is large enough: steps of one kind then find their own chunks again, while a
 * small request that got a large one would send the next large request to the system. */
static chunk *take_spare(size_t capacity) {
  chunk **best = NULL;
  for (chunk **link = &spare; *link != NULL; link = &(*link)->next)
    if ((*link)->capacity >= capacity && (best == NULL || (*link)->capacity < (*best)->capacity))
      best = link;
  if (best == NULL) return NULL;
  chunk *c = *best;
  if (!marea_memory_park(c->capacity + sizeof *c, false)) return NULL;
  *best = c->next;
  spare_bytes -= c->capacity;
  c->next = NULL;
  return c;
}

void marea_arena_trim(void) {
  while (spare != NULL) {
    chunk *c = spare;
    spare = c->next;
    marea_memory_park(c->capacity + sizeof *c, false);
    really_free(c);
  }
  spare_bytes = 0;
}

static chunk *new_chunk(size_t capacity) {
  chunk *waiting = take_spare(capacity);
  if (waiting != NULL) return waiting;
  chunk *made = marea_alloc(sizeof *made);
  if (made == NULL) return NULL;
  made->bytes = marea_alloc(capacity);
  if (made->bytes == NULL) {
    marea_free(made);
    return NULL;
  }
  made->next = NULL;
  made->capacity = capacity;
  return made;
}

/* Each new chunk doubles the last one's size up to a limit, and always fits `bytes`. */
static chunk *grow(marea_arena *arena, size_t bytes) {
  size_t capacity = FIRST_CHUNK_BYTES;
  if (arena->current != NULL) {
    size_t last = arena->current->capacity;
    capacity = last < LARGEST_STEP_BYTES ? 2 * last : last;
    if (capacity > LARGEST_STEP_BYTES) capacity = LARGEST_STEP_BYTES;
  }
  if (capacity < bytes) capacity = bytes;
  chunk *made = new_chunk(capacity);
  if (made == NULL) return NULL;
  if (arena->current == NULL) {
    arena->first = made;
  } else {
    made->next = arena->current->next;
    arena->current->next = made;
  }
  return made;
}

void *marea_arena_alloc(marea_arena *arena, size_t bytes) {
  if (bytes > SIZE_MAX - MAREA_ALIGNMENT) {
    marea_fail(MAREA_NOMEM, "out of memory: %zu bytes asked for", bytes);
    return NULL;
  }
  size_t rounded = (bytes + MAREA_ALIGNMENT - 1) / MAREA_ALIGNMENT * MAREA_ALIGNMENT;
  while (arena->current == NULL || arena->current->capacity - arena->offset < rounded) {
    chunk *next = arena->current != NULL ? arena->current->next : arena->first;
    if (next == NULL || next->capacity < rounded) next = grow(arena, rounded);
    if (next == NULL) return NULL;
    arena->current = next;
    arena->offset = 0;
  }
  void *block = arena->current->bytes + arena->offset;
  arena->offset += rounded;
  arena->used += rounded;
  return block;
}

void marea_arena_reset(marea_arena *arena) {
  arena->current = arena->first;
  arena->offset = 0;
  arena->used = 0;
}

size_t marea_arena_used(const marea_arena *arena) {
  return arena->used;
}

void marea_arena_free(marea_arena *arena) {
  if (arena == NULL) return;
  while (arena->first != NULL) {
    chunk *next = arena->first->next;
    put_aside(arena->first);
    arena->first = next;
  }
  marea_free(arena);
}

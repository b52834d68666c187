#include "text/sequences/sequences.h"

#include <string.h>

#include "base/memory.h"

marea_sequences *marea_sequences_new(void) {
  marea_sequences *s = marea_alloc_zero(1, sizeof *s);
  if (s == NULL) return NULL;
  s->capacity = 64;
  s->offsets = marea_alloc_zero(s->capacity, sizeof *s->offsets);
  if (s->offsets != NULL) return s;
  marea_free(s);
  return NULL;
}

void marea_sequences_free(marea_sequences *s) {
  if (s == NULL) return;
  marea_free(s->ids);
  marea_free(s->offsets);
  marea_free(s);
}

marea_status marea_sequences_push(marea_sequences *s, int32_t id) {
  if (s->id_count == s->id_capacity) {
    int32_t *ids = marea_grow(s->ids, &s->id_capacity, s->id_count + 1, sizeof *ids);
    if (ids == NULL) return MAREA_NOMEM;
    s->ids = ids;
  }
  s->ids[s->id_count++] = id;
  return MAREA_OK;
}

marea_status marea_sequences_end(marea_sequences *s) {
  size_t *offsets = marea_grow(s->offsets, &s->capacity, s->count + 2, sizeof *offsets);
  if (offsets == NULL) return MAREA_NOMEM;
  s->offsets = offsets;
  s->offsets[++s->count] = s->id_count;
  return MAREA_OK;
}

marea_status marea_sequences_append(marea_sequences *to, const marea_sequences *from) {
  int32_t *ids = marea_grow(to->ids, &to->id_capacity, to->id_count + from->id_count, sizeof *ids);
  if (ids == NULL) return MAREA_NOMEM;
  to->ids = ids;
  size_t *offsets =
      marea_grow(to->offsets, &to->capacity, to->count + from->count + 2, sizeof *offsets);
  if (offsets == NULL) return MAREA_NOMEM;
  to->offsets = offsets;
  if (from->id_count > 0)
    memcpy(to->ids + to->id_count, from->ids, from->id_count * sizeof *to->ids);
  for (size_t i = 1; i <= from->count; i++)
    to->offsets[to->count + i] = to->id_count + from->offsets[i];
  to->id_count += from->id_count;
  to->count += from->count;
  return MAREA_OK;
}

marea_status marea_sequences_pick(const marea_sequences *from, const int32_t *rows, size_t count,
                                  marea_sequences *to) {
  for (size_t i = 0; i < count; i++) {
    if (rows[i] < 0 || (size_t)rows[i] >= from->count)
      return marea_fail(MAREA_RANGE, "row %d of %zu, counted from 0, is not there", rows[i],
                        from->count);
    size_t first = from->offsets[rows[i]], last = from->offsets[rows[i] + 1];
    for (size_t j = first; j < last; j++) {
      marea_status status = marea_sequences_push(to, from->ids[j]);
      if (status != MAREA_OK) return status;
    }
    marea_status status = marea_sequences_end(to);
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

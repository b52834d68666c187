#include "text/sequences/bucketing.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct entry {
  int32_t length, row;
  size_t place;
} entry;

static int compare(const void *left, const void *right) {
  const entry *a = left, *b = right;
  if (a->length != b->length) return a->length < b->length ? -1 : 1;
  return a->place < b->place ? -1 : a->place > b->place;
}

static marea_status check_order(const int32_t *order, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (order[i] < 0 || (size_t)order[i] >= count)
      return marea_fail(MAREA_RANGE, "the order has row %d of %zu, counted from 0", order[i],
                        count);
  return MAREA_OK;
}

marea_status marea_bucket_sort(const int32_t *lengths, size_t count, size_t pool, int32_t *order) {
  if (pool == 0 || pool > count) pool = count;
  marea_status status = check_order(order, count);
  if (status != MAREA_OK) return status;
  entry *entries = marea_alloc_array(pool, sizeof *entries);
  if (entries == NULL) return MAREA_NOMEM;
  for (size_t first = 0; first < count; first += pool) {
    size_t n = count - first < pool ? count - first : pool;
    for (size_t i = 0; i < n; i++)
      entries[i] = (entry){lengths[order[first + i]], order[first + i], i};
    qsort(entries, n, sizeof *entries, compare);
    for (size_t i = 0; i < n; i++) order[first + i] = entries[i].row;
  }
  marea_free(entries);
  return MAREA_OK;
}

marea_status marea_bucket_shuffle(marea_stream *stream, size_t count, size_t batch,
                                  int32_t *order) {
  size_t whole = batch == 0 ? 0 : count / batch;
  if (whole < 2) return MAREA_OK;
  int32_t *places = marea_alloc_array(whole, sizeof *places);
  int32_t *copy = marea_alloc_array(whole * batch, sizeof *copy);
  marea_status status = places == NULL || copy == NULL ? MAREA_NOMEM : MAREA_OK;
  if (status == MAREA_OK) {
    memcpy(copy, order, whole * batch * sizeof *copy);
    marea_stream_permutation(stream, places, whole);
    for (size_t i = 0; i < whole; i++)
      memcpy(order + i * batch, copy + (size_t)places[i] * batch, batch * sizeof *copy);
  }
  marea_free(places);
  marea_free(copy);
  return status;
}

marea_status marea_bucket_measure(const int32_t *lengths, const int32_t *order, size_t count,
                                  size_t batch, marea_bucket_size *size) {
  *size = (marea_bucket_size){0, 0};
  if (order != NULL && check_order(order, count) != MAREA_OK) return MAREA_RANGE;
  for (size_t first = 0; batch > 0 && first < count; first += batch) {
    size_t n = count - first < batch ? count - first : batch, longest = 0;
    for (size_t i = first; i < first + n; i++) {
      size_t length = (size_t)lengths[order != NULL ? (size_t)order[i] : i];
      if (length > longest) longest = length;
      size->items += length;
    }
    size->places += n * longest;
  }
  return MAREA_OK;
}

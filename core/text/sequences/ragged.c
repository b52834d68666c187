#include "text/sequences/ragged.h"

#include <math.h>

#include "base/memory.h"

marea_ragged *marea_ragged_new(void) {
  marea_ragged *r = marea_alloc_zero(1, sizeof *r);
  if (r == NULL) return NULL;
  r->capacity = 16;
  r->item_values = 1;
  r->offsets = marea_alloc_zero(r->capacity, sizeof *r->offsets);
  if (r->offsets != NULL) return r;
  marea_free(r);
  return NULL;
}

void marea_ragged_free(marea_ragged *r) {
  if (r == NULL) return;
  marea_free(r->values);
  marea_free(r->offsets);
  marea_free(r);
}

marea_status marea_ragged_shape(marea_ragged *r, int rank, const int64_t *size) {
  if (rank < 0 || rank > MAREA_ITEM_RANK)
    return marea_fail(MAREA_SHAPE, "an item has %d axes, expected at most %d", rank,
                      MAREA_ITEM_RANK);
  size_t values = 1;
  for (int i = 0; i < rank; i++) {
    if (size[i] < 1 || size[i] > INT32_MAX || values > INT32_MAX / (size_t)size[i])
      return marea_fail(MAREA_SHAPE, "axis %d of an item has %lld elements", i + 1,
                        (long long)size[i]);
    values *= (size_t)size[i];
    r->item_size[i] = size[i];
  }
  r->item_rank = rank;
  r->item_values = values;
  return MAREA_OK;
}

marea_status marea_ragged_push(marea_ragged *r, double value) {
  if (r->value_count == r->value_capacity) {
    size_t wider = 2 * r->value_capacity + 256;
    double *values = marea_realloc(r->values, wider * sizeof *values);
    if (values == NULL) return MAREA_NOMEM;
    r->values = values;
    r->value_capacity = wider;
  }
  r->values[r->value_count++] = value;
  return MAREA_OK;
}

marea_status marea_ragged_end(marea_ragged *r) {
  if (r->value_count % r->item_values != 0)
    return marea_fail(MAREA_SHAPE, "sequence %zu: the last item is not whole", r->count + 1);
  if (r->count + 2 > r->capacity) {
    size_t *offsets = marea_realloc(r->offsets, 2 * r->capacity * sizeof *offsets);
    if (offsets == NULL) return MAREA_NOMEM;
    r->offsets = offsets;
    r->capacity *= 2;
  }
  r->offsets[++r->count] = r->value_count / r->item_values;
  return MAREA_OK;
}

/* ---- padding ---- */

/* Fills `pad` (one item) and lays the rows out, once the numbers have their type. */
static marea_status pad_typed(const marea_ragged *r, const marea_padding *p, const void *items,
                              const void *pad, size_t bytes, void *out,
                              marea_padding_report *report) {
  marea_rows rows = {items, r->offsets, r->count, r->item_values * bytes};
  return marea_pad_rows(&rows, p, pad, out, report);
}

marea_status marea_ragged_pad_reals(const marea_ragged *r, const marea_padding *p, double value,
                                    marea_real *out, marea_padding_report *report) {
  size_t n = r->value_count, width = r->item_values;
  marea_real *items = marea_alloc_array(n + width, sizeof *items);
  if (items == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < n; i++) items[i] = (marea_real)r->values[i];
  for (size_t i = 0; i < width; i++) items[n + i] = (marea_real)value;
  marea_status status = pad_typed(r, p, items, items + n, sizeof *items, out, report);
  marea_free(items);
  return status;
}

static bool is_id(double value) {
  return value >= INT32_MIN && value <= INT32_MAX && value == floor(value);
}

static marea_status no_id(const marea_ragged *r, size_t at) {
  size_t row = 0, item = at / r->item_values;
  while (r->offsets[row + 1] <= item) row++;
  return marea_fail(MAREA_RANGE,
                    "sequence %zu, place %zu: %.9g, expected a whole number of 32 bits", row + 1,
                    item - r->offsets[row] + 1, r->values[at]);
}

marea_status marea_ragged_pad_ids(const marea_ragged *r, const marea_padding *p, double value,
                                  int32_t *out, marea_padding_report *report) {
  size_t n = r->value_count, width = r->item_values;
  if (!is_id(value))
    return marea_fail(MAREA_RANGE, "value is %.9g, expected a whole number of 32 bits", value);
  for (size_t i = 0; i < n; i++)
    if (!is_id(r->values[i])) return no_id(r, i);
  int32_t *items = marea_alloc_array(n + width, sizeof *items);
  if (items == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < n; i++) items[i] = (int32_t)r->values[i];
  for (size_t i = 0; i < width; i++) items[n + i] = (int32_t)value;
  marea_status status = pad_typed(r, p, items, items + n, sizeof *items, out, report);
  marea_free(items);
  return status;
}

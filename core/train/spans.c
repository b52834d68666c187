#include "train/spans.h"

/* Place of the first touched row with an id of at least `id`. */
static int64_t first_row(const marea_gradient *g, int64_t id) {
  int64_t low = 0, high = g->row_count;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (g->rows[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

marea_span_walk marea_spans(const marea_tensor *x, int64_t from, int64_t to) {
  marea_span_walk walk = {.gradient = x->gradient, .at = from, .end = to};
  if (x->gradient->sparse && from < to) {
    walk.width = x->size[1];
    walk.row = first_row(x->gradient, from / walk.width);
  }
  return walk;
}

bool marea_spans_next(marea_span_walk *walk, marea_span *span) {
  const marea_gradient *g = walk->gradient;
  if (walk->at >= walk->end) return false;
  int64_t end = walk->end;
  span->start = walk->at;
  span->gradient = NULL;
  if (!g->sparse) {
    span->gradient = g->dense + walk->at;
  } else if (walk->row < g->row_count) {
    int64_t row_start = g->rows[walk->row] * walk->width;
    bool touched = row_start <= walk->at;
    int64_t stop = touched ? row_start + walk->width : row_start;
    if (touched)
      span->gradient = g->row_values + walk->row++ * walk->width + (walk->at - row_start);
    if (stop < end) end = stop;
  }
  span->count = end - walk->at;
  walk->at = end;
  return true;
}

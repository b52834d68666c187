/* The gradient stores of tape.h: dense for results and parameters, row-sparse for tables. */
#include <string.h>

#include "autodiff/tape.h"
#include "base/threads.h"

static _Thread_local uint64_t passes_begun;
static _Thread_local marea_pass now;

marea_pass marea_gradient_pass_begin(bool accumulate) {
  marea_pass before = now;
  now = (marea_pass){.number = ++passes_begun, .accumulates = accumulate};
  return before;
}

void marea_gradient_pass_resume(marea_pass pass) {
  now = pass;
}

static void *claim(const marea_tensor *x, size_t bytes) {
  return x->tape != NULL ? marea_tape_alloc(bytes) : marea_alloc(bytes);
}

/* The gradient record of x, entered into this pass: what an earlier pass left is forgotten,
 * unless gradients accumulate. */
static marea_gradient *enter(marea_tensor *x) {
  if (x->gradient == NULL) {
    x->gradient = claim(x, sizeof *x->gradient);
    if (x->gradient == NULL) return NULL;
    memset(x->gradient, 0, sizeof *x->gradient);
  }
  marea_gradient *g = x->gradient;
  if (g->pass != now.number) {
    bool keep = now.accumulates && g->fresh;
    g->pass = now.number;
    if (!keep) {
      g->row_count = 0;
      g->fresh = false;
    }
  }
  return g;
}

const marea_real *marea_gradient_of(const marea_tensor *x) {
  const marea_gradient *g = x->gradient;
  return g != NULL && g->fresh && g->pass == now.number && !g->sparse ? g->dense : NULL;
}

/* Spreads row-sparse values into the dense array, which then holds the gradient. */
static void densify(const marea_tensor *x, marea_gradient *g) {
  size_t width = (size_t)x->size[1];
  memset(g->dense, 0, (size_t)marea_tensor_count(x) * sizeof(marea_real));
  for (int64_t i = 0; i < g->row_count; i++)
    memcpy(g->dense + (size_t)g->rows[i] * width, g->row_values + (size_t)i * width,
           width * sizeof(marea_real));
  g->row_count = 0;
}

marea_real *marea_gradient_target(marea_tensor *x, bool *first) {
  marea_gradient *g = enter(x);
  if (g == NULL) return NULL;
  if (g->dense == NULL) {
    g->dense = claim(x, (size_t)marea_tensor_count(x) * sizeof(marea_real));
    if (g->dense == NULL) return NULL;
  }
  *first = !g->fresh;
  if (g->sparse && g->fresh) densify(x, g);
  g->sparse = false;
  g->fresh = true;
  return g->dense;
}

marea_real *marea_gradient_sum(marea_tensor *x) {
  bool first;
  marea_real *target = marea_gradient_target(x, &first);
  if (target != NULL && first)
    memset(target, 0, (size_t)marea_tensor_count(x) * sizeof(marea_real));
  return target;
}

marea_status marea_gradient_add(marea_tensor *x, const marea_real *values) {
  bool first;
  marea_real *target = marea_gradient_target(x, &first);
  if (target == NULL) return MAREA_NOMEM;
  int64_t count = marea_tensor_count(x);
  if (first) {
    memcpy(target, values, (size_t)count * sizeof(marea_real));
  } else {
    for (int64_t i = 0; i < count; i++) target[i] += values[i];
  }
  return MAREA_OK;
}

/* ---- rows ---- */

static void add_row(marea_real *target, const marea_real *values, int64_t width) {
  for (int64_t j = 0; j < width; j++) target[j] += values[j];
}

static marea_status reserve_rows(marea_gradient *g, int64_t wanted, int64_t width) {
  if (wanted <= g->row_capacity) return MAREA_OK;
  int64_t capacity = wanted + wanted / 2;
  int32_t *rows = marea_realloc(g->rows, (size_t)capacity * sizeof *rows);
  if (rows == NULL) return MAREA_NOMEM;
  g->rows = rows;
  marea_real *values = marea_realloc(g->row_values, (size_t)(capacity * width) * sizeof *values);
  if (values == NULL) return MAREA_NOMEM;
  g->row_values = values;
  g->row_capacity = capacity;
  return MAREA_OK;
}

/* slot_of[id] - 1 is the place of each id among the touched rows, in ascending order of ids:
 * rows held already and rows in `ids`. Returns their number. */
static int64_t number_rows(const marea_gradient *g, const int32_t *ids, int64_t n, int64_t V,
                           int32_t *slot_of) {
  int64_t count = 0;
  memset(slot_of, 0, (size_t)V * sizeof *slot_of);
  for (int64_t i = 0; i < g->row_count; i++) slot_of[g->rows[i]] = 1;
  for (int64_t i = 0; i < n; i++) slot_of[ids[i]] = 1;
  for (int64_t id = 0; id < V; id++) { /* without branches: which ids occur is anybody's guess */
    int32_t there = slot_of[id];
    count += there;
    slot_of[id] = (int32_t)count & -there;
  }
  return count;
}

/* Lists the touched rows. What is written for an untouched one is written over by the next. */
static void list_rows(marea_gradient *g, const int32_t *slot_of, int64_t V, int64_t count) {
  int64_t place = 0;
  for (int64_t id = 0; id < V && place < count; id++) {
    g->rows[place] = (int32_t)id;
    place += slot_of[id] != 0;
  }
  g->row_count = count;
}

/* The same when rows are held already: moves them to their new places, from the end, and clears the
 * new ones. */
static void spread_slots(marea_gradient *g, const int32_t *slot_of, int64_t V, int64_t count,
                         int64_t width) {
  size_t bytes = (size_t)width * sizeof(marea_real);
  int64_t old = g->row_count - 1;
  for (int64_t id = V - 1; id >= 0; id--) {
    if (slot_of[id] == 0) continue;
    marea_real *place = g->row_values + (slot_of[id] - 1) * width;
    if (old >= 0 && g->rows[old] == id) {
      memmove(place, g->row_values + old * width, bytes);
      old--;
    } else {
      memset(place, 0, bytes);
    }
    g->rows[slot_of[id] - 1] = (int32_t)id;
  }
  g->row_count = count;
}

/* Sums into rows. A piece owns a range of target rows and walks all ids, so that every row is
 * summed in the ids' order by one thread. */
typedef struct row_sums {
  marea_real *target;
  const int32_t *ids, *slot_of; /* slot_of NULL: the target's rows are the ids */
  const marea_real *values;
  int64_t n, width, rows, rows_a_piece;
  bool clear; /* the target holds nothing yet */
} row_sums;

enum { ROW_PIECES = 4, FEW_VALUES = 1 << 14, IDS_A_BLOCK = 256, ROWS_AHEAD = 8 };

/* An id of the block whose row belongs to the piece: where its values and its row lie. */
typedef struct row_pair {
  int32_t id, row;
} row_pair;

/* Lists the pairs of ids first … last - 1 with rows in [from, to), without branches: half of the
 * ids are somebody else's, in no order that could be foreseen. */
static int list_pairs(const row_sums *s, int64_t first, int64_t last, int64_t from, int64_t to,
                      row_pair *pairs) {
  int count = 0;
  for (int64_t i = first; i < last; i++) {
    int64_t row = s->slot_of != NULL ? s->slot_of[s->ids[i]] - 1 : s->ids[i];
    pairs[count] = (row_pair){(int32_t)(i - first), (int32_t)row};
    count += (row >= from) & (row < to);
  }
  return count;
}

/* The values come from another core's cache more often than not, so they are asked for early. */
static void add_pairs(const row_sums *s, int64_t first, const row_pair *pairs, int count) {
  for (int j = 0; j < count; j++) {
    if (j + ROWS_AHEAD < count) {
      const marea_real *ahead = s->values + (first + pairs[j + ROWS_AHEAD].id) * s->width;
      for (int64_t k = 0; k < s->width; k += 64 / (int64_t)sizeof *ahead)
        __builtin_prefetch(ahead + k);
    }
    add_row(s->target + pairs[j].row * s->width, s->values + (first + pairs[j].id) * s->width,
            s->width);
  }
}

static void add_rows_piece(void *context, size_t piece) {
  const row_sums *s = context;
  row_pair pairs[IDS_A_BLOCK];
  int64_t from = (int64_t)piece * s->rows_a_piece, to = from + s->rows_a_piece;
  if (to > s->rows) to = s->rows;
  if (s->clear && from < to)
    memset(s->target + from * s->width, 0, (size_t)((to - from) * s->width) * sizeof *s->target);
  for (int64_t first = 0; first < s->n; first += IDS_A_BLOCK) {
    int64_t last = first + IDS_A_BLOCK < s->n ? first + IDS_A_BLOCK : s->n;
    add_pairs(s, first, pairs, list_pairs(s, first, last, from, to, pairs));
  }
}

static void add_rows(row_sums s) {
  int64_t pieces = s.n * s.width < FEW_VALUES ? 1 : ROW_PIECES;
  s.rows_a_piece = (s.rows + pieces - 1) / pieces;
  marea_parallel((size_t)pieces, add_rows_piece, &s);
}

static marea_status add_sparse(marea_tensor *x, marea_gradient *g, const int32_t *ids, int64_t n,
                               const marea_real *values) {
  int64_t V = x->size[0], width = x->size[1];
  int32_t *slot_of = marea_alloc_array((size_t)V, sizeof *slot_of);
  if (slot_of == NULL) return MAREA_NOMEM;
  int64_t count = number_rows(g, ids, n, V, slot_of);
  marea_status status = reserve_rows(g, count, width);
  if (status == MAREA_OK) {
    bool clear = g->row_count == 0; /* left to the threads that sum */
    if (clear)
      list_rows(g, slot_of, V, count);
    else
      spread_slots(g, slot_of, V, count, width);
    add_rows((row_sums){.target = g->row_values,
                        .ids = ids,
                        .slot_of = slot_of,
                        .values = values,
                        .n = n,
                        .width = width,
                        .rows = count,
                        .clear = clear});
    g->sparse = g->fresh = true;
  }
  marea_free(slot_of);
  return status;
}

marea_status marea_gradient_add_rows(marea_tensor *x, const int32_t *ids, int64_t n,
                                     const marea_real *values) {
  marea_gradient *g = enter(x);
  if (g == NULL) return MAREA_NOMEM;
  bool dense_already = g->fresh && !g->sparse;
  if (x->tape == NULL && !dense_already) return add_sparse(x, g, ids, n, values);
  marea_real *target = marea_gradient_sum(x);
  if (target == NULL) return MAREA_NOMEM;
  add_rows((row_sums){.target = target,
                      .ids = ids,
                      .values = values,
                      .n = n,
                      .width = x->size[1],
                      .rows = x->size[0]});
  return MAREA_OK;
}

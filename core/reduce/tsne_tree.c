/* The push between all points with cells far away taken as one point (Barnes and Hut, 1986).
 *
 * Points are sorted along a Z-order curve, so a cell of the quad- or octree is a run of them. The
 * cells lie in one array, each before its parts, with the place where the next cell that is not a
 * part begins: a walk is a loop without a stack. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "reduce/tsne_internal.h"

enum {
  LEVELS = 16, /* bits of the Z-order curve along an axis */
  LEAF = 8,    /* points of a cell that is not divided */
  DIGIT = 8    /* bits sorted at a time */
};

typedef struct cell {
  marea_real centre[TSNE_AXES]; /* of mass */
  marea_real squared_width;
  int32_t count;
  int32_t next;  /* the cell behind this one and its parts */
  int32_t first; /* a leaf's first point in the order of the curve; -1: has parts */
} cell;

typedef struct key {
  uint64_t code;
  int32_t point;
} key;

struct tsne_tree {
  cell *cells;
  size_t count, capacity;
  key *keys, *spare;
  marea_real *sorted; /* planar, in the order of the curve */
  double low[TSNE_AXES], width;
};

void tsne_tree_free(tsne_tree *tree) {
  if (tree == NULL) return;
  marea_free(tree->cells);
  marea_free(tree->keys);
  marea_free(tree->spare);
  marea_free(tree->sorted);
  marea_free(tree);
}

static marea_status make_tree(marea_tsne *t) {
  tsne_tree *tree = t->tree = marea_alloc_zero(1, sizeof *tree);
  if (tree == NULL) return MAREA_NOMEM;
  tree->keys = marea_alloc_array(t->n, sizeof *tree->keys);
  tree->spare = marea_alloc_array(t->n, sizeof *tree->spare);
  tree->sorted = marea_alloc_array((size_t)t->axes * t->stride, sizeof *tree->sorted);
  if (tree->keys != NULL && tree->spare != NULL && tree->sorted != NULL) return MAREA_OK;
  tsne_tree_free(tree);
  t->tree = NULL;
  return MAREA_NOMEM;
}

/* ---- the order of the curve ---- */

static marea_status measure(marea_tsne *t) {
  tsne_tree *tree = t->tree;
  tree->width = 0;
  for (int a = 0; a < t->axes; a++) {
    const marea_real *y = t->y + (size_t)a * t->stride;
    marea_real low = y[0], high = y[0];
    for (size_t i = 1; i < t->n; i++) {
      low = y[i] < low ? y[i] : low;
      high = y[i] > high ? y[i] : high;
    }
    tree->low[a] = (double)low;
    tree->width = fmax(tree->width, (double)high - (double)low);
  }
  if (!isfinite(tree->width)) return marea_fail(MAREA_NONFINITE, "tsne: the map diverges");
  return MAREA_OK;
}

static void key_piece(void *context, size_t piece) {
  marea_tsne *t = context;
  tsne_tree *tree = t->tree;
  double scale = tree->width > 0 ? ((1 << LEVELS) - 1) / tree->width : 0;
  for (size_t i = piece * TSNE_CHUNK; i < t->n && i < (piece + 1) * TSNE_CHUNK; i++) {
    uint64_t code = 0;
    for (int a = 0; a < t->axes; a++) {
      double place = ((double)t->y[(size_t)a * t->stride + i] - tree->low[a]) * scale;
      uint64_t bits = (uint64_t)place;
      for (int level = 0; level < LEVELS; level++)
        code |= (bits >> level & 1) << (level * t->axes + a);
    }
    tree->keys[i] = (key){code, (int32_t)i};
  }
}

/* By the code; points of the same code stay in their order. */
static void sort_keys(tsne_tree *tree, size_t n, int bits) {
  for (int shift = 0; shift < bits; shift += DIGIT) {
    size_t at[(1 << DIGIT) + 1] = {0};
    for (size_t i = 0; i < n; i++) at[(tree->keys[i].code >> shift & 255) + 1]++;
    for (size_t digit = 0; digit < 1 << DIGIT; digit++) at[digit + 1] += at[digit];
    for (size_t i = 0; i < n; i++)
      tree->spare[at[tree->keys[i].code >> shift & 255]++] = tree->keys[i];
    key *swap = tree->keys;
    tree->keys = tree->spare;
    tree->spare = swap;
  }
}

static void take_sorted(marea_tsne *t) {
  for (int a = 0; a < t->axes; a++)
    for (size_t i = 0; i < t->n; i++)
      t->tree->sorted[(size_t)a * t->stride + i] =
          t->y[(size_t)a * t->stride + (size_t)t->tree->keys[i].point];
}

/* ---- cells ---- */

static cell *new_cell(tsne_tree *tree) {
  if (tree->count == tree->capacity) {
    size_t capacity = tree->capacity < 64 ? 64 : 2 * tree->capacity;
    cell *grown = marea_realloc(tree->cells, capacity * sizeof *grown);
    if (grown == NULL) return NULL;
    tree->cells = grown;
    tree->capacity = capacity;
  }
  return &tree->cells[tree->count++];
}

/* First of the keys from … to - 1 whose digit at the level is above `digit`. */
static size_t digit_end(const key *keys, size_t from, size_t to, int shift, uint64_t digit,
                        uint64_t mask) {
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    if ((keys[middle].code >> shift & mask) > digit)
      to = middle;
    else
      from = middle + 1;
  }
  return from;
}

/* The cell of the points from … to - 1, which share all levels above `level`, and its parts. */
static marea_status build(marea_tsne *t, size_t from, size_t to, int level) {
  tsne_tree *tree = t->tree;
  uint64_t mask = ((uint64_t)1 << t->axes) - 1;
  /* A cell with all its points in one part is that part. */
  while (level > 0 && (tree->keys[from].code >> (level - 1) * t->axes) ==
                          (tree->keys[to - 1].code >> (level - 1) * t->axes))
    level--;
  size_t mine = tree->count;
  cell *c = new_cell(tree);
  if (c == NULL) return MAREA_NOMEM;
  double width = ldexp(tree->width, level - LEVELS);
  *c = (cell){.squared_width = (marea_real)(width * width), .count = (int32_t)(to - from)};
  for (int a = 0; a < t->axes; a++) {
    double sum = 0;
    for (size_t i = from; i < to; i++) sum += (double)tree->sorted[(size_t)a * t->stride + i];
    c->centre[a] = (marea_real)(sum / (double)(to - from));
  }
  bool leaf = level == 0 || to - from <= LEAF;
  c->first = leaf ? (int32_t)from : -1;
  for (size_t at = from, end; !leaf && at < to; at = end) {
    int shift = (level - 1) * t->axes;
    end = digit_end(tree->keys, at, to, shift, tree->keys[at].code >> shift & mask, mask);
    marea_status status = build(t, at, end, level - 1);
    if (status != MAREA_OK) return status;
  }
  tree->cells[mine].next = (int32_t)tree->count;
  return MAREA_OK;
}

/* ---- walks ---- */

typedef struct walk {
  const tsne_tree *tree;
  size_t stride;
  int axes;
  marea_real least; /* squared width / squared distance below which a cell is one point */
  marea_real at[TSNE_AXES], force[TSNE_AXES];
  double z;
} walk;

/* Adds `count` points at `to`; `squared` is the distance from `at`. */
static inline void add_points(walk *w, const marea_real *apart, marea_real squared,
                              marea_real count) {
  marea_real q = 1 / (1 + squared), many = count * q;
  w->z += (double)many;
  for (int a = 0; a < w->axes; a++) w->force[a] += many * q * apart[a];
}

static inline void add_leaf(walk *w, const cell *c) {
  for (int32_t i = c->first; i < c->first + c->count; i++) {
    marea_real apart[TSNE_AXES], squared = 0;
    for (int a = 0; a < w->axes; a++) {
      apart[a] = w->at[a] - w->tree->sorted[(size_t)a * w->stride + (size_t)i];
      squared += apart[a] * apart[a];
    }
    add_points(w, apart, squared, 1);
  }
}

static void walk_cells(walk *w) {
  const cell *cells = w->tree->cells;
  for (size_t at = 0; at < w->tree->count;) {
    const cell *c = &cells[at];
    marea_real apart[TSNE_AXES], squared = 0;
    for (int a = 0; a < w->axes; a++) {
      apart[a] = w->at[a] - c->centre[a];
      squared += apart[a] * apart[a];
    }
    if (c->squared_width < w->least * squared) {
      add_points(w, apart, squared, (marea_real)c->count);
      at = (size_t)c->next;
    } else if (c->first >= 0) {
      add_leaf(w, c);
      at = (size_t)c->next;
    } else {
      at++;
    }
  }
}

static void walk_piece(void *context, size_t piece) {
  marea_tsne *t = context;
  double z = 0;
  for (size_t i = piece * TSNE_CHUNK; i < t->n && i < (piece + 1) * TSNE_CHUNK; i++) {
    walk w = {.tree = t->tree,
              .stride = t->stride,
              .axes = t->axes,
              .least = (marea_real)(t->angle * t->angle)};
    for (int a = 0; a < t->axes; a++) w.at[a] = t->tree->sorted[(size_t)a * t->stride + i];
    walk_cells(&w);
    z += w.z - 1; /* its own q */
    size_t point = (size_t)t->tree->keys[i].point;
    for (int a = 0; a < t->axes; a++) t->push[(size_t)a * t->stride + point] = w.force[a];
  }
  t->sums[piece * TSNE_SUMS] = z;
}

marea_status tsne_push_tree(marea_tsne *t) {
  marea_status status = t->tree == NULL ? make_tree(t) : MAREA_OK;
  if (status == MAREA_OK) status = measure(t);
  if (status != MAREA_OK) return status;
  size_t pieces = marea_pieces(t->n, TSNE_CHUNK);
  marea_parallel(pieces, key_piece, t);
  sort_keys(t->tree, t->n, LEVELS * t->axes);
  take_sorted(t);
  t->tree->count = 0;
  status = build(t, 0, t->n, LEVELS);
  if (status != MAREA_OK) return status;
  marea_parallel(pieces, walk_piece, t);
  t->z = 0;
  for (size_t piece = 0; piece < pieces; piece++) t->z += t->sums[piece * TSNE_SUMS];
  return MAREA_OK;
}

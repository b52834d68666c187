/* The push between all points by convolution on a regular grid.
 *
 * phi(y) = sum_j K(y - y_j), K(d) = 1 / (1 + |d|^2), gives both things that are wanted: z = sum_i
 * phi(y_i) - n, and the push sum_j q^2 (y_i - y_j) = -1/2 grad phi(y_i). Points are spread over
 * 6 x 6 nodes by B-splines of degree 5, the grid is convolved with K, and phi and its gradient are
 * read off the spline through the result. Dividing K's transform by the splines' own, once for
 * spreading and once for reading, makes phi right at the nodes (Essmann et al., 1995).
 *
 * All in double precision: while the map is small phi is nearly the same everywhere, and its slopes
 * would drown in float's rounding. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/fourier.h"
#include "reduce/convolution.h"
#include "reduce/tsne_internal.h"

enum {
  SUPPORT = 6,        /* nodes of a B-spline of degree 5 */
  BAND = 16,          /* rows of nodes of a piece */
  NODES = 2048,       /* across a map, at most: a wider one gets a coarser grid */
  LEAST = 16,         /* size of a transform */
  PAIRS_PER_NODE = 16 /* as many are summed in the time that a node takes */
};
static const double STEP = 0.4; /* between nodes; K is about 1 wide */

struct tsne_grid {
  double step, origin[2];
  size_t used[2]; /* nodes that points touch, along x and y */
  size_t size[2]; /* of the transform: no wrapping round onto the used ones */
  size_t width;   /* of a row of nodes in memory */
  double *nodes;  /* (size[1] / 2, width) */
  marea_convolution *convolution;
  int32_t *order;    /* points by their first row of nodes */
  int32_t *row;      /* (n): that row */
  size_t *row_start; /* (size[1] + 1) */
};

static void drop_arrays(tsne_grid *g) {
  marea_convolution_free(g->convolution);
  marea_free(g->nodes);
  marea_free(g->row_start);
  g->convolution = NULL;
  g->nodes = NULL;
  g->row_start = NULL;
  g->size[0] = g->size[1] = 0;
}

void tsne_grid_free(tsne_grid *g) {
  if (g == NULL) return;
  drop_arrays(g);
  marea_free(g->order);
  marea_free(g->row);
  marea_free(g);
}

/* ---- the grid ---- */

static double kernel_at(const void *context, double x, double y) {
  const tsne_grid *g = context;
  return 1 / (1 + (x * x + y * y) * g->step * g->step);
}

/* The transform of the B-spline at the nodes: (1, 26, 66, 26, 1) / 120. */
static double spline_transform(size_t i, size_t size) {
  static const double turn = 6.283185307179586476925286766559;
  double angle = turn * (double)i / (double)size;
  return (66 + 52 * cos(angle) + 2 * cos(2 * angle)) / 120;
}

/* Along an axis: dividing by its square takes out the spline of the spreading and of the reading.
 */
static double *spline_squares(size_t size) {
  double *squares = marea_alloc_array(size / 2 + 1, sizeof *squares);
  for (size_t i = 0; squares != NULL && i <= size / 2; i++) {
    double spline = spline_transform(i, size);
    squares[i] = spline * spline;
  }
  return squares;
}

static marea_convolution *make_convolution(const tsne_grid *g, const size_t size[2]) {
  double *squares[2] = {spline_squares(size[0]), spline_squares(size[1])};
  marea_convolution *made = NULL;
  if (squares[0] != NULL && squares[1] != NULL)
    made = marea_convolution_new(size, kernel_at, g, (const double *const *)squares);
  marea_free(squares[0]);
  marea_free(squares[1]);
  return made;
}

static marea_status resize(tsne_grid *g, const size_t size[2], double step) {
  drop_arrays(g);
  g->step = step;
  g->width = marea_pieces(size[0] / 2, MAREA_CONVOLUTION_BLOCK) * MAREA_CONVOLUTION_BLOCK;
  g->nodes = marea_alloc_array(size[1] / 2, g->width * sizeof *g->nodes);
  g->row_start = marea_alloc_array(size[1] + 1, sizeof *g->row_start);
  g->convolution = make_convolution(g, size);
  if (g->nodes == NULL || g->row_start == NULL || g->convolution == NULL) {
    drop_arrays(g);
    return MAREA_NOMEM;
  }
  g->size[0] = size[0];
  g->size[1] = size[1];
  return MAREA_OK;
}

static void range_of(const marea_real *y, size_t n, double *low, double *high) {
  marea_real least = y[0], most = y[0];
  for (size_t i = 1; i < n; i++) {
    least = y[i] < least ? y[i] : least;
    most = y[i] > most ? y[i] : most;
  }
  *low = (double)least;
  *high = (double)most;
}

/* Lays the grid over the map, or says in *too_wide that the map is so wide for its few points that
 * summing over all pairs is cheaper (two points may drift anywhere). A new transform only when the
 * map outgrew the old one, or left most of it empty. */
static marea_status lay(tsne_grid *g, const marea_tsne *t, bool *too_wide) {
  double extent[2] = {0, 0}, step = STEP, nodes = 1;
  g->origin[1] = 0;
  for (int a = 0; a < t->axes; a++) {
    double high;
    range_of(t->y + (size_t)a * t->stride, t->n, &g->origin[a], &high);
    extent[a] = high - g->origin[a];
    if (!isfinite(extent[a])) return marea_fail(MAREA_NONFINITE, "tsne: the map diverges");
    while (extent[a] / step > NODES) step *= 2;
  }
  bool fits = g->nodes != NULL && step == g->step;
  size_t size[2];
  for (int a = 0; a < 2; a++) {
    g->used[a] = (size_t)(extent[a] / step) + SUPPORT + 1;
    size_t needed = 2 * g->used[a] < LEAST ? LEAST : 2 * g->used[a];
    size[a] = marea_fourier_size(needed + needed / 32); /* room to grow for some iterations */
    if (needed > g->size[a] || 2 * needed < g->size[a]) fits = false;
    nodes *= (double)size[a];
  }
  *too_wide = (double)t->n * (double)t->n < PAIRS_PER_NODE * nodes;
  if (*too_wide) return MAREA_OK;
  return fits ? MAREA_OK : resize(g, size, step);
}

/* ---- points to the grid and back ---- */

/* Weights of the SUPPORT nodes around a place t in [0, 1) between the middle two, and their slopes:
 * each B-spline from those of one degree less (Cox and de Boor). */
static void spline(double t, double weights[SUPPORT], double slopes[SUPPORT]) {
  double w[SUPPORT] = {1 - t, t};
  for (int order = 3; order <= SUPPORT; order++) {
    double scale = 1 / (double)(order - 1);
    if (order == SUPPORT && slopes != NULL) {
      slopes[0] = -w[0];
      for (int j = 1; j < SUPPORT; j++) slopes[j] = w[j - 1] - w[j];
    }
    w[order - 1] = scale * t * w[order - 2];
    for (int j = order - 2; j > 0; j--)
      w[j] = scale * ((t + order - 1 - j) * w[j - 1] + (j + 1 - t) * w[j]);
    w[0] *= scale * (1 - t);
  }
  for (int j = 0; j < SUPPORT; j++) weights[j] = w[j];
}

/* First of the nodes along an axis, and the place between the middle two. */
static size_t first_node(const tsne_grid *g, int axis, marea_real y, double *place) {
  double at = ((double)y - g->origin[axis]) / g->step;
  size_t node = (size_t)at;
  if (node > g->used[axis] - SUPPORT) node = g->used[axis] - SUPPORT;
  *place = at - (double)node;
  return node;
}

static marea_real coordinate(const marea_tsne *t, int axis, size_t i) {
  return axis < t->axes ? t->y[(size_t)axis * t->stride + i] : 0;
}

static void row_piece(void *context, size_t piece) {
  const marea_tsne *t = context;
  double place;
  for (size_t i = piece * TSNE_CHUNK; i < t->n && i < (piece + 1) * TSNE_CHUNK; i++)
    t->grid->row[i] = (int32_t)first_node(t->grid, 1, coordinate(t, 1, i), &place);
}

/* Points in the order of their rows, then their own: each node adds them up in this order. */
static void sort_by_row(const marea_tsne *t) {
  const tsne_grid *g = t->grid;
  marea_parallel(marea_pieces(t->n, TSNE_CHUNK), row_piece, (void *)t);
  memset(g->row_start, 0, (g->used[1] + 1) * sizeof *g->row_start);
  for (size_t i = 0; i < t->n; i++) g->row_start[g->row[i] + 1]++;
  for (size_t row = 0; row < g->used[1]; row++) g->row_start[row + 1] += g->row_start[row];
  for (size_t i = 0; i < t->n; i++) g->order[g->row_start[g->row[i]]++] = (int32_t)i;
  memmove(g->row_start + 1, g->row_start, g->used[1] * sizeof *g->row_start);
  g->row_start[0] = 0;
}

static void spread_point(const marea_tsne *t, size_t i, size_t low, size_t high) {
  const tsne_grid *g = t->grid;
  double place[2];
  double wx[SUPPORT], wy[SUPPORT];
  size_t column = first_node(g, 0, coordinate(t, 0, i), &place[0]);
  size_t row = first_node(g, 1, coordinate(t, 1, i), &place[1]);
  spline(place[0], wx, NULL);
  spline(place[1], wy, NULL);
  for (size_t r = 0; r < SUPPORT; r++) {
    if (row + r < low || row + r >= high) continue;
    double *nodes = g->nodes + (row + r) * g->width + column;
    for (size_t c = 0; c < SUPPORT; c++) nodes[c] += wy[r] * wx[c];
  }
}

/* A band of rows is one piece's own: it takes what falls into it from all points that reach it. */
static void spread_piece(void *context, size_t band) {
  const marea_tsne *t = context;
  const tsne_grid *g = t->grid;
  size_t low = band * BAND, high = low + BAND < g->used[1] ? low + BAND : g->used[1];
  memset(g->nodes + low * g->width, 0, (high - low) * g->width * sizeof *g->nodes);
  size_t first = low < SUPPORT - 1 ? 0 : low - (SUPPORT - 1);
  for (size_t at = g->row_start[first]; at < g->row_start[high]; at++)
    spread_point(t, (size_t)g->order[at], low, high);
}

/* phi at a point, and its slopes in units of the grid's step. */
static double read_point(const marea_tsne *t, size_t i, double slope[2]) {
  const tsne_grid *g = t->grid;
  double place[2], phi = 0;
  double wx[SUPPORT], wy[SUPPORT], dx[SUPPORT], dy[SUPPORT];
  size_t column = first_node(g, 0, coordinate(t, 0, i), &place[0]);
  size_t row = first_node(g, 1, coordinate(t, 1, i), &place[1]);
  spline(place[0], wx, dx);
  spline(place[1], wy, dy);
  slope[0] = slope[1] = 0;
  for (size_t r = 0; r < SUPPORT; r++) {
    const double *nodes = g->nodes + (row + r) * g->width + column;
    double value = 0, along = 0;
    for (size_t c = 0; c < SUPPORT; c++) {
      value += nodes[c] * wx[c];
      along += nodes[c] * dx[c];
    }
    phi += wy[r] * value;
    slope[0] += wy[r] * along;
    slope[1] += dy[r] * value;
  }
  return phi;
}

static void read_piece(void *context, size_t piece) {
  marea_tsne *t = context;
  double z = 0, scale = -0.5 / t->grid->step;
  for (size_t at = piece * TSNE_CHUNK; at < t->n && at < (piece + 1) * TSNE_CHUNK; at++) {
    size_t i = (size_t)t->grid->order[at];
    double slope[2];
    z += read_point(t, i, slope) - 1; /* its own K */
    for (int a = 0; a < t->axes; a++)
      t->push[(size_t)a * t->stride + i] = (marea_real)(scale * slope[a]);
  }
  t->sums[piece * TSNE_SUMS] = z;
}

static marea_status make_grid(marea_tsne *t) {
  t->grid = marea_alloc_zero(1, sizeof *t->grid);
  if (t->grid == NULL) return MAREA_NOMEM;
  t->grid->order = marea_alloc_array(t->n, sizeof *t->grid->order);
  t->grid->row = marea_alloc_array(t->n, sizeof *t->grid->row);
  if (t->grid->order != NULL && t->grid->row != NULL) return MAREA_OK;
  tsne_grid_free(t->grid);
  t->grid = NULL;
  return MAREA_NOMEM;
}

marea_status tsne_push_grid(marea_tsne *t) {
  marea_status status = t->grid == NULL ? make_grid(t) : MAREA_OK;
  bool too_wide = false;
  if (status == MAREA_OK) status = lay(t->grid, t, &too_wide);
  if (status != MAREA_OK) return status;
  if (too_wide) {
    tsne_push_exact(t);
    return MAREA_OK;
  }
  tsne_grid *g = t->grid;
  sort_by_row(t);
  marea_parallel(marea_pieces(g->used[1], BAND), spread_piece, t);
  status = marea_convolution_run(g->convolution, g->used, g->nodes, g->width);
  if (status != MAREA_OK) return status;
  size_t pieces = marea_pieces(t->n, TSNE_CHUNK);
  marea_parallel(pieces, read_piece, t);
  t->z = 0;
  for (size_t piece = 0; piece < pieces; piece++) t->z += t->sums[piece * TSNE_SUMS];
  if (!(t->z > 0)) t->z = MAREA_REAL_EPSILON;
  return MAREA_OK;
}

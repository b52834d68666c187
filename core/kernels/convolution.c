/* Convolution as matrix products: the windows of a tile of outputs are laid out as rows
 * (Chellapilla et al., 2006) that stay in the cache, and multiplied by the kernel. */
#include "kernels/convolution.h"

#include <string.h>

#include "base/threads.h"
#include "kernels/gemm.h"
#include "kernels/pointwise.h"

/* Pieces of the work, each with a tile of its own; elements of a tile, aimed at the second cache.
 */
enum { PIECES = 8, TILE = 1 << 16, ROWS_MIN = 16, ROWS_MAX = 256 };

int64_t marea_window_steps(const marea_window *window, int64_t T, int64_t *left) {
  int64_t reach = (window->size - 1) * window->dilation + 1;
  *left = 0;
  if (window->border == MAREA_BORDER_VALID)
    return T < reach ? 0 : (T - reach) / window->strides + 1;
  int64_t steps = (T + window->strides - 1) / window->strides;
  int64_t missing = (steps - 1) * window->strides + reach - T;
  if (window->border == MAREA_BORDER_CAUSAL) *left = reach - 1;
  if (window->border == MAREA_BORDER_SAME && missing > 0) *left = missing / 2;
  return steps;
}

/* The shape of a group's product: rows of k * channels, times (k * channels, filters). */
typedef struct layout {
  size_t channels, filters, width, rows, tiles;
} layout;

static layout lay_out(const marea_convolution *c) {
  layout l = {.channels = c->D / c->groups, .filters = c->F / c->groups};
  l.width = c->k * l.channels;
  l.rows = l.width > 0 ? TILE / l.width : ROWS_MAX;
  l.rows = l.rows < ROWS_MIN ? ROWS_MIN : l.rows > ROWS_MAX ? ROWS_MAX : l.rows;
  l.tiles = marea_pieces(c->steps, l.rows);
  if (l.tiles > 0) l.rows = marea_pieces(c->steps, l.tiles); /* of like size */
  return l;
}

size_t marea_convolution_workspace(const marea_convolution *c) {
  layout l = lay_out(c);
  return PIECES * l.width * (l.rows + c->F);
}

/* What a loop over pieces works on. Units are tiles (forward, kernel) or samples (input). */
typedef struct job {
  const marea_convolution *c;
  layout l;
  const marea_real *x, *kernel, *bias, *dy;
  marea_real *y, *dx, *workspace;
  size_t units;
} job;

/* The units of a piece: [first, last). */
static size_t unit_limit(const job *j, size_t piece) {
  return j->units * piece / PIECES;
}

static marea_real *tile_of(const job *j, size_t piece) {
  return j->workspace + piece * j->l.width * j->l.rows;
}

/* The sum of a piece's kernel gradients, behind the tiles. */
static marea_real *sum_of(const job *j, size_t piece) {
  return j->workspace + PIECES * j->l.width * j->l.rows + piece * j->l.width * j->c->F;
}

/* The input step that tap `tap` of output step `step` sees; outside 0 … T-1 at the borders. */
static ptrdiff_t seen(const marea_convolution *c, size_t step, size_t tap) {
  return (ptrdiff_t)(step * c->strides + tap * c->dilation) - (ptrdiff_t)c->left;
}

/* tile (rows, width) = the windows of the outputs from `first` on, of one sample and group. */
static void gather(const job *j, const marea_real *x, size_t group, size_t first, size_t rows,
                   marea_real *tile) {
  const marea_convolution *c = j->c;
  size_t channels = j->l.channels;
  x += group * channels;
  for (size_t r = 0; r < rows; r++) {
    ptrdiff_t begin = seen(c, first + r, 0), end = seen(c, first + r, c->k - 1);
    marea_real *to = tile + r * j->l.width;
    if (begin >= 0 && end < (ptrdiff_t)c->T && c->dilation == 1 && c->groups == 1) {
      memcpy(to, x + (size_t)begin * c->D, j->l.width * sizeof *to);
      continue;
    }
    for (size_t tap = 0; tap < c->k; tap++, to += channels) {
      ptrdiff_t t = seen(c, first + r, tap);
      if (t < 0 || t >= (ptrdiff_t)c->T) {
        memset(to, 0, channels * sizeof *to);
      } else {
        memcpy(to, x + (size_t)t * c->D, channels * sizeof *to);
      }
    }
  }
}

/* dx += the rows of a tile of gradients, each at its window. */
static void scatter(const job *j, marea_real *dx, size_t group, size_t first, size_t rows,
                    const marea_real *tile) {
  const marea_convolution *c = j->c;
  size_t channels = j->l.channels;
  dx += group * channels;
  for (size_t r = 0; r < rows; r++) {
    for (size_t tap = 0; tap < c->k; tap++, tile += channels) {
      ptrdiff_t t = seen(c, first + r, tap);
      if (t < 0 || t >= (ptrdiff_t)c->T) continue;
      marea_real *to = dx + (size_t)t * c->D;
      for (size_t i = 0; i < channels; i++) to[i] += tile[i];
    }
  }
}

static size_t rows_of(const job *j, size_t first) {
  size_t left = j->c->steps - first;
  return left < j->l.rows ? left : j->l.rows;
}

static void forward_piece(void *context, size_t piece) {
  const job *j = context;
  const marea_convolution *c = j->c;
  marea_real *tile = tile_of(j, piece);
  for (size_t unit = unit_limit(j, piece); unit < unit_limit(j, piece + 1); unit++) {
    size_t sample = unit / j->l.tiles, first = unit % j->l.tiles * j->l.rows;
    size_t rows = rows_of(j, first);
    marea_real *y = j->y + (sample * c->steps + first) * c->F;
    for (size_t r = 0; r < rows && j->bias != NULL; r++)
      memcpy(y + r * c->F, j->bias, c->F * sizeof *y);
    for (size_t g = 0; g < c->groups; g++) {
      gather(j, j->x + sample * c->T * c->D, g, first, rows, tile);
      marea_gemm(false, false, rows, j->l.filters, j->l.width, 1, tile, j->l.width,
                 j->kernel + g * j->l.filters, c->F, j->bias != NULL, y + g * j->l.filters, c->F);
    }
  }
}

void marea_convolution_forward(const marea_convolution *c, marea_real *y, const marea_real *x,
                               const marea_real *kernel, const marea_real *bias,
                               marea_real *workspace) {
  job j = {.c = c, .l = lay_out(c), .x = x, .kernel = kernel, .bias = bias, .y = y};
  j.workspace = workspace;
  j.units = c->B * j.l.tiles;
  marea_parallel(PIECES, forward_piece, &j);
}

static void input_piece(void *context, size_t piece) {
  const job *j = context;
  const marea_convolution *c = j->c;
  marea_real *tile = tile_of(j, piece);
  for (size_t sample = unit_limit(j, piece); sample < unit_limit(j, piece + 1); sample++) {
    for (size_t first = 0; first < c->steps; first += j->l.rows) {
      size_t rows = rows_of(j, first);
      for (size_t g = 0; g < c->groups; g++) {
        marea_gemm(false, true, rows, j->l.width, j->l.filters, 1,
                   j->dy + (sample * c->steps + first) * c->F + g * j->l.filters, c->F,
                   j->kernel + g * j->l.filters, c->F, 0, tile, j->l.width);
        scatter(j, j->dx + sample * c->T * c->D, g, first, rows, tile);
      }
    }
  }
}

void marea_convolution_backward_input(const marea_convolution *c, marea_real *dx,
                                      const marea_real *dy, const marea_real *kernel,
                                      marea_real *workspace) {
  job j = {.c = c, .l = lay_out(c), .kernel = kernel, .dy = dy, .dx = dx};
  j.workspace = workspace;
  j.units = c->B;
  marea_parallel(PIECES, input_piece, &j);
}

static void kernel_piece(void *context, size_t piece) {
  const job *j = context;
  const marea_convolution *c = j->c;
  marea_real *tile = tile_of(j, piece), *sum = sum_of(j, piece);
  memset(sum, 0, j->l.width * c->F * sizeof *sum);
  for (size_t unit = unit_limit(j, piece); unit < unit_limit(j, piece + 1); unit++) {
    size_t sample = unit / j->l.tiles, first = unit % j->l.tiles * j->l.rows;
    size_t rows = rows_of(j, first);
    for (size_t g = 0; g < c->groups; g++) {
      gather(j, j->x + sample * c->T * c->D, g, first, rows, tile);
      marea_gemm(true, false, j->l.width, j->l.filters, rows, 1, tile, j->l.width,
                 j->dy + (sample * c->steps + first) * c->F + g * j->l.filters, c->F, 1,
                 sum + g * j->l.filters, c->F);
    }
  }
}

void marea_convolution_backward_kernel(const marea_convolution *c, marea_real *dkernel,
                                       const marea_real *x, const marea_real *dy,
                                       marea_real *workspace) {
  job j = {.c = c, .l = lay_out(c), .x = x, .dy = dy, .workspace = workspace};
  j.units = c->B * j.l.tiles;
  marea_parallel(PIECES, kernel_piece, &j);
  for (size_t piece = 0; piece < PIECES; piece++)
    marea_pointwise_axpy(dkernel, 1, sum_of(&j, piece), j.l.width * c->F);
}

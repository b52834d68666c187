#include "reduce/convolution.h"

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/simd/fourier_steps.h"

enum { BLOCK = MAREA_CONVOLUTION_BLOCK, EIGHT = MAREA_FOURIER_LANES };

struct marea_convolution {
  size_t size[2];
  size_t lines;    /* blocks of eight frequencies along y */
  size_t columns;  /* of a line: size[0] and room for a whole block */
  double *kernel;  /* (lines, columns, 8) */
  double *field;   /* (lines, columns, 16) */
  double *scratch; /* (workers, 2, longest, 16) */
  size_t workers, longest;
  marea_fourier *along[2];
};

void marea_convolution_free(marea_convolution *c) {
  if (c == NULL) return;
  marea_fourier_free(c->along[0]);
  marea_fourier_free(c->along[1]);
  marea_free(c->kernel);
  marea_free(c->field);
  marea_free(c->scratch);
  marea_free(c);
}

/* ---- work: blocks of columns and lines, taken one by one by workers with room of their own ----
 */

/* What a new kernel is made from. */
typedef struct filling {
  marea_convolution_kernel *kernel;
  const void *context;
  const double *const *divisor;
} filling;

typedef struct work {
  marea_convolution *c;
  const size_t *used;
  double *grid;
  size_t stride;
  const filling *filling;
  void (*one)(const struct work *w, size_t piece, double *first, double *second);
  size_t pieces;
  atomic_size_t next;
} work;

static void work_on(void *context, size_t worker) {
  work *w = context;
  double *first = w->c->scratch + worker * 2 * w->c->longest * BLOCK;
  for (size_t piece; (piece = atomic_fetch_add(&w->next, 1)) < w->pieces;)
    w->one(w, piece, first, first + w->c->longest * BLOCK);
}

static void share(work *w, size_t pieces,
                  void (*one)(const work *w, size_t piece, double *first, double *second)) {
  w->one = one;
  w->pieces = pieces;
  atomic_store(&w->next, 0);
  marea_parallel(w->c->workers, work_on, w);
}

static marea_status make_room(marea_convolution *c) {
  size_t workers = (size_t)marea_threads();
  if (workers <= c->workers) return MAREA_OK;
  double *scratch = marea_alloc_array(workers * 2, c->longest * BLOCK * sizeof *scratch);
  if (scratch == NULL) return MAREA_NOMEM;
  marea_free(c->scratch);
  c->scratch = scratch;
  c->workers = workers;
  return MAREA_OK;
}

/* ---- between blocks of columns and lines of frequencies ---- */

static double *line_at(const marea_convolution *c, size_t line, size_t column) {
  return c->field + (line * c->columns + column) * BLOCK;
}

/* Two real columns from one complex one: A_k = (Z_k + conj Z_-k) / 2, B_k = (Z_k - conj Z_-k) / 2i,
 * all twice as large. Eight frequencies of sixteen columns go to their line. */
static void split(const marea_convolution *c, const double *z, size_t line, size_t column) {
  const marea_fourier_table *steps = MAREA_PICK(marea_fourier_steps);
  double parts[4][EIGHT][EIGHT] = {{{0}}}; /* real and imaginary of A, of B; frequency, column */
  size_t rows = c->size[1];
  for (size_t k = 0; k < EIGHT && line * EIGHT + k <= rows / 2; k++) {
    size_t at = line * EIGHT + k;
    const double *here = z + at * BLOCK, *mirrored = z + (at == 0 ? 0 : rows - at) * BLOCK;
    for (size_t i = 0; i < EIGHT; i++) {
      parts[0][k][i] = here[i] + mirrored[i];
      parts[1][k][i] = here[EIGHT + i] - mirrored[EIGHT + i];
      parts[2][k][i] = here[EIGHT + i] + mirrored[EIGHT + i];
      parts[3][k][i] = mirrored[i] - here[i];
    }
  }
  for (size_t part = 0; part < 4; part++)
    steps->transpose(parts[part][0], EIGHT,
                     line_at(c, line, column + part / 2 * EIGHT) + part % 2 * EIGHT, BLOCK);
}

/* The way back: Z_k = A_k + i B_k, Z_-k = conj A_k + i conj B_k. */
static void join(const marea_convolution *c, double *z, size_t line, size_t column) {
  const marea_fourier_table *steps = MAREA_PICK(marea_fourier_steps);
  double parts[4][EIGHT][EIGHT];
  size_t rows = c->size[1];
  for (size_t part = 0; part < 4; part++)
    steps->transpose(line_at(c, line, column + part / 2 * EIGHT) + part % 2 * EIGHT, BLOCK,
                     parts[part][0], EIGHT);
  for (size_t k = 0; k < EIGHT && line * EIGHT + k <= rows / 2; k++) {
    size_t at = line * EIGHT + k;
    double *here = z + at * BLOCK, *mirrored = z + (at == 0 ? 0 : rows - at) * BLOCK;
    for (size_t i = 0; i < EIGHT; i++) {
      double re = parts[0][k][i], im = parts[1][k][i];
      double re2 = parts[2][k][i], im2 = parts[3][k][i];
      mirrored[i] = re + im2;
      mirrored[EIGHT + i] = re2 - im;
      here[i] = re - im2;
      here[EIGHT + i] = re2 + im;
    }
  }
}

static void split_block(const marea_convolution *c, size_t block, double *first, double *second) {
  const double *z = marea_fourier_run(c->along[1], false, first, second);
  for (size_t line = 0; line < c->lines; line++) split(c, z, line, block * BLOCK);
}

static void forward_block(const work *w, size_t block, double *first, double *second) {
  const marea_convolution *c = w->c;
  for (size_t row = 0; row < w->used[1]; row++)
    memcpy(first + row * BLOCK, w->grid + row * w->stride + block * BLOCK, BLOCK * sizeof *first);
  memset(first + w->used[1] * BLOCK, 0, (c->size[1] - w->used[1]) * BLOCK * sizeof *first);
  split_block(c, block, first, second);
}

static void convolve_line(const work *w, size_t line, double *first, double *second) {
  const marea_convolution *c = w->c;
  double *field = line_at(c, line, 0);
  const double *kernel = c->kernel + line * c->columns * EIGHT;
  size_t touched = marea_pieces(w->used[0], BLOCK) * BLOCK;
  (void)second;
  if (touched < c->size[0])
    memset(field + touched * BLOCK, 0, (c->size[0] - touched) * BLOCK * sizeof *field);
  double *z = marea_fourier_run(c->along[0], false, field, first);
  for (size_t i = 0; i < c->size[0]; i++)
    for (size_t lane = 0; lane < EIGHT; lane++) {
      z[i * BLOCK + lane] *= kernel[i * EIGHT + lane];
      z[i * BLOCK + EIGHT + lane] *= kernel[i * EIGHT + lane];
    }
  marea_fourier_run(c->along[0], true, z, z == field ? first : field);
}

static void back_block(const work *w, size_t block, double *first, double *second) {
  const marea_convolution *c = w->c;
  for (size_t line = 0; line < c->lines; line++) join(c, first, line, block * BLOCK);
  const double *z = marea_fourier_run(c->along[1], true, first, second);
  for (size_t row = 0; row < w->used[1]; row++)
    memcpy(w->grid + row * w->stride + block * BLOCK, z + row * BLOCK, BLOCK * sizeof *z);
}

marea_status marea_convolution_run(marea_convolution *c, const size_t used[2], double *grid,
                                   size_t stride) {
  if (make_room(c) != MAREA_OK) return MAREA_NOMEM;
  work w = {.c = c, .used = used, .grid = grid, .stride = stride};
  size_t blocks = marea_pieces(used[0], BLOCK);
  share(&w, blocks, forward_block);
  share(&w, c->lines, convolve_line);
  share(&w, blocks, back_block);
  return MAREA_OK;
}

/* ---- the kernel ---- */

/* From the middle, the way that is shorter when the grid is wrapped round. */
static double apart(size_t i, size_t size) {
  return (double)(i < size - i ? i : size - i);
}

static void fill_block(const work *w, size_t block, double *first, double *second) {
  const size_t *size = w->c->size;
  const filling *f = w->filling;
  for (size_t row = 0; row < size[1]; row++)
    for (size_t i = 0; i < BLOCK; i++) {
      size_t column = block * BLOCK + i;
      first[row * BLOCK + i] =
          column < size[0] ? f->kernel(f->context, apart(column, size[0]), apart(row, size[1])) : 0;
    }
  split_block(w->c, block, first, second);
}

static double divisor_at(const work *w, int axis, size_t i) {
  size_t size = w->c->size[axis];
  if (w->filling->divisor[axis] == NULL) return 1;
  return w->filling->divisor[axis][i < size - i ? i : size - i];
}

/* The 4 makes up for `split`, whose transforms are twice as large: of the kernel here and of each
 * grid later. The sizes are those that the way back lacks. */
static void fill_line(const work *w, size_t line, double *first, double *second) {
  const marea_convolution *c = w->c;
  double volume = 4 * (double)c->size[0] * (double)c->size[1];
  const double *z = marea_fourier_run(c->along[0], false, line_at(c, line, 0), first);
  (void)second;
  for (size_t i = 0; i < c->size[0]; i++)
    for (size_t lane = 0; lane < EIGHT; lane++) {
      size_t row = line * EIGHT + lane;
      double scale =
          row > c->size[1] / 2 ? 0 : 1 / (volume * divisor_at(w, 0, i) * divisor_at(w, 1, row));
      c->kernel[(line * c->columns + i) * EIGHT + lane] = z[i * BLOCK + lane] * scale;
    }
}

static marea_status allocate(marea_convolution *c) {
  for (int axis = 0; axis < 2; axis++) {
    c->along[axis] = marea_fourier_new(c->size[axis]);
    if (c->along[axis] == NULL) return MAREA_NOMEM;
  }
  c->lines = marea_pieces(c->size[1] / 2 + 1, EIGHT);
  c->columns = marea_pieces(c->size[0], BLOCK) * BLOCK;
  c->longest = c->columns > c->size[1] ? c->columns : c->size[1];
  c->field = marea_alloc_zero(c->lines, c->columns * BLOCK * sizeof *c->field);
  c->kernel = marea_alloc_array(c->lines, c->columns * EIGHT * sizeof *c->kernel);
  return c->field == NULL || c->kernel == NULL ? MAREA_NOMEM : make_room(c);
}

marea_convolution *marea_convolution_new(const size_t size[2], marea_convolution_kernel *kernel,
                                         const void *context, const double *const divisor[2]) {
  marea_convolution *c = marea_alloc_zero(1, sizeof *c);
  if (c == NULL) return NULL;
  memcpy(c->size, size, sizeof c->size);
  if (allocate(c) != MAREA_OK) {
    marea_convolution_free(c);
    return NULL;
  }
  work w = {.c = c, .filling = &(filling){kernel, context, divisor}};
  share(&w, c->columns / BLOCK, fill_block);
  share(&w, c->lines, fill_line);
  return c;
}

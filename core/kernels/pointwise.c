/* Long arrays in pieces for the threads, sums in their order, softmax by rows. */
#include "kernels/pointwise.h"

#include <math.h>

#include "base/threads.h"
#include "kernels/simd/loops.h"

enum { PIECE = 16384, SUM_PIECE = 4096, SUM_PARTS = 64 };

static size_t piece_length(size_t n, size_t first) {
  return n - first < PIECE ? n - first : PIECE;
}

typedef struct map {
  const marea_loops_table *loops;
  void (*loop)(marea_real *y, const marea_real *x, size_t n); /* NULL: activate by f */
  marea_activation f;
  marea_real *y;
  const marea_real *x, *da, *a;
  marea_real factor;
  size_t n;
} map;

static void map_piece(void *context, size_t piece) {
  const map *m = context;
  size_t first = piece * PIECE, n = piece_length(m->n, first);
  if (m->loop != NULL)
    m->loop(m->y + first, m->x + first, n);
  else
    m->loops->activate(m->f, m->y + first, m->x + first, n);
}

static void run_map(map m) {
  marea_parallel(marea_pieces(m.n, PIECE), map_piece, &m);
}

void marea_activate(marea_activation f, marea_real *a, const marea_real *x, size_t n) {
  run_map((map){.loops = MAREA_PICK(marea_loops), .f = f, .y = a, .x = x, .n = n});
}

void marea_pointwise_exp(marea_real *y, const marea_real *x, size_t n) {
  marea_activate(MAREA_EXPONENTIAL, y, x, n);
}

void marea_pointwise_tanh(marea_real *y, const marea_real *x, size_t n) {
  marea_activate(MAREA_TANH, y, x, n);
}

void marea_pointwise_sigmoid(marea_real *y, const marea_real *x, size_t n) {
  marea_activate(MAREA_SIGMOID, y, x, n);
}

void marea_pointwise_log(marea_real *y, const marea_real *x, size_t n) {
  run_map((map){.loop = MAREA_PICK(marea_loops)->log, .y = y, .x = x, .n = n});
}

void marea_pointwise_erf(marea_real *y, const marea_real *x, size_t n) {
  run_map((map){.loop = MAREA_PICK(marea_loops)->erf, .y = y, .x = x, .n = n});
}

static void back_piece(void *context, size_t piece) {
  const map *m = context;
  size_t first = piece * PIECE;
  m->loops->activate_backward(m->f, m->y + first, m->da + first, m->x + first, m->a + first,
                              piece_length(m->n, first));
}

void marea_activate_backward(marea_activation f, marea_real *dx, const marea_real *da,
                             const marea_real *x, const marea_real *a, size_t n) {
  bool by_input = marea_activation_needs_input(f);
  map m = {.loops = MAREA_PICK(marea_loops),
           .f = f,
           .y = dx,
           .da = da,
           .x = by_input ? x : da, /* any readable array: not used */
           .a = by_input ? da : a,
           .n = n};
  marea_parallel(marea_pieces(n, PIECE), back_piece, &m);
}

static void axpy_piece(void *context, size_t piece) {
  const map *m = context;
  size_t first = piece * PIECE;
  m->loops->axpy(m->y + first, m->factor, m->x + first, piece_length(m->n, first));
}

void marea_pointwise_axpy(marea_real *y, marea_real a, const marea_real *x, size_t n) {
  map m = {.loops = MAREA_PICK(marea_loops), .y = y, .x = x, .factor = a, .n = n};
  marea_parallel(marea_pieces(n, PIECE), axpy_piece, &m);
}

/* ---- sums ---- */

typedef struct reduction {
  const marea_loops_table *loops;
  const marea_real *x, *y; /* y NULL: sum, else dot */
  size_t n, part;
  double parts[SUM_PARTS];
} reduction;

static void sum_part(void *context, size_t part) {
  reduction *r = context;
  size_t end = r->n - part * r->part < r->part ? r->n : (part + 1) * r->part;
  double total = 0;
  for (size_t i = part * r->part; i < end; i += SUM_PIECE) {
    size_t n = end - i < SUM_PIECE ? end - i : SUM_PIECE;
    total += r->y != NULL ? r->loops->dot(r->x + i, r->y + i, n) : r->loops->sum(r->x + i, n);
  }
  r->parts[part] = total;
}

/* At most SUM_PARTS parts, whatever n: their size is a multiple of SUM_PIECE. */
static double reduce(const marea_real *x, const marea_real *y, size_t n) {
  size_t part = marea_pieces(marea_pieces(n, SUM_PARTS), SUM_PIECE) * SUM_PIECE;
  if (n == 0) return 0;
  reduction r = {MAREA_PICK(marea_loops), x, y, n, part, {0}};
  size_t count = marea_pieces(n, part);
  marea_parallel(count, sum_part, &r);
  double total = 0;
  for (size_t i = 0; i < count; i++) total += r.parts[i];
  return total;
}

double marea_sum_all(const marea_real *x, size_t n) {
  return reduce(x, NULL, n);
}

double marea_dot(const marea_real *x, const marea_real *y, size_t n) {
  return reduce(x, y, n);
}

double marea_sum_squares(const marea_real *x, size_t n) {
  return reduce(x, x, n);
}

marea_real marea_largest(const marea_real *x, size_t n) {
  return MAREA_PICK(marea_loops)->largest(x, n);
}

/* ---- rows ---- */

void marea_sum_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  const marea_loops_table *loops = MAREA_PICK(marea_loops);
  for (size_t i = 0; i < rows; i++) loops->axpy(y, 1, x + i * columns, columns);
}

typedef struct row_map {
  const marea_loops_table *loops;
  void (*row)(const struct row_map *m, size_t at);
  marea_real *y;
  const marea_real *x, *other;
  size_t rows, columns, rows_a_piece;
} row_map;

static void row_piece(void *context, size_t piece) {
  const row_map *m = context;
  size_t end = (piece + 1) * m->rows_a_piece;
  if (end > m->rows) end = m->rows;
  for (size_t i = piece * m->rows_a_piece; i < end; i++) m->row(m, i * m->columns);
}

static void run_rows(row_map m) {
  if (m.columns == 0) return;
  m.loops = MAREA_PICK(marea_loops);
  m.rows_a_piece = marea_pieces(PIECE, m.columns);
  marea_parallel(marea_pieces(m.rows, m.rows_a_piece), row_piece, &m);
}

static void bias_row(const row_map *m, size_t at) {
  m->loops->add(m->y + at, m->x + at, m->other, m->columns);
}

void marea_add_bias(marea_real *y, const marea_real *x, const marea_real *bias, size_t rows,
                    size_t columns) {
  run_rows(
      (row_map){.row = bias_row, .y = y, .x = x, .other = bias, .rows = rows, .columns = columns});
}

static void softmax_row(const row_map *m, size_t at) {
  marea_real shift = m->loops->largest(m->x + at, m->columns);
  double total = m->loops->exp_shifted(m->y + at, m->x + at, shift, m->columns);
  m->loops->scale_shift(m->y + at, m->y + at, (marea_real)(1 / total), 0, m->columns);
}

void marea_softmax_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  run_rows((row_map){.row = softmax_row, .y = y, .x = x, .rows = rows, .columns = columns});
}

static void log_softmax_row(const row_map *m, size_t at) {
  marea_real shift = m->loops->largest(m->x + at, m->columns);
  double total = m->loops->sum_exp_shifted(m->x + at, shift, m->columns);
  /* Two steps: x - shift is exact where it matters, near the maximum. */
  m->loops->scale_shift(m->y + at, m->x + at, 1, -shift, m->columns);
  m->loops->scale_shift(m->y + at, m->y + at, 1, -(marea_real)log(total), m->columns);
}

void marea_log_softmax_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  run_rows((row_map){.row = log_softmax_row, .y = y, .x = x, .rows = rows, .columns = columns});
}

static void softmax_back_row(const row_map *m, size_t at) {
  marea_real mean = (marea_real)m->loops->dot(m->x + at, m->other + at, m->columns);
  m->loops->softmax_back(m->y + at, m->x + at, m->other + at, mean, m->columns);
}

void marea_softmax_backward(marea_real *dx, const marea_real *dy, const marea_real *y, size_t rows,
                            size_t columns) {
  run_rows((row_map){
      .row = softmax_back_row, .y = dx, .x = dy, .other = y, .rows = rows, .columns = columns});
}

static void log_softmax_back_row(const row_map *m, size_t at) {
  marea_real total = (marea_real)m->loops->sum(m->x + at, m->columns);
  m->loops->log_softmax_back(m->y + at, m->x + at, m->other + at, total, m->columns);
}

void marea_log_softmax_backward(marea_real *dx, const marea_real *dy, const marea_real *y,
                                size_t rows, size_t columns) {
  run_rows((row_map){
      .row = log_softmax_back_row, .y = dx, .x = dy, .other = y, .rows = rows, .columns = columns});
}

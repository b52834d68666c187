#include "kernels/sparse.h"

#include <string.h>

#include "base/threads.h"

/* A piece is as many rows as make some 16,000 multiplications; a row of the average length counts,
 * whatever the longest ones are. */
enum { PIECE_WORK = 1 << 14 };

typedef struct product {
  const marea_csr *a;
  const marea_real *w, *bias;
  size_t U, rows_a_piece;
  marea_real *y;
} product;

static void one_column(const product *p, size_t i) {
  marea_real sum = p->bias != NULL ? p->bias[0] : 0;
  for (size_t e = p->a->offsets[i]; e < p->a->offsets[i + 1]; e++)
    sum += p->a->value[e] * p->w[p->a->column[e]];
  p->y[i] = sum;
}

static void one_row(const product *p, size_t i) {
  size_t U = p->U;
  marea_real *restrict y = p->y + i * U;
  if (p->bias != NULL)
    memcpy(y, p->bias, U * sizeof *y);
  else
    memset(y, 0, U * sizeof *y);
  for (size_t e = p->a->offsets[i]; e < p->a->offsets[i + 1]; e++) {
    const marea_real *restrict w = p->w + (size_t)p->a->column[e] * U;
    marea_real value = p->a->value[e];
    for (size_t j = 0; j < U; j++) y[j] += value * w[j];
  }
}

static void product_piece(void *context, size_t piece) {
  const product *p = context;
  size_t from = piece * p->rows_a_piece, to = from + p->rows_a_piece, rows = (size_t)p->a->rows;
  for (size_t i = from; i < to && i < rows; i++) {
    if (p->U == 1)
      one_column(p, i);
    else
      one_row(p, i);
  }
}

void marea_sparse_product(const marea_csr *a, const marea_real *w, size_t U, const marea_real *bias,
                          marea_real *y) {
  size_t rows = (size_t)a->rows, work = (marea_csr_entries(a) + rows) * U;
  if (rows == 0 || U == 0) return;
  product p = {.a = a, .w = w, .bias = bias, .U = U, .y = y};
  size_t pieces = work / PIECE_WORK + 1;
  if (pieces > rows) pieces = rows;
  p.rows_a_piece = (rows + pieces - 1) / pieces;
  marea_parallel(marea_pieces(rows, p.rows_a_piece), product_piece, &p);
}

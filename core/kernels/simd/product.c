#include "kernels/simd/product.h"

#include "kernels/simd/vector.h"

/* Rows of a tile by its number of vectors: as many accumulators as the registers hold beside a
 * row of B. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { ROWS_4 = 6, ROWS_3 = 8, ROWS_2 = 8, ROWS_1 = 8 };
#else
enum { ROWS_4 = 3, ROWS_3 = 4, ROWS_2 = 5, ROWS_1 = 8 };
#endif

enum { DOTS_ROWS = 8 };

typedef struct tile_place {
  const marea_real *a, *b;
  size_t a_row, a_column, ldb, k;
  marea_real *c;
  size_t ldc;
  bool accumulate;
} tile_place;

/* C (rows, vectors) in registers: the whole depth passes by. */
INLINE void tile(const int rows, const int vectors, const bool by_row, const tile_place *t) {
  const size_t k = t->k, ldb = t->ldb, ldc = t->ldc;
  const size_t a_row = by_row ? t->a_row : 1, a_column = by_row ? 1 : t->a_column;
  const marea_real *a = t->a, *b = t->b;
  marea_real *c = t->c;
  vreal sum[8][PANEL_VECTORS];
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = splat(0);
  }
  if (t->accumulate) {
    UNROLL for (int r = 0; r < rows; r++) {
      UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = load(c + (size_t)r * ldc + v * LANES);
    }
  }
  for (size_t i = 0; i < k; i++) {
    vreal w[PANEL_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) w[v] = load(b + i * ldb + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      vreal s = splat(a[(size_t)r * a_row + i * a_column]);
      UNROLL for (int v = 0; v < vectors; v++) sum[r][v] += s * w[v];
    }
  }
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++) store(c + (size_t)r * ldc + v * LANES, sum[r][v]);
  }
}

typedef void tile_function(const tile_place *t);

#define TILE(rows, vectors)                                                                        \
  static void row_tile_##rows##_##vectors(const tile_place *t) {                                   \
    tile(rows, vectors, true, t);                                                                  \
  }                                                                                                \
  static void column_tile_##rows##_##vectors(const tile_place *t) {                                \
    tile(rows, vectors, false, t);                                                                 \
  }
#define TILES(vectors)                                                                             \
  TILE(1, vectors)                                                                                 \
  TILE(2, vectors)                                                                                 \
  TILE(3, vectors)                                                                                 \
  TILE(4, vectors)                                                                                 \
  TILE(5, vectors)                                                                                 \
  TILE(6, vectors)                                                                                 \
  TILE(7, vectors)                                                                                 \
  TILE(8, vectors)
TILES(1)
TILES(2)
TILES(3)
TILES(4)

#define ROW_OF_TILES(kind, vectors)                                                                \
  {                                                                                                \
    kind##_1_##vectors, kind##_2_##vectors, kind##_3_##vectors, kind##_4_##vectors,                \
        kind##_5_##vectors, kind##_6_##vectors, kind##_7_##vectors, kind##_8_##vectors             \
  }

static tile_function *const row_tiles[4][8] = {ROW_OF_TILES(row_tile, 1), ROW_OF_TILES(row_tile, 2),
                                               ROW_OF_TILES(row_tile, 3),
                                               ROW_OF_TILES(row_tile, 4)};
static tile_function *const column_tiles[4][8] = {
    ROW_OF_TILES(column_tile, 1), ROW_OF_TILES(column_tile, 2), ROW_OF_TILES(column_tile, 3),
    ROW_OF_TILES(column_tile, 4)};
static const size_t rows_at_most[4] = {ROWS_1, ROWS_2, ROWS_3, ROWS_4};

/* One panel of columns: row tiles of even height, from the top. */
static void panel(const marea_product *p, size_t vectors, tile_place t) {
  bool by_row = p->a_column == 1;
  tile_function *const *tiles = by_row ? row_tiles[vectors - 1] : column_tiles[vectors - 1];
  size_t pieces = (p->m + rows_at_most[vectors - 1] - 1) / rows_at_most[vectors - 1];
  for (size_t piece = 0, row = 0; piece < pieces; piece++) {
    size_t rows = (p->m - row) / (pieces - piece);
    tiles[rows - 1](&t);
    row += rows;
    t.a += rows * p->a_row;
    t.c += rows * p->ldc;
  }
}

static void product(const marea_product *p) {
  for (size_t depth = 0; depth < p->k || depth == 0; depth += PRODUCT_DEPTH) {
    size_t k = p->k - depth < PRODUCT_DEPTH ? p->k - depth : PRODUCT_DEPTH;
    for (size_t j = 0; j < p->n; j += PANEL_VECTORS * LANES) {
      size_t width = p->n - j < PANEL_VECTORS * LANES ? p->n - j : PANEL_VECTORS * LANES;
      size_t ldb = p->packed_depth != 0 ? width : p->ldb;
      const marea_real *b =
          p->b + (p->packed_depth != 0 ? j * p->packed_depth : j) + (p->packed_start + depth) * ldb;
      tile_place t = {
          p->a + depth * p->a_column, b, p->a_row, p->a_column, ldb, k, p->c + j, p->ldc,
          p->accumulate || depth > 0};
      panel(p, width / LANES, t);
    }
  }
}

static void pack(marea_real *panels, const marea_real *b, size_t row, size_t column, size_t k,
                 size_t n) {
  size_t padded = marea_round_up(n, LANES);
  for (size_t j = 0; j < padded; j += PANEL_VECTORS * LANES) {
    size_t width = padded - j < PANEL_VECTORS * LANES ? padded - j : PANEL_VECTORS * LANES;
    size_t filled = n - j < width ? n - j : width;
    for (size_t i = 0; i < k; i++, panels += width) {
      const marea_real *from = b + i * row + j * column;
      for (size_t l = 0; l < filled; l++) panels[l] = from[l * column];
      for (size_t l = filled; l < width; l++) panels[l] = 0;
    }
  }
}

/* A row of A with `rows` rows of B; each element is one chain of multiply-adds a lane. */
INLINE void some_dots(const int rows, marea_real *out, const marea_real *a, const marea_real *b,
                      size_t ldb, size_t k, bool accumulate) {
  vreal sum[DOTS_ROWS];
  UNROLL for (int i = 0; i < rows; i++) sum[i] = splat(0);
  for (size_t j = 0; j < k; j += LANES) {
    vreal w = load(a + j);
    UNROLL for (int i = 0; i < rows; i++) sum[i] += w * load(b + (size_t)i * ldb + j);
  }
  UNROLL for (int i = 0; i < rows; i++) out[i] = lanes_sum(sum[i]) + (accumulate ? out[i] : 0);
}

static void dots(marea_real *out, size_t ldo, const marea_real *a, size_t lda, const marea_real *b,
                 size_t ldb, size_t m, size_t n, size_t k, bool accumulate) {
  for (size_t i = 0; i < n; i += DOTS_ROWS)
    for (size_t r = 0; r < m; r++) {
      marea_real *to = out + r * ldo + i;
      const marea_real *row = a + r * lda, *from = b + i * ldb;
      if (n - i >= DOTS_ROWS)
        some_dots(DOTS_ROWS, to, row, from, ldb, k, accumulate);
      else
        for (size_t l = 0; l < n - i; l++)
          some_dots(1, to + l, row, from + l * ldb, ldb, k, accumulate);
    }
}

static void sum_rows(marea_real *y, const marea_real *x, size_t ldx, size_t rows, size_t n) {
  for (size_t j = 0; j < n; j += LANES) {
    vreal sum = load(y + j);
    for (size_t i = 0; i < rows; i++) sum += load(x + i * ldx + j);
    store(y + j, sum);
  }
}

const marea_product_table LEVEL(marea_products) = {LANES, product, pack, dots, sum_rows};

#include "embed/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "embed/best.h"
#include "embed/sketch.h"
#include "kernels/gemm.h"

enum {
  ROWS = 1024,     /* of a piece */
  MOST_TERMS = 256 /* of a block of questions */
};
static const size_t SCRATCH_BYTES = 1 << 25; /* about what all pieces of a wave may take */
static const double MULTIPLY_EPSILON = 1e-6;

static int by_score(const void *left, const void *right) {
  const marea_found *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

/* ---- one piece of rows ---- */

typedef struct scan {
  const marea_vectors *vectors;
  const marea_search *search;
  size_t question, questions; /* of this block */
  size_t first;               /* row of the wave's first piece */
  size_t terms, best;         /* of a question; kept a piece */
  marea_real *rows;           /* (pieces, ROWS, width) when the store is not of reals */
  marea_real *scores;         /* (pieces, terms of the block, ROWS) */
  marea_found *lists;         /* (pieces, questions, best) */
  marea_found *found;         /* of all questions */
} scan;

static bool is_real(const marea_vectors *v) {
#ifdef MAREA_DOUBLE
  (void)v;
  return false;
#else
  return v->type == MAREA_FLOAT32;
#endif
}

enum { LANES = 16 };

static marea_real dot(const marea_real *restrict a, const marea_real *restrict b, size_t n) {
  marea_real sums[LANES] = {0}, sum = 0;
  size_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (size_t lane = 0; lane < LANES; lane++) sums[lane] += a[i + lane] * b[i + lane];
  for (; i < n; i++) sum += a[i] * b[i];
  for (size_t lane = 0; lane < LANES; lane++) sum += sums[lane];
  return sum;
}

/* terms x rows; a single term is read past the rows once, where a product would pack them first. */
static void multiply(const scan *s, const marea_real *terms, size_t term_count,
                     const marea_real *rows, size_t row_count, marea_real *scores) {
  size_t width = s->vectors->width;
  if (term_count == 1) {
    for (size_t i = 0; i < row_count; i++) scores[i] = dot(terms, rows + i * width, width);
    return;
  }
  marea_gemm(false, true, term_count, row_count, width, 1, terms, width, rows, width, 0, scores,
             ROWS);
}

/* Divides by the rows' norms; rows without a length get 0. */
static void normalise(const marea_vectors *v, size_t first, size_t count, marea_real *scores,
                      size_t terms) {
  marea_real inverse[ROWS];
  for (size_t i = 0; i < count; i++)
    inverse[i] = v->norms[first + i] > 0 ? 1 / (marea_real)v->norms[first + i] : 0;
  for (size_t t = 0; t < terms; t++)
    for (size_t i = 0; i < count; i++) scores[t * ROWS + i] *= inverse[i];
}

/* 3CosMul's score in place of the first term's cosine. */
static void combine(const marea_search *search, marea_real *scores, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double up = 1, down = 1;
    for (size_t t = 0; t < search->positive; t++) up *= (1 + (double)scores[t * ROWS + i]) / 2;
    for (size_t t = 0; t < search->negative; t++)
      down *= (1 + (double)scores[(search->positive + t) * ROWS + i]) / 2;
    scores[i] = (marea_real)(up / (down + MULTIPLY_EPSILON));
  }
}

static void scan_piece(void *context, size_t piece) {
  const scan *s = context;
  const marea_search *search = s->search;
  const marea_vectors *v = s->vectors;
  size_t first = s->first + piece * ROWS, block_terms = s->questions * s->terms;
  size_t count = search->last - first < ROWS ? search->last - first : ROWS;
  const marea_real *rows = (const marea_real *)v->data + first * v->width;
  marea_real *scores = s->scores + piece * block_terms * ROWS;
  if (!is_real(v)) {
    marea_real *copy = s->rows + piece * ROWS * v->width;
    marea_vectors_rows(v, first, count, copy);
    rows = copy;
  }
  multiply(s, search->terms + s->question * s->terms * v->width, block_terms, rows, count, scores);
  normalise(v, first, count, scores, block_terms);
  for (size_t q = 0; q < s->questions; q++) {
    marea_real *own = scores + q * s->terms * ROWS;
    marea_found *list = s->lists + (piece * s->questions + q) * s->best;
    double floor = s->found[(s->question + q) * search->best].score; /* what earlier waves had */
    if (search->multiply) combine(search, own, count);
    for (size_t i = 0; i < s->best; i++) list[i] = MAREA_NOBODY;
    for (size_t i = 0; i < count; i++)
      if ((double)own[i] >= floor)
        marea_best_offer(list, s->best, (double)own[i], (int64_t)(first + i));
  }
}

/* ---- waves of pieces, blocks of questions ---- */

static void merge_wave(const scan *s, size_t pieces) {
  size_t best = s->search->best;
  for (size_t q = 0; q < s->questions; q++) {
    marea_found *all = s->found + (s->question + q) * best;
    for (size_t piece = 0; piece < pieces; piece++) {
      const marea_found *list = s->lists + (piece * s->questions + q) * s->best;
      for (size_t i = 0; i < s->best; i++)
        if (list[i].row >= 0) marea_best_offer(all, best, list[i].score, list[i].row);
    }
  }
}

static void scan_block(scan *s, size_t wave) {
  for (s->first = s->search->first; s->first < s->search->last; s->first += wave * ROWS) {
    size_t pieces = marea_pieces(s->search->last - s->first, ROWS);
    if (pieces > wave) pieces = wave;
    marea_parallel(pieces, scan_piece, s);
    merge_wave(s, pieces);
  }
}

static marea_status check(const marea_vectors *v, const marea_search *s) {
  size_t terms = s->positive + s->negative;
  if (s->best < 1 || s->best > MAREA_MOST_FOUND || s->first > s->last || s->last > v->rows ||
      s->positive < 1 || terms > MOST_TERMS || (!s->multiply && terms != 1))
    return marea_fail(MAREA_ARGUMENT,
                      "search: best %zu (1 to %d), rows %zu to %zu of %zu, %zu + %zu terms (at "
                      "most %d)",
                      s->best, MAREA_MOST_FOUND, s->first, s->last, v->rows, s->positive,
                      s->negative, MOST_TERMS);
  return MAREA_OK;
}

/* How many questions a block has, and how many pieces a wave: by sizes alone. */
static void plan(const marea_vectors *v, const scan *s, size_t *block, size_t *wave) {
  size_t piece_count = marea_pieces(s->search->last - s->search->first, ROWS);
  *block = MOST_TERMS / s->terms;
  if (*block > s->search->questions) *block = s->search->questions;
  while (*block > 1 && *block * s->best * sizeof(marea_found) > SCRATCH_BYTES / 8) *block /= 2;
  size_t piece_bytes =
      *block * (s->terms * ROWS * sizeof(marea_real) + s->best * sizeof(marea_found));
  if (!is_real(v)) piece_bytes += ROWS * v->width * sizeof(marea_real);
  *wave = SCRATCH_BYTES / piece_bytes;
  if (*wave < 8) *wave = 8;
  if (*wave > piece_count) *wave = piece_count;
}

/* One question, and bytes to look at first: the scores are those that a full scan gives. */
static marea_status search_by_sketch(const marea_vectors *v, const marea_search *search,
                                     marea_found *found) {
  size_t count;
  int64_t *rows = marea_sketch_candidates(v, search, &count);
  marea_real *row = marea_alloc_array(v->width, sizeof *row);
  marea_status status = rows != NULL && row != NULL ? MAREA_OK : MAREA_NOMEM;
  for (size_t i = 0; status == MAREA_OK && i < count; i++) {
    marea_vectors_rows(v, (size_t)rows[i], 1, row);
    marea_real score = dot(search->terms, row, v->width);
    normalise(v, (size_t)rows[i], 1, &score, 1);
    marea_best_offer(found, search->best, (double)score, rows[i]);
  }
  marea_free(rows);
  marea_free(row);
  if (status == MAREA_OK) qsort(found, search->best, sizeof *found, by_score);
  return status;
}

marea_status marea_vectors_search(const marea_vectors *v, const marea_search *search,
                                  marea_found *found) {
  size_t block, wave;
  marea_status status = check(v, search);
  for (size_t i = 0; i < search->questions * search->best; i++) found[i] = MAREA_NOBODY;
  if (status != MAREA_OK || search->questions == 0 || search->first == search->last) return status;
  if (marea_sketch_suits(v, search)) return search_by_sketch(v, search, found);
  scan s = {.vectors = v,
            .search = search,
            .terms = search->positive + search->negative,
            .best = search->best < ROWS ? search->best : ROWS,
            .found = found};
  plan(v, &s, &block, &wave);
  s.scores = marea_alloc_array(wave * block * s.terms, ROWS * sizeof *s.scores);
  s.lists = marea_alloc_array(wave * block, s.best * sizeof *s.lists);
  if (!is_real(v)) s.rows = marea_alloc_array(wave * ROWS, v->width * sizeof *s.rows);
  if (s.scores == NULL || s.lists == NULL || (!is_real(v) && s.rows == NULL)) status = MAREA_NOMEM;
  for (; s.question < search->questions && status == MAREA_OK; s.question += block) {
    s.questions = search->questions - s.question < block ? search->questions - s.question : block;
    scan_block(&s, wave);
  }
  for (size_t q = 0; q < search->questions && status == MAREA_OK; q++)
    qsort(found + q * search->best, search->best, sizeof *found, by_score);
  marea_free(s.scores);
  marea_free(s.lists);
  marea_free(s.rows);
  return status;
}

/* ---- all cosines ---- */

typedef struct cosines {
  const marea_vectors *vectors;
  const marea_real *term;
  marea_real *scores;
  marea_real *rows; /* a row a piece */
} cosines;

static void cosine_piece(void *context, size_t piece) {
  const cosines *c = context;
  const marea_vectors *v = c->vectors;
  size_t first = piece * ROWS, last = first + ROWS < v->rows ? first + ROWS : v->rows;
  marea_real *row = c->rows + piece * v->width;
  for (size_t at = first; at < last; at++) {
    marea_vectors_rows(v, at, 1, row);
    c->scores[at] = dot(c->term, row, v->width);
  }
  normalise(v, first, last - first, c->scores + first, 1);
}

marea_status marea_vectors_cosines(const marea_vectors *v, const marea_real *term,
                                   marea_real *scores) {
  size_t pieces = marea_pieces(v->rows, ROWS);
  cosines c = {v, term, scores, marea_alloc_array(pieces + 1, v->width * sizeof *c.rows)};
  if (c.rows == NULL) return MAREA_NOMEM;
  marea_parallel(pieces, cosine_piece, &c);
  marea_free(c.rows);
  return MAREA_OK;
}

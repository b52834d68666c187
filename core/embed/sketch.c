#include "embed/sketch.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "embed/best.h"
#include "kernels/simd/byte_dots.h"

enum {
  ROWS = 4096, /* of a piece */
  BLOCK = 64,  /* rows that are passed over together */
  LANES = 16,
  LEAST_ROWS = 16384,   /* below, a full scan is as quick */
  MOST_WIDTH = 4096,    /* sums of products fit 32 bits */
  CODE_MOST = 127,      /* of a row's number */
  QUESTION_MOST = 2047, /* of a question's number */
  MOST_BEST = 256
};
static const float ROUNDING = 4e-6f; /* of the 32-bit arithmetic around it */

/* ---- making ---- */

static void encode_row(const marea_vectors *v, struct marea_sketch *s, size_t row) {
  const float *x = (const float *)v->data + row * v->width;
  int8_t *codes = s->codes + row * s->stride;
  float largest = 0, inverse = v->norms[row] > 0 ? 1 / v->norms[row] : 0;
  if (!isfinite(inverse)) inverse = 0;
  for (size_t i = 0; i < v->width; i++) largest = fmaxf(largest, fabsf(x[i] * inverse));
  float scale = largest / CODE_MOST, to_code = scale > 0 ? 1 / scale : 0;
  double rest = 0;
  for (size_t i = 0; i < v->width; i++) {
    float unit = x[i] * inverse, code = rintf(unit * to_code);
    codes[i] = (int8_t)fmaxf(-CODE_MOST, fminf(CODE_MOST, code));
    double off = (double)unit - (double)scale * (double)codes[i];
    rest += off * off;
  }
  memset(codes + v->width, 0, s->stride - v->width);
  s->scales[row] = scale;
  s->errors[row] = (float)sqrt(rest) * 1.0001f + ROUNDING;
}

static void encode_piece(void *context, size_t piece) {
  marea_vectors *v = context;
  size_t first = piece * ROWS, last = first + ROWS < v->rows ? first + ROWS : v->rows;
  for (size_t row = first; row < last; row++) encode_row(v, v->sketch, row);
}

void marea_sketch_free(struct marea_sketch *s) {
  if (s == NULL) return;
  marea_free(s->codes);
  marea_free(s->scales);
  marea_free(s->errors);
  marea_free(s);
}

marea_status marea_vectors_prepare(marea_vectors *v) {
  if (v->sketch != NULL || v->type != MAREA_FLOAT32 || v->rows < LEAST_ROWS ||
      v->width > MOST_WIDTH)
    return MAREA_OK;
  struct marea_sketch *s = marea_alloc_zero(1, sizeof *s);
  if (s == NULL) return MAREA_NOMEM;
  s->stride = (v->width + MAREA_BYTE_LANES - 1) / MAREA_BYTE_LANES * MAREA_BYTE_LANES;
  s->codes = marea_alloc_array(v->rows, s->stride);
  s->scales = marea_alloc_array(v->rows, sizeof *s->scales);
  s->errors = marea_alloc_array(v->rows, sizeof *s->errors);
  if (s->codes == NULL || s->scales == NULL || s->errors == NULL) {
    marea_sketch_free(s);
    return MAREA_NOMEM;
  }
  v->sketch = s;
  marea_parallel(marea_pieces(v->rows, ROWS), encode_piece, v);
  return MAREA_OK;
}

/* ---- looking ---- */

typedef struct look {
  const struct marea_sketch *sketch;
  size_t first, last, best;
  int16_t *question;
  float scale, rest;  /* of the question: scale * codes + what has this length */
  float *cosines;     /* of rows first … last-1, from the bytes */
  float *highest;     /* of each block: the most that one of its cosines can be */
  marea_found *lists; /* (pieces, best): the highest lower bounds */
} look;

static float error_of(const look *l, size_t row) {
  float error = l->sketch->errors[row];
  return error + (1 + error) * l->rest;
}

/* Cosines from sums of products, and the highest that one of them can be. */
static float scale_block(const look *l, size_t row, size_t count, const int32_t *sums,
                         float *cosines) {
  const float *restrict scales = l->sketch->scales + row;
  float highest = -2, lanes[LANES], upper[BLOCK];
  for (size_t i = 0; i < count; i++) {
    cosines[i] = (float)sums[i] * (scales[i] * l->scale);
    upper[i] = cosines[i] + error_of(l, row + i);
  }
  for (size_t i = count; i < BLOCK; i++) upper[i] = -2;
  for (size_t lane = 0; lane < LANES; lane++) lanes[lane] = -2;
  for (size_t i = 0; i < BLOCK; i += LANES)
    for (size_t lane = 0; lane < LANES; lane++)
      lanes[lane] = upper[i + lane] > lanes[lane] ? upper[i + lane] : lanes[lane];
  for (size_t lane = 0; lane < LANES; lane++) highest = fmaxf(highest, lanes[lane]);
  return highest;
}

static void look_piece(void *context, size_t piece) {
  const look *l = context;
  const struct marea_sketch *s = l->sketch;
  int32_t sums[ROWS];
  size_t first = l->first + piece * ROWS;
  size_t count = l->last - first < ROWS ? l->last - first : ROWS;
  marea_found *list = l->lists + piece * l->best;
  for (size_t i = 0; i < l->best; i++) list[i] = MAREA_NOBODY;
  MAREA_PICK(marea_byte_dots)
      ->dots(s->codes + first * s->stride, count, s->stride, l->question, sums);
  for (size_t at = 0; at < count; at += BLOCK) {
    size_t rows = count - at < BLOCK ? count - at : BLOCK, place = first - l->first + at;
    float *cosines = l->cosines + place;
    float highest = scale_block(l, first + at, rows, sums + at, cosines);
    l->highest[place / BLOCK] = highest;
    if ((double)highest < list[0].score) continue;
    for (size_t i = 0; i < rows; i++)
      marea_best_offer(list, l->best, (double)(cosines[i] - error_of(l, first + at + i)),
                       (int64_t)(first + at + i));
  }
}

static void encode_question(look *l, const marea_real *x, size_t width) {
  float largest = 0;
  double rest = 0;
  for (size_t i = 0; i < width; i++) largest = fmaxf(largest, fabsf((float)x[i]));
  l->scale = largest / QUESTION_MOST;
  for (size_t i = 0; i < width; i++) {
    l->question[i] = (int16_t)(l->scale > 0 ? rintf((float)x[i] / l->scale) : 0);
    double off = (double)x[i] - (double)l->scale * (double)l->question[i];
    rest += off * off;
  }
  l->rest = (float)sqrt(rest) * 1.0001f + ROUNDING;
}

bool marea_sketch_suits(const marea_vectors *v, const marea_search *search) {
  return v->sketch != NULL && !search->multiply && search->questions == 1 &&
         search->best <= MOST_BEST && search->last - search->first >= LEAST_ROWS;
}

/* The best-th highest lower bound of all pieces: nothing below it can be among the best. */
static double threshold(const look *l, size_t pieces) {
  for (size_t i = l->best; i < pieces * l->best; i++)
    if (l->lists[i].row >= 0)
      marea_best_offer(l->lists, l->best, l->lists[i].score, l->lists[i].row);
  return l->lists[0].score;
}

/* Rows that can reach `least`; into `list` unless it is NULL. How many there are. */
static size_t choose(const look *l, double least, int64_t *list) {
  size_t rows = l->last - l->first, found = 0;
  for (size_t at = 0; at < rows; at += BLOCK) {
    size_t end = at + BLOCK < rows ? at + BLOCK : rows;
    if ((double)l->highest[at / BLOCK] < least) continue;
    for (size_t i = at; i < end; i++) {
      if ((double)(l->cosines[i] + error_of(l, l->first + i)) < least) continue;
      if (list != NULL) list[found] = (int64_t)(l->first + i);
      found++;
    }
  }
  return found;
}

int64_t *marea_sketch_candidates(const marea_vectors *v, const marea_search *search,
                                 size_t *count) {
  size_t rows = search->last - search->first, pieces = marea_pieces(rows, ROWS);
  look l = {
      .sketch = v->sketch, .first = search->first, .last = search->last, .best = search->best};
  int64_t *list = NULL;
  l.question = marea_alloc_zero(v->sketch->stride, sizeof *l.question);
  l.cosines = marea_alloc_array(rows, sizeof *l.cosines);
  l.lists = marea_alloc_array(pieces * l.best, sizeof *l.lists);
  l.highest = marea_alloc_array(marea_pieces(rows, BLOCK), sizeof *l.highest);
  if (l.question != NULL && l.cosines != NULL && l.lists != NULL && l.highest != NULL) {
    encode_question(&l, search->terms, v->width);
    marea_parallel(pieces, look_piece, &l);
    double least = threshold(&l, pieces);
    list = marea_alloc_array(choose(&l, least, NULL), sizeof *list);
    if (list != NULL) *count = choose(&l, least, list);
  }
  marea_free(l.question);
  marea_free(l.cosines);
  marea_free(l.highest);
  marea_free(l.lists);
  return list;
}

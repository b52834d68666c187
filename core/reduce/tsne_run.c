/* Gradient descent on a t-SNE map, and the divergence that it lowers. */
#include <math.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "kernels/simd/map_loops.h"
#include "reduce/tsne_internal.h"

typedef struct step {
  marea_tsne *t;
  const marea_tsne_phase *phase;
  double shift[TSNE_AXES]; /* of the map's middle */
} step;

static size_t chunk_end(const marea_tsne *t, size_t piece) {
  return (piece + 1) * TSNE_CHUNK < t->n ? (piece + 1) * TSNE_CHUNK : t->n;
}

static void point_at(const marea_tsne *t, size_t i, marea_real *at) {
  for (int a = 0; a < t->axes; a++) at[a] = t->y[(size_t)a * t->stride + i];
}

/* ---- forces ---- */

static void exact_piece(void *context, size_t piece) {
  marea_tsne *t = context;
  const marea_map_table *map = MAREA_PICK(marea_map);
  double z = 0;
  for (size_t i = piece * TSNE_CHUNK; i < chunk_end(t, piece); i++) {
    marea_real at[TSNE_AXES], force[TSNE_AXES];
    point_at(t, i, at);
    z += map->repel(t->axes, t->y, t->stride, t->n, at, force) - 1; /* its own q */
    for (int a = 0; a < t->axes; a++) t->push[(size_t)a * t->stride + i] = force[a];
  }
  t->sums[piece * TSNE_SUMS] = z;
}

void tsne_push_exact(marea_tsne *t) {
  size_t pieces = marea_pieces(t->n, TSNE_CHUNK);
  marea_parallel(pieces, exact_piece, t);
  t->z = 0;
  for (size_t piece = 0; piece < pieces; piece++) t->z += t->sums[piece * TSNE_SUMS];
}

static void pull_piece(void *context, size_t piece) {
  marea_tsne *t = context;
  const marea_map_table *map = MAREA_PICK(marea_map);
  for (size_t i = piece * TSNE_CHUNK; i < chunk_end(t, piece); i++) {
    marea_real at[TSNE_AXES], force[TSNE_AXES];
    size_t first = t->affinity.offsets[i];
    point_at(t, i, at);
    map->attract(t->axes, t->y, t->stride, t->affinity.columns + first, t->affinity.p + first,
                 t->affinity.offsets[i + 1] - first, at, force);
    for (int a = 0; a < t->axes; a++) t->pull[(size_t)a * t->stride + i] = force[a];
  }
}

static marea_status push(marea_tsne *t) {
  if (t->method == MAREA_TSNE_TREE) return tsne_push_tree(t);
  if (t->method == MAREA_TSNE_GRID) return tsne_push_grid(t);
  tsne_push_exact(t);
  return MAREA_OK;
}

/* ---- a step ---- */

/* Gains grow while a coordinate keeps its direction and shrink where it turns. */
static marea_real new_gain(marea_real gain, marea_real slope, marea_real velocity) {
  bool onward = (slope > 0) != (velocity > 0);
  gain = onward ? gain + (marea_real)0.2 : gain * (marea_real)0.8;
  return gain < (marea_real)0.01 ? (marea_real)0.01 : gain;
}

static double move_point(step *s, size_t i) {
  marea_tsne *t = s->t;
  const marea_tsne_phase *phase = s->phase;
  double squares = 0, length = 0;
  for (int a = 0; a < t->axes; a++) {
    size_t at = (size_t)a * t->stride + i;
    double slope = phase->exaggeration * (double)t->pull[at] - (double)t->push[at] / t->z;
    t->gain[at] = new_gain(t->gain[at], (marea_real)slope, t->velocity[at]);
    double velocity = phase->momentum * (double)t->velocity[at] -
                      phase->learning_rate * (double)t->gain[at] * slope;
    t->velocity[at] = (marea_real)velocity;
    length += velocity * velocity;
    squares += slope * slope;
  }
  double most = phase->largest_step;
  double scale = most > 0 && length > most * most ? most / sqrt(length) : 1;
  for (int a = 0; a < t->axes; a++) {
    size_t at = (size_t)a * t->stride + i;
    if (scale < 1) t->velocity[at] = (marea_real)((double)t->velocity[at] * scale);
    t->y[at] += t->velocity[at];
  }
  return squares;
}

static void move_piece(void *context, size_t piece) {
  step *s = context;
  marea_tsne *t = s->t;
  double *sums = t->sums + piece * TSNE_SUMS;
  memset(sums, 0, TSNE_SUMS * sizeof *sums);
  for (size_t i = piece * TSNE_CHUNK; i < chunk_end(t, piece); i++) {
    sums[TSNE_AXES] += move_point(s, i);
    for (int a = 0; a < t->axes; a++) sums[a] += (double)t->y[(size_t)a * t->stride + i];
  }
}

static void centre_piece(void *context, size_t piece) {
  step *s = context;
  for (int a = 0; a < s->t->axes; a++) {
    marea_real *y = s->t->y + (size_t)a * s->t->stride, shift = (marea_real)s->shift[a];
    for (size_t i = piece * TSNE_CHUNK; i < chunk_end(s->t, piece); i++) y[i] -= shift;
  }
}

static marea_status one_step(marea_tsne *t, const marea_tsne_phase *phase) {
  step s = {t, phase, {0}};
  size_t pieces = marea_pieces(t->n, TSNE_CHUNK);
  marea_parallel(pieces, pull_piece, t);
  marea_status status = push(t);
  if (status != MAREA_OK) return status;
  marea_parallel(pieces, move_piece, &s);
  double squares = 0;
  for (size_t piece = 0; piece < pieces; piece++) {
    for (int a = 0; a < t->axes; a++) s.shift[a] += t->sums[piece * TSNE_SUMS + (size_t)a];
    squares += t->sums[piece * TSNE_SUMS + TSNE_AXES];
  }
  for (int a = 0; a < t->axes; a++) s.shift[a] /= (double)t->n;
  if (!isfinite(squares) || !isfinite(s.shift[0]))
    return marea_fail(MAREA_NONFINITE,
                      "tsne: the map diverges at learning rate %g; a lower one is needed",
                      phase->learning_rate);
  marea_parallel(pieces, centre_piece, &s);
  t->gradient_norm = sqrt(squares);
  return MAREA_OK;
}

marea_status marea_tsne_run(marea_tsne *t, const marea_tsne_phase *phase, size_t iterations,
                            size_t *done) {
  marea_status status = MAREA_OK;
  *done = 0;
  if (!(phase->learning_rate > 0) || !(phase->exaggeration > 0) ||
      !(phase->momentum >= 0 && phase->momentum < 1))
    return marea_fail(MAREA_RANGE,
                      "tsne: learning rate %g and exaggeration %g must be above 0, momentum %g "
                      "in 0 to 1",
                      phase->learning_rate, phase->exaggeration, phase->momentum);
  while (*done < iterations && !marea_interrupted()) {
    status = one_step(t, phase);
    if (status != MAREA_OK) break;
    ++*done;
  }
  return status;
}

/* ---- the divergence ---- */

/* sums[0]: sum of p log(1 + d^2) */
static void divergence_piece(void *context, size_t piece) {
  marea_tsne *t = context;
  double sum = 0;
  for (size_t i = piece * TSNE_CHUNK; i < chunk_end(t, piece); i++)
    for (size_t e = t->affinity.offsets[i]; e < t->affinity.offsets[i + 1]; e++) {
      double squared = 0;
      for (int a = 0; a < t->axes; a++) {
        const marea_real *y = t->y + (size_t)a * t->stride;
        double apart = (double)y[i] - (double)y[t->affinity.columns[e]];
        squared += apart * apart;
      }
      sum += (double)t->affinity.p[e] * log1p(squared);
    }
  t->sums[piece * TSNE_SUMS] = sum;
}

/* sum p log(p / q), where q = 1 / ((1 + d^2) z). */
marea_status marea_tsne_divergence(marea_tsne *t, bool exact, double *divergence) {
  marea_status status = MAREA_OK;
  if (exact)
    tsne_push_exact(t);
  else
    status = push(t);
  if (status != MAREA_OK) return status;
  size_t pieces = marea_pieces(t->n, TSNE_CHUNK);
  marea_parallel(pieces, divergence_piece, t);
  double sum = log(t->z) - t->affinity.entropy;
  for (size_t piece = 0; piece < pieces; piece++) sum += t->sums[piece * TSNE_SUMS];
  *divergence = sum;
  return MAREA_OK;
}

/* PCA, neighbours, weights of pairs and the forces of t-SNE against loops over their definitions.
 */
#include <stdlib.h>

#include "base/random.h"
#include "base/threads.h"
#include "reduce/affinity.h"
#include "reduce/neighbours.h"
#include "reduce/pca.h"
#include "reduce/tsne.h"
#include "test.h"

static marea_real *random_rows(size_t n, size_t d, uint64_t id) {
  marea_stream stream = marea_stream_new(3, id);
  marea_real *x = malloc(n * d * sizeof *x);
  marea_stream_fill_normal(&stream, x, n * d, 0, 1);
  return x;
}

static double squared_distance(const marea_real *a, const marea_real *b, size_t d) {
  double sum = 0;
  for (size_t j = 0; j < d; j++)
    sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
  return sum;
}

/* ---- PCA ---- */

static double covariance(const marea_real *x, size_t n, size_t d, size_t a, size_t b) {
  double mean_a = 0, mean_b = 0, sum = 0;
  for (size_t i = 0; i < n; i++) {
    mean_a += (double)x[i * d + a] / (double)n;
    mean_b += (double)x[i * d + b] / (double)n;
  }
  for (size_t i = 0; i < n; i++)
    sum += ((double)x[i * d + a] - mean_a) * ((double)x[i * d + b] - mean_b);
  return sum / (double)(n - 1);
}

/* A component is an eigenvector of the covariance, with the variance for its value. */
static void check_component(const marea_pca *p, const marea_real *x, size_t n, size_t c,
                            double allowed) {
  size_t d = p->columns;
  double length = 0, largest = 0;
  for (size_t a = 0; a < d; a++) {
    double sum = 0, here = (double)p->components[c * d + a];
    for (size_t b = 0; b < d; b++)
      sum += covariance(x, n, d, a, b) * (double)p->components[c * d + b];
    CHECK_NEAR(sum, p->variance[c] * here, allowed);
    length += here * here;
    if (fabs(here) > fabs(largest)) largest = here;
  }
  CHECK_NEAR(length, 1, 1e-5);
  CHECK(largest > 0);
}

static void check_pca(size_t n, size_t d, size_t count, marea_pca_method method) {
  marea_real *x = random_rows(n, d, 1);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++)
      x[i * d + j] = (marea_real)((double)x[i * d + j] / pow(1.5, (double)j));
  marea_pca *p = marea_pca_fit(x, n, d, count, method, 1);
  if (CHECK(p != NULL)) {
    double trace = 0;
    for (size_t j = 0; j < d; j++) trace += covariance(x, n, d, j, j);
    CHECK_NEAR(p->total_variance, trace, 1e-4);
    for (size_t c = 0; c < count; c++) {
      CHECK(c == 0 || p->variance[c] <= p->variance[c - 1]);
      check_component(p, x, n, c, method == MAREA_PCA_EXACT ? 1e-4 : 5e-4);
    }
  }
  marea_pca_free(p);
  free(x);
}

/* ---- neighbours ---- */

/* The k nearest by looking at all, nearest first; equal ones in their order. */
static void naive_nearest(const marea_real *q, const marea_real *points, size_t n, size_t d,
                          size_t self, size_t k, size_t *nearest) {
  for (size_t rank = 0; rank < k; rank++) {
    double best = HUGE_VAL;
    for (size_t i = 0; i < n; i++) {
      bool taken = i == self;
      for (size_t r = 0; r < rank; r++) taken = taken || nearest[r] == i;
      double here = squared_distance(q, points + i * d, d);
      if (!taken && here < best) {
        best = here;
        nearest[rank] = i;
      }
    }
  }
}

static void check_neighbours(size_t m, size_t n, size_t d, size_t k, bool themselves) {
  marea_real *points = random_rows(n, d, 2), *queries = themselves ? points : random_rows(m, d, 4);
  int32_t *index = malloc(m * k * sizeof *index);
  marea_real *squared = malloc(m * k * sizeof *squared);
  for (size_t j = 0; j < d; j++) points[(n - 1) * d + j] = points[j]; /* two at one place */
  CHECK(marea_neighbours(queries, m, points, n, d, k, themselves, index, squared) == MAREA_OK);
  for (size_t i = 0; i < m; i++) {
    size_t nearest[64];
    naive_nearest(queries + i * d, points, n, d, themselves ? i : n, k, nearest);
    for (size_t r = 0; r < k; r++) {
      CHECK(index[i * k + r] == (int32_t)nearest[r]);
      CHECK_NEAR(squared[i * k + r], squared_distance(queries + i * d, points + nearest[r] * d, d),
                 1e-4);
    }
  }
  if (queries != points) free(queries);
  free(points);
  free(index);
  free(squared);
}

static void test_neighbours(void) {
  check_neighbours(10, 40, 3, 5, false);
  check_neighbours(130, 130, 17, 7, true);
  check_neighbours(3, 2500, 8, 33, false); /* more than a block of products */
  check_neighbours(70, 70, 2, 60, true);
  check_neighbours(5, 4, 6, 4, false); /* all of them */
  check_neighbours(1, 1, 1, 1, false);
}

/* ---- t-SNE ---- */

enum { POINTS = 300, WIDTH = 5 };

/* Slopes of the divergence by its formula: sum_j (p_ij - q_ij / z) q_ij (y_i - y_j), without 4. */
static double naive_gradient(const marea_tsne *t, const marea_real *map, int axes,
                             double *gradient) {
  const size_t *offsets;
  const int32_t *columns;
  const marea_real *p;
  double z = 0, divergence = 0;
  size_t d = (size_t)axes;
  marea_tsne_pairs(t, &offsets, &columns, &p);
  for (size_t i = 0; i < POINTS; i++)
    for (size_t j = 0; j < POINTS; j++)
      if (i != j) z += 1 / (1 + squared_distance(map + i * d, map + j * d, d));
  memset(gradient, 0, POINTS * d * sizeof *gradient);
  for (size_t i = 0; i < POINTS; i++) {
    double weights[POINTS] = {0};
    for (size_t e = offsets[i]; e < offsets[i + 1]; e++) weights[columns[e]] = (double)p[e];
    for (size_t j = 0; j < POINTS; j++) {
      double q = 1 / (1 + squared_distance(map + i * d, map + j * d, d));
      for (size_t a = 0; a < d; a++)
        gradient[i * d + a] +=
            (weights[j] - q / z) * q * ((double)map[i * d + a] - (double)map[j * d + a]);
      if (i != j && weights[j] > 0) divergence += weights[j] * log(weights[j] * z / q);
    }
  }
  return divergence;
}

/* The place after one step from rest: a slope's first gain is 1.2 when it is positive, else 0.8;
 * afterwards the map is centred. */
static void expect_step(const marea_real *map, size_t axes, double rate, const double *gradient,
                        double *expected) {
  double middle[3] = {0};
  for (size_t i = 0; i < POINTS * axes; i++) {
    expected[i] = (double)map[i] - rate * (gradient[i] > 0 ? 1.2 : 0.8) * gradient[i];
    middle[i % axes] += expected[i] / POINTS;
  }
  for (size_t i = 0; i < POINTS * axes; i++) expected[i] -= middle[i % axes];
}

static void check_step(marea_tsne *t, const marea_real *map, int axes, const double *gradient,
                       double allowed) {
  const marea_tsne_phase phase = {.exaggeration = 1, .learning_rate = 1e4};
  size_t count = POINTS * (size_t)axes, done;
  double *expected = malloc(count * sizeof *expected), error = 0, length = 0;
  marea_real *after = malloc(count * sizeof *after);
  CHECK(marea_tsne_run(t, &phase, 1, &done) == MAREA_OK && done == 1);
  marea_tsne_get_map(t, after);
  expect_step(map, (size_t)axes, phase.learning_rate, gradient, expected);
  for (size_t i = 0; i < count; i++) {
    error += ((double)after[i] - expected[i]) * ((double)after[i] - expected[i]);
    length += phase.learning_rate * gradient[i] * phase.learning_rate * gradient[i];
  }
  CHECK_NEAR(sqrt(error / length), 0, allowed);
  free(expected);
  free(after);
}

static void check_forces(int axes, marea_tsne_method method, double allowed) {
  marea_real *x = random_rows(POINTS, WIDTH, 6);
  size_t count = POINTS * (size_t)axes;
  marea_real *map = random_rows(POINTS, (size_t)axes, 7);
  double *gradient = malloc(count * sizeof *gradient), divergence;
  for (size_t i = 0; i < count; i++) map[i] *= (marea_real)1.5;
  marea_tsne_options options = {.axes = axes, .perplexity = 20, .method = method, .angle = 0.2};
  marea_tsne *t = marea_tsne_new(x, POINTS, WIDTH, &options);
  CHECK(marea_tsne_set_map(t, map) == MAREA_OK);
  double expected = naive_gradient(t, map, axes, gradient);
  CHECK(marea_tsne_divergence(t, true, &divergence) == MAREA_OK);
  CHECK_NEAR(divergence, expected, 1e-5);
  CHECK(marea_tsne_divergence(t, false, &divergence) == MAREA_OK);
  CHECK_NEAR(divergence, expected, 5e-3);
  check_step(t, map, axes, gradient, allowed);
  marea_tsne_free(t);
  free(x);
  free(map);
  free(gradient);
}

static void test_forces(void) {
  for (int axes = 1; axes <= 3; axes++) {
    check_forces(axes, MAREA_TSNE_EXACT, 1e-5);
    check_forces(axes, MAREA_TSNE_TREE, 3e-3);
    if (axes < 3) check_forces(axes, MAREA_TSNE_GRID, 5e-3);
  }
}

/* Rows of the weights have the entropy that was asked for. */
static void test_perplexity(void) {
  marea_real squared[2 * 6] = {1, 2, 3, 4, 5, 6, 0, 0, 0, 1, 9, 9}, p[12];
  double beta[2];
  marea_perplexity_search(squared, 2, 6, 4.5, p, beta);
  for (size_t i = 0; i < 2; i++) {
    double sum = 0, entropy = 0;
    for (size_t j = 0; j < 6; j++) {
      double here = (double)p[i * 6 + j];
      sum += here;
      if (here > 0) entropy -= here * log(here);
    }
    CHECK_NEAR(sum, 1, 1e-6);
    CHECK_NEAR(entropy, log(4.5), 2e-5);
  }
}

/* Whole runs on one thread and on three give the same bits. */
static void test_threads(void) {
  marea_real *x = random_rows(POINTS, WIDTH, 8), *start = random_rows(POINTS, 2, 9);
  for (int method = MAREA_TSNE_EXACT; method <= MAREA_TSNE_GRID; method++) {
    marea_real maps[2][POINTS * 2];
    for (int run = 0; run < 2; run++) {
      marea_tsne_options options = {
          .axes = 2, .perplexity = 20, .method = (marea_tsne_method)method, .angle = 0.5};
      const marea_tsne_phase phase = {.exaggeration = 4, .learning_rate = 50, .momentum = 0.5};
      size_t done;
      marea_threads_set(1 + 2 * run);
      marea_tsne *t = marea_tsne_new(x, POINTS, WIDTH, &options);
      CHECK(marea_tsne_set_map(t, start) == MAREA_OK);
      CHECK(marea_tsne_run(t, &phase, 20, &done) == MAREA_OK);
      marea_tsne_get_map(t, maps[run]);
      marea_tsne_free(t);
    }
    CHECK(memcmp(maps[0], maps[1], sizeof maps[0]) == 0);
  }
  free(x);
  free(start);
}

int main(void) {
  check_pca(50, 6, 6, MAREA_PCA_EXACT);
  check_pca(8, 12, 5, MAREA_PCA_EXACT);
  check_pca(300, 20, 3, MAREA_PCA_RANDOMISED);
  test_neighbours();
  test_perplexity();
  test_forces();
  test_threads();
  marea_threads_stop();
  return test_end();
}

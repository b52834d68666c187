#include "embed/transport.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { MOST_POINTS = 4096 };
static const double DUST = 1e-12; /* mass below this is rounding */
static const double FAR = DBL_MAX;

/* Nodes 0 … n-1 have mass to give, n … n+m-1 want some. */
typedef struct network {
  size_t n, m;
  const double *cost;
  double *flow;        /* (n, m) */
  double *give, *want; /* what is left */
  double *potential, *distance;
  size_t *parent;
  bool *settled;
} network;

static double reduced(const network *w, size_t i, size_t j) {
  double cost = w->cost[i * w->m + j] + w->potential[i] - w->potential[w->n + j];
  return cost > 0 ? cost : 0;
}

static void relax(network *w, size_t from, size_t to, double cost) {
  double distance = w->distance[from] + cost;
  if (w->settled[to] || distance >= w->distance[to]) return;
  w->distance[to] = distance;
  w->parent[to] = from;
}

static void relax_all(network *w, size_t node) {
  if (node < w->n) {
    for (size_t j = 0; j < w->m; j++) relax(w, node, w->n + j, reduced(w, node, j));
    return;
  }
  size_t j = node - w->n;
  for (size_t i = 0; i < w->n; i++)
    if (w->flow[i * w->m + j] > 0) relax(w, node, i, 0); /* an edge in use has reduced cost 0 */
}

static size_t nearest(const network *w) {
  size_t best = w->n + w->m;
  for (size_t i = 0; i < w->n + w->m; i++)
    if (!w->settled[i] && w->distance[i] < FAR &&
        (best == w->n + w->m || w->distance[i] < w->distance[best]))
      best = i;
  return best;
}

/* Dijkstra from all that still give to the nearest that still wants; that node, or n + m. */
static size_t find_path(network *w) {
  size_t all = w->n + w->m, goal = all;
  for (size_t i = 0; i < all; i++) {
    w->settled[i] = false;
    w->parent[i] = all;
    w->distance[i] = i < w->n && w->give[i] > 0 ? 0 : FAR;
  }
  for (;;) {
    size_t node = nearest(w);
    if (node == all) return all;
    w->settled[node] = true;
    if (node >= w->n && w->want[node - w->n] > 0) {
      goal = node;
      break;
    }
    relax_all(w, node);
  }
  for (size_t i = 0; i < all; i++)
    w->potential[i] += w->settled[i] ? w->distance[i] : w->distance[goal];
  return goal;
}

/* Sends as much as the path bears. */
static void send(network *w, size_t goal) {
  size_t all = w->n + w->m, start = goal;
  double mass = w->want[goal - w->n];
  for (size_t at = goal; w->parent[at] != all; at = w->parent[at]) {
    size_t from = w->parent[at];
    if (at < w->n) mass = fmin(mass, w->flow[at * w->m + (from - w->n)]);
    start = from;
  }
  mass = fmin(mass, w->give[start]);
  for (size_t at = goal; w->parent[at] != all; at = w->parent[at]) {
    size_t from = w->parent[at];
    double *flow =
        at < w->n ? &w->flow[at * w->m + (from - w->n)] : &w->flow[from * w->m + (at - w->n)];
    *flow += at < w->n ? -mass : mass;
    if (*flow < DUST) *flow = 0;
  }
  w->give[start] -= mass;
  w->want[goal - w->n] -= mass;
  if (w->give[start] < DUST) w->give[start] = 0;
  if (w->want[goal - w->n] < DUST) w->want[goal - w->n] = 0;
}

static marea_status check(size_t n, size_t m, const double *a, const double *b,
                          const double *cost) {
  double sum_a = 0, sum_b = 0;
  bool sound = n > 0 && m > 0 && n <= MOST_POINTS && m <= MOST_POINTS;
  for (size_t i = 0; i < n && sound; i++) sound = a[i] > 0 && isfinite(sum_a += a[i]);
  for (size_t i = 0; i < m && sound; i++) sound = b[i] > 0 && isfinite(sum_b += b[i]);
  for (size_t i = 0; sound && i < n * m; i++) sound = cost[i] >= 0 && isfinite(cost[i]);
  if (sound && fabs(sum_a - sum_b) <= 1e-9 * (sum_a + sum_b)) return MAREA_OK;
  return marea_fail(MAREA_ARGUMENT,
                    "transport: expected 1 to %d positive masses a side with equal sums, and costs "
                    "that are not negative",
                    MOST_POINTS);
}

static bool make(network *w, const double *a, const double *b) {
  size_t all = w->n + w->m;
  w->flow = marea_alloc_zero(w->n * w->m, sizeof *w->flow);
  w->give = marea_alloc_array(w->n, sizeof *w->give);
  w->want = marea_alloc_array(w->m, sizeof *w->want);
  w->potential = marea_alloc_zero(all, sizeof *w->potential);
  w->distance = marea_alloc_array(all, sizeof *w->distance);
  w->parent = marea_alloc_array(all, sizeof *w->parent);
  w->settled = marea_alloc_array(all, sizeof *w->settled);
  if (w->flow == NULL || w->give == NULL || w->want == NULL || w->potential == NULL ||
      w->distance == NULL || w->parent == NULL || w->settled == NULL)
    return false;
  memcpy(w->give, a, w->n * sizeof *a);
  memcpy(w->want, b, w->m * sizeof *b);
  return true;
}

static void release(network *w) {
  marea_free(w->flow);
  marea_free(w->give);
  marea_free(w->want);
  marea_free(w->potential);
  marea_free(w->distance);
  marea_free(w->parent);
  marea_free(w->settled);
}

marea_status marea_transport(size_t n, size_t m, const double *a, const double *b,
                             const double *cost, double *total) {
  marea_status status = check(n, m, a, b, cost);
  if (status != MAREA_OK) return status;
  network w = {.n = n, .m = m, .cost = cost};
  *total = 0;
  if (make(&w, a, b)) {
    for (size_t goal = find_path(&w); goal != n + m; goal = find_path(&w)) send(&w, goal);
    for (size_t i = 0; i < n * m; i++) *total += w.flow[i] * cost[i];
  } else {
    status = MAREA_NOMEM;
  }
  release(&w);
  return status;
}

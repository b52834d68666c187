/* How near points are to each other, as t-SNE sees it: Gaussian weights whose width suits the
 * density around each point (van der Maaten and Hinton, 2008). */
#ifndef MAREA_REDUCE_AFFINITY_H
#define MAREA_REDUCE_AFFINITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"

/* Weights of pairs, sparse: row i has the entries offsets[i] … offsets[i + 1] - 1. */
typedef struct marea_affinity {
  size_t n;
  size_t *offsets;  /* (n + 1) */
  int32_t *columns; /* ascending in a row */
  marea_real *p;    /* sum over all entries 1, p_ij = p_ji */
  double entropy;   /* - sum of p log p */
} marea_affinity;

/* For each of n rows of k squared distances, nearest first, the weights p (n, k), which add up to
 * 1, proportional to exp(-beta squared), with the precision beta (n) at which the entropy is
 * log(perplexity): to 1e-5 nats, in at most 200 halvings. Where no beta reaches it (equal
 * distances), the nearest one that was tried. `p` may be `squared`. */
void marea_perplexity_search(const marea_real *squared, size_t n, size_t k, double perplexity,
                             marea_real *p, double *beta);

/* (p_{j|i} + p_{i|j}) / 2n from neighbours (n, k) and their weights p_{j|i}. */
marea_status marea_affinity_symmetric(const int32_t *neighbours, const marea_real *p, size_t n,
                                      size_t k, marea_affinity *affinity);

void marea_affinity_clear(marea_affinity *affinity);

#endif

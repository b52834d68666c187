/* What the parts of t-SNE share; see tsne.h. */
#ifndef MAREA_REDUCE_TSNE_INTERNAL_H
#define MAREA_REDUCE_TSNE_INTERNAL_H

#include "reduce/affinity.h"
#include "reduce/tsne.h"

enum { TSNE_CHUNK = 512, TSNE_AXES = 3 }; /* points of a piece of work; the most axes */

typedef struct tsne_tree tsne_tree;
typedef struct tsne_grid tsne_grid;

struct marea_tsne {
  size_t n, stride;
  int axes;
  marea_tsne_method method;
  double angle;
  marea_affinity affinity;
  double *beta;
  /* planar: axis a of point i is at a * stride + i */
  marea_real *y, *velocity, *gain, *pull, *push;
  double *sums; /* (pieces, TSNE_SUMS) */
  double z;     /* sum of q over all pairs, at the last push */
  double gradient_norm;
  tsne_tree *tree;
  tsne_grid *grid;
};

enum { TSNE_SUMS = 4 };

/* Each fills push with sum_j q^2 (y_i - y_j) for every point, and z. */
void tsne_push_exact(marea_tsne *t);
marea_status tsne_push_tree(marea_tsne *t);
marea_status tsne_push_grid(marea_tsne *t);

void tsne_tree_free(tsne_tree *tree);
void tsne_grid_free(tsne_grid *grid);

/* A copy of the rows as neighbours are sought in it: centred, or of length 1. */
marea_real *tsne_prepare(const marea_real *x, size_t n, size_t d, marea_tsne_metric metric,
                         marea_real *mean);
/* Squared Euclidean distances of prepared rows to those of the metric, in place. */
void tsne_metric_squares(marea_tsne_metric metric, marea_real *squared, size_t count);

#endif

/* The beam of marea_ctc_beam. Prefixes form a tree, so that equal ones are one node. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"
#include "kernels/ctc.h"

static const size_t NONE = SIZE_MAX;

/* ln P of all paths so far that become this prefix and end in a blank, or in its last label; and
 * the same one step on. */
typedef struct prefix {
  size_t parent, child, sibling; /* the newest child, the next one of the same parent */
  size_t length, touched;        /* the step at which next_* were set last, from 1 */
  int32_t label;
  double blank, label_end, next_blank, next_label;
} prefix;

typedef struct beam {
  const marea_ctc_rows *ctc;
  prefix *nodes;
  size_t count, capacity;
  size_t *live, *next; /* places in nodes */
  size_t live_count, next_count, next_capacity;
} beam;

static double add_logs(double a, double b) {
  double most = fmax(a, b);
  return isinf(most) ? most : most + log1p(exp(-fabs(a - b)));
}

static double total(const prefix *p) {
  return add_logs(p->blank, p->label_end);
}

static size_t new_node(beam *b, size_t parent, int32_t label) {
  prefix *grown = marea_grow(b->nodes, &b->capacity, b->count + 1, sizeof *grown);
  if (grown == NULL) return NONE;
  b->nodes = grown;
  b->nodes[b->count] = (prefix){.parent = parent, .child = NONE, .sibling = NONE, .label = label};
  if (parent != NONE) {
    b->nodes[b->count].sibling = b->nodes[parent].child;
    b->nodes[b->count].length = b->nodes[parent].length + 1;
    b->nodes[parent].child = b->count;
  }
  return b->count++;
}

static size_t extended(beam *b, size_t node, int32_t label) {
  for (size_t c = b->nodes[node].child; c != NONE; c = b->nodes[c].sibling)
    if (b->nodes[c].label == label) return c;
  return new_node(b, node, label);
}

/* Adds to the next probabilities of a prefix; the first time in a step it becomes a candidate. */
static marea_status offer(beam *b, size_t node, size_t step, double blank, double label) {
  if (node == NONE) return MAREA_NOMEM;
  prefix *p = &b->nodes[node];
  if (p->touched != step) {
    size_t *grown = marea_grow(b->next, &b->next_capacity, b->next_count + 1, sizeof *grown);
    if (grown == NULL) return MAREA_NOMEM;
    b->next = grown;
    b->next[b->next_count++] = node;
    p->touched = step;
    p->next_blank = p->next_label = -(double)INFINITY;
  }
  p->next_blank = add_logs(p->next_blank, blank);
  p->next_label = add_logs(p->next_label, label);
  return MAREA_OK;
}

/* What one prefix becomes with each class of a row. */
static marea_status spread(beam *b, size_t node, size_t step, const marea_real *row) {
  const prefix p = b->nodes[node];
  double all = total(&p);
  double same = p.parent == NONE ? -(double)INFINITY : p.label_end + (double)row[p.label];
  marea_status status = offer(b, node, step, all + (double)row[b->ctc->blank], same);
  for (size_t c = 0; c < b->ctc->C && status == MAREA_OK; c++) {
    if (c == b->ctc->blank || (isinf(row[c]) && row[c] < 0)) continue;
    bool repeats = p.parent != NONE && (size_t)p.label == c;
    double value = (repeats ? p.blank : all) + (double)row[c];
    if (isinf(value)) continue; /* a repeat needs a blank before it */
    status = offer(b, extended(b, node, (int32_t)c), step, -(double)INFINITY, value);
  }
  return status;
}

/* Best first; of equal ones the older prefix. qsort has no context, so the keys stand beside. */
typedef struct ranked {
  double value;
  size_t node;
} ranked;

static int compare(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->value > y->value) return -1;
  if (x->value < y->value) return 1;
  return x->node < y->node ? -1 : x->node > y->node;
}

/* The candidates become probabilities of now, and the best `width` of them live on. */
static marea_status prune(beam *b, size_t width) {
  ranked *list = marea_alloc_array(b->next_count, sizeof *list);
  if (list == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < b->next_count; i++) {
    prefix *p = &b->nodes[b->next[i]];
    p->blank = p->next_blank, p->label_end = p->next_label;
    list[i] = (ranked){total(p), b->next[i]};
  }
  qsort(list, b->next_count, sizeof *list, compare);
  b->live_count = b->next_count < width ? b->next_count : width;
  for (size_t i = 0; i < b->live_count; i++) b->live[i] = list[i].node;
  marea_free(list);
  return MAREA_OK;
}

static void write_down(const beam *b, size_t place, int32_t *labels, size_t *length,
                       double *log_p) {
  size_t node = b->live[place], at = b->nodes[node].length;
  *length = at;
  *log_p = total(&b->nodes[node]);
  for (; b->nodes[node].parent != NONE; node = b->nodes[node].parent)
    labels[--at] = b->nodes[node].label;
}

static marea_status search(beam *b, size_t width) {
  size_t root = new_node(b, NONE, -1);
  if (root == NONE) return MAREA_NOMEM;
  b->nodes[root].blank = 0;
  b->nodes[root].label_end = -(double)INFINITY;
  b->live[0] = root;
  b->live_count = 1;
  marea_status status = MAREA_OK;
  for (size_t t = 0; t < b->ctc->n && status == MAREA_OK; t++) {
    b->next_count = 0;
    for (size_t i = 0; i < b->live_count && status == MAREA_OK; i++)
      status = spread(b, b->live[i], t + 1, b->ctc->log_p + (size_t)b->ctc->steps[t] * b->ctc->C);
    if (status == MAREA_OK) status = prune(b, width);
  }
  return status;
}

marea_status marea_ctc_beam(const marea_ctc_rows *ctc, size_t width, size_t paths, int32_t *labels,
                            size_t *lengths, double *log_p, size_t *found) {
  if (width < 1 || paths < 1 || paths > width)
    return marea_fail(MAREA_RANGE,
                      "ctc: a beam of %zu and %zu results; expected 1 <= results <= beam", width,
                      paths);
  beam b = {.ctc = ctc};
  b.live = marea_alloc_array(width, sizeof *b.live);
  marea_status status = b.live == NULL ? MAREA_NOMEM : search(&b, width);
  *found = status == MAREA_OK ? (b.live_count < paths ? b.live_count : paths) : 0;
  for (size_t i = 0; i < *found; i++)
    write_down(&b, i, labels + i * ctc->n, &lengths[i], &log_p[i]);
  marea_free(b.nodes);
  marea_free(b.live);
  marea_free(b.next);
  return status;
}

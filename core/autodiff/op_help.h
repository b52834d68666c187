/* Inside autodiff only: what the families of operations share. */
#ifndef MAREA_AUTODIFF_OP_HELP_H
#define MAREA_AUTODIFF_OP_HELP_H

#include "autodiff/ops.h"

enum { OPERANDS_MAX = 6 };

/* Operands walked together over one shape: element strides of each, 0 where it is broadcast. */
typedef struct op_walk {
  int rank, operands;
  int64_t size[MAREA_MAX_RANK];
  int64_t stride[OPERANDS_MAX][MAREA_MAX_RANK];
} op_walk;

/* One line along the last axis: where each operand begins and its step; n elements. */
typedef void op_line(void *context, const int64_t *offset, const int64_t *step, int64_t n);

/* Visits all lines in row-major order. */
void op_walk_lines(const op_walk *walk, op_line *line, void *context);

/* Adds an operand that lies in memory as x does (strides = x's, or row-major ones when
 * `contiguous`), broadcast to the walk's shape. */
void op_walk_add(op_walk *walk, const marea_tensor *x, bool contiguous);

/* The shape to which a and b broadcast; MAREA_SHAPE names the operation and both shapes. */
marea_status op_broadcast(const char *op, const marea_tensor *a, const marea_tensor *b, int *rank,
                          int64_t *size);

/* MAREA_TYPE unless x has the wanted element type. */
marea_status op_expect(const char *op, const marea_tensor *x, marea_dtype dtype);

/* MAREA_RANGE unless all ids lie in 0 … limit-1; names sample, step, id and range. */
marea_status op_check_ids(const char *op, const marea_tensor *ids, int64_t limit);

/* MAREA_TYPE or MAREA_SHAPE unless the mask is NULL or real numbers (B, T). */
marea_status op_check_mask(const char *op, const marea_tensor *mask, int64_t B, int64_t T);

/* 0-based axis, or -1 when it does not exist (MAREA_RANGE; messages count from 1). */
marea_status op_check_axis(const char *op, const marea_tensor *x, int axis);

/* x seen as (outer, n, inner) around an axis; axis -1: everything is n. */
typedef struct op_span {
  int64_t outer, n, inner;
} op_span;
op_span op_around(const marea_tensor *x, int axis);

/* Records y = f(inputs) when needed; on failure frees y. Returns y or NULL. *node is NULL when
 * nothing was recorded. */
marea_tensor *op_record(const char *op, marea_tensor *const *inputs, int count, marea_tensor *y,
                        marea_backward *backward, size_t context_bytes, marea_node **node);

#endif

/* Rows by id: embedding, take, pick, one-hot. */
#include <string.h>

#include "autodiff/op_help.h"
#include "base/threads.h"

/* The ids, contiguous and kept. */
typedef struct lookup_context {
  marea_tensor *ids;
} lookup_context;

enum { ROWS_A_PIECE = 1024, ROWS_AHEAD = 8, LINE_BYTES = 64 };

/* y's rows are x's rows of the ids. */
typedef struct row_copy {
  char *to;
  const char *from;
  const int32_t *ids;
  size_t count, bytes;
} row_copy;

/* Rows lie anywhere, many of them in another core's cache: they are asked for early. */
static void copy_piece(void *context, size_t piece) {
  const row_copy *c = context;
  size_t first = piece * ROWS_A_PIECE, last = first + ROWS_A_PIECE;
  if (last > c->count) last = c->count;
  for (size_t i = first; i < last; i++) {
    if (i + ROWS_AHEAD < last) {
      const char *ahead = c->from + (size_t)c->ids[i + ROWS_AHEAD] * c->bytes;
      for (size_t k = 0; k < c->bytes; k += LINE_BYTES) __builtin_prefetch(ahead + k);
    }
    memcpy(c->to + i * c->bytes, c->from + (size_t)c->ids[i] * c->bytes, c->bytes);
  }
}

static void copy_rows(marea_tensor *y, const marea_tensor *x, const marea_tensor *ids,
                      int64_t width) {
  row_copy c = {.to = y->data,
                .from = x->data,
                .ids = marea_ints(ids),
                .count = (size_t)marea_tensor_count(ids),
                .bytes = (size_t)width * marea_dtype_bytes(x->dtype)};
  marea_parallel(marea_pieces(c.count, ROWS_A_PIECE), copy_piece, &c);
}

static marea_tensor *rows_of(const char *op, marea_tensor *x, marea_tensor *ids,
                             marea_backward *backward) {
  int64_t size[MAREA_MAX_RANK], width = 1;
  int rank = 0;
  if (x == NULL || ids == NULL || op_expect(op, ids, MAREA_INT32) != MAREA_OK) return NULL;
  if (x->rank < 1 || ids->rank + x->rank - 1 > MAREA_MAX_RANK) {
    marea_fail(MAREA_SHAPE, "%s: a table of rank %d and ids of rank %d do not go together", op,
               x->rank, ids->rank);
    return NULL;
  }
  if (op_check_ids(op, ids, x->size[0]) != MAREA_OK) return NULL;
  for (int i = 0; i < ids->rank; i++) size[rank++] = ids->size[i];
  for (int i = 1; i < x->rank; i++) size[rank++] = x->size[i], width *= x->size[i];
  marea_tensor *plain = marea_compact(x), *places = marea_compact(ids);
  marea_tensor *y = plain == NULL || places == NULL ? NULL : marea_result(x->dtype, rank, size);
  if (y != NULL) {
    marea_node *node;
    marea_tensor *inputs[] = {x, places};
    copy_rows(y, plain, places, width);
    y = op_record(op, inputs, 2, y, backward, sizeof(lookup_context), &node);
    if (node != NULL) ((lookup_context *)node->context)->ids = places;
  }
  marea_tensor_free(plain);
  marea_tensor_free(places);
  return y;
}

/* Notes on y which rows it is made of, for operations that gain from equal ones. */
static marea_tensor *remember(marea_tensor *y, marea_tensor *table, const marea_tensor *ids) {
  if (y == NULL || y->tape == NULL || marea_tape_retains_gradients(y->tape)) return y;
  int64_t count = marea_tensor_count(ids);
  y->lookup = marea_tape_alloc(sizeof *y->lookup);
  int32_t *copy = marea_tape_alloc((size_t)count * sizeof *copy);
  if (y->lookup == NULL || copy == NULL) return NULL;
  marea_tensor_gather(ids, copy);
  *y->lookup = (marea_lookup){y->requires_grad ? table : NULL, copy, table->size[0]};
  return y;
}

static marea_status embedding_backward(marea_node *node) {
  const marea_tensor *ids = ((lookup_context *)node->context)->ids;
  return marea_gradient_add_rows(node->inputs[0], marea_ints(ids), marea_tensor_count(ids),
                                 marea_gradient_of(node->outputs[0]));
}

marea_tensor *marea_embedding(marea_tensor *table, marea_tensor *ids) {
  if (table == NULL || op_expect("embedding", table, MAREA_REAL) != MAREA_OK) return NULL;
  if (table->rank != 2) {
    char text[MAREA_SHAPE_TEXT_BYTES];
    marea_fail(MAREA_SHAPE, "embedding: the table is %s, expected (V, D)",
               marea_shape_text(table, text));
    return NULL;
  }
  return remember(rows_of("embedding", table, ids, embedding_backward), table, ids);
}

static marea_status take_backward(marea_node *node) {
  const marea_tensor *ids = ((lookup_context *)node->context)->ids, *x = node->inputs[0];
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  int64_t count = marea_tensor_count(ids), width = 1;
  for (int axis = 1; axis < x->rank; axis++) width *= x->size[axis];
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < width; j++) dx[marea_ints(ids)[i] * width + j] += dy[i * width + j];
  return MAREA_OK;
}

marea_tensor *marea_take(marea_tensor *x, marea_tensor *ids) {
  return rows_of("take", x, ids, take_backward);
}

static marea_status pick_backward(marea_node *node) {
  const marea_tensor *ids = ((lookup_context *)node->context)->ids, *x = node->inputs[0];
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  int64_t count = marea_tensor_count(ids), C = x->size[x->rank - 1];
  for (int64_t i = 0; i < count; i++) dx[i * C + marea_ints(ids)[i]] += dy[i];
  return MAREA_OK;
}

static marea_status check_pick(const marea_tensor *x, const marea_tensor *ids) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("pick", x, MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
  if (op_expect("pick", ids, MAREA_INT32) != MAREA_OK) return MAREA_TYPE;
  bool fits = x->rank == ids->rank + 1;
  for (int i = 0; i < ids->rank && fits; i++) fits = x->size[i] == ids->size[i];
  if (!fits)
    return marea_fail(MAREA_SHAPE, "pick: x is %s, ids are %s; expected (…, C) and (…)",
                      marea_shape_text(x, left), marea_shape_text(ids, right));
  return op_check_ids("pick", ids, x->size[x->rank - 1]);
}

marea_tensor *marea_pick(marea_tensor *x, marea_tensor *ids) {
  if (x == NULL || ids == NULL || check_pick(x, ids) != MAREA_OK) return NULL;
  marea_tensor *plain = marea_compact(x), *places = marea_compact(ids);
  marea_tensor *y =
      plain == NULL || places == NULL ? NULL : marea_result(MAREA_REAL, ids->rank, ids->size);
  if (y != NULL) {
    marea_node *node;
    marea_tensor *inputs[] = {x, places};
    int64_t count = marea_tensor_count(ids), C = x->size[x->rank - 1];
    for (int64_t i = 0; i < count; i++)
      marea_reals(y)[i] = marea_reals(plain)[i * C + marea_ints(places)[i]];
    y = op_record("pick", inputs, 2, y, pick_backward, sizeof(lookup_context), &node);
    if (node != NULL) ((lookup_context *)node->context)->ids = places;
  }
  marea_tensor_free(plain);
  marea_tensor_free(places);
  return y;
}

marea_tensor *marea_one_hot(marea_tensor *ids, int64_t depth) {
  if (ids != NULL && depth < 0) {
    marea_fail(MAREA_RANGE, "one_hot: the depth is %lld, expected 0 or more", (long long)depth);
    return NULL;
  }
  if (ids == NULL || op_expect("one_hot", ids, MAREA_INT32) != MAREA_OK ||
      op_check_ids("one_hot", ids, depth) != MAREA_OK)
    return NULL;
  int64_t size[MAREA_MAX_RANK + 1], count = marea_tensor_count(ids);
  for (int i = 0; i < ids->rank; i++) size[i] = ids->size[i];
  size[ids->rank] = depth;
  marea_tensor *y = marea_result(MAREA_REAL, ids->rank + 1, size);
  if (y == NULL) return NULL;
  memset(y->data, 0, (size_t)marea_tensor_count(y) * sizeof(marea_real));
  for (int64_t i = 0; i < count; i++)
    marea_reals(y)[i * depth + marea_ints(ids)[marea_tensor_offset(ids, i)]] = 1;
  return y;
}

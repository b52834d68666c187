/* Operations of autodiff/ops.h, as functions and as methods of tensors. */
#include "bind.h"

/* An operand that may be a number: then a tensor without axes, to be freed after use. */
typedef struct operand {
  marea_tensor *x;
  bool made;
} operand;

static operand take_operand(lua_State *L, int argument) {
  if (lua_type(L, argument) != LUA_TNUMBER) return (operand){bind_tensor(L, argument), false};
  marea_tensor *x = marea_result(MAREA_REAL, 0, NULL);
  if (x == NULL) bind_raise(L);
  marea_reals(x)[0] = (marea_real)lua_tonumber(L, argument);
  return (operand){x, true};
}

typedef marea_tensor *binary_function(marea_tensor *, marea_tensor *);

static int binary(lua_State *L, binary_function *f) {
  lua_settop(L, 2);
  bind_box *box = bind_box_new(L);
  for (int i = 1; i <= 2; i++) /* all checks before anything is made */
    if (lua_type(L, i) != LUA_TNUMBER) bind_tensor(L, i);
  operand a = take_operand(L, 1), b = take_operand(L, 2);
  marea_tensor *y = f(a.x, b.x);
  if (a.made) marea_tensor_free(a.x);
  if (b.made) marea_tensor_free(b.x);
  return bind_box_fill(L, box, y);
}

#define BIND_BINARY(name)                                                                          \
  static int op_##name(lua_State *L) {                                                             \
    return binary(L, marea_##name);                                                                \
  }
MAREA_BINARY_OPS(BIND_BINARY)
MAREA_COMPARE_OPS(BIND_BINARY)

#define BIND_UNARY(name)                                                                           \
  static int op_##name(lua_State *L) {                                                             \
    marea_tensor *x = bind_tensor(L, 1);                                                           \
    bind_box *box = bind_box_new(L);                                                               \
    return bind_box_fill(L, box, marea_##name(x));                                                 \
  }
MAREA_UNARY_OPS(BIND_UNARY)
BIND_UNARY(softmax)
BIND_UNARY(log_softmax)
BIND_UNARY(detach)

/* name(x[, axis[, keep]]) */
#define BIND_REDUCE(name)                                                                          \
  static int op_##name(lua_State *L) {                                                             \
    marea_tensor *x = bind_tensor(L, 1);                                                           \
    int axis = lua_isnoneornil(L, 2) ? -1 : bind_axis(L, 2, x);                                    \
    bool keep = lua_toboolean(L, 3);                                                               \
    bind_box *box = bind_box_new(L);                                                               \
    return bind_box_fill(L, box, marea_##name(x, axis, keep));                                     \
  }
MAREA_REDUCE_OPS(BIND_REDUCE)

/* Two tensors, no numbers. */
#define BIND_PAIR(name)                                                                            \
  static int op_##name(lua_State *L) {                                                             \
    marea_tensor *a = bind_tensor(L, 1), *b = bind_tensor(L, 2);                                   \
    bind_box *box = bind_box_new(L);                                                               \
    return bind_box_fill(L, box, marea_##name(a, b));                                              \
  }
BIND_PAIR(matmul)
BIND_PAIR(embedding)
BIND_PAIR(take)
BIND_PAIR(pick)
BIND_PAIR(reverse_sequence)
BIND_PAIR(binary_crossentropy)
BIND_PAIR(binary_crossentropy_logits)
BIND_PAIR(sparse_crossentropy_logits)

/* Places count from 1, as all indices do in Lua. */
static int op_argmax(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  int axis = lua_isnoneornil(L, 2) ? -1 : bind_axis(L, 2, x);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_argmax(x, axis));
  int64_t n = marea_tensor_count(box->x);
  for (int64_t i = 0; i < n; i++) marea_ints(box->x)[i]++;
  return 1;
}

static int op_pow(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  double p = luaL_checknumber(L, 2);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_power(x, p));
}

static int op_clip(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  double low = luaL_checknumber(L, 2), high = luaL_checknumber(L, 3);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_clip(x, low, high));
}

static int op_where(lua_State *L) {
  marea_tensor *condition = bind_tensor(L, 1), *a = bind_tensor(L, 2), *b = bind_tensor(L, 3);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_where(condition, a, b));
}

static int op_affine(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1), *kernel = bind_tensor(L, 2);
  marea_tensor *bias = bind_tensor_or_null(L, 3);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_affine(x, kernel, bias));
}

/* sparse_matmul(a sparse, w[, bias]) */
static int op_sparse_matmul(lua_State *L) {
  marea_csr *a = bind_sparse(L, 1);
  marea_tensor *w = bind_tensor(L, 2), *bias = bind_tensor_or_null(L, 3);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_sparse_matmul(a, w, bias));
}

static int op_reshape(lua_State *L) {
  int64_t size[MAREA_MAX_RANK];
  marea_tensor *x = bind_tensor(L, 1);
  int rank = bind_shape(L, 2, size);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_reshape(x, rank, size));
}

static int op_broadcast(lua_State *L) {
  int64_t size[MAREA_MAX_RANK];
  marea_tensor *x = bind_tensor(L, 1);
  int rank = bind_shape(L, 2, size);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_broadcast(x, rank, size));
}

static int op_permute(lua_State *L) {
  int axes[MAREA_MAX_RANK];
  marea_tensor *x = bind_tensor(L, 1);
  if (lua_gettop(L) != x->rank + 1)
    return bind_error(L, "permute: %d axes expected, %d given", x->rank, lua_gettop(L) - 1);
  for (int i = 0; i < x->rank; i++) axes[i] = bind_axis(L, i + 2, x);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_permute(x, axes));
}

/* transpose(x[, axis1, axis2]); without axes the last two change places. */
static int op_transpose(lua_State *L) {
  int axes[MAREA_MAX_RANK];
  marea_tensor *x = bind_tensor(L, 1);
  if (lua_isnoneornil(L, 2) && x->rank < 2)
    return bind_error(L, "transpose: needs two axes, the tensor has %d", x->rank);
  int a = lua_isnoneornil(L, 2) ? x->rank - 2 : bind_axis(L, 2, x);
  int b = lua_isnoneornil(L, 2) ? x->rank - 1 : bind_axis(L, 3, x);
  for (int i = 0; i < x->rank; i++) axes[i] = i == a ? b : i == b ? a : i;
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_permute(x, axes));
}

static int op_narrow(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  int axis = bind_axis(L, 2, x);
  lua_Integer start = luaL_checkinteger(L, 3), length = luaL_checkinteger(L, 4);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_narrow(x, axis, start < 1 ? -1 : start - 1, length));
}

static int op_select(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  int axis = bind_axis(L, 2, x);
  lua_Integer index = luaL_checkinteger(L, 3);
  if (index < 0) index += x->size[axis] + 1;
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_select(x, axis, index - 1));
}

static int op_flip(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  int axis = bind_axis(L, 2, x);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_flip(x, axis));
}

static int op_cast(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  marea_dtype dtype = bind_dtype(L, 2);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_cast(x, dtype));
}

typedef marea_tensor *list_function(marea_tensor *const *, int, int);

/* name(list, axis) */
static int join(lua_State *L, list_function *f, int new_axes) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int n = (int)lua_rawlen(L, 1);
  if (n < 1) return luaL_argerror(L, 1, "the list is empty");
  lua_Integer axis = luaL_checkinteger(L, 2);
  marea_tensor **list = lua_newuserdatauv(L, (size_t)n * sizeof *list, 0);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, 1, i + 1);
    list[i] = bind_tensor(L, -1); /* the caller's list keeps it alive */
    lua_pop(L, 1);
  }
  int axes = list[0]->rank + new_axes;
  if (axis < 0) axis += axes + 1;
  if (axis < 1 || axis > axes)
    luaL_argerror(
        L, 2, lua_pushfstring(L, "axis %I, allowed are 1 to %d", luaL_checkinteger(L, 2), axes));
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, f(list, n, (int)axis - 1));
}

static int op_concat(lua_State *L) {
  return join(L, marea_concat, 0);
}

static int op_stack(lua_State *L) {
  return join(L, marea_stack, 1);
}

static int op_one_hot(lua_State *L) {
  marea_tensor *ids = bind_tensor(L, 1);
  lua_Integer depth = luaL_checkinteger(L, 2);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_one_hot(ids, depth));
}

/* dropout(x, rate, stream[, noise shape]) */
static int op_dropout(lua_State *L) {
  int64_t noise[MAREA_MAX_RANK];
  marea_tensor *x = bind_tensor(L, 1);
  double rate = luaL_checknumber(L, 2);
  marea_stream *stream = bind_stream(L, 3);
  bool shaped = !lua_isnoneornil(L, 4);
  if (shaped && bind_shape(L, 4, noise) != x->rank)
    return luaL_argerror(L, 4, "the noise has as many axes as the tensor");
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_dropout(x, rate, shaped ? noise : NULL, stream));
}

static int op_layer_norm(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  marea_tensor *gamma = bind_tensor_or_null(L, 2), *beta = bind_tensor_or_null(L, 3);
  double epsilon = luaL_optnumber(L, 4, 1e-3);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_layer_norm(x, gamma, beta, epsilon));
}

#define ENTRY(name) {#name, op_##name},
static const luaL_Reg operations[] = {
    MAREA_UNARY_OPS(ENTRY) MAREA_BINARY_OPS(ENTRY) MAREA_COMPARE_OPS(ENTRY) MAREA_REDUCE_OPS(ENTRY)
        ENTRY(softmax) ENTRY(log_softmax) ENTRY(detach) ENTRY(matmul) ENTRY(embedding) ENTRY(take)
            ENTRY(pick) ENTRY(reverse_sequence) ENTRY(binary_crossentropy)
                ENTRY(binary_crossentropy_logits) ENTRY(sparse_crossentropy_logits) ENTRY(argmax)
                    ENTRY(pow) ENTRY(clip) ENTRY(where) ENTRY(affine) ENTRY(reshape)
                        ENTRY(broadcast) ENTRY(permute) ENTRY(transpose) ENTRY(narrow) ENTRY(select)
                            ENTRY(flip) ENTRY(cast) ENTRY(concat) ENTRY(stack) ENTRY(one_hot)
                                ENTRY(dropout) ENTRY(layer_norm) ENTRY(sparse_matmul){NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__add", op_add}, {"__sub", op_sub}, {"__mul", op_mul},
                                       {"__div", op_div}, {"__unm", op_neg}, {"__pow", op_pow},
                                       {NULL, NULL}};

void bind_open_ops(lua_State *L) {
  luaL_setfuncs(L, operations, 0);
  luaL_newlib(L, operations);
  lua_setfield(L, -2, "operations"); /* what there is, for tests that want to cover it all */
  luaL_getmetatable(L, BIND_TENSOR);
  luaL_setfuncs(L, metamethods, 0);
  lua_getfield(L, -1, "methods");
  luaL_setfuncs(L, operations, 0);
  lua_pop(L, 2);
}

/* Tensors: making, reading, writing, views with history are in bind_ops.c. */
#include <math.h>
#include <string.h>

#include "bind.h"

/* ---- from and to Lua tables ---- */

/* The sizes of a nested table, from its first elements. */
static int table_shape(lua_State *L, int64_t size[MAREA_MAX_RANK]) {
  int rank = 0, top = lua_gettop(L);
  while (lua_istable(L, -1)) {
    if (rank == MAREA_MAX_RANK) bind_error(L, "a tensor has at most %d axes", MAREA_MAX_RANK);
    size[rank++] = (int64_t)luaL_len(L, -1);
    luaL_checkstack(L, 2, "nested table");
    lua_geti(L, -1, 1);
    if (size[rank - 1] == 0) break;
  }
  lua_settop(L, top);
  return rank;
}

static const char *place_text(lua_State *L, int depth, const int64_t *place) {
  lua_pushliteral(L, "");
  for (int i = 0; i < depth; i++) {
    lua_pushfstring(L, "[%I]", (lua_Integer)place[i]);
    lua_concat(L, 2);
  }
  return lua_tostring(L, -1);
}

/* Fills from the table on top of the stack; place holds 1-based indices for messages. */
static int64_t fill(lua_State *L, marea_tensor *x, int depth, int64_t next, int64_t *place) {
  if (depth == x->rank) {
    int is_number;
    double value = lua_tonumberx(L, -1, &is_number);
    if (!is_number || lua_type(L, -1) != LUA_TNUMBER)
      bind_error(L, "tensor: element %s is a %s, expected a number", place_text(L, depth, place),
                 luaL_typename(L, -1));
    if (marea_tensor_set(x, next, value) != MAREA_OK)
      bind_error(L, "tensor: element %s: %s", place_text(L, depth, place), marea_error_text());
    return next + 1;
  }
  if (!lua_istable(L, -1))
    bind_error(L, "tensor: element %s is a %s, expected a list of %I", place_text(L, depth, place),
               luaL_typename(L, -1), (lua_Integer)x->size[depth]);
  lua_Integer length = luaL_len(L, -1);
  if (length != x->size[depth])
    bind_error(L, "tensor: list %s has %I items, the first one has %I; rows must be equally long",
               depth == 0 ? "" : place_text(L, depth, place), length, (lua_Integer)x->size[depth]);
  for (int64_t i = 1; i <= length; i++) {
    place[depth] = i;
    lua_geti(L, -1, i);
    next = fill(L, x, depth + 1, next, place);
    lua_pop(L, 1);
  }
  return next;
}

/* tensor(t[, { dtype }]) */
static int tensor(lua_State *L) {
  int64_t size[MAREA_MAX_RANK], place[MAREA_MAX_RANK];
  marea_dtype dtype = bind_dtype(L, 2);
  if (!lua_istable(L, 1) && lua_type(L, 1) != LUA_TNUMBER)
    return luaL_argerror(L, 1, "expected a number or a (nested) list of numbers");
  lua_settop(L, 1);
  int rank = table_shape(L, size);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(dtype, rank, size));
  lua_pushvalue(L, 1);
  fill(L, box->x, 0, 0, place);
  lua_pop(L, 1);
  return 1;
}

static void push_element(lua_State *L, const marea_tensor *x, int64_t i) {
  if (x->dtype == MAREA_INT32)
    lua_pushinteger(L, marea_ints(x)[marea_tensor_offset(x, i)]);
  else
    lua_pushnumber(L, marea_tensor_get(x, i));
}

static int64_t push_table(lua_State *L, const marea_tensor *x, int depth, int64_t next) {
  if (depth == x->rank) {
    push_element(L, x, next);
    return next + 1;
  }
  luaL_checkstack(L, 2, "nested table");
  lua_createtable(L, (int)x->size[depth], 0);
  for (int64_t i = 1; i <= x->size[depth]; i++) {
    next = push_table(L, x, depth + 1, next);
    lua_rawseti(L, -2, i);
  }
  return next;
}

static int totable(lua_State *L) {
  push_table(L, bind_tensor(L, 1), 0, 0);
  return 1;
}

/* ---- making ---- */

static int constant(lua_State *L, double value, int options) {
  int64_t size[MAREA_MAX_RANK];
  luaL_checktype(L, 1, LUA_TTABLE);
  int rank = bind_shape(L, 1, size);
  marea_dtype dtype = bind_dtype(L, options);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(dtype, rank, size));
  if (value != 0) marea_tensor_fill(box->x, value);
  return 1;
}

/* full(shape, value[, { dtype }]), zeros(shape[, { dtype }]), ones(…) */
static int full(lua_State *L) {
  return constant(L, luaL_checknumber(L, 2), 3);
}

static int zeros(lua_State *L) {
  return constant(L, 0, 2);
}

static int ones(lua_State *L) {
  return constant(L, 1, 2);
}

static int zeros_like(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_tensor_new(x->dtype, x->rank, x->size));
}

static int is_tensor(lua_State *L) {
  lua_pushboolean(L, bind_is_tensor(L, 1));
  return 1;
}

/* arange(first, last, step, dtype): first, first + step, … up to and including last */
static int arange(lua_State *L) {
  double first = luaL_checknumber(L, 1), last = luaL_checknumber(L, 2);
  double step = luaL_optnumber(L, 3, 1);
  luaL_argcheck(L, step != 0 && isfinite(step), 3, "the step is a number other than 0");
  marea_dtype dtype = bind_dtype(L, 4);
  double count = floor((last - first) / step + 1e-9) + 1;
  luaL_argcheck(L, count < 1e9, 2, "too many elements");
  int64_t n = count > 0 ? (int64_t)count : 0;
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(dtype, 1, &n));
  for (int64_t i = 0; i < n; i++)
    bind_check(L, marea_tensor_set(box->x, i, first + (double)i * step));
  return 1;
}

/* ---- asking ---- */

static int shape(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  lua_createtable(L, x->rank, 0);
  for (int i = 0; i < x->rank; i++) {
    lua_pushinteger(L, x->size[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int size(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  lua_pushinteger(L, x->size[bind_axis(L, 2, x)]);
  return 1;
}

static int length(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  if (x->rank == 0) return bind_error(L, "a single number has no length");
  lua_pushinteger(L, x->size[0]);
  return 1;
}

static int rank(lua_State *L) {
  lua_pushinteger(L, bind_tensor(L, 1)->rank);
  return 1;
}

static int count(lua_State *L) {
  lua_pushinteger(L, marea_tensor_count(bind_tensor(L, 1)));
  return 1;
}

static int dtype(lua_State *L) {
  lua_pushstring(L, marea_dtype_name(bind_tensor(L, 1)->dtype));
  return 1;
}

static int item(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (marea_tensor_count(x) != 1)
    return bind_error(L, "item: the tensor is %s, expected a single element",
                      marea_shape_text(x, text));
  push_element(L, x, 0);
  return 1;
}

/* Row-major index of the 1-based indices from argument 2 on. */
static int64_t element_at(lua_State *L, const marea_tensor *x) {
  int64_t index = 0;
  for (int axis = 0; axis < x->rank; axis++) {
    lua_Integer i = luaL_checkinteger(L, axis + 2);
    if (i < 0) i += x->size[axis] + 1;
    if (i < 1 || i > x->size[axis])
      luaL_argerror(L, axis + 2,
                    lua_pushfstring(L, "index %I of axis %d, which has %I", i, axis + 1,
                                    (lua_Integer)x->size[axis]));
    index = index * x->size[axis] + i - 1;
  }
  return index;
}

static int get(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  push_element(L, x, element_at(L, x));
  return 1;
}

static marea_tensor *writable(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  if (x->tape != NULL && x->requires_grad)
    bind_error(L, "a result on a tape cannot be changed in place: its gradient would be wrong");
  return x;
}

static int set(lua_State *L) {
  marea_tensor *x = writable(L);
  bind_check(L, marea_tensor_set(x, element_at(L, x), luaL_checknumber(L, x->rank + 2)));
  lua_settop(L, 1);
  return 1;
}

static int fill_with(lua_State *L) {
  marea_tensor_fill(writable(L), luaL_checknumber(L, 2));
  lua_settop(L, 1);
  return 1;
}

static int assign(lua_State *L) {
  bind_check(L, marea_tensor_assign(writable(L), bind_tensor(L, 2)));
  lua_settop(L, 1);
  return 1;
}

static int keep(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_tensor_copy(x));
}

/* True when all elements are finite. */
static int all_finite(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  int64_t n = marea_tensor_count(x), i = 0;
  while (i < n && isfinite(marea_tensor_get(x, i))) i++;
  lua_pushboolean(L, i == n);
  if (i == n) return 1;
  lua_pushinteger(L, i + 1);
  return 2;
}

/* True when b has the same shape, type and bits. */
static int same(lua_State *L) {
  const marea_tensor *a = bind_tensor(L, 1), *b = bind_tensor(L, 2);
  bool equal = a->dtype == b->dtype && marea_same_shape(a, b);
  int64_t n = equal ? marea_tensor_count(a) : 0;
  for (int64_t i = 0; i < n && equal; i++) {
    size_t bytes = marea_dtype_bytes(a->dtype);
    equal = memcmp((char *)a->data + (size_t)marea_tensor_offset(a, i) * bytes,
                   (char *)b->data + (size_t)marea_tensor_offset(b, i) * bytes, bytes) == 0;
  }
  lua_pushboolean(L, equal);
  return 1;
}

/* Sum of squares of the gradient; nil when backward has not come here. */
static int gradient_squares(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  const marea_gradient *g = x->gradient;
  if (g == NULL || !g->fresh) return 0;
  size_t n = (size_t)(g->sparse ? g->row_count * x->size[1] : marea_tensor_count(x));
  lua_pushnumber(L, marea_sum_squares(g->sparse ? g->row_values : g->dense, n));
  return 1;
}

/* ---- fields and lifetime ---- */

static int push_gradient(lua_State *L, const marea_tensor *x) {
  if (x->gradient == NULL) return 0;
  bind_box *box = bind_box_new(L);
  return bind_box_fill(L, box, marea_tensor_gradient(x));
}

static int index_field(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING) {
    const char *key = lua_tostring(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    if (strcmp(key, "requires_grad") == 0) {
      lua_pushboolean(L, bind_tensor(L, 1)->requires_grad);
      return 1;
    }
    if (strcmp(key, "grad") == 0) return push_gradient(L, bind_tensor(L, 1));
  }
  return 0;
}

static int set_field(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  const char *key = luaL_checkstring(L, 2);
  if (strcmp(key, "requires_grad") == 0) {
    luaL_checktype(L, 3, LUA_TBOOLEAN);
    if (x->dtype != MAREA_REAL) return bind_error(L, "int32 tensors have no gradient");
    if (x->tape != NULL) return bind_error(L, "only tensors outside a tape can be marked");
    x->requires_grad = lua_toboolean(L, 3);
    return 0;
  }
  if (strcmp(key, "grad") == 0 && lua_isnil(L, 3)) {
    marea_tensor_clear_gradient(x);
    return 0;
  }
  return bind_error(L, "a tensor has no field \"%s\" to set (elements: x:set(i, …, value))", key);
}

static int collect(lua_State *L) {
  bind_box *box = luaL_checkudata(L, 1, BIND_TENSOR);
  if (box->tape != NULL)
    marea_tape_free(box->tape);
  else
    marea_tensor_free(box->x);
  *box = (bind_box){NULL, NULL};
  return 0;
}

static const luaL_Reg methods[] = {{"shape", shape},     {"size", size},
                                   {"rank", rank},       {"count", count},
                                   {"dtype", dtype},     {"item", item},
                                   {"get", get},         {"set", set},
                                   {"fill_", fill_with}, {"assign_", assign},
                                   {"totable", totable}, {"keep", keep},
                                   {"clone", keep},      {"all_finite", all_finite},
                                   {"same", same},       {"gradient_squares", gradient_squares},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"tensor", tensor},         {"full", full},           {"zeros", zeros},   {"ones", ones},
    {"zeros_like", zeros_like}, {"is_tensor", is_tensor}, {"arange", arange}, {NULL, NULL}};

void bind_open_tensor(lua_State *L) {
  luaL_newmetatable(L, BIND_TENSOR);
  luaL_newlib(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "methods"); /* where Lua code and the operations add theirs */
  lua_pushcclosure(L, index_field, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, set_field);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, length);
  lua_setfield(L, -2, "__len");
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_setfield(L, -2, "tensor_metatable");
  luaL_setfuncs(L, functions, 0);
}

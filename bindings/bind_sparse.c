/* Sparse matrices; what they are for is in bind_encodings.c and lua/marea/text/encodings.lua. */
#include "bind.h"

/* ---- boxes ---- */

marea_csr **bind_sparse_new(lua_State *L) {
  marea_csr **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BIND_SPARSE);
  return box;
}

int bind_sparse_fill(lua_State *L, marea_csr **box, marea_csr *m) {
  if (m == NULL) return bind_raise(L);
  *box = m;
  bind_account(L, marea_csr_bytes(m));
  return 1;
}

marea_csr *bind_sparse(lua_State *L, int argument) {
  marea_csr **box = luaL_testudata(L, argument, BIND_SPARSE);
  if (box == NULL)
    luaL_argerror(L, argument,
                  lua_pushfstring(L, "sparse matrix expected, got %s%s", luaL_typename(L, argument),
                                  bind_is_tensor(L, argument) ? " (a dense tensor)" : ""));
  if (*box == NULL) luaL_argerror(L, argument, "the sparse matrix was never filled");
  return *box;
}

static int collect(lua_State *L) {
  marea_csr **box = luaL_checkudata(L, 1, BIND_SPARSE);
  marea_csr_free(*box);
  *box = NULL;
  return 0;
}

static int is_sparse(lua_State *L) {
  lua_pushboolean(L, luaL_testudata(L, 1, BIND_SPARSE) != NULL);
  return 1;
}

/* ---- making ---- */

/* Item i of the list at `list`, a whole number; raises naming list and place. */
static int64_t whole_item(lua_State *L, int list, lua_Integer i, const char *name) {
  int whole;
  lua_geti(L, list, i);
  lua_Integer value = lua_tointegerx(L, -1, &whole);
  if (!whole)
    bind_error(L, "sparse: %s[%I] is %s, expected a whole number", name, i,
               luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return value;
}

static int64_t check_size(lua_State *L, int argument) {
  lua_Integer size = luaL_checkinteger(L, argument);
  luaL_argcheck(L, size >= 0 && size <= INT32_MAX, argument, "a size must be 0 to 2147483647");
  return size;
}

/* sparse_triples(rows, columns, values or nil (ones), N, V): lists with 1-based places */
static int from_triples(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  if (!lua_isnoneornil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
  int64_t rows = check_size(L, 4), columns = check_size(L, 5);
  lua_Integer n = luaL_len(L, 1), m = luaL_len(L, 2), k = lua_istable(L, 3) ? luaL_len(L, 3) : n;
  if (n != m || n != k)
    return bind_error(
        L, "sparse: %I rows, %I columns and %I values; the lists must be equally long", n, m, k);
  size_t bytes = (size_t)n * sizeof(int64_t);
  int64_t *row = lua_newuserdatauv(L, bytes, 0), *column = lua_newuserdatauv(L, bytes, 0);
  double *value = lua_newuserdatauv(L, (size_t)n * sizeof *value, 0);
  for (lua_Integer i = 0; i < n; i++) {
    row[i] = whole_item(L, 1, i + 1, "rows") - 1;
    column[i] = whole_item(L, 2, i + 1, "columns") - 1;
    value[i] = 1;
    if (!lua_istable(L, 3)) continue;
    int is_number;
    lua_geti(L, 3, i + 1);
    value[i] = lua_tonumberx(L, -1, &is_number);
    if (!is_number)
      return bind_error(L, "sparse: values[%I] is a %s, expected a number", i + 1,
                        luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  marea_csr **box = bind_sparse_new(L);
  return bind_sparse_fill(L, box,
                          marea_csr_from_triples(rows, columns, (size_t)n, row, column, value));
}

/* sparse_dense(tensor (N, V)) */
static int from_dense(lua_State *L) {
  marea_tensor *x = bind_tensor(L, 1);
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (x->rank != 2 || x->dtype != MAREA_REAL)
    return bind_error(L, "sparse: the tensor is %s %s, expected reals with two axes",
                      marea_dtype_name(x->dtype), marea_shape_text(x, text));
  marea_csr **box = bind_sparse_new(L);
  marea_tensor *plain = marea_compact(x);
  if (plain == NULL) return bind_raise(L);
  marea_csr *m = marea_csr_from_dense(x->size[0], x->size[1], marea_reals(plain));
  marea_tensor_free(plain);
  return bind_sparse_fill(L, box, m);
}

/* ---- asking ---- */

static int shape(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  lua_createtable(L, 2, 0);
  lua_pushinteger(L, m->rows);
  lua_rawseti(L, -2, 1);
  lua_pushinteger(L, m->columns);
  lua_rawseti(L, -2, 2);
  return 1;
}

static int check_axis(lua_State *L, int argument) {
  lua_Integer axis = luaL_checkinteger(L, argument);
  if (axis < 0) axis += 3;
  luaL_argcheck(L, axis == 1 || axis == 2, argument, "a sparse matrix has axes 1 and 2");
  return (int)axis;
}

static int size(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  lua_pushinteger(L, check_axis(L, 2) == 1 ? m->rows : m->columns);
  return 1;
}

static int row_count(lua_State *L) {
  lua_pushinteger(L, bind_sparse(L, 1)->rows);
  return 1;
}

static int entries(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)marea_csr_entries(bind_sparse(L, 1)));
  return 1;
}

static int density(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  double places = (double)m->rows * (double)m->columns;
  lua_pushnumber(L, places > 0 ? (double)marea_csr_entries(m) / places : 0);
  return 1;
}

static int dtype(lua_State *L) {
  lua_pushstring(L, MAREA_REAL_NAME);
  return 1;
}

static int bytes(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  size_t n = marea_csr_entries(m);
  lua_pushinteger(L, (lua_Integer)(n * (sizeof *m->column + sizeof *m->value) +
                                   ((size_t)m->rows + 1) * sizeof *m->offsets));
  return 1;
}

static int to_dense(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_result(MAREA_REAL, 2, (int64_t[]){m->rows, m->columns}));
  marea_csr_to_dense(m, marea_reals(box->x));
  return 1;
}

/* row(i) → columns, values: what is stored in row i */
static int row(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  lua_Integer i = luaL_checkinteger(L, 2);
  if (i < 0) i += m->rows + 1;
  if (i < 1 || i > m->rows)
    return bind_error(L, "row %I of a sparse matrix that has %I", luaL_checkinteger(L, 2),
                      (lua_Integer)m->rows);
  size_t first = m->offsets[i - 1], n = m->offsets[i] - first;
  lua_createtable(L, (int)n, 0);
  lua_createtable(L, (int)n, 0);
  for (size_t e = 0; e < n; e++) {
    lua_pushinteger(L, (lua_Integer)m->column[first + e] + 1);
    lua_rawseti(L, -3, (lua_Integer)e + 1);
    lua_pushnumber(L, (double)m->value[first + e]);
    lua_rawseti(L, -2, (lua_Integer)e + 1);
  }
  return 2;
}

/* nonfinite() → nil, or row, column, value */
static int nonfinite(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  int64_t at;
  size_t entry;
  if (!marea_csr_nonfinite(m, &at, &entry)) return 0;
  lua_pushinteger(L, at + 1);
  lua_pushinteger(L, (lua_Integer)m->column[entry] + 1);
  lua_pushnumber(L, (double)m->value[entry]);
  return 3;
}

/* sum(axis) → (V) for axis 1, (N) for axis 2 */
static int sum(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  bool down = check_axis(L, 2) == 1;
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_result(MAREA_REAL, 1, down ? &m->columns : &m->rows));
  bind_check(L, (down ? marea_csr_sum_columns : marea_csr_sum_rows)(m, marea_reals(box->x)));
  return 1;
}

/* column_counts() → int32 (V): rows with an entry */
static int column_counts(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_result(MAREA_INT32, 1, &m->columns));
  marea_csr_column_counts(m, marea_ints(box->x));
  return 1;
}

/* ---- cutting and scaling ---- */

/* narrow(axis, start, length) */
static int narrow(lua_State *L) {
  marea_csr *m = bind_sparse(L, 1);
  int axis = check_axis(L, 2);
  lua_Integer start = luaL_checkinteger(L, 3), length = luaL_checkinteger(L, 4);
  marea_csr **box = bind_sparse_new(L);
  return bind_sparse_fill(L, box,
                          (axis == 1 ? marea_csr_narrow(m, start - 1, length)
                                     : marea_csr_columns(m, start - 1, length)));
}

/* A vector of n elements, contiguous, in a box that is pushed; nil pushes nil and gives NULL. */
const void *bind_vector(lua_State *L, int argument, marea_dtype type, int64_t n) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (lua_isnoneornil(L, argument)) {
    lua_pushnil(L);
    return NULL;
  }
  marea_tensor *x = bind_tensor(L, argument);
  if (x->rank != 1 || x->dtype != type || (n >= 0 && x->size[0] != n)) {
    const char *wanted = n < 0 ? "with one axis" : lua_pushfstring(L, "(%I)", (lua_Integer)n);
    luaL_argerror(L, argument,
                  lua_pushfstring(L, "the vector is %s %s, expected %s %s",
                                  marea_dtype_name(x->dtype), marea_shape_text(x, text),
                                  marea_dtype_name(type), wanted));
  }
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_compact(x));
  return box->x->data;
}

/* take(ids): rows by 0-based number, as take of tensors */
static int take(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  const marea_tensor *ids = bind_tensor(L, 2);
  const int32_t *list = bind_vector(L, 2, MAREA_INT32, -1);
  marea_csr **box = bind_sparse_new(L);
  return bind_sparse_fill(L, box, marea_csr_take(m, (size_t)ids->size[0], list));
}

static const char *const norm_names[] = {"none", "l1", "l2", "max", NULL};

marea_norm bind_norm(lua_State *L, int argument) {
  return (marea_norm)luaL_checkoption(L, argument, "none", norm_names);
}

/* scale(by_row (N) or nil, by_column (V) or nil, norm or nil) */
static int scale(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  marea_norm norm = bind_norm(L, 4);
  lua_settop(L, 4);
  const marea_real *by_row = bind_vector(L, 2, MAREA_REAL, m->rows);
  const marea_real *by_column = bind_vector(L, 3, MAREA_REAL, m->columns);
  marea_csr **box = bind_sparse_new(L);
  return bind_sparse_fill(L, box, marea_csr_scale(m, by_row, by_column, norm));
}

/* remap(to (V) int32, columns): column j goes to to[j], or negated to ~to[j] */
static int remap(lua_State *L) {
  const marea_csr *m = bind_sparse(L, 1);
  int64_t columns = check_size(L, 3);
  const int32_t *to = bind_vector(L, 2, MAREA_INT32, m->columns);
  luaL_argcheck(L, to != NULL, 2, "a vector expected");
  marea_csr **box = bind_sparse_new(L);
  return bind_sparse_fill(L, box, marea_csr_remap(m, to, columns));
}

static const luaL_Reg methods[] = {{"shape", shape},
                                   {"size", size},
                                   {"nnz", entries},
                                   {"density", density},
                                   {"dtype", dtype},
                                   {"bytes", bytes},
                                   {"todense", to_dense},
                                   {"row", row},
                                   {"nonfinite", nonfinite},
                                   {"sum", sum},
                                   {"column_counts", column_counts},
                                   {"narrow", narrow},
                                   {"take", take},
                                   {"scale", scale},
                                   {"remap", remap},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"sparse_triples", from_triples},
                                     {"sparse_dense", from_dense},
                                     {"is_sparse", is_sparse},
                                     {NULL, NULL}};

void bind_open_sparse(lua_State *L) {
  luaL_newmetatable(L, BIND_SPARSE);
  luaL_newlib(L, methods);
  lua_getfield(L, -3, "sparse_matmul");
  lua_setfield(L, -2, "matmul");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "methods"); /* where Lua code adds its own */
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, row_count);
  lua_setfield(L, -2, "__len");
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_setfield(L, -2, "sparse_metatable");
  luaL_setfuncs(L, functions, 0);
}

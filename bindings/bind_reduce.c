/* Principal components and t-SNE; the Lua side is lua/marea/decomposition.lua and manifold.lua. */
#include "bind.h"
#include "bind_readers.h"

#include "base/interrupt.h"
#include "reduce/neighbours.h"
#include "reduce/pca.h"
#include "reduce/tsne.h"

#define BIND_TSNE "marea.tsne"
#define BIND_PCA  "marea.pca"

/* The rows of a matrix of reals, contiguous in a box that is pushed. */
static const marea_real *rows_at(lua_State *L, int argument, size_t *n, size_t *d) {
  marea_tensor *x = bind_tensor(L, argument);
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (x->rank != 2 || x->dtype != MAREA_REAL)
    luaL_argerror(L, argument,
                  lua_pushfstring(L, "expected reals (points, dimensions), got %s %s",
                                  marea_dtype_name(x->dtype), marea_shape_text(x, text)));
  if (x->size[1] < 1) luaL_argerror(L, argument, "the points have no dimensions");
  *n = (size_t)x->size[0];
  *d = (size_t)x->size[1];
  bind_box *box = bind_box_new(L);
  if (x->tape == NULL && marea_tensor_contiguous(x))
    bind_box_fill(L, box, marea_tensor_retain(x));
  else
    bind_box_fill(L, box, marea_tensor_copy(x));
  return marea_reals(box->x);
}

static marea_real *new_matrix(lua_State *L, size_t n, size_t d) {
  int64_t size[2] = {(int64_t)n, (int64_t)d};
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 2, size));
  return marea_reals(box->x);
}

static double number_field(lua_State *L, int table, const char *name) {
  int is_number;
  lua_getfield(L, table, name);
  double value = lua_tonumberx(L, -1, &is_number);
  if (!is_number) bind_error(L, "%s: a number expected, got %s", name, luaL_typename(L, -1));
  lua_pop(L, 1);
  return value;
}

static int choice_field(lua_State *L, int table, const char *name, const char *const names[]) {
  lua_getfield(L, table, name);
  int choice = luaL_checkoption(L, -1, NULL, names);
  lua_pop(L, 1);
  return choice;
}

/* ---- principal components ---- */

static const char *const pca_methods[] = {"auto", "exact", "randomised", NULL};

static marea_pca **pca_box(lua_State *L) {
  return luaL_checkudata(L, 1, BIND_PCA);
}

static const marea_pca *pca_at(lua_State *L) {
  marea_pca **box = pca_box(L);
  if (*box == NULL) bind_error(L, "pca: never fitted");
  return *box;
}

/* pca(x, n, method, seed) → pca */
static int pca_fit(lua_State *L) {
  size_t n, d;
  lua_Integer count = luaL_checkinteger(L, 2);
  marea_pca_method method = (marea_pca_method)luaL_checkoption(L, 3, "auto", pca_methods);
  uint64_t seed = (uint64_t)luaL_optinteger(L, 4, 0);
  const marea_real *x = rows_at(L, 1, &n, &d);
  marea_pca **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BIND_PCA);
  *box = marea_pca_fit(x, n, d, count < 0 ? 0 : (size_t)count, method, seed);
  return *box == NULL ? bind_raise(L) : 1;
}

static int pca_free(lua_State *L) {
  marea_pca **box = pca_box(L);
  marea_pca_free(*box);
  *box = NULL;
  return 0;
}

static void set_numbers(lua_State *L, const char *name, const double *values, size_t count) {
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushnumber(L, values[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, name);
}

/* pca:report() → { components, mean, explained_variance, singular_values, total_variance, method }
 */
static int pca_report(lua_State *L) {
  const marea_pca *pca = pca_at(L);
  int64_t d = (int64_t)pca->columns;
  lua_createtable(L, 0, 6);
  marea_real *components = new_matrix(L, pca->count, pca->columns);
  for (size_t i = 0; i < pca->count * pca->columns; i++) components[i] = pca->components[i];
  lua_setfield(L, -2, "components");
  bind_box *mean = bind_box_new(L);
  bind_box_fill(L, mean, marea_tensor_new(MAREA_REAL, 1, &d));
  for (size_t j = 0; j < pca->columns; j++) marea_reals(mean->x)[j] = pca->mean[j];
  lua_setfield(L, -2, "mean");
  set_numbers(L, "explained_variance", pca->variance, pca->count);
  set_numbers(L, "singular_values", pca->singular, pca->count);
  lua_pushnumber(L, pca->total_variance);
  lua_setfield(L, -2, "total_variance");
  lua_pushstring(L, pca_methods[pca->method]);
  lua_setfield(L, -2, "method");
  return 1;
}

/* pca:transform(x) → scores; pca:inverse(scores) → x */
static int pca_transform(lua_State *L) {
  const marea_pca *pca = pca_at(L);
  size_t n, d;
  const marea_real *x = rows_at(L, 2, &n, &d);
  if (d != pca->columns)
    return bind_error(L, "pca: the points have %d columns, it was fitted to %d", (int)d,
                      (int)pca->columns);
  marea_real *scores = new_matrix(L, n, pca->count);
  bind_check(L, marea_pca_transform(pca, x, n, scores));
  return 1;
}

static int pca_inverse(lua_State *L) {
  const marea_pca *pca = pca_at(L);
  size_t n, d;
  const marea_real *scores = rows_at(L, 2, &n, &d);
  if (d != pca->count)
    return bind_error(L, "pca: the scores have %d columns, there are %d components", (int)d,
                      (int)pca->count);
  marea_pca_inverse(pca, scores, n, new_matrix(L, n, pca->columns));
  return 1;
}

/* ---- t-SNE ---- */

static const char *const methods_of_tsne[] = {"auto", "exact", "barnes_hut", "fft", NULL};
static const char *const metrics[] = {"euclidean", "cosine", NULL};

static marea_tsne **tsne_box(lua_State *L) {
  return luaL_checkudata(L, 1, BIND_TSNE);
}

static marea_tsne *tsne_at(lua_State *L) {
  marea_tsne **box = tsne_box(L);
  if (*box == NULL) bind_error(L, "tsne: closed");
  return *box;
}

/* tsne(x, { n_components, perplexity, metric, method, angle }) → tsne; user value 1: the number of
 * points and of axes */
static int tsne_new(lua_State *L) {
  size_t n, d;
  luaL_checktype(L, 2, LUA_TTABLE);
  marea_tsne_options options = {
      .axes = (int)number_field(L, 2, "n_components"),
      .perplexity = number_field(L, 2, "perplexity"),
      .metric = (marea_tsne_metric)choice_field(L, 2, "metric", metrics),
      .method = (marea_tsne_method)choice_field(L, 2, "method", methods_of_tsne),
      .angle = number_field(L, 2, "angle")};
  const marea_real *x = rows_at(L, 1, &n, &d);
  marea_tsne **box = lua_newuserdatauv(L, sizeof *box, 2);
  *box = NULL;
  luaL_setmetatable(L, BIND_TSNE);
  lua_pushinteger(L, (lua_Integer)n);
  lua_setiuservalue(L, -2, 1);
  lua_pushinteger(L, options.axes);
  lua_setiuservalue(L, -2, 2);
  *box = marea_tsne_new(x, n, d, &options);
  return *box == NULL ? bind_raise(L) : 1;
}

static int tsne_close(lua_State *L) {
  marea_tsne **box = tsne_box(L);
  marea_tsne_free(*box);
  *box = NULL;
  return 0;
}

static void tsne_shape(lua_State *L, size_t *n, size_t *axes) {
  lua_getiuservalue(L, 1, 1);
  lua_getiuservalue(L, 1, 2);
  *n = (size_t)lua_tointeger(L, -2);
  *axes = (size_t)lua_tointeger(L, -1);
  lua_pop(L, 2);
}

/* tsne:set_map(map), tsne:map() → map */
static int tsne_set_map(lua_State *L) {
  marea_tsne *t = tsne_at(L);
  size_t n, axes, rows, columns;
  tsne_shape(L, &n, &axes);
  const marea_real *map = rows_at(L, 2, &rows, &columns);
  if (rows != n || columns != axes)
    return bind_error(L, "tsne: the start is (%d, %d), expected (%d, %d)", (int)rows, (int)columns,
                      (int)n, (int)axes);
  bind_check(L, marea_tsne_set_map(t, map));
  return 0;
}

static int tsne_map(lua_State *L) {
  const marea_tsne *t = tsne_at(L);
  size_t n, axes;
  tsne_shape(L, &n, &axes);
  marea_tsne_get_map(t, new_matrix(L, n, axes));
  return 1;
}

/* tsne:run(iterations, { exaggeration, learning_rate, momentum, max_step }) → iterations done,
 * whether Ctrl-C stopped it */
static int tsne_run(lua_State *L) {
  marea_tsne *t = tsne_at(L);
  lua_Integer iterations = luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  marea_tsne_phase phase = {.exaggeration = number_field(L, 3, "exaggeration"),
                            .learning_rate = number_field(L, 3, "learning_rate"),
                            .momentum = number_field(L, 3, "momentum"),
                            .largest_step = number_field(L, 3, "max_step")};
  size_t done;
  bind_check(L, marea_tsne_run(t, &phase, iterations < 0 ? 0 : (size_t)iterations, &done));
  lua_pushinteger(L, (lua_Integer)done);
  lua_pushboolean(L, marea_interrupted());
  return 2;
}

/* tsne:divergence([exact]) → nats */
static int tsne_divergence(lua_State *L) {
  double divergence;
  bind_check(L, marea_tsne_divergence(tsne_at(L), lua_toboolean(L, 2), &divergence));
  lua_pushnumber(L, divergence);
  return 1;
}

/* tsne:report() → { method, gradient_norm } */
static int tsne_report(lua_State *L) {
  const marea_tsne *t = tsne_at(L);
  lua_createtable(L, 0, 2);
  lua_pushstring(L, methods_of_tsne[marea_tsne_used(t)]);
  lua_setfield(L, -2, "method");
  lua_pushnumber(L, marea_tsne_gradient_norm(t));
  lua_setfield(L, -2, "gradient_norm");
  return 1;
}

/* tsne:pairs() → beta, offsets (from 0), columns (from 0), p: lists, for small inputs and tests */
static int tsne_pairs(lua_State *L) {
  const marea_tsne *t = tsne_at(L);
  size_t n, axes;
  const size_t *offsets;
  const int32_t *columns;
  const marea_real *p;
  tsne_shape(L, &n, &axes);
  marea_tsne_pairs(t, &offsets, &columns, &p);
  const double *beta = marea_tsne_precisions(t);
  lua_createtable(L, 0, 4);
  set_numbers(L, "beta", beta, beta == NULL ? 0 : n);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_newtable(L);
    for (size_t e = offsets[i]; e < offsets[i + 1]; e++) {
      lua_pushnumber(L, (double)p[e]);
      lua_rawseti(L, -2, columns[e] + 1);
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "p");
  return 1;
}

/* tsne_place(x, map, new_x, { perplexity, metric, iterations, learning_rate, exaggeration,
 * momentum, max_step }) → places */
static int tsne_place(lua_State *L) {
  size_t n, d, rows, axes, m, columns;
  luaL_checktype(L, 4, LUA_TTABLE);
  marea_tsne_placing options = {.perplexity = number_field(L, 4, "perplexity"),
                                .metric = (marea_tsne_metric)choice_field(L, 4, "metric", metrics),
                                .iterations = (size_t)number_field(L, 4, "iterations"),
                                .learning_rate = number_field(L, 4, "learning_rate"),
                                .exaggeration = number_field(L, 4, "exaggeration"),
                                .momentum = number_field(L, 4, "momentum"),
                                .largest_step = number_field(L, 4, "max_step")};
  const marea_real *x = rows_at(L, 1, &n, &d), *map = rows_at(L, 2, &rows, &axes);
  const marea_real *new_x = rows_at(L, 3, &m, &columns);
  if (rows != n)
    return bind_error(L, "tsne: %d old points, but %d in their map", (int)n, (int)rows);
  if (columns != d)
    return bind_error(L, "tsne: new points have %d columns, the old ones %d", (int)columns, (int)d);
  marea_real *placed = new_matrix(L, m, axes);
  bind_check(L, marea_tsne_place(x, map, n, d, (int)axes, new_x, m, &options, placed));
  return 1;
}

static void check_finite(lua_State *L, const marea_real *x, size_t count, const char *what) {
  for (size_t i = 0; i < count; i++)
    if (!(x[i] - x[i] == 0)) bind_error(L, "%s hold NaN or an infinity", what);
}

/* neighbours(points (n, d), queries (m, d) | nil, k) → int32 (m, k) of rows from 0, reals (m, k) of
 * squared distances; without queries the points' own neighbours, themselves left out */
static int neighbours(lua_State *L) {
  size_t n, d, m, columns;
  bool themselves = lua_isnoneornil(L, 2);
  const marea_real *points = rows_at(L, 1, &n, &d), *queries = points;
  m = n, columns = d;
  if (!themselves) queries = rows_at(L, 2, &m, &columns);
  if (columns != d)
    return bind_error(L, "neighbours: queries have %d columns, points %d", (int)columns, (int)d);
  check_finite(L, points, n * d, "points");
  if (!themselves) check_finite(L, queries, m * d, "queries");
  lua_Integer k = luaL_checkinteger(L, 3), most = (lua_Integer)n - themselves;
  if (k < 1 || k > most)
    return bind_error(L, "neighbours: k is %I, allowed are 1 to %I", (LUAI_UACINT)k,
                      (LUAI_UACINT)most);
  int64_t size[2] = {(int64_t)m, (int64_t)k};
  bind_box *index = bind_box_new(L);
  bind_box_fill(L, index, marea_tensor_new(MAREA_INT32, 2, size));
  marea_real *squared = new_matrix(L, m, (size_t)k);
  bind_check(L, marea_neighbours(queries, m, points, n, d, (size_t)k, themselves,
                                 marea_ints(index->x), squared));
  return 2;
}

/* trustworthiness(x, y, k) → 0 … 1 */
static int trustworthiness(lua_State *L) {
  size_t n, d, rows, e;
  lua_Integer k = luaL_checkinteger(L, 3);
  const marea_real *x = rows_at(L, 1, &n, &d), *y = rows_at(L, 2, &rows, &e);
  if (rows != n)
    return bind_error(L, "trustworthiness: %d points, but %d in their map", (int)n, (int)rows);
  double result;
  bind_check(L, marea_trustworthiness(x, d, y, e, n, k < 0 ? 0 : (size_t)k, &result));
  lua_pushnumber(L, result);
  return 1;
}

static const luaL_Reg pca_functions[] = {
    {"report", pca_report}, {"transform", pca_transform}, {"inverse", pca_inverse}, {NULL, NULL}};

static const luaL_Reg tsne_functions[] = {
    {"set_map", tsne_set_map}, {"map", tsne_map},
    {"run", tsne_run},         {"divergence", tsne_divergence},
    {"report", tsne_report},   {"pairs", tsne_pairs},
    {"close", tsne_close},     {NULL, NULL}};

static const luaL_Reg functions[] = {{"pca", pca_fit},
                                     {"tsne", tsne_new},
                                     {"tsne_place", tsne_place},
                                     {"neighbours", neighbours},
                                     {"trustworthiness", trustworthiness},
                                     {NULL, NULL}};

void bind_open_reduce(lua_State *L) {
  bind_reader_class(L, BIND_PCA, pca_functions, pca_free);
  bind_reader_class(L, BIND_TSNE, tsne_functions, tsne_close);
  luaL_setfuncs(L, functions, 0);
}

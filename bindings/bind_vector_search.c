/* Searching stores of word vectors, and the algebra that goes with it. */
#include <math.h>
#include <string.h>

#include "bind_vectors.h"
#include "embed/jacobi.h"
#include "embed/search.h"
#include "embed/transport.h"

static size_t count_field(lua_State *L, int table, const char *name, size_t standard) {
  lua_getfield(L, table, name);
  lua_Integer value = luaL_optinteger(L, -1, (lua_Integer)standard);
  lua_pop(L, 1);
  if (value < 0) bind_error(L, "search: %s must not be negative", name);
  return (size_t)value;
}

/* The reals of a tensor whose last axis has the width, contiguous, in a tensor that is pushed. */
static const marea_real *terms_at(lua_State *L, int argument, size_t width, size_t *count) {
  marea_tensor *x = bind_tensor(L, argument);
  bind_box *box = bind_box_new(L);
  if (x->dtype != MAREA_REAL || x->rank < 1 || (size_t)x->size[x->rank - 1] != width)
    luaL_argerror(L, argument,
                  lua_pushfstring(L, "expected vectors of %I numbers", (lua_Integer)width));
  bind_box_fill(L, box, marea_tensor_copy(x));
  *count = (size_t)marea_tensor_count(x) / width;
  for (size_t i = 0; i < *count * width; i++)
    if (!(marea_reals(box->x)[i] - marea_reals(box->x)[i] == 0))
      luaL_argerror(L, argument, "a vector holds NaN or infinity");
  return marea_reals(box->x);
}

/* Pushes { rows }, { scores } of one question. */
static void push_found(lua_State *L, const marea_found *found, size_t best) {
  lua_createtable(L, (int)best, 0);
  lua_createtable(L, (int)best, 0);
  for (size_t i = 0; i < best && found[i].row >= 0; i++) {
    lua_pushinteger(L, found[i].row + 1);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
    lua_pushnumber(L, found[i].score);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

enum { SEARCHES_BEFORE = 3 };

/* Who asks single questions again and again gets them answered faster; memory that is short is no
 * reason to fail. */
static void prepare(marea_vectors *v, size_t questions) {
  if (questions != 1 || ++v->searches != SEARCHES_BEFORE) return;
  if (marea_vectors_prepare(v) != MAREA_OK) marea_error_clear();
}

/* vectors:search(unit vectors, { best, positive, negative, multiply, first, last }) → list of lists
 * of rows, list of lists of scores */
static int search(lua_State *L) {
  marea_vectors *v = bind_vectors(L, 1);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  size_t term_count;
  marea_search s = {.terms = terms_at(L, 2, v->width, &term_count)};
  s.positive = count_field(L, 3, "positive", 1);
  s.negative = count_field(L, 3, "negative", 0);
  s.best = count_field(L, 3, "best", 10);
  s.first = count_field(L, 3, "first", 1);
  s.last = count_field(L, 3, "last", v->rows);
  lua_getfield(L, 3, "multiply");
  s.multiply = lua_toboolean(L, -1);
  if (s.first > 0) s.first--;
  if (s.last > v->rows) s.last = v->rows;
  if (s.first > s.last) s.first = s.last;
  if (s.best < 1 || s.best > MAREA_MOST_FOUND)
    return bind_error(L, "search: best is %I, expected 1 to %d", (lua_Integer)s.best,
                      MAREA_MOST_FOUND);
  if (s.positive + s.negative == 0 || term_count % (s.positive + s.negative) != 0)
    return bind_error(L, "search: %I vectors, not a multiple of the terms",
                      (lua_Integer)term_count);
  s.questions = term_count / (s.positive + s.negative);
  prepare(v, s.questions);
  marea_found *found = lua_newuserdatauv(L, (s.questions * s.best + 1) * sizeof *found, 0);
  bind_check(L, marea_vectors_search(v, &s, found));
  lua_createtable(L, (int)s.questions, 0);
  lua_createtable(L, (int)s.questions, 0);
  int lists = lua_gettop(L) - 1;
  for (size_t q = 0; q < s.questions; q++) {
    push_found(L, found + q * s.best, s.best);
    lua_rawseti(L, lists + 1, (lua_Integer)q + 1);
    lua_rawseti(L, lists, (lua_Integer)q + 1);
  }
  return 2;
}

/* vectors:cosines(unit vector) → tensor (V) */
static int cosines(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  size_t count;
  const marea_real *term = terms_at(L, 2, v->width, &count);
  luaL_argcheck(L, count == 1, 2, "expected one vector");
  int64_t rows = (int64_t)v->rows;
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 1, &rows));
  bind_check(L, marea_vectors_cosines(v, term, marea_reals(box->x)));
  return 1;
}

const luaL_Reg bind_vector_search_methods[] = {
    {"search", search}, {"cosines", cosines}, {NULL, NULL}};

/* ---- algebra ---- */

static const double *doubles_at(lua_State *L, int argument, size_t *count) {
  const marea_tensor *x = bind_tensor(L, argument);
  *count = (size_t)marea_tensor_count(x);
  double *list = lua_newuserdatauv(L, (*count + 1) * sizeof *list, 0);
  for (size_t i = 0; i < *count; i++) list[i] = marea_tensor_get(x, (int64_t)i);
  return list;
}

/* transport(masses (n), masses (m), costs (n, m)) → least cost */
static int transport(lua_State *L) {
  size_t n, m, costs;
  double total;
  const double *a = doubles_at(L, 1, &n), *b = doubles_at(L, 2, &m),
               *cost = doubles_at(L, 3, &costs);
  luaL_argcheck(L, costs == n * m, 3, "expected a cost for each pair of masses");
  bind_check(L, marea_transport(n, m, a, b, cost, &total));
  lua_pushnumber(L, total);
  return 1;
}

static void push_reals(lua_State *L, const double *from, int rank, int64_t n) {
  int64_t shape[2] = {n, n};
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, rank, shape));
  for (int64_t i = 0; i < marea_tensor_count(box->x); i++)
    marea_reals(box->x)[i] = (marea_real)from[i];
}

/* singular_values(square matrix) → U, values, V: matrix = U diag(values) V' */
static int singular_values(lua_State *L) {
  size_t count;
  const marea_tensor *x = bind_tensor(L, 1);
  if (x->rank != 2 || x->size[0] != x->size[1] || x->size[0] < 1)
    return luaL_argerror(L, 1, "expected a square matrix");
  size_t n = (size_t)x->size[0];
  const double *given = doubles_at(L, 1, &count);
  double *work = lua_newuserdatauv(L, (2 * n * n + n) * sizeof *work, 0);
  memcpy(work, given, n * n * sizeof *work);
  bind_check(L, marea_singular_values(n, work, work + 2 * n * n, work + n * n));
  push_reals(L, work, 2, x->size[0]);
  push_reals(L, work + 2 * n * n, 1, x->size[0]);
  push_reals(L, work + n * n, 2, x->size[0]);
  return 3;
}

static const luaL_Reg functions[] = {
    {"transport", transport}, {"singular_values", singular_values}, {NULL, NULL}};

void bind_open_vector_algebra(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

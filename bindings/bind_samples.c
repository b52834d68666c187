/* What training samples are made of: skip-grams, windows over long sequences, batches of like
 * lengths. */
#include "bind_sequences.h"

#include "text/sequences/bucketing.h"
#include "text/sequences/skipgrams.h"
#include "text/sequences/windows.h"

/* A contiguous tensor of a type; raises for any other. */
static const marea_tensor *contiguous(lua_State *L, int argument, marea_dtype dtype, int rank) {
  const marea_tensor *x = bind_tensor(L, argument);
  if (x->dtype != dtype || x->rank != rank || !marea_tensor_contiguous(x))
    luaL_argerror(L, argument,
                  lua_pushfstring(L, "expected a contiguous tensor of %s with %d axes",
                                  marea_dtype_name(dtype), rank));
  return x;
}

/* ---- skip-grams ---- */

/* skipgrams(ids, vocabulary_size, window, negatives, shuffle, seed[, table]) → couples (N, 2) and
 * labels (N), int32 */
static int skipgrams(lua_State *L) {
  const marea_tensor *ids = bind_ids(L, 1);
  lua_Integer window = luaL_checkinteger(L, 3);
  luaL_argcheck(L, window >= 0, 3, "the window is 0 or more");
  marea_skipgrams options = {.vocabulary_size = luaL_checkinteger(L, 2),
                             .window = (size_t)window,
                             .negatives = luaL_checknumber(L, 4),
                             .shuffle = lua_toboolean(L, 5),
                             .seed = (uint64_t)luaL_checkinteger(L, 6)};
  if (!lua_isnoneornil(L, 7)) {
    const marea_tensor *table = contiguous(L, 7, MAREA_REAL, 1);
    options.table = marea_reals(table);
    options.table_size = (size_t)table->size[0];
  }
  size_t positives, negatives, count = (size_t)marea_tensor_count(ids);
  bind_check(L, marea_skipgrams_count(marea_ints(ids), count, &options, &positives, &negatives));
  bind_box *couples = bind_box_new(L);
  int64_t size[] = {(int64_t)(positives + negatives), 2};
  bind_box_fill(L, couples, marea_tensor_new(MAREA_INT32, 2, size));
  marea_tensor *labels = bind_push_ids(L, positives + negatives);
  bind_check(L, marea_skipgrams_fill(marea_ints(ids), count, &options, positives, negatives,
                                     marea_ints(couples->x), marea_ints(labels)));
  return 2;
}

/* sampling_table(size, factor) → (size) */
static int sampling_table(lua_State *L) {
  int64_t size = luaL_checkinteger(L, 1);
  luaL_argcheck(L, size >= 1, 1, "one entry or more");
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 1, &size));
  marea_sampling_table(luaL_checknumber(L, 2), marea_reals(box->x), (size_t)size);
  return 1;
}

/* ---- windows ---- */

static void set_below(lua_State *L, int at, const char *name) {
  lua_pushvalue(L, at);
  lua_setfield(L, -2, name);
}

/* sequences:windows(length, stride, drop_last, pad_before, value) → int32 tensor (N, length),
 * { sequence, first, lengths, sequences, tokens, lost, filled, without } */
int bind_windows(lua_State *L) {
  const marea_sequences *s = bind_sequences(L, 1);
  lua_Integer length = luaL_checkinteger(L, 2), stride = luaL_checkinteger(L, 3);
  lua_Integer value = luaL_checkinteger(L, 6);
  luaL_argcheck(L, length >= 1 && length <= INT32_MAX, 2, "the length is 1 or more");
  luaL_argcheck(L, stride >= 1 && stride <= INT32_MAX, 3, "the stride is 1 or more");
  luaL_argcheck(L, value >= INT32_MIN && value <= INT32_MAX, 6, "the value must fit 32 bits");
  marea_windowing windowing = {.length = (size_t)length,
                               .stride = (size_t)stride,
                               .drop_last = lua_toboolean(L, 4),
                               .pad_before = lua_toboolean(L, 5),
                               .value = (int32_t)value};
  size_t count;
  bind_check(L, marea_windows_count(s, &windowing, &count));
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_INT32, 2, (int64_t[]){(int64_t)count, length}));
  int top = lua_gettop(L);
  marea_tensor *sequence = bind_push_ids(L, count), *first = bind_push_ids(L, count);
  marea_tensor *lengths = bind_push_ids(L, count);
  marea_windows_report report;
  marea_windows_fill(s, &windowing, marea_ints(box->x), marea_ints(sequence), marea_ints(first),
                     marea_ints(lengths), &report);
  lua_createtable(L, 0, 9);
  set_below(L, top + 1, "sequence");
  set_below(L, top + 2, "first");
  set_below(L, top + 3, "lengths");
  bind_set_count(L, "sequences", s->count);
  bind_set_count(L, "tokens", report.tokens);
  bind_set_count(L, "lost", report.lost);
  bind_set_count(L, "filled", report.filled);
  bind_set_count(L, "without", report.without);
  lua_pushvalue(L, top);
  lua_insert(L, -2);
  return 2;
}

/* vote(rows (N, C), owner (N) from 1, owners, majority) → (owners, C) */
static int vote(lua_State *L) {
  const marea_tensor *rows = contiguous(L, 1, MAREA_REAL, 2), *owner = bind_ids(L, 2);
  lua_Integer owners = luaL_checkinteger(L, 3);
  luaL_argcheck(L, owners >= 0 && owners <= INT32_MAX, 3, "0 or more sequences");
  luaL_argcheck(L, rows->size[0] == owner->size[0], 2, "one sequence for each row expected");
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 2, (int64_t[]){owners, rows->size[1]}));
  bind_check(L, marea_vote(marea_reals(rows), (size_t)rows->size[0], (size_t)rows->size[1],
                           marea_ints(owner), (size_t)owners, lua_toboolean(L, 4),
                           marea_reals(box->x)));
  return 1;
}

/* ---- buckets ---- */

/* bucket_sort(order, lengths, pool): sorts runs of `pool` rows by length in place; returns order */
static int bucket_sort(lua_State *L) {
  const marea_tensor *order = bind_ids(L, 1), *lengths = bind_ids(L, 2);
  lua_Integer pool = luaL_checkinteger(L, 3);
  luaL_argcheck(L, pool >= 1, 3, "one row or more");
  luaL_argcheck(L, order->size[0] == lengths->size[0], 2, "one length for each row expected");
  bind_check(L, marea_bucket_sort(marea_ints(lengths), (size_t)order->size[0], (size_t)pool,
                                  marea_ints(order)));
  lua_settop(L, 1);
  return 1;
}

/* bucket_shuffle(order, batch size, stream): whole batches at random, in place; returns order */
static int bucket_shuffle(lua_State *L) {
  const marea_tensor *order = bind_ids(L, 1);
  lua_Integer batch = luaL_checkinteger(L, 2);
  luaL_argcheck(L, batch >= 1, 2, "one row or more");
  bind_check(L, marea_bucket_shuffle(bind_stream(L, 3), (size_t)order->size[0], (size_t)batch,
                                     marea_ints(order)));
  lua_settop(L, 1);
  return 1;
}

/* bucket_measure(order or nil, lengths, batch size) → places, items */
static int bucket_measure(lua_State *L) {
  const marea_tensor *order = lua_isnoneornil(L, 1) ? NULL : bind_ids(L, 1);
  const marea_tensor *lengths = bind_ids(L, 2);
  lua_Integer batch = luaL_checkinteger(L, 3);
  luaL_argcheck(L, batch >= 1, 3, "one row or more");
  luaL_argcheck(L, order == NULL || order->size[0] == lengths->size[0], 2,
                "one length for each row expected");
  marea_bucket_size size;
  const int32_t *rows = order != NULL ? marea_ints(order) : NULL;
  bind_check(L, marea_bucket_measure(marea_ints(lengths), rows, (size_t)lengths->size[0],
                                     (size_t)batch, &size));
  lua_pushinteger(L, (lua_Integer)size.places);
  lua_pushinteger(L, (lua_Integer)size.items);
  return 2;
}

static const luaL_Reg functions[] = {{"skipgrams", skipgrams},
                                     {"sampling_table", sampling_table},
                                     {"vote", vote},
                                     {"bucket_sort", bucket_sort},
                                     {"bucket_shuffle", bucket_shuffle},
                                     {"bucket_measure", bucket_measure},
                                     {NULL, NULL}};

void bind_open_samples(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

/* Counting, weighing and hashing words. The Lua side is lua/marea/text/encodings.lua. */
#include "bind_text.h"
#include "text/encode/hashing.h"
#include "text/encode/weighting.h"

/* sparse_counts(sequences, first, columns): how often each id occurs, `first` in column 1 */
static int counts(lua_State *L) {
  const marea_sequences *s = bind_sequences(L, 1);
  lua_Integer first = luaL_checkinteger(L, 2), columns = luaL_checkinteger(L, 3);
  luaL_argcheck(L, first >= 0 && first <= INT32_MAX, 2, "an id expected");
  marea_csr **box = bind_sparse_new(L);
  return bind_sparse_fill(L, box, marea_count_ids(s, (int32_t)first, columns));
}

/* sequences_of(ids): the rows of an int32 tensor (N, T) */
static int sequences_of(lua_State *L) {
  const marea_tensor *x = bind_tensor(L, 1);
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (x->rank != 2 || x->dtype != MAREA_INT32)
    return bind_error(L, "the ids are %s %s, expected int32 with two axes",
                      marea_dtype_name(x->dtype), marea_shape_text(x, text));
  marea_sequences *s = bind_push_sequences(L);
  for (int64_t i = 0; i < x->size[0]; i++) {
    for (int64_t j = 0; j < x->size[1]; j++)
      bind_check(L, marea_sequences_push(s, marea_ints(x)[i * x->stride[0] + j * x->stride[1]]));
    bind_check(L, marea_sequences_end(s));
  }
  return 1;
}

/* highest_id(sequences) → the largest id, -1 when there is none */
static int highest_id(lua_State *L) {
  const marea_sequences *s = bind_sequences(L, 1);
  int32_t highest = -1;
  for (size_t i = 0; i < s->id_count; i++)
    if (s->ids[i] > highest) highest = s->ids[i];
  lua_pushinteger(L, highest);
  return 1;
}

/* idf(rule, documents, df (V) int32) → (V) */
static int idf(lua_State *L) {
  static const char *const rules[] = {"keras", "sklearn", "sklearn_plain", "gensim", NULL};
  marea_idf rule = (marea_idf)luaL_checkoption(L, 1, NULL, rules);
  lua_Integer documents = luaL_checkinteger(L, 2);
  const marea_tensor *df = bind_tensor(L, 3);
  const int32_t *list = bind_vector(L, 3, MAREA_INT32, -1);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 1, df->size));
  bind_check(L, marea_idf_values(rule, documents, list, df->size[0], marea_reals(box->x)));
  return 1;
}

/* weigh(counts, tf, idf (V) or nil, norm, lengths (N) int32 or nil) */
static int weigh(lua_State *L) {
  static const char *const names[] = {"binary", "count", "freq", "log", NULL};
  const marea_csr *m = bind_sparse(L, 1);
  marea_tf tf = (marea_tf)luaL_checkoption(L, 2, NULL, names);
  marea_norm norm = bind_norm(L, 4);
  lua_settop(L, 5);
  const marea_real *factors = bind_vector(L, 3, MAREA_REAL, m->columns);
  const int32_t *lengths = bind_vector(L, 5, MAREA_INT32, m->rows);
  marea_csr **box = bind_sparse_new(L);
  return bind_sparse_fill(L, box, marea_weigh(m, tf, factors, norm, lengths));
}

/* hash_columns(words, rule, columns, seed, signed) → int32: the column of each from 0, ~column for
 * the negative sign */
static int hash_columns(lua_State *L) {
  static const char *const rules[] = {"marea", "sklearn", "keras", NULL};
  size_t count;
  marea_hash_rule rule = (marea_hash_rule)luaL_checkoption(L, 2, NULL, rules);
  lua_Integer columns = luaL_checkinteger(L, 3), seed = luaL_optinteger(L, 4, 0);
  luaL_argcheck(L, columns >= (rule == MAREA_HASH_KERAS ? 2 : 1) && columns <= INT32_MAX, 3,
                "too few or too many columns");
  bool is_signed = lua_toboolean(L, 5);
  const marea_text *words = bind_texts(L, 1, &count);
  int64_t n = (int64_t)count;
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_INT32, 1, &n));
  for (size_t i = 0; i < count; i++)
    marea_ints(box->x)[i] = marea_hash_column(rule, words[i].bytes, words[i].length, (uint64_t)seed,
                                              (int32_t)columns, is_signed);
  return 1;
}

/* md5_modulo(text, m) → the digest, read as one number, modulo m */
static int md5_modulo(lua_State *L) {
  marea_text text = bind_text(L, 1);
  lua_Integer m = luaL_checkinteger(L, 2);
  luaL_argcheck(L, m >= 1 && m <= (lua_Integer)1 << 56, 2, "1 to 2^56 expected");
  lua_pushinteger(L, (lua_Integer)marea_md5_modulo(text.bytes, text.length, (uint64_t)m));
  return 1;
}

/* md5(text) → 32 hexadecimal digits */
static int md5(lua_State *L) {
  marea_text text = bind_text(L, 1);
  uint8_t digest[16];
  char digits[32];
  marea_md5(text.bytes, text.length, digest);
  for (int i = 0; i < 32; i++)
    digits[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
  lua_pushlstring(L, digits, sizeof digits);
  return 1;
}

/* murmur3(text[, seed]) → 32 bits */
static int murmur3(lua_State *L) {
  marea_text text = bind_text(L, 1);
  uint32_t seed = (uint32_t)luaL_optinteger(L, 2, 0);
  lua_pushinteger(L, marea_murmur3(text.bytes, text.length, seed));
  return 1;
}

static const luaL_Reg functions[] = {{"sparse_counts", counts},
                                     {"sequences_of", sequences_of},
                                     {"highest_id", highest_id},
                                     {"idf", idf},
                                     {"weigh", weigh},
                                     {"hash_columns", hash_columns},
                                     {"md5", md5},
                                     {"md5_modulo", md5_modulo},
                                     {"murmur3", murmur3},
                                     {NULL, NULL}};

void bind_open_encodings(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

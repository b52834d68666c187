/* Stores of word vectors. The Lua side is lua/marea/embeddings/. */
#include "bind_vectors.h"

#include <string.h>

marea_vectors *bind_vectors(lua_State *L, int argument) {
  marea_vectors **box = luaL_checkudata(L, argument, BIND_VECTORS);
  if (*box == NULL) luaL_argerror(L, argument, "the vectors were never made");
  return *box;
}

marea_vectors **bind_vectors_new(lua_State *L) {
  marea_vectors **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BIND_VECTORS);
  return box;
}

int bind_vectors_fill(lua_State *L, marea_vectors **box, marea_vectors *vectors) {
  if (vectors == NULL) return bind_raise(L);
  *box = vectors;
  bind_account(L, marea_vectors_bytes(vectors));
  return 1;
}

static int collect(lua_State *L) {
  marea_vectors **box = luaL_checkudata(L, 1, BIND_VECTORS);
  marea_vectors_free(*box);
  *box = NULL;
  return 0;
}

static const char *const type_names[] = {"float32", "float16", "int8", NULL};

marea_row_type bind_row_type(lua_State *L, int argument) {
  return (marea_row_type)luaL_checkoption(L, argument, "float32", type_names);
}

size_t bind_vectors_row(lua_State *L, int argument, const marea_vectors *v) {
  lua_Integer row = luaL_checkinteger(L, argument);
  if (row < 1 || (size_t)row > v->rows)
    luaL_argerror(
        L, argument,
        lua_pushfstring(L, "row %I, the vectors have 1 to %I", row, (lua_Integer)v->rows));
  return (size_t)row - 1;
}

/* ---- making ---- */

/* A word that the message shows in full or by its beginning. */
static int refuse_row(lua_State *L, lua_Integer i, const char *why) {
  return bind_error(L, "Vectors: word %I: %s", i, why);
}

static void add_words(lua_State *L, marea_vectors *v, const marea_text *words, size_t count,
                      const marea_tensor *x) {
  float *row = lua_newuserdatauv(L, v->width * sizeof *row, 0);
  for (size_t i = 0; i < count; i++) {
    bool is_new;
    for (size_t j = 0; j < v->width; j++)
      row[j] = (float)marea_tensor_get(x, (int64_t)(i * v->width + j));
    if (marea_vectors_append(v, words[i].bytes, words[i].length, row, &is_new) != MAREA_OK)
      refuse_row(L, (lua_Integer)i + 1, marea_error_text());
    if (!is_new) refuse_row(L, (lua_Integer)i + 1, "is there twice");
  }
}

/* vectors(list of words, tensor (V, D)[, type]) → vectors */
static int make(lua_State *L) {
  size_t count;
  lua_settop(L, 3);
  const marea_text *words = bind_texts(L, 1, &count);
  const marea_tensor *x = bind_tensor(L, 2);
  if (x->rank != 2 || x->dtype != MAREA_REAL || (size_t)x->size[0] != count)
    return bind_error(L, "Vectors: %I words, and a matrix of %s; expected a row of reals a word",
                      (lua_Integer)count,
                      x->rank == 2 && x->dtype == MAREA_REAL ? "another number of rows"
                                                             : "another kind");
  marea_row_type type = bind_row_type(L, 3);
  marea_vectors **box = bind_vectors_new(L);
  bind_vectors_fill(L, box, marea_vectors_new((size_t)x->size[1], type, count));
  int result = lua_gettop(L);
  add_words(L, *box, words, count, x);
  lua_pushvalue(L, result);
  return 1;
}

/* vectors:with_rows(tensor (V, D')[, type]) → vectors with the same words */
static int with_rows(lua_State *L) {
  const marea_vectors *from = bind_vectors(L, 1);
  const marea_tensor *x = bind_tensor(L, 2);
  if (x->rank != 2 || x->dtype != MAREA_REAL || (size_t)x->size[0] != from->rows)
    return bind_error(L, "with_rows: expected a matrix of %I rows", (lua_Integer)from->rows);
  marea_row_type type = bind_row_type(L, 3);
  marea_vectors **box = bind_vectors_new(L);
  bind_vectors_fill(L, box, marea_vectors_new((size_t)x->size[1], type, from->rows));
  marea_text *words = lua_newuserdatauv(L, (from->rows + 1) * sizeof *words, 0);
  for (size_t i = 0; i < from->rows; i++) words[i] = marea_lexicon_word(&from->words, i);
  add_words(L, *box, words, from->rows, x);
  lua_pushvalue(L, -3);
  return 1;
}

/* ---- asking ---- */

/* vectors:size() → rows, width */
static int size(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  lua_pushinteger(L, (lua_Integer)v->rows);
  lua_pushinteger(L, (lua_Integer)v->width);
  return 2;
}

/* vectors:facts() → type, bytes in memory, mapped, least and most code points of parts, card */
static int facts(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  lua_pushstring(L, type_names[v->type]);
  lua_pushinteger(L, (lua_Integer)marea_vectors_bytes(v));
  lua_pushboolean(L, v->mapping.bytes != NULL);
  lua_pushinteger(L, v->subwords.buckets > 0 ? v->subwords.least : 0);
  lua_pushinteger(L, v->subwords.buckets > 0 ? v->subwords.most : 0);
  lua_pushstring(L, v->card);
  return 6;
}

/* vectors:set_card(text or nil) */
static int set_card(lua_State *L) {
  marea_vectors *v = bind_vectors(L, 1);
  size_t length = 0;
  const char *text = luaL_optlstring(L, 2, NULL, &length);
  if (text != NULL && (strlen(text) != length || length > 1 << 18))
    return luaL_argerror(L, 2, "expected at most 256 KB of text without zero bytes");
  char *copy = text != NULL ? marea_strdup(text) : NULL;
  if (text != NULL && copy == NULL) return bind_raise(L);
  marea_free(v->card);
  v->card = copy;
  return 0;
}

/* vectors:find(word) → row from 1, or nothing */
static int find(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  marea_text word = bind_text(L, 2);
  int64_t row = marea_lexicon_find(&v->words, word.bytes, word.length);
  if (row < 0 || (size_t)row >= v->rows) return 0;
  lua_pushinteger(L, row + 1);
  return 1;
}

/* vectors:word(row from 1) → word, norm */
static int word(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  size_t row = bind_vectors_row(L, 2, v);
  marea_text text = marea_lexicon_word(&v->words, row);
  lua_pushlstring(L, text.bytes, text.length);
  lua_pushnumber(L, (lua_Number)v->norms[row]);
  return 2;
}

/* vectors:words(first, last) → list */
static int words(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  lua_Integer first = luaL_optinteger(L, 2, 1), last = luaL_optinteger(L, 3, (lua_Integer)v->rows);
  if (first < 1) first = 1;
  if (last > (lua_Integer)v->rows) last = (lua_Integer)v->rows;
  lua_createtable(L, last >= first ? (int)(last - first + 1) : 0, 0);
  for (lua_Integer row = first; row <= last; row++) {
    marea_text text = marea_lexicon_word(&v->words, (size_t)row - 1);
    lua_pushlstring(L, text.bytes, text.length);
    lua_rawseti(L, -2, row - first + 1);
  }
  return 1;
}

static bool all_finite(const marea_real *x, size_t n) {
  bool finite = true;
  for (size_t i = 0; i < n; i++) finite &= x[i] - x[i] == 0;
  return finite;
}

/* vectors:rows(list of rows from 1, or nil for all[, unit]) → tensor (n, D). 0 in the list gives a
 * row of zeros. `unit`: each divided by its length. */
static int rows(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  bool all = lua_isnoneornil(L, 2), unit = lua_toboolean(L, 3);
  if (!all) luaL_checktype(L, 2, LUA_TTABLE);
  int64_t shape[2] = {all ? (int64_t)v->rows : (int64_t)luaL_len(L, 2), (int64_t)v->width};
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 2, shape));
  marea_real *to = marea_reals(box->x);
  if (all) marea_vectors_rows(v, 0, v->rows, to);
  for (int64_t i = 0; i < shape[0]; i++, to += v->width) {
    lua_Integer row = i + 1;
    if (!all) {
      lua_geti(L, 2, i + 1);
      row = luaL_checkinteger(L, -1);
      lua_pop(L, 1);
    }
    if (row < 0 || (size_t)row > v->rows)
      return bind_error(L, "row %I, the vectors have 1 to %I", row, (lua_Integer)v->rows);
    if (!all && row > 0) marea_vectors_rows(v, (size_t)row - 1, 1, to);
    if (!all_finite(to, v->width))
      return bind_error(L, "the vector in row %I holds NaN or infinity", row);
    marea_real norm = row > 0 ? (marea_real)v->norms[row - 1] : 0;
    for (size_t j = 0; unit && norm > 0 && j < v->width; j++) to[j] /= norm;
  }
  return 1;
}

/* vectors:subword(word) → tensor (D) of the word's parts, or nothing */
static int subword(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  marea_text text = bind_text(L, 2);
  int64_t width = (int64_t)v->width;
  float *row = lua_newuserdatauv(L, v->width * sizeof *row, 0);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 1, &width));
  if (!marea_subwords_vector(v, text.bytes, text.length, row)) return 0;
  for (size_t i = 0; i < v->width; i++) marea_reals(box->x)[i] = (marea_real)row[i];
  if (!all_finite(marea_reals(box->x), v->width))
    return bind_error(L, "the parts of \"%s\" hold NaN or infinity", text.bytes);
  return 1;
}

/* subword_hash(text) → fastText's hash */
static int subword_hash(lua_State *L) {
  marea_text text = bind_text(L, 1);
  lua_pushinteger(L, (lua_Integer)marea_subword_hash(text.bytes, text.length));
  return 1;
}

static const luaL_Reg methods[] = {
    {"with_rows", with_rows}, {"size", size}, {"facts", facts}, {"set_card", set_card},
    {"find", find},           {"word", word}, {"words", words}, {"rows", rows},
    {"subword", subword},     {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"vectors", make}, {"subword_hash", subword_hash}, {NULL, NULL}};

void bind_open_vectors(lua_State *L) {
  bind_class(L, BIND_VECTORS, methods, collect);
  luaL_getmetatable(L, BIND_VECTORS);
  lua_getfield(L, -1, "__index");
  luaL_setfuncs(L, bind_vector_search_methods, 0);
  luaL_setfuncs(L, bind_vector_file_methods, 0);
  lua_pop(L, 2);
  luaL_setfuncs(L, functions, 0);
  bind_open_vector_files(L);
  bind_open_vector_algebra(L);
}

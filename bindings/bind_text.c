/* Texts: splitting, vocabularies, sequences of ids. The Lua side is lua/marea/text.lua. */
#include <string.h>

#include "bind_text.h"

#define SPLITTER   "marea.splitter"
#define VOCABULARY "marea.vocabulary"

/* ---- lists of strings ---- */

/* The strings of a list as texts, in a userdata that is pushed; the list keeps the bytes alive. */
const marea_text *bind_texts(lua_State *L, int argument, size_t *count) {
  if (lua_type(L, argument) == LUA_TSTRING)
    luaL_argerror(L, argument, "expected a list of texts, got a single string; put it in { }");
  luaL_checktype(L, argument, LUA_TTABLE);
  *count = (size_t)luaL_len(L, argument);
  marea_text *texts = lua_newuserdatauv(L, (*count + 1) * sizeof *texts, 0);
  for (size_t i = 0; i < *count; i++) {
    lua_geti(L, argument, (lua_Integer)i + 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_argerror(L, argument,
                    lua_pushfstring(L, "text %I is a %s, expected a string", (lua_Integer)i + 1,
                                    luaL_typename(L, -1)));
    texts[i].bytes = lua_tolstring(L, -1, &texts[i].length);
    lua_pop(L, 1);
  }
  return texts;
}

marea_text bind_text(lua_State *L, int argument) {
  marea_text text;
  text.bytes = luaL_checklstring(L, argument, &text.length);
  return text;
}

/* ---- splitters ---- */

static marea_splitter *check_splitter(lua_State *L, int argument) {
  return *(marea_splitter **)luaL_checkudata(L, argument, SPLITTER);
}

/* splitter(filters, split, lower, characters) */
static int new_splitter(lua_State *L) {
  marea_splitter_options options = {.filters = bind_text(L, 1),
                                    .split = bind_text(L, 2),
                                    .lower = lua_toboolean(L, 3),
                                    .characters = lua_toboolean(L, 4)};
  marea_splitter **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, SPLITTER);
  *box = marea_splitter_new(&options);
  return *box != NULL ? 1 : bind_raise(L);
}

static int free_splitter(lua_State *L) {
  marea_splitter **box = luaL_checkudata(L, 1, SPLITTER);
  marea_splitter_free(*box);
  *box = NULL;
  return 0;
}

/* The pieces are gathered with their lengths in a Lua buffer, so that no Lua error can happen while
 * the splitter holds memory. */
typedef struct gatherer {
  char *bytes;
  size_t used, capacity;
} gatherer;

static marea_status gather(void *context, const char *bytes, size_t length) {
  gatherer *g = context;
  size_t wanted = g->used + sizeof length + length;
  if (wanted > g->capacity) {
    char *wider = marea_realloc(g->bytes, 2 * wanted);
    if (wider == NULL) return MAREA_NOMEM;
    g->bytes = wider;
    g->capacity = 2 * wanted;
  }
  memcpy(g->bytes + g->used, &length, sizeof length);
  memcpy(g->bytes + g->used + sizeof length, bytes, length);
  g->used = wanted;
  return MAREA_OK;
}

static int push_pieces(lua_State *L) {
  const gatherer *g = lua_touserdata(L, 1);
  lua_newtable(L);
  lua_Integer number = 0;
  for (size_t at = 0; at < g->used;) {
    size_t length;
    memcpy(&length, g->bytes + at, sizeof length);
    lua_pushlstring(L, g->bytes + at + sizeof length, length);
    lua_rawseti(L, -2, ++number);
    at += sizeof length + length;
  }
  return 1;
}

/* splitter:split(text) → list of words */
static int split(lua_State *L) {
  gatherer g = {NULL, 0, 0};
  marea_status status = marea_split(check_splitter(L, 1), bind_text(L, 2), gather, &g);
  lua_pushcfunction(L, push_pieces);
  lua_pushlightuserdata(L, &g);
  int code = status == MAREA_OK ? lua_pcall(L, 1, 1, 0) : LUA_OK;
  marea_free(g.bytes);
  bind_check(L, status);
  return code == LUA_OK ? 1 : lua_error(L);
}

/* ---- vocabularies ---- */

static marea_vocabulary *check_vocabulary(lua_State *L, int argument) {
  return *(marea_vocabulary **)luaL_checkudata(L, argument, VOCABULARY);
}

static int new_vocabulary(lua_State *L) {
  marea_vocabulary **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, VOCABULARY);
  *box = marea_vocabulary_new();
  return *box != NULL ? 1 : bind_raise(L);
}

static int free_vocabulary(lua_State *L) {
  marea_vocabulary **box = luaL_checkudata(L, 1, VOCABULARY);
  marea_vocabulary_free(*box);
  *box = NULL;
  return 0;
}

/* vocabulary:count(splitter, texts) */
static int count_texts(lua_State *L) {
  size_t count;
  marea_vocabulary *v = check_vocabulary(L, 1);
  const marea_splitter *splitter = check_splitter(L, 2);
  const marea_text *texts = bind_texts(L, 3, &count);
  bind_check(L, marea_vocabulary_count(v, splitter, texts, count));
  bind_check(L, marea_vocabulary_rank(v));
  return 0;
}

/* vocabulary:count_words(list of words): one document */
static int count_words(lua_State *L) {
  size_t count;
  marea_vocabulary *v = check_vocabulary(L, 1);
  const marea_text *words = bind_texts(L, 2, &count);
  bind_check(L, marea_vocabulary_count_words(v, words, count));
  bind_check(L, marea_vocabulary_rank(v));
  return 0;
}

static marea_encoding read_encoding(lua_State *L, int first) {
  marea_encoding e = {.vocabulary = check_vocabulary(L, 1)};
  lua_Integer limit = luaL_optinteger(L, first, 0);
  luaL_argcheck(L, limit >= 0, first, "num_words must not be negative");
  e.num_words = (size_t)limit;
  e.oov = !lua_isnoneornil(L, first + 1);
  if (e.oov) e.oov_word = bind_text(L, first + 1);
  return e;
}

static void push_encoding_report(lua_State *L, const marea_encoding_report *report) {
  lua_createtable(L, 0, 4);
  bind_set_count(L, "words", report->tokens);
  bind_set_count(L, "unknown", report->unknown);
  bind_set_count(L, "beyond_limit", report->beyond);
  bind_set_count(L, "empty", report->empty);
}

/* vocabulary:encode(splitter, texts, num_words, oov) → sequences, report */
static int encode(lua_State *L) {
  size_t count;
  marea_encoding_report report = {0};
  const marea_splitter *splitter = check_splitter(L, 2);
  marea_encoding encoding = read_encoding(L, 4);
  const marea_text *texts = bind_texts(L, 3, &count);
  marea_sequences *s = bind_push_sequences(L);
  bind_check(L, marea_encode(&encoding, splitter, texts, count, s, &report));
  push_encoding_report(L, &report);
  return 2;
}

/* vocabulary:encode_words(list of lists of words, num_words, oov) → sequences, report */
static int encode_words(lua_State *L) {
  luaL_checktype(L, 2, LUA_TTABLE);
  marea_encoding encoding = read_encoding(L, 3);
  marea_encoding_report report = {0};
  lua_Integer rows = luaL_len(L, 2);
  marea_sequences *s = bind_push_sequences(L);
  for (lua_Integer i = 1; i <= rows; i++) {
    size_t count, before = s->id_count;
    lua_geti(L, 2, i);
    const marea_text *words = bind_texts(L, lua_gettop(L), &count);
    for (size_t j = 0; j < count; j++) {
      int32_t id = marea_encode_word(&encoding, words[j].bytes, words[j].length, &report);
      if (id != 0) bind_check(L, marea_sequences_push(s, id));
    }
    bind_check(L, marea_sequences_end(s));
    report.empty += s->id_count == before;
    lua_pop(L, 2);
  }
  push_encoding_report(L, &report);
  return 2;
}

/* vocabulary:size() → words, documents */
static int vocabulary_size(lua_State *L) {
  const marea_vocabulary *v = check_vocabulary(L, 1);
  lua_pushinteger(L, (lua_Integer)v->word_count);
  lua_pushinteger(L, v->document_count);
  return 2;
}

/* vocabulary:words() → words, counts, documents, ranks: four lists in the order of first sight */
static int vocabulary_words(lua_State *L) {
  const marea_vocabulary *v = check_vocabulary(L, 1);
  for (int i = 0; i < 4; i++) lua_createtable(L, (int)v->word_count, 0);
  int words = lua_gettop(L) - 3;
  for (size_t i = 0; i < v->word_count; i++) {
    marea_text word = marea_vocabulary_word(v, (int32_t)i);
    lua_Integer at = (lua_Integer)i + 1;
    lua_pushlstring(L, word.bytes, word.length);
    lua_rawseti(L, words, at);
    lua_pushinteger(L, v->words[i].count);
    lua_rawseti(L, words + 1, at);
    lua_pushinteger(L, v->words[i].documents);
    lua_rawseti(L, words + 2, at);
    lua_pushinteger(L, v->rank_of != NULL ? v->rank_of[i] + 1 : 0);
    lua_rawseti(L, words + 3, at);
  }
  return 4;
}

/* vocabulary:restore(words, counts, documents, number of documents): into an empty one */
static int vocabulary_restore(lua_State *L) {
  size_t count;
  marea_vocabulary *v = check_vocabulary(L, 1);
  const marea_text *words = bind_texts(L, 2, &count);
  luaL_checktype(L, 3, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TTABLE);
  lua_Integer documents = luaL_checkinteger(L, 5);
  for (size_t i = 0; i < count; i++) {
    int32_t place = marea_vocabulary_add(v, words[i].bytes, words[i].length);
    if (place < 0) return bind_raise(L);
    if ((size_t)place != i)
      return luaL_error(L, "the vocabulary has the word \"%s\" twice", words[i].bytes);
    lua_geti(L, 3, (lua_Integer)i + 1);
    v->words[i].count = lua_tointeger(L, -1);
    lua_geti(L, 4, (lua_Integer)i + 1);
    v->words[i].documents = lua_tointeger(L, -1);
    lua_pop(L, 2);
    if (v->words[i].count < 0 || v->words[i].documents < 0)
      return luaL_error(L, "the vocabulary has a negative count");
  }
  v->document_count = documents;
  bind_check(L, marea_vocabulary_rank(v));
  return 0;
}

/* vocabulary:hash() → 16 hexadecimal digits */
static int vocabulary_hash(lua_State *L) {
  char text[24];
  lua_Unsigned hash = (lua_Unsigned)marea_vocabulary_hash(check_vocabulary(L, 1));
  lua_pushlstring(L, text,
                  (size_t)snprintf(text, sizeof text, "%016llx", (unsigned long long)hash));
  return 1;
}

/* hash_bytes(text[, seed]) → a stable hash, not negative */
static int hash_bytes(lua_State *L) {
  marea_text text = bind_text(L, 1);
  uint64_t seed = (uint64_t)luaL_optinteger(L, 2, 0);
  lua_pushinteger(L, (lua_Integer)(marea_hash_bytes(text.bytes, text.length, seed) >> 1));
  return 1;
}

void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

static const luaL_Reg splitter_methods[] = {{"split", split}, {NULL, NULL}};

static const luaL_Reg vocabulary_methods[] = {
    {"count", count_texts},          {"count_words", count_words}, {"encode", encode},
    {"encode_words", encode_words},  {"size", vocabulary_size},    {"words", vocabulary_words},
    {"restore", vocabulary_restore}, {"hash", vocabulary_hash},    {NULL, NULL}};

static const luaL_Reg functions[] = {{"splitter", new_splitter},
                                     {"vocabulary", new_vocabulary},
                                     {"hash_bytes", hash_bytes},
                                     {NULL, NULL}};

void bind_open_text(lua_State *L) {
  bind_class(L, SPLITTER, splitter_methods, free_splitter);
  bind_class(L, VOCABULARY, vocabulary_methods, free_vocabulary);
  luaL_setfuncs(L, functions, 0);
  bind_open_sequences(L);
  lua_pushliteral(L, MAREA_KERAS_FILTERS);
  lua_setfield(L, -2, "keras_filters");
}

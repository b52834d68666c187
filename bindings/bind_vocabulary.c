/* Vocabularies: counting, ranking, words and ids. The Lua side is lua/marea/text/vocabulary.lua. */
#include <stdio.h>

#include "bind_text.h"
#include "text/vocabulary/count_lines.h"

#define VOCABULARY "marea.vocabulary"

marea_vocabulary *bind_vocabulary(lua_State *L, int argument) {
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

/* ---- counting ---- */

/* vocabulary:count(pipeline, texts) → report: every text is a document */
static int count_texts(lua_State *L) {
  size_t count;
  marea_pipeline_report report = {0};
  marea_vocabulary *v = bind_vocabulary(L, 1);
  const marea_text *texts = bind_texts(L, 3, &count);
  const marea_pipeline *pipeline = bind_pipeline(L, 2);
  bind_pipeline_check(L, 2, marea_count_texts(v, pipeline, texts, count, &report));
  bind_push_pipeline_report(L, &report);
  return 1;
}

/* vocabulary:count_lines(pipeline, path[, longest line]) → report; nil and a message for the file.
 * Every line is a document. */
static int count_lines(lua_State *L) {
  marea_pipeline_report report = {0};
  marea_vocabulary *v = bind_vocabulary(L, 1);
  const char *path = luaL_checkstring(L, 3);
  lua_Integer longest = luaL_optinteger(L, 4, MAREA_LONGEST_LINE);
  luaL_argcheck(L, longest >= 1, 4, "the longest line has at least one byte");
  const marea_pipeline *pipeline = bind_pipeline(L, 2);
  marea_lines *lines = marea_lines_new(path);
  if (lines == NULL) return bind_nil(L);
  marea_lines_limit(lines, (size_t)longest);
  marea_status status = marea_count_lines(v, pipeline, lines, &report);
  marea_lines_free(lines);
  if (status == MAREA_IO || status == MAREA_FORMAT) return bind_nil(L);
  bind_pipeline_check(L, 2, status);
  bind_push_pipeline_report(L, &report);
  return 1;
}

/* vocabulary:count_words(list of words): one document */
static int count_words(lua_State *L) {
  size_t count;
  marea_vocabulary *v = bind_vocabulary(L, 1);
  const marea_text *words = bind_texts(L, 2, &count);
  bind_check(L, marea_count_words(v, words, count));
  return 0;
}

/* vocabulary:add(word, count, documents): adds to what it has */
static int add_word(lua_State *L) {
  marea_vocabulary *v = bind_vocabulary(L, 1);
  marea_text word = bind_text(L, 2);
  int32_t place = marea_vocabulary_add(v, word.bytes, word.length);
  if (place < 0) return bind_raise(L);
  v->words[place].count += luaL_optinteger(L, 3, 0);
  v->words[place].documents += luaL_optinteger(L, 4, 0);
  return 0;
}

/* vocabulary:merge(other): counts and documents are added, new words come last */
static int merge(lua_State *L) {
  marea_vocabulary *v = bind_vocabulary(L, 1);
  const marea_vocabulary *other = bind_vocabulary(L, 2);
  luaL_argcheck(L, v != other, 2, "a vocabulary cannot be merged into itself");
  bind_check(L, marea_vocabulary_merge(v, other, false));
  return 0;
}

/* ---- ranking ---- */

static int64_t field_integer(lua_State *L, int table, const char *field) {
  lua_getfield(L, table, field);
  lua_Integer value = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value;
}

static int field_option(lua_State *L, int table, const char *field, const char *standard,
                        const char *const *names) {
  lua_getfield(L, table, field);
  int option = luaL_checkoption(L, -1, standard, names);
  lua_pop(L, 1);
  return option;
}

/* vocabulary:rank({ order, ties, min_count, min_documents, max_documents, keep }) → report */
static int rank(lua_State *L) {
  static const char *const orders[] = {"count", "bytes", "first", NULL};
  static const char *const ties[] = {"first", "ascending", "descending", "signed", NULL};
  marea_vocabulary *v = bind_vocabulary(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  int64_t keep = field_integer(L, 2, "keep");
  marea_ranking rule = {.order = (marea_order)field_option(L, 2, "order", "count", orders),
                        .ties = (marea_ties)field_option(L, 2, "ties", "first", ties),
                        .min_count = field_integer(L, 2, "min_count"),
                        .min_documents = field_integer(L, 2, "min_documents"),
                        .max_documents = field_integer(L, 2, "max_documents"),
                        .keep = keep > 0 ? (size_t)keep : 0};
  marea_ranking_report report;
  bind_check(L, marea_vocabulary_rank(v, &rule, &report));
  lua_createtable(L, 0, 5);
  bind_set_count(L, "ranked", v->ranked);
  bind_set_count(L, "rare", report.rare);
  bind_set_count(L, "in_few_documents", report.in_few_documents);
  bind_set_count(L, "in_many_documents", report.in_many_documents);
  bind_set_count(L, "beyond_keep", report.beyond_keep);
  return 1;
}

/* ---- encoding ---- */

/* Reads { first_id, limit, unknown_id, unknown_ids, specials = vocabulary, special_ids = list } at
 * an argument; pushes one value. */
static marea_encoding read_encoding(lua_State *L, const marea_vocabulary *v, int argument) {
  luaL_checktype(L, argument, LUA_TTABLE);
  marea_encoding e = {.vocabulary = v,
                      .first_id = (int32_t)field_integer(L, argument, "first_id"),
                      .limit = (size_t)field_integer(L, argument, "limit"),
                      .unknown_id = (int32_t)field_integer(L, argument, "unknown_id"),
                      .unknown_ids = (size_t)field_integer(L, argument, "unknown_ids")};
  luaL_argcheck(L, v->rank_of != NULL || v->word_count == 0, 1, "the vocabulary has no ranking");
  if (lua_getfield(L, argument, "specials") == LUA_TNIL) return e;
  e.specials = bind_vocabulary(L, lua_gettop(L));
  lua_pop(L, 1);
  int32_t *ids = lua_newuserdatauv(L, (e.specials->word_count + 1) * sizeof *ids, 0);
  lua_getfield(L, argument, "special_ids");
  for (size_t i = 0; i < e.specials->word_count; i++) {
    lua_geti(L, -1, (lua_Integer)i + 1);
    ids[i] = (int32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  e.special_ids = ids;
  return e;
}

/* words, unknown, beyond_limit, empty, and what the pipeline changed */
static void push_report(lua_State *L, const marea_encoding_report *report) {
  bind_push_pipeline_report(L, &report->pipeline);
  bind_set_count(L, "words", report->tokens);
  bind_set_count(L, "unknown", report->unknown);
  bind_set_count(L, "beyond_limit", report->beyond);
  bind_set_count(L, "empty", report->empty);
}

/* vocabulary:encode(pipeline, texts, encoding) → sequences, report */
static int encode(lua_State *L) {
  size_t count;
  marea_encoding_report report = {0};
  marea_encoding encoding = read_encoding(L, bind_vocabulary(L, 1), 4);
  const marea_text *texts = bind_texts(L, 3, &count);
  marea_sequences *s = bind_push_sequences(L);
  int result = lua_gettop(L);
  const marea_pipeline *pipeline = bind_pipeline(L, 2);
  bind_pipeline_check(L, 2, marea_encode_texts(&encoding, pipeline, texts, count, s, &report));
  lua_pushvalue(L, result);
  push_report(L, &report);
  return 2;
}

/* vocabulary:encode_words(list of lists of words, encoding) → sequences, report */
static int encode_words(lua_State *L) {
  luaL_checktype(L, 2, LUA_TTABLE);
  marea_encoding encoding = read_encoding(L, bind_vocabulary(L, 1), 3);
  marea_encoding_report report = {0};
  lua_Integer rows = luaL_len(L, 2);
  marea_sequences *s = bind_push_sequences(L);
  for (lua_Integer i = 1; i <= rows; i++) {
    size_t count, before = s->id_count;
    lua_geti(L, 2, i);
    const marea_text *words = bind_texts(L, lua_gettop(L), &count);
    for (size_t j = 0; j < count; j++) {
      int32_t id = marea_encode_word(&encoding, words[j].bytes, words[j].length, &report);
      if (id >= 0) bind_check(L, marea_sequences_push(s, id));
    }
    bind_check(L, marea_sequences_end(s));
    report.empty += s->id_count == before;
    lua_pop(L, 2);
  }
  push_report(L, &report);
  return 2;
}

/* ---- asking ---- */

/* vocabulary:size() → words, documents, words with a rank */
static int size(lua_State *L) {
  const marea_vocabulary *v = bind_vocabulary(L, 1);
  lua_pushinteger(L, (lua_Integer)v->word_count);
  lua_pushinteger(L, v->document_count);
  lua_pushinteger(L, (lua_Integer)v->ranked);
  return 3;
}

/* What is known of the word in `place`: word, rank (from 1; nil without), count, documents. */
static int push_word(lua_State *L, const marea_vocabulary *v, int32_t place) {
  marea_text word = marea_vocabulary_word(v, place);
  lua_pushlstring(L, word.bytes, word.length);
  int32_t rank = marea_vocabulary_rank_of(v, place);
  if (rank >= 0)
    lua_pushinteger(L, rank + 1);
  else
    lua_pushnil(L);
  lua_pushinteger(L, v->words[place].count);
  lua_pushinteger(L, v->words[place].documents);
  return 4;
}

/* vocabulary:find(word) → word, rank, count, documents; nothing when it is unknown */
static int find(lua_State *L) {
  const marea_vocabulary *v = bind_vocabulary(L, 1);
  marea_text word = bind_text(L, 2);
  int32_t place = marea_vocabulary_find(v, word.bytes, word.length);
  return place >= 0 ? push_word(L, v, place) : 0;
}

/* vocabulary:at(rank from 1) → word, rank, count, documents; nothing beyond the last */
static int at(lua_State *L) {
  const marea_vocabulary *v = bind_vocabulary(L, 1);
  lua_Integer number = luaL_checkinteger(L, 2);
  bool there = number >= 1 && (size_t)number <= v->ranked;
  return there ? push_word(L, v, v->ranking[number - 1]) : 0;
}

/* vocabulary:words() → words, counts, documents, ranks (false without): four lists in the order of
 * first sight */
static int words(lua_State *L) {
  const marea_vocabulary *v = bind_vocabulary(L, 1);
  for (int i = 0; i < 4; i++) lua_createtable(L, (int)v->word_count, 0);
  int lists = lua_gettop(L) - 3;
  for (size_t i = 0; i < v->word_count; i++) {
    push_word(L, v, (int32_t)i);
    if (lua_isnil(L, -3)) {
      lua_pushboolean(L, 0);
      lua_replace(L, -4);
    }
    lua_rawseti(L, lists + 2, (lua_Integer)i + 1);
    lua_rawseti(L, lists + 1, (lua_Integer)i + 1);
    lua_rawseti(L, lists + 3, (lua_Integer)i + 1);
    lua_rawseti(L, lists, (lua_Integer)i + 1);
  }
  return 4;
}

static int64_t count_at(lua_State *L, int list, lua_Integer i) {
  lua_geti(L, list, i);
  int whole;
  lua_Integer value = lua_tointegerx(L, -1, &whole);
  lua_pop(L, 1);
  if (!whole || value < 0 || value > BIND_COUNT_MAX)
    bind_error(L, "the vocabulary has a count that is no count");
  return value;
}

/* vocabulary:restore(words, counts, documents, number of documents): into an empty one */
static int restore(lua_State *L) {
  size_t count;
  marea_vocabulary *v = bind_vocabulary(L, 1);
  lua_Integer documents = lua_tointeger(L, 5);
  if (!lua_istable(L, 2) || !lua_istable(L, 3) || !lua_istable(L, 4) || !lua_isinteger(L, 5) ||
      documents < 0 || documents > BIND_COUNT_MAX)
    return bind_error(L, "the vocabulary is malformed: expected lists of words, counts and "
                         "documents, and a number of documents");
  const marea_text *list = bind_texts(L, 2, &count);
  for (size_t i = 0; i < count; i++) {
    int32_t place = marea_vocabulary_add(v, list[i].bytes, list[i].length);
    if (place < 0) return bind_raise(L);
    if ((size_t)place != i)
      return bind_error(L, "the vocabulary has the word \"%s\" twice", list[i].bytes);
    v->words[i].count = count_at(L, 3, (lua_Integer)i + 1);
    v->words[i].documents = count_at(L, 4, (lua_Integer)i + 1);
  }
  v->document_count = documents;
  return 0;
}

/* vocabulary:hash() → 16 hexadecimal digits */
static int hash(lua_State *L) {
  char text[24];
  unsigned long long value = (unsigned long long)marea_vocabulary_hash(bind_vocabulary(L, 1));
  lua_pushlstring(L, text, (size_t)snprintf(text, sizeof text, "%016llx", value));
  return 1;
}

/* vocabulary:bytes() → what it holds */
static int bytes(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)marea_vocabulary_bytes(bind_vocabulary(L, 1)));
  return 1;
}

static const luaL_Reg methods[] = {{"count", count_texts},
                                   {"count_lines", count_lines},
                                   {"count_words", count_words},
                                   {"add", add_word},
                                   {"merge", merge},
                                   {"rank", rank},
                                   {"encode", encode},
                                   {"encode_words", encode_words},
                                   {"size", size},
                                   {"find", find},
                                   {"at", at},
                                   {"words", words},
                                   {"restore", restore},
                                   {"hash", hash},
                                   {"bytes", bytes},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"vocabulary", new_vocabulary}, {NULL, NULL}};

void bind_open_vocabulary(lua_State *L) {
  bind_class(L, VOCABULARY, methods, free_vocabulary);
  luaL_setfuncs(L, functions, 0);
}

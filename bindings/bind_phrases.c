/* Phrases: counting, joining, lists, and what is saved. The Lua side is lua/marea/text/phrases.lua.
 */
#include "bind_text.h"
#include "text/vocabulary/phrases_count.h"
#include "text/vocabulary/phrases_find.h"

#define PHRASES "marea.phrases"

/* What a call holds lies here, so that nothing leaks when Lua raises an error. */
typedef struct box {
  marea_phrases *phrases;
  marea_phrase_line line;
  marea_phrases_found found;
  marea_vocabulary *counts;
} box;

static box *check_box(lua_State *L, int argument) {
  return luaL_checkudata(L, argument, PHRASES);
}

const marea_phrases *bind_phrases(lua_State *L, int argument) {
  return check_box(L, argument)->phrases;
}

static box *push_box(lua_State *L) {
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){.phrases = NULL};
  luaL_setmetatable(L, PHRASES);
  return b;
}

static void drop_work(box *b) {
  marea_phrase_line_free(&b->line);
  marea_phrases_found_free(&b->found);
  marea_vocabulary_free(b->counts);
  b->counts = NULL;
}

static int free_phrases(lua_State *L) {
  box *b = check_box(L, 1);
  drop_work(b);
  marea_phrases_free(b->phrases);
  b->phrases = NULL;
  return 0;
}

/* phrases(scoring, min_count, threshold, max_vocabulary, join, list of connectors) */
static int new_phrases(lua_State *L) {
  static const char *const scorings[] = {"default", "npmi", NULL};
  marea_phrases_options o = {.scoring =
                                 (marea_phrase_scoring)luaL_checkoption(L, 1, NULL, scorings),
                             .min_count = luaL_checkinteger(L, 2),
                             .threshold = luaL_checknumber(L, 3),
                             .max_vocabulary = (size_t)luaL_checkinteger(L, 4),
                             .join = bind_text(L, 5)};
  o.connectors = bind_texts(L, 6, &o.connector_count);
  box *b = push_box(L);
  b->phrases = marea_phrases_new(&o);
  return b->phrases != NULL ? 1 : bind_raise(L);
}

/* ---- counting ---- */

/* phrases:count(pipeline, texts) → report */
static int count_texts(lua_State *L) {
  size_t count;
  marea_phrases_report report = {.pruned = 0};
  box *b = check_box(L, 1);
  const marea_text *texts = bind_texts(L, 3, &count);
  const marea_pipeline *pipeline = bind_pipeline(L, 2);
  bind_pipeline_check(L, 2, marea_phrases_count(b->phrases, pipeline, texts, count, &report));
  bind_push_pipeline_report(L, &report.pipeline);
  if (report.pruned > 0) bind_set_count(L, "pruned", report.pruned);
  return 1;
}

/* The words of the list at `argument` become the box's line. */
static void read_line(lua_State *L, box *b, int argument) {
  size_t count;
  const marea_text *words = bind_texts(L, argument, &count);
  b->line.count = b->line.used = 0;
  for (size_t i = 0; i < count; i++) {
    marea_token token = {words[i].bytes, words[i].length, i, i + 1};
    bind_check(L, marea_phrase_line_add(b->phrases, &b->line, &token));
  }
  lua_pop(L, 1);
}

/* phrases:count_words(list of lists of words) → report */
static int count_words(lua_State *L) {
  marea_phrases_report report = {.pruned = 0};
  int64_t words = 0;
  box *b = check_box(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_argcheck(L, b->phrases->scores == NULL, 1, "frozen phrases cannot count more texts");
  marea_vocabulary_free(b->counts);
  b->counts = marea_vocabulary_new();
  if (b->counts == NULL) return bind_raise(L);
  lua_Integer count = luaL_len(L, 2);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, 2, i);
    read_line(L, b, lua_gettop(L));
    bind_check(L, marea_phrases_note(&b->line, b->counts, &words));
    lua_pop(L, 1);
  }
  marea_vocabulary *counts = b->counts;
  b->counts = NULL;
  bind_check(L, marea_phrases_take(b->phrases, counts, words, 1, &report));
  lua_newtable(L);
  if (report.pruned > 0) bind_set_count(L, "pruned", report.pruned);
  return 1;
}

/* ---- joining ---- */

/* phrases:join(list of words) → words, number of phrases */
static int join(lua_State *L) {
  box *b = check_box(L, 1);
  read_line(L, b, 2);
  size_t found = marea_phrases_join(b->phrases, &b->line);
  lua_createtable(L, (int)b->line.count, 0);
  for (size_t i = 0; i < b->line.count; i++) {
    const marea_phrase_piece *piece = &b->line.pieces[i];
    lua_pushlstring(L, b->line.bytes + piece->offset, piece->length);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pushinteger(L, (lua_Integer)found);
  return 2;
}

/* ---- lists ---- */

/* The found phrases by score, at most `most`: a list of { phrase =, score =, count = }. */
static int push_found(lua_State *L, box *b, size_t most) {
  size_t count = b->found.phrases == NULL ? 0 : b->found.phrases->word_count;
  int32_t *order = lua_newuserdatauv(L, (count + 1) * sizeof *order, 0);
  bind_check(L, marea_phrases_found_order(&b->found, order));
  if (count > most) count = most;
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    marea_text phrase = marea_vocabulary_word(b->found.phrases, order[i]);
    lua_createtable(L, 0, 3);
    lua_pushlstring(L, phrase.bytes, phrase.length);
    lua_setfield(L, -2, "phrase");
    lua_pushnumber(L, b->found.scores[order[i]]);
    lua_setfield(L, -2, "score");
    lua_pushinteger(L, b->found.phrases->words[order[i]].count);
    lua_setfield(L, -2, "count");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  drop_work(b);
  return 1;
}

/* phrases:top(most) */
static int top(lua_State *L) {
  box *b = check_box(L, 1);
  lua_Integer most = luaL_checkinteger(L, 2);
  drop_work(b);
  bind_check(L, marea_phrases_find_all(b->phrases, &b->found));
  return push_found(L, b, most > 0 ? (size_t)most : 0);
}

/* phrases:find(pipeline, texts) */
static int find(lua_State *L) {
  size_t count;
  box *b = check_box(L, 1);
  const marea_text *texts = bind_texts(L, 3, &count);
  const marea_pipeline *pipeline = bind_pipeline(L, 2);
  drop_work(b);
  bind_pipeline_check(L, 2, marea_phrases_find(b->phrases, pipeline, texts, count, &b->found));
  return push_found(L, b, SIZE_MAX);
}

/* phrases:find_words(list of lists of words) */
static int find_words(lua_State *L) {
  box *b = check_box(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer count = luaL_len(L, 2);
  drop_work(b);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, 2, i);
    read_line(L, b, lua_gettop(L));
    lua_pop(L, 1);
    marea_phrases_join(b->phrases, &b->line);
    bind_check(L, marea_phrases_find_line(&b->line, &b->found));
  }
  return push_found(L, b, SIZE_MAX);
}

/* ---- saving ---- */

static int freeze(lua_State *L) {
  const marea_phrases *p = bind_phrases(L, 1);
  box *b = push_box(L);
  b->phrases = marea_phrases_freeze(p);
  return b->phrases != NULL ? 1 : bind_raise(L);
}

/* phrases:size() → words and pairs with a count, words of the texts, is it frozen? */
static int size(lua_State *L) {
  const marea_phrases *p = bind_phrases(L, 1);
  lua_pushinteger(L, (lua_Integer)p->counts->word_count);
  lua_pushinteger(L, p->words);
  lua_pushboolean(L, p->scores != NULL);
  return 3;
}

/* phrases:state() → entries, counts, scores (nil unless frozen), words, least */
static int state(lua_State *L) {
  const marea_phrases *p = bind_phrases(L, 1);
  int count = (int)p->counts->word_count;
  for (int list = 0; list < 3; list++) lua_createtable(L, list < 2 || p->scores ? count : 0, 0);
  for (int i = 0; i < count; i++) {
    marea_text entry = marea_vocabulary_word(p->counts, i);
    lua_pushlstring(L, entry.bytes, entry.length);
    lua_rawseti(L, -4, i + 1);
    lua_pushinteger(L, p->counts->words[i].count);
    lua_rawseti(L, -3, i + 1);
    if (p->scores == NULL) continue;
    lua_pushnumber(L, p->scores[i]);
    lua_rawseti(L, -2, i + 1);
  }
  if (p->scores == NULL) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  lua_pushinteger(L, p->words);
  lua_pushinteger(L, p->least);
  return 5;
}

static int64_t count_field(lua_State *L, int argument) {
  int whole;
  lua_Integer value = lua_tointegerx(L, argument, &whole);
  if (!whole || value < 0 || value > BIND_COUNT_MAX) bind_error(L, "phrases: malformed counts");
  return value;
}

static void restore_entry(lua_State *L, marea_phrases *p, marea_text entry, size_t i) {
  int32_t place = marea_vocabulary_add(p->counts, entry.bytes, entry.length);
  if (place < 0) bind_raise(L);
  if ((size_t)place != i) bind_error(L, "phrases: \"%s\" comes twice", entry.bytes);
  lua_geti(L, 3, (lua_Integer)i + 1);
  p->counts->words[i].count = count_field(L, -1);
  lua_pop(L, 1);
  if (p->scores == NULL) return;
  lua_geti(L, 4, (lua_Integer)i + 1);
  if (!lua_isnumber(L, -1)) bind_error(L, "phrases: malformed scores");
  p->scores[i] = lua_tonumber(L, -1);
  lua_pop(L, 1);
}

/* phrases:restore(entries, counts, scores or nil, words, least): into new ones */
static int restore(lua_State *L) {
  size_t count;
  box *b = check_box(L, 1);
  marea_phrases *p = b->phrases;
  if (!lua_istable(L, 2) || !lua_istable(L, 3) || !(lua_istable(L, 4) || lua_isnil(L, 4)))
    return bind_error(L, "phrases: expected lists of entries and counts");
  luaL_argcheck(L, p->counts->word_count == 0 && p->scores == NULL, 1, "expected new phrases");
  const marea_text *entries = bind_texts(L, 2, &count);
  p->words = count_field(L, 5);
  p->least = count_field(L, 6);
  if (lua_istable(L, 4)) {
    p->scores = marea_alloc_zero(count + 1, sizeof *p->scores);
    if (p->scores == NULL) return bind_raise(L);
  }
  for (size_t i = 0; i < count; i++) restore_entry(L, p, entries[i], i);
  return 0;
}

static const luaL_Reg methods[] = {
    {"count", count_texts}, {"count_words", count_words}, {"join", join},     {"top", top},
    {"find", find},         {"find_words", find_words},   {"freeze", freeze}, {"size", size},
    {"state", state},       {"restore", restore},         {NULL, NULL}};

static const luaL_Reg functions[] = {{"phrases", new_phrases}, {NULL, NULL}};

void bind_open_phrases(lua_State *L) {
  bind_class(L, PHRASES, methods, free_phrases);
  luaL_setfuncs(L, functions, 0);
}

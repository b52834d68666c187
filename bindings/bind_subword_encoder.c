/* Texts to the ids of a sub-word model and back. The Lua side is
 * lua/marea/text/subword_tokenizer.lua. */
#include <string.h>

#include "base/memory.h"
#include "bind_subword.h"
#include "text/subword/subword_encoder.h"

#define ENCODER "marea.subword_encoder"

enum { MODEL = 1, NORMALIZE, FIRST, REST, ANCHORS = REST }; /* uservalues: what the encoder uses */

typedef struct box {
  marea_subword_encoder *encoder;
  marea_added_tokens *added;
  const marea_subword *model;
} box;

static box *check_box(lua_State *L, int argument) {
  return luaL_checkudata(L, argument, ENCODER);
}

static int free_encoder(lua_State *L) {
  box *b = check_box(L, 1);
  marea_subword_encoder_free(b->encoder);
  marea_added_tokens_free(b->added);
  *b = (box){NULL, NULL, NULL};
  return 0;
}

/* ---- making ---- */

static bool flag(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* The added token in the table on top; the table keeps its bytes alive. */
static marea_added_token read_token(lua_State *L, lua_Integer number) {
  marea_added_token token = {{NULL, 0}, 0, false, false, false, false, false};
  int whole;
  luaL_checktype(L, -1, LUA_TTABLE);
  if (lua_getfield(L, -1, "content") != LUA_TSTRING)
    bind_error(L, "added token %I: content must be a string", number);
  token.text.bytes = lua_tolstring(L, -1, &token.text.length);
  lua_getfield(L, -2, "id");
  lua_Integer id = lua_tointegerx(L, -1, &whole);
  if (!whole || id < 0 || id > INT32_MAX)
    bind_error(L, "added token %I: the id is %s, expected a whole number from 0 to %d", number,
               luaL_tolstring(L, -1, NULL), INT32_MAX);
  lua_pop(L, 2);
  token.id = (int32_t)id;
  token.special = flag(L, "special");
  token.single_word = flag(L, "single_word");
  token.strip_left = flag(L, "lstrip");
  token.strip_right = flag(L, "rstrip");
  token.normalized = flag(L, "normalized");
  return token;
}

/* The list in field `added` of the table at 1. */
static void read_added(lua_State *L, box *b) {
  if (lua_getfield(L, 1, "added") == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  luaL_checktype(L, -1, LUA_TTABLE);
  size_t count = (size_t)luaL_len(L, -1);
  marea_added_token *tokens = lua_newuserdatauv(L, (count + 1) * sizeof *tokens, 0);
  for (size_t i = 0; i < count; i++) {
    lua_geti(L, -2, (lua_Integer)i + 1);
    tokens[i] = read_token(L, (lua_Integer)i + 1);
    lua_pop(L, 1);
  }
  b->added = marea_added_tokens_new(tokens, count);
  if (b->added == NULL) bind_raise(L);
  lua_pop(L, 2);
}

/* A list of ids in a field of the table at 1, in a userdata that is pushed. */
static const int32_t *read_ids(lua_State *L, const char *name, size_t *count) {
  bool given = lua_getfield(L, 1, name) == LUA_TTABLE;
  *count = given ? (size_t)luaL_len(L, -1) : 0;
  int32_t *ids = lua_newuserdatauv(L, (*count + 1) * sizeof *ids, 0);
  for (size_t i = 0; i < *count; i++) {
    int whole;
    lua_geti(L, -2, (lua_Integer)i + 1);
    lua_Integer id = lua_tointegerx(L, -1, &whole);
    if (!whole || id < 0 || id > INT32_MAX)
      bind_error(L, "%s: id %s, expected whole numbers from 0", name, luaL_tolstring(L, -1, NULL));
    ids[i] = (int32_t)id;
    lua_pop(L, 1);
  }
  return ids;
}

/* The pipeline in a field of the table at 1, anchored in the encoder at 2. */
static const marea_pipeline *read_pipeline(lua_State *L, const char *name, int anchor) {
  lua_getfield(L, 1, name);
  const marea_pipeline *pipeline = bind_pipeline(L, lua_absindex(L, -1));
  lua_pop(L, 1);
  lua_getfield(L, 1, name);
  lua_setiuservalue(L, 2, anchor);
  lua_settop(L, 2);
  return pipeline;
}

/* subword_encoder{ model, normalize, first, rest, added, before_word, before, after, most,
 * replace_invalid, trim } */
static int new_encoder(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  box *b = lua_newuserdatauv(L, sizeof *b, ANCHORS);
  *b = (box){NULL, NULL, NULL};
  luaL_setmetatable(L, ENCODER);
  lua_getfield(L, 1, "model");
  b->model = bind_subword(L, 3);
  lua_setiuservalue(L, 2, MODEL);
  marea_subword_encoder_options o = {.model = b->model};
  o.normalize = read_pipeline(L, "normalize", NORMALIZE);
  o.first = read_pipeline(L, "first", FIRST);
  o.rest = read_pipeline(L, "rest", REST);
  read_added(L, b);
  o.added = b->added;
  lua_getfield(L, 1, "most");
  lua_Integer most = luaL_optinteger(L, -1, 0);
  o.most = most > 0 ? (size_t)most : 0;
  if (lua_getfield(L, 1, "before_word") == LUA_TSTRING)
    o.before_word.bytes = lua_tolstring(L, -1, &o.before_word.length);
  lua_pushvalue(L, 1);
  o.trim = flag(L, "trim");
  o.replace_invalid = flag(L, "replace_invalid");
  o.before = read_ids(L, "before", &o.before_count);
  o.after = read_ids(L, "after", &o.after_count);
  b->encoder = marea_subword_encoder_new(&o);
  if (b->encoder == NULL) return bind_raise(L);
  lua_settop(L, 2);
  return 1;
}

/* ---- encoding ---- */

static void push_report(lua_State *L, const marea_subword_encoder_report *r) {
  bind_push_pipeline_report(L, &r->pipeline);
  bind_set_count(L, "words", r->model.words);
  bind_set_count(L, "tokens", r->model.tokens);
  bind_set_count(L, "unknown", r->model.unknown);
  bind_set_count(L, "dropped", r->model.dropped);
  bind_set_count(L, "added", r->added);
  bind_set_count(L, "cut", r->cut);
  bind_set_count(L, "empty", r->empty);
}

typedef struct anchor {
  int argument;
  bool has_function;
} anchor;

/* The pipelines may hold Lua functions: they are made ready for this state. */
static void ready(lua_State *L, anchor anchors[3]) {
  for (int i = 0; i < 3; i++) {
    lua_getiuservalue(L, 1, NORMALIZE + i);
    anchors[i].argument = lua_gettop(L);
    anchors[i].has_function = marea_pipeline_has_function(bind_pipeline(L, anchors[i].argument));
  }
}

static void check(lua_State *L, const anchor anchors[3], marea_status status) {
  for (int i = 0; i < 3; i++)
    if (anchors[i].has_function) bind_pipeline_check(L, anchors[i].argument, status);
  bind_check(L, status);
}

static const uint64_t *read_seed(lua_State *L, int argument, uint64_t *seed) {
  if (lua_isnoneornil(L, argument)) return NULL;
  *seed = (uint64_t)luaL_checkinteger(L, argument);
  return seed;
}

/* encoder:encode(texts[, seed]) → sequences, report. A seed turns dropout on. */
static int encode(lua_State *L) {
  size_t count;
  uint64_t room;
  anchor anchors[3];
  marea_subword_encoder_report report = {0};
  lua_settop(L, 3);
  box *b = check_box(L, 1);
  const uint64_t *seed = read_seed(L, 3, &room);
  const marea_text *texts = bind_texts(L, 2, &count);
  ready(L, anchors);
  marea_sequences *s = bind_push_sequences(L);
  int sequences = lua_gettop(L);
  check(L, anchors, marea_subword_encode_texts(b->encoder, texts, count, seed, s, &report));
  lua_pushvalue(L, sequences);
  push_report(L, &report);
  return 2;
}

typedef struct placed {
  const marea_sequences *sequences;
  const marea_place *places;
} placed;

/* (placed) → ids, first bytes, last bytes */
static int push_places(lua_State *L) {
  const placed *p = lua_touserdata(L, 1);
  size_t count = p->sequences->id_count;
  for (int i = 0; i < 3; i++) lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushinteger(L, p->sequences->ids[i]);
    lua_rawseti(L, 2, (lua_Integer)i + 1);
    lua_pushinteger(L, (lua_Integer)p->places[i].begin + 1);
    lua_rawseti(L, 3, (lua_Integer)i + 1);
    lua_pushinteger(L, (lua_Integer)p->places[i].end);
    lua_rawseti(L, 4, (lua_Integer)i + 1);
  }
  return 3;
}

/* encoder:places(text[, seed]) → ids, first bytes, last bytes of the raw text, report */
static int encode_places(lua_State *L) {
  uint64_t room;
  anchor anchors[3];
  marea_place *list = NULL;
  marea_subword_encoder_report report = {0};
  lua_settop(L, 3);
  box *b = check_box(L, 1);
  marea_text text = bind_text(L, 2);
  const uint64_t *seed = read_seed(L, 3, &room);
  ready(L, anchors);
  marea_sequences *s = bind_push_sequences(L);
  placed p = {s, NULL};
  lua_pushcfunction(L, push_places);
  lua_pushlightuserdata(L, &p);
  marea_status status = marea_subword_encode_places(b->encoder, text, seed, s, &list, &report);
  if (status != MAREA_OK) lua_pop(L, 2);
  check(L, anchors, status);
  p.places = list;
  int code = lua_pcall(L, 1, 3, 0);
  marea_free(list);
  if (code != LUA_OK) return lua_error(L);
  push_report(L, &report);
  return 4;
}

/* ---- decoding ---- */

/* The piece of the id on top; false: there is none. */
static bool piece_of(lua_State *L, const box *b, bool specials, marea_text *piece, bool *hidden) {
  int whole;
  lua_Integer id = lua_tointegerx(L, -1, &whole);
  *hidden = false;
  if (!whole || id < 0 || id > INT32_MAX) return false;
  const marea_added_token *added =
      b->added != NULL ? marea_added_tokens_find(b->added, (int32_t)id) : NULL;
  if (added == NULL) return marea_subword_piece(b->model, (int32_t)id, piece);
  *piece = added->text;
  *hidden = added->special && !specials;
  return true;
}

/* encoder:decode(decoder, ids, with specials) → text */
static int decode(lua_State *L) {
  const box *b = check_box(L, 1);
  const marea_decoder *decoder = bind_decoder(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  bool specials = lua_toboolean(L, 4);
  size_t count = (size_t)luaL_len(L, 3), used = 0;
  marea_text *pieces = lua_newuserdatauv(L, (count + 1) * sizeof *pieces, 0);
  for (size_t i = 0; i < count; i++) {
    bool hidden;
    lua_geti(L, 3, (lua_Integer)i + 1);
    if (!piece_of(L, b, specials, &pieces[used], &hidden))
      return bind_error(L, "decode: id %s at place %I has no piece", luaL_tolstring(L, -1, NULL),
                        (lua_Integer)i + 1);
    if (!hidden) used++;
    lua_pop(L, 1);
  }
  return bind_decode(L, decoder, pieces, used);
}

static const luaL_Reg methods[] = {
    {"encode", encode}, {"places", encode_places}, {"decode", decode}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"subword_encoder", new_encoder}, {NULL, NULL}};

void bind_open_subword_encoder(lua_State *L) {
  bind_class(L, ENCODER, methods, free_encoder);
  luaL_setfuncs(L, functions, 0);
}

/* Sub-word models and decoders. The Lua side is lua/marea/text/subword.lua. */
#include <string.h>

#include "base/memory.h"
#include "bind_subword.h"

#define SUBWORD "marea.subword"
#define DECODER "marea.decoder"

enum { CACHE_BYTES = 1 << 20 };

/* The worker serves Lua's own calls; it is made when it is needed. */
typedef struct box {
  marea_subword *model;
  marea_subword_worker *worker;
} box;

static const char *const kinds[] = {"bpe", "wordpiece", "unigram", NULL};

static const char *const decode_names[] = {
#define DECODE_NAME(name, text) text,
    MAREA_DECODE_MAP(DECODE_NAME)
#undef DECODE_NAME
        NULL};

/* ---- fields of a table ---- */

static bool field_flag(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  bool flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

static double field_number(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  double value = luaL_optnumber(L, -1, 0);
  lua_pop(L, 1);
  return value;
}

static size_t field_size(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  lua_Integer value = luaL_optinteger(L, -1, 0);
  if (value < 0) bind_error(L, "%s must not be negative, got %I", name, value);
  lua_pop(L, 1);
  return (size_t)value;
}

/* The table keeps the bytes alive; nil: NULL. */
static marea_text field_text(lua_State *L, int table, const char *name) {
  marea_text text = {NULL, 0};
  if (lua_getfield(L, table, name) != LUA_TNIL) {
    if (lua_type(L, -1) != LUA_TSTRING)
      bind_error(L, "%s must be a string, got a %s", name, luaL_typename(L, -1));
    text.bytes = lua_tolstring(L, -1, &text.length);
  }
  lua_pop(L, 1);
  return text;
}

static int field_choice(lua_State *L, int table, const char *name, const char *const *choices) {
  lua_getfield(L, table, name);
  int choice = luaL_checkoption(L, -1, NULL, choices);
  lua_pop(L, 1);
  return choice;
}

static marea_subword_options read_options(lua_State *L, int table) {
  luaL_checktype(L, table, LUA_TTABLE);
  marea_subword_options o = {
      .kind = (marea_subword_kind)field_choice(L, table, "kind", kinds),
      .byte_level = field_flag(L, table, "byte_level"),
      .fuse_unknown = field_flag(L, table, "fuse_unknown"),
      .byte_fallback = field_flag(L, table, "byte_fallback"),
      .ignore_merges = field_flag(L, table, "ignore_merges"),
      .dropout = field_number(L, table, "dropout"),
      .unknown = field_text(L, table, "unknown"),
      .prefix = field_text(L, table, "prefix"),
      .suffix = field_text(L, table, "suffix"),
      .max_characters = field_size(L, table, "max_characters"),
  };
  return o;
}

/* ---- models ---- */

static box *push_box(lua_State *L) {
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){NULL, NULL};
  luaL_setmetatable(L, SUBWORD);
  return b;
}

static int free_model(lua_State *L) {
  box *b = luaL_checkudata(L, 1, SUBWORD);
  marea_subword_worker_free(b->worker);
  marea_subword_free(b->model);
  *b = (box){NULL, NULL};
  return 0;
}

const marea_subword *bind_subword(lua_State *L, int argument) {
  return ((box *)luaL_checkudata(L, argument, SUBWORD))->model;
}

static marea_subword_worker *worker_of(lua_State *L) {
  box *b = luaL_checkudata(L, 1, SUBWORD);
  if (b->worker == NULL) b->worker = marea_subword_worker_new(b->model, CACHE_BYTES);
  if (b->worker == NULL) bind_raise(L);
  return b->worker;
}

static void add_pieces(lua_State *L, marea_subword *m) {
  size_t count;
  const marea_text *pieces = bind_texts(L, 2, &count);
  luaL_checktype(L, 3, LUA_TTABLE);
  bool scored = lua_istable(L, 4);
  for (size_t i = 0; i < count; i++) {
    int whole, number = 1;
    lua_geti(L, 3, (lua_Integer)i + 1);
    lua_Integer id = lua_tointegerx(L, -1, &whole);
    if (!whole || id < 0 || id > INT32_MAX)
      bind_error(L, "the id of \"%s\" is %s, expected a whole number from 0 to %d", pieces[i].bytes,
                 luaL_tolstring(L, -1, NULL), INT32_MAX);
    lua_pop(L, 1);
    double score = 0;
    if (scored) {
      lua_geti(L, 4, (lua_Integer)i + 1);
      score = lua_tonumberx(L, -1, &number);
      lua_pop(L, 1);
    }
    if (!number) bind_error(L, "the score of \"%s\" is no number", pieces[i].bytes);
    bind_check(L, marea_subword_add(m, pieces[i], (int32_t)id, score));
  }
  lua_pop(L, 1);
}

static void add_merges(lua_State *L, marea_subword *m) {
  size_t count, rights;
  if (lua_isnoneornil(L, 5)) return;
  const marea_text *left = bind_texts(L, 5, &count), *right = bind_texts(L, 6, &rights);
  if (count != rights) bind_error(L, "the lists of merges differ in length");
  for (size_t i = 0; i < count; i++) {
    marea_status status = marea_subword_merge(m, left[i], right[i]);
    if (status == MAREA_NOMEM) bind_raise(L);
    if (status != MAREA_OK) bind_error(L, "merge %I: %s", (lua_Integer)i + 1, marea_error_text());
  }
  lua_pop(L, 2);
}

/* subword(options, pieces, ids[, scores[, left pieces, right pieces of the merges]]) */
static int new_model(lua_State *L) {
  lua_settop(L, 6);
  marea_subword_options options = read_options(L, 1);
  box *b = push_box(L);
  size_t before = marea_memory_used();
  b->model = marea_subword_new(&options);
  if (b->model == NULL) return bind_raise(L);
  add_pieces(L, b->model);
  add_merges(L, b->model);
  bind_check(L, marea_subword_finish(b->model));
  size_t now = marea_memory_used();
  bind_account(L, now > before ? now - before : 0);
  lua_settop(L, 7);
  return 1;
}

/* subword_train(vocabulary, options, training) */
static int train_model(lua_State *L) {
  const marea_vocabulary *words = bind_vocabulary(L, 1);
  marea_subword_options options = read_options(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  marea_subword_training training = {
      .vocab_size = field_size(L, 3, "vocab_size"),
      .min_frequency = (int64_t)field_size(L, 3, "min_frequency"),
      .alphabet = field_text(L, 3, "alphabet"),
      .limit_alphabet = field_size(L, 3, "limit_alphabet"),
      .max_token_length = field_size(L, 3, "max_token_length"),
      .max_piece_length = field_size(L, 3, "max_piece_length"),
      .seed_size = field_size(L, 3, "seed_size"),
      .sub_iterations = field_size(L, 3, "sub_iterations"),
      .shrinking_factor = field_number(L, 3, "shrinking_factor"),
  };
  if (lua_getfield(L, 3, "special_tokens") != LUA_TNIL)
    training.specials = bind_texts(L, lua_gettop(L), &training.special_count);
  box *b = push_box(L);
  size_t before = marea_memory_used();
  b->model = marea_subword_train(words, &options, &training);
  if (b->model == NULL) return bind_raise(L);
  size_t now = marea_memory_used();
  bind_account(L, now > before ? now - before : 0);
  return 1;
}

/* model:size() → pieces */
static int size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)marea_subword_count(bind_subword(L, 1)));
  return 1;
}

/* model:id(piece) → id or nil */
static int id_of(lua_State *L) {
  int32_t id = marea_subword_id(bind_subword(L, 1), bind_text(L, 2));
  if (id < 0) return 0;
  lua_pushinteger(L, id);
  return 1;
}

/* model:piece(id) → text or nil */
static int piece_of(lua_State *L) {
  marea_text piece;
  lua_Integer id = luaL_checkinteger(L, 2);
  if (id < 0 || id > INT32_MAX || !marea_subword_piece(bind_subword(L, 1), (int32_t)id, &piece))
    return 0;
  lua_pushlstring(L, piece.bytes, piece.length);
  return 1;
}

/* model:pieces() → pieces, ids, scores, by id */
static int pieces(lua_State *L) {
  const marea_subword *m = bind_subword(L, 1);
  size_t count = marea_subword_count(m);
  for (int i = 0; i < 3; i++) lua_createtable(L, (int)count, 0);
  int first = lua_gettop(L) - 2;
  for (size_t i = 0; i < count; i++) {
    int32_t id;
    double score;
    marea_text piece = marea_subword_at(m, i, &id, &score);
    lua_pushlstring(L, piece.bytes, piece.length);
    lua_rawseti(L, first, (lua_Integer)i + 1);
    lua_pushinteger(L, id);
    lua_rawseti(L, first + 1, (lua_Integer)i + 1);
    lua_pushnumber(L, score);
    lua_rawseti(L, first + 2, (lua_Integer)i + 1);
  }
  return 3;
}

/* model:merges() → left pieces, right pieces, by rank */
static int merges(lua_State *L) {
  const marea_subword *m = bind_subword(L, 1);
  size_t count = marea_subword_merges(m);
  for (int i = 0; i < 2; i++) lua_createtable(L, (int)count, 0);
  int first = lua_gettop(L) - 1;
  for (size_t i = 0; i < count; i++) {
    marea_text left, right;
    marea_subword_merge_at(m, i, &left, &right);
    lua_pushlstring(L, left.bytes, left.length);
    lua_rawseti(L, first, (lua_Integer)i + 1);
    lua_pushlstring(L, right.bytes, right.length);
    lua_rawseti(L, first + 1, (lua_Integer)i + 1);
  }
  return 2;
}

/* model:encode(word[, seed]) → ids, first bytes, last bytes (from 1). With a seed there is dropout.
 */
static int encode(lua_State *L) {
  marea_text word = bind_text(L, 2);
  marea_subword_worker *worker = worker_of(L);
  bool seeded = !lua_isnoneornil(L, 3);
  marea_stream stream = marea_stream_new((uint64_t)luaL_optinteger(L, 3, 0), 0);
  marea_subword_worker_stream(worker, seeded ? &stream : NULL);
  const marea_subword_token *tokens;
  size_t count;
  bind_check(L, marea_subword_encode(worker, word.bytes, word.length, &tokens, &count));
  for (int i = 0; i < 3; i++) lua_createtable(L, (int)count, 0);
  int first = lua_gettop(L) - 2;
  for (size_t i = 0; i < count; i++) {
    lua_pushinteger(L, tokens[i].id);
    lua_rawseti(L, first, (lua_Integer)i + 1);
    lua_pushinteger(L, (lua_Integer)tokens[i].begin + 1);
    lua_rawseti(L, first + 1, (lua_Integer)i + 1);
    lua_pushinteger(L, tokens[i].end);
    lua_rawseti(L, first + 2, (lua_Integer)i + 1);
  }
  return 3;
}

/* model:report() → words, tokens, unknown, dropped since the model was made */
static int report(lua_State *L) {
  const marea_subword_report *r = marea_subword_worker_report(worker_of(L));
  lua_createtable(L, 0, 4);
  bind_set_count(L, "words", r->words);
  bind_set_count(L, "tokens", r->tokens);
  bind_set_count(L, "unknown", r->unknown);
  bind_set_count(L, "dropped", r->dropped);
  return 1;
}

/* ---- decoders ---- */

static int free_decoder(lua_State *L) {
  marea_decoder **d = luaL_checkudata(L, 1, DECODER);
  marea_decoder_free(*d);
  *d = NULL;
  return 0;
}

static void read_step(lua_State *L, marea_decode_step *step) {
  int table = lua_gettop(L);
  luaL_checktype(L, table, LUA_TTABLE);
  step->kind = (marea_decode_kind)field_choice(L, table, "kind", decode_names);
  step->from = field_text(L, table, "from");
  step->to = field_text(L, table, "to");
  step->flag = field_flag(L, table, "flag");
  step->left = field_size(L, table, "left");
  step->right = field_size(L, table, "right");
}

/* decoder(list of steps: { kind, from, to, flag, left, right }) */
static int new_decoder(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t count = (size_t)luaL_len(L, 1);
  marea_decode_step *steps = lua_newuserdatauv(L, (count + 1) * sizeof *steps, 0);
  for (size_t i = 0; i < count; i++) {
    lua_geti(L, 1, (lua_Integer)i + 1);
    read_step(L, &steps[i]);
    lua_pop(L, 1);
  }
  marea_decoder **d = lua_newuserdatauv(L, sizeof *d, 0);
  *d = NULL;
  luaL_setmetatable(L, DECODER);
  *d = marea_decoder_new(steps, count);
  return *d != NULL ? 1 : bind_raise(L);
}

static int push_text(lua_State *L) {
  const marea_text *text = lua_touserdata(L, 1);
  lua_pushlstring(L, text->bytes, text->length);
  return 1;
}

const marea_decoder *bind_decoder(lua_State *L, int argument) {
  return *(marea_decoder **)luaL_checkudata(L, argument, DECODER);
}

int bind_decode(lua_State *L, const marea_decoder *decoder, const marea_text *list, size_t count) {
  char *bytes = NULL;
  marea_text text = {NULL, 0};
  lua_pushcfunction(L, push_text);
  lua_pushlightuserdata(L, &text);
  bind_check(L, marea_decode(decoder, list, count, &bytes, &text.length));
  text.bytes = bytes;
  int code = lua_pcall(L, 1, 1, 0);
  marea_free(bytes);
  return code == LUA_OK ? 1 : lua_error(L);
}

/* decoder:decode(list of pieces) → text */
static int decode(lua_State *L) {
  size_t count;
  const marea_decoder *d = bind_decoder(L, 1);
  const marea_text *list = bind_texts(L, 2, &count);
  return bind_decode(L, d, list, count);
}

static const luaL_Reg model_methods[] = {
    {"size", size},     {"id", id_of},      {"piece", piece_of}, {"pieces", pieces},
    {"merges", merges}, {"encode", encode}, {"report", report},  {NULL, NULL}};

static const luaL_Reg decoder_methods[] = {{"decode", decode}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"subword", new_model}, {"subword_train", train_model}, {"decoder", new_decoder}, {NULL, NULL}};

void bind_open_subword(lua_State *L) {
  bind_class(L, SUBWORD, model_methods, free_model);
  bind_class(L, DECODER, decoder_methods, free_decoder);
  luaL_setfuncs(L, functions, 0);
  bind_open_subword_encoder(L);
}

/* Skip-gram and CBOW. The Lua side is lua/marea/embeddings/word2vec.lua. */
#include "bind_embed.h"
#include "embed/word2vec.h"

#define WORD2VEC "marea.word2vec"

/* The trainer; and the shape of its tables. */
typedef struct trainer_box {
  marea_word2vec *trainer;
  int64_t size[2];
} trainer_box;

static trainer_box *check_trainer(lua_State *L, int argument) {
  trainer_box *box = luaL_checkudata(L, argument, WORD2VEC);
  luaL_argcheck(L, box->trainer != NULL, argument, "the training is closed");
  return box;
}

static int close_trainer(lua_State *L) {
  trainer_box *box = luaL_checkudata(L, 1, WORD2VEC);
  marea_word2vec_free(box->trainer);
  box->trainer = NULL;
  return 0;
}

static const int64_t *read_counts(lua_State *L, int argument, size_t words) {
  int64_t *counts = lua_newuserdatauv(L, (words + 1) * sizeof *counts, 0);
  for (size_t i = 0; i < words; i++) {
    lua_geti(L, argument, (lua_Integer)i + 1);
    counts[i] = lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_argcheck(L, counts[i] > 0, argument, "a count is not a positive whole number");
  }
  return counts;
}

/* word2vec(counts, { dimensions, window, negative, epochs, cbow, lock_free, rate, sample, power,
 * seed }) */
static int new_trainer(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 2, "seed");
  marea_word2vec_options o = {.words = (size_t)luaL_len(L, 1),
                              .dimensions = bind_field_size(L, 2, "dimensions"),
                              .window = bind_field_size(L, 2, "window"),
                              .negative = bind_field_size(L, 2, "negative"),
                              .epochs = bind_field_size(L, 2, "epochs"),
                              .cbow = bind_field_boolean(L, 2, "cbow"),
                              .lock_free = bind_field_boolean(L, 2, "lock_free"),
                              .rate = bind_field_number(L, 2, "rate"),
                              .sample = bind_field_number(L, 2, "sample"),
                              .power = bind_field_number(L, 2, "power"),
                              .seed = (uint64_t)lua_tointeger(L, -1)};
  const int64_t *counts = read_counts(L, 1, o.words);
  trainer_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (trainer_box){NULL, {(int64_t)o.words, (int64_t)o.dimensions}};
  luaL_setmetatable(L, WORD2VEC);
  box->trainer = marea_word2vec_new(&o, counts);
  return box->trainer != NULL ? 1 : bind_raise(L);
}

/* trainer:add(sequences) → true */
static int add_sequences(lua_State *L) {
  trainer_box *box = check_trainer(L, 1);
  const marea_sequences *s = bind_sequences(L, 2);
  if (s->count > 0) bind_check(L, marea_word2vec_add(box->trainer, s->ids, s->offsets, s->count));
  lua_pushboolean(L, 1);
  return 1;
}

/* trainer:go_on(words) → whether the epoch has ended; loss and examples of these words; place in
 * the text and its end */
static int go_on(lua_State *L) {
  trainer_box *box = check_trainer(L, 1);
  lua_Integer words = luaL_checkinteger(L, 2);
  luaL_argcheck(L, words >= 1, 2, "expected a positive number of words");
  marea_word2vec_progress progress = {0};
  bool done;
  size_t at, end;
  bind_check(L, marea_word2vec_go_on(box->trainer, (size_t)words, &progress, &done));
  marea_word2vec_position(box->trainer, &at, &end);
  lua_pushboolean(L, done);
  lua_pushnumber(L, progress.loss);
  lua_pushinteger(L, (lua_Integer)progress.examples);
  lua_pushinteger(L, (lua_Integer)(done ? end : at));
  lua_pushinteger(L, (lua_Integer)end);
  return 5;
}

/* trainer:export("inputs" | "outputs") → tensor (words, dimensions) */
static int export_table(lua_State *L) {
  static const char *const names[] = {"inputs", "outputs", NULL};
  const trainer_box *box = check_trainer(L, 1);
  bool outputs = luaL_checkoption(L, 2, NULL, names) == 1;
  bind_box *tensor = bind_box_new(L);
  bind_box_fill(L, tensor, marea_tensor_new(MAREA_REAL, 2, box->size));
  marea_word2vec_export(box->trainer, outputs, marea_reals(tensor->x));
  return 1;
}

static const luaL_Reg methods[] = {{"add", add_sequences},
                                   {"go_on", go_on},
                                   {"export", export_table},
                                   {"close", close_trainer},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"word2vec", new_trainer}, {NULL, NULL}};

void bind_open_word2vec(lua_State *L) {
  bind_class(L, WORD2VEC, methods, close_trainer);
  luaL_setfuncs(L, functions, 0);
}

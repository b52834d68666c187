/* Co-occurrences and GloVe. The Lua side is lua/marea/embeddings/. */
#include "bind_embed.h"
#include "embed/glove.h"
#include "embed/pair_run.h"

#define COOCCURRENCE "marea.cooccurrence"
#define GLOVE        "marea.glove"

/* ---- what the bindings of vector training share ---- */

double bind_field_number(lua_State *L, int argument, const char *name) {
  lua_getfield(L, argument, name);
  double value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

size_t bind_field_size(lua_State *L, int argument, const char *name) {
  lua_getfield(L, argument, name);
  lua_Integer value = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value > 0 ? (size_t)value : 0;
}

bool bind_field_boolean(lua_State *L, int argument, const char *name) {
  lua_getfield(L, argument, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

const char *bind_field_text(lua_State *L, int argument, const char *name) {
  lua_getfield(L, argument, name);
  const char *value = lua_tostring(L, -1);
  lua_pop(L, 1);
  return value;
}

int bind_outside(lua_State *L, marea_status status) {
  if (status == MAREA_IO) return bind_nil(L);
  return bind_raise(L);
}

/* ---- co-occurrences ---- */

static marea_cooccurrence *check_counter(lua_State *L, int argument) {
  marea_cooccurrence **box = luaL_checkudata(L, argument, COOCCURRENCE);
  luaL_argcheck(L, *box != NULL, argument, "the co-occurrences are closed");
  return *box;
}

/* cooccurrence{ words, window, symmetric, weighting, memory, folder } */
static int new_counter(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  marea_cooccurrence_options o = {.words = bind_field_size(L, 1, "words"),
                                  .window = bind_field_size(L, 1, "window"),
                                  .symmetric = bind_field_boolean(L, 1, "symmetric"),
                                  .weighting = bind_field_boolean(L, 1, "weighting"),
                                  .memory = bind_field_size(L, 1, "memory"),
                                  .folder = bind_field_text(L, 1, "folder")};
  marea_cooccurrence **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, COOCCURRENCE);
  *box = marea_cooccurrence_new(&o);
  return *box != NULL ? 1 : bind_raise(L);
}

static int close_counter(lua_State *L) {
  marea_cooccurrence **box = luaL_checkudata(L, 1, COOCCURRENCE);
  marea_cooccurrence_free(*box);
  *box = NULL;
  return 0;
}

/* counter:add(sequences) → true, or nil and a message */
static int add_sequences(lua_State *L) {
  marea_cooccurrence *c = check_counter(L, 1);
  const marea_sequences *s = bind_sequences(L, 2);
  marea_status status =
      s->count == 0 ? MAREA_OK : marea_cooccurrence_add(c, s->ids, s->offsets, s->count);
  if (status != MAREA_OK) return bind_outside(L, status);
  lua_pushboolean(L, 1);
  return 1;
}

/* counter:finish() → true, or nil and a message */
static int finish(lua_State *L) {
  marea_status status = marea_cooccurrence_finish(check_counter(L, 1));
  if (status != MAREA_OK) return bind_outside(L, status);
  lua_pushboolean(L, 1);
  return 1;
}

/* counter:report() → { tokens, stored, spilled, files } */
static int counter_report(lua_State *L) {
  const marea_cooccurrence_report *r = marea_cooccurrence_told(check_counter(L, 1));
  lua_createtable(L, 0, 4);
  bind_set_count(L, "tokens", (size_t)r->tokens);
  bind_set_count(L, "stored", (size_t)r->stored);
  bind_set_count(L, "spilled", (size_t)r->spilled);
  bind_set_count(L, "files", r->files);
  return 1;
}

/* The pairs of a row, for the lists at 2 (rows), 3 (columns) and 4 (values); ids from 0. */
typedef struct listing {
  lua_State *L;
  const marea_cooccurrence *counter;
  lua_Integer count, limit;
} listing;

static marea_status list_row(void *context, const marea_cooccurrence_row *row) {
  listing *l = context;
  for (uint32_t k = 0; k < row->count && l->count < l->limit; k++) {
    l->count++;
    lua_pushinteger(l->L, row->row);
    lua_rawseti(l->L, 2, l->count);
    lua_pushinteger(l->L, marea_pair_column(row->body, k));
    lua_rawseti(l->L, 3, l->count);
    lua_pushnumber(l->L, marea_cooccurrence_value(l->counter, row, k));
    lua_rawseti(l->L, 4, l->count);
  }
  return MAREA_OK;
}

/* counter:pairs([limit]) → rows, columns, values: entries in order, of a symmetric matrix those
 * with column <= row. Reading a temporary file can fail: nil and a message. */
static int list_pairs(lua_State *L) {
  const marea_cooccurrence *c = check_counter(L, 1);
  uint64_t stored = marea_cooccurrence_told(c)->stored;
  lua_Integer limit = luaL_optinteger(L, 2, (lua_Integer)stored);
  lua_settop(L, 1);
  int size = (int)((uint64_t)limit < stored ? (uint64_t)limit : stored);
  for (int i = 0; i < 3; i++) lua_createtable(L, size, 0); /* so filling them allocates nothing */
  listing l = {L, c, 0, size};
  marea_status status = marea_cooccurrence_rows(c, list_row, &l);
  return status == MAREA_OK ? 3 : bind_outside(L, status);
}

static const luaL_Reg counter_methods[] = {{"add", add_sequences},     {"finish", finish},
                                           {"report", counter_report}, {"pairs", list_pairs},
                                           {"close", close_counter},   {NULL, NULL}};

/* ---- GloVe ---- */

static marea_glove *check_glove(lua_State *L, int argument) {
  marea_glove **box = luaL_checkudata(L, argument, GLOVE);
  luaL_argcheck(L, *box != NULL, argument, "the training is closed");
  return *box;
}

/* glove(co-occurrences, { dimensions, x_max, alpha, eta, clip, paper, lock_free, seed, memory }) →
 * training, or nil and a message */
static int new_glove(lua_State *L) {
  const marea_cooccurrence *matrix = check_counter(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_getfield(L, 2, "seed");
  marea_glove_options o = {.dimensions = bind_field_size(L, 2, "dimensions"),
                           .x_max = bind_field_number(L, 2, "x_max"),
                           .alpha = bind_field_number(L, 2, "alpha"),
                           .eta = bind_field_number(L, 2, "eta"),
                           .clip = bind_field_number(L, 2, "clip"),
                           .paper = bind_field_boolean(L, 2, "paper"),
                           .lock_free = bind_field_boolean(L, 2, "lock_free"),
                           .memory = bind_field_size(L, 2, "memory"),
                           .seed = (uint64_t)lua_tointeger(L, -1)};
  marea_glove **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, GLOVE);
  *box = marea_glove_new(&o, matrix);
  return *box != NULL ? 1 : bind_outside(L, marea_error_code());
}

static int close_glove(lua_State *L) {
  marea_glove **box = luaL_checkudata(L, 1, GLOVE);
  marea_glove_free(*box);
  *box = NULL;
  return 0;
}

/* training:go_on(rounds) → whether the iteration has ended; cost, entries and entries left out of
 * these rounds */
static int go_on(lua_State *L) {
  marea_glove *g = check_glove(L, 1);
  lua_Integer count = luaL_checkinteger(L, 2);
  luaL_argcheck(L, count >= 1, 2, "expected a positive number of rounds");
  marea_glove_progress progress = {0};
  bool done;
  bind_check(L, marea_glove_go_on(g, (size_t)count, &progress, &done));
  lua_pushboolean(L, done);
  lua_pushnumber(L, progress.cost);
  lua_pushinteger(L, (lua_Integer)progress.pairs);
  lua_pushinteger(L, (lua_Integer)progress.skipped);
  return 4;
}

/* training:size() → rounds of an iteration, entries of an iteration */
static int glove_size(lua_State *L) {
  const marea_glove *g = check_glove(L, 1);
  lua_pushinteger(L, (lua_Integer)marea_glove_rounds(g));
  lua_pushinteger(L, (lua_Integer)marea_glove_entries(g));
  return 2;
}

/* training:iteration([n]) → iterations that have ended; sets it before */
static int iteration(lua_State *L) {
  marea_glove *g = check_glove(L, 1);
  if (!lua_isnoneornil(L, 2)) {
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, n >= 0 && n <= INT32_MAX, 2, "expected a number of iterations");
    marea_glove_set_iteration(g, (size_t)n);
  }
  lua_pushinteger(L, (lua_Integer)marea_glove_iteration(g));
  return 1;
}

/* Lists at 2 (words), 3 (contexts) and 4 (ln x) while they are filled. */
typedef struct visit {
  lua_State *L;
  lua_Integer count;
} visit;

static void list_entry(void *context, int32_t word, int32_t context_word, double log_x) {
  visit *v = context;
  v->count++;
  lua_pushinteger(v->L, word);
  lua_rawseti(v->L, 2, v->count);
  lua_pushinteger(v->L, context_word);
  lua_rawseti(v->L, 3, v->count);
  lua_pushnumber(v->L, log_x);
  lua_rawseti(v->L, 4, v->count);
}

/* training:order() → words, contexts (ids from 0), ln x: what the coming iteration visits */
static int order(lua_State *L) {
  const marea_glove *g = check_glove(L, 1);
  uint64_t entries = marea_glove_entries(g);
  luaL_argcheck(L, entries < INT32_MAX, 1, "too many entries for a list");
  lua_settop(L, 1);
  for (int i = 0; i < 3; i++) lua_createtable(L, (int)entries, 0); /* filling allocates nothing */
  bind_check(L, marea_glove_visit(g, list_entry, &(visit){L, 0}));
  return 3;
}

static marea_glove_part check_part(lua_State *L, int argument) {
  static const char *const names[] = {"words", "contexts", "word_squares", "context_squares", NULL};
  return (marea_glove_part)luaL_checkoption(L, argument, NULL, names);
}

/* training:export(part) → tensor (words, dimensions + 1), the bias last */
static int export_part(lua_State *L) {
  const marea_glove *g = check_glove(L, 1);
  marea_glove_part part = check_part(L, 2);
  int64_t size[2];
  marea_glove_shape(g, size);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 2, size));
  marea_glove_export(g, part, marea_reals(box->x));
  return 1;
}

/* training:import(part, tensor) */
static int import_part(lua_State *L) {
  marea_glove *g = check_glove(L, 1);
  marea_glove_part part = check_part(L, 2);
  const marea_tensor *x = bind_tensor(L, 3);
  int64_t size[2];
  marea_glove_shape(g, size);
  bool fits = x->dtype == MAREA_REAL && x->rank == 2 && x->size[0] == size[0] &&
              x->size[1] == size[1] && marea_tensor_contiguous(x);
  luaL_argcheck(L, fits, 3, "expected a tensor (words, dimensions + 1)");
  bind_check(L, marea_glove_import(g, part, marea_reals(x)));
  return 0;
}

static const luaL_Reg glove_methods[] = {{"go_on", go_on},         {"size", glove_size},
                                         {"iteration", iteration}, {"export", export_part},
                                         {"import", import_part},  {"order", order},
                                         {"close", close_glove},   {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"cooccurrence", new_counter}, {"glove", new_glove}, {NULL, NULL}};

void bind_open_embed(lua_State *L) {
  bind_class(L, COOCCURRENCE, counter_methods, close_counter);
  bind_class(L, GLOVE, glove_methods, close_glove);
  luaL_setfuncs(L, functions, 0);
  bind_open_word2vec(L);
}

/* Drawing tokens from logits, and one-step rows of layers. */
#include <string.h>

#include "autodiff/stepper.h"
#include "bind.h"
#include "bind_text.h"
#include "kernels/sampling.h"

#define SAMPLER "marea.token_sampler"
#define STEPPER "marea.stepper"

/* ---- sampler: a rule and its scratch memory ---- */

typedef struct sampler {
  marea_sampling rule;
  marea_choice *choices;
  int32_t *seen;
  size_t room, seen_room;
} sampler;

static sampler *to_sampler(lua_State *L) {
  return luaL_checkudata(L, 1, SAMPLER);
}

static int free_sampler(lua_State *L) {
  sampler *s = to_sampler(L);
  marea_free(s->choices);
  marea_free(s->seen);
  s->choices = NULL;
  s->seen = NULL;
  s->room = s->seen_room = 0;
  return 0;
}

static double field(lua_State *L, const char *name, double usual) {
  lua_getfield(L, 1, name);
  double value = luaL_optnumber(L, -1, usual);
  lua_pop(L, 1);
  return value;
}

/* sampler{ temperature, top_k, top_p, min_p, repetition_penalty } */
static int new_sampler(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  double k = field(L, "top_k", 0);
  marea_sampling rule = {.temperature = field(L, "temperature", 1),
                         .top_k = k >= 1 && k < 1e9 ? (size_t)k : 0,
                         .top_p = field(L, "top_p", 1),
                         .min_p = field(L, "min_p", 0),
                         .repetition_penalty = field(L, "repetition_penalty", 1)};
  sampler *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (sampler){.rule = rule};
  luaL_setmetatable(L, SAMPLER);
  marea_choice trial;
  size_t first; /* a rule that is out of range is refused now */
  bind_check(L, marea_sampling_weigh(&rule, &(marea_real){0}, 1, NULL, 0, &trial, &first));
  return 1;
}

/* The logits at argument 2, one row of reals side by side. */
static const marea_real *logits_of(lua_State *L, size_t *n) {
  marea_tensor *x = bind_tensor(L, 2);
  int64_t count = marea_tensor_count(x);
  luaL_argcheck(L, x->dtype == MAREA_REAL && marea_tensor_contiguous(x), 2,
                "the logits of one row, as reals, expected");
  luaL_argcheck(L, x->rank > 0 && x->size[x->rank - 1] == count, 2,
                "one row of logits expected, got several");
  *n = (size_t)count;
  return marea_reals(x);
}

/* Weighs the logits; seen tokens are the list at an argument, if there is one (0: none). */
static size_t weigh(lua_State *L, sampler *s, const marea_real *logits, size_t n, int seen_at) {
  size_t seen = seen_at > 0 && lua_istable(L, seen_at) ? (size_t)luaL_len(L, seen_at) : 0, first;
  marea_choice *choices = marea_grow(s->choices, &s->room, n, sizeof *choices);
  if (choices == NULL) bind_raise(L);
  s->choices = choices;
  int32_t *list = marea_grow(s->seen, &s->seen_room, seen + 1, sizeof *list);
  if (list == NULL) bind_raise(L);
  s->seen = list;
  for (size_t i = 0; i < seen; i++) {
    lua_rawgeti(L, seen_at, (lua_Integer)i + 1);
    lua_Integer id = lua_tointeger(L, -1);
    list[i] = id < 0 || id > INT32_MAX ? -1 : (int32_t)id;
    lua_pop(L, 1);
  }
  bind_check(L, marea_sampling_weigh(&s->rule, logits, n, list, seen, choices, &first));
  return first;
}

/* sampler:draw(logits, stream[, seen]) → token, ln of the model's probability for it */
static int draw(lua_State *L) {
  size_t n;
  sampler *s = to_sampler(L);
  const marea_real *logits = logits_of(L, &n);
  marea_stream *stream = bind_stream(L, 3);
  size_t first = weigh(L, s, logits, n, 4);
  const marea_choice *choice = marea_sampling_draw(s->choices + first, n - first, stream);
  lua_pushinteger(L, choice->token);
  lua_pushnumber(L, marea_sampling_log_probability(logits, n, (size_t)choice->token));
  return 2;
}

/* sampler:distribution(logits[, seen]) → probabilities with which tokens are drawn */
static int distribution(lua_State *L) {
  size_t n;
  sampler *s = to_sampler(L);
  const marea_real *logits = logits_of(L, &n);
  size_t first = weigh(L, s, logits, n, 3);
  double total = 0;
  for (size_t i = first; i < n; i++) total += (double)s->choices[i].weight;
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 1, (int64_t[]){(int64_t)n}));
  for (size_t i = first; i < n; i++)
    marea_reals(box->x)[s->choices[i].token] = (marea_real)((double)s->choices[i].weight / total);
  return 1;
}

/* top_tokens(logits, k) → the k likeliest tokens, the best first, and ln of their probabilities */
static int top_tokens(lua_State *L) {
  lua_settop(L, 2);
  lua_insert(L, 1); /* logits at 2, k at 1 */
  size_t n, first;
  const marea_real *logits = logits_of(L, &n);
  lua_Integer k = luaL_checkinteger(L, 1);
  luaL_argcheck(L, k >= 1, 2, "1 or more expected");
  marea_sampling rule = {1, (uint64_t)k < n ? (size_t)k : n, 1, 0, 1};
  sampler *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (sampler){.rule = rule};
  luaL_setmetatable(L, SAMPLER);
  first = weigh(L, s, logits, n, 0);
  double best = marea_sampling_log_probability(logits, n, (size_t)s->choices[n - 1].token);
  lua_createtable(L, (int)(n - first), 0);
  lua_createtable(L, (int)(n - first), 0);
  for (size_t i = n; i > first; i--) {
    lua_pushinteger(L, s->choices[i - 1].token);
    lua_rawseti(L, -3, (lua_Integer)(n - i) + 1);
    lua_pushnumber(L, best + s->choices[i - 1].score);
    lua_rawseti(L, -2, (lua_Integer)(n - i) + 1);
  }
  return 2;
}

/* ---- stepper ---- */

static marea_stepper *to_stepper(lua_State *L) {
  marea_stepper **box = luaL_checkudata(L, 1, STEPPER);
  return *box;
}

static int free_stepper(lua_State *L) {
  marea_stepper **box = luaL_checkudata(L, 1, STEPPER);
  marea_stepper_free(*box);
  *box = NULL;
  return 0;
}

/* stepper(batch, features): features 0 takes ids */
static int new_stepper(lua_State *L) {
  lua_Integer batch = luaL_checkinteger(L, 1), features = luaL_checkinteger(L, 2);
  marea_stepper **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, STEPPER);
  *box = marea_stepper_new(batch, features);
  return *box != NULL ? 1 : bind_raise(L);
}

static int add_embedding(lua_State *L) {
  bind_check(L, marea_stepper_embedding(to_stepper(L), bind_tensor(L, 2)));
  return 0;
}

static marea_activation activation_at(lua_State *L, int argument, marea_activation usual) {
  const char *name = luaL_optstring(L, argument, NULL);
  if (name != NULL && !marea_activation_find(name, &usual))
    bind_error(L, "there is no activation \"%s\"", name);
  return usual;
}

/* stepper:recurrent(cell, activation, recurrent_activation, kernel, recurrent_kernel, bias, h, c,
 * z_writes) */
static int add_recurrent(lua_State *L) {
  marea_recurrent_options options = {.cell = bind_cell(L, 2),
                                     .activation = activation_at(L, 3, MAREA_TANH),
                                     .recurrent_activation = activation_at(L, 4, MAREA_SIGMOID),
                                     .z_writes = lua_toboolean(L, 10)};
  bind_check(L, marea_stepper_recurrent(to_stepper(L), &options, bind_tensor(L, 5),
                                        bind_tensor(L, 6), bind_tensor_or_null(L, 7),
                                        bind_tensor(L, 8), bind_tensor_or_null(L, 9)));
  return 0;
}

static int add_dense(lua_State *L) {
  bind_check(L, marea_stepper_dense(to_stepper(L), bind_tensor(L, 2), bind_tensor_or_null(L, 3)));
  return 0;
}

/* stepper:activation(name) → whether there is one of that name */
static int add_activation(lua_State *L) {
  const char *name = luaL_checkstring(L, 2);
  marea_activation activation;
  marea_stepper *stepper = to_stepper(L);
  bool log = strcmp(name, "log_softmax") == 0, known = true;
  if (log || strcmp(name, "softmax") == 0)
    bind_check(L, marea_stepper_softmax(stepper, log));
  else if (marea_activation_find(name, &activation))
    bind_check(L, marea_stepper_activation(stepper, activation));
  else
    known = false;
  lua_pushboolean(L, known);
  return 1;
}

static int width(lua_State *L) {
  lua_pushinteger(L, marea_stepper_width(to_stepper(L)));
  return 1;
}

static void check_output(lua_State *L, const marea_stepper *stepper, const marea_tensor *y) {
  luaL_argcheck(L,
                y->dtype == MAREA_REAL && marea_tensor_contiguous(y) && y->rank == 2 &&
                    y->size[0] == marea_stepper_batch(stepper) &&
                    y->size[1] == marea_stepper_width(stepper),
                2, "the output must be (batch, width)");
}

/* The id at an argument; the message counts as the caller's. */
static int32_t id_at(lua_State *L, int argument) {
  lua_Integer id = luaL_checkinteger(L, argument);
  return id < INT32_MIN || id > INT32_MAX ? -1 : (int32_t)id;
}

/* stepper:step(y, input): an id (batch of one), int32 ids (batch), or reals (batch, features);
 * writes y */
static int step(lua_State *L) {
  marea_stepper *stepper = to_stepper(L);
  marea_tensor *y = bind_tensor(L, 2);
  int64_t batch = marea_stepper_batch(stepper);
  check_output(L, stepper, y);
  if (lua_type(L, 3) == LUA_TNUMBER) {
    int32_t id = id_at(L, 3);
    luaL_argcheck(L, batch == 1, 3, "one id for a batch of several; give a list");
    bind_check(L, marea_stepper_ids(stepper, &id, marea_reals(y)));
    return 0;
  }
  marea_tensor *x = bind_tensor(L, 3);
  int64_t wanted = batch * (x->dtype == MAREA_INT32 ? 1 : marea_stepper_features(stepper));
  luaL_argcheck(L, marea_tensor_count(x) == wanted, 3,
                "one id, or one vector of features, for each sequence expected");
  if (!marea_tensor_contiguous(x)) { /* a view, such as one step of a batch */
    bind_box *box = bind_box_new(L);
    bind_box_fill(L, box, marea_compact(x));
    x = box->x;
  }
  bind_check(L, x->dtype == MAREA_INT32
                    ? marea_stepper_ids(stepper, marea_ints(x), marea_reals(y))
                    : marea_stepper_vectors(stepper, marea_reals(x), marea_reals(y)));
  return 0;
}

static const luaL_Reg sampler_methods[] = {
    {"draw", draw}, {"distribution", distribution}, {NULL, NULL}};

static const luaL_Reg stepper_methods[] = {{"embedding", add_embedding},
                                           {"recurrent", add_recurrent},
                                           {"dense", add_dense},
                                           {"activation", add_activation},
                                           {"width", width},
                                           {"step", step},
                                           {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"sampler", new_sampler}, {"top_tokens", top_tokens}, {"stepper", new_stepper}, {NULL, NULL}};

void bind_open_generate(lua_State *L) {
  bind_class(L, SAMPLER, sampler_methods, free_sampler);
  bind_class(L, STEPPER, stepper_methods, free_stepper);
  luaL_setfuncs(L, functions, 0);
}

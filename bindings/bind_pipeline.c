/* Text pipelines: made from the tables that lua/marea/text/stages.lua checks; texts to tokens. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "bind_text.h"

#define PIPELINE "marea.pipeline"

/* The pipeline; the uservalue is the list of Lua functions among its stages. */
typedef struct box {
  marea_pipeline *pipeline;
  marea_pipeline_scratch *scratch;
  lua_State *L;  /* where it runs now */
  int functions; /* the uservalue's place on the stack while it runs */
  bool failed;   /* a Lua function raised an error, which is kept in the list at 0 */
  bool inside;   /* a Lua function runs */
} box;

/* A Lua function that is a stage. */
typedef struct own_stage {
  box *owner;
  int number; /* in the list */
} own_stage;

static box *check_box(lua_State *L, int argument) {
  return luaL_checkudata(L, argument, PIPELINE);
}

static int free_pipeline(lua_State *L) {
  box *b = check_box(L, 1);
  marea_pipeline_free(b->pipeline);
  marea_pipeline_scratch_free(b->scratch);
  b->pipeline = NULL;
  b->scratch = NULL;
  return 0;
}

/* ---- Lua functions as stages ---- */

/* (function, text as light userdata) → what the function gives. The text becomes a Lua string in
 * here, under protection: an error must not pass by the memory that the core holds. */
static int call_protected(lua_State *L) {
  const marea_text *text = lua_touserdata(L, 2);
  lua_pushlstring(L, text->bytes, text->length);
  lua_replace(L, 2);
  lua_call(L, 1, 1);
  return 1;
}

/* Calls the stage's function with the text; its result is left on the stack. */
static marea_status call_own(const own_stage *own, marea_text text) {
  box *b = own->owner;
  lua_State *L = b->L;
  if (!lua_checkstack(L, 8)) return marea_fail(MAREA_NOMEM, "Lua's stack is full");
  lua_pushcfunction(L, call_protected);
  lua_rawgeti(L, b->functions, own->number);
  lua_pushlightuserdata(L, &text);
  b->inside = true;
  int code = lua_pcall(L, 2, 1, 0);
  b->inside = false;
  if (code == LUA_OK) return MAREA_OK;
  b->failed = true;
  lua_rawseti(L, b->functions, 0);
  return marea_fail(MAREA_ARGUMENT, "a function among the text's stages failed");
}

static marea_status own_normalizer(void *context, marea_text in, marea_rewrite *out) {
  const own_stage *own = context;
  lua_State *L = own->owner->L;
  marea_status status = call_own(own, in);
  if (status != MAREA_OK) return status;
  size_t length;
  const char *bytes = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (bytes == NULL)
    status =
        marea_fail(MAREA_TYPE, "a normalizer's function must return a string, it returned a %s",
                   luaL_typename(L, -1));
  else
    status = marea_rewrite_exchange(out, in, bytes, length);
  lua_pop(L, 1);
  return status;
}

/* Whether a character of the text begins at a place, or the text ends there. */
static bool is_border(marea_text text, size_t place) {
  return place == text.length || ((unsigned char)text.bytes[place] & 0xC0) != 0x80;
}

/* Gives the pieces of the list on top, each found in the text behind the one before. */
static marea_status give_pieces(lua_State *L, marea_text text, marea_token_sink *sink,
                                void *receiver) {
  size_t from = 0;
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    size_t length;
    lua_rawgeti(L, -1, i);
    const char *piece = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
    const char *at =
        piece != NULL ? memmem(text.bytes + from, text.length - from, piece, length) : NULL;
    lua_pop(L, 1);
    if (at == NULL)
      return marea_fail(MAREA_ARGUMENT,
                        "a splitter's function gave piece %lld, which is no part of "
                        "the rest of the text; only a normalizer changes texts",
                        (long long)i);
    size_t begin = (size_t)(at - text.bytes);
    from = begin + length;
    if (!is_border(text, begin) || !is_border(text, from))
      return marea_fail(MAREA_ARGUMENT,
                        "a splitter's function gave piece %lld, which cuts a character "
                        "of several bytes; pieces are whole characters",
                        (long long)i);
    if (length == 0) continue;
    marea_token token = {at, length, begin, from};
    marea_status status = sink(receiver, &token);
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

static marea_status own_splitter(void *context, marea_text text, marea_token_sink *sink,
                                 void *receiver) {
  const own_stage *own = context;
  lua_State *L = own->owner->L;
  marea_status status = call_own(own, text);
  if (status != MAREA_OK) return status;
  if (lua_istable(L, -1))
    status = give_pieces(L, text, sink, receiver);
  else
    status = marea_fail(MAREA_TYPE, "a splitter's function must return a list, it returned a %s",
                        luaL_typename(L, -1));
  lua_pop(L, 1);
  return status;
}

/* ---- reading descriptions ---- */

static const char *const normal_names[] = {
#define NORMAL_NAME(name, text, ascii, family) text,
    MAREA_NORMAL_MAP(NORMAL_NAME)
#undef NORMAL_NAME
        NULL};

static const char *const split_names[] = {
#define SPLIT_NAME(name, text, function) text,
    MAREA_SPLIT_MAP(SPLIT_NAME)
#undef SPLIT_NAME
        NULL};

static const char *const behaviors[] = {"removed",          "isolated",   "merged_with_previous",
                                        "merged_with_next", "contiguous", NULL};

/* Place of a string field of the table on top among names; raises for anything else. */
static int field_choice(lua_State *L, const char *field, const char *standard,
                        const char *const *names) {
  lua_getfield(L, -1, field);
  const char *value = lua_isnil(L, -1) ? standard : lua_tostring(L, -1);
  int found = -1;
  for (int i = 0; names[i] != NULL && value != NULL && found < 0; i++)
    if (strcmp(names[i], value) == 0) found = i;
  if (found < 0)
    bind_error(L, "there is no %s called \"%s\"", field, value != NULL ? value : "nil");
  lua_pop(L, 1);
  return found;
}

static const char *const space_names[] = {"unicode", "ascii", "python", NULL};

/* Text of a field; the table keeps its bytes alive. */
static marea_text field_text(lua_State *L, const char *field) {
  marea_text text = {"", 0};
  lua_getfield(L, -1, field);
  if (lua_type(L, -1) == LUA_TSTRING) text.bytes = lua_tolstring(L, -1, &text.length);
  lua_pop(L, 1);
  return text;
}

static bool field_flag(lua_State *L, const char *field) {
  lua_getfield(L, -1, field);
  bool flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

static size_t field_size(lua_State *L, const char *field) {
  lua_getfield(L, -1, field);
  lua_Integer size = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return size > 0 ? (size_t)size : 0;
}

/* What a description is read into; Lua owns its memory. */
typedef struct description {
  marea_normal_step steps[MAREA_NORMAL_STEPS_MAX];
  marea_split_options splits[MAREA_SPLITS_MAX];
  own_stage own[MAREA_NORMAL_STEPS_MAX + MAREA_SPLITS_MAX];
  size_t ngrams[MAREA_NGRAMS_MAX];
  const marea_phrases *phrases[MAREA_PHRASES_MAX];
  marea_pipeline_options options;
  int functions;
} description;

/* Reads the item on top into place i. */
typedef void read_item(lua_State *L, description *d, size_t i);

/* Reads the items of a list field of the description at 1, at most `most`; how many there were. The
 * field is left on the stack. */
static size_t read_list(lua_State *L, description *d, const char *field, size_t most,
                        read_item *read) {
  if (lua_getfield(L, 1, field) != LUA_TTABLE) return 0;
  size_t count = (size_t)luaL_len(L, -1);
  if (count > most)
    bind_error(L, "%s has %I items, at most %I are allowed", field, (lua_Integer)count,
               (lua_Integer)most);
  for (size_t i = 0; i < count; i++) {
    lua_geti(L, -1, (lua_Integer)i + 1);
    read(L, d, i);
    lua_pop(L, 1);
  }
  return count;
}

/* The function of the stage on top joins the list at 3. */
static own_stage *take_function(lua_State *L, description *d) {
  own_stage *own = &d->own[d->functions++];
  own->number = d->functions;
  lua_getfield(L, -1, "f");
  luaL_checktype(L, -1, LUA_TFUNCTION);
  lua_rawseti(L, 3, own->number);
  return own;
}

static void read_step(lua_State *L, description *d, size_t i) {
  marea_normal_step *step = &d->steps[i];
  step->kind = (marea_normal_kind)field_choice(L, "kind", NULL, normal_names);
  step->from = field_text(L, "from");
  step->to = field_text(L, "to");
  step->left = field_flag(L, "left");
  step->right = field_flag(L, "right");
  step->whole = field_flag(L, "whole");
  step->apart = field_flag(L, "apart");
  step->once = field_flag(L, "once");
  step->spaces = (marea_spaces)field_choice(L, "spaces", "unicode", space_names);
  if (step->kind != MAREA_NORMAL_FUNCTION) return;
  step->function = own_normalizer;
  step->context = take_function(L, d);
}

static void read_split(lua_State *L, description *d, size_t i) {
  marea_split_options *split = &d->splits[i];
  split->kind = (marea_split_kind)field_choice(L, "kind", NULL, split_names);
  split->text = field_text(L, "text");
  split->keep = field_flag(L, "keep");
  split->each = field_flag(L, "each");
  split->least = field_size(L, "least");
  split->spaces = (marea_spaces)field_choice(L, "spaces", "unicode", space_names);
  split->behavior = (marea_split_behavior)field_choice(L, "behavior", "isolated", behaviors);
  if (split->kind != MAREA_SPLIT_FUNCTION) return;
  split->function = own_splitter;
  split->context = take_function(L, d);
}

static void read_phrase(lua_State *L, description *d, size_t i) {
  d->phrases[i] = bind_phrases(L, lua_gettop(L));
}

static void read_ngram(lua_State *L, description *d, size_t i) {
  lua_Integer width = luaL_checkinteger(L, -1);
  d->ngrams[i] = width > 0 ? (size_t)width : 0;
}

static void read_lists(lua_State *L, description *d) {
  marea_pipeline_options *o = &d->options;
  o->steps = d->steps;
  o->step_count = read_list(L, d, "normalize", MAREA_NORMAL_STEPS_MAX, read_step);
  o->splits = d->splits;
  o->split_count = read_list(L, d, "split", MAREA_SPLITS_MAX, read_split);
  o->ngrams = d->ngrams;
  o->ngram_count = read_list(L, d, "ngrams", MAREA_NGRAMS_MAX, read_ngram);
  lua_pop(L, 3);
  o->phrases = d->phrases;
  o->phrase_count = read_list(L, d, "phrases", MAREA_PHRASES_MAX, read_phrase);
  lua_setfield(L, 3, "phrases"); /* keeps them alive */
}

static void read_rest(lua_State *L, description *d) {
  marea_pipeline_options *o = &d->options;
  if (lua_getfield(L, 1, "stop_words") == LUA_TTABLE)
    o->stop_words = bind_texts(L, lua_gettop(L), &o->stop_word_count);
  lua_pushvalue(L, 1);
  o->join = field_text(L, "join");
  o->within = field_flag(L, "within");
  o->shortest = field_size(L, "shortest");
  o->longest = field_size(L, "longest");
  o->invalid = field_flag(L, "replace_invalid") ? MAREA_INVALID_REPLACE : MAREA_INVALID_REFUSE;
}

/* pipeline(description): normalize, split (lists of tables with kind), ngrams, join, within,
 * stop_words, phrases, shortest, longest, replace_invalid */
static int new_pipeline(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  /* The stages' contexts live as long as the pipeline: the description is its second uservalue. */
  box *b = lua_newuserdatauv(L, sizeof *b, 2);
  *b = (box){.pipeline = NULL};
  luaL_setmetatable(L, PIPELINE);
  lua_createtable(L, MAREA_NORMAL_STEPS_MAX, 1); /* an error finds room without an allocation */
  lua_pushboolean(L, 0);
  lua_rawseti(L, 3, 0);
  description *d = lua_newuserdatauv(L, sizeof *d, 0);
  memset(d, 0, sizeof *d);
  for (size_t i = 0; i < sizeof d->own / sizeof *d->own; i++) d->own[i].owner = b;
  read_lists(L, d);
  read_rest(L, d);
  b->pipeline = marea_pipeline_new(&d->options);
  if (b->pipeline == NULL) return bind_raise(L);
  b->scratch = marea_pipeline_scratch_new();
  if (b->scratch == NULL) return bind_raise(L);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 2, 1);
  lua_pushvalue(L, 4);
  lua_setiuservalue(L, 2, 2);
  lua_pushvalue(L, 2);
  return 1;
}

/* ---- running ---- */

static box *ready(lua_State *L, int argument) {
  box *b = check_box(L, argument);
  if (b->inside) bind_error(L, "a function among a pipeline's stages must not use that pipeline");
  lua_getiuservalue(L, argument, 1);
  b->L = L;
  b->functions = lua_gettop(L); /* stays there until the caller returns */
  b->failed = false;
  return b;
}

const marea_pipeline *bind_pipeline(lua_State *L, int argument) {
  return ready(L, argument)->pipeline;
}

void bind_pipeline_check(lua_State *L, int argument, marea_status status) {
  const box *b = check_box(L, argument);
  if (status != MAREA_OK && b->failed) {
    lua_getiuservalue(L, argument, 1);
    lua_rawgeti(L, -1, 0);
    lua_error(L);
  }
  bind_check(L, status);
}

/* Tokens are gathered outside Lua, so that no Lua error can happen while a stage holds memory. */
typedef struct gatherer {
  char *bytes;
  size_t used, capacity;
} gatherer;

typedef struct gathered {
  size_t length, begin, end;
} gathered;

static marea_status gather(void *context, const marea_token *token) {
  gatherer *g = context;
  gathered head = {token->length, token->begin, token->end};
  size_t wanted = g->used + sizeof head + token->length;
  if (wanted > g->capacity) {
    char *wider = marea_realloc(g->bytes, 2 * wanted);
    if (wider == NULL) return MAREA_NOMEM;
    g->bytes = wider;
    g->capacity = 2 * wanted;
  }
  memcpy(g->bytes + g->used, &head, sizeof head);
  memcpy(g->bytes + g->used + sizeof head, token->bytes, token->length);
  g->used = wanted;
  return MAREA_OK;
}

/* (gatherer, origins) → tokens[, begins, ends]: places from 1, both ends inside */
static int push_tokens(lua_State *L) {
  const gatherer *g = lua_touserdata(L, 1);
  int origins = lua_toboolean(L, 2);
  for (int i = 0; i < 3; i++) lua_newtable(L);
  lua_Integer number = 0;
  for (size_t at = 0; at < g->used;) {
    gathered head;
    memcpy(&head, g->bytes + at, sizeof head);
    at += sizeof head;
    lua_pushlstring(L, g->bytes + at, head.length);
    lua_rawseti(L, 3, ++number);
    at += head.length;
    if (!origins) continue;
    lua_pushinteger(L, (lua_Integer)head.begin + 1);
    lua_rawseti(L, 4, number);
    lua_pushinteger(L, (lua_Integer)head.end);
    lua_rawseti(L, 5, number);
  }
  lua_settop(L, origins ? 5 : 3);
  return origins ? 3 : 1;
}

/* pipeline:tokens(text[, with origins]) → tokens[, first bytes, last bytes (of the raw text)] */
static int tokens(lua_State *L) {
  marea_text text = bind_text(L, 2);
  int origins = lua_toboolean(L, 3);
  lua_settop(L, 3);
  box *b = ready(L, 1);
  gatherer g = {NULL, 0, 0};
  marea_status status = marea_pipeline_run(b->pipeline, text, origins, b->scratch, gather, &g);
  int code = LUA_OK;
  if (status == MAREA_OK) {
    lua_pushcfunction(L, push_tokens);
    lua_pushlightuserdata(L, &g);
    lua_pushboolean(L, origins);
    code = lua_pcall(L, 2, origins ? 3 : 1, 0);
  }
  marea_free(g.bytes);
  bind_pipeline_check(L, 1, status);
  return code == LUA_OK ? (origins ? 3 : 1) : lua_error(L);
}

/* pipeline:normalize(text) → text */
static int normalize(lua_State *L) {
  marea_text text = bind_text(L, 2), normal;
  lua_settop(L, 2);
  box *b = ready(L, 1);
  marea_status status = marea_pipeline_normalize(b->pipeline, text, b->scratch, &normal);
  bind_pipeline_check(L, 1, status);
  lua_pushlstring(L, normal.bytes, normal.length);
  return 1;
}

void bind_push_pipeline_report(lua_State *L, const marea_pipeline_report *r) {
  const struct {
    const char *name;
    size_t value;
  } counters[] = {{"invalid_bytes", r->normal.invalid_bytes},
                  {"tags", r->normal.tags},
                  {"entities", r->normal.entities},
                  {"urls", r->normal.urls},
                  {"digits", r->normal.digits},
                  {"accents", r->normal.accents},
                  {"controls", r->normal.controls},
                  {"too_short", r->too_short},
                  {"too_long", r->too_long},
                  {"stop_words", r->stop_words},
                  {"phrases", r->phrases}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
    if (counters[i].value > 0) bind_set_count(L, counters[i].name, counters[i].value);
}

static const luaL_Reg methods[] = {{"tokens", tokens}, {"normalize", normalize}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"pipeline", new_pipeline}, {NULL, NULL}};

void bind_open_pipeline(lua_State *L) {
  bind_class(L, PIPELINE, methods, free_pipeline);
  luaL_setfuncs(L, functions, 0);
}

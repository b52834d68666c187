/* Reading and writing files of word vectors. */
#include <string.h>

#include "bind_vectors.h"
#include "embed/reading.h"
#include "embed/writing.h"

static const char *const format_names[] = {"auto", "text", "word2vec", "fasttext", "marea", NULL};

/* What the progress function of a script needs; its error is raised when nothing is held. */
typedef struct asking {
  lua_State *L;
  int function, error; /* places on the stack */
  bool failed;
} asking;

static bool ask(void *context, uint64_t done, uint64_t total) {
  asking *a = context;
  lua_State *L = a->L;
  lua_pushvalue(L, a->function);
  lua_pushinteger(L, (lua_Integer)done);
  lua_pushinteger(L, (lua_Integer)total);
  a->failed = lua_pcall(L, 2, 1, 0) != LUA_OK;
  bool go_on = !a->failed && (lua_isnil(L, -1) || lua_toboolean(L, -1));
  if (a->failed)
    lua_replace(L, a->error);
  else
    lua_pop(L, 1);
  return go_on;
}

static size_t count_option(lua_State *L, const char *name) {
  lua_getfield(L, 2, name);
  lua_Integer value = luaL_optinteger(L, -1, 0);
  lua_pop(L, 1);
  if (value < 0) bind_error(L, "load: %s must not be negative", name);
  return (size_t)value;
}

static bool flag_option(lua_State *L, const char *name) {
  lua_getfield(L, 2, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

typedef struct lexicon_box {
  marea_lexicon words;
} lexicon_box;

static int clear_lexicon(lua_State *L) {
  lexicon_box *box = luaL_checkudata(L, 1, "marea.lexicon");
  marea_lexicon_clear(&box->words);
  return 0;
}

/* The words of options.only, in a userdata that is pushed; nil pushes nil and gives NULL. */
static const marea_lexicon *wanted_words(lua_State *L) {
  size_t count;
  if (lua_getfield(L, 2, "only") == LUA_TNIL) return NULL;
  int list = lua_gettop(L);
  const marea_text *texts = bind_texts(L, list, &count);
  lexicon_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (lexicon_box){0};
  luaL_setmetatable(L, "marea.lexicon");
  bind_check(L, marea_lexicon_init(&box->words, count));
  for (size_t i = 0; i < count; i++) {
    bool is_new;
    bind_check(L, marea_lexicon_add(&box->words, texts[i].bytes, texts[i].length, &is_new));
  }
  return &box->words;
}

static void push_report(lua_State *L, const marea_reading_report *report) {
  lua_newtable(L);
  lua_pushstring(L, format_names[report->format]);
  lua_setfield(L, -2, "format");
  lua_pushboolean(L, report->mapped);
  lua_setfield(L, -2, "mapped");
  bind_set_count(L, "seen", report->seen);
  bind_set_count(L, "duplicates", report->duplicates);
  bind_set_count(L, "left_out", report->left_out);
}

/* vectors_load(path, options) → vectors, report; nil and a message for a file that is missing or
 * broken */
static int load(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  marea_reading_options o = {.width = count_option(L, "width"), .limit = count_option(L, "limit")};
  marea_reading_report report;
  lua_getfield(L, 2, "format");
  o.format = (marea_vector_format)luaL_checkoption(L, -1, "auto", format_names);
  lua_getfield(L, 2, "type");
  o.any_type = lua_isnil(L, -1);
  o.type = bind_row_type(L, lua_gettop(L));
  o.copy = flag_option(L, "copy");
  o.no_subwords = flag_option(L, "no_subwords");
  o.only = wanted_words(L);
  asking a = {.L = L};
  lua_getfield(L, 2, "progress");
  a.function = lua_gettop(L);
  lua_pushnil(L);
  a.error = lua_gettop(L);
  if (!lua_isnil(L, a.function)) o.progress = ask, o.context = &a;
  luaL_checkstack(L, 8, "load");
  marea_vectors **box = bind_vectors_new(L);
  marea_vectors *v = marea_vectors_load(path, &o, &report);
  if (v == NULL && a.failed) {
    lua_pushvalue(L, a.error);
    return lua_error(L);
  }
  if (v == NULL && marea_error_code() == MAREA_NOMEM) return bind_raise(L);
  if (v == NULL) return bind_nil(L);
  bind_vectors_fill(L, box, v);
  push_report(L, &report);
  return 2;
}

/* vectors:save(path, format, header) → true, or nil and a message */
static int save(lua_State *L) {
  const marea_vectors *v = bind_vectors(L, 1);
  const char *path = luaL_checkstring(L, 2);
  marea_vector_format format = (marea_vector_format)luaL_checkoption(L, 3, "marea", format_names);
  if (marea_vectors_save(v, path, format, lua_toboolean(L, 4)) == MAREA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  marea_status code = marea_error_code();
  return code == MAREA_IO ? bind_nil(L) : bind_raise(L);
}

const luaL_Reg bind_vector_file_methods[] = {{"save", save}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"vectors_load", load}, {NULL, NULL}};

void bind_open_vector_files(lua_State *L) {
  luaL_newmetatable(L, "marea.lexicon");
  lua_pushcfunction(L, clear_lexicon);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

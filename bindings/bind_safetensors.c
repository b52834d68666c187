/* safetensors and npz files. */
#include <string.h>

#include "bind.h"
#include "train/npz.h"
#include "train/safetensors.h"

#define BIND_FILE "marea.safetensors"

/* A collection that Lua's collector frees, whatever error comes. */
static marea_safetensors **file_box(lua_State *L) {
  marea_safetensors **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BIND_FILE);
  return box;
}

static int collect(lua_State *L) {
  marea_safetensors **box = luaL_checkudata(L, 1, BIND_FILE);
  marea_safetensors_free(*box);
  *box = NULL;
  return 0;
}

/* A string without NUL, since the file's JSON has none. */
static const char *plain_text(lua_State *L, int at, const char *what) {
  size_t length;
  if (lua_type(L, at) != LUA_TSTRING) {
    bind_error(L, "%s must be a string, got a %s", what, luaL_typename(L, at));
    return NULL;
  }
  const char *text = lua_tolstring(L, at, &length);
  if (strlen(text) != length) bind_error(L, "%s holds a zero byte", what);
  return text;
}

static void add_tensors(lua_State *L, marea_safetensors *file) {
  for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
    const char *name = plain_text(L, -2, "the name of a tensor");
    if (!bind_is_tensor(L, -1))
      bind_error(L, "\"%s\" is a %s, expected a tensor", name, luaL_typename(L, -1));
    bind_check(L, marea_safetensors_add(file, name, bind_tensor(L, lua_gettop(L))));
  }
}

static void add_texts(lua_State *L, marea_safetensors *file) {
  if (lua_isnoneornil(L, 3)) return;
  luaL_checktype(L, 3, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, 3) != 0; lua_pop(L, 1)) {
    const char *key = plain_text(L, -2, "the key of a metadata");
    bind_check(L, marea_safetensors_set_text(file, key, plain_text(L, -1, key)));
  }
}

typedef marea_status saver(const marea_safetensors *file, const char *path);
typedef marea_safetensors *loader(const char *path);

static int save_with(lua_State *L, saver *save) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  marea_safetensors **box = file_box(L);
  *box = marea_safetensors_new();
  if (*box == NULL) return bind_raise(L);
  add_tensors(L, *box);
  add_texts(L, *box);
  if (save(*box, path) != MAREA_OK) return bind_nil(L);
  lua_pushboolean(L, 1);
  return 1;
}

/* save_tensors(path, { name = tensor, … }[, { key = text, … }]) → true, or nil and a message */
static int save_tensors(lua_State *L) {
  return save_with(L, marea_safetensors_save);
}

/* save_npz(path, { name = tensor, … }) → true, or nil and a message */
static int save_npz(lua_State *L) {
  lua_settop(L, 2);
  return save_with(L, marea_npz_save);
}

static void push_tensors(lua_State *L, const marea_safetensors *file) {
  size_t count = marea_safetensors_count(file);
  lua_createtable(L, 0, (int)count);
  for (size_t i = 0; i < count; i++) {
    bind_box *box = bind_box_new(L);
    bind_box_fill(L, box, marea_tensor_retain(marea_safetensors_tensor(file, i)));
    lua_setfield(L, -2, marea_safetensors_name(file, i));
  }
}

static void push_texts(lua_State *L, const marea_safetensors *file) {
  size_t count = marea_safetensors_text_count(file);
  lua_createtable(L, 0, (int)count);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, marea_safetensors_value(file, i));
    lua_setfield(L, -2, marea_safetensors_key(file, i));
  }
}

static int load_with(lua_State *L, loader *load) {
  const char *path = luaL_checkstring(L, 1);
  marea_safetensors **box = file_box(L);
  *box = load(path);
  if (*box == NULL) return bind_nil(L);
  push_tensors(L, *box);
  push_texts(L, *box);
  return 2;
}

/* load_tensors(path) → { name = tensor, … }, { key = text, … }, or nil and a message */
static int load_tensors(lua_State *L) {
  return load_with(L, marea_safetensors_load);
}

/* load_npz(path) → { name = tensor, … }, {}, or nil and a message */
static int load_npz(lua_State *L) {
  return load_with(L, marea_npz_load);
}

static const luaL_Reg functions[] = {{"save_tensors", save_tensors},
                                     {"load_tensors", load_tensors},
                                     {"save_npz", save_npz},
                                     {"load_npz", load_npz},
                                     {NULL, NULL}};

void bind_open_safetensors(lua_State *L) {
  luaL_newmetatable(L, BIND_FILE);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

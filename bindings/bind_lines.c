/* Files as streams: lines, whole texts, what lies in a folder. The Lua side is
 * lua/marea/corpora. */
#include "base/folder.h"
#include "base/lines.h"
#include "bind_readers.h"

#define LINES  "marea.lines"
#define BLOCK  "marea.block"
#define FOLDER "marea.folder"

/* What a reader's buffers take, for the collector. */
enum { READER_BYTES = 1 << 17 };

void bind_reader_class(lua_State *L, const char *name, const luaL_Reg *methods,
                       lua_CFunction close) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}

void **bind_reader_push(lua_State *L, const char *name) {
  void **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, name);
  bind_account(L, READER_BYTES);
  return box;
}

void *bind_reader(lua_State *L, const char *name) {
  void **box = luaL_checkudata(L, 1, name);
  if (*box == NULL) bind_error(L, "the file is closed");
  return *box;
}

int bind_reader_end(lua_State *L, marea_status status) {
  if (status != MAREA_OK) return bind_nil(L);
  lua_pushnil(L);
  return 1;
}

size_t bind_byte_limit(lua_State *L, int argument, size_t standard) {
  lua_Integer limit = luaL_optinteger(L, argument, (lua_Integer)standard);
  luaL_argcheck(L, limit >= 1, argument, "a number of bytes must be 1 or more");
  return (size_t)limit;
}

int bind_progress(lua_State *L, const marea_source *source, uint64_t position) {
  uint64_t size = marea_source_size(source);
  lua_pushinteger(L, (lua_Integer)position);
  if (size > 0 || position == 0)
    lua_pushinteger(L, (lua_Integer)size);
  else
    lua_pushnil(L);
  return 2;
}

/* ---- lines ---- */

/* lines(path[, longest]) → reader, or nil and a message */
static int new_lines(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  size_t longest = bind_byte_limit(L, 2, MAREA_LONGEST_LINE);
  void **box = bind_reader_push(L, LINES);
  *box = marea_lines_new(path);
  if (*box == NULL) return bind_nil(L);
  marea_lines_limit(*box, longest);
  return 1;
}

/* reader:next() → line; nil at the end; nil and a message when the file is broken */
static int next_line(lua_State *L) {
  marea_lines *lines = bind_reader(L, LINES);
  const char *text;
  size_t length;
  marea_status status;
  if (!marea_lines_next(lines, &text, &length, &status)) return bind_reader_end(L, status);
  lua_pushlstring(L, text, length);
  return 1;
}

/* reader:batch(bytes) → a list of the next lines, of `bytes` bytes or a little more; else as next
 */
static int next_batch(lua_State *L) {
  marea_lines *lines = bind_reader(L, LINES);
  size_t wanted = bind_byte_limit(L, 2, 1 << 20), bytes = 0, length;
  const char *text;
  marea_status status = MAREA_OK;
  lua_Integer count = 0;
  lua_newtable(L);
  while (bytes < wanted && marea_lines_next(lines, &text, &length, &status)) {
    lua_pushlstring(L, text, length);
    lua_rawseti(L, -2, ++count);
    bytes += length + 1;
  }
  return count > 0 && status == MAREA_OK ? 1 : bind_reader_end(L, status);
}

/* reader:number() → the number of the line that came last */
static int line_number(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)marea_lines_number(bind_reader(L, LINES)));
  return 1;
}

/* reader:progress() → bytes of the file used, bytes of the file (nil when it cannot be known) */
static int lines_progress(lua_State *L) {
  const marea_lines *lines = bind_reader(L, LINES);
  return bind_progress(L, marea_lines_source(lines), marea_lines_position(lines));
}

static int close_lines(lua_State *L) {
  void **box = luaL_checkudata(L, 1, LINES);
  marea_lines_free(*box);
  *box = NULL;
  return 0;
}

/* ---- whole texts ---- */

static int free_block(lua_State *L) {
  void **box = luaL_checkudata(L, 1, BLOCK);
  marea_free(*box);
  *box = NULL;
  return 0;
}

/* read_text(path[, longest]) → all bytes, unpacked, without a byte order mark; or nil, message */
static int read_text(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  size_t length = 0, longest = bind_byte_limit(L, 2, MAREA_LONGEST_LINE);
  void **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BLOCK);
  *box = marea_source_read_all(path, longest, &length);
  if (*box == NULL) return bind_nil(L);
  lua_pushlstring(L, *box, length);
  marea_free(*box);
  *box = NULL;
  return 1;
}

/* ---- folders ---- */

static int free_folder(lua_State *L) {
  void **box = luaL_checkudata(L, 1, FOLDER);
  marea_folder_free(*box);
  *box = NULL;
  return 0;
}

/* folder(path) → list of names in byte order, list of sizes in bytes, false for folders, how
 * many things are not listed; or nil and a message */
static int list_folder(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  marea_folder **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, FOLDER);
  *box = marea_folder_new(path);
  if (*box == NULL) return bind_nil(L);
  lua_newtable(L);
  lua_newtable(L);
  for (size_t i = 0; i < (*box)->count; i++) {
    lua_pushstring(L, (*box)->entries[i].name);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
    if ((*box)->entries[i].folder)
      lua_pushboolean(L, false);
    else
      lua_pushinteger(L, (lua_Integer)(*box)->entries[i].size);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pushinteger(L, (lua_Integer)(*box)->others);
  return 3;
}

static const luaL_Reg methods[] = {{"next", next_line},     {"batch", next_batch},
                                   {"number", line_number}, {"progress", lines_progress},
                                   {"close", close_lines},  {NULL, NULL}};
static const luaL_Reg none[] = {{NULL, NULL}};
static const luaL_Reg functions[] = {
    {"lines", new_lines}, {"read_text", read_text}, {"folder", list_folder}, {NULL, NULL}};

void bind_open_lines(lua_State *L) {
  bind_reader_class(L, LINES, methods, close_lines);
  bind_reader_class(L, BLOCK, none, free_block);
  bind_reader_class(L, FOLDER, none, free_folder);
  luaL_setfuncs(L, functions, 0);
  bind_open_tables(L);
  bind_open_idx(L);
  bind_open_keras_ids(L);
}

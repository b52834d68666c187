/* Tables as text: CSV and CoNLL. The Lua side is lua/marea/corpora. */
#include "bind_readers.h"
#include "text/read/conll.h"
#include "text/read/csv.h"

#define CSV   "marea.csv"
#define CONLL "marea.conll"

/* ---- which columns are wanted ---- */

enum { MOST_COLUMNS = 1024 };

/* The columns at an argument, a list of places from 1 on, as places from 0 on in a userdata that is
 * pushed. */
static const size_t *check_columns(lua_State *L, int argument, size_t width, int *count) {
  luaL_checktype(L, argument, LUA_TTABLE);
  lua_Integer length = luaL_len(L, argument);
  luaL_argcheck(L, length >= 1 && length <= MOST_COLUMNS, argument, "1 to 1024 columns");
  size_t *columns = lua_newuserdatauv(L, (size_t)length * sizeof *columns, 0);
  for (lua_Integer i = 0; i < length; i++) {
    lua_geti(L, argument, i + 1);
    lua_Integer place = luaL_checkinteger(L, -1);
    if (place < 1 || (size_t)place > width)
      luaL_argerror(L, argument,
                    lua_pushfstring(L, "column %I, there are %I", place, (lua_Integer)width));
    columns[i] = (size_t)place - 1;
    lua_pop(L, 1);
  }
  *count = (int)length;
  return columns;
}

static void push_cell(lua_State *L, const marea_field *cell) {
  lua_pushlstring(L, cell->bytes, cell->length);
}

/* ---- CSV ---- */

static char check_character(lua_State *L, int argument) {
  size_t length;
  const char *text = luaL_optlstring(L, argument, "", &length);
  luaL_argcheck(L, length <= 1, argument, "one byte expected");
  return text[0];
}

/* csv(path[, separator[, quote[, longest]]]) → reader, or nil and a message; an empty quote: none
 */
static int new_csv(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  marea_csv_options options = {.separator = check_character(L, 2),
                               .quote = check_character(L, 3),
                               .longest = bind_byte_limit(L, 4, MAREA_LONGEST_ROW)};
  void **box = bind_reader_push(L, CSV);
  *box = marea_csv_new(path, &options);
  if (*box != NULL) return 1;
  return marea_error_code() == MAREA_ARGUMENT ? bind_raise(L) : bind_nil(L);
}

/* reader:row() → list of cells; nil at the end; nil and a message when the file is broken */
static int csv_row(lua_State *L) {
  marea_csv *csv = bind_reader(L, CSV);
  const marea_field *cells;
  size_t count;
  marea_status status;
  if (!marea_csv_next(csv, &cells, &count, &status)) return bind_reader_end(L, status);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_cell(L, &cells[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* reader:next(columns) → the cells in these columns; else as row */
static int csv_next(lua_State *L) {
  marea_csv *csv = bind_reader(L, CSV);
  const marea_field *cells;
  size_t width;
  int count;
  marea_status status;
  if (!marea_csv_next(csv, &cells, &width, &status)) return bind_reader_end(L, status);
  const size_t *columns = check_columns(L, 2, width, &count);
  luaL_checkstack(L, count, "columns");
  for (int i = 0; i < count; i++) push_cell(L, &cells[columns[i]]);
  return count;
}

/* reader:batch(bytes, columns) → for each column the list of its next cells, `bytes` bytes of all
 * columns or a little more; else as row */
static int csv_batch(lua_State *L) {
  marea_csv *csv = bind_reader(L, CSV);
  size_t wanted = bind_byte_limit(L, 2, 1 << 20), bytes = 0, width;
  const marea_field *cells;
  const size_t *columns = NULL;
  marea_status status = MAREA_OK;
  lua_Integer rows = 0;
  int count = 0, first = 0;
  while (bytes < wanted && marea_csv_next(csv, &cells, &width, &status)) {
    if (columns == NULL) {
      columns = check_columns(L, 3, width, &count);
      luaL_checkstack(L, count + 2, "columns");
      first = lua_gettop(L) + 1;
      for (int i = 0; i < count; i++) lua_newtable(L);
    }
    rows++;
    for (int i = 0; i < count; i++) {
      push_cell(L, &cells[columns[i]]);
      lua_rawseti(L, first + i, rows);
      bytes += cells[columns[i]].length;
    }
    bytes++;
  }
  return count > 0 && status == MAREA_OK ? count : bind_reader_end(L, status);
}

/* reader:report() → line on which the last row begins, rows, empty lines */
static int csv_report(lua_State *L) {
  const marea_csv *csv = bind_reader(L, CSV);
  lua_pushinteger(L, (lua_Integer)marea_csv_line(csv));
  lua_pushinteger(L, (lua_Integer)marea_csv_rows(csv));
  lua_pushinteger(L, (lua_Integer)marea_csv_empty_lines(csv));
  return 3;
}

static int csv_progress(lua_State *L) {
  const marea_csv *csv = bind_reader(L, CSV);
  return bind_progress(L, marea_csv_source(csv), marea_csv_position(csv));
}

static int close_csv(lua_State *L) {
  void **box = luaL_checkudata(L, 1, CSV);
  marea_csv_free(*box);
  *box = NULL;
  return 0;
}

/* ---- CoNLL ---- */

/* conll(path, width, separator, conllu) → reader, or nil and a message */
static int new_conll(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_Integer width = luaL_checkinteger(L, 2);
  luaL_argcheck(L, width >= 1 && width <= MOST_COLUMNS, 2, "1 to 1024 columns");
  marea_conll_options options = {
      .width = (size_t)width, .separator = check_character(L, 3), .conllu = lua_toboolean(L, 4)};
  void **box = bind_reader_push(L, CONLL);
  *box = marea_conll_new(path, &options);
  return *box != NULL ? 1 : bind_nil(L);
}

/* A list of the cells of one column, the words' alone. */
static void push_words(lua_State *L, const marea_conll_sentence *s, size_t column) {
  lua_Integer number = 0;
  lua_createtable(L, (int)s->rows, 0);
  for (size_t i = 0; i < s->rows; i++) {
    if (s->kinds[i] != MAREA_CONLL_WORD) continue;
    push_cell(L, &s->cells[i * s->width + column]);
    lua_rawseti(L, -2, ++number);
  }
}

/* A list of the rows of one kind, each a list of its cells. */
static void push_rows(lua_State *L, const marea_conll_sentence *s, marea_conll_kind kind) {
  lua_Integer number = 0;
  lua_newtable(L);
  for (size_t i = 0; i < s->rows; i++) {
    if (s->kinds[i] != kind) continue;
    lua_createtable(L, (int)s->width, 0);
    for (size_t j = 0; j < s->width; j++) {
      push_cell(L, &s->cells[i * s->width + j]);
      lua_rawseti(L, -2, (lua_Integer)j + 1);
    }
    lua_rawseti(L, -2, ++number);
  }
}

/* reader:next(columns) → a list with a list of the words' cells for each of the columns, the ranges
 * and the empty nodes (lists of rows), the comments; else as csv's row */
static int conll_next(lua_State *L) {
  marea_conll *conll = bind_reader(L, CONLL);
  marea_conll_sentence sentence;
  marea_status status;
  int count;
  if (!marea_conll_next(conll, &sentence, &status)) return bind_reader_end(L, status);
  const size_t *columns = check_columns(L, 2, sentence.width, &count);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    push_words(L, &sentence, columns[i]);
    lua_rawseti(L, -2, i + 1);
  }
  push_rows(L, &sentence, MAREA_CONLL_RANGE);
  push_rows(L, &sentence, MAREA_CONLL_EMPTY);
  lua_createtable(L, (int)sentence.comment_count, 0);
  for (size_t i = 0; i < sentence.comment_count; i++) {
    push_cell(L, &sentence.comments[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 4;
}

static int conll_progress(lua_State *L) {
  const marea_lines *lines = marea_conll_lines(bind_reader(L, CONLL));
  return bind_progress(L, marea_lines_source(lines), marea_lines_position(lines));
}

static int close_conll(lua_State *L) {
  void **box = luaL_checkudata(L, 1, CONLL);
  marea_conll_free(*box);
  *box = NULL;
  return 0;
}

static const luaL_Reg csv_methods[] = {
    {"row", csv_row},           {"next", csv_next},   {"batch", csv_batch}, {"report", csv_report},
    {"progress", csv_progress}, {"close", close_csv}, {NULL, NULL}};
static const luaL_Reg conll_methods[] = {
    {"next", conll_next}, {"progress", conll_progress}, {"close", close_conll}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"csv", new_csv}, {"conll", new_conll}, {NULL, NULL}};

void bind_open_tables(lua_State *L) {
  bind_reader_class(L, CSV, csv_methods, close_csv);
  bind_reader_class(L, CONLL, conll_methods, close_conll);
  luaL_setfuncs(L, functions, 0);
}

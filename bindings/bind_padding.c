/* Padding: of sequences of ids, and of ragged lists whose items are reals, vectors or deeper. */
#include "bind_sequences.h"

#include "text/sequences/ragged.h"

#define RAGGED "marea.ragged"

/* ---- options and report ---- */

/* maxlen, padding, truncating from argument 2 on */
static marea_padding read_padding(lua_State *L) {
  static const char *const sides[] = {"pre", "post", NULL};
  lua_Integer maxlen = luaL_checkinteger(L, 2);
  luaL_argcheck(L, maxlen >= 1 && maxlen <= INT32_MAX, 2, "maxlen must be 1 or more");
  return (marea_padding){.maxlen = (size_t)maxlen,
                         .pad_after = luaL_checkoption(L, 3, "pre", sides) == 1,
                         .cut_after = luaL_checkoption(L, 4, "pre", sides) == 1};
}

static void set_mask(lua_State *L, const marea_tensor *lengths, const marea_padding *padding) {
  int64_t size[] = {lengths->size[0], (int64_t)padding->maxlen};
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, 2, size));
  marea_pad_mask(marea_ints(lengths), (size_t)lengths->size[0], padding, marea_reals(box->x));
  lua_setfield(L, -2, "mask");
}

/* { rows, maxlen, tokens, truncated, lost, longest, lengths[, mask] } */
static void push_report(lua_State *L, const size_t *offsets, size_t count,
                        const marea_padding *padding, const marea_padding_report *report,
                        bool mask) {
  lua_createtable(L, 0, 8);
  bind_set_count(L, "rows", count);
  bind_set_count(L, "maxlen", padding->maxlen);
  bind_set_count(L, "tokens", report->tokens);
  bind_set_count(L, "truncated", report->cut_rows);
  bind_set_count(L, "lost", report->lost);
  bind_set_count(L, "longest", report->longest);
  marea_tensor *lengths = bind_push_ids(L, count);
  marea_kept_lengths(offsets, count, padding->maxlen, marea_ints(lengths));
  lua_setfield(L, -2, "lengths");
  if (mask) set_mask(L, lengths, padding);
}

/* sequences:pad(maxlen, padding, truncating, value, mask) → int32 tensor (N, maxlen), report */
int bind_pad_sequences(lua_State *L) {
  const marea_sequences *s = bind_sequences(L, 1);
  marea_padding padding = read_padding(L);
  lua_Integer value = luaL_optinteger(L, 5, 0);
  luaL_argcheck(L, value >= INT32_MIN && value <= INT32_MAX, 5, "the value must fit 32 bits");
  padding.value = (int32_t)value;
  marea_padding_report report;
  int64_t size[] = {(int64_t)s->count, (int64_t)padding.maxlen};
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_INT32, 2, size));
  bind_check(L, marea_pad(s, &padding, marea_ints(box->x), &report));
  push_report(L, s->offsets, s->count, &padding, &report, lua_toboolean(L, 6));
  return 2;
}

/* ---- ragged lists ---- */

static marea_ragged *ragged_at(lua_State *L) {
  marea_ragged **box = luaL_checkudata(L, 1, RAGGED);
  if (*box == NULL) luaL_argerror(L, 1, "the list was never filled");
  return *box;
}

static int free_ragged(lua_State *L) {
  marea_ragged **box = luaL_checkudata(L, 1, RAGGED);
  marea_ragged_free(*box);
  *box = NULL;
  return 0;
}

/* Where an item stands, for messages. */
typedef struct place {
  lua_Integer row, item, model; /* model: the row that set the shape */
} place;

/* The shape of the value on top: of a tensor, or by its first elements; a number has none. */
static int item_shape(lua_State *L, int64_t size[MAREA_ITEM_RANK], const place *at) {
  int rank = 0, top = lua_gettop(L);
  for (;;) {
    bool tensor = bind_is_tensor(L, -1), table = lua_istable(L, -1);
    int axes = tensor ? bind_tensor(L, lua_gettop(L))->rank : table;
    if (rank + axes > MAREA_ITEM_RANK)
      return bind_error(L, "sequence %I, place %I: an item has more than %d axes", at->row,
                        at->item, MAREA_ITEM_RANK);
    if (tensor)
      for (int i = 0; i < axes; i++) size[rank + i] = bind_tensor(L, lua_gettop(L))->size[i];
    if (table) size[rank] = luaL_len(L, -1);
    rank += axes;
    if (!table || size[rank - 1] == 0) break;
    lua_geti(L, -1, 1);
  }
  for (int i = 0; i < rank; i++)
    if (size[i] == 0)
      return bind_error(L, "sequence %I, place %I: the item is empty", at->row, at->item);
  lua_settop(L, top);
  return rank;
}

static int wrong_size(lua_State *L, const marea_ragged *r, const place *at, int axis,
                      lua_Integer size) {
  return bind_error(L,
                    "sequence %I, place %I: axis %d of the item has %I elements, those of sequence "
                    "%I have %I",
                    at->row, at->item, axis + 1, size, at->model, (lua_Integer)r->item_size[axis]);
}

static void push_tensor_items(lua_State *L, marea_ragged *r, const place *at, int axis) {
  const marea_tensor *x = bind_tensor(L, lua_gettop(L));
  if (x->rank != r->item_rank - axis)
    bind_error(L, "sequence %I, place %I: the item is a tensor with %d axes, expected %d", at->row,
               at->item, x->rank, r->item_rank - axis);
  for (int i = 0; i < x->rank; i++)
    if (x->size[i] != r->item_size[axis + i]) wrong_size(L, r, at, axis + i, x->size[i]);
  for (int64_t i = 0, n = marea_tensor_count(x); i < n; i++)
    bind_check(L, marea_ragged_push(r, marea_tensor_get(x, i)));
}

/* Appends the item on top, of which `axis` axes are already entered. */
static void push_item(lua_State *L, marea_ragged *r, const place *at, int axis) {
  if (bind_is_tensor(L, -1)) {
    push_tensor_items(L, r, at, axis);
  } else if (axis == r->item_rank) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      bind_error(L, "sequence %I, place %I: %s, expected a number", at->row, at->item,
                 luaL_tolstring(L, -1, NULL));
    bind_check(L, marea_ragged_push(r, lua_tonumber(L, -1)));
  } else {
    if (!lua_istable(L, -1))
      bind_error(L, "sequence %I, place %I: the item is a %s, expected a list of %I", at->row,
                 at->item, luaL_typename(L, -1), (lua_Integer)r->item_size[axis]);
    lua_Integer size = luaL_len(L, -1);
    if (size != r->item_size[axis]) wrong_size(L, r, at, axis, size);
    for (lua_Integer i = 1; i <= size; i++) {
      lua_geti(L, -1, i);
      push_item(L, r, at, axis + 1);
      lua_pop(L, 1);
    }
  }
}

/* A row that is a tensor (T, …): its first axis is time. */
static void push_tensor_row(lua_State *L, marea_ragged *r, place *at) {
  const marea_tensor *x = bind_tensor(L, lua_gettop(L));
  if (x->rank == 0) bind_error(L, "sequence %I is a tensor without axes", at->row);
  if (x->size[0] == 0) return;
  at->item = 1;
  if (at->model == 0) {
    at->model = at->row;
    bind_check(L, marea_ragged_shape(r, x->rank - 1, x->size + 1));
  }
  if (x->rank - 1 != r->item_rank)
    bind_error(L, "sequence %I: its items have %d axes, those of sequence %I have %d", at->row,
               x->rank - 1, at->model, r->item_rank);
  for (int i = 1; i < x->rank; i++)
    if (x->size[i] != r->item_size[i - 1]) wrong_size(L, r, at, i - 1, x->size[i]);
  for (int64_t i = 0, n = marea_tensor_count(x); i < n; i++)
    bind_check(L, marea_ragged_push(r, marea_tensor_get(x, i)));
}

static void push_row(lua_State *L, marea_ragged *r, place *at) {
  if (bind_is_tensor(L, -1)) {
    push_tensor_row(L, r, at);
    return;
  }
  if (!lua_istable(L, -1))
    bind_error(L, "sequence %I is a %s, expected a list or a tensor", at->row,
               luaL_typename(L, -1));
  lua_Integer length = luaL_len(L, -1);
  for (at->item = 1; at->item <= length; at->item++) {
    lua_geti(L, -1, at->item);
    if (at->model == 0) {
      int64_t size[MAREA_ITEM_RANK];
      int rank = item_shape(L, size, at);
      at->model = at->row;
      bind_check(L, marea_ragged_shape(r, rank, size));
    }
    push_item(L, r, at, 0);
    lua_pop(L, 1);
  }
}

/* ragged(list of sequences, each a list or a tensor) */
static int new_ragged(lua_State *L) {
  if (!lua_istable(L, 1)) return luaL_argerror(L, 1, "expected a list of sequences");
  lua_settop(L, 1);
  luaL_checkstack(L, 3 * MAREA_ITEM_RANK + 10, NULL);
  marea_ragged **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, RAGGED);
  *box = marea_ragged_new();
  if (*box == NULL) return bind_raise(L);
  place at = {0, 0, 0};
  lua_Integer rows = luaL_len(L, 1);
  for (at.row = 1; at.row <= rows; at.row++) {
    lua_geti(L, 1, at.row);
    push_row(L, *box, &at);
    bind_check(L, marea_ragged_end(*box));
    lua_pop(L, 1);
  }
  return 1;
}

static int ragged_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)ragged_at(L)->count);
  return 1;
}

static int ragged_quantile(lua_State *L) {
  size_t length;
  const marea_ragged *r = ragged_at(L);
  bind_check(L, marea_length_quantile(r->offsets, r->count, luaL_checknumber(L, 2), &length));
  lua_pushinteger(L, (lua_Integer)length);
  return 1;
}

/* ragged:pad(maxlen, padding, truncating, value, mask, dtype) → tensor (N, maxlen, …), report */
static int ragged_pad(lua_State *L) {
  const marea_ragged *r = ragged_at(L);
  marea_padding padding = read_padding(L);
  double value = luaL_optnumber(L, 5, 0);
  marea_dtype dtype = bind_dtype(L, 7);
  marea_padding_report report;
  int64_t size[2 + MAREA_ITEM_RANK] = {(int64_t)r->count, (int64_t)padding.maxlen};
  for (int i = 0; i < r->item_rank; i++) size[2 + i] = r->item_size[i];
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(dtype, 2 + r->item_rank, size));
  bind_check(L, dtype == MAREA_INT32
                    ? marea_ragged_pad_ids(r, &padding, value, marea_ints(box->x), &report)
                    : marea_ragged_pad_reals(r, &padding, value, marea_reals(box->x), &report));
  push_report(L, r->offsets, r->count, &padding, &report, lua_toboolean(L, 6));
  return 2;
}

static const luaL_Reg methods[] = {
    {"pad", ragged_pad}, {"quantile", ragged_quantile}, {"count", ragged_count}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"ragged", new_ragged}, {NULL, NULL}};

void bind_open_ragged(lua_State *L) {
  bind_class(L, RAGGED, methods, free_ragged);
  luaL_getmetatable(L, RAGGED);
  lua_pushcfunction(L, ragged_count);
  lua_setfield(L, -2, "__len");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

/* Tensors from IDX files. */
#include "base/idx.h"
#include "bind_readers.h"

#define IDX "marea.idx"

enum { PIECE = 512 };

static int close_idx(lua_State *L) {
  void **box = luaL_checkudata(L, 1, IDX);
  marea_idx_free(*box);
  *box = NULL;
  return 0;
}

static marea_status fill(marea_idx *idx, marea_tensor *x) {
  double piece[PIECE];
  int64_t count = marea_tensor_count(x);
  for (int64_t at = 0; at < count;) {
    size_t some = (size_t)(count - at < PIECE ? count - at : PIECE);
    marea_status status = marea_idx_read(idx, piece, some);
    for (size_t i = 0; i < some && status == MAREA_OK; i++, at++) {
      if (x->dtype == MAREA_REAL)
        marea_reals(x)[at] = (marea_real)piece[i];
      else
        status = marea_tensor_set(x, at, piece[i]);
    }
    if (status != MAREA_OK) return status;
  }
  return marea_idx_check_end(idx);
}

/* idx(path[, dtype]) → tensor of the file's shape, or nil and a message */
static int read_idx(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  marea_dtype dtype = bind_dtype(L, 2);
  void **box = bind_reader_push(L, IDX);
  *box = marea_idx_new(path);
  if (*box == NULL) return bind_nil(L);
  bind_box *tensor = bind_box_new(L);
  bind_box_fill(L, tensor, marea_tensor_new(dtype, marea_idx_rank(*box), marea_idx_sizes(*box)));
  marea_status status = fill(*box, tensor->x);
  marea_idx_free(*box);
  *box = NULL;
  return status == MAREA_OK ? 1 : bind_nil(L);
}

static const luaL_Reg none[] = {{NULL, NULL}};
static const luaL_Reg functions[] = {{"idx", read_idx}, {NULL, NULL}};

void bind_open_idx(lua_State *L) {
  bind_reader_class(L, IDX, none, close_idx);
  luaL_setfuncs(L, functions, 0);
}

/* What the bindings share: status → Lua error, argument checks, tensors as userdata, and telling
 * the collector about memory outside its heap. Only these files know both Lua and the core. */
#ifndef MAREA_BIND_H
#define MAREA_BIND_H

#include <lauxlib.h>
#include <lua.h>

#include "autodiff/ops.h"

#define BIND_TENSOR "marea.tensor"
#define BIND_TAPE   "marea.tape"
#define BIND_STREAM "marea.stream"
#define BIND_SPARSE "marea.sparse"

/* A tensor in Lua: one reference, and a reference to its tape when it is taped. */
typedef struct bind_box {
  marea_tensor *x;
  marea_tape *tape;
} bind_box;

/* Raises a message, as luaL_error does (the same few formats), but without a place in the library's
 * own files. Never returns. */
int bind_error(lua_State *L, const char *format, ...);
/* Raises the core's last message. Never returns; int for `return bind_raise(L);`. */
int bind_raise(lua_State *L);
/* Raises unless status is MAREA_OK. */
void bind_check(lua_State *L, marea_status status);
/* Pushes nil and the core's last message; the number of results. For files and other outside. */
int bind_nil(lua_State *L);

/* Pushes an empty box; filled later, so that nothing leaks when Lua runs out of memory. */
bind_box *bind_box_new(lua_State *L);
/* Puts x into the box (taking its reference) and reports its bytes to the collector; NULL raises
 * the core's message. Returns 1. The box is on top of the stack. */
int bind_box_fill(lua_State *L, bind_box *box, marea_tensor *x);

/* The tensor at an argument; raises for anything else and for a closed tape. */
marea_tensor *bind_tensor(lua_State *L, int argument);
marea_tensor *bind_tensor_or_null(lua_State *L, int argument); /* nil and none give NULL */
bool bind_is_tensor(lua_State *L, int argument);

/* 1-based axis, negative ones from the end; the 0-based one is returned. */
int bind_axis(lua_State *L, int argument, const marea_tensor *x);
/* A table of sizes, or the integers from `argument` on; returns the rank. */
int bind_shape(lua_State *L, int argument, int64_t size[MAREA_MAX_RANK]);
marea_dtype bind_dtype(lua_State *L, int argument); /* a name or { dtype = }; nil: real */

/* Counts bytes that Lua cannot see; now and then this runs a step of its collector. */
void bind_account(lua_State *L, size_t bytes);

marea_stream *bind_stream(lua_State *L, int argument);
marea_cell bind_cell(lua_State *L, int argument); /* a recurrent cell by name */

/* Sparse matrices: an empty box, pushed; filled later (NULL raises the core's message); the one at
 * an argument; a norm by name ("none", "l1", "l2", "max"). */
marea_csr **bind_sparse_new(lua_State *L);
int bind_sparse_fill(lua_State *L, marea_csr **box, marea_csr *m);
marea_csr *bind_sparse(lua_State *L, int argument);
marea_norm bind_norm(lua_State *L, int argument);
/* The elements of a vector of n (-1: any number), contiguous, in a box that is pushed; nil pushes
 * nil and gives NULL. */
const void *bind_vector(lua_State *L, int argument, marea_dtype type, int64_t n);

/* Each room adds its functions to the table on top of the stack. */
void bind_open_base(lua_State *L);
void bind_open_tensor(lua_State *L);
void bind_open_ops(lua_State *L);
void bind_open_layers(lua_State *L);
void bind_open_ctc(lua_State *L);
void bind_open_sampler(lua_State *L);
void bind_open_sparse(lua_State *L);
void bind_open_encodings(lua_State *L);
void bind_open_recurrent(lua_State *L);
void bind_open_generate(lua_State *L);
void bind_open_tape(lua_State *L);
void bind_open_random(lua_State *L);
void bind_open_json(lua_State *L);
void bind_open_text(lua_State *L);
void bind_open_lines(lua_State *L);
void bind_open_train(lua_State *L);
void bind_open_safetensors(lua_State *L);
void bind_open_reduce(lua_State *L);

#endif

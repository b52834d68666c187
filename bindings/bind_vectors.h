/* What the bindings of word vectors share. */
#ifndef MAREA_BIND_VECTORS_H
#define MAREA_BIND_VECTORS_H

#include "bind_text.h"
#include "embed/vectors.h"

#define BIND_VECTORS "marea.vectors"

/* The store at an argument; an empty box, pushed; puts a store into it (NULL raises). */
marea_vectors *bind_vectors(lua_State *L, int argument);
marea_vectors **bind_vectors_new(lua_State *L);
int bind_vectors_fill(lua_State *L, marea_vectors **box, marea_vectors *vectors);

/* A row number from 1 at an argument, as one from 0. */
size_t bind_vectors_row(lua_State *L, int argument, const marea_vectors *vectors);
marea_row_type bind_row_type(lua_State *L, int argument);

/* Reading and writing; searching. */
extern const luaL_Reg bind_vector_search_methods[];
extern const luaL_Reg bind_vector_file_methods[];
void bind_open_vectors(lua_State *L);
void bind_open_vector_files(lua_State *L);
void bind_open_vector_algebra(lua_State *L);

#endif

/* What the bindings of readers share. */
#ifndef MAREA_BIND_READERS_H
#define MAREA_BIND_READERS_H

#include "base/source.h"
#include "bind.h"

/* A class whose objects are boxes of one pointer, freed by `close`, which works more than once. */
void bind_reader_class(lua_State *L, const char *name, const luaL_Reg *methods,
                       lua_CFunction close);
/* Pushes an empty box of the class. */
void **bind_reader_push(lua_State *L, const char *name);
/* What is in the box at argument 1; raises when it is closed. */
void *bind_reader(lua_State *L, const char *name);

/* Pushes nil at the end of a file, nil and the core's message when it is broken. */
int bind_reader_end(lua_State *L, marea_status status);

/* A number of bytes from 1 on, or `standard` when the argument is left out. */
size_t bind_byte_limit(lua_State *L, int argument, size_t standard);

/* Pushes the bytes used and all bytes of the file, nil for a pipe; returns 2. */
int bind_progress(lua_State *L, const marea_source *source, uint64_t position);

void bind_open_tables(lua_State *L);
void bind_open_idx(lua_State *L);
void bind_open_keras_ids(lua_State *L);

#endif

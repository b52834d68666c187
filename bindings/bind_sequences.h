/* What the bindings of sequences share. */
#ifndef MAREA_BIND_SEQUENCES_H
#define MAREA_BIND_SEQUENCES_H

#include "bind_text.h"

/* An int32 tensor with one axis. */
const marea_tensor *bind_ids(lua_State *L, int argument);
marea_tensor *bind_push_ids(lua_State *L, size_t count); /* a new one, pushed */

/* Methods of sequences. */
int bind_pad_sequences(lua_State *L);
int bind_windows(lua_State *L);

void bind_open_ragged(lua_State *L);
void bind_open_samples(lua_State *L);

#endif

/* What the bindings of sub-word models share. */
#ifndef MAREA_BIND_SUBWORD_H
#define MAREA_BIND_SUBWORD_H

#include "bind_text.h"
#include "text/decoder.h"
#include "text/subword.h"

/* The sub-word model at an argument, finished. */
const marea_subword *bind_subword(lua_State *L, int argument);

void bind_open_subword(lua_State *L);

#endif

/* What the bindings of sub-word models share. */
#ifndef MAREA_BIND_SUBWORD_H
#define MAREA_BIND_SUBWORD_H

#include "bind_text.h"
#include "text/subword/decoder.h"
#include "text/subword/subword.h"

/* The sub-word model at an argument, finished. */
const marea_subword *bind_subword(lua_State *L, int argument);

const marea_decoder *bind_decoder(lua_State *L, int argument);
/* Pushes the text of pieces; 1. */
int bind_decode(lua_State *L, const marea_decoder *decoder, const marea_text *pieces, size_t count);

void bind_open_subword(lua_State *L);
void bind_open_subword_encoder(lua_State *L);

#endif

/* What the bindings of vector training share. */
#ifndef MAREA_BIND_EMBED_H
#define MAREA_BIND_EMBED_H

#include "bind_text.h"

/* Fields of the table at an argument; absent ones are 0, false, NULL. */
double bind_field_number(lua_State *L, int argument, const char *name);
size_t bind_field_size(lua_State *L, int argument, const char *name);
bool bind_field_boolean(lua_State *L, int argument, const char *name);
/* The table keeps the text alive. */
const char *bind_field_text(lua_State *L, int argument, const char *name);

/* Pushes nil and the message for a failure of the system's (a full disk, no memory for the pairs);
 * raises for the others. */
int bind_outside(lua_State *L, marea_status status);

void bind_open_embed(lua_State *L);
void bind_open_word2vec(lua_State *L);

#endif

/* What the bindings of the text room share. */
#ifndef MAREA_BIND_TEXT_H
#define MAREA_BIND_TEXT_H

#include "bind.h"
#include "text/encode/encoding.h"
#include "text/vocabulary/phrases.h"
#include "text/sequences/sequences.h"

/* The strings of a list as texts, in a userdata that is pushed; the list keeps the bytes alive.
 * Raises for a bare string and names the item that is no string. */
const marea_text *bind_texts(lua_State *L, int argument, size_t *count);
marea_text bind_text(lua_State *L, int argument);

/* The sequences at an argument; new ones, pushed. */
marea_sequences *bind_sequences(lua_State *L, int argument);
marea_sequences *bind_push_sequences(lua_State *L);

/* The largest count that is taken from a file: sums of counts must not overflow. */
#define BIND_COUNT_MAX ((lua_Integer)1 << 53)

/* table[name] = value for the table on top. */
void bind_set_count(lua_State *L, const char *name, size_t value);

/* A class: metatable with methods under __index, and what frees it. */
void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* The pipeline at an argument, ready to run in this state. When it runs a Lua function that fails,
 * bind_pipeline_check raises that function's error in place of the core's message. */
const marea_pipeline *bind_pipeline(lua_State *L, int argument);
void bind_pipeline_check(lua_State *L, int argument, marea_status status);
/* Pushes a table of a pipeline's counters that are not zero. */
void bind_push_pipeline_report(lua_State *L, const marea_pipeline_report *report);

marea_vocabulary *bind_vocabulary(lua_State *L, int argument);

const marea_phrases *bind_phrases(lua_State *L, int argument);

void bind_open_phrases(lua_State *L);
void bind_open_pipeline(lua_State *L);
void bind_open_vocabulary(lua_State *L);
void bind_open_sequences(lua_State *L);

#endif

/* Line editing for the REPL (libedit, BSD licence); only the interpreter has it. */
#ifndef MAREA_LINE_H
#define MAREA_LINE_H

#include <lua.h>

/* The module "marea.line": read(prompt) → text or nil at the end of input; remember(text);
 * load_history(path); save_history(path); complete(f), f(text before the cursor) → list of words.
 */
int luaopen_marea_line(lua_State *L);

#endif

/* Line editing for the REPL (libedit, BSD licence); only the interpreter has it. */
#ifndef MAREA_LINE_H
#define MAREA_LINE_H

#include <lua.h>
#include <stdbool.h>

/* The module "marea.line": read(prompt) → text, false after Ctrl-C, nil at the end of input;
 * begin() and run(f, handler), see line.c; remember(text); load_history(path); save_history(path);
 * complete(f), f(text before the cursor) → list of words. */
int luaopen_marea_line(lua_State *L);

/* For the handler of SIGINT: true when the REPL itself runs, which must not be stopped; it is then
 * told to ask for a new line. */
bool marea_line_interrupt(void);

#endif

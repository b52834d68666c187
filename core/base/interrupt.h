/* A request to stop, set from a signal handler and looked at by long computations. */
#ifndef MAREA_BASE_INTERRUPT_H
#define MAREA_BASE_INTERRUPT_H

#include <stdbool.h>

/* Safe to call from a signal handler. */
void marea_interrupt_request(void);
/* True once a stop was asked for, until it is cleared. */
bool marea_interrupted(void);
void marea_interrupt_clear(void);

/* Whether somebody promised to look at the flag (a training loop that ends its epoch), so that
 * whoever catches the signal need not stop the program by force. */
void marea_interrupt_watch(bool on);
bool marea_interrupt_watched(void);

#endif

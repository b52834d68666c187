#include "base/interrupt.h"

#include <signal.h>

static volatile sig_atomic_t requested, watched;

void marea_interrupt_request(void) {
  requested = 1;
}

bool marea_interrupted(void) {
  return requested != 0;
}

void marea_interrupt_clear(void) {
  requested = 0;
}

void marea_interrupt_watch(bool on) {
  watched = on;
}

bool marea_interrupt_watched(void) {
  return watched != 0;
}

#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE_BYTES = 1024 };

static _Thread_local marea_status last_code = MAREA_OK;
static _Thread_local char last_text[MESSAGE_BYTES];

marea_status marea_fail(marea_status code, const char *format, ...) {
  va_list arguments;
  /* Formatted aside first: an argument may be the old message itself. */
  char text[MESSAGE_BYTES];
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  snprintf(last_text, sizeof last_text, "%s", text);
  last_code = code;
  return code;
}

marea_status marea_error_code(void) {
  return last_code;
}

const char *marea_error_text(void) {
  return last_text;
}

void marea_error_clear(void) {
  last_code = MAREA_OK;
  last_text[0] = '\0';
}

const char *marea_status_text(marea_status code) {
#define MAREA_STATUS_CASE(name, text)                                                              \
  case MAREA_##name: return text;
  switch (code) { MAREA_STATUS_MAP(MAREA_STATUS_CASE) }
#undef MAREA_STATUS_CASE
  return "unknown status";
}

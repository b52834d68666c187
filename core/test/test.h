/* The smallest test frame: CHECK notes a failure and goes on; a program's exit code is 1 if any
 * check failed. Each test program is one file with a main() that ends in `return test_end();`. */
#ifndef MAREA_TEST_H
#define MAREA_TEST_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

static int test_checks, test_failures;

static inline int test_note(int held, const char *file, int line, const char *what) {
  test_checks++;
  if (!held) {
    test_failures++;
    fprintf(stderr, "%s:%d: %s (last error: %s)\n", file, line, what, marea_error_text());
  }
  return held;
}

#define CHECK(condition) test_note((condition) != 0, __FILE__, __LINE__, #condition)

/* |a - b| <= tolerance, and neither is NaN. */
#define CHECK_NEAR(a, b, tolerance)                                                                \
  test_note(fabs((double)(a) - (double)(b)) <= (tolerance), __FILE__, __LINE__, #a " is near " #b)

/* The last error's text holds `part`. */
#define CHECK_ERROR(part)                                                                          \
  test_note(strstr(marea_error_text(), part) != NULL, __FILE__, __LINE__, "error text: " part)

/* Prints the counts, checks that no byte is left allocated, and gives main's exit code. */
static inline int test_end(void) {
  test_note(marea_memory_used() == 0, __FILE__, __LINE__, "all memory is freed");
  printf("%d checks, %d failed\n", test_checks, test_failures);
  return test_failures != 0;
}

#endif

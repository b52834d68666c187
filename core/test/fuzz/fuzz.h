/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput: clang's libFuzzer
 * drives it (preset "fuzz"), and in every other build replay.c does, with the inputs that are kept
 * in spec/fuzz/TARGET/. A target checks what must hold for any input and ends the process when it
 * does not. */
#ifndef MAREA_FUZZ_H
#define MAREA_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process with the condition that did not hold. */
#define REQUIRE(condition)                                                                         \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s does not hold (last error: %s)\n", __FILE__, __LINE__,            \
              #condition, marea_error_text());                                                     \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* The first bytes of an input choose options, the rest is what is parsed. */
typedef struct fuzz_input {
  const uint8_t *data;
  size_t size;
} fuzz_input;

/* The next byte; 0 when there is none. */
static inline unsigned fuzz_byte(fuzz_input *in) {
  if (in->size == 0) return 0;
  in->size--;
  return *in->data++;
}

/* The path of a file with these bytes, the same file for every call with this number (0 or 1). It
 * lies in memory only. */
const char *fuzz_file(int number, const void *bytes, size_t size);

#endif

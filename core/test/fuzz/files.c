/* Files for readers that take a path: in memory, so that millions of them cost no disk. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

enum { FILES = 2 };

const char *fuzz_file(int number, const void *bytes, size_t size) {
  static int descriptors[FILES];
  static char paths[FILES][40];
  if (descriptors[number] == 0) {
    descriptors[number] = memfd_create("marea-fuzz", MFD_CLOEXEC);
    snprintf(paths[number], sizeof paths[number], "/proc/self/fd/%d", descriptors[number]);
  }
  REQUIRE(descriptors[number] > 0 && ftruncate(descriptors[number], 0) == 0);
  REQUIRE(pwrite(descriptors[number], bytes, size, 0) == (ssize_t)size);
  return paths[number];
}

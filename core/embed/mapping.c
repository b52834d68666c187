#define _POSIX_C_SOURCE 200809L
#include "embed/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static marea_status map(marea_mapping *mapping, int descriptor, const char *path) {
  struct stat facts;
  if (fstat(descriptor, &facts) != 0) return marea_file_failure("read", path, errno);
  if (!S_ISREG(facts.st_mode))
    return marea_fail(MAREA_IO, "cannot map \"%s\": not a regular file", path);
  if (facts.st_size == 0) return marea_fail(MAREA_FORMAT, "\"%s\" is empty", path);
  if ((uintmax_t)facts.st_size > SIZE_MAX) return marea_file_failure("read", path, EFBIG);
  void *bytes = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (bytes == MAP_FAILED) return marea_file_failure("map", path, errno);
  *mapping = (marea_mapping){bytes, (size_t)facts.st_size};
  return MAREA_OK;
}

marea_status marea_mapping_open(marea_mapping *mapping, const char *path) {
  *mapping = (marea_mapping){NULL, 0};
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return marea_file_failure("read", path, errno);
  marea_status status = map(mapping, descriptor, path);
  close(descriptor);
  return status;
}

void marea_mapping_close(marea_mapping *mapping) {
  if (mapping->bytes != NULL) munmap((void *)(uintptr_t)mapping->bytes, mapping->size);
  *mapping = (marea_mapping){NULL, 0};
}

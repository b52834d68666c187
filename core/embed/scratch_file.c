#define _GNU_SOURCE /* mkostemp */
#include "embed/scratch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"

static marea_status failure(const marea_scratch_file *file, const char *verb, int reason) {
  char text[128]; /* GNU's strerror_r returns the text, which need not lie there */
  return marea_fail(MAREA_IO, "cannot %s a temporary file in \"%s\": %s", verb, file->folder,
                    strerror_r(reason, text, sizeof text));
}

marea_status marea_scratch_file_open(marea_scratch_file *file, const char *folder) {
  static const char name[] = "/marea-XXXXXX";
  const char *standard = getenv("TMPDIR");
  if (folder == NULL) folder = standard != NULL && standard[0] != '\0' ? standard : "/tmp";
  *file = (marea_scratch_file){.descriptor = -1, .folder = marea_strdup(folder)};
  size_t length = strlen(folder);
  char *path = marea_alloc(length + sizeof name);
  if (path == NULL || file->folder == NULL) {
    marea_free(path);
    return MAREA_NOMEM;
  }
  memcpy(path, folder, length);
  memcpy(path + length, name, sizeof name);
  file->descriptor = mkostemp(path, O_CLOEXEC);
  marea_status status = file->descriptor < 0 ? failure(file, "create", errno) : MAREA_OK;
  if (status == MAREA_OK) unlink(path);
  marea_free(path);
  return status;
}

marea_status marea_scratch_file_append(marea_scratch_file *file, const void *bytes, size_t count) {
  const char *from = bytes;
  while (count > 0) {
    ssize_t written = write(file->descriptor, from, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure(file, "write", errno);
    from += written;
    count -= (size_t)written;
    file->size += (uint64_t)written;
  }
  return MAREA_OK;
}

marea_status marea_scratch_file_read(const marea_scratch_file *file, uint64_t offset, void *bytes,
                                     size_t count, size_t *got) {
  *got = 0;
  while (*got < count) {
    ssize_t more = pread(file->descriptor, (char *)bytes + *got, count - *got,
                         (off_t)(offset + (uint64_t)*got));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return failure(file, "read", errno);
    if (more == 0) return MAREA_OK;
    *got += (size_t)more;
  }
  return MAREA_OK;
}

/* The room is taken beforehand: a full disk found out through a mapping would end the process. */
void *marea_scratch_file_map(marea_scratch_file *file, size_t bytes) {
  int reason = posix_fallocate(file->descriptor, 0, (off_t)bytes);
  if (reason != 0) {
    failure(file, "write", reason);
    return NULL;
  }
  void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->descriptor, 0);
  if (mapped != MAP_FAILED) return mapped;
  failure(file, "map", errno);
  return NULL;
}

void marea_scratch_file_close(marea_scratch_file *file) {
  if (file->descriptor >= 0) close(file->descriptor);
  marea_free(file->folder);
  file->folder = NULL;
  file->descriptor = -1;
}

void marea_scratch_file_unmap(void *mapped, size_t bytes) {
  if (mapped != NULL) munmap(mapped, bytes);
}

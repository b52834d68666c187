#define _GNU_SOURCE /* mkstemps */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

struct marea_file_writer {
  char *path;
  char *temporary;
  int descriptor;
};

marea_status marea_file_failure(const char *verb, const char *path, int reason) {
  char text[128]; /* GNU's strerror_r returns the text, which need not lie there */
  return marea_fail(MAREA_IO, "cannot %s \"%s\": %s", verb, path,
                    strerror_r(reason, text, sizeof text));
}

static void free_writer(marea_file_writer *writer) {
  marea_free(writer->path);
  marea_free(writer->temporary);
  marea_free(writer);
}

static char *temporary_name(const char *path) {
  static const char suffix[] = ".XXXXXX.tmp";
  size_t length = strlen(path);
  char *name = marea_alloc(length + sizeof suffix);
  if (name == NULL) return NULL;
  memcpy(name, path, length);
  memcpy(name + length, suffix, sizeof suffix);
  return name;
}

/* mkstemps makes the file private; a saved file gets the rights any new file would have. */
static void widen_rights(int descriptor) {
  mode_t mask = umask(0);
  umask(mask);
  (void)fchmod(descriptor, 0666 & ~mask);
}

/* What the file will be called: of a link, the file that it leads to, so that the link stays. A
 * device or folder must not be replaced by a file: then NULL. */
static char *final_name(const char *path) {
  struct stat facts;
  if (stat(path, &facts) != 0) return marea_strdup(path); /* new; or mkstemps will say why not */
  if (!S_ISREG(facts.st_mode)) {
    marea_fail(MAREA_IO, "cannot write \"%s\": not a regular file", path);
    return NULL;
  }
  char *resolved = realpath(path, NULL);
  if (resolved == NULL) return marea_strdup(path);
  char *copy = marea_strdup(resolved);
  free(resolved);
  return copy;
}

marea_file_writer *marea_file_writer_new(const char *path) {
  marea_file_writer *writer = marea_alloc_zero(1, sizeof *writer);
  if (writer == NULL) return NULL;
  writer->path = final_name(path);
  writer->temporary = writer->path == NULL ? NULL : temporary_name(writer->path);
  if (writer->path == NULL || writer->temporary == NULL) {
    free_writer(writer);
    return NULL;
  }
  writer->descriptor = mkstemps(writer->temporary, (int)strlen(".tmp"));
  if (writer->descriptor < 0) {
    marea_file_failure("write", path, errno);
    free_writer(writer);
    return NULL;
  }
  widen_rights(writer->descriptor);
  return writer;
}

marea_status marea_file_write(marea_file_writer *writer, const void *bytes, size_t count) {
  const char *from = bytes;
  while (count > 0) {
    ssize_t written = write(writer->descriptor, from, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return marea_file_failure("write", writer->path, errno);
    from += written;
    count -= (size_t)written;
  }
  return MAREA_OK;
}

/* The rename itself lasts only once the folder is synced. */
static void sync_folder(const char *path) {
  char *copy = marea_strdup(path);
  if (copy == NULL) return;
  int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY);
  if (folder >= 0) {
    (void)fsync(folder);
    close(folder);
  }
  marea_free(copy);
}

marea_status marea_file_commit(marea_file_writer *writer) {
  int failed = fsync(writer->descriptor) != 0 ? errno : 0;
  if (close(writer->descriptor) != 0 && failed == 0) failed = errno;
  if (failed == 0 && rename(writer->temporary, writer->path) != 0) failed = errno;
  marea_status status = MAREA_OK;
  if (failed != 0) {
    unlink(writer->temporary);
    status = marea_file_failure("write", writer->path, failed);
  } else {
    sync_folder(writer->path);
  }
  free_writer(writer);
  return status;
}

void marea_file_abandon(marea_file_writer *writer) {
  if (writer == NULL) return;
  close(writer->descriptor);
  unlink(writer->temporary);
  free_writer(writer);
}

struct marea_file_reader {
  char *path;
  int descriptor;
  size_t size;
};

marea_file_reader *marea_file_reader_new(const char *path) {
  marea_file_reader *reader = marea_alloc_zero(1, sizeof *reader);
  if (reader == NULL) return NULL;
  reader->descriptor = open(path, O_RDONLY);
  if (reader->descriptor < 0) {
    marea_file_failure("read", path, errno);
    marea_free(reader);
    return NULL;
  }
  struct stat facts;
  reader->path = marea_strdup(path);
  if (reader->path != NULL && fstat(reader->descriptor, &facts) == 0 && S_ISREG(facts.st_mode)) {
    reader->size = (size_t)facts.st_size;
    return reader;
  }
  if (reader->path != NULL) marea_fail(MAREA_IO, "cannot read \"%s\": not a regular file", path);
  marea_file_reader_free(reader);
  return NULL;
}

size_t marea_file_size(const marea_file_reader *reader) {
  return reader->size;
}

marea_status marea_file_read(marea_file_reader *reader, size_t offset, void *bytes, size_t count) {
  char *to = bytes;
  while (count > 0) {
    ssize_t got = pread(reader->descriptor, to, count, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return marea_file_failure("read", reader->path, errno);
    if (got == 0)
      return marea_fail(MAREA_FORMAT, "\"%s\" is cut short: %zu bytes missing at offset %zu",
                        reader->path, count, offset);
    to += got;
    offset += (size_t)got;
    count -= (size_t)got;
  }
  return MAREA_OK;
}

void marea_file_reader_free(marea_file_reader *reader) {
  if (reader == NULL) return;
  close(reader->descriptor);
  marea_free(reader->path);
  marea_free(reader);
}

/* Listing of folders; see folder.h. */
#define _POSIX_C_SOURCE 200809L
#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"

static int by_bytes(const void *a, const void *b) {
  return strcmp(((const marea_folder_entry *)a)->name, ((const marea_folder_entry *)b)->name);
}

static marea_status push(marea_folder *list, const char *name, const struct stat *facts) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
    void *wider = marea_realloc(list->entries, capacity * sizeof *list->entries);
    if (wider == NULL) return MAREA_NOMEM;
    list->entries = wider;
    list->capacity = capacity;
  }
  char *copy = marea_strdup(name);
  if (copy == NULL) return MAREA_NOMEM;
  list->entries[list->count++] =
      (marea_folder_entry){copy, S_ISDIR(facts->st_mode), (uint64_t)facts->st_size};
  return MAREA_OK;
}

/* Links are followed to files only: links to folders could go in a circle. */
static marea_status add_entry(marea_folder *list, DIR *stream, const char *name) {
  struct stat facts;
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return MAREA_OK;
  int descriptor = dirfd(stream);
  bool link = fstatat(descriptor, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(facts.st_mode);
  bool found = fstatat(descriptor, name, &facts, 0) == 0;
  if (found && (S_ISREG(facts.st_mode) || (S_ISDIR(facts.st_mode) && !link)))
    return push(list, name, &facts);
  list->others++;
  return MAREA_OK;
}

marea_folder *marea_folder_new(const char *path) {
  marea_folder *list = marea_alloc_zero(1, sizeof *list);
  if (list == NULL) return NULL;
  DIR *stream = opendir(path);
  marea_status status = stream != NULL ? MAREA_OK : marea_file_failure("read", path, errno);
  while (status == MAREA_OK) {
    errno = 0;
    const struct dirent *entry = readdir(stream);
    if (entry == NULL && errno != 0) status = marea_file_failure("read", path, errno);
    if (entry == NULL) break;
    status = add_entry(list, stream, entry->d_name);
  }
  if (stream != NULL) closedir(stream);
  if (status != MAREA_OK) {
    marea_folder_free(list);
    return NULL;
  }
  if (list->count > 1) qsort(list->entries, list->count, sizeof *list->entries, by_bytes);
  return list;
}

void marea_folder_free(marea_folder *folder) {
  if (folder == NULL) return;
  for (size_t i = 0; i < folder->count; i++) marea_free(folder->entries[i].name);
  marea_free(folder->entries);
  marea_free(folder);
}

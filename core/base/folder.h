/* What lies in a folder, in byte order of the names: the same list on every file system. */
#ifndef MAREA_BASE_FOLDER_H
#define MAREA_BASE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct marea_folder_entry {
  char *name; /* any bytes but "/" and NUL */
  bool folder;
  uint64_t size; /* bytes of a file */
} marea_folder_entry;

typedef struct marea_folder {
  marea_folder_entry *entries;
  size_t count, capacity;
  size_t others; /* links to folders, broken links, sockets and the like: not listed */
} marea_folder;

/* Files (also through links) and sub-folders of `path`, without "." and "..". NULL on failure
 * (MAREA_IO names the path and the system's reason). */
marea_folder *marea_folder_new(const char *path);
void marea_folder_free(marea_folder *folder); /* NULL is allowed */

#endif

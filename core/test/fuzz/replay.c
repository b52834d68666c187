/* Runs a fuzz target on kept inputs, where there is no fuzzer: for each FILE, or each file of a
 * FOLDER in the order of the names. Usage: fuzz_TARGET FILE|FOLDER … */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t replayed;

static void replay_file(const char *path) {
  FILE *file = fopen(path, "rb");
  REQUIRE(file != NULL && fseek(file, 0, SEEK_END) == 0);
  long size = ftell(file);
  REQUIRE(size >= 0);
  /* A block of its own size, so that a sanitizer sees a read beyond the end. */
  uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
  rewind(file);
  REQUIRE(bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size);
  fclose(file);
  fprintf(stderr, "%s\n", path);
  LLVMFuzzerTestOneInput(bytes, (size_t)size);
  free(bytes);
  replayed++;
}

static int is_visible(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

static void replay_folder(const char *folder) {
  struct dirent **entries;
  char path[4096];
  int count = scandir(folder, &entries, is_visible, alphasort);
  REQUIRE(count >= 0);
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
    replay_file(path);
    free(entries[i]);
  }
  free(entries);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    struct stat facts;
    if (stat(argv[i], &facts) == 0 && S_ISDIR(facts.st_mode))
      replay_folder(argv[i]);
    else
      replay_file(argv[i]);
  }
  printf("%zu inputs\n", replayed);
  return replayed == 0; /* a folder without inputs must not look like success */
}

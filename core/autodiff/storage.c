#include "autodiff/storage.h"

struct marea_storage {
  void *data;
  size_t bytes;
  int references;
};

marea_storage *marea_storage_new(size_t bytes) {
  marea_storage *storage = marea_alloc(sizeof *storage);
  if (storage == NULL) return NULL;
  *storage = (marea_storage){.data = marea_alloc(bytes), .bytes = bytes, .references = 1};
  if (storage->data != NULL) return storage;
  marea_free(storage);
  return NULL;
}

marea_storage *marea_storage_retain(marea_storage *storage) {
  storage->references++;
  return storage;
}

void marea_storage_free(marea_storage *storage) {
  if (storage == NULL || --storage->references > 0) return;
  marea_free(storage->data);
  marea_free(storage);
}

void *marea_storage_data(marea_storage *storage) {
  return storage->data;
}

size_t marea_storage_bytes(const marea_storage *storage) {
  return storage->bytes;
}

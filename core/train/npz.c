#include "train/npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zip.h"
#include "train/npy_header.h"

/* ---- reading ---- */

static marea_status broken(const char *path, const char *name, const char *what) {
  return marea_fail(MAREA_FORMAT, "\"%s\", array \"%s\": %s", path, name, what);
}

/* A tensor of the header's shape with the elements of one whose axes run the other way. */
static marea_tensor *turned(const marea_npy_header *h, const marea_tensor *x) {
  marea_tensor *y = marea_tensor_new(x->dtype, h->rank, h->size);
  if (y == NULL) return NULL;
  marea_tensor view = *x;
  int64_t step = 1;
  for (int axis = 0; axis < h->rank; axis++) {
    view.size[axis] = h->size[axis];
    view.stride[axis] = step;
    step *= h->size[axis];
  }
  marea_tensor_gather(&view, y->data);
  return y;
}

static marea_tensor *read_elements(const char *path, const char *name, const marea_npy_header *h,
                                   const unsigned char *bytes) {
  int64_t size[MAREA_MAX_RANK] = {0};
  char what[120];
  bool turn = h->fortran && h->rank > 1 && h->count > 0;
  for (int axis = 0; axis < h->rank; axis++)
    size[axis] = turn ? h->size[h->rank - 1 - axis] : h->size[axis];
  marea_tensor *x = marea_tensor_new(h->type->dtype, h->rank, size);
  if (x == NULL) return NULL;
  size_t good = h->type->read(bytes + h->start, h->count, x->data);
  marea_tensor *y = NULL;
  if (good == h->count) {
    y = turn ? turned(h, x) : marea_tensor_retain(x);
  } else {
    snprintf(what, sizeof what, "element %zu (%s, counted from 1) does not fit into %s", good + 1,
             h->type->name, marea_dtype_name(x->dtype));
    broken(path, name, what);
  }
  marea_tensor_free(x);
  return y;
}

/* The name without ".npy". */
static char *name_of(const char *path, const char *entry) {
  size_t length = strlen(entry);
  if (length < 5 || strcmp(entry + length - 4, ".npy") != 0) {
    marea_fail(MAREA_FORMAT, "\"%s\": entry \"%s\" is no .npy array", path, entry);
    return NULL;
  }
  char *name = marea_strdup(entry);
  if (name != NULL) name[length - 4] = '\0';
  return name;
}

static marea_status read_array(const char *path, const char *name, const unsigned char *bytes,
                               size_t length, marea_safetensors *tensors) {
  marea_npy_header header;
  char what[160];
  const char *wrong = marea_npy_read_header(bytes, length, &header, what);
  if (wrong != NULL) return broken(path, name, wrong);
  marea_tensor *x = read_elements(path, name, &header, bytes);
  if (x == NULL) return marea_error_code();
  marea_status status = marea_safetensors_add(tensors, name, x);
  marea_tensor_free(x);
  return status == MAREA_ARGUMENT ? broken(path, name, "the name is there twice or is no UTF-8")
                                  : status;
}

static marea_status read_entry(const char *path, marea_zip_reader *zip, size_t i,
                               marea_safetensors *tensors) {
  size_t length;
  char *name = name_of(path, marea_zip_name(zip, i));
  if (name == NULL) return marea_error_code();
  unsigned char *bytes = marea_zip_read(zip, i, &length);
  marea_status status =
      bytes == NULL ? marea_error_code() : read_array(path, name, bytes, length, tensors);
  marea_free(bytes);
  marea_free(name);
  return status;
}

marea_safetensors *marea_npz_load(const char *path) {
  marea_zip_reader *zip = marea_zip_reader_new(path);
  if (zip == NULL) return NULL;
  marea_safetensors *tensors = marea_safetensors_new();
  marea_status status = tensors == NULL ? MAREA_NOMEM : MAREA_OK;
  for (size_t i = 0; i < marea_zip_count(zip) && status == MAREA_OK; i++)
    status = read_entry(path, zip, i, tensors);
  marea_zip_reader_free(zip);
  if (status == MAREA_OK) return tensors;
  marea_safetensors_free(tensors);
  return NULL;
}

/* ---- writing ---- */

static marea_status write_array(marea_zip_writer *zip, const char *name, const marea_tensor *x) {
  char header[MAREA_NPY_HEADER_BYTES];
  size_t head = marea_npy_write_header(x, header), length = strlen(name);
  size_t bytes = (size_t)marea_tensor_count(x) * marea_dtype_bytes(x->dtype);
  char *entry = marea_alloc(length + 5);
  void *gathered = marea_alloc(bytes);
  marea_status status = entry == NULL || gathered == NULL ? MAREA_NOMEM : MAREA_OK;
  if (status == MAREA_OK) {
    memcpy(entry, name, length);
    memcpy(entry + length, ".npy", 5);
    marea_tensor_gather(x, gathered);
    status = marea_zip_add(zip, entry, header, head, gathered, bytes);
  }
  marea_free(gathered);
  marea_free(entry);
  return status;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static marea_status write_arrays(marea_zip_writer *zip, const marea_safetensors *tensors,
                                 const char **names, size_t count) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < count; i++) names[i] = marea_safetensors_name(tensors, i);
  if (count > 0) qsort(names, count, sizeof *names, by_name);
  for (size_t i = 0; i < count && status == MAREA_OK; i++)
    status = write_array(zip, names[i], marea_safetensors_find(tensors, names[i]));
  return status;
}

marea_status marea_npz_save(const marea_safetensors *tensors, const char *path) {
  size_t count = marea_safetensors_count(tensors);
  const char **names = marea_alloc_array(count, sizeof *names);
  if (names == NULL) return MAREA_NOMEM;
  marea_zip_writer *zip = marea_zip_writer_new(path);
  marea_status status = zip == NULL ? marea_error_code() : MAREA_OK;
  if (status == MAREA_OK) status = write_arrays(zip, tensors, names, count);
  marea_free(names);
  if (zip != NULL && status == MAREA_OK) return marea_zip_commit(zip);
  marea_zip_abandon(zip);
  return status;
}

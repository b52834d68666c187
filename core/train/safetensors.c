/* The collection of tensors and texts, and writing it. Reading: safetensors_read.c. */
#include "train/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/element_types.h"
#include "train/safetensors_internal.h"

typedef struct named_tensor {
  char *name;
  marea_tensor *tensor;
} named_tensor;

typedef struct text_pair {
  char *key, *value;
} text_pair;

struct marea_safetensors {
  named_tensor *tensors;
  size_t tensor_count, tensor_capacity;
  text_pair *texts;
  size_t text_count, text_capacity;
};

/* ---- the collection ---- */

marea_safetensors *marea_safetensors_new(void) {
  return marea_alloc_zero(1, sizeof(marea_safetensors));
}

void marea_safetensors_free(marea_safetensors *file) {
  if (file == NULL) return;
  for (size_t i = 0; i < file->tensor_count; i++) {
    marea_free(file->tensors[i].name);
    marea_tensor_free(file->tensors[i].tensor);
  }
  for (size_t i = 0; i < file->text_count; i++) {
    marea_free(file->texts[i].key);
    marea_free(file->texts[i].value);
  }
  marea_free(file->tensors);
  marea_free(file->texts);
  marea_free(file);
}

/* Room for one more item of `size` bytes; NULL when there is none. */
static void *grown(void *items, size_t count, size_t *capacity, size_t size) {
  if (count < *capacity) return items;
  size_t wanted = 2 * *capacity + 8;
  void *more = marea_realloc(items, wanted * size);
  if (more != NULL) *capacity = wanted;
  return more;
}

marea_status marea_safetensors_append(marea_safetensors *file, const char *name,
                                      marea_tensor *tensor) {
  named_tensor *tensors =
      grown(file->tensors, file->tensor_count, &file->tensor_capacity, sizeof *tensors);
  if (tensors == NULL) return MAREA_NOMEM;
  file->tensors = tensors;
  char *copy = marea_strdup(name);
  if (copy == NULL) return MAREA_NOMEM;
  tensors[file->tensor_count++] = (named_tensor){copy, marea_tensor_retain(tensor)};
  return MAREA_OK;
}

static bool is_utf8(const char *text) {
  json_t *string = json_string(text);
  bool good = string != NULL;
  json_decref(string);
  return good;
}

marea_status marea_safetensors_add(marea_safetensors *file, const char *name,
                                   marea_tensor *tensor) {
  if (name[0] == '\0' || strcmp(name, "__metadata__") == 0 || !is_utf8(name))
    return marea_fail(MAREA_ARGUMENT, "\"%s\" cannot be the name of a tensor in a file", name);
  if (tensor->tape != NULL)
    return marea_fail(MAREA_ARGUMENT, "tensor \"%s\" is on a tape; keep a copy of it", name);
  if (marea_safetensors_find(file, name) != NULL)
    return marea_fail(MAREA_ARGUMENT, "there are two tensors called \"%s\"", name);
  return marea_safetensors_append(file, name, tensor);
}

marea_status marea_safetensors_set_text(marea_safetensors *file, const char *key,
                                        const char *value) {
  if (!is_utf8(key) || !is_utf8(value))
    return marea_fail(MAREA_ARGUMENT, "metadata \"%s\" is not UTF-8", key);
  char *new_value = marea_strdup(value);
  if (new_value == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < file->text_count; i++) {
    if (strcmp(file->texts[i].key, key) != 0) continue;
    marea_free(file->texts[i].value);
    file->texts[i].value = new_value;
    return MAREA_OK;
  }
  char *new_key = marea_strdup(key);
  text_pair *texts = NULL;
  if (new_key != NULL)
    texts = grown(file->texts, file->text_count, &file->text_capacity, sizeof *texts);
  if (texts == NULL) {
    marea_free(new_key);
    marea_free(new_value);
    return MAREA_NOMEM;
  }
  file->texts = texts;
  texts[file->text_count++] = (text_pair){new_key, new_value};
  return MAREA_OK;
}

size_t marea_safetensors_count(const marea_safetensors *file) {
  return file->tensor_count;
}

const char *marea_safetensors_name(const marea_safetensors *file, size_t i) {
  return file->tensors[i].name;
}

marea_tensor *marea_safetensors_tensor(const marea_safetensors *file, size_t i) {
  return file->tensors[i].tensor;
}

marea_tensor *marea_safetensors_find(const marea_safetensors *file, const char *name) {
  for (size_t i = 0; i < file->tensor_count; i++)
    if (strcmp(file->tensors[i].name, name) == 0) return file->tensors[i].tensor;
  return NULL;
}

size_t marea_safetensors_text_count(const marea_safetensors *file) {
  return file->text_count;
}

const char *marea_safetensors_key(const marea_safetensors *file, size_t i) {
  return file->texts[i].key;
}

const char *marea_safetensors_value(const marea_safetensors *file, size_t i) {
  return file->texts[i].value;
}

const char *marea_safetensors_text(const marea_safetensors *file, const char *key) {
  for (size_t i = 0; i < file->text_count; i++)
    if (strcmp(file->texts[i].key, key) == 0) return file->texts[i].value;
  return NULL;
}

/* ---- writing ---- */

static int by_alignment_then_name(const void *a, const void *b) {
  const named_tensor *x = a, *y = b;
  size_t wide_x = marea_dtype_bytes(x->tensor->dtype), wide_y = marea_dtype_bytes(y->tensor->dtype);
  if (wide_x != wide_y) return wide_x > wide_y ? -1 : 1;
  return strcmp(x->name, y->name);
}

static size_t tensor_bytes(const marea_tensor *x) {
  return (size_t)marea_tensor_count(x) * marea_dtype_bytes(x->dtype);
}

static json_t *describe_tensor(const marea_tensor *x, size_t begin) {
  json_t *shape = json_array();
  for (int axis = 0; axis < x->rank; axis++)
    json_array_append_new(shape, json_integer(x->size[axis]));
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", marea_element_type_of(x->dtype)->name, "shape",
                   shape, "data_offsets", (json_int_t)begin, (json_int_t)(begin + tensor_bytes(x)));
}

/* The header as JSON; NULL when memory is short. */
static json_t *describe(const marea_safetensors *file, const named_tensor *order) {
  json_t *header = json_object();
  int failed = header == NULL;
  if (file->text_count > 0) {
    json_t *texts = json_object();
    for (size_t i = 0; i < file->text_count; i++)
      failed |= json_object_set_new(texts, file->texts[i].key, json_string(file->texts[i].value));
    failed |= json_object_set_new(header, "__metadata__", texts);
  }
  size_t begin = 0;
  for (size_t i = 0; i < file->tensor_count; i++) {
    failed |= json_object_set_new(header, order[i].name, describe_tensor(order[i].tensor, begin));
    begin += tensor_bytes(order[i].tensor);
  }
  if (!failed) return header;
  json_decref(header);
  return NULL;
}

/* The 8 bytes of length and the header, padded with blanks so that the data begin aligned. */
static marea_status write_header(marea_file_writer *writer, const json_t *header) {
  size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
  size_t padded = (length + 7) / 8 * 8;
  if (length == 0) return marea_fail(MAREA_NOMEM, "out of memory for a file's header");
  if (padded > MAREA_SAFETENSORS_HEADER)
    return marea_fail(MAREA_RANGE,
                      "the header needs %zu bytes (mostly metadata), a file can have %d", padded,
                      MAREA_SAFETENSORS_HEADER);
  char *bytes = marea_alloc(8 + padded);
  if (bytes == NULL) return MAREA_NOMEM;
  uint64_t written_length = padded;
  memcpy(bytes, &written_length, 8);
  memset(bytes + 8, ' ', padded);
  json_dumpb(header, bytes + 8, length, JSON_COMPACT);
  marea_status status = marea_file_write(writer, bytes, 8 + padded);
  marea_free(bytes);
  return status;
}

static marea_status write_tensor(marea_file_writer *writer, const marea_tensor *x) {
  size_t bytes = tensor_bytes(x);
  if (marea_tensor_contiguous(x)) return marea_file_write(writer, x->data, bytes);
  void *gathered = marea_alloc(bytes);
  if (gathered == NULL) return MAREA_NOMEM;
  marea_tensor_gather(x, gathered);
  marea_status status = marea_file_write(writer, gathered, bytes);
  marea_free(gathered);
  return status;
}

static marea_status write_file(const char *path, const json_t *header, const named_tensor *order,
                               size_t count) {
  marea_file_writer *writer = marea_file_writer_new(path);
  if (writer == NULL) return marea_error_code();
  marea_status status = write_header(writer, header);
  for (size_t i = 0; i < count && status == MAREA_OK; i++)
    status = write_tensor(writer, order[i].tensor);
  if (status == MAREA_OK) return marea_file_commit(writer);
  marea_file_abandon(writer);
  return status;
}

marea_status marea_safetensors_save(const marea_safetensors *file, const char *path) {
  named_tensor *order = marea_alloc_array(file->tensor_count, sizeof *order);
  if (order == NULL) return MAREA_NOMEM;
  if (file->tensor_count > 0) {
    memcpy(order, file->tensors, file->tensor_count * sizeof *order);
    qsort(order, file->tensor_count, sizeof *order, by_alignment_then_name);
  }
  json_t *header = describe(file, order);
  marea_status status = header == NULL
                            ? marea_fail(MAREA_NOMEM, "out of memory for a file's header")
                            : write_file(path, header, order, file->tensor_count);
  json_decref(header);
  marea_free(order);
  return status;
}

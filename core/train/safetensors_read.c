/* Reading safetensors files. No number of the file is used before it is checked against the
 * file's real size, so that memory is asked for only where there are bytes to fill it. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/element_types.h"
#include "train/safetensors_internal.h"

/* One tensor as the header describes it. */
typedef struct entry {
  const char *name; /* borrowed from the JSON */
  const marea_element_type *type;
  int rank;
  int64_t size[MAREA_MAX_RANK];
  uint64_t count, begin, end; /* elements; bytes from the start of the data */
} entry;

typedef struct reading {
  const char *path;
  marea_file_reader *reader;
  uint64_t data_start, data_bytes;
  json_t *header;
  entry *entries; /* in the order of their data */
  size_t entry_count;
} reading;

/* MAREA_FORMAT: "path": tensor "name": …, or without a name. */
static marea_status broken(const char *path, const char *name, const char *what) {
  if (name == NULL)
    return marea_fail(MAREA_FORMAT, "\"%s\" is no safetensors file: %s", path, what);
  return marea_fail(MAREA_FORMAT, "\"%s\", tensor \"%s\": %s", path, name, what);
}

/* ---- header ---- */

static marea_status read_length(reading *r, uint64_t *length) {
  char what[160];
  uint64_t size = marea_file_size(r->reader);
  if (size < 8) {
    snprintf(what, sizeof what, "it has %" PRIu64 " bytes, expected at least 8", size);
    return broken(r->path, NULL, what);
  }
  marea_status status = marea_file_read(r->reader, 0, length, 8);
  if (status != MAREA_OK) return status;
  if (*length > MAREA_SAFETENSORS_HEADER || *length > size - 8 || *length < 2) {
    snprintf(what, sizeof what,
             "its header claims %" PRIu64 " bytes, expected 2 to %" PRIu64 " (limit %d)", *length,
             size - 8, MAREA_SAFETENSORS_HEADER);
    return broken(r->path, NULL, what);
  }
  r->data_start = 8 + *length;
  r->data_bytes = size - r->data_start;
  return MAREA_OK;
}

static marea_status parse_header(reading *r, const char *text, size_t length) {
  char what[JSON_ERROR_TEXT_LENGTH + 80];
  json_error_t error;
  if (text[0] != '{') return broken(r->path, NULL, "its header does not begin with \"{\"");
  r->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
  if (r->header != NULL) return MAREA_OK;
  if (json_error_code(&error) == json_error_out_of_memory)
    return marea_fail(MAREA_NOMEM, "out of memory for the header of \"%s\"", r->path);
  snprintf(what, sizeof what, "its header is broken at byte %d: %s", error.position, error.text);
  return broken(r->path, NULL, what);
}

static marea_status read_header(reading *r) {
  uint64_t length = 0;
  marea_status status = read_length(r, &length);
  if (status != MAREA_OK) return status;
  char *text = marea_alloc(length);
  if (text == NULL) return MAREA_NOMEM;
  status = marea_file_read(r->reader, 8, text, length);
  if (status == MAREA_OK) status = parse_header(r, text, length);
  marea_free(text);
  return status;
}

static marea_status read_texts(const reading *r, json_t *texts, marea_safetensors *file) {
  const char *key;
  json_t *value;
  if (!json_is_object(texts)) return broken(r->path, NULL, "its __metadata__ is not an object");
  json_object_foreach(texts, key, value) {
    if (!json_is_string(value))
      return marea_fail(MAREA_FORMAT, "\"%s\", metadata \"%s\": expected a text", r->path, key);
    marea_status status = marea_safetensors_set_text(file, key, json_string_value(value));
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

/* ---- entries ---- */

static marea_status read_type(const reading *r, json_t *description, entry *e) {
  char what[120];
  const char *name = json_string_value(json_object_get(description, "dtype"));
  if (name == NULL) return broken(r->path, e->name, "dtype is not a text");
  e->type = marea_element_type_find(name);
  if (e->type != NULL) return MAREA_OK;
  snprintf(what, sizeof what,
           "dtype is \"%.20s\", expected F64, F32, F16, BF16, BOOL, U8 to U64 or I8 to I64", name);
  return broken(r->path, e->name, what);
}

/* A JSON integer that is not negative. */
static bool whole(const json_t *value, uint64_t *number) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
  *number = (uint64_t)json_integer_value(value);
  return true;
}

/* The shape and its product. Sizes beside a zero count too: a tensor has to have their strides. */
static marea_status read_shape(const reading *r, json_t *description, entry *e) {
  char what[100];
  json_t *shape = json_object_get(description, "shape");
  size_t rank = json_array_size(shape);
  if (!json_is_array(shape)) return broken(r->path, e->name, "shape is not a list");
  if (rank > MAREA_MAX_RANK) {
    snprintf(what, sizeof what, "it has %zu axes, a tensor can have %d", rank, MAREA_MAX_RANK);
    return broken(r->path, e->name, what);
  }
  e->rank = (int)rank;
  uint64_t limit = PTRDIFF_MAX / sizeof(double), product = 1;
  bool empty = false;
  for (size_t axis = 0; axis < rank; axis++) {
    uint64_t size;
    if (!whole(json_array_get(shape, axis), &size))
      return broken(r->path, e->name, "shape holds something else than whole numbers >= 0");
    if (size > 0 && product > limit / size)
      return broken(r->path, e->name, "shape has more elements than any file");
    e->size[axis] = (int64_t)size;
    empty = empty || size == 0;
    if (size > 0) product *= size;
  }
  e->count = empty ? 0 : product;
  return MAREA_OK;
}

static marea_status read_offsets(const reading *r, json_t *description, entry *e) {
  char what[200], shape[MAREA_SHAPE_TEXT_BYTES];
  json_t *offsets = json_object_get(description, "data_offsets");
  if (json_array_size(offsets) != 2 || !whole(json_array_get(offsets, 0), &e->begin) ||
      !whole(json_array_get(offsets, 1), &e->end))
    return broken(r->path, e->name, "data_offsets are not two whole numbers >= 0");
  if (e->begin > e->end || e->end > r->data_bytes) {
    snprintf(what, sizeof what,
             "data_offsets are [%" PRIu64 ", %" PRIu64 "], the file has %" PRIu64 " bytes of data",
             e->begin, e->end, r->data_bytes);
    return broken(r->path, e->name, what);
  }
  if (e->count > (e->end - e->begin) / e->type->bytes ||
      e->count * e->type->bytes != e->end - e->begin) {
    snprintf(what, sizeof what, "%s %.100s does not fit the %" PRIu64 " bytes of its data_offsets",
             e->type->name, marea_sizes_text(e->rank, e->size, shape), e->end - e->begin);
    return broken(r->path, e->name, what);
  }
  return MAREA_OK;
}

static marea_status read_entry(const reading *r, const char *name, json_t *description, entry *e) {
  e->name = name;
  if (!json_is_object(description))
    return broken(r->path, name, "its description is not an object");
  marea_status status = read_type(r, description, e);
  if (status == MAREA_OK) status = read_shape(r, description, e);
  if (status == MAREA_OK) status = read_offsets(r, description, e);
  return status;
}

static marea_status read_entries(reading *r, marea_safetensors *file) {
  const char *name;
  json_t *description;
  r->entries = marea_alloc_zero(json_object_size(r->header), sizeof *r->entries);
  if (r->entries == NULL) return MAREA_NOMEM;
  json_object_foreach(r->header, name, description) {
    marea_status status = strcmp(name, "__metadata__") == 0
                              ? read_texts(r, description, file)
                              : read_entry(r, name, description, &r->entries[r->entry_count++]);
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

static int by_place(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return strcmp(x->name, y->name);
}

/* The tensors must tile the data: no gap, no overlap, nothing behind the last. */
static marea_status check_tiling(reading *r) {
  char what[160];
  uint64_t at = 0;
  if (r->entry_count > 0) qsort(r->entries, r->entry_count, sizeof *r->entries, by_place);
  for (size_t i = 0; i < r->entry_count; i++) {
    const entry *e = &r->entries[i];
    if (e->begin != at) {
      snprintf(what, sizeof what, "its data begin at %" PRIu64 ", expected %" PRIu64 " (%s)",
               e->begin, at, e->begin < at ? "tensors overlap" : "there is a gap");
      return broken(r->path, e->name, what);
    }
    at = e->end;
  }
  if (at == r->data_bytes) return MAREA_OK;
  snprintf(what, sizeof what, "it has %" PRIu64 " bytes of data, its tensors cover %" PRIu64,
           r->data_bytes, at);
  return broken(r->path, NULL, what);
}

/* ---- data ---- */

static marea_status convert(const reading *r, const entry *e, const unsigned char *bytes,
                            marea_tensor *x) {
  char what[120];
  size_t good = e->type->read(bytes, e->count, x->data);
  if (good == e->count) return MAREA_OK;
  snprintf(what, sizeof what, "element %zu (%s, counted from 1) does not fit into %s", good + 1,
           e->type->name, marea_dtype_name(x->dtype));
  return broken(r->path, e->name, what);
}

/* Types that lie in the file as in memory are read into place. */
static marea_status fill(const reading *r, const entry *e, marea_tensor *x) {
  size_t bytes = e->end - e->begin, offset = r->data_start + e->begin;
  if (e->type == marea_element_type_of(x->dtype))
    return marea_file_read(r->reader, offset, x->data, bytes);
  unsigned char *raw = marea_alloc(bytes);
  if (raw == NULL) return MAREA_NOMEM;
  marea_status status = marea_file_read(r->reader, offset, raw, bytes);
  if (status == MAREA_OK) status = convert(r, e, raw, x);
  marea_free(raw);
  return status;
}

static marea_status read_tensor(const reading *r, const entry *e, marea_safetensors *file) {
  marea_tensor *x = marea_tensor_new(e->type->dtype, e->rank, e->size);
  if (x == NULL) return marea_error_code();
  marea_status status = fill(r, e, x);
  if (status == MAREA_OK) status = marea_safetensors_append(file, e->name, x);
  marea_tensor_free(x);
  return status;
}

static marea_status read_all(reading *r, marea_safetensors *file) {
  marea_status status = read_header(r);
  if (status == MAREA_OK) status = read_entries(r, file);
  if (status == MAREA_OK) status = check_tiling(r);
  for (size_t i = 0; i < r->entry_count && status == MAREA_OK; i++)
    status = read_tensor(r, &r->entries[i], file);
  return status;
}

marea_safetensors *marea_safetensors_load(const char *path) {
  reading r = {.path = path, .reader = marea_file_reader_new(path)};
  if (r.reader == NULL) return NULL;
  marea_safetensors *file = marea_safetensors_new();
  if (file != NULL && read_all(&r, file) != MAREA_OK) {
    marea_safetensors_free(file);
    file = NULL;
  }
  json_decref(r.header);
  marea_free(r.entries);
  marea_file_reader_free(r.reader);
  return file;
}

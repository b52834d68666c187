/* The file of a store, mapped: nothing is copied, so that it is there in a blink. What it says is
 * checked against the file's size; the words' offsets and the norms one by one. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "embed/feed.h"
#include "embed/own_format.h"

enum { MOST_HEADER = 1 << 20, MOST_CARD = 1 << 19 };

typedef struct own_reader {
  const char *path;
  marea_mapping mapping;
  json_t *header;
  const char *data;
  uint64_t data_bytes;
} own_reader;

static marea_status broken(const own_reader *r, const char *what) {
  return marea_fail(MAREA_FORMAT, "\"%s\" is no file of vectors: %s", r->path, what);
}

static marea_status read_header(own_reader *r) {
  uint64_t length;
  json_error_t error;
  if (r->mapping.size < 10) return broken(r, "it is shorter than 10 bytes");
  memcpy(&length, r->mapping.bytes, sizeof length);
  if (length < 2 || length > MOST_HEADER || length > r->mapping.size - 8 || length % 8 != 0)
    return broken(r, "its header's length is out of range");
  r->header = json_loadb(r->mapping.bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
  if (r->header == NULL) return broken(r, "its header is no JSON");
  r->data = r->mapping.bytes + 8 + length;
  r->data_bytes = r->mapping.size - 8 - length;
  json_t *texts = json_object_get(r->header, "__metadata__");
  const char *format = json_string_value(json_object_get(texts, "format"));
  if (format == NULL || strcmp(format, "marea.vectors") != 0)
    return broken(r, "its metadata has no format \"marea.vectors\"");
  return MAREA_OK;
}

/* Finds an array; its sizes and bytes agree and lie in the file. *there false when it is absent. */
static marea_status find_array(const own_reader *r, marea_own_array *a, bool *there) {
  char what[128];
  json_t *entry = json_object_get(r->header, a->name);
  json_t *shape = json_object_get(entry, "shape"), *span = json_object_get(entry, "data_offsets");
  const char *type = json_string_value(json_object_get(entry, "dtype"));
  *there = entry != NULL;
  if (entry == NULL) return MAREA_OK;
  snprintf(what, sizeof what, "its array \"%s\" is not as expected", a->name);
  if (type == NULL || json_array_size(shape) != (size_t)a->rank || json_array_size(span) != 2)
    return broken(r, what);
  if (a->type != NULL && strcmp(type, a->type) != 0) return broken(r, what);
  a->type = type;
  uint64_t count = 1;
  for (int axis = 0; axis < a->rank; axis++) {
    json_int_t size = json_integer_value(json_array_get(shape, (size_t)axis));
    if (size < 0 || (uint64_t)size > r->data_bytes) return broken(r, what);
    a->size[axis] = (uint64_t)size;
    if (size > 0 && count > r->data_bytes / (uint64_t)size) return broken(r, what);
    count *= (uint64_t)size;
  }
  if (a->item == 0)
    a->item = strcmp(type, "F32") == 0 ? 4 : strcmp(type, "F16") == 0 ? 2 : strcmp(type, "I8") == 0;
  json_int_t from = json_integer_value(json_array_get(span, 0));
  json_int_t to = json_integer_value(json_array_get(span, 1));
  if (a->item == 0 || from < 0 || to < from || (uint64_t)to > r->data_bytes ||
      (uint64_t)(to - from) != count * a->item || (uint64_t)from % a->item != 0)
    return broken(r, what);
  a->data = r->data + from;
  return MAREA_OK;
}

static marea_status need_array(const own_reader *r, marea_own_array *a) {
  char what[128];
  bool there;
  marea_status status = find_array(r, a, &there);
  if (status != MAREA_OK || there) return status;
  snprintf(what, sizeof what, "the array \"%s\" is missing", a->name);
  return broken(r, what);
}

/* The arrays are only read: whoever changes a store makes a new one. */
static void *shared(const void *data) {
  return (void *)(uintptr_t)data;
}

static marea_status take_words(const own_reader *r, marea_vectors *v) {
  marea_own_array starts = {.name = "words.starts", .type = "U64", .rank = 1, .item = 8};
  marea_own_array bytes = {.name = "words.bytes", .type = "U8", .rank = 1, .item = 1};
  marea_own_array table = {.name = "words.table", .type = "U32", .rank = 1, .item = 4};
  marea_status status = need_array(r, &starts);
  if (status == MAREA_OK) status = need_array(r, &bytes);
  if (status == MAREA_OK) status = need_array(r, &table);
  if (status != MAREA_OK) return status;
  if (starts.size[0] != v->rows + 1) return broken(r, "words and vectors differ in number");
  v->words = (marea_lexicon){.count = v->rows,
                             .capacity = v->rows,
                             .starts = shared(starts.data),
                             .pool = shared(bytes.data),
                             .pool_capacity = (size_t)bytes.size[0],
                             .slots = shared(table.data),
                             .slot_count = (size_t)table.size[0],
                             .borrowed = true};
  if (marea_lexicon_sound(&v->words, (size_t)bytes.size[0])) return MAREA_OK;
  return broken(r, "its table of words is broken");
}

static marea_status take_rows(const own_reader *r, marea_vectors *v) {
  marea_own_array rows = {.name = "vectors", .rank = 2};
  marea_own_array norms = {.name = "norms", .type = "F32", .rank = 1, .item = 4};
  marea_own_array scales = {.name = "scales", .type = "F32", .rank = 1, .item = 4};
  marea_status status = need_array(r, &rows);
  if (status == MAREA_OK) status = need_array(r, &norms);
  v->type = rows.item == 1 ? MAREA_INT8 : rows.item == 2 ? MAREA_FLOAT16 : MAREA_FLOAT32;
  if (status == MAREA_OK && v->type == MAREA_INT8) status = need_array(r, &scales);
  if (status != MAREA_OK) return status;
  if (rows.size[0] > MAREA_MOST_ROWS || rows.size[1] < 1 || rows.size[1] > MAREA_MOST_WIDTH ||
      norms.size[0] != rows.size[0] || (v->type == MAREA_INT8 && scales.size[0] != rows.size[0]))
    return broken(r, "its arrays differ in size");
  v->rows = v->capacity = (size_t)rows.size[0];
  v->width = (size_t)rows.size[1];
  v->data = shared(rows.data);
  v->norms = shared(norms.data);
  v->scales = v->type == MAREA_INT8 ? shared(scales.data) : NULL;
  for (size_t i = 0; i < v->rows; i++)
    if (!(v->norms[i] >= 0 && v->norms[i] <= 3.4e38f)) return broken(r, "a norm is out of range");
  for (size_t i = 0; i < v->rows && v->scales != NULL; i++)
    if (!isfinite(v->scales[i])) return broken(r, "a scale is out of range");
  return MAREA_OK;
}

static marea_status take_parts(const own_reader *r, marea_vectors *v) {
  marea_own_array parts = {.name = "subwords", .type = "F32", .rank = 2, .item = 4};
  bool there;
  marea_status status = find_array(r, &parts, &there);
  if (status != MAREA_OK || !there) return status;
  json_t *texts = json_object_get(r->header, "__metadata__");
  const char *text = json_string_value(json_object_get(texts, "subwords"));
  int least, most;
  if (text == NULL || sscanf(text, "%d %d", &least, &most) != 2 || least < 0 || most < 0 ||
      most > 64 || parts.size[1] != v->width || parts.size[0] < 1)
    return broken(r, "its parts of words are not as expected");
  v->subwords = (marea_subwords){.least = least,
                                 .most = most,
                                 .buckets = (size_t)parts.size[0],
                                 .rows = shared(parts.data),
                                 .borrowed = true};
  return MAREA_OK;
}

static marea_status take_card(const own_reader *r, marea_vectors *v) {
  json_t *texts = json_object_get(r->header, "__metadata__");
  const char *card = json_string_value(json_object_get(texts, "card"));
  if (card == NULL) return MAREA_OK;
  if (strlen(card) > MOST_CARD) return broken(r, "its card is too long");
  v->card = marea_strdup(card);
  return v->card == NULL ? MAREA_NOMEM : MAREA_OK;
}

static marea_vectors *map_store(own_reader *r) {
  marea_vectors *v = marea_alloc_zero(1, sizeof *v);
  if (v == NULL) return NULL;
  v->borrowed = true;
  v->words.borrowed = true;
  v->subwords.borrowed = true;
  marea_status status = take_rows(r, v);
  if (status == MAREA_OK) status = take_words(r, v);
  if (status == MAREA_OK) status = take_parts(r, v);
  if (status == MAREA_OK) status = take_card(r, v);
  if (status == MAREA_OK) {
    v->mapping = r->mapping;
    r->mapping = (marea_mapping){NULL, 0};
    return v;
  }
  marea_vectors_free(v);
  return NULL;
}

/* ---- copies ---- */

static marea_status copy_parts(marea_vectors *to, const marea_vectors *from) {
  const marea_subwords *parts = &from->subwords;
  if (parts->buckets == 0) return MAREA_OK;
  size_t count = parts->buckets * from->width;
  to->subwords.rows = marea_alloc_array(count, sizeof *parts->rows);
  if (to->subwords.rows == NULL) return MAREA_NOMEM;
  memcpy(to->subwords.rows, parts->rows, count * sizeof *parts->rows);
  to->subwords.least = parts->least;
  to->subwords.most = parts->most;
  to->subwords.buckets = parts->buckets;
  for (size_t i = 0; i < count; i++)
    if (!isfinite(parts->rows[i]))
      return marea_fail(MAREA_NONFINITE, "a part of words is not finite");
  return MAREA_OK;
}

static marea_status copy_rows(const marea_vectors *from, marea_vectors *to,
                              const marea_reading_options *o, marea_reading_report *report) {
  float *row = marea_alloc_array(from->width, sizeof *row);
  marea_status status = row == NULL ? MAREA_NOMEM : MAREA_OK;
  for (size_t at = 0; at < from->rows && status == MAREA_OK; at++) {
    bool is_new = true;
    if (o->limit > 0 && report->seen == o->limit) break;
    report->seen++;
    marea_text word = marea_lexicon_word(&from->words, at);
    if (o->only != NULL && marea_lexicon_find(o->only, word.bytes, word.length) < 0) {
      report->left_out++;
      continue;
    }
    marea_vectors_row(from, at, row);
    status = marea_vectors_append(to, word.bytes, word.length, row, &is_new);
    report->duplicates += !is_new;
  }
  marea_free(row);
  return status;
}

static marea_vectors *copy_store(const marea_vectors *from, const marea_reading_options *o,
                                 marea_reading_report *report) {
  size_t rows = o->only != NULL && o->only->count < from->rows ? o->only->count : from->rows;
  if (o->limit > 0 && o->limit < rows) rows = o->limit;
  marea_vectors *to = marea_vectors_new(from->width, o->any_type ? from->type : o->type, rows);
  if (to == NULL) return NULL;
  marea_status status = copy_rows(from, to, o, report);
  if (status == MAREA_OK && !o->no_subwords) status = copy_parts(to, from);
  if (status == MAREA_OK && from->card != NULL) {
    to->card = marea_strdup(from->card);
    if (to->card == NULL) status = MAREA_NOMEM;
  }
  if (status == MAREA_OK) return to;
  marea_vectors_free(to);
  return NULL;
}

marea_vectors *marea_read_own(const char *path, const marea_reading_options *o,
                              marea_reading_report *report) {
  own_reader r = {.path = path};
  marea_vectors *v = NULL;
  if (marea_mapping_open(&r.mapping, path) == MAREA_OK && read_header(&r) == MAREA_OK)
    v = map_store(&r);
  json_decref(r.header);
  marea_mapping_close(&r.mapping);
  if (v == NULL) return NULL;
  bool as_it_is =
      o->only == NULL && o->limit == 0 && !o->copy && (o->any_type || o->type == v->type);
  report->mapped = as_it_is;
  if (as_it_is) {
    report->seen = v->rows;
    return v;
  }
  marea_vectors *copy = copy_store(v, o, report);
  marea_vectors_free(v);
  return copy;
}

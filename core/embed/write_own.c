#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "embed/own_format.h"

static const char *const TYPES[] = {"F32", "F16", "I8"};

/* The arrays that this store has, in the order of the file. */
static size_t list_arrays(const marea_vectors *v, marea_own_array list[MAREA_OWN_ARRAYS]) {
  size_t count = 0;
  const marea_lexicon *w = &v->words;
  list[count++] = (marea_own_array){"words.starts", "U64", 1, {w->count + 1, 1}, 8, w->starts};
  list[count++] = (marea_own_array){"norms", "F32", 1, {v->rows, 1}, 4, v->norms};
  if (v->scales != NULL)
    list[count++] = (marea_own_array){"scales", "F32", 1, {v->rows, 1}, 4, v->scales};
  if (v->subwords.buckets > 0)
    list[count++] = (marea_own_array){"subwords",      "F32", 2, {v->subwords.buckets, v->width}, 4,
                                      v->subwords.rows};
  marea_own_array rows = {
      "vectors", TYPES[v->type], 2, {v->rows, v->width}, marea_row_type_bytes(v->type), v->data};
  marea_own_array table = {"words.table", "U32", 1, {w->slot_count, 1}, 4, w->slots};
  list[count++] = v->type == MAREA_FLOAT32 ? rows : table;
  list[count++] = v->type == MAREA_FLOAT32 ? table : rows;
  list[count++] = (marea_own_array){"words.bytes", "U8", 1, {w->starts[w->count], 1}, 1, w->pool};
  return count;
}

static uint64_t bytes_of(const marea_own_array *a) {
  return a->size[0] * a->size[1] * a->item;
}

static json_t *texts_of(const marea_vectors *v) {
  json_t *texts = json_pack("{s:s, s:s}", "format", "marea.vectors", "version", "1");
  if (texts == NULL) return NULL;
  if (v->card != NULL) json_object_set_new(texts, "card", json_string(v->card));
  if (v->subwords.buckets > 0) {
    char parts[32];
    snprintf(parts, sizeof parts, "%d %d", v->subwords.least, v->subwords.most);
    json_object_set_new(texts, "subwords", json_string(parts));
  }
  return texts;
}

/* The header, padded with blanks so that the data begins at a multiple of 64; *length bytes of a
 * block of malloc's. */
static char *header_of(const marea_vectors *v, const marea_own_array *list, size_t count,
                       uint64_t *length) {
  json_t *header = json_object();
  uint64_t at = 0;
  json_object_set_new(header, "__metadata__", texts_of(v));
  for (size_t i = 0; i < count; i++) {
    json_t *shape = json_array();
    for (int axis = 0; axis < list[i].rank; axis++)
      json_array_append_new(shape, json_integer((json_int_t)list[i].size[axis]));
    uint64_t end = at + bytes_of(&list[i]);
    json_object_set_new(header, list[i].name,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", list[i].type, "shape", shape,
                                  "data_offsets", (json_int_t)at, (json_int_t)end));
    at = end;
  }
  char *text = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
  json_decref(header);
  if (text == NULL) return NULL;
  size_t used = strlen(text), padded = (used + 8 + 63) / 64 * 64 - 8;
  char *wider = realloc(text, padded + 1);
  if (wider == NULL) {
    free(text);
    return NULL;
  }
  memset(wider + used, ' ', padded - used);
  *length = padded;
  return wider;
}

marea_status marea_own_save(const marea_vectors *v, const char *path) {
  marea_own_array list[MAREA_OWN_ARRAYS];
  size_t count = list_arrays(v, list);
  uint64_t length = 0;
  char *header = header_of(v, list, count, &length);
  if (header == NULL)
    return marea_fail(MAREA_NOMEM, "out of memory for the header of \"%s\"", path);
  marea_file_writer *writer = marea_file_writer_new(path);
  marea_status status = writer == NULL ? marea_error_code() : MAREA_OK;
  if (status == MAREA_OK) status = marea_file_write(writer, &length, sizeof length);
  if (status == MAREA_OK) status = marea_file_write(writer, header, (size_t)length);
  for (size_t i = 0; i < count && status == MAREA_OK; i++)
    status = marea_file_write(writer, list[i].data, (size_t)bytes_of(&list[i]));
  free(header);
  if (status == MAREA_OK) return marea_file_commit(writer);
  if (writer != NULL) marea_file_abandon(writer);
  return status;
}

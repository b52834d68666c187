#include "text/normal/rewrite.h"

#include <string.h>

#include "base/memory.h"
#include "kernels/scan.h"

void marea_rewrite_start(marea_rewrite *r, bool track) {
  r->length = r->consumed = r->edit_count = 0;
  r->track = track;
}

void marea_rewrite_free(marea_rewrite *r) {
  marea_free(r->bytes);
  marea_free(r->edits);
  *r = (marea_rewrite){0};
}

char *marea_rewrite_room(marea_rewrite *r, size_t length) {
  if (r->bytes == NULL || length > r->capacity - MAREA_SLACK - r->length) {
    size_t wanted = r->length + length;
    if (wanted < length || wanted > SIZE_MAX / 2) {
      marea_fail(MAREA_NOMEM, "the text is too long");
      return NULL;
    }
    size_t capacity = wanted + wanted / 2 + MAREA_SLACK;
    char *bytes = marea_realloc(r->bytes, capacity);
    if (bytes == NULL) return NULL;
    r->bytes = bytes;
    r->capacity = capacity;
  }
  return r->bytes + r->length;
}

static marea_status note_edit(marea_rewrite *r, size_t taken, size_t length) {
  marea_edit *edits = marea_grow(r->edits, &r->edit_capacity, r->edit_count + 1, sizeof *edits);
  if (edits == NULL) return MAREA_NOMEM;
  r->edits = edits;
  r->edits[r->edit_count++] =
      (marea_edit){r->length, r->length + length, r->consumed, r->consumed + taken};
  return MAREA_OK;
}

marea_status marea_rewrite_wrote(marea_rewrite *r, size_t taken, size_t length) {
  if (r->track && taken != length) {
    marea_status status = note_edit(r, taken, length);
    if (status != MAREA_OK) return status;
  }
  r->length += length;
  r->consumed += taken;
  return MAREA_OK;
}

marea_status marea_rewrite_change(marea_rewrite *r, size_t taken, const char *bytes,
                                  size_t length) {
  char *to = marea_rewrite_room(r, length);
  if (to == NULL) return MAREA_NOMEM;
  if (length > 0) memcpy(to, bytes, length);
  return marea_rewrite_wrote(r, taken, length);
}

marea_status marea_rewrite_exchange(marea_rewrite *r, marea_text in, const char *bytes,
                                    size_t length) {
  bool same_length = in.length == length && length > 0;
  bool changed = same_length && memcmp(in.bytes, bytes, length) != 0;
  if (r->track && changed) {
    marea_status status = note_edit(r, length, length);
    if (status != MAREA_OK) return status;
  }
  return marea_rewrite_change(r, in.length, bytes, length);
}

marea_status marea_rewrite_keep(marea_rewrite *r, const char *bytes, size_t length) {
  return marea_rewrite_change(r, length, bytes, length);
}

marea_status marea_rewrite_code(marea_rewrite *r, size_t taken, int32_t code) {
  char bytes[4];
  return marea_rewrite_change(r, taken, bytes, marea_utf8_encode(code, bytes));
}

/* Number of edits that begin before `place`, or at it. */
static size_t edits_before(const marea_rewrite *r, size_t place, bool at) {
  size_t low = 0, high = r->edit_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    size_t begin = r->edits[middle].begin;
    if (begin < place || (at && begin == place))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void marea_rewrite_origin(const marea_rewrite *r, size_t *begin, size_t *end) {
  size_t b = *begin, e = *end;
  bool empty = b == e;
  size_t n = edits_before(r, b, true);
  if (n > 0) {
    const marea_edit *edit = &r->edits[n - 1];
    *begin = b < edit->end ? edit->from : edit->to + (b - edit->end);
  }
  n = edits_before(r, e, false);
  if (n > 0) {
    const marea_edit *edit = &r->edits[n - 1];
    *end = e <= edit->end ? edit->to : edit->to + (e - edit->end);
  }
  if (empty && *end < *begin) *end = *begin;
}

#include "train/npy_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The dict, as far as it has been read. */
typedef struct cursor {
  const char *at, *end;
} cursor;

static void skip_blanks(cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) c->at++;
}

/* Takes this character if it comes next. */
static bool take(cursor *c, char wanted) {
  skip_blanks(c);
  if (c->at == c->end || *c->at != wanted) return false;
  c->at++;
  return true;
}

static bool take_word(cursor *c, const char *word) {
  size_t length = strlen(word);
  skip_blanks(c);
  if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) return false;
  c->at += length;
  return true;
}

/* A string without escapes into `text`; none that the format needs is longer. */
static bool take_string(cursor *c, char text[24]) {
  skip_blanks(c);
  if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
  char quote = *c->at++;
  size_t length = 0;
  for (; c->at < c->end && *c->at != quote; c->at++) {
    if (*c->at == '\\' || *c->at == '\0' || length == 23) return false;
    text[length++] = *c->at;
  }
  text[length] = '\0';
  return take(c, quote);
}

static bool take_number(cursor *c, int64_t *number) {
  skip_blanks(c);
  const char *first = c->at;
  *number = 0;
  for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
    if (*number > (INT64_MAX - 9) / 10) return false;
    *number = *number * 10 + (*c->at - '0');
  }
  return c->at > first;
}

/* ---- the three values ---- */

/* Types by NumPy's letters and by our names, those of safetensors. */
static const char *const kinds[][2] = {
    {"f8", "F64"}, {"f4", "F32"}, {"f2", "F16"}, {"i8", "I64"}, {"u8", "U64"}, {"i4", "I32"},
    {"u4", "U32"}, {"i2", "I16"}, {"u2", "U16"}, {"i1", "I8"},  {"u1", "U8"},  {"b1", "BOOL"},
};

static const char *read_type(cursor *c, marea_npy_header *h, char what[160]) {
  char text[24];
  if (!take_string(c, text)) return "descr is not the name of a number's type";
  bool wide = strlen(text) == 3 && text[2] != '1';
  if (text[0] == '>' && wide) return "its numbers are big-endian, expected little-endian ones";
  if (text[0] == '<' || text[0] == '|')
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
      if (strcmp(text + 1, kinds[i][0]) == 0) h->type = marea_element_type_find(kinds[i][1]);
  if (h->type != NULL) return NULL;
  snprintf(what, 160,
           "its type is \"%s\", expected f2, f4, f8, b1, i1 to i8 or u1 to u8, little-endian",
           text);
  return what;
}

static const char *read_order(cursor *c, marea_npy_header *h) {
  h->fortran = take_word(c, "True");
  return h->fortran || take_word(c, "False") ? NULL : "fortran_order is not True or False";
}

/* (), (3,) or (3, 4). Sizes beside a zero count too: a tensor has to have their strides. */
static const char *read_shape(cursor *c, marea_npy_header *h, char what[160]) {
  uint64_t limit = PTRDIFF_MAX / sizeof(double), product = 1;
  bool empty = false;
  if (!take(c, '(')) return "shape is not a tuple";
  while (!take(c, ')')) {
    int64_t size;
    if (!take_number(c, &size)) return "shape holds something else than whole numbers >= 0";
    if (h->rank == MAREA_MAX_RANK) {
      snprintf(what, 160, "it has more axes than the %d that a tensor can have", MAREA_MAX_RANK);
      return what;
    }
    if (size > 0 && product > limit / (uint64_t)size)
      return "shape has more elements than any file";
    h->size[h->rank++] = size;
    empty = empty || size == 0;
    if (size > 0) product *= (uint64_t)size;
    if (!take(c, ',') && (c->at == c->end || *c->at != ')')) return "shape is not a tuple";
  }
  h->count = empty ? 0 : product;
  return NULL;
}

enum { TYPE = 1, ORDER = 2, SHAPE = 4, ALL = 7 };

static const char *read_dict(cursor *c, marea_npy_header *h, char what[160]) {
  char key[24];
  int seen = 0;
  if (!take(c, '{')) return "its header is not a dict";
  while (!take(c, '}')) {
    if (!take_string(c, key) || !take(c, ':')) return "its header is not a dict";
    int which = strcmp(key, "descr") == 0           ? TYPE
                : strcmp(key, "fortran_order") == 0 ? ORDER
                : strcmp(key, "shape") == 0         ? SHAPE
                                                    : 0;
    if (which == 0 || seen & which)
      return "its header holds a key twice, or one that is not descr, fortran_order or shape";
    const char *wrong = which == TYPE    ? read_type(c, h, what)
                        : which == ORDER ? read_order(c, h)
                                         : read_shape(c, h, what);
    if (wrong != NULL) return wrong;
    seen |= which;
    skip_blanks(c);
    if (!take(c, ',') && (c->at == c->end || *c->at != '}')) return "its header is not a dict";
  }
  skip_blanks(c);
  if (c->at != c->end) return "something follows its header's dict";
  return seen == ALL ? NULL : "its header lacks descr, fortran_order or shape";
}

const char *marea_npy_read_header(const unsigned char *bytes, size_t length,
                                  marea_npy_header *header, char what[160]) {
  *header = (marea_npy_header){0};
  if (length < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0) return "it is no .npy array";
  if (bytes[6] < 1 || bytes[6] > 3) return "its version is none of 1, 2 and 3";
  size_t before = bytes[6] == 1 ? 10 : 12, text = (size_t)bytes[8] | (size_t)bytes[9] << 8;
  if (bytes[6] > 1) text |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  if (text > length - before) return "its header is cut short";
  cursor c = {(const char *)bytes + before, (const char *)bytes + before + text};
  const char *wrong = read_dict(&c, header, what);
  if (wrong != NULL) return wrong;
  header->start = before + text;
  if (header->count == (length - header->start) / header->type->bytes &&
      (length - header->start) % header->type->bytes == 0)
    return NULL;
  snprintf(what, 160, "it has %zu bytes of elements, its shape and type need %" PRIu64 " of %zu",
           length - header->start, header->count, header->type->bytes);
  return what;
}

/* ---- writing ---- */

size_t marea_npy_write_header(const marea_tensor *x, char header[MAREA_NPY_HEADER_BYTES]) {
  const char *ours = marea_element_type_of(x->dtype)->name, *type = "";
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(ours, kinds[i][1]) == 0) type = kinds[i][0];
  char shape[MAREA_MAX_RANK * 22 + 1] = "";
  size_t used = 0;
  for (int axis = 0; axis < x->rank; axis++)
    used += (size_t)snprintf(shape + used, sizeof shape - used, "%" PRId64 "%s", x->size[axis],
                             axis + 1 < x->rank ? ", "
                             : x->rank == 1     ? ","
                                                : "");
  int length = snprintf(header + 10, MAREA_NPY_HEADER_BYTES - 10,
                        "{'descr': '<%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
  size_t end = (10 + (size_t)length + 1 + 63) / 64 * 64;
  memset(header + 10 + length, ' ', end - 11 - (size_t)length);
  header[end - 1] = '\n';
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  header[8] = (char)((end - 10) & 255);
  header[9] = (char)((end - 10) >> 8);
  return end;
}

/* Vectors of words from their parts (fastText; Bojanowski et al., 2017). */
#include <string.h>

#include "base/memory.h"
#include "embed/vectors.h"

uint32_t marea_subword_hash(const char *bytes, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) {
    int32_t extended = (signed char)bytes[i];
    hash ^= (uint32_t)extended;
    hash *= 16777619u;
  }
  return hash;
}

static bool continues(char byte) {
  return ((unsigned char)byte & 0xC0) == 0x80;
}

static void add_row(const marea_subwords *s, size_t width, const char *part, size_t length,
                    double *sum) {
  const float *row = s->rows + marea_subword_hash(part, length) % s->buckets * width;
  for (size_t i = 0; i < width; i++) sum[i] += (double)row[i];
}

/* All parts of `text` = "<word>" that begin at `from`. */
static size_t add_parts_at(const marea_subwords *s, size_t width, const char *text, size_t length,
                           size_t from, double *sum) {
  size_t found = 0, end = from;
  for (int points = 1; points <= s->most && end < length; points++) {
    end++;
    while (end < length && continues(text[end])) end++;
    bool bracket = points == 1 && (from == 0 || end == length);
    if (points < s->least || bracket) continue;
    add_row(s, width, text + from, end - from, sum);
    found++;
  }
  return found;
}

size_t marea_subwords_sum(const marea_subwords *s, size_t width, const char *bytes, size_t length,
                          double *sum) {
  char brief[256];
  size_t found = 0;
  if (s->buckets == 0 || s->most == 0 || length > MAREA_LONGEST_WORD) return 0;
  if (length == 4 && memcmp(bytes, "</s>", 4) == 0) return 0; /* the sentence mark has no parts */
  char *text = length + 2 <= sizeof brief ? brief : marea_alloc(length + 2);
  if (text == NULL) return 0;
  text[0] = '<';
  memcpy(text + 1, bytes, length);
  text[length + 1] = '>';
  for (size_t from = 0; from < length + 2; from++)
    if (!continues(text[from])) found += add_parts_at(s, width, text, length + 2, from, sum);
  if (text != brief) marea_free(text);
  return found;
}

bool marea_subwords_vector(const marea_vectors *v, const char *bytes, size_t length, float *to) {
  double *sum = marea_alloc_zero(v->width, sizeof *sum);
  if (sum == NULL) return false;
  size_t found = marea_subwords_sum(&v->subwords, v->width, bytes, length, sum);
  for (size_t i = 0; i < v->width && found > 0; i++) to[i] = (float)(sum[i] / (double)found);
  marea_free(sum);
  return found > 0;
}

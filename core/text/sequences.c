#include "text/sequences.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

marea_sequences *marea_sequences_new(void) {
  marea_sequences *s = marea_alloc_zero(1, sizeof *s);
  if (s == NULL) return NULL;
  s->capacity = 64;
  s->offsets = marea_alloc_zero(s->capacity, sizeof *s->offsets);
  if (s->offsets != NULL) return s;
  marea_free(s);
  return NULL;
}

void marea_sequences_free(marea_sequences *s) {
  if (s == NULL) return;
  marea_free(s->ids);
  marea_free(s->offsets);
  marea_free(s);
}

marea_status marea_sequences_push(marea_sequences *s, int32_t id) {
  if (s->id_count == s->id_capacity) {
    size_t wider = 2 * s->id_capacity + 1024;
    int32_t *ids = marea_realloc(s->ids, wider * sizeof *ids);
    if (ids == NULL) return MAREA_NOMEM;
    s->ids = ids;
    s->id_capacity = wider;
  }
  s->ids[s->id_count++] = id;
  return MAREA_OK;
}

marea_status marea_sequences_end(marea_sequences *s) {
  if (s->count + 2 > s->capacity) {
    size_t *offsets = marea_realloc(s->offsets, 2 * s->capacity * sizeof *offsets);
    if (offsets == NULL) return MAREA_NOMEM;
    s->offsets = offsets;
    s->capacity *= 2;
  }
  s->offsets[++s->count] = s->id_count;
  return MAREA_OK;
}

/* ---- encoding ---- */

int32_t marea_encode_word(const marea_encoding *e, const char *bytes, size_t length,
                          marea_encoding_report *report) {
  report->tokens++;
  if (e->oov && length == e->oov_word.length && memcmp(bytes, e->oov_word.bytes, length) == 0)
    return 1;
  int32_t place = marea_vocabulary_find(e->vocabulary, bytes, length);
  if (place < 0) {
    report->unknown++;
    return e->oov ? 1 : 0;
  }
  int32_t id = e->vocabulary->rank_of[place] + (e->oov ? 2 : 1);
  if (e->num_words == 0 || (size_t)id < e->num_words) return id;
  report->beyond++;
  return e->oov ? 1 : 0;
}

typedef struct encoder {
  const marea_encoding *encoding;
  marea_sequences *sequences;
  marea_encoding_report *report;
} encoder;

static marea_status encode_piece(void *context, const char *bytes, size_t length) {
  encoder *e = context;
  int32_t id = marea_encode_word(e->encoding, bytes, length, e->report);
  return id == 0 ? MAREA_OK : marea_sequences_push(e->sequences, id);
}

marea_status marea_encode(const marea_encoding *encoding, const marea_splitter *splitter,
                          const marea_text *texts, size_t count, marea_sequences *sequences,
                          marea_encoding_report *report) {
  encoder e = {encoding, sequences, report};
  for (size_t i = 0; i < count; i++) {
    size_t before = sequences->id_count;
    marea_status status = marea_split(splitter, texts[i], encode_piece, &e);
    if (status == MAREA_FORMAT)
      return marea_fail(status, "text %zu: %.200s", i + 1, marea_error_text());
    if (status == MAREA_OK) status = marea_sequences_end(sequences);
    if (status != MAREA_OK) return status;
    report->empty += sequences->id_count == before;
  }
  return MAREA_OK;
}

/* ---- padding ---- */

marea_status marea_pad(const marea_sequences *s, const marea_padding *p, int32_t *out,
                       marea_padding_report *report) {
  if (p->maxlen == 0) return marea_fail(MAREA_RANGE, "maxlen is 0, expected 1 or more");
  *report = (marea_padding_report){.tokens = s->id_count};
  for (size_t i = 0; i < s->count; i++, out += p->maxlen) {
    const int32_t *ids = s->ids + s->offsets[i];
    size_t length = s->offsets[i + 1] - s->offsets[i];
    if (length > report->longest) report->longest = length;
    if (length > p->maxlen) {
      report->cut_rows++;
      report->lost += length - p->maxlen;
      if (!p->cut_after) ids += length - p->maxlen;
      length = p->maxlen;
    }
    size_t pads = p->maxlen - length, begin = p->pad_after ? 0 : pads;
    for (size_t j = 0; j < pads; j++) out[p->pad_after ? length + j : j] = p->value;
    if (length > 0) memcpy(out + begin, ids, length * sizeof *out);
  }
  return MAREA_OK;
}

static int compare_lengths(const void *left, const void *right) {
  size_t a = *(const size_t *)left, b = *(const size_t *)right;
  return a < b ? -1 : a > b;
}

marea_status marea_length_quantile(const marea_sequences *s, double share, size_t *length) {
  if (s->count == 0 || !(share >= 0 && share <= 1))
    return marea_fail(MAREA_RANGE, "a quantile needs sequences and a share from 0 to 1");
  size_t *lengths = marea_alloc_array(s->count, sizeof *lengths);
  if (lengths == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < s->count; i++) lengths[i] = s->offsets[i + 1] - s->offsets[i];
  qsort(lengths, s->count, sizeof *lengths, compare_lengths);
  size_t place = (size_t)ceil(share * (double)s->count);
  *length = lengths[place == 0 ? 0 : place - 1];
  marea_free(lengths);
  return MAREA_OK;
}

/* ---- bags of words ---- */

static double weight(marea_bag mode, double c, double length, double df, double documents) {
  switch (mode) {
  case MAREA_BAG_BINARY: return 1;
  case MAREA_BAG_COUNT: return c;
  case MAREA_BAG_FREQ: return c / length;
  default: return (1 + log(c)) * log(1 + documents / (1 + df));
  }
}

marea_status marea_bag_matrix(const marea_sequences *s, marea_bag mode, size_t columns,
                              const int64_t *frequency, int64_t documents, marea_real *out) {
  memset(out, 0, s->count * columns * sizeof *out);
  for (size_t i = 0; i < s->count; i++) {
    marea_real *row = out + i * columns;
    size_t first = s->offsets[i], last = s->offsets[i + 1];
    for (size_t j = first; j < last; j++) {
      if (s->ids[j] < 0)
        return marea_fail(MAREA_RANGE, "sequence %zu has the negative id %d", i + 1, s->ids[j]);
      if ((size_t)s->ids[j] < columns) row[s->ids[j]] += 1;
    }
    for (size_t j = 0; j < columns; j++)
      if (row[j] > 0)
        row[j] =
            (marea_real)weight(mode, (double)row[j], (double)(last - first),
                               frequency != NULL ? (double)frequency[j] : 0, (double)documents);
  }
  return MAREA_OK;
}

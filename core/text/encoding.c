#include "text/encoding.h"

#include <string.h>

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

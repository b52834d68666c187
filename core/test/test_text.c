/* text/ alone, through the umbrella header, as a C program would use it. */
#include "test.h"

#include "base/threads.h"
#include "marea.h"

static marea_text text_of(const char *bytes) {
  return (marea_text){bytes, strlen(bytes)};
}

static marea_pipeline *keras_pipeline(void) {
  marea_normal_step lower = {.kind = MAREA_NORMAL_LOWER};
  marea_split_options filters = {.kind = MAREA_SPLIT_FILTERS,
                                 .text = text_of(MAREA_KERAS_FILTERS " ")};
  return marea_pipeline_new(&(marea_pipeline_options){
      .steps = &lower, .step_count = 1, .splits = &filters, .split_count = 1});
}

/* Counts two documents, encodes one, pads it; returns whether every step succeeded. */
static int one_round(int32_t padded[4]) {
  marea_text texts[] = {text_of("El ÑANDÚ, el gato."), text_of("¿Qué gato?")};
  marea_pipeline *pipeline = keras_pipeline();
  marea_vocabulary *vocabulary = marea_vocabulary_new();
  marea_sequences *sequences = marea_sequences_new();
  int done = 0;
  if (pipeline != NULL && vocabulary != NULL && sequences != NULL &&
      marea_count_texts(vocabulary, pipeline, texts, 2, NULL) == MAREA_OK &&
      marea_vocabulary_rank(vocabulary, &(marea_ranking){0}, NULL) == MAREA_OK) {
    marea_encoding encoding = {.vocabulary = vocabulary, .first_id = 1, .unknown_id = -1};
    marea_encoding_report report = {0};
    marea_padding padding = {.maxlen = 2};
    marea_padding_report lost;
    done = marea_encode_texts(&encoding, pipeline, texts, 2, sequences, &report) == MAREA_OK &&
           marea_pad(sequences, &padding, padded, &lost) == MAREA_OK;
  }
  marea_sequences_free(sequences);
  marea_vocabulary_free(vocabulary);
  marea_pipeline_free(pipeline);
  return done;
}

static void test_round(void) {
  int32_t padded[4];
  static const int32_t expected[] = {1, 2, 4, 2}; /* el gato | ¿qué gato */
  CHECK(one_round(padded));
  CHECK(memcmp(padded, expected, sizeof expected) == 0);
}

static void test_allocation_failures(void) {
  int32_t padded[4];
  size_t before = marea_memory_allocations();
  CHECK(one_round(padded));
  size_t needed = marea_memory_allocations() - before;
  for (size_t n = 1; n <= needed; n++) {
    marea_memory_fail_at(n);
    CHECK(!one_round(padded));
    CHECK(marea_error_code() == MAREA_NOMEM);
    CHECK(marea_memory_used() == 0);
  }
  marea_memory_fail_at(0);
}

static void test_utf8(void) {
  int32_t code;
  CHECK(marea_utf8_decode("ñ", 2, &code) == 2 && code == 0xF1);
  CHECK(marea_utf8_decode("\xf0\x9f\x91\x8d", 4, &code) == 4 && code == 0x1F44D);
  CHECK(marea_utf8_decode("\xc0\xaf", 2, &code) == 0);
  CHECK(marea_utf8_decode("\xf0\x9f\x91", 3, &code) == 0);
  CHECK(marea_utf8_invalid(text_of("añ\xffo")) == 3);
}

int main(void) {
  test_round();
  test_allocation_failures();
  test_utf8();
  marea_threads_stop();
  return test_end();
}

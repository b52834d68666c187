/* UTF-8: what is valid, walking both ways, and the repair of what is not. */
#include <string.h>

#include "fuzz.h"
#include "text/pipeline.h"

/* A second opinion on validity: a code point, written again, has the same bytes. */
static size_t decoded(marea_text text, size_t *characters) {
  size_t at = 0, width;
  int32_t code;
  char again[4];
  for (*characters = 0; at < text.length; at += width, ++*characters) {
    width = marea_utf8_decode(text.bytes + at, text.length - at, &code);
    if (width == 0) break;
    REQUIRE(width <= text.length - at && code >= 0 && code < MAREA_CODES);
    REQUIRE(code < 0xD800 || code > 0xDFFF);
    REQUIRE(marea_utf8_encode(code, again) == width);
    REQUIRE(memcmp(again, text.bytes + at, width) == 0);
  }
  return at;
}

static void walk_back(marea_text text, size_t characters) {
  size_t at = text.length;
  int32_t code, same;
  for (; at > 0; characters--) {
    size_t width = marea_utf8_before(text.bytes, at, &code);
    REQUIRE(width >= 1 && width <= at && characters > 0);
    at -= width;
    REQUIRE(marea_utf8_next(text.bytes + at, &same) == width && same == code);
  }
  REQUIRE(characters == 0);
}

static void ask_properties(marea_text text) {
  int32_t code;
  for (size_t at = 0; at < text.length;) {
    at += marea_utf8_next(text.bytes + at, &code);
    REQUIRE(strlen(marea_category(code)) == 2);
    REQUIRE(marea_lower(code) >= 0 && marea_lower(code) < MAREA_CODES);
    REQUIRE(!marea_is_letter(code) || marea_is_word_python(code));
    REQUIRE(!marea_is_digit(code) || marea_is_number(code));
    REQUIRE(!(marea_is_space(code) && marea_is_letter(code)));
    (void)(marea_is_cased(code) || marea_is_case_ignorable(code) || marea_is_word_rust(code));
  }
}

/* Replacing makes a text valid, leaves a valid one alone, and counts every byte. */
static void repair(marea_text text, size_t valid) {
  static const marea_pipeline_options options = {.invalid = MAREA_INVALID_REPLACE};
  marea_pipeline *pipeline = marea_pipeline_new(&options);
  marea_pipeline_scratch *scratch = marea_pipeline_scratch_new();
  marea_text out;
  REQUIRE(pipeline != NULL && scratch != NULL);
  REQUIRE(marea_pipeline_normalize(pipeline, text, scratch, &out) == MAREA_OK);
  REQUIRE(marea_utf8_invalid(out) == out.length);
  REQUIRE((scratch->normal.report.invalid_bytes == 0) == (valid == text.length));
  REQUIRE(out.length == text.length + 2 * scratch->normal.report.invalid_bytes);
  marea_pipeline_free(pipeline);
  marea_pipeline_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  marea_text text = {(const char *)data, size};
  size_t characters, valid = marea_utf8_invalid(text);
  REQUIRE(valid <= size && valid == decoded(text, &characters));
  REQUIRE(marea_ascii_prefix(text.bytes, size) <= valid);
  marea_text good = {text.bytes, valid};
  walk_back(good, characters);
  ask_properties(good);
  repair(text, valid);
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

/* Sentences in columns: CoNLL-U, CoNLL-2002, and other widths and separators. */
#include <string.h>

#include "fuzz.h"
#include "text/read/conll.h"

static void check(const marea_conll_sentence *s, const marea_conll_options *options,
                  const uint8_t *data, size_t size) {
  size_t words = 0, bytes = 0;
  REQUIRE(s->rows > 0 && s->width == options->width);
  REQUIRE(options->conllu || s->comment_count == 0);
  for (size_t i = 0; i < s->rows * s->width; i++) {
    REQUIRE(s->cells[i].length <= size && s->cells[i].bytes != NULL);
    REQUIRE(memchr(s->cells[i].bytes, '\n', s->cells[i].length) == NULL);
    REQUIRE(memchr(s->cells[i].bytes, options->separator, s->cells[i].length) == NULL);
    bytes += s->cells[i].length;
  }
  for (size_t i = 0; i < s->comment_count; i++) bytes += s->comments[i].length;
  for (size_t i = 0; i < s->rows; i++) words += s->kinds[i] == MAREA_CONLL_WORD;
  REQUIRE(options->conllu || words == s->rows);
  bool packed = size >= 2 && memcmp(data, "\x1f\x8b", 2) == 0;
  REQUIRE(packed || bytes <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  unsigned how = fuzz_byte(&in);
  marea_conll_options options = {.width = how & 8   ? 1 + (how >> 4)
                                          : how & 1 ? 10
                                                    : 2,
                                 .separator = how & 2 ? '\t' : ' ',
                                 .conllu = how & 4};
  marea_conll *conll = marea_conll_new(fuzz_file(0, in.data, in.size), &options);
  size_t line = 0;
  if (conll != NULL) {
    marea_conll_sentence sentence;
    marea_status status;
    while (marea_conll_next(conll, &sentence, &status)) {
      check(&sentence, &options, in.data, in.size);
      REQUIRE(sentence.line > line);
      line = sentence.line;
    }
    REQUIRE(status == MAREA_OK || marea_error_text()[0] != '\0');
  }
  marea_conll_free(conll);
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

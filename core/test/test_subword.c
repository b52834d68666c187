/* Sub-word models alone, as a C program would use them. */
#include "test.h"

#include "base/threads.h"
#include "marea.h"
#include "text/subword/byte_alphabet.h"

static marea_text text_of(const char *bytes) {
  return (marea_text){bytes, strlen(bytes)};
}

static marea_vocabulary *count_words(void) {
  static const struct {
    const char *word;
    int64_t count;
  } words[] = {{"hug", 10}, {"pug", 5}, {"pun", 12}, {"bun", 4}, {"hugs", 5}, {"ñandú", 2}};
  marea_vocabulary *v = marea_vocabulary_new();
  for (size_t i = 0; v != NULL && i < sizeof words / sizeof *words; i++) {
    int32_t place = marea_vocabulary_add(v, words[i].word, strlen(words[i].word));
    if (place < 0) {
      marea_vocabulary_free(v);
      return NULL;
    }
    v->words[place].count = words[i].count;
  }
  return v;
}

/* Cuts one word and writes its pieces with blanks between them. */
static int cut(const marea_subword *model, const char *word, char *out, size_t room) {
  const marea_subword_token *tokens;
  size_t count, used = 0;
  marea_subword_worker *worker = marea_subword_worker_new(model, 1 << 12);
  if (worker == NULL) return 0;
  int done = marea_subword_encode(worker, word, strlen(word), &tokens, &count) == MAREA_OK;
  for (size_t i = 0; done && i < count; i++) {
    marea_text piece;
    done = marea_subword_piece(model, tokens[i].id, &piece) && used + piece.length + 2 < room;
    if (!done) break;
    if (i > 0) out[used++] = ' ';
    memcpy(out + used, piece.bytes, piece.length);
    used += piece.length;
  }
  out[used] = '\0';
  marea_subword_worker_free(worker);
  return done;
}

/* Trains a model of a kind, cuts a word, gives the pieces back; whether every step succeeded. */
static int one_round(marea_subword_kind kind, char *out, size_t room) {
  marea_text specials[] = {text_of("<unk>")};
  marea_subword_options options = {.kind = kind, .unknown = specials[0]};
  if (kind == MAREA_WORDPIECE) options.prefix = text_of("##");
  marea_subword_training training = {.vocab_size = 30, .specials = specials, .special_count = 1};
  marea_vocabulary *words = count_words();
  marea_subword *model = words == NULL ? NULL : marea_subword_train(words, &options, &training);
  int done = model != NULL && cut(model, "hugsbun", out, room);
  marea_subword_free(model);
  marea_vocabulary_free(words);
  return done;
}

static void test_round(void) {
  char out[200];
  CHECK(one_round(MAREA_BPE, out, sizeof out));
  CHECK(strcmp(out, "hugs bun") == 0);
  CHECK(one_round(MAREA_WORDPIECE, out, sizeof out));
  CHECK(strcmp(out, "<unk>") == 0); /* no word of the training has b behind another letter */
  CHECK(one_round(MAREA_UNIGRAM, out, sizeof out));
  CHECK(strlen(out) >= strlen("hugsbun"));
}

static void test_allocation_failures(void) {
  char out[200];
  for (int kind = MAREA_BPE; kind <= MAREA_UNIGRAM; kind++) {
    size_t before = marea_memory_allocations();
    CHECK(one_round((marea_subword_kind)kind, out, sizeof out));
    size_t needed = marea_memory_allocations() - before;
    for (size_t n = 1; n <= needed; n += n < 80 ? 1 : 13) {
      marea_memory_fail_at(n);
      CHECK(!one_round((marea_subword_kind)kind, out, sizeof out));
      CHECK(marea_error_code() == MAREA_NOMEM);
      CHECK(marea_memory_used() == 0);
    }
    marea_memory_fail_at(0);
  }
}

/* Every byte has a character of its own, and comes back. */
static void test_byte_alphabet(void) {
  int seen[MAREA_ALPHABET_END] = {0};
  for (int byte = 0; byte < 256; byte++) {
    int32_t character = marea_byte_character((unsigned char)byte);
    CHECK(character < MAREA_ALPHABET_END && seen[character]++ == 0);
    CHECK(marea_character_byte(character) == byte);
  }
  CHECK(marea_byte_character(' ') == 0x120);
  CHECK(marea_byte_character(0xAD) == 0x143);
  CHECK(marea_character_byte(0xAD) == -1 && marea_character_byte(5000) == -1);
  char spelt[8], back[8];
  size_t length = marea_bytes_spell("a ñ", 4, spelt);
  CHECK(length == 7 && marea_bytes_unspell(spelt, length, back) == 4);
  CHECK(memcmp(back, "a ñ", 4) == 0);
  CHECK(marea_bytes_unspell("日", 3, back) == SIZE_MAX);
}

static void test_errors(void) {
  marea_subword_options options = {.kind = MAREA_BPE, .dropout = 2};
  CHECK(marea_subword_new(&options) == NULL);
  CHECK_ERROR("dropout is 2");
  options.dropout = 0;
  marea_subword *m = marea_subword_new(&options);
  CHECK(marea_subword_worker_new(m, 0) == NULL);
  CHECK_ERROR("not finished");
  CHECK(marea_subword_add(m, text_of("a"), -1, 0) == MAREA_RANGE);
  CHECK(marea_subword_add(m, text_of("a"), 0, 0) == MAREA_OK);
  CHECK(marea_subword_merge(m, text_of("a"), text_of("a")) == MAREA_ARGUMENT);
  CHECK_ERROR("their junction is no piece");
  CHECK(marea_subword_finish(m) == MAREA_OK);
  CHECK(marea_subword_add(m, text_of("b"), 1, 0) == MAREA_STATE);
  marea_subword_free(m);
}

/* A small cache forgets; the tokens stay right. */
static void test_cache(void) {
  marea_subword_options options = {.kind = MAREA_BPE, .byte_level = true};
  marea_subword_training training = {.vocab_size = 300,
                                     .alphabet = text_of("abcdefghijklmnopqrstuvwxyz0123456789")};
  marea_vocabulary *words = count_words();
  marea_subword *m = marea_subword_train(words, &options, &training);
  marea_subword_worker *small = marea_subword_worker_new(m, 2000);
  marea_subword_worker *none = marea_subword_worker_new(m, 0);
  for (int i = 0; i < 3000; i++) {
    char word[32];
    const marea_subword_token *a, *b;
    size_t n, k, length = (size_t)snprintf(word, sizeof word, "hug%dpun", i * i % 97);
    CHECK(marea_subword_encode(small, word, length, &a, &n) == MAREA_OK);
    CHECK(marea_subword_encode(none, word, length, &b, &k) == MAREA_OK);
    CHECK(n == k && memcmp(a, b, n * sizeof *a) == 0);
  }
  marea_subword_worker_free(small);
  marea_subword_worker_free(none);
  marea_subword_free(m);
  marea_vocabulary_free(words);
}

static void test_decoder(void) {
  marea_decode_step steps[] = {
      {.kind = MAREA_DECODE_BYTE_FALLBACK},
      {.kind = MAREA_DECODE_METASPACE, .from = text_of("▁"), .flag = true}};
  marea_text pieces[] = {text_of("▁ho"),    text_of("la"),     text_of("▁"), text_of("<0xC3>"),
                         text_of("<0xB1>"), text_of("<0xFF>"), text_of("x")};
  marea_decoder *d = marea_decoder_new(steps, 2);
  char *out;
  size_t length;
  CHECK(marea_decode(d, pieces, 5, &out, &length) == MAREA_OK);
  CHECK(length == 7 && memcmp(out, "hola ñ", length) == 0);
  marea_free(out);
  CHECK(marea_decode(d, pieces + 5, 2, &out, &length) == MAREA_OK);
  CHECK(length == 4 && memcmp(out, "\xEF\xBF\xBDx", length) == 0);
  marea_free(out);
  marea_decoder_free(d);
  steps[1].from.length = 0;
  CHECK(marea_decoder_new(steps, 2) == NULL);
}

int main(void) {
  test_round();
  test_allocation_failures();
  test_byte_alphabet();
  test_errors();
  test_cache();
  test_decoder();
  marea_threads_stop();
  return test_end();
}

/* The text pipeline: the first bytes choose normalizer steps, splitters, limits, phrases (learned
 * from the text itself) and n-grams; the rest is the text. Tokens must lie in the text, in order,
 * and be valid UTF-8. */
#include <string.h>

#include "base/threads.h"
#include "fuzz.h"
#include "text/vocabulary/phrases_count.h"

static const marea_text froms[] = {MAREA_TEXT(""),   MAREA_TEXT("a"),   MAREA_TEXT("aa"),
                                   MAREA_TEXT("ñÑ"), MAREA_TEXT(" \t"), MAREA_TEXT("\u0301"),
                                   MAREA_TEXT("<"),  MAREA_TEXT("\xff")};
static const marea_text tos[] = {MAREA_TEXT(""), MAREA_TEXT(" "), MAREA_TEXT("aa"), MAREA_TEXT("▁"),
                                 MAREA_TEXT("é")};
static const marea_text joins[] = {MAREA_TEXT(" "), MAREA_TEXT(""), MAREA_TEXT("▁")};

#define PICK(list, number) (list)[(number) % (sizeof(list) / sizeof *(list))]

/* A step and a rule of the caller's. */
static marea_status own_step(void *context, marea_text in, marea_rewrite *out) {
  (void)context;
  size_t kept = in.length / 2;
  while (kept > 0 && ((unsigned char)in.bytes[kept] & 0xC0) == 0x80) kept--;
  marea_status status = marea_rewrite_keep(out, in.bytes, kept);
  return status == MAREA_OK ? marea_rewrite_change(out, in.length - kept, "¿!", 3) : status;
}

static marea_status own_rule(void *context, marea_text text, marea_token_sink *sink,
                             void *receiver) {
  (void)context;
  size_t first = 0;
  int32_t code;
  if (text.length > 0) first = marea_utf8_next(text.bytes, &code);
  marea_token token = {text.bytes + first, text.length - first, first, text.length};
  return token.length > 0 ? sink(receiver, &token) : MAREA_OK;
}

typedef struct recipe {
  marea_normal_step steps[4];
  marea_split_options splits[3];
  size_t ngrams[3];
  marea_pipeline_options options;
  size_t phrase_count;
  bool origins;
} recipe;

static void read_stages(fuzz_input *in, recipe *r) {
  unsigned counts = fuzz_byte(in);
  marea_pipeline_options *o = &r->options;
  o->step_count = counts % 5;
  o->split_count = counts / 5 % 4;
  o->ngram_count = counts / 20 % 4;
  r->phrase_count = counts / 80;
  for (size_t i = 0; i < o->step_count; i++) {
    unsigned kind = fuzz_byte(in), how = fuzz_byte(in);
    r->steps[i] = (marea_normal_step){.kind = (marea_normal_kind)(kind % MAREA_NORMAL_COUNT),
                                      .from = PICK(froms, how),
                                      .to = PICK(tos, how / 8),
                                      .left = how & 1,
                                      .right = how & 2,
                                      .whole = how & 4,
                                      .function = own_step};
  }
  for (size_t i = 0; i < o->split_count; i++) {
    unsigned kind = fuzz_byte(in), how = fuzz_byte(in);
    r->splits[i] =
        (marea_split_options){.kind = (marea_split_kind)(kind % MAREA_SPLIT_COUNT),
                              .text = PICK(froms, how),
                              .keep = how & 8,
                              .each = how & 16,
                              .least = how / 32,
                              .behavior = (marea_split_behavior)(kind / MAREA_SPLIT_COUNT % 5),
                              .function = own_rule};
  }
  for (size_t i = 0; i < o->ngram_count; i++) r->ngrams[i] = 1 + fuzz_byte(in) % 6;
}

static void read_rest(fuzz_input *in, recipe *r) {
  static const marea_text stop_words[] = {MAREA_TEXT("the"), MAREA_TEXT("a"), MAREA_TEXT("él")};
  marea_pipeline_options *o = &r->options;
  unsigned how = fuzz_byte(in), limits = fuzz_byte(in);
  o->steps = r->steps;
  o->splits = r->splits;
  o->ngrams = r->ngrams;
  o->invalid = how & 1 ? MAREA_INVALID_REPLACE : MAREA_INVALID_REFUSE;
  o->within = how & 2;
  r->origins = how & 4;
  o->stop_words = stop_words;
  o->stop_word_count = how & 8 ? 3 : 0;
  o->join = PICK(joins, how / 16);
  o->shortest = limits % 4;
  o->longest = limits & 4 ? limits / 8 : 0;
}

/* What the tokens so far looked like. */
typedef struct watch {
  const recipe *recipe;
  size_t raw_length, begin, end, count;
  bool bytes; /* the pieces are bytes, so that tokens need not be UTF-8 */
} watch;

static marea_status check_token(void *context, const marea_token *token) {
  watch *w = context;
  marea_text text = {token->bytes, token->length};
  REQUIRE(token->length > 0 && token->bytes != NULL);
  w->count++;
  if (!w->bytes) REQUIRE(marea_utf8_invalid(text) == text.length);
  if (!w->recipe->origins) return MAREA_OK;
  REQUIRE(token->begin <= token->end && token->end <= w->raw_length);
  if (w->recipe->options.ngram_count > 0) return MAREA_OK;
  REQUIRE(token->begin >= w->begin && token->end >= w->end);
  w->begin = token->begin;
  w->end = token->end;
  return MAREA_OK;
}

static void run(const recipe *r, const marea_pipeline *pipeline, marea_text text) {
  watch w = {.recipe = r, .raw_length = text.length};
  size_t splits = r->options.split_count;
  marea_text normal;
  for (size_t i = 0; i < splits; i++) w.bytes |= r->splits[i].kind == MAREA_SPLIT_BYTES;
  marea_pipeline_scratch *scratch = marea_pipeline_scratch_new();
  REQUIRE(scratch != NULL);
  marea_status status = marea_pipeline_run(pipeline, text, r->origins, scratch, check_token, &w);
  size_t first = w.count;
  bool refused =
      !(r->options.invalid == MAREA_INVALID_REPLACE) && marea_utf8_invalid(text) < text.length;
  REQUIRE(status == (refused ? MAREA_FORMAT : MAREA_OK));
  /* The same scratch gives the same once more. */
  w.begin = w.end = w.count = 0;
  REQUIRE(marea_pipeline_run(pipeline, text, r->origins, scratch, check_token, &w) == status);
  REQUIRE(w.count == first);
  if (status == MAREA_OK) {
    REQUIRE(marea_pipeline_normalize(pipeline, text, scratch, &normal) == MAREA_OK);
    REQUIRE(marea_utf8_invalid(normal) == normal.length);
  }
  marea_pipeline_scratch_free(scratch);
}

/* Phrases that have counted the text, as the pipeline cuts it so far. */
static marea_phrases *learn(const marea_pipeline *pipeline, marea_text text, unsigned number) {
  static const marea_text connectors[] = {MAREA_TEXT("a"), MAREA_TEXT(" ")};
  marea_text texts[] = {text, text, text};
  marea_phrases_options o = {.scoring = number == 1 ? MAREA_PHRASES_NPMI : MAREA_PHRASES_DEFAULT,
                             .min_count = 1,
                             .threshold = 0.01,
                             .max_vocabulary = number == 2 ? 8 : 0,
                             .join = number == 0 ? MAREA_TEXT("_") : MAREA_TEXT("aa"),
                             .connectors = connectors,
                             .connector_count = 2};
  marea_phrases_report report = {.pruned = 0};
  marea_phrases *phrases = marea_phrases_new(&o);
  REQUIRE(phrases != NULL);
  marea_status status = marea_phrases_count(phrases, pipeline, texts, 3, &report);
  REQUIRE(status == MAREA_OK || (status == MAREA_FORMAT && phrases->words == 0));
  return phrases;
}

/* The pipeline of the recipe; each of its phrases learns from a pipeline with those before it. */
static marea_pipeline *make(recipe *r, marea_text text, marea_phrases **phrases) {
  const marea_phrases *used[MAREA_PHRASES_MAX];
  size_t widths = r->options.ngram_count;
  r->options.phrases = used;
  for (;;) {
    bool last = r->options.phrase_count == r->phrase_count;
    r->options.ngram_count = last ? widths : 0;
    marea_pipeline *pipeline = marea_pipeline_new(&r->options);
    if (pipeline == NULL || last) return pipeline;
    unsigned number = (unsigned)r->options.phrase_count++;
    used[number] = phrases[number] = learn(pipeline, text, number);
    marea_pipeline_free(pipeline);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  recipe r = {.origins = false};
  marea_phrases *phrases[MAREA_PHRASES_MAX] = {NULL};
  marea_threads_set(1);
  read_stages(&in, &r);
  read_rest(&in, &r);
  marea_text text = {(const char *)in.data, in.size};
  marea_pipeline *pipeline = make(&r, text, phrases);
  REQUIRE(pipeline != NULL || marea_error_text()[0] != '\0');
  if (pipeline != NULL) run(&r, pipeline, text);
  marea_pipeline_free(pipeline);
  for (int i = 0; i < MAREA_PHRASES_MAX; i++) marea_phrases_free(phrases[i]);
  REQUIRE(marea_memory_used() == 0);
  return 0;
}

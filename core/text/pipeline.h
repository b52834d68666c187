/* Text to tokens: normalizer → splitters → pieces that count → phrases → n-grams. Every token knows
 * the bytes of the raw text it came from. A pipeline is constant while it runs; each thread has a
 * scratch. */
#ifndef MAREA_TEXT_PIPELINE_H
#define MAREA_TEXT_PIPELINE_H

#include "text/normal/normal.h"
#include "text/vocabulary/phrases.h"
#include "text/split/splitter.h"
#include "text/vocabulary/vocabulary.h"

enum { MAREA_SPLITS_MAX = 8, MAREA_NGRAMS_MAX = 16, MAREA_NGRAM_WIDEST = 64 };

typedef struct marea_pipeline_options {
  const marea_normal_step *steps;
  size_t step_count;
  marea_invalid invalid;
  const marea_split_options *splits; /* each cuts the pieces of the one before */
  size_t split_count;                /* 0: the text is one piece */
  size_t shortest, longest;          /* pieces in code points; 0: any */
  const marea_text *stop_words;      /* pieces that are left out */
  size_t stop_word_count;
  const marea_phrases *const *phrases; /* each joins what the one before gives; must outlive the
                                          pipeline */
  size_t phrase_count;
  const size_t *ngrams; /* widths, in the order of the output; none: pieces as they are */
  size_t ngram_count;
  marea_text join; /* between the pieces of an n-gram */
  bool within;     /* n-grams of characters, within each piece with `join` at both ends, widths by
                      piece: scikit-learn's char_wb */
} marea_pipeline_options;

/* What was changed or left out. */
typedef struct marea_pipeline_report {
  marea_normal_report normal;
  size_t too_short, too_long, stop_words, phrases;
} marea_pipeline_report;

typedef struct marea_pipeline marea_pipeline;

/* NULL: MAREA_ARGUMENT, MAREA_FORMAT, MAREA_NOMEM as of the stages; widths are 1 to
 * MAREA_NGRAM_WIDEST; BYTES must be the last splitter, without `within`. */
marea_pipeline *marea_pipeline_new(const marea_pipeline_options *options);
void marea_pipeline_free(marea_pipeline *pipeline); /* NULL is allowed */

/* Whether a function of the caller's takes part, so that it must run in the caller's thread. */
bool marea_pipeline_has_function(const marea_pipeline *pipeline);

/* Whether the bytes of all tokens of a text stay until the run ends, not only until the sink
 * returns. */
bool marea_pipeline_keeps_tokens(const marea_pipeline *pipeline);

/* A thread's memory, used again for each text. */
typedef struct marea_pipeline_scratch {
  marea_normal_scratch normal;
  marea_phrase_line lines[MAREA_PHRASES_MAX];
  marea_token *tokens; /* of the text, when there are n-grams */
  size_t token_count, token_capacity;
  char *joined;
  size_t joined_capacity;
  marea_pipeline_report report; /* adds up over texts */
} marea_pipeline_scratch;

marea_pipeline_scratch *marea_pipeline_scratch_new(void);
void marea_pipeline_scratch_free(marea_pipeline_scratch *scratch); /* NULL is allowed */

/* Gives a text's tokens to the sink. With `origins` begin and end are places in the raw text, else
 * they are undefined. MAREA_FORMAT for bytes that are no UTF-8, when they are refused. */
marea_status marea_pipeline_run(const marea_pipeline *pipeline, marea_text text, bool origins,
                                marea_pipeline_scratch *scratch, marea_token_sink *sink,
                                void *context);

/* Only the normalizer; *out is valid until the scratch is used again. */
marea_status marea_pipeline_normalize(const marea_pipeline *pipeline, marea_text text,
                                      marea_pipeline_scratch *scratch, marea_text *out);

/* Adds b's counters to a. */
void marea_pipeline_report_add(marea_pipeline_report *a, const marea_pipeline_report *b);

#endif

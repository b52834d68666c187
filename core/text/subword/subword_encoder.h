/* Texts to the ids of a sub-word model:
 *
 *   added tokens → normalizer → added tokens of normalized text → splitters → model → marks around
 *
 * as a Hugging Face tokenizer does it. Constant while it encodes; its threads share a pool of
 * workers, whose caches stay warm from one call to the next. */
#ifndef MAREA_TEXT_SUBWORD_ENCODER_H
#define MAREA_TEXT_SUBWORD_ENCODER_H

#include "text/subword/added_tokens.h"
#include "text/pipeline.h"
#include "text/sequences/sequences.h"
#include "text/subword/subword.h"

typedef struct marea_subword_encoder_options {
  const marea_pipeline *normalize;    /* no splitters */
  const marea_pipeline *first, *rest; /* splitters (with steps of their own) for what begins the
                                         text, and for what stands behind an added token */
  const marea_subword *model;
  const marea_added_tokens *added; /* NULL: none */
  marea_text before_word;          /* goes in front of each word that does not begin with it */
  const int32_t *before, *after;   /* ids around each text */
  size_t before_count, after_count;
  size_t most;          /* ids per text, `before` and `after` included; 0: any */
  bool replace_invalid; /* as in normalize: bytes that are no UTF-8 are not refused */
  bool trim;            /* places leave out blanks at both ends */
} marea_subword_encoder_options;

typedef struct marea_subword_encoder marea_subword_encoder;

/* The lists of ids and before_word are copied, the rest must outlive the encoder. NULL:
 * MAREA_RANGE (most has no room for before and after), MAREA_NOMEM. */
marea_subword_encoder *marea_subword_encoder_new(const marea_subword_encoder_options *options);
void marea_subword_encoder_free(marea_subword_encoder *encoder); /* NULL is allowed */

typedef struct marea_subword_encoder_report {
  marea_subword_report model;
  size_t added; /* added tokens in the texts */
  size_t cut;   /* ids beyond `most` */
  size_t empty; /* texts without an id of their own */
  marea_pipeline_report pipeline;
} marea_subword_encoder_report;

/* Bytes begin … end - 1 of the raw text; the ids around a text have 0, 0. */
typedef struct marea_place {
  size_t begin, end;
} marea_place;

/* Appends one sequence a text, with all threads. `seed` (NULL: none) turns the model's dropout on;
 * text i has stream i. `report` is added to. MAREA_FORMAT names the text (from 1). */
marea_status marea_subword_encode_texts(marea_subword_encoder *encoder, const marea_text *texts,
                                        size_t count, const uint64_t *seed,
                                        marea_sequences *sequences,
                                        marea_subword_encoder_report *report);

/* One text with the places of its ids; *places is released by marea_free. */
marea_status marea_subword_encode_places(marea_subword_encoder *encoder, marea_text text,
                                         const uint64_t *seed, marea_sequences *sequences,
                                         marea_place **places,
                                         marea_subword_encoder_report *report);

#endif

/* Counting words and pairs of neighbours for phrases: on all threads with a fixed result. */
#ifndef MAREA_TEXT_PHRASES_COUNT_H
#define MAREA_TEXT_PHRASES_COUNT_H

#include "text/vocabulary/phrases.h"
#include "text/pipeline.h"

typedef struct marea_phrases_report {
  marea_pipeline_report pipeline;
  size_t pruned; /* words and pairs that were forgotten for max_vocabulary */
} marea_phrases_report;

/* Counts the tokens of texts; they are added to what was counted before. Above max_vocabulary the
 * rarest words and pairs are forgotten: the first time those counted less than once (none), the
 * next time less than twice, …, as gensim does. It looks after each text, this after each 16 MB of
 * texts, so that threads make no difference; the counts are the same as long as nothing is pruned.
 *
 * On failure nothing has changed: MAREA_STATE (frozen phrases), MAREA_FORMAT names the text (from
 * 1). `report` is added to. */
marea_status marea_phrases_count(marea_phrases *phrases, const marea_pipeline *pipeline,
                                 const marea_text *texts, size_t count,
                                 marea_phrases_report *report);

/* A document that is a list of words already, into a table of counts; *words counts them. */
marea_status marea_phrases_note(const marea_phrase_line *line, marea_vocabulary *counts,
                                int64_t *words);

/* Adds a table of such counts to what was counted before. The table is used up, also on failure. */
marea_status marea_phrases_take(marea_phrases *phrases, marea_vocabulary *counts, int64_t words,
                                int64_t least, marea_phrases_report *report);

#endif

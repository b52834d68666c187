/* Counting the words of texts: in one pass, with several threads and a fixed result. */
#ifndef MAREA_TEXT_COUNT_H
#define MAREA_TEXT_COUNT_H

#include "text/pipeline.h"

enum { MAREA_COUNT_WORKERS = 64 };

/* Where texts come from: the next run of texts for worker `worker` (0 … MAREA_COUNT_WORKERS - 1),
 * whose bytes stay valid until that worker asks again; count 0 at the end. Never called by two
 * threads at once. */
typedef marea_status marea_text_source(void *context, size_t worker, const marea_text **texts,
                                       size_t *count);

/* Counts the tokens of a source's texts, each a document. Every thread counts into a table of its
 * own; words keep the order of first sight in the texts, whoever saw them, so the result is that of
 * one thread. MAREA_FORMAT names the text (from 1). `report` may be NULL; it is added to. */
marea_status marea_count_source(marea_vocabulary *vocabulary, const marea_pipeline *pipeline,
                                marea_text_source *source, void *context,
                                marea_pipeline_report *report);

/* The same for a list. */
marea_status marea_count_texts(marea_vocabulary *vocabulary, const marea_pipeline *pipeline,
                               const marea_text *texts, size_t count,
                               marea_pipeline_report *report);

/* Counts a document that is a list of words already. */
marea_status marea_count_words(marea_vocabulary *vocabulary, const marea_text *words, size_t count);

#endif

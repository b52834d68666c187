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

/* Where a worker counts: a table of its own. */
typedef struct marea_count_place {
  size_t worker;
  marea_vocabulary *table;
  marea_pipeline_scratch *scratch;
} marea_count_place;

/* Counts one text; several threads at once, each with a place of its own. */
typedef marea_status marea_text_counter(void *context, const marea_count_place *place,
                                        marea_text text);

/* A way of counting: texts, and what becomes of each. */
typedef struct marea_counting {
  const marea_pipeline *pipeline; /* with a function among its stages: one thread */
  marea_text_source *source;
  void *source_context;
  marea_text_counter *counter;
  void *counter_context;
  size_t texts; /* before this source's, as messages number them; goes on with each run */
} marea_counting;

/* Counts a source's texts on all threads. Every thread counts into a table of its own; words keep
 * the order of first sight in the texts, whoever saw them, so the result is that of one thread.
 * MAREA_FORMAT names the text (from 1). `report` may be NULL; it is added to. */
marea_status marea_count(marea_vocabulary *vocabulary, marea_counting *counting,
                         marea_pipeline_report *report);

/* Counts the tokens of a source's texts, each a document; as marea_count. */
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

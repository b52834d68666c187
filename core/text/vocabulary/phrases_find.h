/* Lists of phrases with their scores: those of some texts, or all that were learned. */
#ifndef MAREA_TEXT_PHRASES_FIND_H
#define MAREA_TEXT_PHRASES_FIND_H

#include "text/vocabulary/phrases.h"
#include "text/pipeline.h"

/* A zeroed struct is empty. */
typedef struct marea_phrases_found {
  marea_vocabulary *phrases; /* with their counts, in the order of first sight; NULL: none */
  double *scores;            /* by place in phrases */
  size_t capacity;
} marea_phrases_found;

void marea_phrases_found_free(marea_phrases_found *found);

/* Adds the phrases of a line that was joined. */
marea_status marea_phrases_find_line(const marea_phrase_line *line, marea_phrases_found *found);

/* Adds the phrases of texts, counted there (gensim's find_phrases). MAREA_FORMAT names the text. */
marea_status marea_phrases_find(const marea_phrases *phrases, const marea_pipeline *pipeline,
                                const marea_text *texts, size_t count, marea_phrases_found *found);

/* Adds all phrases that were learned, with the counts of the learning (gensim's export_phrases). */
marea_status marea_phrases_find_all(const marea_phrases *phrases, marea_phrases_found *found);

/* order: the places of all found phrases, the highest score first, ties as they were first seen.
 * MAREA_NOMEM. */
marea_status marea_phrases_found_order(const marea_phrases_found *found, int32_t *order);

#endif

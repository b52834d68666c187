/* Phrases: pairs of neighbours that occur together more often than their words let expect, joined
 * to one token (new york → new_york). Formulas and rules are those of gensim's Phrases; the default
 * score is that of Mikolov, Sutskever, Chen, Corrado & Dean (2013), "Distributed Representations of
 * Words and Phrases and their Compositionality", equation 6; the other one is normalized pointwise
 * mutual information (Bouma, 2009). */
#ifndef MAREA_TEXT_PHRASES_H
#define MAREA_TEXT_PHRASES_H

#include "text/token.h"
#include "text/vocabulary/vocabulary.h"

enum { MAREA_PHRASES_MAX = 4 }; /* one behind the other in a pipeline */

typedef enum marea_phrase_scoring {
  MAREA_PHRASES_DEFAULT, /* (n_ab - min_count) · |V| / (n_a · n_b) */
  MAREA_PHRASES_NPMI     /* ln(p_ab / (p_a · p_b)) / -ln p_ab, from -1 to 1 */
} marea_phrase_scoring;

/* |V| is the number of different words and pairs, p = n / all words; connectors count among all
 * words but have no count of their own. */
typedef struct marea_phrases_options {
  marea_phrase_scoring scoring;
  int64_t min_count;            /* 1 or more; NPMI has no score below it */
  double threshold;             /* a pair is a phrase when its score is greater */
  size_t max_vocabulary;        /* words and pairs kept while counting; 0: any number */
  marea_text join;              /* between the words of a phrase; at least one byte */
  const marea_text *connectors; /* words that are allowed inside a phrase, never at its ends */
  size_t connector_count;
} marea_phrases_options;

typedef struct marea_phrases {
  marea_phrases_options options; /* join is a copy, connectors is NULL */
  marea_vocabulary *connectors;
  marea_vocabulary *counts; /* words and joined pairs, in the order of first sight, in one table as
                               gensim has it: the word new_york is counted with the pair */
  int64_t words;            /* all words of the texts that were counted */
  int64_t least;            /* the next pruning leaves out smaller counts */
  double *scores;           /* frozen: of the phrases in counts; NULL: counts can be scored */
} marea_phrases;

/* NULL: MAREA_ARGUMENT (no join, min_count below 1, a threshold outside the score's range),
 * MAREA_FORMAT (no UTF-8), MAREA_NOMEM. */
marea_phrases *marea_phrases_new(const marea_phrases_options *options);
void marea_phrases_free(marea_phrases *phrases); /* NULL is allowed */

/* ---- a text's tokens ---- */

typedef struct marea_phrase_piece {
  size_t offset, length; /* in the line's bytes */
  size_t begin, end;     /* in the text */
  bool connector, joined;
  double score; /* when joined */
} marea_phrase_piece;

/* The tokens of a text, one behind the other with the join between them, so that a phrase is a
 * stretch of bytes; MAREA_SLACK more bytes can be read. A zeroed struct is empty. */
typedef struct marea_phrase_line {
  char *bytes;
  size_t used, capacity;
  marea_phrase_piece *pieces;
  size_t count, piece_capacity;
} marea_phrase_line;

void marea_phrase_line_free(marea_phrase_line *line);

/* Empties it by count = used = 0; adds a token. */
marea_status marea_phrase_line_add(const marea_phrases *phrases, marea_phrase_line *line,
                                   const marea_token *token);

/* Joins the phrases of a line, from left to right and none within another; returns how many. */
size_t marea_phrases_join(const marea_phrases *phrases, marea_phrase_line *line);

/* ---- what was learned ---- */

/* The score of a pair's counts; -infinity where there is none. */
double marea_phrases_score(const marea_phrases *phrases, int64_t first, int64_t second,
                           int64_t pair);

/* Whether the entry at `place` of counts is a phrase: its bytes up to the first join and behind the
 * last one are taken as its words (gensim's export_phrases). */
bool marea_phrases_at(const marea_phrases *phrases, int32_t place, double *score);

/* The phrases alone with their scores: smaller, the same on texts whose words do not hold the join,
 * and nothing more can be counted. NULL: MAREA_NOMEM. */
marea_phrases *marea_phrases_freeze(const marea_phrases *phrases);

#endif

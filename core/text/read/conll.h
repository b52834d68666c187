/* Sentences in columns: a word a line, its columns apart by a tab or blanks, an empty line behind
 * each sentence. CoNLL-2002 (Tjong Kim Sang, 2002) and CoNLL-U (universaldependencies.org). */
#ifndef MAREA_TEXT_CONLL_H
#define MAREA_TEXT_CONLL_H

#include "base/lines.h"
#include "text/read/csv.h"

/* What a line of a sentence is; in CoNLL-U the first column tells. */
typedef enum marea_conll_kind {
  MAREA_CONLL_WORD,
  MAREA_CONLL_RANGE, /* 3-4: the surface form of words 3 to 4 */
  MAREA_CONLL_EMPTY  /* 8.1: a node without a surface form */
} marea_conll_kind;

typedef struct marea_conll_sentence {
  size_t rows, width;            /* lines of the sentence, columns of each */
  const marea_field *cells;      /* (rows, width) */
  const marea_conll_kind *kinds; /* (rows) */
  const marea_field *comments;   /* without "#" and the blanks behind it */
  size_t comment_count;
  size_t line; /* on which it begins, from 1 */
} marea_conll_sentence;

typedef struct marea_conll_options {
  size_t width;   /* columns in each line, 1 or more */
  char separator; /* a byte; two of them mark an empty column, except for blanks */
  bool conllu;    /* comments (#) and the kinds by the first column */
} marea_conll_options;

typedef struct marea_conll marea_conll;

/* NULL on failure: as marea_lines_new, and MAREA_ARGUMENT for width 0. */
marea_conll *marea_conll_new(const char *path, const marea_conll_options *options);

/* The next sentence, borrowed until the next call; false at the end and on failure (then *status
 * tells). MAREA_FORMAT names path, line and column
 * (in bytes, from 1): a wrong number of columns; in CoNLL-U an ID
 * that is out of order or is none. Blocks of comments alone are passed over. */
bool marea_conll_next(marea_conll *conll, marea_conll_sentence *sentence, marea_status *status);

const marea_lines *marea_conll_lines(const marea_conll *conll);
void marea_conll_free(marea_conll *conll); /* NULL is allowed */

#endif

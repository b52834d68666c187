/* The second stage of the text pipeline: a normalized text is cut into pieces. Each family of rules
 * has a file split_*.c; every rule takes linear time. */
#ifndef MAREA_TEXT_SPLITTER_H
#define MAREA_TEXT_SPLITTER_H

#include "kernels/scan.h"
#include "text/token.h"

/* The 31 marks of Keras's Tokenizer with TAB and LF; the apostrophe stays. */
#define MAREA_KERAS_FILTERS "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n"

/* One line a rule: name in scripts, function. */
#define MAREA_SPLIT_MAP(X)                                                                         \
  X(NONE, "none", whole)            /* the text is one piece */                                    \
  X(FILTERS, "filters", runs)       /* Keras: runs between the characters of `text` */             \
  X(WORDS, "words", words)          /* UAX #29 word boundaries; `keep`: marks stay as pieces */    \
  X(WHITESPACE, "whitespace", runs) /* runs without white space of `spaces` */                     \
  X(CODE_POINTS, "code_points", code_points)                                                       \
  X(GRAPHEMES, "graphemes", graphemes) /* what a reader calls a character (UAX #29) */             \
  X(BYTES, "bytes", bytes)                                                                         \
  X(WORD_RUNS, "word_runs", runs) /* Python's w class, `least` characters or more */               \
  X(WORDS_OR_MARKS, "words_or_marks", words_or_marks) /* runs of w, or of other non-blanks */      \
  X(BERT, "bert", bert)                   /* white space, and each punctuation mark apart */       \
  X(BYTE_LEVEL, "byte_level", byte_level) /* GPT-2: contractions, " ?letters", " ?digits" … */   \
  X(METASPACE, "metaspace", before)       /* before each `text`, which stays with what follows */  \
  X(PUNCTUATION, "punctuation", punctuation) /* each mark apart, by `behavior` */                  \
  X(DIGITS, "digits", digits)                /* runs of digits apart; with `each` every digit */   \
  X(LITERAL, "literal", literal)             /* at each `text`, by `behavior` */                   \
  X(FUNCTION, "function", own)               /* the caller's own */

typedef enum marea_split_kind {
#define MAREA_SPLIT_ENUM(name, text, function) MAREA_SPLIT_##name,
  MAREA_SPLIT_MAP(MAREA_SPLIT_ENUM)
#undef MAREA_SPLIT_ENUM
      MAREA_SPLIT_COUNT
} marea_split_kind;

/* What becomes of the separator itself, as Hugging Face names it. */
typedef enum marea_split_behavior {
  MAREA_SPLIT_REMOVED,
  MAREA_SPLIT_ISOLATED,
  MAREA_SPLIT_WITH_PREVIOUS,
  MAREA_SPLIT_WITH_NEXT,
  MAREA_SPLIT_CONTIGUOUS
} marea_split_behavior;

/* A rule of the caller's: gives each piece of the text to the sink, with its place in the text.
 * Pieces begin and end between characters. */
typedef marea_status marea_split_function(void *context, marea_text text, marea_token_sink *sink,
                                          void *receiver);

typedef struct marea_split_options {
  marea_split_kind kind;
  marea_text text; /* FILTERS: characters; METASPACE, LITERAL: the separator; copied */
  bool keep;    /* WORDS: pieces without letter or digit (¿ ¡ « » …) are given, not dropped */
  bool each;    /* DIGITS */
  size_t least; /* WORD_RUNS: shortest piece in code points; 0 is 1 */
  marea_spaces spaces;
  marea_split_behavior behavior;
  marea_split_function *function;
  void *context;
} marea_split_options;

typedef struct marea_splitter marea_splitter;

/* NULL: MAREA_FORMAT (text is no UTF-8), MAREA_ARGUMENT (an empty separator, an unknown kind),
 * MAREA_NOMEM. */
marea_splitter *marea_splitter_new(const marea_split_options *options);
void marea_splitter_free(marea_splitter *splitter); /* NULL is allowed */
bool marea_splitter_has_function(const marea_splitter *splitter);

/* Cuts a text, which is valid UTF-8 and has MAREA_SLACK readable bytes behind it. Pieces are parts
 * of `text` and never empty. Returns the first status of the sink that is not MAREA_OK. */
marea_status marea_split(const marea_splitter *splitter, marea_text text, marea_token_sink *sink,
                         void *context);

#endif

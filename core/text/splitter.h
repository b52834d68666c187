/* The word rule of Keras's Tokenizer: lower-case, turn filter characters into the split string,
 * cut on the split string, drop empty pieces. One pass over the bytes, linear time. */
#ifndef MAREA_TEXT_SPLITTER_H
#define MAREA_TEXT_SPLITTER_H

#include "base/status.h"
#include "text/unicode.h"

/* The 31 marks of Keras with TAB and LF; the apostrophe stays. */
#define MAREA_KERAS_FILTERS "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n"

typedef struct marea_splitter marea_splitter;

typedef struct marea_splitter_options {
  marea_text filters; /* characters, any of Unicode */
  marea_text split;   /* at least one character; Keras: " " */
  bool lower;         /* full Unicode, with Python's final sigma and dotted I */
  bool characters;    /* pieces are code points; then filters are not applied */
} marea_splitter_options;

/* NULL: MAREA_FORMAT (options are no UTF-8), MAREA_ARGUMENT (empty split), MAREA_NOMEM. */
marea_splitter *marea_splitter_new(const marea_splitter_options *options);
void marea_splitter_free(marea_splitter *splitter); /* NULL is allowed */

/* Receives each piece; the bytes are borrowed until it returns. */
typedef marea_status marea_piece(void *context, const char *bytes, size_t length);

/* Cuts a text. Stops at the first status that is not MAREA_OK; MAREA_FORMAT names the offset
 * (from 1) of a byte that is no UTF-8. */
marea_status marea_split(const marea_splitter *splitter, marea_text text, marea_piece *piece,
                         void *context);

#endif

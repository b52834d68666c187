/* What the stages of the text pipeline hand on: normalizer → splitter → model → vocabulary →
 * encoder, one stage a file. */
#ifndef MAREA_TEXT_TOKEN_H
#define MAREA_TEXT_TOKEN_H

#include "base/status.h"
#include "text/unicode.h"

/* A piece of a text: its bytes, borrowed until the receiver returns, and where it lies in the text
 * (bytes begin … end - 1, from 0). */
typedef struct marea_token {
  const char *bytes;
  size_t length;
  size_t begin, end;
} marea_token;

/* Receives tokens in the order of the text. Any status but MAREA_OK stops the stage, which returns
 * it. */
typedef marea_status marea_token_sink(void *context, const marea_token *token);

#endif

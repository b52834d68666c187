/* Added tokens: strings of the text that have ids of their own and are never cut, such as "[MASK]".
 * Where several begin at one place, the longest is taken; the leftmost goes first. */
#ifndef MAREA_TEXT_ADDED_TOKENS_H
#define MAREA_TEXT_ADDED_TOKENS_H

#include "base/status.h"
#include "text/unicode.h"

typedef struct marea_added_token {
  marea_text text;
  int32_t id;
  bool special;                 /* not shown by decoding, unless asked */
  bool single_word;             /* only where no word character stands next to it */
  bool strip_left, strip_right; /* takes the white space beside it */
  bool normalized;              /* is looked for in the normalized text */
} marea_added_token;

typedef struct marea_added_tokens marea_added_tokens;

/* The texts are copied. NULL: MAREA_ARGUMENT (an empty text, an id that comes twice with different
 * texts), MAREA_NOMEM. */
marea_added_tokens *marea_added_tokens_new(const marea_added_token *tokens, size_t count);
void marea_added_tokens_free(marea_added_tokens *tokens); /* NULL is allowed */

size_t marea_added_tokens_count(const marea_added_tokens *tokens);
const marea_added_token *marea_added_tokens_at(const marea_added_tokens *tokens, size_t number);
const marea_added_token *marea_added_tokens_find(const marea_added_tokens *tokens, int32_t id);

/* Receives the parts of a text in order: bytes begin … end - 1, with the token they are or NULL. */
typedef marea_status marea_added_sink(void *context, const marea_added_token *token, size_t begin,
                                      size_t end);

/* Cuts a text at the tokens whose `normalized` is as asked. An empty text has no parts. */
marea_status marea_added_tokens_cut(const marea_added_tokens *tokens, marea_text text,
                                    bool normalized, marea_added_sink *sink, void *context);

/* Where the white space that ends at `at` begins (not before `least`), and where the white space
 * that begins at `at` ends. The text need not be valid UTF-8. */
size_t marea_space_before(marea_text text, size_t least, size_t at);
size_t marea_space_behind(marea_text text, size_t at);
/* Where the character at `at` ends. */
size_t marea_character_end(marea_text text, size_t at);

#endif

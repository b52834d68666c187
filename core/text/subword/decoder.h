/* Pieces back to text: a chain of steps, each of which rewrites the list of pieces, as the decoders
 * of Hugging Face's tokenizers do. What the last step leaves is joined. */
#ifndef MAREA_TEXT_DECODER_H
#define MAREA_TEXT_DECODER_H

#include "base/status.h"
#include "text/unicode.h"

/* One line a step: name in scripts. `from` and `to` are copied. */
#define MAREA_DECODE_MAP(X)                                                                        \
  X(BYTE_LEVEL, "byte_level")       /* GPT-2's alphabet to bytes; what is no UTF-8 is U+FFFD */    \
  X(WORDPIECE, "wordpiece")         /* `from` ("##") joins, anything else gets a blank before it;  \
                                       `flag`: English punctuation moves to its word */            \
  X(METASPACE, "metaspace")         /* `from` ("▁") is a blank; in the first piece, with `flag`, \
                                       nothing */                                                  \
  X(SUFFIX, "suffix")               /* `from` ("</w>") is a blank, at the end nothing */           \
  X(BYTE_FALLBACK, "byte_fallback") /* runs of <0xNN> are their bytes */                           \
  X(FUSE, "fuse")                   /* all pieces become one */                                    \
  X(STRIP, "strip")     /* up to `left` (`right`) times `from` off each piece's ends */            \
  X(REPLACE, "replace") /* `from` becomes `to` */

typedef enum marea_decode_kind {
#define MAREA_DECODE_ENUM(name, text) MAREA_DECODE_##name,
  MAREA_DECODE_MAP(MAREA_DECODE_ENUM)
#undef MAREA_DECODE_ENUM
      MAREA_DECODE_COUNT
} marea_decode_kind;

typedef struct marea_decode_step {
  marea_decode_kind kind;
  marea_text from, to;
  bool flag;
  size_t left, right;
} marea_decode_step;

typedef struct marea_decoder marea_decoder;

/* Without steps the pieces are joined by blanks. NULL: MAREA_ARGUMENT (`from` is empty where it
 * must not be, an unknown kind), MAREA_NOMEM. */
marea_decoder *marea_decoder_new(const marea_decode_step *steps, size_t count);
void marea_decoder_free(marea_decoder *decoder); /* NULL is allowed */

/* The text of pieces; *out is released by marea_free. */
marea_status marea_decode(const marea_decoder *decoder, const marea_text *pieces, size_t count,
                          char **out, size_t *length);

#endif

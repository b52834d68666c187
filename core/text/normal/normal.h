/* The first stage of the text pipeline: what happens to a text before it is cut. A normalizer is a
 * chain of steps, each in the file normal_*.c of its family; every step takes linear time. */
#ifndef MAREA_TEXT_NORMAL_H
#define MAREA_TEXT_NORMAL_H

#include "text/normal/rewrite.h"

/* One line a step: name in scripts; whether a text that is all ASCII stays as it is; its family. */
#define MAREA_NORMAL_MAP(X)                                                                        \
  X(NFC, "nfc", true, form)                                                                        \
  X(NFD, "nfd", true, form)                                                                        \
  X(NFKC, "nfkc", true, form)                                                                      \
  X(NFKD, "nfkd", true, form)                                                                      \
  X(LOWER, "lower", false, lower)                    /* full Unicode, as Python's str.lower */     \
  X(LOWER_ASCII, "lower_ascii", false, lower_ascii)  /* A to Z alone */                            \
  X(FOLD, "fold", false, fold)                       /* full case folding: ß becomes ss */        \
  X(STRIP_ACCENTS, "strip_accents", true, accents)   /* but those of `from`, as ñ */              \
  X(STRIP_MARKS, "strip_marks", true, marks)         /* drops Mn (after nfd: BERT); `whole`: M */  \
  X(STRIP_COMBINING, "strip_combining", true, marks) /* drops by combining class */                \
  X(HTML, "html", false, html)                       /* tags become `to`, entities characters */   \
  X(URLS, "urls", false, urls)                       /* URLs become `to` */                        \
  X(DIGITS, "digits", false, digits)             /* each digit, or with `whole` each run: `to` */  \
  X(REPLACE, "replace", false, replace)          /* each `from` becomes `to` */                    \
  X(CHARACTERS, "characters", false, characters) /* each character of `from` becomes `to` */       \
  X(PREPEND, "prepend", false, prepend)          /* `to` in front of a text that is not empty;     \
                                                 `once`: unless it begins with it */               \
  X(STRIP, "strip", false, strip)                /* white space at the ends (left, right) */       \
  X(COLLAPSE, "collapse", false, collapse)       /* two or more blanks become one */               \
  X(CLEAN, "clean", false, clean) /* BERT: controls vanish, white space is a blank */              \
  X(CJK_SPACES, "cjk_spaces", true, cjk_spaces) /* BERT: blanks around ideographs */               \
  X(FUNCTION, "function", false, own)           /* the caller's own */

typedef enum marea_normal_kind {
#define MAREA_NORMAL_ENUM(name, text, ascii, family) MAREA_NORMAL_##name,
  MAREA_NORMAL_MAP(MAREA_NORMAL_ENUM)
#undef MAREA_NORMAL_ENUM
      MAREA_NORMAL_COUNT
} marea_normal_kind;

/* A step of the caller's: writes what becomes of `in` by marea_rewrite_keep and _change, all of it,
 * as valid UTF-8. */
typedef marea_status marea_normal_function(void *context, marea_text in, marea_rewrite *out);

typedef struct marea_normal_step {
  marea_normal_kind kind;
  marea_text from, to; /* copied by marea_normalizer_new */
  bool left, right;    /* STRIP: which ends */
  bool whole;          /* DIGITS: a run at a time; STRIP_MARKS: all of M, not Mn alone */
  bool apart;          /* LOWER: each character by itself, so no final sigma */
  bool once;           /* PREPEND: not when the text begins with it */
  marea_spaces spaces; /* COLLAPSE */
  marea_normal_function *function;
  void *context;
} marea_normal_step;

/* What was changed or lost, so that nothing is lost in silence. */
typedef struct marea_normal_report {
  size_t invalid_bytes; /* replaced by U+FFFD */
  size_t tags, entities, urls, digits, accents, controls;
} marea_normal_report;

/* What to do with bytes that are no UTF-8. */
typedef enum marea_invalid { MAREA_INVALID_REFUSE, MAREA_INVALID_REPLACE } marea_invalid;

typedef struct marea_normalizer marea_normalizer;

/* NULL: MAREA_ARGUMENT (an unknown kind, a REPLACE of nothing), MAREA_FORMAT (from or to is no
 * UTF-8), MAREA_NOMEM. */
marea_normalizer *marea_normalizer_new(const marea_normal_step *steps, size_t count,
                                       marea_invalid invalid);
void marea_normalizer_free(marea_normalizer *normalizer); /* NULL is allowed */
bool marea_normalizer_has_function(const marea_normalizer *normalizer);

enum { MAREA_NORMAL_STEPS_MAX = 16 };

/* Memory that one thread uses again for each text. A zeroed struct is ready. */
typedef struct marea_normal_scratch {
  marea_rewrite steps[MAREA_NORMAL_STEPS_MAX + 1]; /* the first one: invalid bytes replaced */
  int used[MAREA_NORMAL_STEPS_MAX + 1];            /* steps that changed the text, in order */
  int used_count;
  marea_normal_report report; /* adds up over texts */
} marea_normal_scratch;

void marea_normal_scratch_free(marea_normal_scratch *scratch);

/* *out is the normalized text, in the scratch's memory, with MAREA_SLACK readable bytes behind it;
 * valid until the next call.
 * `track`: marea_normal_origin will be asked. MAREA_FORMAT names the first byte (from 1) that is no
 * UTF-8 when that is refused. */
marea_status marea_normalize(const marea_normalizer *normalizer, marea_text in, bool track,
                             marea_normal_scratch *scratch, marea_text *out);

/* Bytes begin … end - 1 of the last normalized text as bytes of the text given. */
void marea_normal_origin(const marea_normal_scratch *scratch, size_t *begin, size_t *end);

#endif

/* What the files split_*.c share: one function a rule. */
#ifndef MAREA_TEXT_SPLIT_RULE_H
#define MAREA_TEXT_SPLIT_RULE_H

#include "kernels/scan.h"
#include "text/split/splitter.h"

struct marea_splitter {
  marea_split_options options;
  /* For split_runs.c: separators in ASCII, and beyond (NULL: none are). */
  marea_byte_set cuts;
  bool (*cuts_wide)(const marea_splitter *splitter, int32_t code);
  int32_t *wide; /* FILTERS: separators beyond ASCII */
  size_t wide_count;
};

/* Where pieces go. */
typedef struct split_out {
  const char *text; /* begins here */
  marea_token_sink *sink;
  void *context;
} split_out;

typedef marea_status split_rule(const marea_splitter *splitter, marea_text text,
                                const split_out *out);

split_rule marea_split_whole, marea_split_runs, marea_split_words, marea_split_code_points,
    marea_split_graphemes, marea_split_bytes, marea_split_words_or_marks, marea_split_bert,
    marea_split_byte_level, marea_split_before, marea_split_punctuation, marea_split_digits,
    marea_split_literal, marea_split_own;

/* Gives bytes begin … end - 1; an empty piece is no piece. */
static inline marea_status split_give(const split_out *out, size_t begin, size_t end) {
  if (begin == end) return MAREA_OK;
  marea_token token = {out->text + begin, end - begin, begin, end};
  return out->sink(out->context, &token);
}

#endif

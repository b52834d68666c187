/* A list of texts, cut into runs of a quarter of a megabyte that threads encode side by side; the
 * sequences are joined in the order of the texts. */
#ifndef MAREA_TEXT_TEXT_RUNS_H
#define MAREA_TEXT_TEXT_RUNS_H

#include "text/sequences/sequences.h"
#include "text/unicode.h"

typedef struct marea_text_run {
  size_t first, last;         /* texts first … last - 1 of the list */
  size_t text;                /* the one that is being encoded: a failure names it */
  marea_sequences *sequences; /* takes one sequence a text */
  void *report;               /* all zero at first */
} marea_text_run;

typedef struct marea_text_runs {
  marea_status (*encode)(void *context, marea_text_run *run);
  void (*add_report)(void *to, const void *from);
  void *context;
  size_t report_bytes;
  bool serial; /* a function of the caller's takes part: everything in his thread */
} marea_text_runs;

/* Appends to `sequences`, adds to `report`. What a text is to blame for (MAREA_FORMAT, MAREA_STATE)
 * names it, from 1. */
marea_status marea_text_runs_encode(const marea_text_runs *runs, const marea_text *texts,
                                    size_t count, marea_sequences *sequences, void *report);

#endif

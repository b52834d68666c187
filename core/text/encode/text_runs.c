#include "text/encode/text_runs.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"

enum { RUN_BYTES = 1 << 18 };

typedef struct piece {
  marea_text_run run;
  marea_status status;
  char message[300];
} piece;

typedef struct work {
  const marea_text_runs *runs;
  piece *pieces;
} work;

/* Cuts the list; returns the number of runs. `pieces` may be NULL. */
static size_t cut_list(const marea_text *texts, size_t count, piece *pieces) {
  size_t number = 0, bytes = 0, first = 0;
  for (size_t i = 0; i < count; i++) {
    bytes += texts[i].length + 1;
    if (bytes < RUN_BYTES && i + 1 < count) continue;
    if (pieces != NULL) pieces[number].run = (marea_text_run){.first = first, .last = i + 1};
    number++;
    first = i + 1;
    bytes = 0;
  }
  return number;
}

static void encode_piece(void *context, size_t number) {
  const work *w = context;
  piece *p = &w->pieces[number];
  p->run.sequences = marea_sequences_new();
  p->run.report = marea_alloc_zero(1, w->runs->report_bytes);
  p->status = p->run.sequences == NULL || p->run.report == NULL
                  ? MAREA_NOMEM
                  : w->runs->encode(w->runs->context, &p->run);
  if (p->status != MAREA_OK) /* errors are per thread */
    snprintf(p->message, sizeof p->message, "%s", marea_error_text());
}

static marea_status fail_piece(const piece *p) {
  bool of_text = p->status == MAREA_FORMAT || p->status == MAREA_STATE;
  if (!of_text) return marea_fail(p->status, "%s", p->message);
  return marea_fail(p->status, "text %zu: %s", p->run.text + 1, p->message);
}

static marea_status join(const work *w, size_t number, marea_sequences *sequences, void *report) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < number; i++) {
    piece *p = &w->pieces[i];
    if (status == MAREA_OK && p->status != MAREA_OK) status = fail_piece(p);
    if (status == MAREA_OK) status = marea_sequences_append(sequences, p->run.sequences);
    if (status == MAREA_OK) w->runs->add_report(report, p->run.report);
    marea_sequences_free(p->run.sequences);
    marea_free(p->run.report);
  }
  return status;
}

marea_status marea_text_runs_encode(const marea_text_runs *runs, const marea_text *texts,
                                    size_t count, marea_sequences *sequences, void *report) {
  size_t number = cut_list(texts, count, NULL);
  work w = {runs, marea_alloc_zero(number, sizeof(piece))};
  if (w.pieces == NULL) return MAREA_NOMEM;
  cut_list(texts, count, w.pieces);
  if (runs->serial) {
    /* What failed, as a function of the caller's, must not be called again. */
    for (size_t i = 0; i < number && (i == 0 || w.pieces[i - 1].status == MAREA_OK); i++)
      encode_piece(&w, i);
  } else {
    marea_parallel(number, encode_piece, &w);
  }
  marea_status status = join(&w, number, sequences, report);
  marea_free(w.pieces);
  return status;
}

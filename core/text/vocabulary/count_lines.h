/* Counting the words of a file whose lines are documents, in constant memory. */
#ifndef MAREA_TEXT_COUNT_LINES_H
#define MAREA_TEXT_COUNT_LINES_H

#include "base/lines.h"
#include "text/vocabulary/count.h"

/* Counts the lines from the reader's place on, each a document, on all threads; each thread holds a
 * quarter of a megabyte of lines, or one line that is longer. Status as of the reader, and as
 * marea_count_source, where texts are lines. */
marea_status marea_count_lines(marea_vocabulary *vocabulary, const marea_pipeline *pipeline,
                               marea_lines *lines, marea_pipeline_report *report);

#endif

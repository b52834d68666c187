#include "text/vocabulary/count_lines.h"

#include <string.h>

#include "base/memory.h"

enum { BLOCK_BYTES = 1 << 18 };

/* The lines that one worker counts now. */
typedef struct block {
  char *bytes;
  size_t used, capacity;
  marea_text *texts; /* until the block is full: bytes is where the line begins in it */
  size_t count, text_capacity;
} block;

typedef struct line_source {
  marea_lines *lines;
  block blocks[MAREA_COUNT_WORKERS];
} line_source;

static marea_status add_line(block *b, const char *text, size_t length) {
  char *bytes = marea_grow(b->bytes, &b->capacity, b->used + length, 1);
  if (bytes == NULL) return MAREA_NOMEM;
  b->bytes = bytes;
  marea_text *texts = marea_grow(b->texts, &b->text_capacity, b->count + 1, sizeof *texts);
  if (texts == NULL) return MAREA_NOMEM;
  b->texts = texts;
  if (length > 0) memcpy(bytes + b->used, text, length);
  texts[b->count++].length = length;
  b->used += length;
  return MAREA_OK;
}

static marea_status next_block(void *context, size_t worker, const marea_text **texts,
                               size_t *count) {
  line_source *source = context;
  block *b = &source->blocks[worker];
  const char *text;
  size_t length;
  marea_status status = MAREA_OK;
  b->used = b->count = 0;
  while (status == MAREA_OK && b->used + b->count < BLOCK_BYTES && /* lines may all be empty */
         marea_lines_next(source->lines, &text, &length, &status))
    status = add_line(b, text, length);
  const char *at = b->bytes;
  for (size_t i = 0; i < b->count; at += b->texts[i++].length) b->texts[i].bytes = at;
  *texts = b->texts;
  *count = b->count;
  return status;
}

marea_status marea_count_lines(marea_vocabulary *v, const marea_pipeline *pipeline,
                               marea_lines *lines, marea_pipeline_report *report) {
  line_source *source = marea_alloc_zero(1, sizeof *source);
  if (source == NULL) return MAREA_NOMEM;
  source->lines = lines;
  marea_status status = marea_count_source(v, pipeline, next_block, source, report);
  for (size_t i = 0; i < MAREA_COUNT_WORKERS; i++) {
    marea_free(source->blocks[i].bytes);
    marea_free(source->blocks[i].texts);
  }
  marea_free(source);
  return status;
}

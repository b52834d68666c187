#include "embed/pair_run.h"

#include <string.h>

#include "base/memory.h"

enum { HEAD = 2, WORDS_A_PAIR = 3, WINDOW_BYTES = 1 << 17 }; /* of 32 bits; bytes */

struct marea_pair_run {
  marea_pair_buffer *blocks;
  size_t block_count, block_capacity;
  size_t held;
  uint64_t pairs;
  char *folder;
  bool spilled;
  marea_scratch_file file;
};

/* ---- buffers ---- */

static marea_status reserve(uint32_t **words, size_t *capacity, size_t wanted) {
  if (wanted <= *capacity) return MAREA_OK;
  size_t wider = wanted + wanted / 2 + 1024;
  uint32_t *moved = marea_realloc(*words, wider * sizeof **words);
  if (moved == NULL) return MAREA_NOMEM;
  *words = moved;
  *capacity = wider;
  return MAREA_OK;
}

uint32_t *marea_pair_buffer_row(marea_pair_buffer *buffer, uint32_t row, uint32_t n) {
  size_t wanted = buffer->used + HEAD + (size_t)n * WORDS_A_PAIR;
  if (reserve(&buffer->words, &buffer->capacity, wanted) != MAREA_OK) return NULL;
  uint32_t *head = buffer->words + buffer->used;
  head[0] = row;
  head[1] = n;
  buffer->used = wanted;
  buffer->pairs += n;
  return head + HEAD;
}

void marea_pair_buffer_free(marea_pair_buffer *buffer) {
  marea_free(buffer->words);
  *buffer = (marea_pair_buffer){0};
}

void marea_pair_set(uint32_t *body, uint32_t n, uint32_t k, uint32_t column, uint64_t sum) {
  body[k] = column;
  memcpy(body + n + 2 * (size_t)k, &sum, sizeof sum);
}

uint64_t marea_pair_sum(const uint32_t *body, uint32_t n, uint32_t k) {
  uint64_t sum;
  memcpy(&sum, body + n + 2 * (size_t)k, sizeof sum);
  return sum;
}

/* ---- runs ---- */

marea_pair_run *marea_pair_run_new(const char *folder) {
  marea_pair_run *run = marea_alloc_zero(1, sizeof *run);
  if (run == NULL) return NULL;
  run->file.descriptor = -1;
  if (folder != NULL) {
    run->folder = marea_strdup(folder);
    if (run->folder == NULL) {
      marea_free(run);
      return NULL;
    }
  }
  return run;
}

void marea_pair_run_free(marea_pair_run *run) {
  if (run == NULL) return;
  for (size_t i = 0; i < run->block_count; i++) marea_pair_buffer_free(&run->blocks[i]);
  marea_free(run->blocks);
  marea_scratch_file_close(&run->file);
  marea_free(run->folder);
  marea_free(run);
}

static marea_status write_block(marea_pair_run *run, marea_pair_buffer *buffer) {
  marea_status status =
      marea_scratch_file_append(&run->file, buffer->words, buffer->used * sizeof *buffer->words);
  marea_pair_buffer_free(buffer);
  return status;
}

/* A block that has grown by halves is cut to what it holds; one that cannot be cut stays. */
static void trim(marea_pair_buffer *buffer) {
  uint32_t *cut = marea_realloc(buffer->words, buffer->used * sizeof *cut);
  if (cut == NULL) return;
  buffer->words = cut;
  buffer->capacity = buffer->used;
}

static marea_status keep_block(marea_pair_run *run, marea_pair_buffer *buffer) {
  if (run->block_count == run->block_capacity) {
    size_t wider = 2 * run->block_capacity + 64;
    marea_pair_buffer *moved = marea_realloc(run->blocks, wider * sizeof *moved);
    if (moved == NULL) return MAREA_NOMEM;
    run->blocks = moved;
    run->block_capacity = wider;
  }
  trim(buffer);
  run->held += buffer->capacity * sizeof *buffer->words;
  run->blocks[run->block_count++] = *buffer;
  *buffer = (marea_pair_buffer){0};
  return MAREA_OK;
}

marea_status marea_pair_run_append(marea_pair_run *run, marea_pair_buffer *buffer) {
  uint64_t pairs = buffer->pairs;
  if (buffer->used == 0) return MAREA_OK;
  marea_status status = run->spilled ? write_block(run, buffer) : keep_block(run, buffer);
  if (status == MAREA_OK) run->pairs += pairs;
  return status;
}

marea_status marea_pair_run_spill(marea_pair_run *run) {
  if (run->spilled) return MAREA_OK;
  marea_status status = marea_scratch_file_open(&run->file, run->folder);
  run->spilled = true;
  for (size_t i = 0; i < run->block_count && status == MAREA_OK; i++)
    status = write_block(run, &run->blocks[i]);
  for (size_t i = 0; i < run->block_count; i++) marea_pair_buffer_free(&run->blocks[i]);
  run->block_count = 0;
  run->held = 0;
  return status;
}

bool marea_pair_run_spilled(const marea_pair_run *run) {
  return run->spilled;
}

size_t marea_pair_run_held(const marea_pair_run *run) {
  return run->held;
}

uint64_t marea_pair_run_pairs(const marea_pair_run *run) {
  return run->pairs;
}

uint64_t marea_pair_run_file_bytes(const marea_pair_run *run) {
  return run->file.size;
}

/* ---- cursors ---- */

void marea_pair_cursor_begin(marea_pair_cursor *cursor, const marea_pair_run *run) {
  *cursor = (marea_pair_cursor){.run = run};
}

/* Exactly `count` bytes of the file; *more is false when it ends before the first one. */
static marea_status take(marea_pair_cursor *c, void *to, size_t count, bool *more) {
  char *at = to;
  *more = true;
  while (count > 0) {
    if (c->window_at == c->window_end) {
      size_t got;
      marea_status status =
          marea_scratch_file_read(&c->run->file, c->offset, c->window, WINDOW_BYTES, &got);
      if (status != MAREA_OK) return status;
      c->offset += got;
      c->window_at = 0;
      c->window_end = got;
      *more = got > 0;
      if (got == 0) return MAREA_OK;
    }
    size_t ready = c->window_end - c->window_at, now = ready < count ? ready : count;
    memcpy(at, c->window + c->window_at, now);
    c->window_at += now;
    at += now;
    count -= now;
  }
  return MAREA_OK;
}

static marea_status next_of_file(marea_pair_cursor *c) {
  uint32_t head[HEAD];
  if (c->window == NULL) c->window = marea_alloc(WINDOW_BYTES);
  if (c->window == NULL) return MAREA_NOMEM;
  marea_status status = take(c, head, sizeof head, &c->there);
  if (status != MAREA_OK || !c->there) return status;
  size_t words = (size_t)head[1] * WORDS_A_PAIR;
  if (reserve(&c->copy, &c->copy_capacity, words) != MAREA_OK) return MAREA_NOMEM;
  status = take(c, c->copy, words * sizeof *c->copy, &c->there);
  if (status == MAREA_OK && !c->there && words > 0)
    return marea_fail(MAREA_IO, "a temporary file ends before its last row");
  c->there = true;
  c->row = head[0];
  c->count = head[1];
  c->body = c->copy;
  return status;
}

marea_status marea_pair_cursor_next(marea_pair_cursor *c) {
  if (c->run->spilled) return next_of_file(c);
  while (c->block < c->run->block_count && c->at == c->run->blocks[c->block].used) {
    c->block++;
    c->at = 0;
  }
  c->there = c->block < c->run->block_count;
  if (!c->there) return MAREA_OK;
  const uint32_t *head = c->run->blocks[c->block].words + c->at;
  c->row = head[0];
  c->count = head[1];
  c->body = head + HEAD;
  c->at += HEAD + (size_t)head[1] * WORDS_A_PAIR;
  return MAREA_OK;
}

void marea_pair_cursor_end(marea_pair_cursor *c) {
  marea_free(c->window);
  marea_free(c->copy);
  c->window = NULL;
  c->copy = NULL;
}

#include "embed/writing.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "embed/number.h"
#include "embed/output_formats.h"
#include "embed/own_format.h"

enum { ROWS_PER_PIECE = 64, PIECES = 16, NUMBER_BYTES = 17 };

/* ---- text ---- */

/* The shortest decimal form that gives the number back. */
static size_t write_number(char *to, float number) {
  size_t length = 0;
  for (int digits = 6; digits <= 9; digits++) {
    double back = 0;
    length = (size_t)snprintf(to, NUMBER_BYTES, "%.*g", digits, (double)number);
    const char *at = to;
    if (marea_number_read(&at, to + length, &back) && (float)back == number) break;
  }
  return length;
}

typedef struct text_writer {
  const marea_vectors *vectors;
  size_t first, last; /* rows of this wave */
  char *numbers;      /* (rows of a wave, width, NUMBER_BYTES) */
  size_t *lengths;    /* of each row's text */
  float *row;         /* a row a piece */
} text_writer;

static void format_piece(void *context, size_t piece) {
  text_writer *w = context;
  size_t width = w->vectors->width, first = w->first + piece * ROWS_PER_PIECE;
  size_t last = first + ROWS_PER_PIECE < w->last ? first + ROWS_PER_PIECE : w->last;
  float *row = w->row + piece * width;
  for (size_t at = first; at < last; at++) {
    char *text = w->numbers + (at - w->first) * width * NUMBER_BYTES;
    size_t length = 0;
    marea_vectors_row(w->vectors, at, row);
    for (size_t i = 0; i < width; i++) {
      text[length++] = ' ';
      length += write_number(text + length, row[i]);
    }
    w->lengths[at - w->first] = length;
  }
}

marea_status marea_output_check_word(marea_text word, size_t row, const char *refused) {
  bool bad = word.length == 0;
  for (size_t i = 0; i < word.length; i++) bad = bad || strchr(refused, word.bytes[i]) != NULL;
  if (!bad) return MAREA_OK;
  return marea_fail(MAREA_ARGUMENT,
                    "word %zu, \"%.*s\", is empty or holds a blank or line end that this format "
                    "cannot tell from its own",
                    row + 1, (int)(word.length < 80 ? word.length : 80), word.bytes);
}

static marea_status write_wave(text_writer *w, marea_output *output) {
  marea_parallel(marea_pieces(w->last - w->first, ROWS_PER_PIECE), format_piece, w);
  for (size_t at = w->first; at < w->last; at++) {
    marea_text word = marea_lexicon_word(&w->vectors->words, at);
    marea_status status = marea_output_check_word(word, at, "\n\r\t");
    if (status == MAREA_OK && (word.bytes[0] == ' ' || word.bytes[word.length - 1] == ' '))
      status = marea_output_check_word((marea_text){word.bytes, word.length}, at, " ");
    if (status == MAREA_OK) status = marea_output_write(output, word.bytes, word.length);
    if (status == MAREA_OK)
      status = marea_output_write(output,
                                  w->numbers + (at - w->first) * w->vectors->width * NUMBER_BYTES,
                                  w->lengths[at - w->first]);
    if (status == MAREA_OK) status = marea_output_write(output, "\n", 1);
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

static marea_status write_header(const marea_vectors *v, marea_output *output) {
  char text[64];
  int length = snprintf(text, sizeof text, "%zu %zu\n", v->rows, v->width);
  return marea_output_write(output, text, (size_t)length);
}

static marea_status write_text(const marea_vectors *v, marea_output *output) {
  size_t wave = ROWS_PER_PIECE * PIECES;
  text_writer w = {.vectors = v};
  w.numbers = marea_alloc_array(wave, v->width * NUMBER_BYTES);
  w.lengths = marea_alloc_array(wave, sizeof *w.lengths);
  w.row = marea_alloc_array(PIECES, v->width * sizeof *w.row);
  bool ready = w.numbers != NULL && w.lengths != NULL && w.row != NULL;
  marea_status status = ready ? MAREA_OK : MAREA_NOMEM;
  for (; w.first < v->rows && status == MAREA_OK; w.first += wave) {
    w.last = w.first + wave < v->rows ? w.first + wave : v->rows;
    status = write_wave(&w, output);
  }
  marea_free(w.numbers);
  marea_free(w.lengths);
  marea_free(w.row);
  return status;
}

/* ---- word2vec ---- */

static marea_status write_word2vec(const marea_vectors *v, marea_output *output) {
  float *row = marea_alloc_array(v->width, sizeof *row);
  marea_status status = row == NULL ? MAREA_NOMEM : MAREA_OK;
  for (size_t at = 0; at < v->rows && status == MAREA_OK; at++) {
    marea_text word = marea_lexicon_word(&v->words, at);
    status = marea_output_check_word(word, at, "\n ");
    marea_vectors_row(v, at, row);
    if (status == MAREA_OK) status = marea_output_write(output, word.bytes, word.length);
    if (status == MAREA_OK) status = marea_output_write(output, " ", 1);
    if (status == MAREA_OK) status = marea_output_write(output, row, v->width * sizeof *row);
    if (status == MAREA_OK) status = marea_output_write(output, "\n", 1);
  }
  marea_free(row);
  return status;
}

marea_status marea_vectors_save(const marea_vectors *v, const char *path,
                                marea_vector_format format, bool header) {
  marea_output output;
  if (format == MAREA_VECTORS_OWN) return marea_own_save(v, path);
  if (format != MAREA_VECTORS_TEXT && format != MAREA_VECTORS_WORD2VEC &&
      format != MAREA_VECTORS_FASTTEXT)
    return marea_fail(MAREA_ARGUMENT, "vectors cannot be written in this format");
  marea_status status = marea_output_open(&output, path);
  if (status != MAREA_OK) return status;
  if (format == MAREA_VECTORS_WORD2VEC || (header && format == MAREA_VECTORS_TEXT))
    status = write_header(v, &output);
  if (status == MAREA_OK)
    status = format == MAREA_VECTORS_TEXT       ? write_text(v, &output)
             : format == MAREA_VECTORS_WORD2VEC ? write_word2vec(v, &output)
                                                : marea_write_fasttext(v, &output);
  return marea_output_close(&output, status);
}

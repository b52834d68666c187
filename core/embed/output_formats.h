/* Inside embed only: what the writers of vector files share. */
#ifndef MAREA_EMBED_OUTPUT_FORMATS_H
#define MAREA_EMBED_OUTPUT_FORMATS_H

#include "embed/output.h"
#include "embed/vectors.h"

/* MAREA_ARGUMENT for a word that is empty or holds one of the `refused` bytes (or a zero byte). */
marea_status marea_output_check_word(marea_text word, size_t row, const char *refused);

marea_status marea_write_fasttext(const marea_vectors *vectors, marea_output *output);

#endif

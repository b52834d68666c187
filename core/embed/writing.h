/* Files of word vectors, written: as a whole or not at all. A path that ends in ".gz" is packed
 * (not for our own form, which is mapped). */
#ifndef MAREA_EMBED_WRITING_H
#define MAREA_EMBED_WRITING_H

#include "embed/reading.h"

/* TEXT, WORD2VEC, FASTTEXT (.bin, with the rows of parts if there are any) and OWN. `header`: a
 * text file begins with the line "V D". Numbers of text files have as many digits as give the same
 * float32 back. MAREA_ARGUMENT for a word that the format cannot hold (a line end; a blank in the
 * binary forms) and for a format that cannot be written. */
marea_status marea_vectors_save(const marea_vectors *vectors, const char *path,
                                marea_vector_format format, bool header);

#endif

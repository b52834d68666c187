/* A text that a normalizer step writes, with the places where it differs in length from the text it
 * came from, so that any byte can be traced back. */
#ifndef MAREA_TEXT_REWRITE_H
#define MAREA_TEXT_REWRITE_H

#include "base/status.h"
#include "text/unicode.h"

/* Output bytes begin … end - 1 stand for input bytes from … to - 1. Between edits bytes correspond
 * one to one. */
typedef struct marea_edit {
  size_t begin, end, from, to;
} marea_edit;

typedef struct marea_rewrite {
  char *bytes;
  size_t length, capacity;
  size_t consumed; /* input bytes dealt with */
  bool track;      /* whether edits are noted */
  marea_edit *edits;
  size_t edit_count, edit_capacity;
} marea_rewrite;

/* Empties it, keeping its memory. A zeroed struct is empty. */
void marea_rewrite_start(marea_rewrite *r, bool track);
void marea_rewrite_free(marea_rewrite *r);

/* Room for `length` more bytes at the end of bytes; NULL: MAREA_NOMEM. What is written there counts
 * after marea_rewrite_wrote. MAREA_SLACK bytes behind it can be read. */
char *marea_rewrite_room(marea_rewrite *r, size_t length);

/* The next `taken` input bytes became the next `length` output bytes, which are in place. */
marea_status marea_rewrite_wrote(marea_rewrite *r, size_t taken, size_t length);

/* The next `length` input bytes stay as they are. */
marea_status marea_rewrite_keep(marea_rewrite *r, const char *bytes, size_t length);

/* The next `taken` input bytes become these bytes; length 0 deletes, taken 0 inserts. */
marea_status marea_rewrite_change(marea_rewrite *r, size_t taken, const char *bytes, size_t length);

/* The next bytes, `in`, became these as a whole: no byte of the output stands for one byte of the
 * input, also when both are of one length, unless nothing changed. */
marea_status marea_rewrite_exchange(marea_rewrite *r, marea_text in, const char *bytes,
                                    size_t length);

/* The same as marea_rewrite_change for one code point. */
marea_status marea_rewrite_code(marea_rewrite *r, size_t taken, int32_t code);

/* Where output bytes begin … end - 1 come from in the input. */
void marea_rewrite_origin(const marea_rewrite *r, size_t *begin, size_t *end);

#endif

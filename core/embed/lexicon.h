/* The words of a vector store, in the order of their rows: bytes in one pool and a hash table of
 * four bytes a slot, so small that a store of vectors is little more than its matrix. The three
 * arrays may also lie in a mapped file. */
#ifndef MAREA_EMBED_LEXICON_H
#define MAREA_EMBED_LEXICON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "text/unicode.h"

typedef struct marea_lexicon {
  size_t count, capacity; /* words */
  uint64_t *starts;       /* count + 1 offsets into the pool */
  char *pool;
  size_t pool_capacity;
  uint32_t *slots;   /* row + 1 by hash, 0: free; open addressing */
  size_t slot_count; /* a power of two */
  bool borrowed;     /* the arrays lie in a file and are not freed */
} marea_lexicon;

enum { MAREA_LONGEST_WORD = 1 << 20 }; /* bytes of one word */

/* Empty, with room for `words` (0: grows as needed). MAREA_NOMEM. */
marea_status marea_lexicon_init(marea_lexicon *lexicon, size_t words);
void marea_lexicon_clear(marea_lexicon *lexicon);

/* Appends a word; *is_new false and nothing added when it is there already. MAREA_RANGE for a word
 * beyond MAREA_LONGEST_WORD or more than 2^32 - 2 words. */
marea_status marea_lexicon_add(marea_lexicon *lexicon, const char *bytes, size_t length,
                               bool *is_new);

/* The row of a word, -1 when it is unknown. */
int64_t marea_lexicon_find(const marea_lexicon *lexicon, const char *bytes, size_t length);
marea_text marea_lexicon_word(const marea_lexicon *lexicon, size_t row);

/* A copy that owns its arrays. */
marea_status marea_lexicon_copy(marea_lexicon *to, const marea_lexicon *from);

/* Whether arrays from a file hang together: offsets ascend to the pool's end, the table's size is a
 * power of two. What a slot says is checked when it is used. */
bool marea_lexicon_sound(const marea_lexicon *lexicon, size_t pool_bytes);

size_t marea_lexicon_bytes(const marea_lexicon *lexicon);

#endif

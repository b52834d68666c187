/* Words with their counts: a hash table over one pool of bytes, in the order of first sight, and a
 * ranking by count. */
#ifndef MAREA_TEXT_VOCABULARY_H
#define MAREA_TEXT_VOCABULARY_H

#include "text/splitter.h"

typedef struct marea_word {
  size_t offset, length; /* in the pool */
  int64_t count;         /* occurrences */
  int64_t documents;     /* documents with it */
  int64_t last_document;
  uint32_t hash;
} marea_word;

typedef struct marea_vocabulary {
  marea_word *words; /* in the order of first sight */
  size_t word_count, word_capacity;
  char *pool;
  size_t pool_bytes, pool_capacity;
  int32_t *slots; /* open addressing; place in words + 1, 0: free */
  size_t slot_count;
  int64_t document_count;
  int32_t *ranking; /* words by rank, 0 the most frequent; valid after marea_vocabulary_rank */
  int32_t *rank_of; /* the reverse */
} marea_vocabulary;

marea_vocabulary *marea_vocabulary_new(void);
void marea_vocabulary_free(marea_vocabulary *vocabulary); /* NULL is allowed */

/* The word's place among words, added with count 0 when it is new; -1: MAREA_NOMEM. */
int32_t marea_vocabulary_add(marea_vocabulary *vocabulary, const char *bytes, size_t length);
/* The same without adding; -1 when it is unknown. */
int32_t marea_vocabulary_find(const marea_vocabulary *vocabulary, const char *bytes, size_t length);
marea_text marea_vocabulary_word(const marea_vocabulary *vocabulary, int32_t place);

/* Counts the words of texts, each a document. Several threads work on pieces of the list, which
 * are merged in order: the result is that of one thread. MAREA_FORMAT names the text. */
marea_status marea_vocabulary_count(marea_vocabulary *vocabulary, const marea_splitter *splitter,
                                    const marea_text *texts, size_t count);

/* Counts a document that is a list of words already. */
marea_status marea_vocabulary_count_words(marea_vocabulary *vocabulary, const marea_text *words,
                                          size_t count);

/* Ranks the words by count, the largest first; ties keep the order of first sight (Keras). */
marea_status marea_vocabulary_rank(marea_vocabulary *vocabulary);

/* A 64-bit fingerprint of words, order and counts. */
uint64_t marea_vocabulary_hash(const marea_vocabulary *vocabulary);

/* A stable hash of bytes for a seed (the same in every process and on every machine). */
uint64_t marea_hash_bytes(const char *bytes, size_t length, uint64_t seed);

#endif

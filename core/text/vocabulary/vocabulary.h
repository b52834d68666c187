/* Words with their counts: a hash table over one pool of bytes, in the order of first sight, and a
 * ranking that gives words their ids. */
#ifndef MAREA_TEXT_VOCABULARY_H
#define MAREA_TEXT_VOCABULARY_H

#include "base/status.h"
#include "text/unicode.h"

typedef struct marea_word {
  size_t offset;     /* in the pool */
  size_t length;     /* bytes */
  int64_t count;     /* occurrences */
  int64_t documents; /* documents with it */
  int64_t last_document;
  uint64_t first; /* when it was first seen: run of the count (upper half), place in that run */
} marea_word;

/* Words of up to eight bytes are told apart by their key, without a look at the pool. */
typedef struct marea_slot {
  uint64_t key;    /* the bytes of a short word, a hash of a long one */
  uint32_t length; /* bytes */
  int32_t place;   /* in words + 1; 0: free */
} marea_slot;

typedef struct marea_vocabulary {
  marea_word *words; /* in the order of first sight */
  size_t word_count, word_capacity;
  char *pool;
  size_t pool_bytes, pool_capacity;
  marea_slot *slots; /* open addressing */
  size_t slot_count;
  int64_t document_count;
  uint64_t run;     /* number of the run of texts that is being counted */
  int32_t *ranking; /* words by rank, 0 the first; valid after marea_vocabulary_rank */
  size_t ranked;    /* how many have a rank */
  int32_t *rank_of; /* the reverse for the first `judged` words; -1: left out */
  size_t judged;    /* words added since the ranking have no rank */
} marea_vocabulary;

/* The rank of a word from 0, -1: it has none. */
static inline int32_t marea_vocabulary_rank_of(const marea_vocabulary *vocabulary, int32_t place) {
  return (size_t)place < vocabulary->judged ? vocabulary->rank_of[place] : -1;
}

marea_vocabulary *marea_vocabulary_new(void);
void marea_vocabulary_free(marea_vocabulary *vocabulary); /* NULL is allowed */

/* The word's place among words, added with count 0 when it is new; -1: MAREA_NOMEM, or MAREA_RANGE
 * for a word of 4 GB or too many words. */
int32_t marea_vocabulary_add(marea_vocabulary *vocabulary, const char *bytes, size_t length);
/* The same without adding; -1 when it is unknown. */
int32_t marea_vocabulary_find(const marea_vocabulary *vocabulary, const char *bytes, size_t length);
marea_text marea_vocabulary_word(const marea_vocabulary *vocabulary, int32_t place);

/* Counts one occurrence in the current document (number document_count from 0). Ends a document by
 * raising document_count. */
marea_status marea_vocabulary_note(marea_vocabulary *vocabulary, const char *bytes, size_t length);

/* The same in batches, so that memory is waited for once for many words: _prepare each word (its
 * bytes must stay, and eight more behind them can be read), then _note_all or _find_all. */
enum { MAREA_PREPARED = 32 };

typedef struct marea_prepared {
  const char *bytes;
  size_t length;
  uint64_t key;
  int32_t place;
} marea_prepared;

void marea_vocabulary_prepare(const marea_vocabulary *vocabulary, const char *bytes, size_t length,
                              marea_prepared *word);
/* Finds the places of words that exist; -1 for the others. */
void marea_vocabulary_find_all(const marea_vocabulary *vocabulary, marea_prepared *words,
                               size_t count);
marea_status marea_vocabulary_note_all(marea_vocabulary *vocabulary, marea_prepared *words,
                                       size_t count);

/* Adds the words, counts and documents of another, new words behind the old ones. `by_first`: both
 * count the same texts, and marea_vocabulary_settle will put the words in order. */
marea_status marea_vocabulary_merge(marea_vocabulary *vocabulary, const marea_vocabulary *from,
                                    bool by_first);

/* Puts the words into the order in which they were first seen. */
void marea_vocabulary_settle(marea_vocabulary *vocabulary);

/* Bytes it holds. */
size_t marea_vocabulary_bytes(const marea_vocabulary *vocabulary);

/* ---- ranking ---- */

typedef enum marea_ties {
  MAREA_TIES_FIRST,      /* order of first sight: Keras's Tokenizer */
  MAREA_TIES_ASCENDING,  /* by bytes: Hugging Face's WordLevel */
  MAREA_TIES_DESCENDING, /* by bytes, backwards: TextVectorization */
  MAREA_TIES_SIGNED      /* by bytes from -128 to 127: GloVe, where C's char has a sign */
} marea_ties;

typedef enum marea_order {
  MAREA_ORDER_COUNT, /* the most frequent first */
  MAREA_ORDER_BYTES, /* alphabetical by code point: scikit-learn */
  MAREA_ORDER_FIRST  /* as they came */
} marea_order;

/* Which words have ids, and in what order. `keep` counts words: the most frequent ones stay, ties
 * by `ties`. */
typedef struct marea_ranking {
  marea_order order;
  marea_ties ties;
  int64_t min_count, min_documents;
  int64_t max_documents; /* 0: any */
  size_t keep;           /* 0: all */
} marea_ranking;

/* How many words each limit leaves out. */
typedef struct marea_ranking_report {
  size_t rare, in_few_documents, in_many_documents, beyond_keep;
} marea_ranking_report;

/* Ranks the words; zeros are Keras's rule. `report` may be NULL. */
marea_status marea_vocabulary_rank(marea_vocabulary *vocabulary, const marea_ranking *rule,
                                   marea_ranking_report *report);

/* ---- hashes ---- */

/* A 64-bit fingerprint of words, order and counts. */
uint64_t marea_vocabulary_hash(const marea_vocabulary *vocabulary);

/* A stable hash of bytes for a seed (the same in every process and on every machine). */
uint64_t marea_hash_bytes(const char *bytes, size_t length, uint64_t seed);

#endif

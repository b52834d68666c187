/* A sub-word model's inside, for the files of its kinds. */
#ifndef MAREA_TEXT_SUBWORD_INTERNAL_H
#define MAREA_TEXT_SUBWORD_INTERNAL_H

#include "text/subword/pair_table.h"
#include "text/subword/subword.h"
#include "text/subword/trie.h"

enum { SHORT_WORD = 48 }; /* symbols; longer words are merged with a heap */

/* A piece has a place (of its string in `strings`) and an id (what the user sees). */
typedef struct subword_entry {
  int32_t id, place;
  double score;
} subword_entry;

typedef struct subword_merge {
  int32_t left, right, result; /* places */
} subword_merge;

struct marea_subword {
  marea_subword_options options; /* its texts lie in option_bytes */
  char *option_bytes;
  marea_vocabulary *strings; /* the pieces' strings */
  subword_entry *entries;    /* in the order of adding; by id once finished */
  size_t entry_count, entry_capacity;
  int32_t *id_of; /* per place; the last one added */
  double *score_of;
  subword_merge *merges; /* by rank */
  size_t merge_count, merge_capacity;
  marea_pair_table ranks; /* pair of places → merge */
  marea_trie trie;        /* WordPiece, Unigram */
  int32_t continuing;     /* WordPiece: the trie's node after the prefix, or -1 */
  int32_t unknown;        /* place, or -1 */
  double unknown_score;
  int32_t byte_piece[256];     /* byte_level: place of the byte's character, or -1 */
  int32_t fallback_piece[256]; /* byte_fallback: place of <0xNN>, or -1 */
  bool finished;
};

/* A symbol of a word that is being merged; a linked list in an array. */
typedef struct subword_symbol {
  int32_t piece;          /* place */
  uint32_t begin, end;    /* bytes of the word */
  int32_t previous, next; /* -1: none */
} subword_symbol;

/* A merge that waits: the smallest (rank, at) is the next. */
typedef struct subword_candidate {
  int32_t rank, at;
} subword_candidate;

/* Unigram: the best way to a byte. */
typedef struct subword_path {
  double score;
  int32_t piece;
  uint32_t begin; /* UINT32_MAX: not reached */
} subword_path;

typedef struct subword_cache subword_cache;

struct marea_subword_worker {
  const marea_subword *model;
  marea_stream stream;
  bool has_stream;
  marea_subword_token *tokens; /* of the last word */
  size_t token_count, token_capacity;
  size_t unknown, dropped; /* in the last word */
  subword_symbol *symbols;
  size_t symbol_count, symbol_capacity;
  subword_candidate *heap, *skipped;
  size_t heap_count, heap_capacity, skipped_count, skipped_capacity;
  subword_path *paths;
  size_t path_capacity;
  char *spelling;
  size_t spelling_capacity;
  subword_cache *cache; /* NULL: none */
  marea_subword_report report;
};

/* Appends a token to the worker's. */
marea_status subword_push(marea_subword_worker *worker, int32_t place, size_t begin, size_t end);

/* One word, not from the cache. */
marea_status subword_bpe(marea_subword_worker *worker, const char *word, size_t length);
marea_status subword_wordpiece(marea_subword_worker *worker, const char *word, size_t length);
marea_status subword_unigram(marea_subword_worker *worker, const char *word, size_t length);

/* Appends the bytes' pieces of an unknown character; false when one of them is missing. */
bool subword_fallback(const marea_subword *model, const char *bytes, size_t length);

/* ---- subword_cache.c ---- */
subword_cache *subword_cache_new(size_t bytes);
void subword_cache_free(subword_cache *cache);
/* What stands for a word in the cache. */
typedef struct subword_key {
  uint64_t first, last;
} subword_key;

/* The tokens of a word that is there; else NULL, and the key for keeping it. */
const marea_subword_token *subword_cache_find(const subword_cache *cache, const char *word,
                                              size_t length, subword_key *key, size_t *count,
                                              size_t *unknown, size_t *dropped);
/* Remembers the worker's last word; forgets everything first when the cache is full. */
void subword_cache_keep(subword_cache *cache, const char *word, size_t length, subword_key key,
                        const marea_subword_worker *worker);

/* ---- training ---- */
marea_subword *subword_train_bpe(const marea_vocabulary *words,
                                 const marea_subword_options *options,
                                 const marea_subword_training *training);
marea_subword *subword_train_unigram(const marea_vocabulary *words,
                                     const marea_subword_options *options,
                                     const marea_subword_training *training);

#endif

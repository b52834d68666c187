/* Sub-word models: a word is cut into pieces of a vocabulary.
 *
 *   BPE        merges neighbouring pieces, the earliest merge of training first (Sennrich, Haddow &
 *              Birch, 2016); its symbols are characters or, byte_level, bytes (Radford et al.,
 * 2019) WordPiece  takes the longest piece from the left, again and again (Schuster & Nakajima,
 * 2012) Unigram    takes the pieces whose product of probabilities is largest (Kudo, 2018)
 *
 * A model is filled (add, merge), finished, and from then on constant: any number of threads may
 * encode with it, each through a worker of its own. The ids are those of Hugging Face's tokenizers
 * for the same vocabulary. */
#ifndef MAREA_TEXT_SUBWORD_H
#define MAREA_TEXT_SUBWORD_H

#include "base/random.h"
#include "base/status.h"
#include "text/vocabulary/vocabulary.h"

typedef enum marea_subword_kind { MAREA_BPE, MAREA_WORDPIECE, MAREA_UNIGRAM } marea_subword_kind;

typedef struct marea_subword_options {
  marea_subword_kind kind;
  bool byte_level;    /* BPE: words are raw bytes, pieces are spelt in GPT-2's alphabet */
  bool fuse_unknown;  /* BPE: neighbouring unknown characters are one unknown piece */
  bool byte_fallback; /* BPE, Unigram: an unknown character becomes its bytes' pieces <0xNN> */
  bool ignore_merges; /* BPE: a word that is a piece is taken whole */
  double dropout; /* BPE: each merge is skipped with this probability (Provilkov et al., 2020) */
  marea_text unknown;    /* the piece of what is unknown; bytes NULL: none */
  marea_text prefix;     /* BPE, WordPiece: before every piece that does not begin a word ("##") */
  marea_text suffix;     /* BPE: after the piece that ends a word ("</w>") */
  size_t max_characters; /* WordPiece: longer words are unknown; 0: 100 */
} marea_subword_options;

typedef struct marea_subword marea_subword;

/* An empty model; the options' texts are copied. NULL: MAREA_RANGE (dropout), MAREA_ARGUMENT,
 * MAREA_NOMEM. */
marea_subword *marea_subword_new(const marea_subword_options *options);
void marea_subword_free(marea_subword *model); /* NULL is allowed */

/* Adds a piece under an id that is free; score is Unigram's log probability, else without meaning.
 * MAREA_ARGUMENT: the id or, except for Unigram, the piece is there already. */
marea_status marea_subword_add(marea_subword *model, marea_text piece, int32_t id, double score);

/* BPE: the next merge. Both pieces and their junction (without the right one's prefix) must have
 * been added, else MAREA_ARGUMENT names what is missing. A pair that comes again takes its last
 * rank. */
marea_status marea_subword_merge(marea_subword *model, marea_text left, marea_text right);

/* Builds the tables for encoding. MAREA_ARGUMENT: the unknown piece was not added. */
marea_status marea_subword_finish(marea_subword *model);

const marea_subword_options *marea_subword_options_of(const marea_subword *model);
size_t marea_subword_count(const marea_subword *model); /* pieces */

/* The number-th piece by id (number from 0). */
marea_text marea_subword_at(const marea_subword *model, size_t number, int32_t *id, double *score);
bool marea_subword_piece(const marea_subword *model, int32_t id, marea_text *piece);
int32_t marea_subword_id(const marea_subword *model, marea_text piece); /* -1: none */

size_t marea_subword_merges(const marea_subword *model);
void marea_subword_merge_at(const marea_subword *model, size_t rank, marea_text *left,
                            marea_text *right);

/* ---- encoding ---- */

typedef struct marea_subword_token {
  int32_t id;
  uint32_t begin, end; /* its bytes in the word; the bytes of a character that was cut by
                          byte_fallback share the character's range */
} marea_subword_token;

/* What encoding lost, added up since the worker was made. */
typedef struct marea_subword_report {
  size_t words, tokens;
  size_t unknown; /* tokens that are the unknown piece */
  size_t dropped; /* characters that vanished: the model has no piece for them and no unknown one */
} marea_subword_report;

/* What one thread needs to encode: scratch memory, the random numbers of dropout, and a cache of
 * whole words of at most `cache_bytes` (0: none). Bound to a finished model that outlives it. */
typedef struct marea_subword_worker marea_subword_worker;

marea_subword_worker *marea_subword_worker_new(const marea_subword *model, size_t cache_bytes);
void marea_subword_worker_free(marea_subword_worker *worker); /* NULL is allowed */

/* Sets the stream of dropout; NULL: no dropout until a stream is set. */
void marea_subword_worker_stream(marea_subword_worker *worker, const marea_stream *stream);
const marea_subword_report *marea_subword_worker_report(const marea_subword_worker *worker);

/* Cuts one word; the tokens are borrowed until the worker's next call. O(n log n) in the word's
 * bytes. MAREA_RANGE: the word has 2^31 bytes or more. MAREA_STATE: Unigram met a character that
 * has no piece and the model no unknown piece. */
marea_status marea_subword_encode(marea_subword_worker *worker, const char *word, size_t length,
                                  const marea_subword_token **tokens, size_t *count);

/* ---- training ---- */

typedef struct marea_subword_training {
  size_t vocab_size;          /* pieces, special ones included */
  int64_t min_frequency;      /* BPE, WordPiece: of a merge */
  const marea_text *specials; /* get the first ids */
  size_t special_count;
  marea_text alphabet;     /* characters that are pieces whether the words have them or not */
  size_t limit_alphabet;   /* BPE, WordPiece: only the most frequent characters; 0: all */
  size_t max_token_length; /* BPE, WordPiece: in characters; 0: any */
  size_t max_piece_length; /* Unigram: in characters; 0: 16 */
  size_t seed_size;        /* Unigram: pieces to begin with; 0: 1,000,000 */
  size_t sub_iterations;   /* Unigram: EM steps between prunings; 0: 2 */
  double shrinking_factor; /* Unigram: what a pruning keeps; 0: 0.75 */
} marea_subword_training;

/* A finished model of these options, trained on words with their counts. NULL: MAREA_ARGUMENT,
 * MAREA_RANGE (vocab_size too small for the characters), MAREA_FORMAT (a word is no UTF-8),
 * MAREA_NOMEM, MAREA_INTERRUPTED. */
marea_subword *marea_subword_train(const marea_vocabulary *words,
                                   const marea_subword_options *options,
                                   const marea_subword_training *training);

#endif

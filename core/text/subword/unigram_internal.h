/* What the files of Unigram's training share. */
#ifndef MAREA_TEXT_UNIGRAM_INTERNAL_H
#define MAREA_TEXT_UNIGRAM_INTERNAL_H

#include "text/subword/subword_internal.h"

/* Pieces with their scores, in an order that matters; piece 0 stands for what is unknown. */
typedef struct unigram_pieces {
  marea_vocabulary *strings; /* places are numbers */
  double *scores;
  size_t capacity;
} unigram_pieces;

marea_status unigram_pieces_new(unigram_pieces *pieces); /* with piece 0 in it */
void unigram_pieces_clear(unigram_pieces *pieces);
marea_status unigram_pieces_add(unigram_pieces *pieces, marea_text string, double score);

static inline size_t unigram_pieces_count(const unigram_pieces *pieces) {
  return pieces->strings->word_count;
}

/* The pieces to begin with: every character of the words, and the substrings that occur at least
 * twice and with different continuations, the largest (length × occurrences) first. Scores are log
 * probabilities. */
marea_status unigram_seed(const marea_vocabulary *words, size_t max_piece_length, size_t seed_size,
                          unigram_pieces *pieces);

/* All cuts of a word into pieces. Node 0 is the beginning, node 1 the end. */
typedef struct unigram_node {
  int32_t piece;
  uint32_t begin, end;
  int32_t next_begin, next_end; /* the next node that begins, ends at the same byte; -1: none */
  int32_t previous;             /* on the best path */
  double score, best, alpha, beta;
} unigram_node;

typedef struct unigram_lattice {
  const unigram_pieces *pieces;
  marea_trie trie;
  double unknown_score;
  unigram_node *nodes;
  size_t node_count, node_capacity;
  int32_t *begins, *ends, *last_begins, *last_ends; /* per byte: lists of nodes */
  size_t byte_capacity;
  int32_t *path; /* nodes of the best path, the last first */
  size_t path_count, path_capacity;
} unigram_lattice;

/* Builds the trie of these pieces (borrowed). */
marea_status unigram_lattice_new(unigram_lattice *lattice, const unigram_pieces *pieces);
void unigram_lattice_clear(unigram_lattice *lattice);
marea_status unigram_lattice_fill(unigram_lattice *lattice, marea_text word);

/* The best path, without the node of `avoided` bytes when that is not 0. */
marea_status unigram_lattice_best(unigram_lattice *lattice, size_t length, size_t avoided);

/* Adds freq × the probability of each piece in the word to expected. */
void unigram_lattice_expect(unigram_lattice *lattice, size_t length, double freq, double *expected);

#endif

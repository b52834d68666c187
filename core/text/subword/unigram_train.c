/* Unigram, trained (Kudo, 2018, in the form of SentencePiece and Hugging Face's tokenizers): many
 * seed pieces, expectation and maximisation, and again and again the pieces whose loss would cost
 * the likelihood least are dropped, until there are 1.1 × vocab_size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "text/subword/unigram_internal.h"

enum { DEFAULT_LENGTH = 16, DEFAULT_SEED = 1000000, DEFAULT_STEPS = 2 };

static const double default_shrinking = 0.75, least_expected = 0.5, penalty_step = 0.0001;

typedef struct em {
  const marea_vocabulary *words;
  const marea_subword_options *options;
  marea_subword_training training; /* with its defaults filled in */
  unigram_pieces pieces;
  size_t desired; /* pieces when pruning ends */
} em;

/* The derivative of log Γ (by recurrence and its asymptotic series). */
static double digamma(double x) {
  double result = 0;
  for (; x < 7; x++) result -= 1 / x;
  x -= 0.5;
  double square = 1 / (x * x), fourth = square * square;
  return result + log(x) + square / 24 - 7 * fourth / 960 + 31 * fourth * square / 8064 -
         127 * fourth * fourth / 30720;
}

static marea_text word_at(const em *e, size_t i, double *count) {
  *count = (double)e->words->words[i].count;
  return marea_vocabulary_word(e->words, (int32_t)i);
}

static marea_text piece_at(const em *e, size_t i) {
  return marea_vocabulary_word(e->pieces.strings, (int32_t)i);
}

/* ---- one step of EM ---- */

static marea_status expect(const em *e, double *expected) {
  unigram_lattice lattice;
  marea_status status = unigram_lattice_new(&lattice, &e->pieces);
  for (size_t i = 0; i < e->words->word_count && status == MAREA_OK; i++) {
    double count;
    marea_text word = word_at(e, i, &count);
    if (marea_interrupted()) status = marea_fail(MAREA_INTERRUPTED, "interrupted");
    if (status == MAREA_OK) status = unigram_lattice_fill(&lattice, word);
    if (status == MAREA_OK) unigram_lattice_expect(&lattice, word.length, count, expected);
  }
  unigram_lattice_clear(&lattice);
  return status;
}

/* Pieces that are expected less than half a time go; the others' scores come from their expected
 * counts, with the digamma function as a sparse prior. */
static marea_status maximise(em *e, const double *expected) {
  unigram_pieces kept;
  marea_status status = unigram_pieces_new(&kept);
  double sum = 0;
  for (size_t i = 1; i < unigram_pieces_count(&e->pieces) && status == MAREA_OK; i++) {
    if (expected[i] < least_expected) continue;
    status = unigram_pieces_add(&kept, piece_at(e, i), digamma(expected[i]));
    sum += expected[i];
  }
  if (status != MAREA_OK) {
    unigram_pieces_clear(&kept);
    return status;
  }
  double whole = digamma(sum);
  for (size_t i = 1; i < unigram_pieces_count(&kept); i++) kept.scores[i] -= whole;
  unigram_pieces_clear(&e->pieces);
  e->pieces = kept;
  return MAREA_OK;
}

static marea_status step(em *e) {
  double *expected = marea_alloc_zero(unigram_pieces_count(&e->pieces), sizeof *expected);
  marea_status status = expected == NULL ? MAREA_NOMEM : expect(e, expected);
  if (status == MAREA_OK) status = maximise(e, expected);
  marea_free(expected);
  return status;
}

/* ---- pruning ---- */

typedef struct candidate {
  double loss;
  size_t piece;
} candidate;

static int by_loss(const void *left, const void *right) {
  const candidate *a = left, *b = right;
  if (a->loss != b->loss) return a->loss > b->loss ? -1 : 1;
  return a->piece < b->piece ? -1 : a->piece > b->piece;
}

/* How often each piece is on the words' best paths. */
static marea_status count_best(const em *e, unigram_lattice *lattice, double *freq, double *words) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < e->words->word_count && status == MAREA_OK; i++) {
    double count;
    marea_text word = word_at(e, i, &count);
    *words += count;
    status = unigram_lattice_fill(lattice, word);
    if (status == MAREA_OK) status = unigram_lattice_best(lattice, word.length, 0);
    for (size_t j = 0; j < lattice->path_count && status == MAREA_OK; j++)
      freq[lattice->nodes[lattice->path[j]].piece] += count;
  }
  return status;
}

/* What a piece would be cut into without it: in the lattice's path, empty when it is not the best
 * cut of its own string or is a single character.. */
static marea_status alternative(unigram_lattice *lattice, marea_text string, bool *kept) {
  int32_t code;
  marea_status status = unigram_lattice_fill(lattice, string);
  if (status == MAREA_OK) status = unigram_lattice_best(lattice, string.length, 0);
  if (status != MAREA_OK) return status;
  *kept = lattice->path_count == 1;
  bool single = marea_utf8_decode(string.bytes, string.length, &code) == string.length;
  if (*kept && !single) return unigram_lattice_best(lattice, string.length, string.length);
  lattice->path_count = 0;
  return MAREA_OK;
}

/* How much the likelihood falls when all of a piece's occurrences are cut as its alternative. */
static double loss_of(const unigram_lattice *lattice, const double *freq, double own, double sum,
                      double words) {
  double before = log(own) - log(sum), after = 0;
  double log_sum = log(sum + own * ((double)lattice->path_count - 1));
  for (size_t i = lattice->path_count; i-- > 0;)
    after += log(freq[lattice->nodes[lattice->path[i]].piece] + own) - log_sum;
  return own / words * (before - after);
}

/* Sorts the pieces into those that stay (added to kept) and candidates. */
static marea_status judge(const em *e, unigram_lattice *lattice, const double *freq, double words,
                          unigram_pieces *kept, candidate *list, size_t *candidates) {
  double sum = 0;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < unigram_pieces_count(&e->pieces); i++) sum += freq[i];
  for (size_t i = 1; i < unigram_pieces_count(&e->pieces) && status == MAREA_OK; i++) {
    bool own_best;
    status = alternative(lattice, piece_at(e, i), &own_best);
    if (status != MAREA_OK || (freq[i] == 0 && !own_best)) continue;
    if (lattice->path_count == 0)
      status = unigram_pieces_add(kept, piece_at(e, i), e->pieces.scores[i]);
    else if (freq[i] > 0)
      list[(*candidates)++] = (candidate){loss_of(lattice, freq, freq[i], sum, words), i};
  }
  return status;
}

static marea_status prune_into(em *e, unigram_pieces *kept, double *freq, candidate *list) {
  unigram_lattice lattice;
  size_t candidates = 0, before = unigram_pieces_count(&e->pieces);
  double words = 0;
  marea_status status = unigram_lattice_new(&lattice, &e->pieces);
  if (status == MAREA_OK) status = count_best(e, &lattice, freq, &words);
  if (status == MAREA_OK) status = judge(e, &lattice, freq, words, kept, list, &candidates);
  unigram_lattice_clear(&lattice);
  if (status != MAREA_OK) return status;
  size_t goal = (size_t)((double)before * e->training.shrinking_factor);
  if (goal < e->desired) goal = e->desired;
  qsort(list, candidates, sizeof *list, by_loss);
  for (size_t i = 0; i < candidates && status == MAREA_OK; i++) {
    if (unigram_pieces_count(kept) == goal) break;
    size_t piece = list[i].piece;
    status = unigram_pieces_add(kept, piece_at(e, piece), e->pieces.scores[piece]);
  }
  return status;
}

static marea_status prune(em *e) {
  unigram_pieces kept;
  size_t count = unigram_pieces_count(&e->pieces);
  marea_status status = unigram_pieces_new(&kept);
  double *freq = marea_alloc_zero(count, sizeof *freq);
  candidate *list = marea_alloc_array(count, sizeof *list);
  if (status == MAREA_OK && (freq == NULL || list == NULL)) status = MAREA_NOMEM;
  if (status == MAREA_OK) status = prune_into(e, &kept, freq, list);
  marea_free(freq);
  marea_free(list);
  if (status != MAREA_OK) {
    unigram_pieces_clear(&kept);
    return status;
  }
  unigram_pieces_clear(&e->pieces);
  e->pieces = kept;
  return MAREA_OK;
}

static marea_status run(em *e) {
  for (;;) {
    size_t before = unigram_pieces_count(&e->pieces);
    marea_status status = MAREA_OK;
    for (size_t i = 0; i < e->training.sub_iterations && status == MAREA_OK; i++) status = step(e);
    if (status != MAREA_OK) return status;
    if (unigram_pieces_count(&e->pieces) <= e->desired) return MAREA_OK;
    status = prune(e);
    if (status != MAREA_OK) return status;
    if (unigram_pieces_count(&e->pieces) >= before) return MAREA_OK; /* nothing more can go */
  }
}

/* ---- the model ---- */

typedef struct final_piece {
  marea_text string;
  double score;
  size_t order;
} final_piece;

static int by_score(const void *left, const void *right) {
  const final_piece *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->order < b->order ? -1 : a->order > b->order;
}

/* The characters that must be pieces, by code point: those of the words and of the alphabet. */
static marea_status required(const em *e, unsigned char *table, size_t *count) {
  for (size_t i = 0; i <= e->words->word_count; i++) {
    double unused;
    marea_text text = i < e->words->word_count ? word_at(e, i, &unused) : e->training.alphabet;
    for (size_t at = 0, width; at < text.length; at += width) {
      int32_t code;
      width = marea_utf8_decode(text.bytes + at, text.length - at, &code);
      if (width == 0) return marea_fail(MAREA_FORMAT, "the initial alphabet is not valid UTF-8");
      *count += !table[code];
      table[code] = 1;
    }
  }
  if (*count <= e->training.vocab_size) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "vocab_size is %zu, but the words have %zu characters",
                    e->training.vocab_size, *count);
}

static bool is_special(const em *e, marea_text text) {
  for (size_t i = 0; i < e->training.special_count; i++) {
    marea_text special = e->training.specials[i];
    if (special.length == text.length && memcmp(special.bytes, text.bytes, text.length) == 0)
      return true;
  }
  return false;
}

/* The final pieces without the special ones, in `list`; single characters lie in `room`. */
static size_t choose(const em *e, const unsigned char *table, final_piece *list, char *room,
                     size_t limit) {
  enum { CODES = 0x110000 };
  size_t used = 0;
  double penalty = 0, least = HUGE_VAL;
  for (size_t i = 1; i < unigram_pieces_count(&e->pieces); i++)
    if (e->pieces.scores[i] < least) least = e->pieces.scores[i];
  if (!isfinite(least)) least = 0;
  for (int32_t code = 0; code < CODES; code++) {
    if (!table[code]) continue;
    marea_text string = {room, marea_utf8_encode(code, room)};
    room += string.length;
    int32_t place = marea_vocabulary_find(e->pieces.strings, string.bytes, string.length);
    double score = place < 0 ? least + penalty : e->pieces.scores[place];
    if (place < 0) penalty += penalty_step;
    list[used] = (final_piece){string, score, used};
    used++;
  }
  for (size_t i = 1; i < unigram_pieces_count(&e->pieces) && used < limit; i++) {
    marea_text string = piece_at(e, i);
    int32_t code;
    if (marea_utf8_decode(string.bytes, string.length, &code) == string.length && table[code])
      continue;
    list[used] = (final_piece){string, e->pieces.scores[i], used};
    used++;
  }
  qsort(list, used, sizeof *list, by_score);
  return used;
}

static marea_status fill_model(const em *e, marea_subword *m, const final_piece *list,
                               size_t count) {
  int32_t id = 0;
  marea_status status = MAREA_OK;
  marea_text unknown = e->options->unknown;
  if (unknown.bytes != NULL && !is_special(e, unknown))
    status = marea_subword_add(m, unknown, id++, 0);
  for (size_t i = 0; i < e->training.special_count && status == MAREA_OK; i++)
    status = marea_subword_add(m, e->training.specials[i], id++, 0);
  for (size_t i = 0; i < count && status == MAREA_OK; i++)
    status = marea_subword_add(m, list[i].string, id++, list[i].score);
  return status == MAREA_OK ? marea_subword_finish(m) : status;
}

static marea_status finalize(const em *e, marea_subword *m, const unsigned char *table,
                             size_t required_count) {
  size_t reserved = e->training.special_count;
  marea_text unknown = e->options->unknown;
  if (unknown.bytes != NULL && !is_special(e, unknown)) reserved++;
  if (reserved >= e->training.vocab_size)
    return marea_fail(MAREA_RANGE, "vocab_size is %zu, but there are %zu special pieces",
                      e->training.vocab_size, reserved);
  size_t room = unigram_pieces_count(&e->pieces) + required_count;
  final_piece *list = marea_alloc_array(room, sizeof *list);
  char *bytes = marea_alloc(4 * required_count);
  marea_status status = list == NULL || bytes == NULL ? MAREA_NOMEM : MAREA_OK;
  if (status == MAREA_OK) {
    size_t count = choose(e, table, list, bytes, e->training.vocab_size - reserved);
    status = fill_model(e, m, list, count);
  }
  marea_free(list);
  marea_free(bytes);
  return status;
}

static void fill_defaults(marea_subword_training *t) {
  if (t->max_piece_length == 0) t->max_piece_length = DEFAULT_LENGTH;
  if (t->seed_size == 0) t->seed_size = DEFAULT_SEED;
  if (t->sub_iterations == 0) t->sub_iterations = DEFAULT_STEPS;
  if (t->shrinking_factor == 0) t->shrinking_factor = default_shrinking;
}

static marea_status train(em *e, marea_subword *m, unsigned char *table) {
  size_t required_count = 0;
  marea_status status = unigram_pieces_new(&e->pieces);
  if (status == MAREA_OK)
    status =
        unigram_seed(e->words, e->training.max_piece_length, e->training.seed_size, &e->pieces);
  if (status == MAREA_OK) status = required(e, table, &required_count);
  if (status == MAREA_OK) status = run(e);
  return status == MAREA_OK ? finalize(e, m, table, required_count) : status;
}

marea_subword *subword_train_unigram(const marea_vocabulary *words,
                                     const marea_subword_options *options,
                                     const marea_subword_training *training) {
  em e = {.words = words, .options = options, .training = *training};
  fill_defaults(&e.training);
  e.desired = training->vocab_size * 11 / 10;
  if (!(e.training.shrinking_factor > 0 && e.training.shrinking_factor < 1)) {
    marea_fail(MAREA_RANGE, "shrinking_factor is %g, expected more than 0 and less than 1",
               e.training.shrinking_factor);
    return NULL;
  }
  marea_subword *m = marea_subword_new(options);
  unsigned char *table = m == NULL ? NULL : marea_alloc_zero(0x110000, 1);
  marea_status status = table == NULL ? MAREA_NOMEM : train(&e, m, table);
  unigram_pieces_clear(&e.pieces);
  marea_free(table);
  if (status == MAREA_OK) return m;
  marea_subword_free(m);
  return NULL;
}

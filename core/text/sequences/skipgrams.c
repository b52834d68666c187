#include "text/sequences/skipgrams.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

/* Each use of chance has a stream of its own, so that one does not shift another. */
enum { CENTRES = 1, ORDER = 2, PARTNERS = 3, FINAL = 4 };

/* Whether place i is the centre of pairs. The number belongs to the place: counting and filling see
 * the same one. */
static bool is_centre(const int32_t *ids, size_t i, const marea_skipgrams *o) {
  if (ids[i] == 0) return false;
  if (o->table == NULL) return true;
  marea_stream stream = {o->seed, CENTRES, i};
  return (double)o->table[ids[i]] >= marea_stream_uniform(&stream);
}

static void window_of(size_t i, size_t count, size_t window, size_t *first, size_t *last) {
  *first = i > window ? i - window : 0;
  *last = window < count - 1 - i ? i + window : count - 1;
}

static marea_status check_ids(const int32_t *ids, size_t count, const marea_skipgrams *o) {
  int64_t limit = o->vocabulary_size;
  if (o->table != NULL && o->table_size < (size_t)limit)
    return marea_fail(MAREA_SHAPE,
                      "the sampling table has %zu entries, the vocabulary has %lld words",
                      o->table_size, (long long)limit);
  for (size_t i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= limit)
      return marea_fail(MAREA_RANGE, "place %zu has id %d, allowed are 0 to %lld", i + 1, ids[i],
                        (long long)limit - 1);
  return MAREA_OK;
}

marea_status marea_skipgrams_count(const int32_t *ids, size_t count, const marea_skipgrams *o,
                                   size_t *positives, size_t *negatives) {
  size_t first, last, pairs = 0;
  if (o->vocabulary_size < 2 || o->vocabulary_size > INT32_MAX)
    return marea_fail(MAREA_RANGE, "vocabulary_size is %lld, expected 2 or more",
                      (long long)o->vocabulary_size);
  if (!(o->negatives >= 0 && o->negatives <= 1e6))
    return marea_fail(MAREA_RANGE, "negative_samples is %g, expected 0 to 1000000", o->negatives);
  marea_status status = check_ids(ids, count, o);
  if (status != MAREA_OK) return status;
  for (size_t i = 0; i < count && pairs <= INT32_MAX; i++) {
    if (!is_centre(ids, i, o)) continue;
    window_of(i, count, o->window, &first, &last);
    for (size_t j = first; j <= last; j++) pairs += j != i && ids[j] != 0;
  }
  double total = (double)pairs + floor((double)pairs * o->negatives);
  if (total > INT32_MAX)
    return marea_fail(MAREA_RANGE, "more than 2^31 pairs; cut the sequence into parts");
  *positives = pairs;
  *negatives = (size_t)((double)pairs * o->negatives);
  return MAREA_OK;
}

static void fill_positives(const int32_t *ids, size_t count, const marea_skipgrams *o,
                           int32_t *couples) {
  size_t first, last;
  for (size_t i = 0; i < count; i++) {
    if (!is_centre(ids, i, o)) continue;
    window_of(i, count, o->window, &first, &last);
    for (size_t j = first; j <= last; j++) {
      if (j == i || ids[j] == 0) continue;
      *couples++ = ids[i];
      *couples++ = ids[j];
    }
  }
}

static void fill_negatives(const marea_skipgrams *o, size_t positives, size_t negatives,
                           const int32_t *order, int32_t *couples) {
  marea_stream partners = marea_stream_new(o->seed, PARTNERS);
  uint64_t words = (uint64_t)o->vocabulary_size - 1;
  for (size_t i = 0; i < negatives; i++) {
    int32_t *couple = couples + 2 * (positives + i);
    couple[0] = couples[2 * (size_t)order[i % positives]];
    couple[1] = (int32_t)(1 + marea_stream_below(&partners, words));
  }
}

/* Fisher-Yates on couples and labels together. */
static void shuffle_pairs(uint64_t seed, size_t count, int32_t *couples, int32_t *labels) {
  marea_stream stream = marea_stream_new(seed, FINAL);
  for (size_t i = count; i > 1; i--) {
    size_t j = (size_t)marea_stream_below(&stream, i), last = i - 1;
    int32_t couple[2], label = labels[last];
    memcpy(couple, couples + 2 * last, sizeof couple);
    memmove(couples + 2 * last, couples + 2 * j, sizeof couple);
    memcpy(couples + 2 * j, couple, sizeof couple);
    labels[last] = labels[j];
    labels[j] = label;
  }
}

marea_status marea_skipgrams_fill(const int32_t *ids, size_t count, const marea_skipgrams *o,
                                  size_t positives, size_t negatives, int32_t *couples,
                                  int32_t *labels) {
  fill_positives(ids, count, o, couples);
  for (size_t i = 0; i < positives + negatives; i++) labels[i] = i < positives;
  if (negatives > 0) {
    int32_t *order = marea_alloc_array(positives, sizeof *order);
    if (order == NULL) return MAREA_NOMEM;
    marea_stream stream = marea_stream_new(o->seed, ORDER);
    marea_stream_permutation(&stream, order, positives);
    fill_negatives(o, positives, negatives, order, couples);
    marea_free(order);
  }
  if (o->shuffle) shuffle_pairs(o->seed, positives + negatives, couples, labels);
  return MAREA_OK;
}

void marea_sampling_table(double factor, marea_real *table, size_t count) {
  const double gamma = 0.577;
  for (size_t i = 0; i < count; i++) {
    double r = i == 0 ? 1 : (double)i;
    double f = factor * (r * (log(r) + gamma) + 0.5 - 1 / (12 * r));
    double kept = f / sqrt(f);
    table[i] = (marea_real)(kept < 1 ? kept : 1);
  }
}

#include "kernels/sampling.h"

#include <math.h>
#include <stdbool.h>

enum { MOST_TOKENS = 1 << 22 };
static const double ONE = 1099511627776.0; /* 2^40, the weight of the largest logit */

/* e^x for x <= 0 by plain operations in a fixed order, which no C library changes: x = k ln 2 + r,
 * Taylor's series for e^r. The error is below 1e-15. */
static double exponential(double x) {
  static const double coefficients[] = {1.0 / 6227020800,
                                        1.0 / 479001600,
                                        1.0 / 39916800,
                                        1.0 / 3628800,
                                        1.0 / 362880,
                                        1.0 / 40320,
                                        1.0 / 5040,
                                        1.0 / 720,
                                        1.0 / 120,
                                        1.0 / 24,
                                        1.0 / 6,
                                        0.5,
                                        1.0,
                                        1.0};
  if (!(x > -700)) return 0;
  double k = floor(x * 1.4426950408889634 + 0.5);
  double r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
  double sum = 0;
  for (size_t i = 0; i < sizeof coefficients / sizeof *coefficients; i++)
    sum = sum * r + coefficients[i];
  return ldexp(sum, (int)k);
}

static marea_status check_rule(const marea_sampling *rule, size_t n) {
  if (n == 0 || n > MOST_TOKENS)
    return marea_fail(MAREA_RANGE, "sampling: %zu logits, expected 1 to %d", n, MOST_TOKENS);
  if (!(rule->temperature >= 0) || isinf(rule->temperature))
    return marea_fail(MAREA_RANGE, "sampling: temperature is %g, expected a number from 0 on",
                      rule->temperature);
  if (!(rule->top_p > 0 && rule->top_p <= 1))
    return marea_fail(MAREA_RANGE, "sampling: top_p is %g, expected a number above 0 up to 1",
                      rule->top_p);
  if (!(rule->min_p >= 0 && rule->min_p <= 1))
    return marea_fail(MAREA_RANGE, "sampling: min_p is %g, expected a number from 0 to 1",
                      rule->min_p);
  if (!(rule->repetition_penalty > 0) || isinf(rule->repetition_penalty))
    return marea_fail(MAREA_RANGE, "sampling: repetition_penalty is %g, expected a number above 0",
                      rule->repetition_penalty);
  return MAREA_OK;
}

static marea_status penalise(double penalty, const int32_t *seen, size_t count, size_t n,
                             marea_choice *choices) {
  for (size_t i = 0; i < count; i++) {
    if (seen[i] < 0 || (size_t)seen[i] >= n)
      return marea_fail(MAREA_RANGE, "sampling: token %d was seen, there are 0 to %zu",
                        (int)seen[i], n - 1);
    double *score = &choices[seen[i]].score;
    *score = *score > 0 ? *score / penalty : *score * penalty;
  }
  return MAREA_OK;
}

/* Scores relative to the largest one, and weights. */
static marea_status weigh(double temperature, size_t n, marea_choice *choices) {
  double largest = -(double)INFINITY;
  for (size_t i = 0; i < n; i++) {
    if (isnan(choices[i].score))
      return marea_fail(MAREA_NONFINITE, "sampling: the logit of token %zu is NaN", i);
    if (choices[i].score > largest) largest = choices[i].score;
  }
  if (largest == -(double)INFINITY)
    return marea_fail(MAREA_NONFINITE, "sampling: the logits of all %zu tokens are -infinity", n);
  for (size_t i = 0; i < n; i++) {
    marea_choice *choice = &choices[i];
    bool top = choice->score == largest; /* also for infinity minus infinity */
    choice->score = top ? 0 : (choice->score - largest) / temperature;
    choice->weight = top ? (uint64_t)ONE : (uint64_t)(exponential(choice->score) * ONE + 0.5);
  }
  return MAREA_OK;
}

static bool before(const marea_choice *a, const marea_choice *b) {
  return a->score > b->score || (a->score == b->score && a->token < b->token);
}

static void sift(marea_choice *heap, size_t at, size_t n) {
  marea_choice moving = heap[at];
  for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
    if (!before(&heap[child], &moving)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moving;
}

/* Moves the `count` best choices to the end, the best one last. */
static void best_last(marea_choice *choices, size_t n, size_t count) {
  for (size_t at = n / 2; at > 0; at--) sift(choices, at - 1, n);
  for (size_t taken = 0; taken < count; taken++) {
    size_t last = n - 1 - taken;
    marea_choice best = choices[0];
    choices[0] = choices[last];
    choices[last] = best;
    sift(choices, 0, last);
  }
}

/* Where the shortest list from the end begins whose weights are at least the share p. */
static size_t nucleus(const marea_choice *choices, size_t first, size_t n, double p) {
  uint64_t total = 0, sum = 0;
  for (size_t i = first; i < n; i++) total += choices[i].weight;
  size_t at = n;
  while (at > first) {
    sum += choices[--at].weight;
    if ((double)sum >= p * (double)total) break;
  }
  return at;
}

marea_status marea_sampling_weigh(const marea_sampling *rule, const marea_real *logits, size_t n,
                                  const int32_t *seen, size_t count, marea_choice *choices,
                                  size_t *first) {
  marea_status status = check_rule(rule, n);
  if (status != MAREA_OK) return status;
  for (size_t i = 0; i < n; i++)
    choices[i] = (marea_choice){.score = (double)logits[i], .token = (int32_t)i};
  status = penalise(rule->repetition_penalty, seen, count, n, choices);
  if (status == MAREA_OK) status = weigh(rule->temperature, n, choices);
  if (status != MAREA_OK) return status;
  size_t k = rule->temperature == 0 ? 1 : rule->top_k == 0 || rule->top_k > n ? n : rule->top_k;
  if (k < n || rule->top_k > 0 || rule->top_p < 1) best_last(choices, n, k);
  *first = n - k;
  if (rule->top_p < 1) *first = nucleus(choices, *first, n, rule->top_p);
  double least = rule->min_p * ONE;
  size_t kept = n; /* those below min_p are left out, the order stays */
  for (size_t i = n; i > *first; i--)
    if ((double)choices[i - 1].weight >= least) choices[--kept] = choices[i - 1];
  *first = kept;
  return MAREA_OK;
}

/* Shell's sort: top-k and top-p leave the order of scores, in which near-equal tokens change
 * places with their last digits. */
static void sort_by_token(marea_choice *choices, size_t count) {
  for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
    for (size_t i = gap; i < count; i++) {
      marea_choice moving = choices[i];
      size_t at = i;
      for (; at >= gap && choices[at - gap].token > moving.token; at -= gap)
        choices[at] = choices[at - gap];
      choices[at] = moving;
    }
  }
}

static bool sorted_by_token(const marea_choice *choices, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (choices[i - 1].token > choices[i].token) return false;
  return true;
}

const marea_choice *marea_sampling_draw(marea_choice *choices, size_t count, marea_stream *stream) {
  if (!sorted_by_token(choices, count)) sort_by_token(choices, count);
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++) total += choices[i].weight;
  uint64_t drawn = marea_stream_place(stream, total);
  size_t i = 0;
  while (drawn >= choices[i].weight) drawn -= choices[i++].weight;
  return &choices[i];
}

double marea_sampling_log_probability(const marea_real *logits, size_t n, size_t token) {
  double largest = -(double)INFINITY, sum = 0;
  for (size_t i = 0; i < n; i++)
    if ((double)logits[i] > largest) largest = (double)logits[i];
  for (size_t i = 0; i < n; i++)
    sum += (double)logits[i] == largest ? 1 : exponential((double)logits[i] - largest);
  double own = (double)logits[token] == largest ? 0 : (double)logits[token] - largest;
  return own - log(sum);
}

/* text/: sequences, padding, windows, buckets, skip-grams against loops written the plain way. */
#include "test.h"

#include <stdlib.h>

#include "text/sequences/bucketing.h"
#include "text/sequences/ragged.h"
#include "text/sequences/skipgrams.h"
#include "text/sequences/windows.h"

enum { ROWS = 6 };

/* Row i holds `lengths[i]` ids, 100 i + 1 … */
static const size_t row_lengths[ROWS] = {3, 0, 7, 1, 5, 2};

static marea_sequences *sample(void) {
  marea_sequences *s = marea_sequences_new();
  if (s == NULL) return NULL;
  for (size_t i = 0; i < ROWS; i++) {
    for (size_t j = 0; j < row_lengths[i]; j++)
      if (marea_sequences_push(s, (int32_t)(100 * i + j + 1)) != MAREA_OK) goto failed;
    if (marea_sequences_end(s) != MAREA_OK) goto failed;
  }
  return s;
failed:
  marea_sequences_free(s);
  return NULL;
}

/* ---- padding ---- */

static int32_t padded_place(size_t row, size_t t, const marea_padding *p) {
  size_t n = row_lengths[row], kept = n < p->maxlen ? n : p->maxlen;
  size_t cut = p->cut_after ? 0 : n - kept, begin = p->pad_after ? 0 : p->maxlen - kept;
  if (t < begin || t >= begin + kept) return p->value;
  return (int32_t)(100 * row + cut + (t - begin) + 1);
}

static void test_padding(void) {
  marea_sequences *s = sample();
  int32_t out[ROWS * 9], lengths[ROWS];
  marea_real mask[ROWS * 9];
  for (int sides = 0; sides < 4; sides++)
    for (size_t maxlen = 1; maxlen <= 9; maxlen++) {
      marea_padding p = {
          .maxlen = maxlen, .pad_after = sides & 1, .cut_after = sides & 2, .value = -7};
      marea_padding_report report;
      CHECK(marea_pad(s, &p, out, &report) == MAREA_OK);
      marea_kept_lengths(s->offsets, s->count, maxlen, lengths);
      marea_pad_mask(lengths, ROWS, &p, mask);
      size_t kept = 0;
      for (size_t i = 0; i < ROWS * maxlen; i++) {
        int32_t expected = padded_place(i / maxlen, i % maxlen, &p);
        CHECK(out[i] == expected && mask[i] == (expected != -7));
        kept += expected != -7;
      }
      CHECK(report.tokens == 18 && report.longest == 7 && report.lost == 18 - kept);
    }
  marea_padding none = {.maxlen = 0};
  CHECK(marea_pad(s, &none, out, &(marea_padding_report){0}) == MAREA_RANGE);
  size_t length = 99;
  CHECK(marea_length_quantile(s->offsets, s->count, 0.5, &length) == MAREA_OK && length == 2);
  CHECK(marea_length_quantile(s->offsets, s->count, 1.5, &length) == MAREA_RANGE);
  CHECK(marea_length_quantile(s->offsets, 0, 0.5, &length) == MAREA_RANGE);
  marea_sequences_free(s);
}

static void test_ragged(void) {
  marea_ragged *r = marea_ragged_new();
  int64_t size[] = {2, 3};
  CHECK(marea_ragged_shape(r, 5, size) == MAREA_SHAPE);
  CHECK(marea_ragged_shape(r, 1, (int64_t[]){0}) == MAREA_SHAPE);
  CHECK(marea_ragged_shape(r, 4, (int64_t[]){1 << 20, 1 << 20, 1, 1}) == MAREA_SHAPE);
  CHECK(marea_ragged_shape(r, 2, size) == MAREA_OK && r->item_values == 6);
  CHECK(marea_ragged_end(r) == MAREA_OK);
  for (int i = 0; i < 12; i++) CHECK(marea_ragged_push(r, i) == MAREA_OK);
  CHECK(marea_ragged_end(r) == MAREA_OK);
  marea_padding p = {.maxlen = 3};
  marea_padding_report report;
  int32_t out[2 * 3 * 6];
  CHECK(marea_ragged_pad_ids(r, &p, 8, out, &report) == MAREA_OK);
  for (int i = 0; i < 24; i++) CHECK(out[i] == 8);
  for (int i = 0; i < 12; i++) CHECK(out[24 + i] == i);
  CHECK(marea_ragged_pad_ids(r, &p, 0.5, out, &report) == MAREA_RANGE);
  CHECK(marea_ragged_push(r, 0.5) == MAREA_OK && marea_ragged_end(r) == MAREA_SHAPE);
  for (int i = 0; i < 5; i++) CHECK(marea_ragged_push(r, 3e9) == MAREA_OK);
  CHECK(marea_ragged_end(r) == MAREA_OK);
  CHECK(marea_ragged_pad_ids(r, &p, 0, out, &report) == MAREA_RANGE);
  CHECK_ERROR("sequence 3, place 1: 0.5");
  marea_ragged_free(r);
}

/* ---- windows ---- */

static void test_windows(void) {
  marea_sequences *s = sample();
  for (size_t length = 1; length <= 8; length++)
    for (size_t stride = 1; stride <= 9; stride++)
      for (int drop = 0; drop < 2; drop++) {
        marea_windowing w = {.length = length, .stride = stride, .drop_last = drop, .value = -7};
        size_t count, shown = 0;
        bool seen[701] = {false};
        CHECK(marea_windows_count(s, &w, &count) == MAREA_OK);
        int32_t *out = calloc(count * (length + 3) + 1, sizeof *out);
        int32_t *sequence = out + count * length, *first = sequence + count, *n = first + count;
        marea_windows_report report;
        marea_windows_fill(s, &w, out, sequence, first, n, &report);
        for (size_t k = 0; k < count; k++)
          for (size_t t = 0; t < length; t++) {
            int32_t id = out[k * length + t];
            bool inside = t < (size_t)n[k];
            CHECK(id == (inside ? 100 * (sequence[k] - 1) + first[k] + (int32_t)t : -7));
            if (inside && !seen[id]) shown++;
            if (inside) seen[id] = true;
          }
        CHECK(report.tokens == 18 && report.lost == 18 - shown);
        free(out);
      }
  size_t count;
  CHECK(marea_windows_count(s, &(marea_windowing){.length = 1}, &count) == MAREA_RANGE);
  marea_sequences_free(s);
}

static void test_vote(void) {
  static const double values[] = {0.9, 0.1, 0.2, 0.8, 0.6, 0.4};
  marea_real rows[6], out[4];
  for (int i = 0; i < 6; i++) rows[i] = (marea_real)values[i];
  int32_t owner[] = {2, 1, 2};
  CHECK(marea_vote(rows, 3, 2, owner, 2, false, out) == MAREA_OK);
  CHECK_NEAR(out[0], 0.2, 1e-6);
  CHECK_NEAR(out[2], 0.75, 1e-6);
  CHECK(marea_vote(rows, 3, 2, owner, 2, true, out) == MAREA_OK);
  CHECK(out[0] == 0 && out[1] == 1 && out[2] == 1 && out[3] == 0);
  CHECK(marea_vote(rows, 3, 2, owner, 1, false, out) == MAREA_RANGE);
  CHECK_ERROR("window 1 belongs to sequence 2");
  CHECK(marea_vote(rows, 1, 2, owner, 2, false, out) == MAREA_RANGE);
  CHECK_ERROR("sequence 1 has no window");
}

/* ---- buckets ---- */

static void test_buckets(void) {
  enum { N = 103, POOL = 20 };
  int32_t lengths[N], order[N];
  bool there[N] = {false};
  marea_stream stream = marea_stream_new(1, 1);
  for (size_t i = 0; i < N; i++) lengths[i] = (int32_t)marea_stream_below(&stream, 9);
  for (int32_t i = 0; i < N; i++) order[i] = i;
  CHECK(marea_bucket_sort(lengths, N, POOL, order) == MAREA_OK);
  for (size_t i = 1; i < N; i++) {
    int32_t a = order[i - 1], b = order[i];
    if (i % POOL != 0) CHECK(lengths[a] < lengths[b] || (lengths[a] == lengths[b] && a < b));
    CHECK(b / POOL == (int32_t)i / POOL);
  }
  CHECK(marea_bucket_shuffle(&stream, N, 4, order) == MAREA_OK);
  CHECK(order[100] / POOL == 5 && order[102] / POOL == 5);
  for (size_t i = 0; i < N; i++) there[order[i]] = true;
  for (size_t i = 0; i < N; i++) CHECK(there[i]);
  marea_bucket_size size;
  CHECK(marea_bucket_measure((int32_t[]){1, 3, 0, 2}, NULL, 4, 3, &size) == MAREA_OK);
  CHECK(size.places == 3 * 3 + 2 && size.items == 6);
  order[5] = N;
  CHECK(marea_bucket_sort(lengths, N, POOL, order) == MAREA_RANGE);
  CHECK(marea_bucket_measure(lengths, order, N, 3, &size) == MAREA_RANGE);
  marea_sequences *s = sample(), *picked = marea_sequences_new();
  CHECK(marea_sequences_pick(s, (int32_t[]){2, 1, 0}, 3, picked) == MAREA_OK);
  CHECK(picked->count == 3 && picked->id_count == 10 && picked->ids[0] == 201);
  CHECK(marea_sequences_pick(s, (int32_t[]){ROWS}, 1, picked) == MAREA_RANGE);
  marea_sequences_free(picked);
  marea_sequences_free(s);
}

/* ---- skip-grams ---- */

static size_t naive_pairs(const int32_t *ids, size_t n, size_t window, int32_t *couples) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      size_t apart = i > j ? i - j : j - i;
      if (apart == 0 || apart > window || ids[i] == 0 || ids[j] == 0) continue;
      couples[2 * count] = ids[i];
      couples[2 * count++ + 1] = ids[j];
    }
  return count;
}

static void test_skipgrams(void) {
  enum { N = 40 };
  int32_t ids[N], expected[2 * N * N], couples[4 * N * N], labels[2 * N * N];
  marea_stream stream = marea_stream_new(4, 1);
  for (size_t i = 0; i < N; i++) ids[i] = (int32_t)marea_stream_below(&stream, 12);
  for (size_t n = 0; n <= N; n += 5)
    for (size_t window = 0; window < 50; window += 7) {
      marea_skipgrams o = {.vocabulary_size = 12, .window = window, .negatives = 1, .seed = 3};
      size_t positives, negatives, wanted = naive_pairs(ids, n, window, expected);
      CHECK(marea_skipgrams_count(ids, n, &o, &positives, &negatives) == MAREA_OK);
      CHECK(positives == wanted && negatives == wanted);
      CHECK(marea_skipgrams_fill(ids, n, &o, positives, negatives, couples, labels) == MAREA_OK);
      CHECK(memcmp(couples, expected, 2 * wanted * sizeof *couples) == 0);
      for (size_t i = 0; i < 2 * wanted; i++) CHECK(labels[i] == (i < wanted));
      for (size_t i = wanted; i < 2 * wanted; i++)
        CHECK(couples[2 * i + 1] >= 1 && couples[2 * i + 1] < 12);
    }
  size_t positives, negatives;
  marea_skipgrams o = {.vocabulary_size = 5, .window = 1};
  CHECK(marea_skipgrams_count((int32_t[]){1, 5}, 2, &o, &positives, &negatives) == MAREA_RANGE);
  CHECK_ERROR("place 2 has id 5, allowed are 0 to 4");
  o.negatives = 1e6;
  int32_t *many = malloc(2000 * sizeof *many);
  for (int i = 0; i < 2000; i++) many[i] = 1;
  CHECK(marea_skipgrams_count(many, 2000, &o, &positives, &negatives) == MAREA_RANGE);
  CHECK_ERROR("2^31 pairs");
  free(many);
}

/* ---- memory that runs out ---- */

static marea_status everything(void) {
  marea_real votes[ROWS * 2] = {0}, voted[2 * ROWS];
  int32_t order[ROWS] = {0, 1, 2, 3, 4, 5}, couples[64], labels[32];
  size_t length, positives, negatives;
  marea_stream stream = marea_stream_new(1, 1);
  marea_skipgrams o = {.vocabulary_size = 9, .window = 1, .negatives = 1};
  marea_sequences *s = sample(), *picked = s != NULL ? marea_sequences_new() : NULL;
  marea_status status = picked == NULL ? MAREA_NOMEM : MAREA_OK;
  if (status == MAREA_OK) status = marea_sequences_pick(s, order, ROWS, picked);
  if (status == MAREA_OK) status = marea_length_quantile(s->offsets, s->count, 0.9, &length);
  if (status == MAREA_OK) status = marea_bucket_sort(order, ROWS, ROWS, order);
  if (status == MAREA_OK) status = marea_bucket_shuffle(&stream, ROWS, 2, order);
  if (status == MAREA_OK) status = marea_vote(votes, 2, 2, (int32_t[]){1, 2}, 2, false, voted);
  if (status == MAREA_OK)
    status = marea_skipgrams_count((int32_t[]){1, 2, 3}, 3, &o, &positives, &negatives);
  if (status == MAREA_OK)
    status =
        marea_skipgrams_fill((int32_t[]){1, 2, 3}, 3, &o, positives, negatives, couples, labels);
  marea_sequences_free(picked);
  marea_sequences_free(s);
  return status;
}

static void test_allocation_failures(void) {
  size_t before = marea_memory_allocations();
  CHECK(everything() == MAREA_OK);
  size_t needed = marea_memory_allocations() - before;
  CHECK(needed > 8);
  for (size_t n = 1; n <= needed; n++) {
    marea_memory_fail_at(n);
    CHECK(everything() == MAREA_NOMEM);
    CHECK(marea_memory_used() == 0);
  }
  marea_memory_fail_at(0);
}

int main(void) {
  test_padding();
  test_ragged();
  test_windows();
  test_vote();
  test_buckets();
  test_skipgrams();
  test_allocation_failures();
  return test_end();
}

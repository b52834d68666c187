/* Which words of a vocabulary have ids, and in what order. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/vocabulary/vocabulary.h"

/* A word with all that its place depends on, so that the order needs nothing else. */
typedef struct ranked {
  const char *bytes;
  size_t length;
  int64_t count;
  int32_t place;
} ranked;

static int compare_bytes(const ranked *a, const ranked *b) {
  size_t shorter = a->length < b->length ? a->length : b->length;
  int order = shorter > 0 ? memcmp(a->bytes, b->bytes, shorter) : 0;
  if (order != 0) return order;
  return a->length < b->length ? -1 : a->length > b->length;
}

static int compare_signed(const ranked *a, const ranked *b) {
  size_t shorter = a->length < b->length ? a->length : b->length, i = 0;
  while (i < shorter && a->bytes[i] == b->bytes[i]) i++;
  /* The end of a word counts as a NUL, as in C: "añ" comes before "a", "a" before "ab". */
  int left = i < a->length ? (signed char)a->bytes[i] : 0;
  int right = i < b->length ? (signed char)b->bytes[i] : 0;
  if (left != right) return left < right ? -1 : 1;
  return a->length < b->length ? -1 : a->length > b->length;
}

static int by_place(const void *left, const void *right) {
  const ranked *a = left, *b = right;
  return a->place < b->place ? -1 : a->place > b->place;
}

static int by_bytes(const void *left, const void *right) {
  return compare_bytes(left, right);
}

static int by_count(const ranked *a, const ranked *b) {
  return a->count > b->count ? -1 : a->count < b->count;
}

static int by_count_first(const void *left, const void *right) {
  int order = by_count(left, right);
  return order != 0 ? order : by_place(left, right);
}

static int by_count_ascending(const void *left, const void *right) {
  int order = by_count(left, right);
  return order != 0 ? order : compare_bytes(left, right);
}

static int by_count_descending(const void *left, const void *right) {
  int order = by_count(left, right);
  return order != 0 ? order : compare_bytes(right, left);
}

static int by_count_signed(const void *left, const void *right) {
  int order = by_count(left, right);
  return order != 0 ? order : compare_signed(left, right);
}

typedef int comparison(const void *left, const void *right);

static comparison *count_order(marea_ties ties) {
  switch (ties) {
  case MAREA_TIES_ASCENDING: return by_count_ascending;
  case MAREA_TIES_DESCENDING: return by_count_descending;
  case MAREA_TIES_SIGNED: return by_count_signed;
  default: return by_count_first;
  }
}

/* The words within the limits; the others are counted in the report. */
static size_t choose(const marea_vocabulary *v, const marea_ranking *rule, ranked *chosen,
                     marea_ranking_report *report) {
  size_t count = 0;
  for (size_t i = 0; i < v->word_count; i++) {
    const marea_word *word = &v->words[i];
    bool rare = word->count < rule->min_count;
    bool few = !rare && word->documents < rule->min_documents;
    bool many = !rare && !few && rule->max_documents > 0 && word->documents > rule->max_documents;
    report->rare += rare;
    report->in_few_documents += few;
    report->in_many_documents += many;
    if (!rare && !few && !many)
      chosen[count++] = (ranked){v->pool + word->offset, word->length, word->count, (int32_t)i};
  }
  return count;
}

static size_t order_words(const marea_vocabulary *v, const marea_ranking *rule, ranked *chosen,
                          marea_ranking_report *report) {
  size_t count = choose(v, rule, chosen, report);
  bool cut = rule->keep > 0 && count > rule->keep;
  if (cut || rule->order == MAREA_ORDER_COUNT)
    qsort(chosen, count, sizeof *chosen, count_order(rule->ties));
  if (cut) {
    report->beyond_keep += count - rule->keep;
    count = rule->keep;
  }
  if (rule->order == MAREA_ORDER_BYTES) qsort(chosen, count, sizeof *chosen, by_bytes);
  if (rule->order == MAREA_ORDER_FIRST && cut) qsort(chosen, count, sizeof *chosen, by_place);
  return count;
}

marea_status marea_vocabulary_rank(marea_vocabulary *v, const marea_ranking *rule,
                                   marea_ranking_report *report) {
  marea_ranking_report ignored;
  if (report == NULL) report = &ignored;
  *report = (marea_ranking_report){0};
  size_t n = v->word_count;
  ranked *chosen = marea_alloc_array(n, sizeof *chosen);
  int32_t *ranking = marea_alloc_array(n, sizeof *ranking);
  int32_t *rank_of = marea_alloc_array(n, sizeof *rank_of);
  if (chosen == NULL || ranking == NULL || rank_of == NULL) {
    marea_free(chosen);
    marea_free(ranking);
    marea_free(rank_of);
    return MAREA_NOMEM;
  }
  size_t count = order_words(v, rule, chosen, report);
  for (size_t i = 0; i < n; i++) rank_of[i] = -1;
  for (size_t i = 0; i < count; i++) {
    ranking[i] = chosen[i].place;
    rank_of[chosen[i].place] = (int32_t)i;
  }
  marea_free(chosen);
  marea_free(v->ranking);
  marea_free(v->rank_of);
  v->ranking = ranking;
  v->rank_of = rank_of;
  v->ranked = count;
  v->judged = n;
  return MAREA_OK;
}

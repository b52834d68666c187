/* The rules of keras_ids.h. */
#include "text/encode/keras_ids.h"

marea_status marea_keras_shift_ids(const marea_sequences *ranks, size_t i,
                                   const marea_keras_shift *rule, marea_sequences *out) {
  marea_status status = MAREA_OK;
  if (rule->start != MAREA_NO_ID) status = marea_sequences_push(out, rule->start);
  for (size_t j = ranks->offsets[i]; j < ranks->offsets[i + 1] && status == MAREA_OK; j++) {
    int64_t rank = (int64_t)ranks->ids[j] + rule->shift, id = rank + rule->index_from;
    if (rank <= 0) id = rule->unranked;
    if (id > INT32_MAX)
      return marea_fail(MAREA_RANGE, "index_from %d is too large for rank %lld", rule->index_from,
                        (long long)rank);
    if (id >= 0) status = marea_sequences_push(out, (int32_t)id);
  }
  return status == MAREA_OK ? marea_sequences_end(out) : status;
}

static size_t count_kept(const marea_sequences *in, size_t i, const marea_keras_limit *rule) {
  size_t kept = in->offsets[i + 1] - in->offsets[i];
  if (rule->oov != MAREA_NO_ID) return kept;
  for (size_t j = in->offsets[i]; j < in->offsets[i + 1]; j++)
    kept -= in->ids[j] < rule->skip_top || in->ids[j] >= rule->num_words;
  return kept;
}

static marea_status limit_one(const marea_sequences *in, size_t i, const marea_keras_limit *rule,
                              marea_sequences *out, size_t *cut, size_t *replaced) {
  size_t kept = count_kept(in, i, rule), place = 0;
  size_t most = rule->longest > 0 && rule->longest < kept ? rule->longest : kept;
  size_t first = rule->cut_front ? kept - most : 0;
  marea_status status = MAREA_OK;
  *cut += kept - most;
  for (size_t j = in->offsets[i]; j < in->offsets[i + 1] && status == MAREA_OK; j++) {
    int32_t id = in->ids[j];
    bool inside = id >= rule->skip_top && id < rule->num_words;
    *replaced += !inside;
    if (!inside) id = rule->oov;
    if (id == MAREA_NO_ID) continue;
    if (place >= first && place < first + most) status = marea_sequences_push(out, id);
    place++;
  }
  return status == MAREA_OK ? marea_sequences_end(out) : status;
}

marea_status marea_keras_limit_ids(const marea_sequences *in, const marea_keras_limit *rule,
                                   marea_sequences *out, size_t *cut, size_t *replaced) {
  *cut = *replaced = 0;
  for (size_t i = 0; i < in->count; i++) {
    marea_status status = limit_one(in, i, rule, out, cut, replaced);
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

int32_t marea_sequences_largest(const marea_sequences *sequences) {
  int32_t largest = 0;
  for (size_t i = 0; i < sequences->id_count; i++)
    if (sequences->ids[i] > largest) largest = sequences->ids[i];
  return largest;
}

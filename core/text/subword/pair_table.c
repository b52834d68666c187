#include "text/subword/pair_table.h"

#include "base/memory.h"

enum { FIRST_SLOTS = 256 };

static size_t slot_of(const marea_pair_slot *slots, size_t count, uint64_t key) {
  size_t at = marea_pair_hash(key) & (count - 1);
  while (slots[at].key != MAREA_NO_PAIR && slots[at].key != key) at = (at + 1) & (count - 1);
  return at;
}

static marea_status grow(marea_pair_table *t) {
  size_t wider = t->slot_count == 0 ? FIRST_SLOTS : 2 * t->slot_count;
  marea_pair_slot *slots = marea_alloc_array(wider, sizeof *slots);
  if (slots == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < wider; i++) slots[i].key = MAREA_NO_PAIR;
  for (size_t i = 0; i < t->slot_count; i++)
    if (t->slots[i].key != MAREA_NO_PAIR)
      slots[slot_of(slots, wider, t->slots[i].key)] = t->slots[i];
  marea_free(t->slots);
  t->slots = slots;
  t->slot_count = wider;
  return MAREA_OK;
}

int32_t *marea_pair_put(marea_pair_table *t, uint64_t key, int32_t fresh) {
  if (2 * (t->used + 1) > t->slot_count && grow(t) != MAREA_OK) return NULL;
  marea_pair_slot *slot = &t->slots[slot_of(t->slots, t->slot_count, key)];
  if (slot->key == MAREA_NO_PAIR) {
    *slot = (marea_pair_slot){key, fresh};
    t->used++;
  }
  return &slot->value;
}

void marea_pair_clear(marea_pair_table *t) {
  marea_free(t->slots);
  *t = (marea_pair_table){0};
}

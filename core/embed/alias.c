#include "embed/alias.h"

#include "base/memory.h"

/* Shares of one column each; those below 1 are filled up by those above. */
static void deal(marea_alias *a, double *share, int32_t *small, int32_t *large) {
  size_t smalls = 0, larges = 0;
  for (size_t i = 0; i < a->count; i++) {
    if (share[i] < 1)
      small[smalls++] = (int32_t)i;
    else
      large[larges++] = (int32_t)i;
  }
  while (smalls > 0 && larges > 0) {
    int32_t s = small[--smalls], l = large[larges - 1];
    a->keep[s] = (uint32_t)(share[s] * 4294967295.0);
    a->other[s] = l;
    share[l] -= 1 - share[s];
    if (share[l] < 1) small[smalls++] = large[--larges];
  }
}

marea_status marea_alias_make(marea_alias *a, const double *weights, size_t count) {
  double sum = 0, *share = marea_alloc_array(count + 1, sizeof *share);
  int32_t *lists = marea_alloc_array(2 * count + 1, sizeof *lists);
  *a = (marea_alias){marea_alloc_array(count + 1, sizeof *a->keep),
                     marea_alloc_array(count + 1, sizeof *a->other), count};
  bool made = share != NULL && lists != NULL && a->keep != NULL && a->other != NULL;
  for (size_t i = 0; made && i < count; i++) sum += weights[i];
  for (size_t i = 0; made && i < count; i++) {
    share[i] = weights[i] / sum * (double)count;
    a->keep[i] = UINT32_MAX;
    a->other[i] = (int32_t)i;
  }
  if (made) deal(a, share, lists, lists + count);
  marea_free(share);
  marea_free(lists);
  if (made) return MAREA_OK;
  marea_alias_free(a);
  return MAREA_NOMEM;
}

void marea_alias_free(marea_alias *a) {
  marea_free(a->keep);
  marea_free(a->other);
  *a = (marea_alias){0};
}

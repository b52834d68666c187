#include "text/sequences/bags.h"

#include <math.h>
#include <string.h>

static double weight(marea_bag mode, double c, double length, double df, double documents) {
  switch (mode) {
  case MAREA_BAG_BINARY: return 1;
  case MAREA_BAG_COUNT: return c;
  case MAREA_BAG_FREQ: return c / length;
  default: return (1 + log(c)) * log(1 + documents / (1 + df));
  }
}

marea_status marea_bag_matrix(const marea_sequences *s, marea_bag mode, size_t columns,
                              const int64_t *frequency, int64_t documents, marea_real *out) {
  memset(out, 0, s->count * columns * sizeof *out);
  for (size_t i = 0; i < s->count; i++) {
    marea_real *row = out + i * columns;
    size_t first = s->offsets[i], last = s->offsets[i + 1];
    for (size_t j = first; j < last; j++) {
      if (s->ids[j] < 0)
        return marea_fail(MAREA_RANGE, "sequence %zu has the negative id %d", i + 1, s->ids[j]);
      if ((size_t)s->ids[j] < columns) row[s->ids[j]] += 1;
    }
    for (size_t j = 0; j < columns; j++)
      if (row[j] > 0)
        row[j] =
            (marea_real)weight(mode, (double)row[j], (double)(last - first),
                               frequency != NULL ? (double)frequency[j] : 0, (double)documents);
  }
  return MAREA_OK;
}

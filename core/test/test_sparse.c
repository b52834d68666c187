/* Sparse matrices against loops over dense ones, and hashes at the lengths where blocks end. */
#include "test.h"

#include "base/threads.h"
#include "marea.h"

enum { ROWS = 37, COLUMNS = 53, UNITS = 5, ITEMS = 400 };

/* Items in rows of uneven lengths (some empty), one in four with the negative sign. */
static marea_csr *counted(int32_t items[ITEMS], size_t offsets[ROWS + 1]) {
  uint32_t state = 1;
  for (size_t k = 0; k < ITEMS; k++) {
    state = state * 1664525u + 1013904223u;
    int32_t column = (int32_t)(state >> 8) % COLUMNS;
    items[k] = state >> 30 == 0 ? ~column : column;
  }
  for (size_t i = 0; i <= ROWS; i++) offsets[i] = ITEMS * i * i / (ROWS * ROWS);
  return marea_csr_count(ROWS, offsets, items, 0, COLUMNS);
}

static void naive_counts(const int32_t *items, const size_t *offsets, double *dense) {
  memset(dense, 0, ROWS * COLUMNS * sizeof *dense);
  for (size_t i = 0; i < ROWS; i++)
    for (size_t k = offsets[i]; k < offsets[i + 1]; k++)
      dense[i * COLUMNS + (size_t)(items[k] < 0 ? ~items[k] : items[k])] += items[k] < 0 ? -1 : 1;
}

static void test_counts_and_product(void) {
  static int32_t items[ITEMS];
  static size_t offsets[ROWS + 1];
  static double dense[ROWS * COLUMNS];
  static marea_real x[ROWS * COLUMNS], w[COLUMNS * UNITS], y[ROWS * UNITS];
  marea_csr *m = counted(items, offsets);
  if (!CHECK(m != NULL)) return;
  naive_counts(items, offsets, dense);
  marea_csr_to_dense(m, x);
  for (size_t i = 0; i < ROWS * COLUMNS; i++) CHECK_NEAR(x[i], dense[i], 0);
  for (size_t i = 0; i < COLUMNS * UNITS; i++) w[i] = (marea_real)((double)(i % 11) / 8 - 0.5);
  for (size_t units = 1; units <= UNITS; units += 4) {
    marea_sparse_product(m, w, units, NULL, y);
    for (size_t i = 0; i < ROWS; i++)
      for (size_t j = 0; j < units; j++) {
        double sum = 0;
        for (size_t k = 0; k < COLUMNS; k++)
          sum += dense[i * COLUMNS + k] * (double)w[k * units + j];
        CHECK_NEAR(y[i * units + j], sum, 1e-4);
      }
  }
  marea_csr_free(m);
}

static void test_transpose(void) {
  static int32_t items[ITEMS];
  static size_t offsets[ROWS + 1];
  static marea_real x[ROWS * COLUMNS], xt[ROWS * COLUMNS];
  int32_t *touched = NULL;
  marea_csr *m = counted(items, offsets);
  marea_csr *slice = m == NULL ? NULL : marea_csr_narrow(m, 20, 9); /* begins above entry 0 */
  marea_csr *t = slice == NULL ? NULL : marea_csr_transpose(slice, &touched);
  if (CHECK(t != NULL)) {
    marea_csr_to_dense(slice, x);
    marea_csr_to_dense(t, xt);
    CHECK(t->columns == 9 && marea_csr_entries(t) == marea_csr_entries(slice));
    for (int64_t i = 0; i < t->rows; i++) {
      CHECK(i == 0 || touched[i] > touched[i - 1]);
      CHECK(t->offsets[i + 1] > t->offsets[i]);
      for (int64_t j = 0; j < 9; j++) CHECK_NEAR(xt[i * 9 + j], x[j * COLUMNS + touched[i]], 0);
    }
  }
  marea_csr_free(m); /* the slice holds on to the entries */
  if (slice != NULL) CHECK(slice->owner != NULL && slice->owner->references == 1);
  marea_csr_free(t);
  marea_csr_free(slice);
  marea_free(touched);
}

static void test_hashes(void) {
  static const char digits[] = "12345678901234567890123456789012345678901234567890123456789012345";
  static const struct {
    size_t length;
    const char *start; /* of the digest, by Python's hashlib */
    uint32_t murmur;   /* with seed 7, by scikit-learn */
  } cases[] = {{0, "\xd4\x1d\x8c\xd9", 0x18c9aec4u},  {1, "\xc4\xca\x42\x38", 0xd0b01849u},
               {3, "\x20\x2c\xb9\x62", 0xf62bb24eu},  {55, "\xc9\xcc\xf1\x68", 0x065eee6du},
               {56, "\x49\xf1\x93\xad", 0x01baaf9au}, {63, "\xc3\xeb\x67\xec", 0x3b5d5ae0u},
               {64, "\xeb\x6c\x41\x79", 0x540538a1u}, {65, "\x82\x3c\xc8\x89", 0x39f4782bu}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t digest[16];
    marea_md5(digits, cases[i].length, digest);
    CHECK(memcmp(digest, cases[i].start, 4) == 0);
    CHECK(marea_murmur3(digits, cases[i].length, 7) == cases[i].murmur);
  }
}

int main(void) {
  test_counts_and_product();
  test_transpose();
  test_hashes();
  marea_threads_stop();
  return test_end();
}

#include "kernels/fourier.h"

#include <math.h>

#include "base/memory.h"
#include "kernels/simd/fourier_steps.h"

enum { PASSES = 64 };

struct marea_fourier {
  size_t count;
  marea_fourier_pass passes[PASSES];
  double *turns; /* of all passes */
};

/* n without its factors 2, 3 and 5. */
static size_t rest_of(size_t n) {
  while (n % 2 == 0) n /= 2;
  while (n % 3 == 0) n /= 3;
  while (n % 5 == 0) n /= 5;
  return n;
}

size_t marea_fourier_size(size_t n) {
  size_t size = n < 2 ? 2 : n + n % 2;
  while (rest_of(size) != 1) size += 2;
  return size;
}

static void split_size(marea_fourier *plan, size_t n) {
  static const size_t radices[] = {5, 3, 4, 2};
  size_t before = 1;
  for (size_t r = 0; r < sizeof radices / sizeof *radices; r++)
    for (; n % radices[r] == 0; n /= radices[r]) {
      plan->passes[plan->count++] =
          (marea_fourier_pass){.radix = radices[r], .before = before, .after = n / radices[r]};
      before *= radices[r];
    }
}

/* The turns of a pass are exp(-2 pi i j k / (radix after)), of which each is found by itself: the
 * errors do not add up. */
static double *fill_turns(marea_fourier_pass *pass, double *turns) {
  static const double turn = 6.283185307179586476925286766559;
  double size = (double)(pass->radix * pass->after);
  pass->turns = turns;
  for (size_t i = 0; i < pass->after; i++)
    for (size_t k = 1; k < pass->radix; k++) {
      *turns++ = cos(turn * (double)(i * k) / size);
      *turns++ = sin(turn * (double)(i * k) / size);
    }
  return turns;
}

marea_fourier *marea_fourier_new(size_t n) {
  if (n == 0 || rest_of(n) != 1) {
    marea_fail(MAREA_RANGE, "fourier: size %zu, expected one with the factors 2, 3 and 5 only", n);
    return NULL;
  }
  marea_fourier *plan = marea_alloc_zero(1, sizeof *plan);
  if (plan == NULL) return NULL;
  split_size(plan, n);
  size_t turns = 0;
  for (size_t i = 0; i < plan->count; i++)
    turns += 2 * (plan->passes[i].radix - 1) * plan->passes[i].after;
  double *next = plan->turns = marea_alloc_array(turns + 1, sizeof *plan->turns);
  if (next == NULL) {
    marea_fourier_free(plan);
    return NULL;
  }
  for (size_t i = 0; i < plan->count; i++) next = fill_turns(&plan->passes[i], next);
  return plan;
}

void marea_fourier_free(marea_fourier *plan) {
  if (plan == NULL) return;
  marea_free(plan->turns);
  marea_free(plan);
}

double *marea_fourier_run(const marea_fourier *plan, bool inverse, double *data, double *spare) {
  const marea_fourier_table *steps = MAREA_PICK(marea_fourier_steps);
  size_t real = inverse ? MAREA_FOURIER_LANES : 0;
  for (size_t i = 0; i < plan->count; i++) {
    steps->pass(&plan->passes[i], real, data, spare);
    double *swap = data;
    data = spare;
    spare = swap;
  }
  return data;
}

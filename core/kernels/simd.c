#include "kernels/simd.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern const marea_simd marea_simd_baseline;
#ifdef MAREA_SIMD_X86
extern const marea_simd marea_simd_v3, marea_simd_v4;
#endif

#ifdef MAREA_SIMD_X86
static int level_of_processor(void) {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return 4;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2"))
    return 3;
  return 1;
}

static const marea_simd *choose(void) {
  int level = level_of_processor();
  const char *wish = getenv("MAREA_ISA");
  if (wish != NULL && strcmp(wish, "v3") == 0 && level > 3) level = 3;
  if (wish != NULL && strcmp(wish, "baseline") == 0) level = 1;
  return level == 4 ? &marea_simd_v4 : level == 3 ? &marea_simd_v3 : &marea_simd_baseline;
}
#else
static const marea_simd *choose(void) {
  return &marea_simd_baseline;
}
#endif

const marea_simd *marea_simd_get(void) {
  static _Atomic(const marea_simd *) chosen;
  const marea_simd *table = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (table == NULL) {
    table = choose();
    atomic_store_explicit(&chosen, table, memory_order_relaxed);
  }
  return table;
}

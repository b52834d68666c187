#include "kernels/simd.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"baseline", "v3", "v4"};
static atomic_int level_in_use = -1; /* -1: not asked yet */

/* Feature by feature, because clang 14 does not know the level names. */
static marea_isa highest(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
    return MAREA_ISA_BASELINE;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl"))
    return MAREA_ISA_V3;
  return MAREA_ISA_V4;
#else
  return MAREA_ISA_BASELINE;
#endif
}

marea_isa marea_isa_level(void) {
  int level = atomic_load_explicit(&level_in_use, memory_order_relaxed);
  if (level >= 0) return (marea_isa)level;
  level = (int)highest();
  const char *wish = getenv("MAREA_ISA");
  for (int i = 0; wish != NULL && i < level; i++)
    if (strcmp(wish, names[i]) == 0) level = i;
  atomic_store(&level_in_use, level);
  return (marea_isa)level;
}

marea_status marea_isa_set(marea_isa level) {
  if (level > highest())
    return marea_fail(MAREA_RANGE, "instruction set %s: this processor reaches %s",
                      marea_isa_name(level), marea_isa_name(highest()));
  atomic_store(&level_in_use, (int)level);
  return MAREA_OK;
}

const char *marea_isa_name(marea_isa level) {
  return (unsigned)level < 3 ? names[level] : "unknown";
}

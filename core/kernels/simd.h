/* The instruction set of the hot kernels, chosen at run time.
 *
 * The sources in kernels/simd are compiled once for each level that the architecture has, with
 * the level's name as a suffix to every symbol; MAREA_PICK takes the table of the level in use.
 * MAREA_ISA=baseline|v3|v4 in the environment lowers the level (a higher one than the processor's
 * is ignored). */
#ifndef MAREA_KERNELS_SIMD_H
#define MAREA_KERNELS_SIMD_H

#include "base/status.h"

typedef enum marea_isa {
  MAREA_ISA_BASELINE, /* what the compiler may assume: SSE2, NEON */
  MAREA_ISA_V3,       /* x86-64-v3: AVX2 and FMA, 8 floats */
  MAREA_ISA_V4        /* x86-64-v4: AVX-512, 16 floats */
} marea_isa;

/* The level in use; asks the processor and the environment at the first call. */
marea_isa marea_isa_level(void);

/* Uses `level` from now on, for tests; MAREA_RANGE when this processor lacks it. Results of
 * different levels differ in the last bits, and workspaces are not to be shared among levels. */
marea_status marea_isa_set(marea_isa level);

/* "baseline", "v3" or "v4". */
const char *marea_isa_name(marea_isa level);

/* Declares the tables of all levels: MAREA_TABLES(marea_products, const struct …); */
#if defined(__x86_64__)
#define MAREA_TABLES(name, type) extern type name##_baseline, name##_v3, name##_v4
#define MAREA_PICK(name)                                                                           \
  (marea_isa_level() == MAREA_ISA_V4   ? &name##_v4                                                \
   : marea_isa_level() == MAREA_ISA_V3 ? &name##_v3                                                \
                                       : &name##_baseline)
#else
#define MAREA_TABLES(name, type) extern type name##_baseline
#define MAREA_PICK(name)         (&name##_baseline)
#endif

#endif

/* The element type of every tensor: float, or double in the build for gradient checks and high
 * precision (MAREA_DOUBLE). One typedef decides for the whole library. */
#ifndef MAREA_BASE_REAL_H
#define MAREA_BASE_REAL_H

#ifdef MAREA_DOUBLE
typedef double marea_real;
#define MAREA_REAL_NAME    "double"
#define MAREA_REAL_EPSILON 2.220446049250313e-16
#define MAREA_REAL_LARGEST 1.7976931348623157e308
#else
typedef float marea_real;
#define MAREA_REAL_NAME    "float"
#define MAREA_REAL_EPSILON 1.1920928955078125e-07
#define MAREA_REAL_LARGEST 3.4028234663852886e38
#endif

#endif

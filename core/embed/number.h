/* Decimal numbers of text files: fast, and exactly what strtod gives. */
#ifndef MAREA_EMBED_NUMBER_H
#define MAREA_EMBED_NUMBER_H

#include <stdbool.h>

/* Reads the number at *at, which ends at a blank, a tab or `end`; *at moves behind it. False when
 * there is none. "nan" and "inf" are read as such: the caller decides. */
bool marea_number_read(const char **at, const char *end, double *value);

#endif

#include "embed/number.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 127, EXACT_POWER = 22, MOST_DIGITS = 18 };

static const uint64_t EXACT_MANTISSA = (uint64_t)1 << 53;
static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_end(const char *p, const char *end) {
  return p == end || *p == ' ' || *p == '\t';
}

/* Anything else that strtod takes, hexadecimal numbers excepted. */
static bool read_slowly(const char **at, const char *end, double *value) {
  char text[LONGEST + 1], *stop;
  size_t length = 0;
  const char *p = *at;
  for (; !is_end(p, end); p++) {
    if (length == LONGEST || *p == 'x' || *p == 'X' || *p == '(' || *p == '\0') return false;
    text[length++] = *p;
  }
  text[length] = '\0';
  *value = strtod(text, &stop);
  *at = p;
  return length > 0 && *stop == '\0';
}

/* At most 18 digits, taken as a whole number; a product or quotient with an exact power of ten is
 * rounded once, and so is right. */
bool marea_number_read(const char **at, const char *end, double *value) {
  const char *p = *at;
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  uint64_t mantissa = 0;
  const char *first = p;
  while (p < end && (unsigned char)(*p - '0') < 10)
    mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
  long digits = p - first, power = 0;
  if (p < end && *p == '.') {
    const char *point = ++p;
    while (p < end && (unsigned char)(*p - '0') < 10)
      mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
    power = -(p - point);
    digits -= power;
  }
  if (digits == 0 || digits > MOST_DIGITS) return read_slowly(at, end, value);
  if (p < end && (*p == 'e' || *p == 'E')) {
    const char *q = p + 1;
    bool down = q < end && *q == '-';
    if (q < end && (*q == '-' || *q == '+')) q++;
    const char *exponent_digits = q;
    long exponent = 0;
    while (q < end && q - exponent_digits <= 4 && (unsigned char)(*q - '0') < 10)
      exponent = exponent * 10 + (*q++ - '0');
    if (q == exponent_digits || q - exponent_digits > 4) return read_slowly(at, end, value);
    power += down ? -exponent : exponent;
    p = q;
  }
  if (!is_end(p, end) || mantissa > EXACT_MANTISSA || power < -EXACT_POWER || power > EXACT_POWER)
    return read_slowly(at, end, value);
  double result = (double)mantissa;
  result = power < 0 ? result / powers[-power] : result * powers[power];
  *value = negative ? -result : result;
  *at = p;
  return true;
}

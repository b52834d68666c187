#include "embed/jacobi.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { SWEEPS = 60 };

/* Columns are kept as rows while rotating, so that each lies in one piece. */
static void transpose(size_t n, double *a) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) {
      double kept = a[i * n + j];
      a[i * n + j] = a[j * n + i];
      a[j * n + i] = kept;
    }
}

static double product(const double *x, const double *y, size_t n) {
  double sums[4] = {0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t lane = 0; lane < 4; lane++) sums[lane] += x[i + lane] * y[i + lane];
  for (; i < n; i++) sums[0] += x[i] * y[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static void rotate(double *restrict x, double *restrict y, size_t n, double cosine, double sine) {
  for (size_t i = 0; i < n; i++) {
    double kept = x[i];
    x[i] = cosine * kept - sine * y[i];
    y[i] = sine * kept + cosine * y[i];
  }
}

/* Makes two columns orthogonal; whether they were not. */
static bool settle(double *x, double *y, double *vx, double *vy, size_t n) {
  double xx = product(x, x, n), yy = product(y, y, n), xy = product(x, y, n);
  if (fabs(xy) <= DBL_EPSILON * sqrt(xx) * sqrt(yy) || xy == 0) return false;
  double zeta = (yy - xx) / (2 * xy);
  double tangent = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + sqrt(1 + zeta * zeta));
  double cosine = 1 / sqrt(1 + tangent * tangent), sine = cosine * tangent;
  rotate(x, y, n, cosine, sine);
  rotate(vx, vy, n, cosine, sine);
  return true;
}

static void swap_rows(double *x, double *y, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double kept = x[i];
    x[i] = y[i];
    y[i] = kept;
  }
}

static void sort(size_t n, double *a, double *s, double *v) {
  for (size_t i = 0; i < n; i++) {
    size_t best = i;
    for (size_t j = i + 1; j < n; j++)
      if (s[j] > s[best]) best = j;
    if (best == i) continue;
    double kept = s[i];
    s[i] = s[best];
    s[best] = kept;
    swap_rows(a + i * n, a + best * n, n);
    swap_rows(v + i * n, v + best * n, n);
  }
}

/* A row of `a` orthogonal to those before it, for a singular value of zero: the axis that they
 * leave the most of. */
static void complete(size_t n, double *a, size_t at) {
  double *row = a + at * n, best = -1;
  size_t axis = 0;
  for (size_t i = 0; i < n; i++) {
    double left = 1;
    for (size_t j = 0; j < at; j++) left -= a[j * n + i] * a[j * n + i];
    if (left > best) best = left, axis = i;
  }
  memset(row, 0, n * sizeof *row);
  row[axis] = 1;
  for (int twice = 0; twice < 2; twice++)
    for (size_t j = 0; j < at; j++) {
      double part = product(row, a + j * n, n);
      for (size_t i = 0; i < n; i++) row[i] -= part * a[j * n + i];
    }
  double length = sqrt(product(row, row, n));
  for (size_t i = 0; i < n; i++) row[i] /= length;
}

static void finish(size_t n, double *a, double *s, double *v) {
  for (size_t i = 0; i < n; i++) s[i] = sqrt(product(a + i * n, a + i * n, n));
  sort(n, a, s, v);
  for (size_t i = 0; i < n; i++) {
    if (s[i] > s[0] * DBL_EPSILON * (double)n && s[i] > DBL_MIN) {
      for (size_t j = 0; j < n; j++) a[i * n + j] /= s[i];
    } else {
      s[i] = 0;
      complete(n, a, i);
    }
  }
}

marea_status marea_singular_values(size_t n, double *a, double *s, double *v) {
  double largest = 0;
  for (size_t i = 0; i < n * n; i++) {
    if (!isfinite(a[i]))
      return marea_fail(MAREA_NONFINITE, "singular values: the matrix holds NaN or infinity");
    largest = fmax(largest, fabs(a[i]));
  }
  double scale = largest > 0 ? largest : 1; /* squares must not overflow */
  for (size_t i = 0; i < n * n; i++) a[i] /= scale;
  transpose(n, a);
  memset(v, 0, n * n * sizeof *v);
  for (size_t i = 0; i < n; i++) v[i * n + i] = 1;
  bool moved = true;
  for (int sweep = 0; sweep < SWEEPS && moved; sweep++) {
    moved = false;
    for (size_t i = 0; i + 1 < n; i++)
      for (size_t j = i + 1; j < n; j++)
        if (settle(a + i * n, a + j * n, v + i * n, v + j * n, n)) moved = true;
  }
  finish(n, a, s, v);
  for (size_t i = 0; i < n; i++) s[i] *= scale;
  transpose(n, a);
  transpose(n, v);
  return MAREA_OK;
}

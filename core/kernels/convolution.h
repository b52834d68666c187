/* One-dimensional convolution over time, and the windows that it shares with pooling.
 *
 * A window looks at `size` steps that lie `dilation` apart, and moves by `strides`. Output step o
 * sees the input steps o strides + j dilation - left, j = 0 … size-1; those outside the sequence
 * count as zeros. Work is cut by size alone: the same bits for any number of threads. */
#ifndef MAREA_KERNELS_CONVOLUTION_H
#define MAREA_KERNELS_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

/* Keras's names: "valid" (whole windows only), "same" (ceil(T / strides) outputs, the missing steps
 * split between both ends, the odd one at the end), "causal" (all missing steps in front, so that
 * no output sees a later input). */
typedef enum marea_border {
  MAREA_BORDER_VALID,
  MAREA_BORDER_SAME,
  MAREA_BORDER_CAUSAL
} marea_border;

typedef struct marea_window {
  int64_t size, strides, dilation; /* each >= 1 */
  marea_border border;
} marea_window;

/* Output steps for T input steps, 0 when a "valid" window is longer than the sequence; *left is the
 * number of steps missing in front. */
int64_t marea_window_steps(const marea_window *window, int64_t T, int64_t *left);

/* x (B, T, D), kernel (k, D/groups, F), y (B, steps, F), all contiguous. Group g takes the g-th
 * part of the D channels to the g-th part of the F filters. */
typedef struct marea_convolution {
  size_t B, T, D, k, F, groups, strides, dilation, left, steps;
} marea_convolution;

/* Elements of the workspace that each of the following needs. */
size_t marea_convolution_workspace(const marea_convolution *c);

/* y = x * kernel + bias (F; NULL: none), a cross-correlation. */
void marea_convolution_forward(const marea_convolution *c, marea_real *y, const marea_real *x,
                               const marea_real *kernel, const marea_real *bias,
                               marea_real *workspace);
/* dx += …, dkernel += … */
void marea_convolution_backward_input(const marea_convolution *c, marea_real *dx,
                                      const marea_real *dy, const marea_real *kernel,
                                      marea_real *workspace);
void marea_convolution_backward_kernel(const marea_convolution *c, marea_real *dkernel,
                                       const marea_real *x, const marea_real *dy,
                                       marea_real *workspace);

#endif

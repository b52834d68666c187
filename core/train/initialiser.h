/* Initial values of weights, by Keras's names and formulas. All take an owned or taped contiguous
 * tensor of reals (else MAREA_ARGUMENT) and draw from `stream`, so that the values depend on the
 * stream's seed and position alone. */
#ifndef MAREA_TRAIN_INITIALISER_H
#define MAREA_TRAIN_INITIALISER_H

#include "autodiff/tensor.h"
#include "base/random.h"

/* Number of inputs and outputs of one unit: the last two sizes times the product of the others (a
 * convolution's receptive field); a vector's length for both; 1 for a scalar. */
void marea_fans(int rank, const int64_t *size, double *fan_in, double *fan_out);

marea_status marea_initialise_constant(marea_tensor *x, double value);
marea_status marea_initialise_uniform(marea_tensor *x, marea_stream *stream, double low,
                                      double high);
marea_status marea_initialise_normal(marea_tensor *x, marea_stream *stream, double mean,
                                     double deviation);
/* Cut at two deviations from the mean. */
marea_status marea_initialise_truncated(marea_tensor *x, marea_stream *stream, double mean,
                                        double deviation);

typedef enum marea_fan_mode { MAREA_FAN_IN, MAREA_FAN_OUT, MAREA_FAN_AVERAGE } marea_fan_mode;
typedef enum marea_distribution {
  MAREA_TRUNCATED_NORMAL,
  MAREA_UNTRUNCATED_NORMAL,
  MAREA_UNIFORM
} marea_distribution;

/* Variance scale/n with n = max(1, fan): normal of deviation sqrt(scale/n), divided by
 * 0.87962566103423978 when truncated (the deviation that cutting at two leaves), or uniform within
 * +-sqrt(3 scale/n). Glorot and Bengio (2010): scale 1, average; He et al. (2015): scale 2, in;
 * LeCun et al. (1998): scale 1, in. MAREA_RANGE unless scale > 0. */
marea_status marea_initialise_scaled(marea_tensor *x, marea_stream *stream, double scale,
                                     marea_fan_mode mode, marea_distribution distribution);

/* Orthogonal rows or columns (Saxe et al., 2014) times gain. x, of rank >= 2, counts as a matrix
 * (rows, cols) with rows = the product of all sizes but the last: the Q of the QR decomposition, by
 * Householder reflections, of a matrix of normal numbers, with the signs that make R's diagonal
 * positive; transposed when rows < cols. So Q'Q = 1 when rows >= cols, else QQ' = 1. */
marea_status marea_initialise_orthogonal(marea_tensor *x, marea_stream *stream, double gain);

/* gain on the diagonal of a matrix, zero elsewhere. MAREA_SHAPE unless the rank is 2. */
marea_status marea_initialise_identity(marea_tensor *x, double gain);

/* By Keras's name with its default arguments: zeros, ones, uniform, random_uniform, normal,
 * random_normal, truncated_normal, glorot_uniform, glorot_normal, he_uniform, he_normal,
 * lecun_uniform, lecun_normal, orthogonal, identity. MAREA_ARGUMENT lists them. */
marea_status marea_initialise(marea_tensor *x, const char *name, marea_stream *stream);

#endif

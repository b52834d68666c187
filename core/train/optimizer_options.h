/* Inside train only: the checks that optimizer.c shares with its options. */
#ifndef MAREA_TRAIN_OPTIMIZER_OPTIONS_H
#define MAREA_TRAIN_OPTIMIZER_OPTIONS_H

#include "train/optimizer.h"

marea_status marea_check_options(const marea_optimizer_options *options);
marea_status marea_check_rate(double learning_rate);
marea_status marea_check_loss_scale(double loss_scale);

#endif

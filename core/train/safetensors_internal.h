/* Inside train only: what the reading and the writing of safetensors files share. */
#ifndef MAREA_TRAIN_SAFETENSORS_INTERNAL_H
#define MAREA_TRAIN_SAFETENSORS_INTERNAL_H

#include "train/safetensors.h"

enum { MAREA_SAFETENSORS_HEADER = 100000000 }; /* the format's limit, in bytes */

/* marea_safetensors_add without its checks, for names that are known to be good. */
marea_status marea_safetensors_append(marea_safetensors *file, const char *name,
                                      marea_tensor *tensor);

#endif

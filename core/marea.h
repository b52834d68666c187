/* libmarea: everything, in reading order. Each header is the manual of its file. */
#ifndef MAREA_H
#define MAREA_H

#include "base/status.h"
#include "base/real.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "base/interrupt.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/source.h"
#include "base/lines.h"
#include "base/idx.h"

#include "kernels/pointwise.h"
#include "kernels/gemm.h"
#include "kernels/recurrent.h"

#include "autodiff/tensor.h"
#include "autodiff/tape.h"
#include "autodiff/ops.h"

#include "train/initialiser.h"
#include "train/clipping.h"
#include "train/optimizer.h"
#include "train/safetensors.h"

#include "text/unicode.h"
#include "text/splitter.h"
#include "text/vocabulary.h"
#include "text/sequences.h"
#include "text/keras_ids.h"
#include "text/csv.h"
#include "text/conll.h"

#endif

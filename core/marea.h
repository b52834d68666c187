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
#include "base/csr.h"
#include "base/folder.h"
#include "base/source.h"
#include "base/lines.h"
#include "base/idx.h"

#include "kernels/pointwise.h"
#include "kernels/gemm.h"
#include "kernels/sparse.h"
#include "kernels/recurrent.h"

#include "autodiff/tensor.h"
#include "autodiff/tape.h"
#include "autodiff/ops.h"

#include "train/initialiser.h"
#include "train/clipping.h"
#include "train/optimizer.h"
#include "train/safetensors.h"

#include "text/unicode.h"
#include "text/token.h"
#include "text/normal.h"
#include "text/splitter.h"
#include "text/vocabulary.h"
#include "text/pipeline.h"
#include "text/count.h"
#include "text/count_lines.h"
#include "text/sequences.h"
#include "text/encoding.h"
#include "text/padding.h"
#include "text/ragged.h"
#include "text/bags.h"
#include "text/skipgrams.h"
#include "text/windows.h"
#include "text/bucketing.h"
#include "text/weighting.h"
#include "text/hashing.h"
#include "text/keras_ids.h"
#include "text/csv.h"
#include "text/conll.h"

#endif

/* safetensors files: named tensors and a table of texts (github.com/huggingface/safetensors).
 *
 *   8 bytes   N, little-endian
 *   N bytes   JSON: {"__metadata__": {text: text}, name: {"dtype", "shape", "data_offsets"}, …}
 *   the rest  the elements, row-major, little-endian, without gaps
 *
 * Everything in a file is checked before it is believed; a broken one gives MAREA_FORMAT with the
 * file, the tensor and what was expected. */
#ifndef MAREA_TRAIN_SAFETENSORS_H
#define MAREA_TRAIN_SAFETENSORS_H

#include "autodiff/tensor.h"

/* Tensors and texts in memory, in the order in which they came. */
typedef struct marea_safetensors marea_safetensors;

/* Empty. NULL: MAREA_NOMEM. */
marea_safetensors *marea_safetensors_new(void);
void marea_safetensors_free(marea_safetensors *file); /* NULL is allowed */

/* Adds a tensor (any strides), retained, under a name (copied, UTF-8). MAREA_ARGUMENT when the
 * name is taken, empty, not UTF-8 or "__metadata__", or the tensor is on a tape. */
marea_status marea_safetensors_add(marea_safetensors *file, const char *name, marea_tensor *tensor);

/* Sets a text of the metadata (both copied, UTF-8 without NUL); an old value is replaced. */
marea_status marea_safetensors_set_text(marea_safetensors *file, const char *key,
                                        const char *value);

/* Asking; everything is borrowed, indices run from 0. find and text: NULL when there is none. */
size_t marea_safetensors_count(const marea_safetensors *file);
const char *marea_safetensors_name(const marea_safetensors *file, size_t i);
marea_tensor *marea_safetensors_tensor(const marea_safetensors *file, size_t i);
marea_tensor *marea_safetensors_find(const marea_safetensors *file, const char *name);
size_t marea_safetensors_text_count(const marea_safetensors *file);
const char *marea_safetensors_key(const marea_safetensors *file, size_t i);
const char *marea_safetensors_value(const marea_safetensors *file, size_t i);
const char *marea_safetensors_text(const marea_safetensors *file, const char *key);

/* Writes `path`: tensors by alignment (the wider type first), then by name; reals as F32 (F64 in
 * the double build), ids as I32. The file is replaced as a whole or stays as it was. Errors:
 * MAREA_IO, MAREA_NOMEM, MAREA_RANGE (a header above 100,000,000 bytes). */
marea_status marea_safetensors_save(const marea_safetensors *file, const char *path);

/* Reads `path`. F16, BF16, F32 and F64 become reals; BOOL and whole numbers of up to 64 bits become
 * int32. MAREA_FORMAT also for a number that the type in memory cannot hold, a type outside this
 * list, and more axes than a tensor can have. NULL on failure. */
marea_safetensors *marea_safetensors_load(const char *path);

#endif

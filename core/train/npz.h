/* NumPy's npz files: a ZIP archive of NAME.npy, an array each (numpy.lib.format, versions 1 to 3).
 *
 *   6 bytes   93 "NUMPY"; then the version's two bytes
 *   2 or 4    length of the header, little-endian (4 bytes from version 2 on)
 *   header    a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *   the rest  the elements
 *
 * The dict is read as data by a parser of its own; nothing is executed, and pickled objects are
 * refused. */
#ifndef MAREA_TRAIN_NPZ_H
#define MAREA_TRAIN_NPZ_H

#include "train/safetensors.h"

/* Reads `path` into a collection (texts: none). f2, f4 and f8 become reals; b1 and whole numbers of
 * up to 64 bits become int32. Fortran's order is turned into C's. MAREA_FORMAT also for big-endian
 * or other types, numbers that the type in memory cannot hold, entries that are no .npy, and more
 * axes than a tensor can have. NULL on failure. */
marea_safetensors *marea_npz_load(const char *path);

/* Writes the tensors, by name, as stored version-1 arrays ('<f4', '<f8' in the double build,
 * '<i4'); texts are left out. The file is replaced as a whole or stays as it was. MAREA_IO,
 * MAREA_NOMEM, MAREA_RANGE (4 GiB). */
marea_status marea_npz_save(const marea_safetensors *tensors, const char *path);

#endif

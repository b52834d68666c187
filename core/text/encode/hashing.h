/* Words to columns without a vocabulary (Weinberger et al., 2009): a stable hash of the word's
 * bytes picks the column, so that two processes and two machines agree. Different words may meet in
 * one column; how many do is for the caller to count. */
#ifndef MAREA_TEXT_HASHING_H
#define MAREA_TEXT_HASHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum marea_hash_rule {
  MAREA_HASH_MAREA,   /* 64 bits of marea_hash_bytes; the topmost is the sign */
  MAREA_HASH_SKLEARN, /* scikit-learn's HashingVectorizer: |MurmurHash3| mod columns, and its sign
                       */
  MAREA_HASH_KERAS    /* Keras's hashing_trick with md5: 1 + md5 mod (columns - 1), no sign */
} marea_hash_rule;

/* The column of a word, 0 … columns-1, or with `is_signed` and a negative sign ~column. `columns`
 * is 1 … INT32_MAX (2 or more for Keras's rule). The seed counts in the first two rules. */
int32_t marea_hash_column(marea_hash_rule rule, const char *bytes, size_t length, uint64_t seed,
                          int32_t columns, bool is_signed);

/* MurmurHash3 for 32 bits (Appleby, 2011, public domain). */
uint32_t marea_murmur3(const char *bytes, size_t length, uint32_t seed);

/* The MD5 digest (Rivest, RFC 1321, 1992): 16 bytes. Not for secrets. */
void marea_md5(const char *bytes, size_t length, uint8_t digest[16]);

/* The digest, read as one big-endian number, modulo m (1 … 2^56). */
uint64_t marea_md5_modulo(const char *bytes, size_t length, uint64_t m);

#endif

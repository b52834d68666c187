/* Status codes and the text of the last error.
 *
 * The core never prints, exits or jumps. A function that can fail returns a marea_status, or a
 * pointer that is NULL on failure; the reason stays readable, per thread, until the next failure.
 * An operation that receives NULL returns NULL and leaves the text alone, so the first message
 * survives a chain of calls. */
#ifndef MAREA_BASE_STATUS_H
#define MAREA_BASE_STATUS_H

/* One line per code: name, what it means to a reader. */
#define MAREA_STATUS_MAP(X)                                                                        \
  X(OK, "success")                                                                                 \
  X(NOMEM, "out of memory")                                                                        \
  X(SHAPE, "shapes do not fit")                                                                    \
  X(TYPE, "wrong element type")                                                                    \
  X(RANGE, "value out of range")                                                                   \
  X(ARGUMENT, "invalid argument")                                                                  \
  X(STATE, "object is in the wrong state")                                                         \
  X(NONFINITE, "NaN or infinity")                                                                  \
  X(IO, "input or output failed")                                                                  \
  X(FORMAT, "malformed data")                                                                      \
  X(INTERRUPTED, "interrupted")

#define MAREA_STATUS_ENUM(name, text) MAREA_##name,
typedef enum marea_status { MAREA_STATUS_MAP(MAREA_STATUS_ENUM) } marea_status;
#undef MAREA_STATUS_ENUM

#if defined(__GNUC__)
#define MAREA_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define MAREA_PRINTF(format_index, first)
#endif

/* Records `code` and a formatted message (cut at 1023 bytes) for this thread; returns `code`, so
 * that a caller writes: return marea_fail(MAREA_RANGE, "rate is %g, expected 0 to 1", rate); */
marea_status marea_fail(marea_status code, const char *format, ...) MAREA_PRINTF(2, 3);

/* Code and message of this thread's last failure; MAREA_OK and "" when there was none. */
marea_status marea_error_code(void);
const char *marea_error_text(void);

/* Forgets this thread's last failure. */
void marea_error_clear(void);

/* Short English name of a code, such as "out of memory". Never NULL. */
const char *marea_status_text(marea_status code);

#endif

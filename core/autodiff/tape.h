/* The dynamic tape: it remembers operations in the order in which they ran, and walks them
 * backwards to get gradients (reverse-mode differentiation; Linnainmaa, 1970).
 *
 * While a tape is active, results and everything saved for backward lie in its arena. Closing
 * frees them all at once. Tapes nest: the innermost one is active. One thread works on a tape. */
#ifndef MAREA_AUTODIFF_TAPE_H
#define MAREA_AUTODIFF_TAPE_H

#include "autodiff/tensor.h"

typedef struct marea_node marea_node;

/* Adds the gradients of the node's inputs, given those of its outputs. Called only when a gradient
 * has reached at least one output. */
typedef marea_status marea_backward(marea_node *node);

struct marea_node {
  const char *op;    /* "matmul" */
  const char *label; /* the layer that was running, or "" */
  int input_count, output_count;
  marea_tensor **inputs; /* entries may be NULL (an optional input that was not given) */
  marea_tensor **outputs;
  marea_backward *backward;
  void *context;                  /* what backward needs; in the arena */
  void (*destroy)(void *context); /* called when the tape closes; NULL: nothing to do */
  marea_node *previous, *next;
};

/* ---- for users ---- */

/* A new tape, active from now on until it is closed. NULL: MAREA_NOMEM. */
marea_tape *marea_tape_new(void);

/* Ends the tape and frees everything on it. The handle itself stays valid for
 * marea_tape_closed until the last reference is dropped. Tapes that were opened later and are
 * still open are closed first, and hold a reference until then. Closing twice is allowed. Asked
 * for by a node while the tape is walked, it happens when the walk ends. */
void marea_tape_close(marea_tape *tape);
bool marea_tape_closed(const marea_tape *tape);
marea_tape *marea_tape_retain(marea_tape *tape);
void marea_tape_free(marea_tape *tape); /* drops a reference; the last one closes the tape */
/* Drops the reference of a handle that got lost. Results on the tape may be in use this very moment
 * (a garbage collector may call this at any allocation), so an open tape is closed only when the
 * last reference goes, or when it is the innermost one and a tape is opened or closed. */
void marea_tape_forget(marea_tape *tape);
marea_tape *marea_tape_active(void); /* NULL if none */

/* Whether the gradients of results in between are wanted (at first they are). Without them an
 * operation may pass its gradient to what the result was made of. */
void marea_tape_retain_gradients(marea_tape *tape, bool wanted);
bool marea_tape_retains_gradients(const marea_tape *tape);

/* Gradients of `loss` (one element) with respect to everything on the tape that requires one.
 * Gradients of owned tensors replace those of an earlier pass, or add to them with `accumulate`.
 * A tape can be walked once. Errors: MAREA_SHAPE (loss is not one element), MAREA_STATE (the loss
 * depends on nothing that requires a gradient, is not of this tape, or the tape was walked). */
marea_status marea_tape_backward(marea_tape *tape, marea_tensor *loss, bool accumulate);

/* Bytes in use on the tape, and number of recorded operations. */
size_t marea_tape_bytes(const marea_tape *tape);
size_t marea_tape_length(const marea_tape *tape);

/* Operations recorded from now on carry this label (copied); NULL: none. */
marea_status marea_tape_label(marea_tape *tape, const char *label);
const char *marea_tape_label_of(const marea_tape *tape); /* "" for none */

/* The first recorded operation with a NaN or infinite output, in order of computation: fills
 * node, output and the element's row-major index in outputs[output]; false when all are finite. */
bool marea_tape_nonfinite(const marea_tape *tape, const marea_node **node, int *output,
                          int64_t *element);

/* Whether this thread records operations; on at first. _enable returns the old setting. */
bool marea_grad_enabled(void);
bool marea_grad_enable(bool on);

/* ---- for the authors of operations ---- */

/* An uninitialised contiguous result: on the active tape, or owned when there is none. */
marea_tensor *marea_result(marea_dtype dtype, int rank, const int64_t *size);

/* A view of x with new shape and strides, beginning `offset` elements further; no copy. On the
 * active tape, which then keeps x's storage until it closes, or owned (sharing x's storage) when
 * there is none. A tensor of a tape that will close before is copied. */
marea_tensor *marea_view(marea_tensor *x, int rank, const int64_t *size, const int64_t *stride,
                         int64_t offset);

/* x itself when it is contiguous, else a contiguous copy without history, to be dropped with
 * marea_tensor_free. One reference either way. NULL in, NULL out. */
marea_tensor *marea_compact(marea_tensor *x);

/* True when an operation on these inputs (NULLs allowed) has to be recorded: a tape is active,
 * recording is on, and one of them requires a gradient. */
bool marea_recording(marea_tensor *const *inputs, int count);

/* Records an operation: the outputs (made by marea_result or marea_view) then require gradients.
 * `context_bytes` zeroed bytes are at node->context. Owned inputs are retained until the tape
 * closes. NULL: MAREA_NOMEM. Call only after marea_recording said so. */
marea_node *marea_record(const char *op, marea_tensor *const *inputs, int input_count,
                         marea_tensor *const *outputs, int output_count, marea_backward *backward,
                         size_t context_bytes);

/* Memory that must live until backward: the active tape's arena. */
void *marea_tape_alloc(size_t bytes);

/* Gradients that are written from now on replace those of earlier passes (or add to them). Gives
 * back the pass before, which a walk inside a walk resumes. */
typedef struct marea_pass {
  uint64_t number;
  bool accumulates;
} marea_pass;
marea_pass marea_gradient_pass_begin(bool accumulate);
void marea_gradient_pass_resume(marea_pass pass);

/* The gradient that has reached x (contiguous, x's shape), or NULL if none has. */
const marea_real *marea_gradient_of(const marea_tensor *x);

/* Where to put dL/dx: a contiguous array of x's shape. On return *first tells whether it holds
 * nothing yet: then every element must be written, else added to. NULL: MAREA_NOMEM. Ask only for
 * tensors that require a gradient; marea_wants_gradient says so and allows NULL. */
marea_real *marea_gradient_target(marea_tensor *x, bool *first);
static inline bool marea_wants_gradient(const marea_tensor *x) {
  return x != NULL && x->requires_grad;
}

/* The same, set to zero at first use, for scattered additions. */
marea_real *marea_gradient_sum(marea_tensor *x);

/* Adds a contiguous array of x's shape to its gradient. */
marea_status marea_gradient_add(marea_tensor *x, const marea_real *values);

/* Adds values (n, D) to the rows ids[0…n-1] of the gradient of the table x (V, D); repeated ids
 * add up, in order of appearance. An owned table gets a row-sparse gradient. */
marea_status marea_gradient_add_rows(marea_tensor *x, const int32_t *ids, int64_t n,
                                     const marea_real *values);

#endif

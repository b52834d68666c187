#include "autodiff/tape.h"

#include <math.h>
#include <string.h>

#include "autodiff/storage.h"

struct marea_tape {
  marea_arena *arena; /* NULL once closed */
  marea_node *first, *last;
  size_t length;
  const char *label;
  bool walked;
  marea_tape *outer;
  int references;
};

static _Thread_local marea_tape *active_tape;
static _Thread_local bool grad_disabled;

/* ---- lifetime ---- */

marea_tape *marea_tape_new(void) {
  marea_tape *tape = marea_alloc_zero(1, sizeof *tape);
  if (tape == NULL) return NULL;
  tape->arena = marea_arena_new();
  if (tape->arena == NULL) {
    marea_free(tape);
    return NULL;
  }
  tape->label = "";
  tape->references = 1;
  tape->outer = active_tape;
  active_tape = tape;
  return tape;
}

static void release_node(marea_node *node) {
  if (node->destroy != NULL) node->destroy(node->context);
  for (int i = 0; i < node->input_count; i++) marea_tensor_free(node->inputs[i]);
}

static bool lies_on_stack(const marea_tape *tape) {
  for (marea_tape *t = active_tape; t != NULL; t = t->outer)
    if (t == tape) return true;
  return false;
}

void marea_tape_close(marea_tape *tape) {
  if (tape->arena == NULL) return;
  if (lies_on_stack(tape)) {
    while (active_tape != tape) marea_tape_close(active_tape);
    active_tape = tape->outer;
  }
  for (marea_node *node = tape->last; node != NULL; node = node->previous) release_node(node);
  marea_arena_free(tape->arena);
  tape->arena = NULL;
  tape->first = tape->last = NULL;
  tape->label = "";
}

bool marea_tape_closed(const marea_tape *tape) {
  return tape->arena == NULL;
}

marea_tape *marea_tape_retain(marea_tape *tape) {
  tape->references++;
  return tape;
}

void marea_tape_free(marea_tape *tape) {
  if (tape == NULL || --tape->references > 0) return;
  marea_tape_close(tape);
  marea_free(tape);
}

marea_tape *marea_tape_active(void) {
  return active_tape;
}

size_t marea_tape_bytes(const marea_tape *tape) {
  return tape->arena == NULL ? 0 : marea_arena_used(tape->arena);
}

size_t marea_tape_length(const marea_tape *tape) {
  return tape->length;
}

marea_status marea_tape_label(marea_tape *tape, const char *label) {
  if (tape->arena == NULL) return marea_fail(MAREA_STATE, "the tape is closed");
  if (label == NULL || *label == '\0') {
    tape->label = "";
    return MAREA_OK;
  }
  size_t bytes = strlen(label) + 1;
  char *copy = marea_arena_alloc(tape->arena, bytes);
  if (copy == NULL) return MAREA_NOMEM;
  tape->label = memcpy(copy, label, bytes);
  return MAREA_OK;
}

const char *marea_tape_label_of(const marea_tape *tape) {
  return tape->label;
}

bool marea_grad_enabled(void) {
  return !grad_disabled;
}

bool marea_grad_enable(bool on) {
  bool before = !grad_disabled;
  grad_disabled = !on;
  return before;
}

/* ---- results ---- */

void *marea_tape_alloc(size_t bytes) {
  if (active_tape != NULL) return marea_arena_alloc(active_tape->arena, bytes);
  marea_fail(MAREA_STATE, "no tape is active");
  return NULL;
}

static marea_tensor *taped_tensor(void) {
  marea_tensor *x = marea_arena_alloc(active_tape->arena, sizeof *x);
  if (x == NULL) return NULL;
  memset(x, 0, sizeof *x);
  x->tape = active_tape;
  return x;
}

marea_tensor *marea_result(marea_dtype dtype, int rank, const int64_t *size) {
  if (active_tape == NULL) return marea_tensor_uninitialised(dtype, rank, size);
  size_t bytes;
  marea_tensor *x = taped_tensor();
  if (x == NULL || marea_tensor_layout(x, dtype, rank, size, &bytes) != MAREA_OK) return NULL;
  x->data = marea_arena_alloc(active_tape->arena, bytes);
  return x->data == NULL ? NULL : x;
}

marea_tensor *marea_view(marea_tensor *x, int rank, const int64_t *size, const int64_t *stride,
                         int64_t offset) {
  size_t bytes;
  marea_tensor *view =
      active_tape != NULL ? taped_tensor() : marea_alloc_zero(1, sizeof(marea_tensor));
  if (view == NULL) return NULL;
  if (marea_tensor_layout(view, x->dtype, rank, size, &bytes) != MAREA_OK) {
    if (active_tape == NULL) marea_free(view);
    return NULL;
  }
  for (int axis = 0; axis < rank; axis++) view->stride[axis] = stride[axis];
  view->data = (char *)x->data + offset * (int64_t)marea_dtype_bytes(x->dtype);
  if (active_tape == NULL) {
    view->references = 1;
    view->storage = marea_storage_retain(x->storage);
  }
  return view;
}

marea_tensor *marea_compact(marea_tensor *x) {
  if (x == NULL) return NULL;
  if (marea_tensor_contiguous(x)) return marea_tensor_retain(x);
  marea_tensor *copy = marea_result(x->dtype, x->rank, x->size);
  if (copy != NULL) marea_tensor_gather(x, copy->data);
  return copy;
}

/* ---- recording ---- */

bool marea_recording(marea_tensor *const *inputs, int count) {
  if (active_tape == NULL || grad_disabled) return false;
  for (int i = 0; i < count; i++)
    if (marea_wants_gradient(inputs[i])) return true;
  return false;
}

static marea_tensor **copy_list(marea_tensor *const *list, int count) {
  marea_tensor **copy = marea_arena_alloc(active_tape->arena, (size_t)count * sizeof *copy);
  if (copy != NULL && count > 0) memcpy(copy, list, (size_t)count * sizeof *copy);
  return copy;
}

static void append(marea_tape *tape, marea_node *node) {
  node->previous = tape->last;
  if (tape->last != NULL)
    tape->last->next = node;
  else
    tape->first = node;
  tape->last = node;
  tape->length++;
}

marea_node *marea_record(const char *op, marea_tensor *const *inputs, int input_count,
                         marea_tensor *const *outputs, int output_count, marea_backward *backward,
                         size_t context_bytes) {
  marea_node *node = marea_arena_alloc(active_tape->arena, sizeof *node);
  marea_tensor **kept_inputs = copy_list(inputs, input_count);
  marea_tensor **kept_outputs = copy_list(outputs, output_count);
  void *context = marea_arena_alloc(active_tape->arena, context_bytes);
  if (node == NULL || kept_inputs == NULL || kept_outputs == NULL || context == NULL) return NULL;
  memset(context, 0, context_bytes);
  *node = (marea_node){.op = op,
                       .label = active_tape->label,
                       .input_count = input_count,
                       .output_count = output_count,
                       .inputs = kept_inputs,
                       .outputs = kept_outputs,
                       .backward = backward,
                       .context = context};
  for (int i = 0; i < input_count; i++) marea_tensor_retain(kept_inputs[i]);
  for (int i = 0; i < output_count; i++)
    if (kept_outputs[i] != NULL) kept_outputs[i]->requires_grad = true;
  append(active_tape, node);
  return node;
}

/* ---- walking ---- */

bool marea_tape_nonfinite(const marea_tape *tape, const marea_node **node, int *output,
                          int64_t *element) {
  for (const marea_node *n = tape->first; n != NULL; n = n->next) {
    for (int i = 0; i < n->output_count; i++) {
      const marea_tensor *x = n->outputs[i];
      int64_t count = x == NULL || x->dtype != MAREA_REAL ? 0 : marea_tensor_count(x);
      for (int64_t j = 0; j < count; j++) {
        if (isfinite(marea_tensor_get(x, j))) continue;
        *node = n, *output = i, *element = j;
        return true;
      }
    }
  }
  return false;
}

static marea_status check_walk(const marea_tape *tape, const marea_tensor *loss) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (tape->arena == NULL) return marea_fail(MAREA_STATE, "backward: the tape is closed");
  if (tape->walked)
    return marea_fail(MAREA_STATE, "backward: this tape was walked already; open a new one");
  if (marea_tensor_count(loss) != 1)
    return marea_fail(MAREA_SHAPE, "backward: the loss has to be one number, it is %s",
                      marea_shape_text(loss, text));
  if (loss->tape != tape)
    return marea_fail(MAREA_STATE, "backward: the loss was not computed on this tape");
  if (!loss->requires_grad)
    return marea_fail(MAREA_STATE,
                      "backward: the loss depends on no tensor that requires a gradient");
  return MAREA_OK;
}

static bool reached(const marea_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] != NULL && marea_gradient_of(node->outputs[i]) != NULL) return true;
  return false;
}

marea_status marea_gradient_pass_begin(bool accumulate); /* gradient.c */

marea_status marea_tape_backward(marea_tape *tape, marea_tensor *loss, bool accumulate) {
  marea_status status = check_walk(tape, loss);
  if (status != MAREA_OK) return status;
  tape->walked = true;
  marea_gradient_pass_begin(accumulate);
  marea_tape *before = active_tape;
  active_tape = tape; /* temporaries of backward belong to this tape */
  marea_real *seed = marea_gradient_sum(loss);
  if (seed == NULL)
    status = MAREA_NOMEM;
  else
    seed[0] = 1;
  for (marea_node *node = tape->last; node != NULL && status == MAREA_OK; node = node->previous)
    if (reached(node)) status = node->backward(node);
  active_tape = before;
  return status;
}

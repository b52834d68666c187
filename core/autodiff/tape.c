#include "autodiff/tape.h"

#include <math.h>
#include <string.h>

#include "autodiff/storage.h"

/* Storage of an owned tensor into which a view on the tape looks; in the tape's arena. */
typedef struct kept_storage {
  marea_storage *storage;
  struct kept_storage *next;
} kept_storage;

struct marea_tape {
  marea_arena *arena; /* NULL once closed */
  marea_node *first, *last;
  size_t length;
  const char *label;
  kept_storage *kept;
  bool walked, walking, close_wanted, forgotten, leaves_only;
  uint64_t number;   /* in order of opening */
  marea_tape *outer; /* held by a reference: views on this tape may look into the outer's arena */
  int references;
};

/* Open tapes, the innermost first. While one is walked backwards, results belong to it, unless
 * a tape was opened since the walk began. */
static _Thread_local marea_tape *top_tape;
static _Thread_local marea_tape *walker; /* the tape that is walked, or NULL */
static _Thread_local uint64_t tapes_opened, opened_before_walk;
static _Thread_local bool grad_disabled;

static marea_tape *active(void) {
  bool walk_first = walker != NULL && (top_tape == NULL || top_tape->number <= opened_before_walk);
  return walk_first ? walker : top_tape;
}

/* ---- lifetime ---- */

static void drop_forgotten(void);

marea_tape *marea_tape_new(void) {
  drop_forgotten();
  marea_tape *tape = marea_alloc_zero(1, sizeof *tape);
  if (tape == NULL) return NULL;
  tape->arena = marea_arena_new();
  if (tape->arena == NULL) {
    marea_free(tape);
    return NULL;
  }
  tape->label = "";
  tape->references = 1;
  tape->number = ++tapes_opened;
  tape->outer = top_tape == NULL ? NULL : marea_tape_retain(top_tape);
  top_tape = tape;
  return tape;
}

static void release_node(marea_node *node) {
  if (node->destroy != NULL) node->destroy(node->context);
  for (int i = 0; i < node->input_count; i++) marea_tensor_free(node->inputs[i]);
}

/* Closes the innermost tape; gives back the next one, whose reference the caller has to drop. */
static marea_tape *shut(marea_tape *tape) {
  marea_arena *arena = tape->arena;
  marea_node *last = tape->last;
  marea_tape *outer = tape->outer;
  kept_storage *kept = tape->kept;
  top_tape = outer;
  tape->arena = NULL;
  tape->outer = NULL;
  tape->kept = NULL;
  tape->first = tape->last = NULL;
  tape->label = "";
  for (marea_node *node = last; node != NULL; node = node->previous) release_node(node);
  for (; kept != NULL; kept = kept->next) marea_storage_free(kept->storage);
  marea_arena_free(arena);
  return outer;
}

/* Whether closing would pull a tape from under its walk (a node asks for it on the way). */
static bool walked_inside(const marea_tape *tape) {
  for (const marea_tape *t = top_tape; t != tape; t = t->outer)
    if (t->walking) return true;
  return tape->walking;
}

void marea_tape_close(marea_tape *tape) {
  if (tape->arena == NULL) return;
  if (walked_inside(tape)) {
    tape->close_wanted = true;
    return;
  }
  while (top_tape != tape) marea_tape_free(shut(top_tape));
  marea_tape_free(shut(tape));
  drop_forgotten();
}

static void drop_forgotten(void) {
  while (top_tape != NULL && top_tape->forgotten && !top_tape->walking)
    marea_tape_free(shut(top_tape));
}

void marea_tape_forget(marea_tape *tape) {
  tape->forgotten = true;
  marea_tape_free(tape);
}

bool marea_tape_closed(const marea_tape *tape) {
  return tape->arena == NULL;
}

marea_tape *marea_tape_retain(marea_tape *tape) {
  tape->references++;
  return tape;
}

void marea_tape_free(marea_tape *tape) {
  while (tape != NULL && --tape->references == 0) { /* a loop: there may be many forgotten ones */
    marea_tape *outer = tape->arena == NULL ? NULL : shut(tape);
    marea_free(tape);
    tape = outer;
  }
}

marea_tape *marea_tape_active(void) {
  return active();
}

void marea_tape_retain_gradients(marea_tape *tape, bool wanted) {
  tape->leaves_only = !wanted;
}

bool marea_tape_retains_gradients(const marea_tape *tape) {
  return !tape->leaves_only;
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
  if (active() != NULL) return marea_arena_alloc(active()->arena, bytes);
  marea_fail(MAREA_STATE, "no tape is active");
  return NULL;
}

static marea_tensor *taped_tensor(void) {
  marea_tensor *x = marea_arena_alloc(active()->arena, sizeof *x);
  if (x == NULL) return NULL;
  memset(x, 0, sizeof *x);
  x->tape = active();
  return x;
}

marea_tensor *marea_result(marea_dtype dtype, int rank, const int64_t *size) {
  if (active() == NULL) return marea_tensor_uninitialised(dtype, rank, size);
  size_t bytes;
  marea_tensor *x = taped_tensor();
  if (x == NULL || marea_tensor_layout(x, dtype, rank, size, &bytes) != MAREA_OK) return NULL;
  x->data = marea_arena_alloc(active()->arena, bytes);
  return x->data == NULL ? NULL : x;
}

/* The owned tensor may be dropped before the view. */
static marea_status keep_storage(marea_tape *tape, marea_storage *storage) {
  if (storage == NULL || (tape->kept != NULL && tape->kept->storage == storage)) return MAREA_OK;
  kept_storage *kept = marea_arena_alloc(tape->arena, sizeof *kept);
  if (kept == NULL) return MAREA_NOMEM;
  *kept = (kept_storage){marea_storage_retain(storage), tape->kept};
  tape->kept = kept;
  return MAREA_OK;
}

static marea_status look_into(marea_tensor *view, const marea_tensor *x, int rank,
                              const int64_t *size, const int64_t *stride, int64_t offset) {
  size_t bytes;
  marea_status status = marea_tensor_layout(view, x->dtype, rank, size, &bytes);
  for (int axis = 0; axis < rank && status == MAREA_OK; axis++) view->stride[axis] = stride[axis];
  view->data = (char *)x->data + offset * (int64_t)marea_dtype_bytes(x->dtype);
  return status;
}

static marea_tensor *taped_view(marea_tensor *x, int rank, const int64_t *size,
                                const int64_t *stride, int64_t offset) {
  marea_tape *tape = active();
  if (x->tape != NULL && x->tape->number > tape->number) { /* x may end first: no view, a copy */
    marea_tensor look = {0};
    if (look_into(&look, x, rank, size, stride, offset) != MAREA_OK) return NULL;
    marea_tensor *copy = marea_result(x->dtype, rank, size);
    if (copy != NULL) marea_tensor_gather(&look, copy->data);
    return copy;
  }
  marea_tensor *view = taped_tensor();
  if (view == NULL || look_into(view, x, rank, size, stride, offset) != MAREA_OK ||
      keep_storage(tape, x->storage) != MAREA_OK)
    return NULL;
  return view;
}

marea_tensor *marea_view(marea_tensor *x, int rank, const int64_t *size, const int64_t *stride,
                         int64_t offset) {
  if (active() != NULL) return taped_view(x, rank, size, stride, offset);
  marea_tensor *view = marea_alloc_zero(1, sizeof *view);
  if (view == NULL) return NULL;
  if (look_into(view, x, rank, size, stride, offset) != MAREA_OK) {
    marea_free(view);
    return NULL;
  }
  view->references = 1;
  view->storage = marea_storage_retain(x->storage);
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
  if (active() == NULL || grad_disabled) return false;
  for (int i = 0; i < count; i++)
    if (marea_wants_gradient(inputs[i])) return true;
  return false;
}

static marea_tensor **copy_list(marea_tensor *const *list, int count) {
  marea_tensor **copy = marea_arena_alloc(active()->arena, (size_t)count * sizeof *copy);
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
  marea_node *node = marea_arena_alloc(active()->arena, sizeof *node);
  marea_tensor **kept_inputs = copy_list(inputs, input_count);
  marea_tensor **kept_outputs = copy_list(outputs, output_count);
  void *context = marea_arena_alloc(active()->arena, context_bytes);
  if (node == NULL || kept_inputs == NULL || kept_outputs == NULL || context == NULL) return NULL;
  memset(context, 0, context_bytes);
  *node = (marea_node){.op = op,
                       .label = active()->label,
                       .input_count = input_count,
                       .output_count = output_count,
                       .inputs = kept_inputs,
                       .outputs = kept_outputs,
                       .backward = backward,
                       .context = context};
  for (int i = 0; i < input_count; i++) marea_tensor_retain(kept_inputs[i]);
  for (int i = 0; i < output_count; i++)
    if (kept_outputs[i] != NULL) kept_outputs[i]->requires_grad = true;
  append(active(), node);
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

/* The outermost of the open tapes that were to be closed during a walk, or NULL. */
static marea_tape *find_close_wanted(void) {
  marea_tape *wanted = NULL;
  for (marea_tape *t = top_tape; t != NULL; t = t->outer)
    if (t->close_wanted) wanted = t;
  return wanted;
}

static marea_status walk(marea_tape *tape, marea_tensor *loss) {
  marea_real *seed = marea_gradient_sum(loss);
  if (seed == NULL) return MAREA_NOMEM;
  seed[0] = 1;
  marea_status status = MAREA_OK;
  for (marea_node *node = tape->last; node != NULL && status == MAREA_OK; node = node->previous)
    if (reached(node)) status = node->backward(node);
  return status;
}

marea_status marea_tape_backward(marea_tape *tape, marea_tensor *loss, bool accumulate) {
  marea_status status = check_walk(tape, loss);
  if (status != MAREA_OK) return status;
  marea_tape *walker_before = walker;
  uint64_t opened_before = opened_before_walk;
  marea_pass pass_before = marea_gradient_pass_begin(accumulate);
  tape->walked = tape->walking = true;
  walker = marea_tape_retain(tape);
  opened_before_walk = tapes_opened;
  status = walk(tape, loss);
  if (walker_before != NULL) marea_gradient_pass_resume(pass_before);
  walker = walker_before;
  opened_before_walk = opened_before;
  tape->walking = false;
  marea_tape *wanted = find_close_wanted();
  if (wanted != NULL) marea_tape_close(wanted);
  marea_tape_free(tape);
  return status;
}

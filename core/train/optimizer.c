#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "train/optimizer_options.h"
#include "train/rules.h"
#include "train/spans.h"

enum {
  PIECE = MAREA_CLIP_PIECE, /* elements that one thread takes at a time */
  BLOCK = 2048,             /* elements of one call of a rule: its scratch fits the first cache */
  SERIAL_BELOW = 4 * PIECE  /* a smaller model is faster on one thread */
};

static const marea_real zeros[BLOCK]; /* the gradient of rows that were not looked up */

typedef struct parameter {
  char *name;
  marea_tensor *tensor;
  marea_tensor *slots[MAREA_MAX_SLOTS];
  marea_tensor *average;
  bool decays;
  double factor; /* of the learning rate */
  int64_t count;
  size_t first_piece; /* of all pieces of the optimizer */
  /* of the step under way */
  bool active;
  double norm;
  marea_real scale;
} parameter;

struct marea_optimizer {
  marea_optimizer_options options;
  const marea_rule *rule;
  const char *slot_names[MAREA_MAX_SLOTS];
  int slot_count;
  int64_t iterations;
  double product; /* the rule's own running value */
  parameter *parameters;
  size_t parameter_count, parameter_capacity;
  size_t piece_count;
  int64_t element_count;
  marea_squares *squares; /* one a piece */
  size_t squares_capacity;
  marea_rule_step step;
  marea_real decay; /* of this step */
};

static const marea_rule *const rules[MAREA_OPTIMIZER_COUNT] = {
    [MAREA_SGD] = &marea_rule_sgd,         [MAREA_RMSPROP] = &marea_rule_rmsprop,
    [MAREA_ADAM] = &marea_rule_adam,       [MAREA_ADAMW] = &marea_rule_adam,
    [MAREA_ADAGRAD] = &marea_rule_adagrad, [MAREA_ADADELTA] = &marea_rule_adadelta,
    [MAREA_ADAMAX] = &marea_rule_adamax,   [MAREA_NADAM] = &marea_rule_nadam,
    [MAREA_LION] = &marea_rule_lion};

/* ---- making ---- */

marea_optimizer *marea_optimizer_new(const marea_optimizer_options *options) {
  if (marea_check_options(options) != MAREA_OK) return NULL;
  marea_optimizer *optimizer = marea_alloc_zero(1, sizeof *optimizer);
  if (optimizer == NULL) return NULL;
  optimizer->options = *options;
  optimizer->rule = rules[options->kind];
  optimizer->slot_count = optimizer->rule->slots(options, optimizer->slot_names);
  optimizer->product = 1;
  return optimizer;
}

static void drop_parameter(parameter *p) {
  for (int slot = 0; slot < MAREA_MAX_SLOTS; slot++) marea_tensor_free(p->slots[slot]);
  marea_tensor_free(p->average);
  marea_tensor_free(p->tensor);
  marea_free(p->name);
}

void marea_optimizer_free(marea_optimizer *optimizer) {
  if (optimizer == NULL) return;
  for (size_t i = 0; i < optimizer->parameter_count; i++) drop_parameter(&optimizer->parameters[i]);
  marea_free(optimizer->parameters);
  marea_free(optimizer->squares);
  marea_free(optimizer);
}

static marea_status check_parameter(const marea_optimizer *optimizer, const char *name,
                                    const marea_tensor *x) {
  if (x->tape != NULL || x->dtype != MAREA_REAL || !marea_tensor_contiguous(x))
    return marea_fail(MAREA_ARGUMENT,
                      "parameter \"%s\" is %s, expected an owned, contiguous tensor of reals", name,
                      x->tape != NULL          ? "a result on a tape"
                      : x->dtype != MAREA_REAL ? "of whole numbers"
                                               : "a strided view");
  for (size_t i = 0; i < optimizer->parameter_count; i++) {
    const parameter *p = &optimizer->parameters[i];
    if (p->tensor == x || strcmp(p->name, name) == 0)
      return marea_fail(MAREA_ARGUMENT, "parameter \"%s\" is in the optimizer already%s%s", name,
                        p->tensor == x ? ", as " : "", p->tensor == x ? p->name : "");
  }
  return MAREA_OK;
}

/* Room for one more parameter and for `pieces` sums. */
static marea_status reserve(marea_optimizer *optimizer, size_t pieces) {
  if (optimizer->parameter_count == optimizer->parameter_capacity) {
    size_t capacity = 2 * optimizer->parameter_capacity + 16;
    parameter *grown = marea_realloc(optimizer->parameters, capacity * sizeof *grown);
    if (grown == NULL) return MAREA_NOMEM;
    optimizer->parameters = grown;
    optimizer->parameter_capacity = capacity;
  }
  if (pieces > optimizer->squares_capacity) {
    size_t capacity = pieces + pieces / 2 + 16;
    marea_squares *grown = marea_realloc(optimizer->squares, capacity * sizeof *grown);
    if (grown == NULL) return MAREA_NOMEM;
    optimizer->squares = grown;
    optimizer->squares_capacity = capacity;
  }
  return MAREA_OK;
}

static marea_status make_slots(const marea_optimizer *optimizer, parameter *p) {
  const marea_tensor *x = p->tensor;
  for (int slot = 0; slot < optimizer->slot_count; slot++) {
    p->slots[slot] = marea_tensor_new(MAREA_REAL, x->rank, x->size);
    if (p->slots[slot] == NULL) return MAREA_NOMEM;
    if (optimizer->options.kind == MAREA_ADAGRAD)
      marea_tensor_fill(p->slots[slot], optimizer->options.initial_accumulator);
  }
  if (optimizer->options.average) {
    p->average = marea_tensor_copy(x);
    if (p->average == NULL) return MAREA_NOMEM;
  }
  return MAREA_OK;
}

marea_status marea_optimizer_add(marea_optimizer *optimizer, const char *name, marea_tensor *tensor,
                                 bool decays) {
  marea_status status = check_parameter(optimizer, name, tensor);
  if (status != MAREA_OK) return status;
  parameter p = {.count = marea_tensor_count(tensor),
                 .decays = decays,
                 .factor = 1,
                 .first_piece = optimizer->piece_count};
  size_t pieces = optimizer->piece_count + marea_pieces((size_t)p.count, PIECE);
  status = reserve(optimizer, pieces);
  if (status != MAREA_OK) return status;
  p.name = marea_strdup(name);
  p.tensor = marea_tensor_retain(tensor);
  status = p.name == NULL ? MAREA_NOMEM : make_slots(optimizer, &p);
  if (status != MAREA_OK) {
    drop_parameter(&p);
    return status;
  }
  optimizer->parameters[optimizer->parameter_count++] = p;
  optimizer->piece_count = pieces;
  optimizer->element_count += p.count;
  return MAREA_OK;
}

/* ---- pieces ---- */

/* The parameter that owns a piece: the last one that begins at or before it and has elements. */
static parameter *owner_of(const marea_optimizer *optimizer, size_t piece) {
  size_t low = 0, high = optimizer->parameter_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (optimizer->parameters[middle].first_piece <= piece)
      low = middle;
    else
      high = middle;
  }
  return &optimizer->parameters[low];
}

static void range_of(const parameter *p, size_t piece, int64_t *from, int64_t *to) {
  *from = (int64_t)(piece - p->first_piece) * PIECE;
  *to = *from + PIECE < p->count ? *from + PIECE : p->count;
}

static void for_each_piece(marea_optimizer *optimizer, marea_loop_body *body) {
  if (optimizer->element_count >= SERIAL_BELOW) {
    marea_parallel(optimizer->piece_count, body, optimizer);
  } else {
    for (size_t piece = 0; piece < optimizer->piece_count; piece++) body(optimizer, piece);
  }
}

/* ---- norms and clipping ---- */

static void measure_piece(void *context, size_t piece) {
  marea_optimizer *optimizer = context;
  const parameter *p = owner_of(optimizer, piece);
  int64_t from, to;
  if (!p->active) return;
  range_of(p, piece, &from, &to);
  optimizer->squares[piece] = marea_gradient_squares(
      p->tensor, from, to, 1 / optimizer->options.loss_scale, optimizer->options.clip.value);
}

/* Norms of each parameter's gradient; the joint norms go into the report. */
static void measure(marea_optimizer *optimizer, marea_step_report *report) {
  double before = 0, after = 0;
  for_each_piece(optimizer, measure_piece);
  for (size_t i = 0; i < optimizer->parameter_count; i++) {
    parameter *p = &optimizer->parameters[i];
    if (!p->active) continue;
    marea_squares sum = {0};
    size_t pieces = marea_pieces((size_t)p->count, PIECE);
    for (size_t piece = p->first_piece; piece < p->first_piece + pieces; piece++) {
      sum.before += optimizer->squares[piece].before;
      sum.after += optimizer->squares[piece].after;
    }
    p->norm = sqrt(sum.before);
    before += sum.before;
    after += sum.after;
  }
  report->norm_before = sqrt(before);
  report->norm_after = sqrt(after);
}

static void clip(marea_optimizer *optimizer, marea_step_report *report) {
  const marea_optimizer_options *options = &optimizer->options;
  double after = 0;
  for (size_t i = 0; i < optimizer->parameter_count; i++) {
    parameter *p = &optimizer->parameters[i];
    if (!p->active) continue;
    double factor = marea_clip_factor(&options->clip, p->norm, report->norm_before);
    p->scale = (marea_real)(factor / options->loss_scale);
    after += factor * p->norm * factor * p->norm;
  }
  if (options->clip.value == 0) report->norm_after = sqrt(after);
}

static marea_status nonfinite(const parameter *p, int64_t element) {
  const marea_tensor *x = p->tensor;
  int64_t index[MAREA_MAX_RANK];
  char place[MAREA_SHAPE_TEXT_BYTES], shape[MAREA_SHAPE_TEXT_BYTES];
  for (int axis = x->rank - 1; axis >= 0; axis--) {
    index[axis] = element % x->size[axis] + 1;
    element /= x->size[axis];
  }
  return marea_fail(MAREA_NONFINITE,
                    "the gradient of \"%s\" %s is NaN or infinite, first at element %s counted "
                    "from 1; no weight was changed",
                    p->name, marea_shape_text(x, shape), marea_sizes_text(x->rank, index, place));
}

static marea_status check_finite(const marea_optimizer *optimizer) {
  if (optimizer->options.allow_nonfinite) return MAREA_OK;
  for (size_t i = 0; i < optimizer->parameter_count; i++) {
    const parameter *p = &optimizer->parameters[i];
    if (!p->active || isfinite(p->norm)) continue;
    int64_t element = marea_gradient_nonfinite(p->tensor);
    if (element >= 0) return nonfinite(p, element); /* else only the sum of squares overflowed */
  }
  return MAREA_OK;
}

/* ---- the step ---- */

/* The gradient as the rule sees it, in `scratch` when it differs from the stored one. */
static const marea_real *shaped_gradient(const marea_optimizer *optimizer, const parameter *p,
                                         const marea_real *restrict g, const marea_real *restrict w,
                                         marea_real *restrict scratch, int64_t n) {
  const marea_optimizer_options *options = &optimizer->options;
  bool coupled = options->pytorch && options->kind != MAREA_ADAMW && options->kind != MAREA_LION;
  const marea_real scale = p->scale, limit = (marea_real)options->clip.value;
  const marea_real decay = coupled && p->decays ? (marea_real)options->weight_decay : 0;
  if (scale == 1 && limit == 0 && decay == 0) return g;
  for (int64_t i = 0; i < n; i++) scratch[i] = scale * g[i];
  if (limit > 0)
    for (int64_t i = 0; i < n; i++)
      scratch[i] = scratch[i] > limit ? limit : scratch[i] < -limit ? -limit : scratch[i];
  if (decay > 0)
    for (int64_t i = 0; i < n; i++) scratch[i] += decay * w[i];
  return scratch;
}

static void update_block(const marea_optimizer *optimizer, const parameter *p, int64_t start,
                         const marea_real *g, int64_t n) {
  marea_real scratch[BLOCK];
  marea_real *slots[MAREA_MAX_SLOTS] = {NULL};
  marea_real *w = marea_reals(p->tensor) + start;
  for (int slot = 0; slot < optimizer->slot_count; slot++)
    slots[slot] = marea_reals(p->slots[slot]) + start;
  g = shaped_gradient(optimizer, p, g, w, scratch, n);
  marea_rule_step step = optimizer->step;
  marea_real decay = optimizer->decay;
  if (p->factor != 1) {
    step.rate *= (marea_real)p->factor;
    decay *= (marea_real)p->factor;
  }
  if (decay > 0 && p->decays)
    for (int64_t i = 0; i < n; i++) w[i] -= w[i] * decay;
  optimizer->rule->update(&step, w, g, slots, n);
}

static void update_span(const marea_optimizer *optimizer, const parameter *p,
                        const marea_span *span) {
  for (int64_t done = 0; done < span->count; done += BLOCK) {
    int64_t n = span->count - done < BLOCK ? span->count - done : BLOCK;
    update_block(optimizer, p, span->start + done,
                 span->gradient != NULL ? span->gradient + done : zeros, n);
  }
}

/* At the first step the average is the weights themselves. */
static void move_average(const marea_optimizer *optimizer, const parameter *p, int64_t from,
                         int64_t to) {
  const marea_optimizer_options *options = &optimizer->options;
  double momentum = optimizer->iterations == 1 ? 0 : options->average_momentum;
  const marea_real old = (marea_real)momentum, fresh = (marea_real)(1 - momentum);
  marea_real *restrict average = marea_reals(p->average);
  marea_real *restrict w = marea_reals(p->tensor);
  for (int64_t i = from; i < to; i++) average[i] = old * average[i] + fresh * w[i];
  if (options->average_overwrite > 0 && optimizer->iterations % options->average_overwrite == 0)
    memcpy(w + from, average + from, (size_t)(to - from) * sizeof *w);
}

static void update_piece(void *context, size_t piece) {
  const marea_optimizer *optimizer = context;
  const parameter *p = owner_of(optimizer, piece);
  int64_t from, to;
  marea_span span;
  if (!p->active) return;
  range_of(p, piece, &from, &to);
  marea_span_walk walk = marea_spans(p->tensor, from, to);
  while (marea_spans_next(&walk, &span))
    if (span.gradient != NULL || !optimizer->options.lazy) update_span(optimizer, p, &span);
  if (p->average != NULL) move_average(optimizer, p, from, to);
}

static int64_t choose_active(marea_optimizer *optimizer) {
  int64_t active = 0;
  for (size_t i = 0; i < optimizer->parameter_count; i++) {
    parameter *p = &optimizer->parameters[i];
    const marea_gradient *g = p->tensor->gradient;
    p->active = g != NULL && g->fresh;
    active += p->active;
  }
  return active;
}

static void prepare(marea_optimizer *optimizer) {
  const marea_optimizer_options *options = &optimizer->options;
  bool decoupled = !options->pytorch || options->kind == MAREA_ADAMW || options->kind == MAREA_LION;
  optimizer->iterations++;
  optimizer->rule->prepare(options, optimizer->iterations, &optimizer->product, &optimizer->step);
  optimizer->decay = decoupled ? (marea_real)(options->weight_decay * options->learning_rate) : 0;
}

/* Measures, and counts; MAREA_STATE when backward left nothing. */
static marea_status begin(marea_optimizer *optimizer, marea_step_report *report) {
  *report = (marea_step_report){.parameters = choose_active(optimizer)};
  if (report->parameters == 0)
    return marea_fail(MAREA_STATE,
                      "none of the optimizer's %zu parameters has a fresh gradient: run backward "
                      "before each step",
                      optimizer->parameter_count);
  measure(optimizer, report);
  return MAREA_OK;
}

static void update(marea_optimizer *optimizer, marea_step_report *report) {
  clip(optimizer, report);
  prepare(optimizer);
  for_each_piece(optimizer, update_piece);
}

/* Refused gradients are spent as well: the next step must not meet them again. */
static void spend(marea_optimizer *optimizer) {
  for (size_t i = 0; i < optimizer->parameter_count; i++)
    if (optimizer->parameters[i].active) optimizer->parameters[i].tensor->gradient->fresh = false;
}

marea_status marea_optimizer_step(marea_optimizer *optimizer, marea_step_report *report) {
  marea_step_report ignored;
  if (report == NULL) report = &ignored;
  marea_status status = begin(optimizer, report);
  if (status != MAREA_OK) return status;
  status = check_finite(optimizer);
  if (status == MAREA_OK) update(optimizer, report);
  spend(optimizer);
  return status;
}

marea_status marea_optimizer_try_step(marea_optimizer *optimizer, marea_step_report *report) {
  marea_status status = begin(optimizer, report);
  if (status != MAREA_OK) return status;
  report->refused = !isfinite(report->norm_before);
  if (!report->refused) update(optimizer, report);
  spend(optimizer);
  return MAREA_OK;
}

double marea_optimizer_norm(marea_optimizer *optimizer) {
  marea_step_report report = {0};
  if (choose_active(optimizer) > 0) measure(optimizer, &report);
  return report.norm_before;
}

/* ---- settings and state ---- */

const marea_optimizer_options *marea_optimizer_options_of(const marea_optimizer *optimizer) {
  return &optimizer->options;
}

marea_status marea_optimizer_set_rate(marea_optimizer *optimizer, double learning_rate) {
  marea_status status = marea_check_rate(learning_rate);
  if (status == MAREA_OK) optimizer->options.learning_rate = learning_rate;
  return status;
}

marea_status marea_optimizer_set_factor(marea_optimizer *optimizer, const char *name,
                                        double factor) {
  marea_status status = marea_check_rate(factor);
  if (status != MAREA_OK) return status;
  for (size_t i = 0; i < optimizer->parameter_count; i++)
    if (strcmp(optimizer->parameters[i].name, name) == 0) {
      optimizer->parameters[i].factor = factor;
      return MAREA_OK;
    }
  return marea_fail(MAREA_ARGUMENT, "the optimizer has no parameter \"%s\"", name);
}

marea_status marea_optimizer_set_loss_scale(marea_optimizer *optimizer, double loss_scale) {
  marea_status status = marea_check_loss_scale(loss_scale);
  if (status == MAREA_OK) optimizer->options.loss_scale = loss_scale;
  return status;
}

int64_t marea_optimizer_iterations(const marea_optimizer *optimizer) {
  return optimizer->iterations;
}

marea_status marea_optimizer_set_iterations(marea_optimizer *optimizer, int64_t iterations) {
  marea_rule_step unused;
  if (iterations < 0)
    return marea_fail(MAREA_RANGE, "iterations is %lld, expected a number >= 0",
                      (long long)iterations);
  optimizer->iterations = iterations;
  /* The running value is replayed rather than saved: same operations, same bits. Once it has
   * sunk to zero it stays there. */
  double *product = &optimizer->product, before = 0;
  *product = 1;
  for (int64_t t = 1; t <= iterations && *product != before; t++) {
    before = *product;
    optimizer->rule->prepare(&optimizer->options, t, product, &unused);
  }
  return MAREA_OK;
}

static int64_t slots_of_each(const marea_optimizer *optimizer) {
  return optimizer->slot_count + (optimizer->options.average ? 1 : 0);
}

int64_t marea_optimizer_slot_count(const marea_optimizer *optimizer) {
  return (int64_t)optimizer->parameter_count * slots_of_each(optimizer);
}

marea_tensor *marea_optimizer_slot(const marea_optimizer *optimizer, int64_t i, const char **name,
                                   const char **slot) {
  int64_t each = slots_of_each(optimizer), place = i % each;
  const parameter *p = &optimizer->parameters[i / each];
  bool average = place == optimizer->slot_count;
  *name = p->name;
  *slot = average ? "average" : optimizer->slot_names[place];
  return average ? p->average : p->slots[place];
}

marea_status marea_optimizer_swap_average(marea_optimizer *optimizer) {
  if (!optimizer->options.average)
    return marea_fail(MAREA_STATE, "this optimizer keeps no average of the weights (use_ema)");
  for (size_t i = 0; i < optimizer->parameter_count; i++) {
    const parameter *p = &optimizer->parameters[i];
    marea_real *w = marea_reals(p->tensor), *average = marea_reals(p->average);
    for (int64_t j = 0; j < p->count; j++) {
      marea_real kept = w[j];
      w[j] = average[j];
      average[j] = kept;
    }
  }
  return MAREA_OK;
}

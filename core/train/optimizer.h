/* Optimizers: Keras's rules and defaults, PyTorch's by an option.
 *
 * An optimizer keeps a list of parameters and, for each, its slots (moments, velocities). A step
 * reads the gradients that backward left, and does in this order: divide by the loss scale, clip,
 * decay the weights, apply the rule, move the averages. Parameters without a fresh gradient are
 * left alone; gradients that were used are no longer fresh afterwards.
 *
 * A row-sparse gradient gives exactly what its dense twin would give: rows that were not looked up
 * have gradient zero, so that for instance Adam still moves them. With `lazy`, such rows and their
 * slots stay untouched, which costs time by rows looked up, not by rows there are.
 *
 * The results have the same bits for any number of threads. */
#ifndef MAREA_TRAIN_OPTIMIZER_H
#define MAREA_TRAIN_OPTIMIZER_H

#include "autodiff/tensor.h"
#include "train/clipping.h"

/* Names as in Keras, and each rule's formula in the words of rules_*.c. */
typedef enum marea_optimizer_kind {
  MAREA_SGD,
  MAREA_RMSPROP,
  MAREA_ADAM,
  MAREA_ADAMW,
  MAREA_ADAGRAD,
  MAREA_ADADELTA,
  MAREA_ADAMAX,
  MAREA_NADAM,
  MAREA_LION,
  MAREA_OPTIMIZER_COUNT
} marea_optimizer_kind;

typedef struct marea_optimizer_options {
  marea_optimizer_kind kind;
  bool pytorch; /* PyTorch's form of the rule instead of Keras's */
  double learning_rate;
  double momentum; /* SGD, RMSprop */
  bool nesterov;   /* SGD with momentum */
  bool centered;   /* RMSprop */
  double rho;      /* RMSprop, Adadelta: how much of the average stays */
  double beta_1, beta_2;
  double epsilon;
  bool amsgrad;               /* Adam, AdamW */
  double initial_accumulator; /* Adagrad */
  double weight_decay;        /* w -= rate decay w before the rule (Loshchilov and Hutter, 2019); in
                                 PyTorch's form of rules other than AdamW and Lion: g += decay w */
  marea_clipping clip;
  double loss_scale; /* gradients are divided by it; 1 */
  bool lazy;
  bool average;              /* keep a moving average of the weights (Polyak and Juditsky, 1992) */
  double average_momentum;   /* 0.99 */
  int64_t average_overwrite; /* every so many steps the weights become their average; 0: never */
  bool allow_nonfinite;      /* NaN and infinity pass through instead of MAREA_NONFINITE */
} marea_optimizer_options;

typedef struct marea_optimizer marea_optimizer;

/* What a step met. Norms are of all its gradients together, divided by the loss scale. */
typedef struct marea_step_report {
  double norm_before, norm_after; /* clipping */
  int64_t parameters;             /* how many had a fresh gradient */
  bool refused;                   /* by marea_optimizer_try_step */
} marea_step_report;

/* "adam" and so on (Keras's class name in lower case); NULL outside the enum. The reverse is blind
 * to case and returns false for an unknown name. */
const char *marea_optimizer_name(marea_optimizer_kind kind);
bool marea_optimizer_find(const char *name, marea_optimizer_kind *kind);

/* The defaults of Keras 3, or of PyTorch. */
marea_optimizer_options marea_optimizer_defaults(marea_optimizer_kind kind, bool pytorch);

/* An optimizer without parameters. NULL: MAREA_RANGE or MAREA_ARGUMENT names the option. */
marea_optimizer *marea_optimizer_new(const marea_optimizer_options *options);
void marea_optimizer_free(marea_optimizer *optimizer); /* NULL is allowed */

/* Adds a parameter: owned, real, contiguous; retained until the optimizer is freed. Its slots are
 * made here. The name (copied) is for messages and saved states; `decays` false exempts it from
 * weight decay. Errors: MAREA_ARGUMENT (not such a tensor, or the name or tensor is there already),
 * MAREA_NOMEM. */
marea_status marea_optimizer_add(marea_optimizer *optimizer, const char *name,
                                 marea_tensor *parameter, bool decays);

/* One step. `report` may be NULL. No weight and no slot changes when it fails: MAREA_STATE when no
 * parameter has a fresh gradient, MAREA_NONFINITE naming the parameter and the element. */
marea_status marea_optimizer_step(marea_optimizer *optimizer, marea_step_report *report);

/* The same for a loop that handles NaN and infinity itself: when norm_before is not finite, the
 * report says `refused`, no weight and no slot changes, and that is no error. */
marea_status marea_optimizer_try_step(marea_optimizer *optimizer, marea_step_report *report);

/* The joint norm of the fresh gradients, divided by the loss scale: what a step would report as
 * norm_before. 0 when there are none. */
double marea_optimizer_norm(marea_optimizer *optimizer);

/* The options in force; the rate and the loss scale may be changed between steps (MAREA_RANGE
 * unless finite and >= 0, > 0). */
const marea_optimizer_options *marea_optimizer_options_of(const marea_optimizer *optimizer);
marea_status marea_optimizer_set_rate(marea_optimizer *optimizer, double learning_rate);
marea_status marea_optimizer_set_loss_scale(marea_optimizer *optimizer, double loss_scale);

/* A parameter's own learning rate, as a factor (>= 0) of the optimizer's; 1 at first. It is not
 * part of the state. MAREA_ARGUMENT: there is no parameter of that name. */
marea_status marea_optimizer_set_factor(marea_optimizer *optimizer, const char *name,
                                        double factor);

/* Steps done so far. Setting takes >= 0, else MAREA_RANGE. */
int64_t marea_optimizer_iterations(const marea_optimizer *optimizer);
marea_status marea_optimizer_set_iterations(marea_optimizer *optimizer, int64_t iterations);

/* The state is the number of iterations and these tensors, each of its parameter's shape: slot i of
 * 0 … count-1, borrowed, with the names of parameter and slot. Write them to restore a state. */
int64_t marea_optimizer_slot_count(const marea_optimizer *optimizer);
marea_tensor *marea_optimizer_slot(const marea_optimizer *optimizer, int64_t i,
                                   const char **parameter, const char **slot);

/* Exchanges weights and averages: once before evaluating with the averages, once after.
 * MAREA_STATE when no averages are kept. */
marea_status marea_optimizer_swap_average(marea_optimizer *optimizer);

#endif

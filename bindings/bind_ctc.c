/* ctc_greedy and ctc_beam: labels from the outputs of a network trained with CTC. */
#include <string.h>

#include "bind.h"
#include "kernels/ctc.h"

/* What a call works with; the buffers are userdata, so that an error frees them. */
typedef struct decoding {
  marea_tensor *log_p, *mask;
  marea_ctc_rows rows;
  int32_t *steps, *labels;
  size_t *lengths;
  double *scores;
  size_t width, paths;
} decoding;

/* Log probabilities, contiguous, in a box that is pushed. */
static marea_tensor *push_log_p(lua_State *L, marea_tensor *logits) {
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_log_softmax(logits));
  if (marea_tensor_contiguous(box->x)) return box->x;
  box = bind_box_new(L);
  bind_box_fill(L, box, marea_compact(box->x));
  return box->x;
}

static void check_operands(lua_State *L, const marea_tensor *logits, const marea_tensor *mask) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  bool fits = logits->rank == 3 && logits->size[2] > 0 && logits->dtype == MAREA_REAL;
  if (!fits)
    bind_error(L, "ctc: the logits are %s of %s, expected real numbers (B, T, C)",
               marea_shape_text(logits, left), marea_dtype_name(logits->dtype));
  if (mask != NULL &&
      (mask->rank != 2 || mask->size[0] != logits->size[0] || mask->size[1] != logits->size[1]))
    bind_error(L, "ctc: the logits are %s, the mask is %s; expected (B, T, C) and (B, T)",
               marea_shape_text(logits, left), marea_shape_text(mask, right));
}

static void *push_buffer(lua_State *L, size_t items, size_t size) {
  return lua_newuserdatauv(L, (items > 0 ? items : 1) * size, 0);
}

/* name(logits, mask, blank[, width, paths]) */
static decoding begin(lua_State *L) {
  lua_settop(L, 5);
  marea_tensor *logits = bind_tensor(L, 1);
  decoding d = {.mask = bind_tensor_or_null(L, 2)};
  check_operands(L, logits, d.mask);
  lua_Integer blank = luaL_optinteger(L, 3, 0), width = luaL_optinteger(L, 4, 1);
  lua_Integer paths = luaL_optinteger(L, 5, 1), C = logits->size[2];
  if (blank < 0 || blank >= C)
    bind_error(L, "ctc: the blank is %I, allowed are 0 to %I", blank, C - 1);
  if (paths < 1 || width < paths || width > 100000)
    bind_error(L, "ctc: a beam of %I and %I results; expected 1 <= results <= beam <= 100000",
               width, paths);
  d.width = (size_t)width, d.paths = (size_t)paths;
  size_t T = (size_t)logits->size[1];
  d.log_p = push_log_p(L, logits);
  d.steps = push_buffer(L, T, sizeof *d.steps);
  d.labels = push_buffer(L, T * d.paths, sizeof *d.labels);
  d.lengths = push_buffer(L, d.paths, sizeof *d.lengths);
  d.scores = push_buffer(L, d.paths, sizeof *d.scores);
  d.rows = (marea_ctc_rows){.C = (size_t)C, .blank = (size_t)blank, .steps = d.steps};
  return d;
}

static void choose_sample(decoding *d, int64_t sample) {
  int64_t T = d->log_p->size[1];
  d->rows.n = 0;
  d->rows.log_p = marea_reals(d->log_p) + sample * T * d->log_p->size[2];
  for (int64_t t = 0; t < T; t++)
    if (d->mask == NULL || marea_tensor_get(d->mask, sample * T + t) != 0)
      d->steps[d->rows.n++] = (int32_t)t;
}

/* Pushes the ids of one result. */
static void push_labels(lua_State *L, const int32_t *labels, size_t length) {
  lua_createtable(L, (int)length, 0);
  for (size_t i = 0; i < length; i++) {
    lua_pushinteger(L, labels[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* ctc_greedy(logits, mask, blank) → a list of ids for each sample, their log probabilities */
static int ctc_greedy(lua_State *L) {
  decoding d = begin(L);
  int64_t B = d.log_p->size[0];
  lua_createtable(L, (int)B, 0);
  lua_createtable(L, (int)B, 0);
  for (int64_t i = 0; i < B; i++) {
    choose_sample(&d, i);
    push_labels(L, d.labels, marea_ctc_greedy(&d.rows, d.labels, d.scores));
    lua_rawseti(L, -3, i + 1);
    lua_pushnumber(L, d.scores[0]);
    lua_rawseti(L, -2, i + 1);
  }
  return 2;
}

/* ctc_beam(logits, mask, blank, width, paths) → for each sample a list of results, best first: ids
 * with their log probability in the field log_p */
static int ctc_beam(lua_State *L) {
  decoding d = begin(L);
  int64_t B = d.log_p->size[0];
  lua_createtable(L, (int)B, 0);
  for (int64_t i = 0; i < B; i++) {
    size_t found = 0;
    choose_sample(&d, i);
    bind_check(L, marea_ctc_beam(&d.rows, d.width, d.paths, d.labels, d.lengths, d.scores, &found));
    lua_createtable(L, (int)found, 0);
    for (size_t k = 0; k < found; k++) {
      push_labels(L, d.labels + k * d.rows.n, d.lengths[k]);
      lua_pushnumber(L, d.scores[k]);
      lua_setfield(L, -2, "log_p");
      lua_rawseti(L, -2, (lua_Integer)k + 1);
    }
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"ctc_greedy", ctc_greedy}, {"ctc_beam", ctc_beam}, {NULL, NULL}};

void bind_open_ctc(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

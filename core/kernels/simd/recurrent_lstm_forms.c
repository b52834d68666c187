/* The LSTM's forms: peepholes, coupled gates, cell clip, projection, layer normalisation.
 *
 *   i, f = s(a + p c'), g = f(a_c), c = clip(f c' + i g), o = s(a_o + p_o c or c'),
 *   m = o f(c), h = m or m R; coupled: f = 1 - i.
 *
 * Blocks: c, i, f, o (coupled: c, i, o), so that without x in the gates the input's part is the
 * first. A step has two halves, up to c and from c to h, since normalisation and full peepholes
 * need whole rows of c between them. */
#include "kernels/simd/norm_steps.h"

static void forward(const marea_step *s);
static void backward(const marea_step *s);
static void forward_coupled(const marea_step *s);
static void backward_coupled(const marea_step *s);

const marea_cell_table LEVEL(marea_cell_lstm_forms) = {.gates = 4,
                                                       .states = 2,
                                                       .blocks = 4,
                                                       .input_gate = {2, 0, 1, 3},
                                                       .recurrent_gate = {2, 0, 1, 3},
                                                       .recurrent_blocks = 4,
                                                       .recurrent_together = 4,
                                                       .has_forms = true,
                                                       .forward = forward,
                                                       .backward = backward};

const marea_cell_table LEVEL(marea_cell_lstm_coupled) = {.gates = 3,
                                                         .states = 2,
                                                         .blocks = 3,
                                                         .input_gate = {1, 0, 2},
                                                         .recurrent_gate = {1, 0, 2},
                                                         .recurrent_blocks = 3,
                                                         .recurrent_together = 3,
                                                         .has_forms = true,
                                                         .forward = forward_coupled,
                                                         .backward = backward_coupled};

/* Places of the blocks, c's being the first; the peepholes' order is i, f, o. */
enum { I = 1, F = 2, PEEP_I = 0, PEEP_F = 1, PEEP_O = 2 };

typedef struct form {
  const marea_cell_table *cell;
  size_t blocks, o;
  bool coupled;
} form;

static const form full_form = {&LEVEL(marea_cell_lstm_forms), 4, 3, false};
static const form coupled_form = {&LEVEL(marea_cell_lstm_coupled), 3, 2, true};

static inline bool o_sees_new(const marea_step *s) {
  return s->peephole[PEEP_O] != NULL && !s->peephole_on_old;
}

/* out (rows, n) (+)= a (rows, k) times packed panels. */
static inline void times_packed(const marea_step *s, const marea_real *a, size_t lda, size_t k,
                                const marea_real *panels, size_t n, marea_real *out, size_t ldc,
                                bool accumulate) {
  marea_product p = {.m = s->rows,
                     .n = n,
                     .k = k,
                     .a = a,
                     .a_row = lda,
                     .a_column = 1,
                     .b = panels,
                     .packed_depth = k,
                     .c = out,
                     .ldc = ldc,
                     .accumulate = accumulate};
  LEVEL(marea_products).product(&p);
}

/* The block's sum += what peephole `which` shows of the cell states c. */
static inline void look(const marea_step *s, const form *m, size_t which, size_t block,
                        const marea_real *c) {
  const marea_real *p = s->peephole[which];
  const size_t padded = s->padded, width = m->blocks * padded;
  marea_real *sums = s->gates + block * padded;
  if (p == NULL) return;
  if (s->peephole_full) {
    times_packed(s, c, padded, s->hidden, p, padded, sums, width, true);
    return;
  }
  for (size_t r = 0; r < s->rows; r++)
    for (size_t j = 0; j < padded; j += LANES) {
      marea_real *sum = sums + r * width + j;
      store(sum, load(sum) + load(p + j) * load(c + r * padded + j));
    }
}

/* The reverse: dc += the block's gradient through the peephole; a diagonal's own gradient. */
static inline void look_back(const marea_step *s, const form *m, size_t which, size_t block,
                             const marea_real *c) {
  const marea_real *p = s->peephole[which];
  const size_t padded = s->padded, width = m->blocks * padded;
  const marea_real *d = s->dgates + block * padded;
  if (p == NULL) return;
  if (s->peephole_full) {
    times_packed(s, d, width, s->hidden, p, padded, s->dc, padded, true);
    return;
  }
  for (size_t r = 0; r < s->rows; r++)
    for (size_t j = 0; j < padded; j += LANES) {
      vreal dj = load(d + r * width + j);
      marea_real *dc = s->dc + r * padded + j, *dp = s->dpeephole[which] + j;
      store(dc, load(dc) + dj * load(p + j));
      store(dp, load(dp) + dj * load(c + r * padded + j));
    }
}

INLINE vreal clip_cell(const marea_step *s, vreal c) {
  if (s->cell_clip == 0) return c;
  return at_least(splat(-s->cell_clip), at_most(splat(s->cell_clip), c));
}

/* i, f, g and c of a row. */
INLINE void cell_row(const marea_step *s, const form *m, const step_functions f, size_t r) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *gates = s->gates + r * m->blocks * padded + j;
    const size_t at = r * padded + j;
    vreal i_input = load(gates + I * padded) + load(s->bias + I * padded + j);
    vreal g_input = load(gates) + load(s->bias + j);
    vreal i = gate(f, i_input), g = output(f, g_input), forget = splat(1) - i;
    if (!m->coupled) {
      vreal f_input = load(gates + F * padded) + load(s->bias + F * padded + j);
      forget = gate(f, f_input);
      store(gates + F * padded, f.keep_inputs ? f_input : forget);
    }
    vreal c = clip_cell(s, forget * load(s->c + at) + i * g);
    store(s->c_new + at, live_lanes(c, j, s->hidden));
    store(gates, f.keep_inputs ? g_input : g);
    store(gates + I * padded, f.keep_inputs ? i_input : i);
  }
}

/* What h's activation sees of c. */
INLINE vreal seen_cell(const marea_step *s, const form *m, size_t r, size_t j) {
  const size_t padded = s->padded;
  if (s->norm.gain == NULL) return load(s->c_new + r * padded + j);
  return load(s->norm.normal + (r * s->norm.count + m->blocks) * padded + j) *
             load(s->norm.gain + m->blocks * padded + j) +
         load(s->norm.shift + j);
}

/* o and m = o f(c) of a row. */
INLINE void output_row(const marea_step *s, const form *m, const step_functions f, marea_real *to,
                       size_t r) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    marea_real *kept = s->gates + (r * m->blocks + m->o) * padded + j;
    vreal o_input = load(kept) + load(s->bias + m->o * padded + j);
    vreal o = gate(f, o_input);
    store(kept, f.keep_inputs ? o_input : o);
    store(to + r * padded + j, live_lanes(o * output(f, seen_cell(s, m, r, j)), j, s->hidden));
  }
}

static inline void normalise_cells(const marea_step *s, const form *m) {
  const marea_norm *n = &s->norm;
  for (size_t r = 0; n->gain != NULL && r < s->rows; r++) {
    size_t at = r * n->count + m->blocks;
    n->scale[at] = normal_row(s, n->normal + at * s->padded, s->c_new + r * s->padded);
  }
}

INLINE void forward_rows(const marea_step *s, const form *m, const step_functions f) {
  const bool later = o_sees_new(s);
  recur(s, m->cell, 0, m->blocks);
  look(s, m, PEEP_I, I, s->c);
  if (!m->coupled) look(s, m, PEEP_F, F, s->c);
  if (!later) look(s, m, PEEP_O, m->o, s->c);
  normalise(s, m->cell, 0, m->blocks - later, NULL);
  for (size_t r = 0; r < s->rows; r++) cell_row(s, m, f, r);
  if (later) {
    look(s, m, PEEP_O, m->o, s->c_new);
    normalise(s, m->cell, m->o, 1, NULL);
  }
  normalise_cells(s, m);
  marea_real *to = s->projection != NULL ? s->unprojected : s->h_new;
  for (size_t r = 0; r < s->rows; r++) output_row(s, m, f, to, r);
  if (s->projection != NULL)
    times_packed(s, to, s->padded, s->hidden, s->projection, s->padded_state, s->h_new,
                 s->padded_state, false);
}

static void forward(const marea_step *s) {
  if (is_usual(s))
    forward_rows(s, &full_form, usual_functions);
  else
    forward_rows(s, &full_form, functions_of(s));
}

static void forward_coupled(const marea_step *s) {
  if (is_usual(s))
    forward_rows(s, &coupled_form, usual_functions);
  else
    forward_rows(s, &coupled_form, functions_of(s));
}

/* From dm to the gradients of o's sum and of c (added to dc). */
INLINE void output_gradient_row(const marea_step *s, const form *m, const step_functions f,
                                const marea_real *dm, size_t r) {
  const size_t padded = s->padded;
  marea_real *seen = s->norm.gain != NULL ? s->scratch : NULL;
  for (size_t j = 0; j < padded; j += LANES) {
    const size_t at = (r * m->blocks + m->o) * padded + j;
    vreal o_slope, o = kept_gate(f, load(s->gates + at), &o_slope);
    vreal c = seen_cell(s, m, r, j), activated = output(f, c);
    vreal d = load(dm + r * padded + j);
    store(s->dgates + at, live_lanes(d * activated * o_slope, j, s->hidden));
    vreal dc = d * o * output_slope(f, c, activated);
    if (seen != NULL)
      store(seen + j, dc);
    else
      store(s->dc + r * padded + j, load(s->dc + r * padded + j) + dc);
  }
  if (seen == NULL) return;
  denormalise_row(s, r, m->blocks, seen);
  for (size_t j = 0; j < padded; j += LANES)
    store(s->dc + r * padded + j, load(s->dc + r * padded + j) + load(seen + j));
}

/* From dc to the gradients of i, f and g, and of the cell state before. */
INLINE void cell_gradient_row(const marea_step *s, const form *m, const step_functions f,
                              size_t r) {
  const size_t padded = s->padded;
  for (size_t j = 0; j < padded; j += LANES) {
    const marea_real *gates = s->gates + r * m->blocks * padded + j;
    marea_real *dgates = s->dgates + r * m->blocks * padded + j;
    const size_t at = r * padded + j;
    vreal i_slope, g_slope, before = load(s->c + at), dc = load(s->dc + at);
    vreal g = kept_output(f, load(gates), &g_slope);
    vreal i = kept_gate(f, load(gates + I * padded), &i_slope), forget = splat(1) - i;
    if (s->cell_clip != 0)
      dc = (vreal)((vbits)dc & (absolute(load(s->c_new + at)) < splat(s->cell_clip)));
    if (!m->coupled) {
      vreal f_slope;
      forget = kept_gate(f, load(gates + F * padded), &f_slope);
      store(dgates + F * padded, dc * before * f_slope);
    }
    store(dgates, dc * i * g_slope);
    store(dgates + I * padded, dc * (m->coupled ? g - before : g) * i_slope);
    store(s->dc + at, dc * forget);
  }
}

/* dm of every row: dh, or through the projection. */
static inline const marea_real *output_gradients(const marea_step *s) {
  if (s->projection == NULL) return s->dh;
  marea_real *dm = s->scratch + s->padded;
  times_packed(s, s->dh, s->padded_state, s->state, s->projection, s->padded, dm, s->padded, false);
  return dm;
}

INLINE void backward_rows(const marea_step *s, const form *m, const step_functions f) {
  const bool later = o_sees_new(s);
  const marea_real *dm = output_gradients(s);
  for (size_t r = 0; r < s->rows; r++) output_gradient_row(s, m, f, dm, r);
  denormalise(s, m->cell, m->o, 1);
  if (later) look_back(s, m, PEEP_O, m->o, s->c_new);
  for (size_t r = 0; r < s->rows; r++) cell_gradient_row(s, m, f, r);
  denormalise(s, m->cell, 0, m->blocks - 1);
  look_back(s, m, PEEP_I, I, s->c);
  if (!m->coupled) look_back(s, m, PEEP_F, F, s->c);
  if (!later) look_back(s, m, PEEP_O, m->o, s->c);
  recur_back(s, m->cell, 0, m->blocks, false);
}

static void backward(const marea_step *s) {
  if (is_usual(s))
    backward_rows(s, &full_form, usual_functions);
  else
    backward_rows(s, &full_form, functions_of(s));
}

static void backward_coupled(const marea_step *s) {
  if (is_usual(s))
    backward_rows(s, &coupled_form, usual_functions);
  else
    backward_rows(s, &coupled_form, functions_of(s));
}

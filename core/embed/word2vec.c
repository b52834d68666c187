#include "embed/word2vec.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "embed/alias.h"
#include "kernels/simd/row_steps.h"

enum { BATCH = 128, CBOW_BATCH = 32, SEGMENT = 4096, WORKERS = 64, MOST = 65536 };
enum { STREAM_INPUTS = 0x81, STREAM_KEEP = 0x82, STREAM_WORD = 0x83 };

typedef struct texts {
  int32_t *ids; /* documents end with -1 */
  size_t count, capacity;
} texts;

/* The examples of some words of the text; arrays have `slots` examples a word. */
typedef struct examples {
  size_t slots;
  size_t *count;       /* of each word */
  double *loss;        /* of each word */
  int32_t *inputs;     /* (slots, 2 window) ids; skip-gram has one, CBOW all neighbours */
  size_t *input_count; /* (slots) */
  int32_t *outputs;    /* (slots, negative + 1); -1: none */
  marea_real *scales;  /* (slots, negative + 1): g */
  marea_real *hidden;  /* (slots, width) */
  marea_real *errors;  /* (slots, width): what the inputs take */
} examples;

struct marea_word2vec {
  marea_word2vec_options options;
  size_t width; /* dimensions, rounded up */
  marea_real *inputs, *outputs;
  marea_alias negatives;
  uint32_t *keep; /* of 2³²: how often a word stays in the text */
  texts all, kept;
  size_t epoch, at;
  size_t batch_words;
  examples batch;
};

/* ---- making ---- */

static marea_status check(const marea_word2vec_options *o) {
  bool sizes = o->dimensions >= 1 && o->dimensions <= MOST && o->window >= 1 && o->window <= MOST &&
               o->negative >= 1 && o->negative <= MOST && o->words <= INT32_MAX;
  bool rates = o->rate > 0 && isfinite(o->rate) && o->sample >= 0 && isfinite(o->power);
  if (sizes && rates) return MAREA_OK;
  return marea_fail(MAREA_RANGE,
                    "word2vec: %zu dimensions, window %zu, %zu negative words, rate %g, sample %g; "
                    "expected whole numbers from 1 to %d and positive rates",
                    o->dimensions, o->window, o->negative, o->rate, o->sample, MOST);
}

static void free_examples(examples *e) {
  marea_free(e->count);
  marea_free(e->loss);
  marea_free(e->inputs);
  marea_free(e->input_count);
  marea_free(e->outputs);
  marea_free(e->scales);
  marea_free(e->hidden);
  marea_free(e->errors);
  *e = (examples){0};
}

static marea_status make_examples(const marea_word2vec *w, examples *e, size_t words) {
  const marea_word2vec_options *o = &w->options;
  size_t slots = o->cbow ? 1 : 2 * o->window, all = words * slots;
  size_t neighbours = o->cbow ? 2 * o->window : 1;
  *e = (examples){.slots = slots,
                  .count = marea_alloc_zero(words, sizeof *e->count),
                  .loss = marea_alloc_zero(words, sizeof *e->loss),
                  .inputs = marea_alloc_array(all * neighbours, sizeof *e->inputs),
                  .input_count = marea_alloc_array(all, sizeof *e->input_count),
                  .outputs = marea_alloc_array(all * (o->negative + 1), sizeof *e->outputs),
                  .scales = marea_alloc_array(all * (o->negative + 1), sizeof *e->scales),
                  .hidden = marea_alloc_array(all * w->width, sizeof *e->hidden),
                  .errors = marea_alloc_array(all * w->width, sizeof *e->errors)};
  bool made = e->count && e->loss && e->inputs && e->input_count && e->outputs && e->scales &&
              e->hidden && e->errors;
  if (made) return MAREA_OK;
  free_examples(e);
  return MAREA_NOMEM;
}

/* Steps from the same parameters that one row takes in a batch must be few, else they overshoot and
 * grow without bound: the batch is chosen by the row that takes the most. `kept`, `drawn`: shares
 * of the most frequent word in the text that is left, and among the words drawn. CBOW adds its
 * errors undivided to all neighbours, so that its batches are smaller. */
static size_t choose_batch(const marea_word2vec_options *o, double kept, double drawn) {
  enum { STEPS_MAX = 16 };
  double neighbours = (double)o->window + 1, in_a_word = o->cbow ? 1 : neighbours;
  double as_output = in_a_word * (kept + drawn * (double)o->negative);
  double steps = fmax(as_output, kept * neighbours);
  double most = o->cbow ? CBOW_BATCH : BATCH, batch = steps > 0 ? STEPS_MAX / steps : most;
  return (size_t)fmax(1, fmin(most, batch));
}

/* How often words stay, and how often they are drawn. */
static marea_status read_counts(marea_word2vec *w, const int64_t *counts) {
  size_t words = w->options.words;
  double total = 0, sample = w->options.sample,
         *weights = marea_alloc_array(words + 1, sizeof(double));
  w->keep = marea_alloc_array(words + 1, sizeof *w->keep);
  if (weights == NULL || w->keep == NULL) {
    marea_free(weights);
    return MAREA_NOMEM;
  }
  for (size_t i = 0; i < words; i++) total += (double)counts[i];
  for (size_t i = 0; i < words; i++) {
    double share = (double)counts[i] / total;
    double stay = sample > 0 ? (sqrt(share / sample) + 1) * sample / share : 1;
    w->keep[i] = stay >= 1 ? UINT32_MAX : (uint32_t)(stay * 4294967295.0);
    weights[i] = pow((double)counts[i], w->options.power);
  }
  double kept = 0, most = 0, drawn = 0, sum = 0;
  for (size_t i = 0; i < words; i++) {
    double stay = (double)counts[i] * ((double)w->keep[i] / 4294967295.0);
    kept += stay;
    most = fmax(most, stay);
    drawn = fmax(drawn, weights[i]);
    sum += weights[i];
  }
  w->batch_words = choose_batch(&w->options, most / kept, drawn / sum);
  marea_status status = marea_alias_make(&w->negatives, weights, words);
  marea_free(weights);
  return status;
}

static marea_status make(marea_word2vec *w, const int64_t *counts) {
  size_t d = w->options.dimensions, words = w->options.words;
  w->width = (d + MAREA_ROW_ALIGN - 1) / MAREA_ROW_ALIGN * MAREA_ROW_ALIGN;
  w->inputs = marea_alloc_zero(words + 1, w->width * sizeof(marea_real));
  w->outputs = marea_alloc_zero(words + 1, w->width * sizeof(marea_real));
  if (w->inputs == NULL || w->outputs == NULL) return MAREA_NOMEM;
  marea_stream stream = marea_stream_new(w->options.seed, STREAM_INPUTS);
  for (size_t i = 0; i < words; i++)
    marea_stream_fill_uniform(&stream, w->inputs + i * w->width, d, -0.5 / (double)d,
                              0.5 / (double)d);
  marea_status status = read_counts(w, counts);
  return status == MAREA_OK ? make_examples(w, &w->batch, w->batch_words) : status;
}

marea_word2vec *marea_word2vec_new(const marea_word2vec_options *options, const int64_t *counts) {
  if (check(options) != MAREA_OK) return NULL;
  marea_word2vec *w = marea_alloc_zero(1, sizeof *w);
  if (w == NULL) return NULL;
  w->options = *options;
  if (make(w, counts) == MAREA_OK) return w;
  marea_word2vec_free(w);
  return NULL;
}

void marea_word2vec_free(marea_word2vec *w) {
  if (w == NULL) return;
  free_examples(&w->batch);
  marea_alias_free(&w->negatives);
  marea_free(w->keep);
  marea_free(w->inputs);
  marea_free(w->outputs);
  marea_free(w->all.ids);
  marea_free(w->kept.ids);
  marea_free(w);
}

/* ---- texts ---- */

static marea_status reserve(texts *t, size_t more) {
  if (t->count + more <= t->capacity) return MAREA_OK;
  size_t wider = t->count + more + t->capacity / 2;
  int32_t *ids = marea_realloc(t->ids, wider * sizeof *ids);
  if (ids == NULL) return MAREA_NOMEM;
  t->ids = ids;
  t->capacity = wider;
  return MAREA_OK;
}

marea_status marea_word2vec_add(marea_word2vec *w, const int32_t *ids, const size_t *offsets,
                                size_t documents) {
  for (size_t k = 0; k < documents; k++) {
    size_t count = offsets[k + 1] - offsets[k];
    if (reserve(&w->all, count + 1) != MAREA_OK) return MAREA_NOMEM;
    for (size_t i = offsets[k]; i < offsets[k + 1]; i++) {
      if (ids[i] < 0 || (size_t)ids[i] >= w->options.words)
        return marea_fail(MAREA_RANGE, "word2vec: id %d, expected 0 to %zu", ids[i],
                          w->options.words - 1);
      w->all.ids[w->all.count++] = ids[i];
    }
    w->all.ids[w->all.count++] = -1;
  }
  return MAREA_OK;
}

/* The text of an epoch: frequent words are left out at random. */
static marea_status thin(marea_word2vec *w) {
  uint32_t block[4] = {0};
  w->kept.count = 0;
  if (reserve(&w->kept, w->all.count + 1) != MAREA_OK) return MAREA_NOMEM;
  for (size_t i = 0; i < w->all.count; i++) {
    int32_t id = w->all.ids[i];
    if (i % 4 == 0)
      marea_random_block(w->options.seed, STREAM_KEEP, (uint64_t)w->epoch << 40 | i / 4, block);
    if (id < 0 || block[i % 4] <= w->keep[id]) w->kept.ids[w->kept.count++] = id;
  }
  return MAREA_OK;
}

/* ---- examples ---- */

static uint64_t next_bits(uint64_t *state) {
  *state = *state * 6364136223846793005U + 1442695040888963407U;
  uint64_t x = *state; /* the lower bits of such a generator are poor */
  x ^= x >> 32;
  x *= 0x9E3779B97F4A7C15U;
  return x ^ x >> 29;
}

/* The neighbours of a place in the text, up to `reach` on both sides of it in its document. */
static size_t neighbours(const marea_word2vec *w, size_t place, size_t reach, int32_t *to) {
  const int32_t *ids = w->kept.ids;
  size_t count = 0;
  for (size_t d = 1; d <= reach && d <= place && ids[place - d] >= 0; d++)
    to[count++] = ids[place - d];
  for (size_t d = 1; d <= reach && place + d < w->kept.count && ids[place + d] >= 0; d++)
    to[count++] = ids[place + d];
  return count;
}

static double rate_at(const marea_word2vec *w, size_t place) {
  double share =
      ((double)w->epoch + (double)place / (double)(w->kept.count + 1)) / (double)w->options.epochs;
  return w->options.rate * (share < 0.9999 ? 1 - share : 0.0001);
}

/* g for one output; its loss is the logarithm of 1 + e, with which *product is multiplied, and what
 * is added to *loss. */
static marea_real scale_of(marea_real score, bool label, double rate, double *product,
                           double *loss) {
  double x = label ? (double)score : -(double)score, e = exp(-fabs(x));
  double sigma = x >= 0 ? 1 / (1 + e) : e / (1 + e);
  *product *= 1 + e;
  if (x < 0) *loss -= x;
  return (marea_real)((label ? 1 : -1) * (1 - sigma) * rate);
}

/* Fills example `slot`, whose inputs are set, for the word. */
static void compute(const marea_word2vec *w, examples *e, size_t slot, int32_t word, double rate,
                    uint64_t *state, double *loss) {
  const marea_row_table *rows = MAREA_PICK(marea_row_steps);
  size_t width = w->width, k = w->options.negative + 1, count = e->input_count[slot];
  const int32_t *inputs = e->inputs + slot * (w->options.cbow ? 2 * w->options.window : 1);
  marea_real *h = e->hidden + slot * width, *error = e->errors + slot * width;
  double product = 1;
  memset(h, 0, width * sizeof *h);
  memset(error, 0, width * sizeof *error);
  for (size_t i = 0; i < count; i++)
    rows->add_scaled(h, 1 / (marea_real)count, w->inputs + (size_t)inputs[i] * width, width);
  for (size_t i = 0; i < k; i++) {
    int32_t id = i == 0 ? word : marea_alias_draw(&w->negatives, next_bits(state));
    e->outputs[slot * k + i] = i > 0 && id == word ? -1 : id;
    if (i > 0 && id == word) continue;
    const marea_real *row = w->outputs + (size_t)id * width;
    marea_real g = scale_of(rows->dot(h, row, width), i == 0, rate, &product, loss);
    if (i % 256 == 255) { /* before the product overflows: it can double 1024 times */
      *loss += log(product);
      product = 1;
    }
    e->scales[slot * k + i] = g;
    rows->add_scaled(error, g, row, width);
  }
  *loss += log(product);
}

/* The examples of the word at a place of the text, number i of the batch. */
static void prepare(const marea_word2vec *w, examples *e, size_t i, size_t place) {
  int32_t word = w->kept.ids[place];
  uint32_t block[4];
  e->count[i] = 0;
  e->loss[i] = 0;
  if (word < 0) return;
  marea_random_block(w->options.seed, STREAM_WORD, (uint64_t)w->epoch << 40 | place, block);
  uint64_t state = (uint64_t)block[0] << 32 | block[1];
  size_t reach = 1 + block[2] % w->options.window, slot = i * e->slots;
  size_t wide = w->options.cbow ? 2 * w->options.window : 1;
  size_t count = neighbours(w, place, reach, e->inputs + slot * wide);
  if (count == 0) return;
  e->count[i] = w->options.cbow ? 1 : count;
  for (size_t k = 0; k < e->count[i]; k++) {
    e->input_count[slot + k] = w->options.cbow ? count : 1;
    compute(w, e, slot + k, word, rate_at(w, place), &state, &e->loss[i]);
  }
}

/* Adds what the examples say to the output rows and input rows with row % parts == part. */
static void apply(const marea_word2vec *w, const examples *e, size_t words, size_t part,
                  size_t parts) {
  const marea_row_table *rows = MAREA_PICK(marea_row_steps);
  size_t k = w->options.negative + 1, wide = w->options.cbow ? 2 * w->options.window : 1;
  for (size_t i = 0; i < words; i++)
    for (size_t slot = i * e->slots; slot < i * e->slots + e->count[i]; slot++) {
      const marea_real *h = e->hidden + slot * w->width, *error = e->errors + slot * w->width;
      for (size_t o = slot * k; o < (slot + 1) * k; o++)
        if (e->outputs[o] >= 0 && (size_t)e->outputs[o] % parts == part)
          rows->add_scaled(w->outputs + (size_t)e->outputs[o] * w->width, e->scales[o], h,
                           w->width);
      for (size_t n = slot * wide; n < slot * wide + e->input_count[slot]; n++)
        if ((size_t)e->inputs[n] % parts == part)
          rows->add_scaled(w->inputs + (size_t)e->inputs[n] * w->width, 1, error, w->width);
    }
}

/* ---- in batches ---- */

typedef struct batch_work {
  marea_word2vec *trainer;
  size_t first, words, pieces, parts;
} batch_work;

static void prepare_piece(void *context, size_t piece) {
  const batch_work *b = context;
  for (size_t i = piece; i < b->words; i += b->pieces)
    prepare(b->trainer, &b->trainer->batch, i, b->first + i);
}

static void apply_part(void *context, size_t part) {
  const batch_work *b = context;
  apply(b->trainer, &b->trainer->batch, b->words, part, b->parts);
}

static void add_progress(const examples *e, size_t words, marea_word2vec_progress *progress) {
  for (size_t i = 0; i < words; i++) {
    progress->loss += e->loss[i];
    progress->examples += e->count[i];
  }
}

static void train_batches(marea_word2vec *w, size_t end, marea_word2vec_progress *progress) {
  while (w->at < end) {
    size_t left = end - w->at, words = left < w->batch_words ? left : w->batch_words;
    batch_work b = {w, w->at, words, 16, (size_t)marea_threads()};
    marea_parallel(b.pieces, prepare_piece, &b);
    marea_parallel(b.parts, apply_part, &b);
    add_progress(&w->batch, words, progress);
    w->at += words;
  }
}

/* ---- without locks ---- */

typedef struct free_work {
  marea_word2vec *trainer;
  size_t first, end;
  atomic_size_t next;
  examples examples[WORKERS]; /* of one word */
  marea_word2vec_progress progress[WORKERS];
} free_work;

static void train_segments(void *context, size_t worker) {
  free_work *f = context;
  examples *e = &f->examples[worker];
  for (;;) {
    size_t from = f->first + SEGMENT * atomic_fetch_add(&f->next, 1);
    if (from >= f->end) return;
    for (size_t place = from; place < from + SEGMENT && place < f->end; place++) {
      prepare(f->trainer, e, 0, place);
      apply(f->trainer, e, 1, 0, 1);
      add_progress(e, 1, &f->progress[worker]);
    }
  }
}

static marea_status train_freely(marea_word2vec *w, size_t end, marea_word2vec_progress *progress) {
  size_t workers = (size_t)marea_threads();
  if (workers > WORKERS) workers = WORKERS;
  free_work *f = marea_alloc_zero(1, sizeof *f);
  if (f == NULL) return MAREA_NOMEM;
  f->trainer = w;
  f->first = w->at;
  f->end = end;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < workers && status == MAREA_OK; i++)
    status = make_examples(w, &f->examples[i], 1);
  if (status == MAREA_OK) marea_parallel(workers, train_segments, f);
  for (size_t i = 0; i < workers; i++) {
    progress->loss += f->progress[i].loss;
    progress->examples += f->progress[i].examples;
    free_examples(&f->examples[i]);
  }
  marea_free(f);
  w->at = end;
  return status;
}

/* ---- training ---- */

marea_status marea_word2vec_go_on(marea_word2vec *w, size_t words,
                                  marea_word2vec_progress *progress, bool *done) {
  marea_status status = w->at == 0 ? thin(w) : MAREA_OK;
  if (status != MAREA_OK) return status;
  size_t left = w->kept.count - w->at, end = w->at + (words < left ? words : left);
  if (w->options.lock_free)
    status = train_freely(w, end, progress);
  else
    train_batches(w, end, progress);
  *done = w->at == w->kept.count;
  if (*done && status == MAREA_OK) {
    w->epoch++;
    w->at = 0;
  }
  return status;
}

void marea_word2vec_position(const marea_word2vec *w, size_t *at, size_t *end) {
  *at = w->at;
  *end = w->kept.count;
}

void marea_word2vec_export(const marea_word2vec *w, bool outputs, marea_real *to) {
  const marea_real *rows = outputs ? w->outputs : w->inputs;
  for (size_t i = 0; i < w->options.words; i++)
    memcpy(to + i * w->options.dimensions, rows + i * w->width, w->options.dimensions * sizeof *to);
}

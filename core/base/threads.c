#define _GNU_SOURCE /* sched_getaffinity */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* A worker looks for the next loop for some two milliseconds before it sleeps: longer than the
 * serial part of a training step. One that slept comes too late for a loop of half a millisecond,
 * so the second thread of a small model would do nothing at all. */
enum { MAX_THREADS = 256, SPINS_BEFORE_SLEEP = 150000 };

/* The state word: a loop's generation (upper half), whether it takes helpers, how many are in. */
static const uint64_t OPEN = (uint64_t)1 << 31;
static const uint64_t GENERATION_STEP = (uint64_t)1 << 32;
static const uint64_t INSIDE_MASK = ((uint64_t)1 << 31) - 1;

/* Pieces next … end - 1 of a loop that nobody has taken. Each thread begins with a range of its
 * own, the same in every loop of as many pieces: what it wrote in one loop is still in its cache in
 * the next. Then it helps the others. */
typedef struct range {
  atomic_size_t next;
  size_t end;
  char padding[64 - sizeof(atomic_size_t) - sizeof(size_t)]; /* a cache line each */
} range;

static struct {
  _Atomic uint64_t state;
  size_t range_count;
  marea_loop_body *body;
  void *context;
  range ranges[MAX_THREADS];
} loop;

static pthread_mutex_t owner_lock = PTHREAD_MUTEX_INITIALIZER; /* one loop at a time */
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static atomic_int sleepers;
static atomic_bool stopping;
static pthread_t workers[MAX_THREADS];
static int worker_count;
static atomic_int thread_count; /* 0: not asked yet */
static void (*on_start)(void);
static _Thread_local bool inside_loop;

static int cores_allowed(void) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  int cores = CPU_COUNT(&allowed);
  return cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : cores;
}

int marea_threads(void) {
  int count = atomic_load(&thread_count);
  if (count != 0) return count;
  const char *wish = getenv("MAREA_THREADS");
  long wished = wish != NULL ? strtol(wish, NULL, 10) : 0;
  count = wished >= 1 && wished <= MAX_THREADS ? (int)wished : cores_allowed();
  atomic_store(&thread_count, count);
  return count;
}

marea_status marea_threads_set(int count) {
  if (count < 1 || count > MAX_THREADS)
    return marea_fail(MAREA_RANGE, "threads: %d asked for, allowed are 1 to %d", count,
                      MAX_THREADS);
  atomic_store(&thread_count, count);
  return MAREA_OK;
}

void marea_threads_on_start(void (*start)(void)) {
  on_start = start;
}

static void run_pieces(size_t thread) {
  inside_loop = true;
  for (size_t i = 0; i < loop.range_count; i++) {
    range *r = &loop.ranges[(thread + i) % loop.range_count];
    for (size_t piece; (piece = atomic_fetch_add(&r->next, 1)) < r->end;)
      loop.body(loop.context, piece);
  }
  inside_loop = false;
}

static void share_out(size_t pieces, size_t threads) {
  loop.range_count = threads;
  for (size_t i = 0; i < threads; i++) {
    atomic_store(&loop.ranges[i].next, pieces * i / threads);
    loop.ranges[i].end = pieces * (i + 1) / threads;
  }
}

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/* Joins the loop of `state` if it still takes helpers. */
static bool join(uint64_t state) {
  return (state & OPEN) != 0 && atomic_compare_exchange_strong(&loop.state, &state, state + 1);
}

static bool news(uint64_t seen) {
  uint64_t state = atomic_load(&loop.state);
  return atomic_load(&stopping) || ((state & OPEN) != 0 && state / GENERATION_STEP != seen);
}

static void wait_for_news(uint64_t seen) {
  for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
    if (news(seen)) return;
    relax();
  }
  pthread_mutex_lock(&sleep_lock);
  atomic_fetch_add(&sleepers, 1);
  while (!news(seen)) pthread_cond_wait(&wake, &sleep_lock);
  atomic_fetch_sub(&sleepers, 1);
  pthread_mutex_unlock(&sleep_lock);
}

static void *work(void *argument) {
  size_t thread = (size_t)(uintptr_t)argument;
  uint64_t seen = 0;
  if (on_start != NULL) on_start();
  while (!atomic_load(&stopping)) {
    uint64_t state = atomic_load(&loop.state);
    if (state / GENERATION_STEP != seen && join(state)) {
      run_pieces(thread);
      atomic_fetch_sub(&loop.state, 1);
      seen = state / GENERATION_STEP;
    } else {
      wait_for_news(seen);
    }
  }
  return NULL;
}

static void start_workers(int wanted) {
  while (worker_count < wanted) {
    if (pthread_create(&workers[worker_count], NULL, work, (void *)(uintptr_t)(worker_count + 1)) !=
        0)
      return; /* fewer will do */
    worker_count++;
  }
}

static void wake_sleepers(void) {
  if (atomic_load(&sleepers) == 0) return;
  pthread_mutex_lock(&sleep_lock);
  pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&sleep_lock);
}

static void stop_workers(void) {
  atomic_store(&stopping, true);
  pthread_mutex_lock(&sleep_lock);
  pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&sleep_lock);
  for (int i = 0; i < worker_count; i++) pthread_join(workers[i], NULL);
  worker_count = 0;
  atomic_store(&stopping, false);
}

static void run_serially(size_t pieces, marea_loop_body *body, void *context) {
  for (size_t piece = 0; piece < pieces; piece++) body(context, piece);
}

static void run_shared(size_t pieces, marea_loop_body *body, void *context) {
  share_out(pieces, (size_t)worker_count + 1);
  loop.body = body;
  loop.context = context;
  uint64_t generation = atomic_load(&loop.state) / GENERATION_STEP + 1;
  atomic_store(&loop.state, generation * GENERATION_STEP | OPEN);
  wake_sleepers();
  run_pieces(0);
  atomic_fetch_and(&loop.state, ~OPEN);
  for (int spin = 0; (atomic_load(&loop.state) & INSIDE_MASK) != 0; spin++) {
    if (spin < SPINS_BEFORE_SLEEP)
      relax();
    else
      sched_yield();
  }
}

void marea_parallel(size_t pieces, marea_loop_body *body, void *context) {
  int helpers = marea_threads() - 1;
  if (pieces < 2 || helpers == 0 || inside_loop || pthread_mutex_trylock(&owner_lock) != 0) {
    run_serially(pieces, body, context);
    return;
  }
  if (worker_count > helpers) stop_workers();
  start_workers(helpers);
  run_shared(pieces, body, context);
  pthread_mutex_unlock(&owner_lock);
}

void marea_threads_stop(void) {
  pthread_mutex_lock(&owner_lock);
  stop_workers();
  pthread_mutex_unlock(&owner_lock);
}

/* Tapes, gradients on and off, and operations written in Lua. */
#include "bind.h"

/* The Lua state that runs backward just now; closures of Lua-made operations run on it. */
static _Thread_local lua_State *running;

static marea_tape **tape_box(lua_State *L) {
  return luaL_checkudata(L, 1, BIND_TAPE);
}

static marea_tape *open_tape(lua_State *L) {
  marea_tape *tape = *tape_box(L);
  if (tape == NULL || marea_tape_closed(tape)) bind_error(L, "the tape is closed");
  return tape;
}

/* tape([{ retain_grad = true }]) */
static int new_tape(lua_State *L) {
  bool retain = true;
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    retain = lua_getfield(L, 1, "retain_grad") == LUA_TNIL || lua_toboolean(L, -1);
  }
  marea_tape **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BIND_TAPE);
  *box = marea_tape_new();
  if (*box == NULL) return bind_raise(L);
  marea_tape_retain_gradients(*box, retain);
  return 1;
}

static int close_tape(lua_State *L) {
  marea_tape **box = tape_box(L);
  if (*box == NULL) return 0;
  marea_tape_close(*box);
  marea_tape_free(*box);
  *box = NULL;
  return 0;
}

static int collect_tape(lua_State *L) {
  marea_tape **box = tape_box(L);
  if (*box != NULL) marea_tape_forget(*box);
  *box = NULL;
  return 0;
}

/* tape:backward(loss[, { accumulate = true }]) */
static int backward(lua_State *L) {
  marea_tape *tape = open_tape(L);
  marea_tensor *loss = bind_tensor(L, 2);
  bool accumulate = false;
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_getfield(L, 3, "accumulate");
    accumulate = lua_toboolean(L, -1);
  }
  lua_State *before = running;
  running = L;
  marea_status status = marea_tape_backward(tape, loss, accumulate);
  running = before;
  bind_check(L, status);
  return 0;
}

static int set_label(lua_State *L) {
  bind_check(L, marea_tape_label(open_tape(L), luaL_optstring(L, 2, NULL)));
  return 0;
}

/* tape:nonfinite() → nil, or { op, label, output, place = { 1-based indices } } */
static int nonfinite(lua_State *L) {
  const marea_node *node;
  int output;
  int64_t element;
  if (!marea_tape_nonfinite(open_tape(L), &node, &output, &element)) return 0;
  const marea_tensor *x = node->outputs[output];
  lua_createtable(L, 0, 4);
  lua_pushstring(L, node->op);
  lua_setfield(L, -2, "op");
  lua_pushstring(L, node->label);
  lua_setfield(L, -2, "label");
  lua_pushnumber(L, marea_tensor_get(x, element));
  lua_setfield(L, -2, "value");
  lua_createtable(L, x->rank, 0);
  for (int axis = x->rank - 1; axis >= 0; axis--) {
    lua_pushinteger(L, element % x->size[axis] + 1);
    lua_rawseti(L, -2, axis + 1);
    element /= x->size[axis];
  }
  lua_setfield(L, -2, "place");
  return 1;
}

static int bytes(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)marea_tape_bytes(open_tape(L)));
  return 1;
}

static int length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)marea_tape_length(open_tape(L)));
  return 1;
}

/* ---- operations in Lua ---- */

typedef struct custom_context {
  lua_State *main; /* the state's main thread, which outlives every coroutine */
  int closure;     /* reference in the registry */
} custom_context;

static void destroy_custom(void *context) {
  custom_context *c = context;
  if (c->main != NULL) luaL_unref(c->main, LUA_REGISTRYINDEX, c->closure);
}

/* Adds what the closure returned, result by result, to the inputs' gradients. */
static int add_results(lua_State *L) {
  marea_node *node = lua_touserdata(L, 1);
  custom_context *c = node->context;
  const marea_tensor *y = node->outputs[0];
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->closure);
  bind_box *box = bind_box_new(L);
  bind_box_fill(L, box, marea_tensor_new(MAREA_REAL, y->rank, y->size));
  const marea_real *dy = marea_gradient_of(y);
  int64_t n = marea_tensor_count(y);
  for (int64_t i = 0; i < n; i++) marea_reals(box->x)[i] = dy[i];
  int base = lua_gettop(L) - 2;
  lua_call(L, 1, LUA_MULTRET);
  for (int i = 0; i < node->input_count; i++) {
    if (!marea_wants_gradient(node->inputs[i]) || lua_isnoneornil(L, base + 1 + i)) continue;
    marea_tensor *dx = bind_tensor(L, base + 1 + i);
    char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
    if (!marea_same_shape(dx, node->inputs[i]))
      return bind_error(L, "gradient %d is %s, the input is %s", i + 1, marea_shape_text(dx, left),
                        marea_shape_text(node->inputs[i], right));
    marea_tensor *plain = marea_compact(dx);
    marea_status status =
        plain == NULL ? MAREA_NOMEM : marea_gradient_add(node->inputs[i], marea_reals(plain));
    marea_tensor_free(plain);
    bind_check(L, status);
  }
  return 0;
}

static marea_status custom_backward(marea_node *node) {
  lua_State *L = running;
  bool recording = marea_grad_enable(false);
  lua_pushcfunction(L, add_results);
  lua_pushlightuserdata(L, node);
  int code = lua_pcall(L, 1, 0, 0);
  marea_grad_enable(recording);
  if (code == LUA_OK) return MAREA_OK;
  marea_status status =
      marea_fail(MAREA_STATE, "backward of a custom operation: %s", luaL_tolstring(L, -1, NULL));
  lua_pop(L, 2);
  return status;
}

/* tape:custom(inputs, f): f(inputs…) → output, backward; backward(dy) → gradients of the inputs */
static int custom(lua_State *L) {
  open_tape(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  int n = (int)luaL_len(L, 2);
  luaL_argcheck(L, n >= 1 && n <= 32, 2, "1 to 32 input tensors expected");
  luaL_checkstack(L, 2 * n + 4, "too many inputs");
  for (int i = 0; i < n; i++) lua_geti(L, 2, i + 1); /* kept: f may empty the list */
  lua_pushvalue(L, 3);
  for (int i = 0; i < n; i++) lua_pushvalue(L, 4 + i);
  bool recording = marea_grad_enable(false);
  int code = lua_pcall(L, n, 2, 0);
  marea_grad_enable(recording);
  if (code != LUA_OK) return lua_error(L);
  marea_tensor *inputs[32], *y = bind_tensor(L, 4 + n);
  for (int i = 0; i < n; i++) inputs[i] = bind_tensor(L, 4 + i); /* f may have closed their tape */
  luaL_argcheck(L, lua_isfunction(L, 5 + n), 3, "must return a tensor and a backward function");
  luaL_argcheck(L, y->tape != NULL, 3, "the output must be computed on the tape");
  if (marea_recording(inputs, n)) {
    marea_node *node =
        marea_record("custom", inputs, n, &y, 1, custom_backward, sizeof(custom_context));
    if (node == NULL) return bind_raise(L);
    custom_context *c = node->context;
    lua_pushvalue(L, 5 + n);
    c->closure = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    c->main = lua_tothread(L, -1);
    node->destroy = destroy_custom;
  }
  lua_settop(L, 4 + n);
  return 1;
}

/* native.grad_enable(on) → how it was */
static int grad_enable(lua_State *L) {
  lua_pushboolean(L, marea_grad_enable(lua_toboolean(L, 1)));
  return 1;
}

static int tape_active(lua_State *L) {
  lua_pushboolean(L, marea_tape_active() != NULL);
  return 1;
}

/* tape_label(text): names the layer on the active tape, if there is one */
static int label_active(lua_State *L) {
  marea_tape *tape = marea_tape_active();
  if (tape == NULL) return 0;
  lua_pushstring(L, marea_tape_label_of(tape)); /* before it is replaced */
  bind_check(L, marea_tape_label(tape, luaL_optstring(L, 1, NULL)));
  return 1;
}

/* recording(): a tape is open and operations are recorded */
static int recording(lua_State *L) {
  lua_pushboolean(L, marea_tape_active() != NULL && marea_grad_enabled());
  return 1;
}

/* no_grad(f, …) → f's results, computed without recording */
static int finish_no_grad(lua_State *L, int status, lua_KContext context) {
  marea_grad_enable(context != 0);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L);
}

static int no_grad(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_KContext before = marea_grad_enable(false);
  return finish_no_grad(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, before, finish_no_grad),
                        before);
}

static const luaL_Reg methods[] = {
    {"backward", backward}, {"close", close_tape}, {"label", set_label}, {"nonfinite", nonfinite},
    {"bytes", bytes},       {"length", length},    {"custom", custom},   {NULL, NULL}};

static const luaL_Reg functions[] = {{"tape", new_tape},
                                     {"grad_enable", grad_enable},
                                     {"tape_active", tape_active},
                                     {"tape_label", label_active},
                                     {"recording", recording},
                                     {"no_grad", no_grad},
                                     {NULL, NULL}};

void bind_open_tape(lua_State *L) {
  luaL_newmetatable(L, BIND_TAPE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, collect_tape);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, close_tape);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

/* Optimizers, initial values, constraints. The names and the objects that scripts see are in
 * lua/marea/optim.lua and lua/marea/nn/. */
#include "bind.h"
#include "train/constraint.h"
#include "train/initialiser.h"
#include "train/optimizer.h"

#define BIND_OPTIMIZER "marea.optimizer"

/* ---- options ---- */

/* What Lua calls the options that are numbers, and where they lie. */
typedef struct number_option {
  const char *name;
  size_t offset;
} number_option;

#define NUMBER(name, field)                                                                        \
  { name, offsetof(marea_optimizer_options, field) }
static const number_option numbers[] = {NUMBER("learning_rate", learning_rate),
                                        NUMBER("momentum", momentum),
                                        NUMBER("rho", rho),
                                        NUMBER("beta_1", beta_1),
                                        NUMBER("beta_2", beta_2),
                                        NUMBER("epsilon", epsilon),
                                        NUMBER("initial_accumulator_value", initial_accumulator),
                                        NUMBER("weight_decay", weight_decay),
                                        NUMBER("clipnorm", clip.norm),
                                        NUMBER("clipvalue", clip.value),
                                        NUMBER("global_clipnorm", clip.global),
                                        NUMBER("loss_scale_factor", loss_scale),
                                        NUMBER("ema_momentum", average_momentum)};

static const number_option flags[] = {
    NUMBER("nesterov", nesterov), NUMBER("centered", centered),
    NUMBER("amsgrad", amsgrad),   NUMBER("lazy", lazy),
    NUMBER("use_ema", average),   NUMBER("allow_nonfinite", allow_nonfinite)};
enum { NUMBER_COUNT = sizeof numbers / sizeof *numbers, FLAG_COUNT = sizeof flags / sizeof *flags };

static double *number_at(marea_optimizer_options *options, int i) {
  return (double *)(void *)((char *)options + numbers[i].offset);
}

static bool *flag_at(marea_optimizer_options *options, int i) {
  return (bool *)(void *)((char *)options + flags[i].offset);
}

static marea_optimizer_options defaults_of(lua_State *L, int name, int pytorch) {
  marea_optimizer_kind kind;
  const char *text = luaL_checkstring(L, name);
  if (!marea_optimizer_find(text, &kind))
    luaL_argerror(L, name, lua_pushfstring(L, "there is no optimizer \"%s\"", text));
  return marea_optimizer_defaults(kind, lua_toboolean(L, pytorch));
}

/* optimizer_defaults(name[, pytorch]) → table */
static int optimizer_defaults(lua_State *L) {
  marea_optimizer_options options = defaults_of(L, 1, 2);
  lua_createtable(L, 0, NUMBER_COUNT + FLAG_COUNT);
  for (int i = 0; i < NUMBER_COUNT; i++) {
    lua_pushnumber(L, *number_at(&options, i));
    lua_setfield(L, -2, numbers[i].name);
  }
  for (int i = 0; i < FLAG_COUNT; i++) {
    lua_pushboolean(L, *flag_at(&options, i));
    lua_setfield(L, -2, flags[i].name);
  }
  return 1;
}

/* ---- optimizers ---- */

static marea_optimizer *optimizer_at(lua_State *L) {
  marea_optimizer **box = luaL_checkudata(L, 1, BIND_OPTIMIZER);
  if (*box == NULL) luaL_argerror(L, 1, "the optimizer was never made");
  return *box;
}

static void read_number(lua_State *L, const char *name, double *value) {
  int is_number;
  if (lua_getfield(L, 2, name) != LUA_TNIL) {
    *value = lua_tonumberx(L, -1, &is_number);
    if (!is_number) bind_error(L, "%s is a %s, expected a number", name, luaL_typename(L, -1));
  }
  lua_pop(L, 1);
}

/* optimizer(name, { option = value, … }, pytorch) → optimizer without parameters */
static int new_optimizer(lua_State *L) {
  double overwrite = 0;
  marea_optimizer_options options = defaults_of(L, 1, 3);
  luaL_checktype(L, 2, LUA_TTABLE);
  for (int i = 0; i < NUMBER_COUNT; i++) read_number(L, numbers[i].name, number_at(&options, i));
  read_number(L, "ema_overwrite_frequency", &overwrite);
  luaL_argcheck(L, overwrite >= 0 && overwrite < 1e15, 2, "ema_overwrite_frequency is too large");
  options.average_overwrite = (int64_t)overwrite;
  for (int i = 0; i < FLAG_COUNT; i++) {
    if (lua_getfield(L, 2, flags[i].name) != LUA_TNIL) *flag_at(&options, i) = lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  marea_optimizer **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BIND_OPTIMIZER);
  *box = marea_optimizer_new(&options);
  return *box == NULL ? bind_raise(L) : 1;
}

static int collect(lua_State *L) {
  marea_optimizer **box = luaL_checkudata(L, 1, BIND_OPTIMIZER);
  marea_optimizer_free(*box);
  *box = NULL;
  return 0;
}

/* optimizer:factor(name, factor of the learning rate) */
static int factor(lua_State *L) {
  marea_optimizer *optimizer = optimizer_at(L);
  bind_check(L,
             marea_optimizer_set_factor(optimizer, luaL_checkstring(L, 2), luaL_checknumber(L, 3)));
  return 0;
}

/* optimizer:add(name, tensor, decays) */
static int add(lua_State *L) {
  marea_optimizer *optimizer = optimizer_at(L);
  const char *name = luaL_checkstring(L, 2);
  marea_tensor *x = bind_tensor(L, 3);
  int64_t before = marea_optimizer_slot_count(optimizer);
  bind_check(L, marea_optimizer_add(optimizer, name, x, lua_toboolean(L, 4)));
  int64_t slots = marea_optimizer_slot_count(optimizer) - before;
  bind_account(L, (size_t)slots * marea_tensor_bytes(x));
  return 0;
}

/* optimizer:step() → norm before clipping, after, number of gradients used */
static int step(lua_State *L) {
  marea_step_report report;
  bind_check(L, marea_optimizer_step(optimizer_at(L), &report));
  lua_pushnumber(L, report.norm_before);
  lua_pushnumber(L, report.norm_after);
  lua_pushinteger(L, report.parameters);
  return 3;
}

/* optimizer:try_step() → as step; norm before clipping alone when it is not finite: nothing changed
 */
static int try_step(lua_State *L) {
  marea_step_report report;
  bind_check(L, marea_optimizer_try_step(optimizer_at(L), &report));
  lua_pushnumber(L, report.norm_before);
  if (report.refused) return 1;
  lua_pushnumber(L, report.norm_after);
  lua_pushinteger(L, report.parameters);
  return 3;
}

static int gradient_norm(lua_State *L) {
  lua_pushnumber(L, marea_optimizer_norm(optimizer_at(L)));
  return 1;
}

/* optimizer:rate(number), :loss_scale(number), :iterations([number]) */
static int set_rate(lua_State *L) {
  bind_check(L, marea_optimizer_set_rate(optimizer_at(L), luaL_checknumber(L, 2)));
  return 0;
}

static int set_loss_scale(lua_State *L) {
  bind_check(L, marea_optimizer_set_loss_scale(optimizer_at(L), luaL_checknumber(L, 2)));
  return 0;
}

static int iterations(lua_State *L) {
  marea_optimizer *optimizer = optimizer_at(L);
  if (!lua_isnoneornil(L, 2))
    bind_check(L, marea_optimizer_set_iterations(optimizer, luaL_checkinteger(L, 2)));
  lua_pushinteger(L, marea_optimizer_iterations(optimizer));
  return 1;
}

/* optimizer:slots() → { ["parameter/slot"] = tensor, … }: the state itself, not copies */
static int slots(lua_State *L) {
  marea_optimizer *optimizer = optimizer_at(L);
  int64_t count = marea_optimizer_slot_count(optimizer);
  lua_createtable(L, 0, (int)count);
  for (int64_t i = 0; i < count; i++) {
    const char *parameter, *slot;
    marea_tensor *x = marea_optimizer_slot(optimizer, i, &parameter, &slot);
    lua_pushfstring(L, "%s/%s", parameter, slot);
    bind_box *box = bind_box_new(L);
    bind_box_fill(L, box, marea_tensor_retain(x));
    lua_rawset(L, -3);
  }
  return 1;
}

static int swap_average(lua_State *L) {
  bind_check(L, marea_optimizer_swap_average(optimizer_at(L)));
  return 0;
}

/* ---- initial values ---- */

typedef marea_status two_number_initialiser(marea_tensor *, marea_stream *, double, double);

static int initialise_two(lua_State *L, two_number_initialiser *initialise) {
  bind_check(L, initialise(bind_tensor(L, 1), bind_stream(L, 2), luaL_checknumber(L, 3),
                           luaL_checknumber(L, 4)));
  lua_settop(L, 1);
  return 1;
}

/* Each fills a tensor and returns it: initialise_uniform(x, stream, low, high),
 * _normal(x, stream, mean, deviation), _truncated(…), _scaled(x, stream, scale, mode,
 * distribution), _orthogonal(x, stream, gain), _identity(x, gain) */
static int uniform(lua_State *L) {
  return initialise_two(L, marea_initialise_uniform);
}

static int normal(lua_State *L) {
  return initialise_two(L, marea_initialise_normal);
}

static int truncated(lua_State *L) {
  return initialise_two(L, marea_initialise_truncated);
}

static int scaled(lua_State *L) {
  static const char *const modes[] = {"fan_in", "fan_out", "fan_avg", NULL};
  static const char *const distributions[] = {"truncated_normal", "untruncated_normal", "uniform",
                                              NULL};
  marea_fan_mode mode = (marea_fan_mode)luaL_checkoption(L, 4, NULL, modes);
  marea_distribution distribution = (marea_distribution)luaL_checkoption(L, 5, NULL, distributions);
  bind_check(L, marea_initialise_scaled(bind_tensor(L, 1), bind_stream(L, 2),
                                        luaL_checknumber(L, 3), mode, distribution));
  lua_settop(L, 1);
  return 1;
}

static int orthogonal(lua_State *L) {
  bind_check(
      L, marea_initialise_orthogonal(bind_tensor(L, 1), bind_stream(L, 2), luaL_checknumber(L, 3)));
  lua_settop(L, 1);
  return 1;
}

static int identity(lua_State *L) {
  bind_check(L, marea_initialise_identity(bind_tensor(L, 1), luaL_checknumber(L, 2)));
  lua_settop(L, 1);
  return 1;
}

/* ---- constraints ---- */

/* constrain_norm(w, { axis, … }, low, high, rate), constrain_nonnegative(w): in place, return w */
static int constrain_norm(lua_State *L) {
  marea_tensor *w = bind_tensor(L, 1);
  unsigned axes = 0;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer count = luaL_len(L, 2);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, 2, i);
    axes |= 1u << bind_axis(L, lua_gettop(L), w);
    lua_pop(L, 1);
  }
  bind_check(L, marea_constrain_norm(w, axes, luaL_checknumber(L, 3), luaL_checknumber(L, 4),
                                     luaL_checknumber(L, 5)));
  lua_settop(L, 1);
  return 1;
}

static int constrain_nonnegative(lua_State *L) {
  bind_check(L, marea_constrain_nonnegative(bind_tensor(L, 1)));
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg methods[] = {{"factor", factor},
                                   {"add", add},
                                   {"step", step},
                                   {"try_step", try_step},
                                   {"gradient_norm", gradient_norm},
                                   {"rate", set_rate},
                                   {"loss_scale", set_loss_scale},
                                   {"iterations", iterations},
                                   {"slots", slots},
                                   {"swap_average", swap_average},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"optimizer", new_optimizer},
                                     {"optimizer_defaults", optimizer_defaults},
                                     {"initialise_uniform", uniform},
                                     {"initialise_normal", normal},
                                     {"initialise_truncated", truncated},
                                     {"initialise_scaled", scaled},
                                     {"initialise_orthogonal", orthogonal},
                                     {"initialise_identity", identity},
                                     {"constrain_norm", constrain_norm},
                                     {"constrain_nonnegative", constrain_nonnegative},
                                     {NULL, NULL}};

void bind_open_train(lua_State *L) {
  luaL_newmetatable(L, BIND_OPTIMIZER);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

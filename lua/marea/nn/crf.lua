--- CRF: labels of a sequence that know their neighbours.
local constraints = require "marea.nn.crf_constraints"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- A linear-chain conditional random field (Lafferty et al., 2001) over the scores of tags at each
-- step, (B, T, K) → the same (B, T, K): the layer holds what comes between tags and hands the scores
-- on. Masked steps, on either side, are no part of the sequence.
--
--     local crf = nn.CRF{ { "O", "B-LOC", "I-LOC" }, constraint = "iob2" }
--     local model = marea.Sequential{ …, nn.Dense{ 3 }, crf }
--     model:compile{ loss = crf:loss(), metrics = { crf:accuracy() } }
--     model:fit(x, tags, { lengths = lengths })
--     crf:decode(model:predict(x, { lengths = lengths }), { lengths = lengths })
--
-- `tags` is their number, or their names in the order of their ids from 0. `constraint` forbids
-- transitions when tags are decoded (and in the marginals): "iob2" by the names, or a list of pairs of
-- names or ids { from, to }, "start" and "end" standing for the ends. Training takes tags as they
-- come: real corpora break their own rules here and there. Weights: start (K), end (K), transitions (K, K; from, to).
local CRF = Layer:extend("CRF", {
  builtin = true,
  positional = { "tags" },
  masking = "pass",
  options = {
    tags = options.required, constraint = options.optional,
    transitions_initializer = "zeros", transitions_regularizer = options.optional,
  },
})

function CRF:init()
  self.names, self.units = constraints.tags(self.tags)
  self.forbidden = constraints.pairs(self.constraint, self.names, self.units)
end

function CRF:build_weights(shape)
  if #shape ~= 3 or shape[3] ~= self.units then
    self:fail("input is (%s), expected (batch, time, %d tags); let nn.Dense{ %d } come before",
      table.concat(shape, ", "), self.units, self.units)
  end
  for _, name in ipairs{ "start", "end" } do
    self[name .. "_scores"] = self:add_weight{ name = name, shape = { self.units },
      initializer = self.transitions_initializer }
  end
  self.transitions = self:add_weight{ name = "transitions", shape = { self.units, self.units },
    initializer = self.transitions_initializer, regularizer = self.transitions_regularizer }
end

function CRF:call(x)
  self:expect(x, 3, self.units, "transitions")
  return x
end

function CRF.output_shape(_, shape)
  return shape
end

-- Start, end and transitions with what is forbidden, for decoding.
local function scores(self)
  local first, last, between = self.start_scores, self.end_scores, self.transitions
  if #self.forbidden == 0 then return first, last, between end
  self.penalties = self.penalties or constraints.penalties(self.forbidden, self.units)
  return first + self.penalties.first, last + self.penalties.last, between + self.penalties.between
end

local function read_emissions(self, emissions, given)
  if not self.built then self:fail("has no weights before it is built") end
  given = options.read("CRF", given, { mask = options.optional, lengths = options.optional })
  emissions = ops.tensor(emissions)
  self:expect(emissions, 3, self.units, "transitions")
  return emissions, self:read_mask(emissions, given)
end

--- The most probable tags (Viterbi, 1967).
-- @tparam tensor emissions (B, T, K), the model's output
-- @tparam[opt] table given `mask` (B, T) or `lengths` (B)
-- @treturn tensor ids (B, T), 0 at masked steps
function CRF:decode(emissions, given)
  local p, mask = read_emissions(self, emissions, given)
  return ops.crf_decode(p, mask, scores(self))
end

--- The most probable tags by name, without the masked steps.
-- @treturn {{string|int,...},...}
function CRF:decode_names(emissions, given)
  local p, mask = read_emissions(self, emissions, given)
  local ids = ops.crf_decode(p, mask, scores(self)):totable()
  local seen = mask and mask:totable()
  local result = {}
  for i, row in ipairs(ids) do
    result[i] = {}
    for t, id in ipairs(row) do
      if not seen or seen[i][t] ~= 0 then
        table.insert(result[i], self.names and self.names[id + 1] or id)
      end
    end
  end
  return result
end

--- The probability of each tag at each step, given the whole sequence.
-- @treturn tensor (B, T, K), zeros at masked steps
function CRF:marginals(emissions, given)
  local p, mask = read_emissions(self, emissions, given)
  return ops.no_grad(function() return ops.crf_marginals(p, mask, scores(self)) end)
end

-- Training -----------------------------------------------------------------------------------

--- The loss for compile: -ln P(tags), for tags (B, T) as ids. `reduction` "mean" (over samples), "sum"
-- or "none".
function CRF:loss(config)
  local given = options.read("CRF:loss", config, { reduction = "mean" })
  return require("marea.losses").of_layer("crf", self, given)
end

--- The loss of targets and emissions; used by `loss`.
function CRF:compute_loss(y, p, given)
  self:expect(p, 3, self.units, "transitions")
  y = ops.as_ids(y)
  local shape = y:shape()
  if #shape == 3 and shape[3] == 1 then y = y:reshape({ shape[1], shape[2] }) end
  local values = ops.crf_loss(p, y, given.mask, self.start_scores, self.end_scores, self.transitions)
  return require("marea.losses").reduce_samples("crf", values, given)
end

--- The share of right tags on the best path, as a metric for compile. ("accuracy" takes the largest
-- score of each step instead.)
function CRF:accuracy()
  local inner = require("marea.metrics").SparseCategoricalAccuracy{ name = "crf_accuracy" }
  local metric = { name = inner.name, direction = "max" }
  function metric.update(_, y, p, given)
    local best = ops.crf_decode(p, given and given.mask, scores(self))
    inner:update(y, ops.one_hot(best, self.units), given)
  end
  function metric.result() return inner:result() end
  function metric.reset() inner:reset() end
  --- In a file it becomes the accuracy of each step by itself.
  function metric.get_config() return inner:get_config() end
  return metric
end

return CRF

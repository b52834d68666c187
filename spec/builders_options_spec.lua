-- The builders' options and inputs: what is taken, what is refused and how it says so.
local marea = require "marea"
local support = require "spec.support"
local builders, raises = marea.builders, support.raises

-- Every builder with a few options more.
local function each_builder(f)
  local source = { vocabulary = 5, embedding = 4 }
  for name, given in pairs{
    many_to_one = { source = source, units = 4 },
    many_to_many = { source = source, units = 4, outputs = 3 },
    one_to_many = { source = source, target = { vocabulary = 5, embedding = 4 }, units = 4 },
    encoder_decoder = { source = source, target = { vocabulary = 5, embedding = 4 }, units = 4 },
  } do
    f(name, function(more)
      local read = {}
      for key, value in pairs(given) do read[key] = value end
      for key, value in pairs(more or {}) do read[key] = value end
      return builders[name](read)
    end)
  end
end

describe("recurrent layers of the builders", function()
  it("refuse options of the cell that the builder sets itself, and take the others", function()
    each_builder(function(_, make)
      for option, value in pairs{ go_backwards = true, stateful = true, return_sequences = true, return_state = true,
        name = "x", units = 3 } do
        raises(function() make{ cell_options = { [option] = value } } end, "cell_options cannot hold " .. option)
      end
      raises(function() make{ cell_options = { 7 } } end, "cell_options are given by name", "place 1")
      raises(function() make{ cell_options = 7 } end, "cell_options must be a table")
      raises(function() make{ cell_options = { gates = 7 } } end, 'unknown option "gates"')
      local model = make{ cell_options = { recurrent_dropout = 0.5 }, num_layers = 2 }
      local found = 0
      for _, layer in ipairs(model.layers) do
        if layer.recurrent_dropout == 0.5 then found = found + 1 end
      end
      assert.is_true(found >= 2)
    end)
  end)
end)

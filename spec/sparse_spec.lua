-- Sparse matrices: making, cutting, scaling, products, training on them.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local nn = marea.nn

local rows = { { 0, 1.5, 0, -2 }, { 0, 0, 0, 0 }, { 0.5, 3, 0, 0 } }

local function example()
  return marea.sparse(rows)
end

-- A matrix with about one entry in `gap`, the same each time.
local function scattered(n, columns, gap)
  local list = { rows = {}, columns = {}, values = {}, shape = { n, columns } }
  local state = 12345
  for place = 0, n * columns - 1 do
    state = (state * 1103515245 + 12345) % 2147483648
    if state // 65536 % gap == 0 then
      list.rows[#list.rows + 1] = place // columns + 1
      list.columns[#list.columns + 1] = place % columns + 1
      list.values[#list.values + 1] = math.sin(place)
    end
  end
  return marea.sparse(list)
end

describe("a sparse matrix", function()
  it("is made from dense numbers and gives them back", function()
    local x = example()
    assert.are.same({ 3, 4 }, x:shape())
    assert.are.equal(3, #x)
    assert.are.equal(4, x:size(-1))
    assert.are.equal(4, x:nnz())
    assert.near_all({ 4 / 12 }, { x:density() })
    assert.near_all(rows, x:todense())
    assert.is_true(native.is_sparse(x))
    assert.are.equal(x, marea.sparse(x))
    assert.near_all({ { 0, 1.5 }, { 0, 0 } }, marea.sparse(marea.tensor(rows):narrow(2, 1, 2)
      :narrow(1, 1, 2)):todense())
  end)

  it("is made from entries in any order; those of one place add up", function()
    local x = marea.sparse{ rows = { 3, 1, 3, 1, 3 }, columns = { 2, 4, 1, 2, 2 },
      values = { 1, -2, 0.5, 1.5, 2 }, shape = { 3, 4 } }
    assert.near_all(rows, x:todense())
    assert.are.equal(4, x:nnz())
    local ones = marea.sparse{ rows = marea.tensor({ 1, 1 }, { dtype = "int32" }),
      columns = { 2, 2 }, shape = { 1, 2 } }
    assert.near_all({ { 0, 2 } }, ones:todense())
  end)

  it("sorts long rows", function()
    for _, n in ipairs{ 1, 2, 17, 700, 5000 } do
      local columns, values = {}, {}
      for i = 1, n do
        columns[i] = (i * 7919) % n + 1 -- 7919 is a prime: every column once
        values[i] = columns[i] * 0.5
      end
      local list = { rows = {}, columns = columns, values = values, shape = { 1, n } }
      for i = 1, n do list.rows[i] = 1 end
      local got, numbers = marea.sparse(list):row(1)
      assert.are.equal(n, #got)
      for i = 1, n do
        assert.are.equal(i, got[i])
        assert.are.equal(i * 0.5, numbers[i])
      end
    end
  end)

  it("may be empty in every way", function()
    local none = marea.sparse{ rows = {}, columns = {}, shape = { 0, 5 } }
    assert.are.same({ 0, 5 }, none:shape())
    assert.are.equal(0, none:density())
    assert.are.same({ 0, 2 }, none:matmul(marea.ones{ 5, 2 }):shape())
    assert.are.equal(0, none:sum():item())
    local thin = marea.sparse{ rows = {}, columns = {}, shape = { 2, 0 } }
    assert.are.same({ 2, 3 }, thin:matmul(marea.ones{ 0, 3 }):shape())
    assert.near_all({ { 0, 0, 0 }, { 0, 0, 0 } }, thin:matmul(marea.ones{ 0, 3 }))
    local bare = marea.sparse{ rows = {}, columns = {}, shape = { 2, 3 } }:normalize("l2")
    assert.near_all({ { 0, 0, 0 }, { 0, 0, 0 } }, bare:todense())
    assert.is_truthy(tostring(bare):find("row 1  empty", 1, true))
  end)

  it("is cut by rows and columns", function()
    local x = example()
    assert.near_all({ rows[2], rows[3] }, x:narrow(1, 2, 2):todense())
    assert.near_all({ rows[3] }, x:narrow(1, 2, 2):narrow(1, 2, 1):todense())
    assert.near_all({ { 1.5, 0 }, { 0, 0 }, { 3, 0 } }, x:narrow(2, 2, 2):todense())
    assert.near_all({ rows[3], rows[1], rows[3] }, x:rows({ 3, 1, 3 }):todense())
    assert.near_all({ rows[1], rows[2] }, x:rows(1, 2):todense())
    assert.near_all({ rows[2] }, x:rows(2):todense())
    assert.near_all({ rows[3], rows[1] }, x:narrow(1, 1, 3)
      :take(marea.tensor({ 2, 0 }, { dtype = "int32" })):todense())
    assert.are.equal(2, x:narrow(1, 2, 2):nnz())
    assert.are.same({ 1, 2 }, (x:narrow(1, 3, 1):row(1)))
  end)

  it("outlives the one it was cut from", function()
    local part = example():narrow(1, 3, 1)
    collectgarbage()
    collectgarbage()
    assert.near_all({ rows[3] }, part:todense())
  end)

  it("has sums and counts", function()
    local x = example()
    assert.near_all({ 0.5, 4.5, 0, -2 }, x:sum(1))
    assert.near_all({ -0.5, 0, 3.5 }, x:sum(2))
    assert.near_all({ 3 }, { x:sum():item() })
    assert.are.same({ 1, 2, 0, 1 }, x:column_counts():totable())
    assert.near_all({ 3.5 }, x:narrow(1, 2, 2):sum(2):narrow(1, 2, 1))
  end)

  it("is scaled and normalized into a new one", function()
    local x = example()
    assert.near_all({ { 0, 3, 0, -4 }, { 0, 0, 0, 0 }, { -0.5, -3, 0, 0 } },
      x:scale_rows{ 2, 9, -1 }:todense())
    assert.near_all({ { 0, 3, 0, -8 }, { 0, 0, 0, 0 }, { 0.5, 6, 0, 0 } },
      x:scale_columns{ 1, 2, 3, 4 }:todense())
    assert.near_all({ { 0, 0.6, 0, -0.8 }, { 0, 0, 0, 0 },
      { 0.5 / math.sqrt(9.25), 3 / math.sqrt(9.25), 0, 0 } }, x:normalize():todense())
    assert.near_all({ { 0, 1.5 / 3.5, 0, -2 / 3.5 }, { 0, 0, 0, 0 }, { 0.5 / 3.5, 3 / 3.5, 0, 0 } },
      x:normalize("l1"):todense())
    assert.near_all({ { 0, 0.75, 0, -1 }, { 0, 0, 0, 0 }, { 0.5 / 3, 1, 0, 0 } },
      x:normalize("max"):todense())
    assert.near_all(rows, x:todense())
    assert.near_all({ { 0.5 / 3, 1, 0, 0 } }, x:narrow(1, 3, 1):normalize("max"):todense())
  end)

  it("is shown", function()
    local text = tostring(example())
    assert.is_truthy(text:find("sparse (3, 4) " .. example():dtype() .. ", 4 entries (33.3 %)", 1, true))
    assert.is_truthy(text:find("row 1  2: 1.5, 4: -2", 1, true))
    assert.is_truthy(tostring(scattered(20, 40, 2)):find("…\n  …", 1, true))
  end)

  it("refuses what does not fit, and says why", function()
    local function triples(given)
      return function() return marea.sparse(given) end
    end
    assert.fails("entry 2 lies at (1, 5), the matrix is (3, 4)", triples{ rows = { 1, 1 },
      columns = { 1, 5 }, shape = { 3, 4 } })
    assert.fails("entry 1 lies at (0, 1)", triples{ rows = { 0 }, columns = { 1 }, shape = { 3, 4 } })
    assert.fails("2 rows, 1 columns and 2 values", triples{ rows = { 1, 2 }, columns = { 1 },
      shape = { 3, 4 } })
    assert.fails("columns[1] is 1.5, expected a whole number", triples{ rows = { 1 },
      columns = { 1.5 }, shape = { 3, 4 } })
    assert.fails("values[1] is a string", triples{ rows = { 1 }, columns = { 1 }, values = { "x" },
      shape = { 3, 4 } })
    assert.fails("shape must be { rows, columns }", triples{ rows = {}, columns = {}, shape = { 3 } })
    assert.fails("2147483647", triples{ rows = {}, columns = {}, shape = { 3, 2 ^ 40 } })
    assert.fails("expected reals with two axes", triples(marea.ones{ 2, 2, 2 }))
    assert.fails("expected a tensor, a list of lists", triples("text"))
    local x = example()
    assert.fails("rows 3 to 4 of a sparse matrix that has 3", function() x:narrow(1, 3, 2) end)
    assert.fails("columns 0 to 1", function() x:narrow(2, 0, 2) end)
    assert.fails("item 2 is 4, the matrix has rows 1 to 3", function() x:rows{ 1, 4 } end)
    assert.fails("item 2 of the list is row 3, allowed are 0 to 2", function()
      x:take(marea.tensor({ 0, 3 }, { dtype = "int32" }))
    end)
    assert.fails("axes 1 and 2", function() x:sum(3) end)
    assert.fails("row 4", function() x:row(4) end)
    assert.fails("the factors are (2), expected (3)", function() x:scale_rows{ 1, 2 } end)
    assert.fails("norm must be one of l2, l1, max", function() x:normalize("l3") end)
    assert.fails("sparse_matmul: a is (3, 4), b is (3, 2)", function()
      x:matmul(marea.ones{ 3, 2 })
    end)
    assert.fails("expected (V, U) and (U)", function()
      x:matmul(marea.ones{ 4, 2 }, marea.ones{ 3 })
    end)
    assert.fails("sparse matrix expected, got userdata (a dense tensor)", function()
      native.sparse_matmul(marea.ones{ 3, 4 }, marea.ones{ 4, 2 })
    end)
    assert.fails("column 2 goes to column 6, the new matrix has 5", function()
      x:remap(marea.tensor({ 0, 5, 1, ~3 }, { dtype = "int32" }), 5)
    end)
  end)

  it("keeps NaN where it was", function()
    local x = marea.sparse{ { 0, 0 / 0 }, { 1, 0 } }
    local row, column, value = x:nonfinite()
    assert.are.same({ 1, 2 }, { row, column })
    assert.is_true(value ~= value)
    assert.is_nil(example():nonfinite())
  end)
end)

describe("sparse_matmul", function()
  it("equals the dense product, with and without bias", function()
    for _, units in ipairs{ 1, 3, 16 } do
      local x, w = scattered(40, 30, 5), native.new_stream(1, units):uniform({ 30, units }, -1, 1)
      local bias = native.new_stream(2, units):uniform({ units }, -1, 1)
      assert.near_all(x:todense():matmul(w), x:matmul(w))
      assert.near_all(x:todense():matmul(w) + bias, x:matmul(w, bias))
      assert.near_all(x:narrow(1, 7, 9):todense():matmul(w), x:narrow(1, 7, 9):matmul(w))
    end
  end)

  -- Both ways of handing the gradient over: few columns touched, and many.
  it("gives the same gradient as the dense product", function()
    for _, gap in ipairs{ 3, 200 } do
      local x, w = scattered(20, 300, gap), marea.ones{ 300, 2 }
      local target = native.new_stream(5, 5):uniform({ 20, 2 }, -1, 1)
      local gradients = {}
      w.requires_grad = true
      for i, product in ipairs{ x, x:todense() } do
        local tape <close> = marea.tape()
        tape:backward((product:matmul(w) * target):sum())
        gradients[i] = w.grad
      end
      assert.near_all(gradients[2], gradients[1])
    end
  end)

  it("gives the same bits for any number of threads", function()
    local before, results = marea.threads(), {}
    local x = scattered(400, 500, 4)
    local w = native.new_stream(3, 3):uniform({ 500, 8 }, -1, 1)
    w.requires_grad = true
    for i, n in ipairs{ 1, 2, 8 } do
      marea.threads(n)
      local tape <close> = marea.tape()
      local y = x:normalize("l2"):matmul(w)
      tape:backward(y:tanh():sum())
      results[i] = { y:keep(), w.grad }
    end
    marea.threads(before)
    for i = 2, 3 do
      assert.is_true(results[1][1]:same(results[i][1]))
      assert.is_true(results[1][2]:same(results[i][2]))
    end
  end)

  it("keeps the matrix until the tape closes", function()
    local w = marea.ones{ 4, 1 }
    w.requires_grad = true
    local tape <close> = marea.tape()
    local loss = example():matmul(w):sum()
    collectgarbage()
    collectgarbage()
    tape:backward(loss)
    assert.near_all({ { 0.5 }, { 4.5 }, { 0 }, { -2 } }, w.grad)
  end)
end)

describe("Dense and fit", function()
  local x = scattered(60, 20, 4)
  local y = marea.tensor((function()
    local list, sums = {}, x:sum(2):totable()
    for i, sum in ipairs(sums) do list[i] = sum > 0 and 1 or 0 end
    return list
  end)())

  local function model(optimizer)
    marea.manual_seed(3)
    return marea.Sequential{ nn.Dense{ 4, activation = "tanh" }, nn.Dense{ 1, activation = "sigmoid" } }
      :compile{ optimizer = optimizer, loss = "binary_crossentropy", metrics = { "accuracy" } }
  end

  for _, name in ipairs{ "Adam", "SGD" } do
    it("learn from a sparse matrix what they learn from the dense one: " .. name, function()
      local runs = {}
      for i, data in ipairs{ x, x:todense() } do
        local m = model(marea.optim[name]{ learning_rate = 0.1 })
        local history = m:fit(data, y, { epochs = 3, batch_size = 8, validation_split = 0.2,
          sample_weight = marea.arange(1, 60) * 0.02, verbose = 0 })
        runs[i] = { history.history.loss, history.history.val_loss, m:evaluate(data, y).loss,
          m:predict(data):totable() }
      end
      assert.near_all(runs[2], runs[1], 1e-5)
      assert.is_true(runs[1][1][3] < runs[1][1][1])
    end)
  end

  it("take it behind an Input, without shuffling, in one batch", function()
    local m = marea.Sequential{ marea.Input{ { 20 } }, nn.Dense{ 1, use_bias = false } }
    assert.near_all(m:predict(x:todense()), m:predict(x))
    m:compile{ optimizer = "sgd", loss = "mse" }
    m:fit(x, y, { shuffle = false, verbose = 0 })
    m:train_on_batch(x, y)
  end)

  it("say what does not fit", function()
    assert.fails("nan at sample 2, feature 1", function()
      model("adam"):fit(marea.sparse{ { 1, 0 }, { 0 / 0, 2 } }, marea.tensor{ 0, 1 },
        { verbose = 0 })
    end)
    assert.fails('LSTM "reader": expects a tensor, got a sparse matrix; use x:todense()', function()
      nn.LSTM{ 2, name = "reader" }(x)
    end)
    assert.fails("x has 60 samples, y has 59", function()
      model("adam"):fit(x, y:narrow(1, 1, 59), { verbose = 0 })
    end)
    local m = model("adam")
    m:fit(x, y, { verbose = 0 })
    assert.fails("kernel expects 20 features", function() m:predict(scattered(4, 21, 3)) end)
  end)
end)

describe("sparse matrices and memory", function()
  local function everything()
    local x = scattered(30, 20, 3)
    x:narrow(1, 3, 9):normalize("l1"):todense()
    x:narrow(2, 3, 9):rows{ 1, 1, 4 }:sum(1)
    x:remap(marea.zeros({ 20 }, { dtype = "int32" }), 2):column_counts()
    local w = marea.ones{ 20, 2 }
    w.requires_grad = true
    local tape <close> = marea.tape()
    tape:backward(x:matmul(w):sum())
  end

  it("leave nothing behind", function() helper.leak_check(everything) end)

  it("survive every failed allocation", function()
    local n, ok = 0
    repeat
      n = n + 1
      helper.leak_check(function()
        native.fail_at(n)
        ok = pcall(everything)
        native.fail_at(0)
      end)
    until ok or n > 300
    assert.is_true(ok)
    assert.is_true(n > 20)
  end)
end)

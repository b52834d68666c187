--- Sparse matrices: of each row only the entries that are not 0 are kept (CSR).
--
--     local x = marea.sparse{ rows = { 1, 1, 3 }, columns = { 2, 5, 1 }, values = { 1, 2, 1 },
--       shape = { 3, 5 } }
--     local y = x:matmul(w)                       -- (3, 5) times (5, U), with w's gradient
--     model:fit(x, labels)                        -- nn.Dense takes it as it is
--
-- 25,000 reviews over 10,000 words are 1 GB dense and 27 MB so. A matrix does not change; what
-- scales or cuts it gives a new one. It is data: gradients do not flow into it. Counting words is
-- in marea.text.encodings.
--
-- Methods: `shape()`, `size(axis)`, `#x` (rows), `nnz()` (stored entries), `density()`, `bytes()`,
-- `todense()`, `row(i)` (its columns and its values, two lists), `sum([axis])` (a tensor: axis 1
-- leaves (V), axis 2 leaves (N)), `column_counts()` (int32 (V): rows with an entry),
-- `narrow(axis, start, length)`, `take(ids)` (rows by int32 ids from 0), `matmul(w[, bias])`, and
-- the ones below. Rows and columns count from 1.
-- @classmod marea.sparse
local native = require "marea.native"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local methods = native.sparse_metatable.methods

local function from_lists(given)
  local read = options.read("sparse", given, { rows = options.required, columns = options.required,
    values = options.optional, shape = options.required })
  if type(read.shape) ~= "table" or #read.shape ~= 2 then
    error("sparse: shape must be { rows, columns }", 0)
  end
  for name, list in pairs{ rows = read.rows, columns = read.columns, values = read.values } do
    if ops.is_tensor(list) then read[name] = list:totable() end
  end
  return native.sparse_triples(read.rows, read.columns, read.values,
    options.integer("sparse", "shape[1]", read.shape[1], 0),
    options.integer("sparse", "shape[2]", read.shape[2], 0))
end

--- A sparse matrix.
-- @tparam tensor|table given a dense (N, V) tensor, or a list of lists of numbers; or the entries in
-- any order (COO): `rows`, `columns` (lists or tensors of places from 1), `values` (default: all 1)
-- and `shape` { N, V }; entries of one place are added up
-- @treturn sparse
-- @raise naming the entry that lies outside the shape
-- @function sparse
local function sparse(given)
  if native.is_sparse(given) then return given end
  if not ops.is_tensor(given) then
    if type(given) ~= "table" then
      error("sparse: expected a tensor, a list of lists or { rows, columns, values, shape }, got "
        .. options.show(given), 0)
    end
    if given.shape ~= nil or given.rows ~= nil then return from_lists(given) end
    given = ops.tensor(given)
  end
  return native.sparse_dense(ops.as_real(given))
end

local function vector(who, list, expected)
  list = ops.as_real(list)
  local shape = list:shape()
  if #shape ~= 1 or shape[1] ~= expected then
    error(("%s: the factors are (%s), expected (%d)"):format(who, table.concat(shape, ", "),
      expected), 0)
  end
  return list
end

--- Row i times factors[i]; columns likewise.
-- @tparam tensor|table factors
function methods:scale_rows(factors)
  return self:scale(vector("scale_rows", factors, self:size(1)))
end

function methods:scale_columns(factors)
  return self:scale(nil, vector("scale_columns", factors, self:size(2)))
end

--- Each row divided by its norm; rows without entries stay.
-- @tparam[opt="l2"] string norm "l2", "l1" or "max" (of the sizes)
function methods:normalize(norm)
  return self:scale(nil, nil, options.choice("normalize", "norm", norm or "l2",
    { "l2", "l1", "max" }))
end

--- Some rows.
-- @tparam table|integer list places from 1, or the first row
-- @tparam[opt] integer last the last row
function methods:rows(list, last)
  if type(list) == "number" then
    last = last or list
    return self:narrow(1, list, last - list + 1)
  end
  if ops.is_tensor(list) then list = list:totable() end
  local ids = {}
  for i, place in ipairs(list) do
    if math.type(place) ~= "integer" or place < 1 or place > #self then
      error(("rows: item %d is %s, the matrix has rows 1 to %d"):format(i, tostring(place), #self), 0)
    end
    ids[i] = place - 1
  end
  return self:take(ops.tensor(ids, { dtype = "int32" }))
end

local sum_axis = methods.sum

--- Sums along an axis, or of everything (a tensor with one element).
function methods:sum(axis)
  if axis == nil then return sum_axis(self, 2):sum() end
  return sum_axis(self, axis)
end

local SHOWN <const> = 6

local function row_text(x, i)
  local columns, values = x:row(i)
  local parts = {}
  for k = 1, math.min(#columns, SHOWN) do
    parts[k] = ("%d: %.4g"):format(columns[k], values[k])
  end
  if #columns > SHOWN then parts[#parts + 1] = "…" end
  return ("\n  row %d  %s"):format(i, #parts > 0 and table.concat(parts, ", ") or "empty")
end

function native.sparse_metatable.__tostring(x)
  local text = ("sparse (%d, %d) %s, %d entries (%.3g %%)"):format(x:size(1), x:size(2), x:dtype(),
    x:nnz(), 100 * x:density())
  for i = 1, math.min(#x, SHOWN) do text = text .. row_text(x, i) end
  return #x > SHOWN and text .. "\n  …" or text
end

return sparse

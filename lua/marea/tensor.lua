--- The methods of tensors. Axes and indices count from 1; a negative one counts from the end.
-- Operations return new tensors (on the innermost open tape, which records them when an operand
-- requires a gradient); only methods whose names end in `_` and `set` change the tensor itself.
-- Every method raises an error for arguments that do not fit, saying what was expected and what
-- came.
--
-- Arithmetic: `a + b`, `a - b`, `a * b`, `a / b`, `-a`, `a ^ number`; an operand may be a number.
-- Shapes are broadcast as in NumPy: aligned at the last axis, an axis of size 1 is repeated.
-- Fields: `x.requires_grad` (settable), `x.grad` (a copy of the gradient of the last backward, or
-- nil; `x.grad = nil` frees it).
--
--     local x = marea.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }
--     print(x:sum(1), x:narrow(2, 1, 2), x:matmul(x:transpose()))
-- @classmod marea.Tensor
local native = require "marea.native"

-- Asking ----------------------------------------------------------------------------------------

--- The sizes of all axes: `{ 2, 3 }`. @function shape
--- The size of one axis. @function size @tparam integer axis
--- The number of axes, 0 to 6. @function rank
--- The number of elements. @function count
--- "float", "double" or "int32". @function dtype
--- The only element as a Lua number. @function item @raise when there are more or none
--- One element: `x:get(row, column)`; as many indices as axes. @function get
--- All elements as nested tables. @function totable
--- Whether no element is NaN or infinite; if one is, also its row-major place. @function all_finite
--- Whether another tensor has the same shape, type and bits. @function same
--- The sum of squares of the gradient, or nil where backward has not come. @function gradient_squares

-- Changing --------------------------------------------------------------------------------------

--- Sets one element: `x:set(row, column, value)`; returns x. @function set
--- Sets every element to a number; returns x. @function fill_
--- Takes over the elements of a tensor of the same shape; returns x. @function assign_

-- Copies and views ------------------------------------------------------------------------------

--- A copy without history that outlives any tape. @function clone
--- The same under the name that says what it is for: `y = x:keep()`. @function keep
--- The same values without history, sharing memory. @function detach
--- The same elements in another shape: `x:reshape{ 3, -1 }`; one -1 is inferred. @function reshape
--- Exchanges two axes, or the last two. @function transpose @tparam[opt] integer a @tparam[opt] integer b
--- All axes in a new order: `x:permute(3, 1, 2)`. A view. @function permute
--- Elements start … start + length - 1 of an axis. A view.
-- @function narrow @tparam integer axis @tparam integer start @tparam integer length
--- One element of an axis, which disappears. A view. @function select @tparam integer axis @tparam integer index
--- Repeats axes of size 1 to the given shape. A view. @function broadcast @tparam table shape
--- An axis in reverse. A view. @function flip @tparam integer axis
--- As "real" or "int32"; to int32, elements must be whole. @function cast @tparam string dtype
--- Rows x[id] along the first axis; ids (int32) count from 0, as data do. @function take @tparam tensor ids
--- x (…, C) and ids (…) from 0 → x[…, id]. @function pick @tparam tensor ids
--- Steps 1 … lengths[b] of each row (B, T, …) in reverse. @function reverse_sequence @tparam tensor lengths
--- A list of tensors joined along an axis: `native.concat({ a, b }, 2)`. @function concat
--- A list of tensors of one shape along a new axis. @function stack
--- ids (…) → (…, depth) with a 1 at each id, which counts from 0. @function one_hot @tparam integer depth
--- `condition:where(a, b)`: a where the condition is not 0, else b. @function where

-- Element by element ----------------------------------------------------------------------------

--- Sum, with numbers too. @function add
--- Difference. @function sub
--- Product. @function mul
--- Quotient. @function div
--- The larger one; on equal elements both get half the gradient. @function maximum
--- The smaller one. @function minimum
--- 1 where equal, else 0; as the following five, without a gradient. @function equal
--- 1 where not equal. @function not_equal
--- 1 where less. @function less
--- 1 where less or equal. @function less_equal
--- 1 where greater. @function greater
--- 1 where greater or equal. @function greater_equal
--- -x. @function neg
--- |x|; slope 0 at 0. @function abs
--- e^x. @function exp
--- ln x. @function log
--- ln(1 + x), exact near 0. @function log1p
--- The square root. @function sqrt
--- x². @function square
--- 1/x. @function reciprocal
--- sin x, in radians. @function sin
--- cos x. @function cos
--- x^p for a number p. @function pow @tparam number p
--- min(max(x, low), high). @function clip @tparam number low @tparam number high
--- tanh x. @function tanh
--- 1/(1 + e^-x). @function sigmoid
--- max(x, 0). @function relu
--- x, or 0.2 x below 0. @function leaky_relu
--- x, or e^x - 1 below 0 (Clevert et al., 2015). @function elu
--- 1.0507 times elu with a = 1.67326 (Klambauer et al., 2017). @function selu
--- x Φ(x), exact (Hendrycks and Gimpel, 2016). @function gelu
--- x sigmoid(x) (Elfwing et al., 2017). @function silu
--- ln(1 + e^x). @function softplus
--- x/(1 + |x|). @function softsign
--- clip(x/6 + 0.5, 0, 1), as Keras 3 has it. @function hard_sigmoid
--- clip(0.2 x + 0.5, 0, 1), as older Keras has it. @function hard_sigmoid_tf

-- Over axes -------------------------------------------------------------------------------------
-- Without an axis over all elements; `keep` (third argument of the operation) leaves the axis with
-- size 1. Sums run in a fixed order, so the bits do not depend on the number of threads.

--- The sum. @function sum @tparam[opt] integer axis @tparam[opt] boolean keep
--- The mean. @function mean @tparam[opt] integer axis @tparam[opt] boolean keep
--- The largest; equal ones share the gradient. @function max @tparam[opt] integer axis @tparam[opt] boolean keep
--- The smallest. @function min @tparam[opt] integer axis @tparam[opt] boolean keep
--- ln sum e^x, without overflow. @function logsumexp @tparam[opt] integer axis @tparam[opt] boolean keep
--- The place (from 1, int32) of the first largest. @function argmax @tparam[opt] integer axis
--- e^x / sum e^x over the last axis. @function softmax
--- Its logarithm. @function log_softmax

-- Products and layers ---------------------------------------------------------------------------

--- (…, M, K) times (K, N), or (…, K, N) with equal leading axes → (…, M, N). @function matmul
--- A sparse matrix (N, V) times w (V, U) plus bias (U), which may be missing; see marea.sparse.
-- @function sparse_matmul
--- x (…, D) times kernel (D, U) plus bias (U), which may be missing → (…, U). @function affine
--- Rows of the table (V, D) at ids (…) from 0 → (…, D); the gradient is row-sparse. @function embedding
--- Inverted dropout with a random stream (Srivastava et al., 2014). @function dropout
--- gamma (x - mean)/sqrt(variance + epsilon) + beta over the last axis (Ba et al., 2016). @function layer_norm
--- -(y ln p + (1 - y) ln(1 - p)) for targets y and p clipped to 1e-7. @function binary_crossentropy
--- The same from logits. @function binary_crossentropy_logits
--- logsumexp(x) - x[id] for ids (…) and logits (…, C). @function sparse_crossentropy_logits

return native.tensor_metatable.methods

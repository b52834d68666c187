-- Run by an interpreter that knows the installed module: layers, text and the shipped reviews.
local marea = require "marea"
local layer = marea.nn.Dense { 3 }
assert(layer(marea.ones { 2, 4 }):shape()[2] == 3)
local tokenizer = marea.text.Tokenizer {}
tokenizer:fit_on_texts { "El año pasado", "el mar" }
assert(tokenizer.word_index.el == 1)
assert(#assert(marea.corpora.reviews {}).train.texts > 0)
print(marea.precision .. " right")

-- Tokens as text, for each kind of tokenizer of marea.text.
local options = require "marea.nn.options"

local texts = {}

function texts.require_tokenizer(who, tokenizer)
  if type(tokenizer) ~= "table" or not tokenizer.encode_sequences then
    error(who .. ": needs a tokenizer of marea.text; set model.tokenizer or give tokenizer", 0)
  end
end

--- The id of a token, or nil.
function texts.id_of(tokenizer, token)
  if tokenizer.word_index then return tokenizer.word_index[token] end
  if tokenizer.id then return tokenizer:id(token) end
  return tokenizer.vocabulary:id(token)
end

--- The id of a mark such as "<s>"; an id is returned as it is, nil is nil.
-- @raise when the vocabulary lacks it
function texts.mark(who, tokenizer, name, mark)
  if mark == nil then return nil end
  if math.type(mark) == "integer" then
    if mark >= 0 and mark < tokenizer:id_count() then return mark end
    error(("%s: the %s mark is %d, the vocabulary has the ids 0 to %d"):format(who, name, mark,
      tokenizer:id_count() - 1), 0)
  end
  if type(mark) ~= "string" then
    error(("%s: the %s mark must be a token or its id, got %s"):format(who, name,
      options.show(mark)), 0)
  end
  local id = texts.id_of(tokenizer, mark)
  if id then return id end
  error(("%s: the vocabulary lacks the %s mark %q; make it a special token of the tokenizer, or a "
    .. "word of its texts"):format(who, name, mark), 0)
end

--- A list of marks' ids.
function texts.marks(who, tokenizer, name, marks)
  if marks == nil then return nil end
  if type(marks) ~= "table" then marks = { marks } end
  local ids = {}
  for i, mark in ipairs(marks) do ids[i] = texts.mark(who, tokenizer, name, mark) end
  return ids
end

--- The ids of one text.
-- @treturn {integer,...}
-- @treturn table the tokenizer's report: words, unknown …
function texts.encode(who, tokenizer, text)
  if type(text) ~= "string" then
    error(("%s: the prompt must be a text, got %s"):format(who, options.show(text)), 0)
  end
  local sequences, report = tokenizer:encode_sequences{ text }
  return text == "" and {} or sequences:totable()[1], report -- nothing around an empty text
end

--- Raises for a prompt that gave no id.
function texts.refuse_empty(who, text, report)
  if text == "" then
    error(who .. ": there is nothing to begin with; give a prompt that is not empty, or start", 0)
  end
  error(("%s: there is nothing to begin with; the vocabulary has none of the %d tokens of the prompt %q")
    :format(who, report.words or 0, text), 0)
end

--- The text of ids.
function texts.decode(tokenizer, ids)
  if tokenizer.decode then return tokenizer:decode(ids) end
  if not tokenizer.char_level then return tokenizer:sequences_to_texts({ ids })[1] end
  local characters = {}
  for i, id in ipairs(ids) do characters[i] = tokenizer:word_of(id) or tokenizer.oov_token or "" end
  return table.concat(characters)
end

return texts

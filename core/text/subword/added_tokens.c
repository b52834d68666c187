#include "text/subword/added_tokens.h"

#include <string.h>

#include "base/memory.h"
#include "text/subword/trie.h"

struct marea_added_tokens {
  marea_added_token *list; /* texts lie in bytes */
  size_t count;
  char *bytes;
  marea_pair_table ids; /* id → place in the list */
  marea_trie tries[2];  /* by normalized: text → place in the list */
  bool begins[2][256];  /* whether some token begins with the byte */
};

/* ---- making ---- */

static marea_status add(marea_added_tokens *a, size_t number, char **to) {
  marea_added_token *token = &a->list[number];
  if (token->id < 0 || number >= INT32_MAX)
    return marea_fail(MAREA_RANGE, "an added token's id must not be negative, got %d",
                      (int)token->id);
  if (token->text.length == 0)
    return marea_fail(MAREA_ARGUMENT, "added token %zu is an empty text", number + 1);
  const marea_added_token *other = marea_added_tokens_find(a, token->id);
  if (other != NULL && (other->text.length != token->text.length ||
                        memcmp(other->text.bytes, token->text.bytes, token->text.length) != 0))
    return marea_fail(MAREA_ARGUMENT, "the added tokens \"%.*s\" and \"%.*s\" have the same id %d",
                      (int)(other->text.length & 0xFF), other->text.bytes,
                      (int)(token->text.length & 0xFF), token->text.bytes, (int)token->id);
  memcpy(*to, token->text.bytes, token->text.length);
  token->text.bytes = *to;
  *to += token->text.length;
  a->count = number + 1;
  int32_t *place = marea_pair_put(&a->ids, marea_pair_key(0, token->id), (int32_t)number);
  if (place == NULL) return MAREA_NOMEM;
  a->begins[token->normalized][(unsigned char)token->text.bytes[0]] = true;
  return marea_trie_add(&a->tries[token->normalized], token->text, (int32_t)number);
}

marea_added_tokens *marea_added_tokens_new(const marea_added_token *tokens, size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += tokens[i].text.length;
  marea_added_tokens *a = marea_alloc_zero(1, sizeof *a);
  if (a == NULL) return NULL;
  a->list = marea_alloc_array(count, sizeof *a->list);
  a->bytes = marea_alloc(bytes);
  marea_status status = a->list == NULL || a->bytes == NULL ? MAREA_NOMEM : MAREA_OK;
  char *to = a->bytes;
  for (size_t i = 0; i < count && status == MAREA_OK; i++) {
    a->list[i] = tokens[i];
    status = add(a, i, &to);
  }
  if (status == MAREA_OK) return a;
  marea_added_tokens_free(a);
  return NULL;
}

void marea_added_tokens_free(marea_added_tokens *a) {
  if (a == NULL) return;
  marea_trie_clear(&a->tries[0]);
  marea_trie_clear(&a->tries[1]);
  marea_pair_clear(&a->ids);
  marea_free(a->list);
  marea_free(a->bytes);
  marea_free(a);
}

size_t marea_added_tokens_count(const marea_added_tokens *a) {
  return a->count;
}

const marea_added_token *marea_added_tokens_at(const marea_added_tokens *a, size_t number) {
  return &a->list[number];
}

const marea_added_token *marea_added_tokens_find(const marea_added_tokens *a, int32_t id) {
  int32_t place = marea_pair_find(&a->ids, marea_pair_key(0, id));
  return place < 0 ? NULL : &a->list[place];
}

/* ---- cutting ---- */

/* The longest token that begins at `at`, or NULL. */
static const marea_added_token *longest(const marea_added_tokens *a, const marea_trie *trie,
                                        marea_text text, size_t at) {
  int32_t node = MAREA_TRIE_ROOT, found = -1;
  for (size_t i = at; i < text.length; i++) {
    node = marea_trie_step(trie, node, (unsigned char)text.bytes[i]);
    if (node < 0) break;
    if (marea_trie_value(trie, node) >= 0) found = marea_trie_value(trie, node);
  }
  return found < 0 ? NULL : &a->list[found];
}

/* The character that ends at `at` and its width; bytes that are no UTF-8 are characters of their
 * own, 0xFFFD. */
static size_t last_character(const char *bytes, size_t at, int32_t *code) {
  for (size_t width = 1; width <= 4 && width <= at; width++) {
    if (((unsigned char)bytes[at - width] & 0xC0) == 0x80) continue;
    if (marea_utf8_decode(bytes + at - width, width, code) == width) return width;
    break;
  }
  *code = 0xFFFD;
  return 1;
}

static size_t next_character(marea_text text, size_t at, int32_t *code) {
  size_t width = marea_utf8_decode(text.bytes + at, text.length - at, code);
  if (width > 0) return width;
  *code = 0xFFFD;
  return 1;
}

static bool stands_alone(marea_text text, size_t begin, size_t end) {
  int32_t code;
  if (begin > 0) {
    last_character(text.bytes, begin, &code);
    if (marea_is_word_rust(code)) return false;
  }
  if (end == text.length) return true;
  next_character(text, end, &code);
  return !marea_is_word_rust(code);
}

size_t marea_character_end(marea_text text, size_t at) {
  int32_t code;
  return at < text.length ? at + next_character(text, at, &code) : at;
}

size_t marea_space_before(marea_text text, size_t least, size_t at) {
  while (at > least) {
    int32_t code;
    size_t width = last_character(text.bytes, at, &code);
    if (!marea_is_space(code) || at - least < width) break;
    at -= width;
  }
  return at;
}

size_t marea_space_behind(marea_text text, size_t at) {
  while (at < text.length) {
    int32_t code;
    size_t width = next_character(text, at, &code);
    if (!marea_is_space(code)) break;
    at += width;
  }
  return at;
}

marea_status marea_added_tokens_cut(const marea_added_tokens *a, marea_text text, bool normalized,
                                    marea_added_sink *sink, void *context) {
  const marea_trie *trie = &a->tries[normalized];
  const bool *begins = a->begins[normalized];
  if (trie->node_count == 0 && text.length > 0) return sink(context, NULL, 0, text.length);
  size_t done = 0; /* bytes given to the sink */
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < text.length && status == MAREA_OK;) {
    const marea_added_token *token =
        begins[(unsigned char)text.bytes[i]] ? longest(a, trie, text, i) : NULL;
    if (token == NULL) {
      i++;
      continue;
    }
    size_t begin = i, end = i + token->text.length;
    i = end;
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (begin < done) begin = done;
    if (token->strip_left) begin = marea_space_before(text, done, begin);
    if (token->strip_right) end = marea_space_behind(text, end);
    if (done < begin) status = sink(context, NULL, done, begin);
    if (status == MAREA_OK) status = sink(context, token, begin, end);
    done = end;
    if (i < end) i = end;
  }
  if (status == MAREA_OK && done < text.length) status = sink(context, NULL, done, text.length);
  return status;
}

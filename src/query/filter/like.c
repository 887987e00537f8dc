/* like.c: compiles LIKE patterns to tokens and matches them.
 *
 * General patterns go back to the last `%` only (a match of the part before it never has to be
 * undone), so the cost is at most text x pattern. Going back moves byte by byte: as pattern and
 * text are UTF-8, a literal never matches inside a code point, and `_` refuses to start there. */
#include "query/filter/like.h"

static const char *tokenize(struct str pattern, uint16_t *tokens, uint32_t *ret_len)
{
    uint32_t n = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.data[i];
        if (c == '%') {
            if (n == 0 || tokens[n - 1] != LIKE_RUN)
                tokens[n++] = LIKE_RUN;
        } else if (c == '_') {
            tokens[n++] = LIKE_ONE;
        } else if (c == '\\') {
            if (++i == pattern.len)
                return "the like pattern ends in a lone backslash";
            tokens[n++] = (uint8_t)pattern.data[i];
        } else {
            tokens[n++] = (uint8_t)c;
        }
    }
    *ret_len = n;
    return NULL;
}

static enum like_shape shape_of(const uint16_t *tokens, uint32_t n)
{
    bool first = n && tokens[0] == LIKE_RUN;
    bool last = n > 1 && tokens[n - 1] == LIKE_RUN;
    for (uint32_t i = first; i < n - last; i++)
        if (tokens[i] > 255)
            return LIKE_GENERAL;
    if (first && last)
        return LIKE_CONTAINS;
    if (first)
        return n == 1 ? LIKE_ANY : LIKE_SUFFIX;
    return last ? LIKE_PREFIX : LIKE_EQUAL;
}

const char *like_compile(struct like *like, struct str pattern, struct arena *arena)
{
    uint16_t *tokens = arena_array(arena, pattern.len + 1, sizeof *tokens);
    char *text = arena_alloc(arena, pattern.len + 1);
    if (!tokens || !text)
        return "out of memory";
    uint32_t n = 0;
    const char *problem = tokenize(pattern, tokens, &n);
    if (problem)
        return problem;
    *like = (struct like){.tokens = tokens, .tokens_len = n, .shape = shape_of(tokens, n)};
    uint32_t i = like->shape != LIKE_GENERAL && n && tokens[0] == LIKE_RUN;
    uint32_t len = 0;
    while (i < n && tokens[i] < 256)
        text[len++] = (char)tokens[i++];
    like->text = str_make(text, len);
    return NULL;
}

/* Bytes of the code point at text[at], 0 inside of one. */
static size_t code_point(struct str text, size_t at)
{
    unsigned char c = (unsigned char)text.data[at];
    if ((c & 0xC0) == 0x80)
        return 0;
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return n <= text.len - at ? n : text.len - at;
}

static bool match_general(const struct like *like, struct str text)
{
    const uint16_t *tokens = like->tokens;
    uint32_t p = 0, back_p = UINT32_MAX;
    size_t at = 0, back_at = 0;
    for (;;) {
        size_t step = 0;
        if (p < like->tokens_len && tokens[p] == LIKE_RUN) {
            back_p = ++p;
            back_at = at;
            if (p == like->tokens_len)
                return true;
            continue;
        }
        if (at == text.len && p == like->tokens_len)
            return true;
        if (at < text.len && p < like->tokens_len) {
            if (tokens[p] == LIKE_ONE)
                step = code_point(text, at);
            else
                step = tokens[p] == (uint8_t)text.data[at];
        }
        if (step) {
            at += step;
            p++;
            continue;
        }
        if (back_p == UINT32_MAX || back_at == text.len)
            return false;
        p = back_p;
        at = ++back_at;
    }
}

bool like_match(const struct like *like, struct str text)
{
    switch (like->shape) {
    case LIKE_EQUAL:
        return str_eq(text, like->text);
    case LIKE_PREFIX:
        return str_starts(text, like->text);
    case LIKE_SUFFIX:
        return str_ends(text, like->text);
    case LIKE_CONTAINS:
        return like->text.len == 0 ||
               (text.len >= like->text.len &&
                memmem(text.data, text.len, like->text.data, like->text.len) != NULL);
    case LIKE_ANY:
        return true;
    default:
        return str_starts(text, like->text) && match_general(like, text);
    }
}

/* token.c: one pass over the bytes. Layout: scan_* recognise one kind of token each and move the
 * position; decode_* remove quotes and escapes into the arena, only when there are any. */
#include "query/lang/token.h"

#include <stdio.h>

static const struct {
    const char *name;
    int flags;
} keywords[KW_COUNT] = {
    {"", 0},
#define K(name, flags) {#name, flags},
#include "query/lang/keywords.def"
#undef K
};

static int upper(int c)
{
    return c >= 'a' && c <= 'z' ? c - 32 : c;
}

enum { WORD_MAX = 24 };

enum keyword keyword_find(struct str word)
{
    char folded[WORD_MAX];
    if (word.len == 0 || word.len >= WORD_MAX)
        return KW_NONE;
    for (size_t i = 0; i < word.len; i++)
        folded[i] = (char)upper((unsigned char)word.data[i]);
    folded[word.len] = 0;
    size_t low = 1, high = KW_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(folded, keywords[middle].name);
        if (order == 0)
            return (enum keyword)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return KW_NONE;
}

const char *keyword_name(enum keyword keyword)
{
    return keywords[keyword].name;
}

int keyword_flags(enum keyword keyword)
{
    return keywords[keyword].flags;
}

void problem_place(struct lang_problem *problem, struct str text)
{
    problem->line = 1;
    size_t start = 0;
    for (size_t i = 0; i < problem->offset && i < text.len; i++) {
        if (text.data[i] == '\n') {
            problem->line++;
            start = i + 1;
        }
    }
    problem->column = problem->offset - start + 1;
}

struct scanner {
    struct arena *arena;
    struct str text;
    size_t at;
    const struct dialect *dialect;
    struct token *tokens;
    size_t count, cap, max;
    struct lang_problem *problem;
    bool spaced;
};

static enum status scan_fail(struct scanner *s, size_t at, const char *message)
{
    struct lang_problem *problem = s->problem;
    problem->code = LANG_PARSE_ERROR;
    problem->offset = at;
    snprintf(problem->message, sizeof problem->message, "%s", message);
    size_t len = s->text.len - at < 20 ? s->text.len - at : 20;
    snprintf(problem->found, sizeof problem->found, "%.*s", (int)len, s->text.data + at);
    return STATUS_INVALID_SQL;
}

static bool has(const struct scanner *s, uint32_t flag)
{
    return (s->dialect->flags & flag) != 0;
}

static int peek_at(const struct scanner *s, size_t at)
{
    return at < s->text.len ? (unsigned char)s->text.data[at] : -1;
}

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (upper(c) >= 'A' && upper(c) <= 'F');
}

static bool is_letter(int c)
{
    return (upper(c) >= 'A' && upper(c) <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_word(const struct scanner *s, int c)
{
    return is_letter(c) || is_digit(c) || (c == '$' && has(s, D_DOLLAR_NAME)) ||
           (c == '#' && has(s, D_HASH_NAME)) || (c == '@' && has(s, D_HASH_NAME));
}

/* ---- white space and comments ---- */

static enum status skip_block_comment(struct scanner *s)
{
    size_t start = s->at;
    int depth = 1;
    s->at += 2;
    while (depth > 0) {
        int c = peek_at(s, s->at);
        if (c < 0)
            return scan_fail(s, start, "this comment is not closed");
        if (c == '*' && peek_at(s, s->at + 1) == '/') {
            depth--;
            s->at += 2;
        } else if (c == '/' && peek_at(s, s->at + 1) == '*' && has(s, D_NESTED_COMMENT)) {
            depth++;
            s->at += 2;
        } else {
            s->at++;
        }
    }
    return STATUS_OK;
}

static bool at_line_comment(const struct scanner *s)
{
    int c = peek_at(s, s->at), next = peek_at(s, s->at + 1);
    if (c == '-' && next == '-')
        return !has(s, D_DASH_SPACE) || peek_at(s, s->at + 2) < 0 ||
               is_space(peek_at(s, s->at + 2));
    return (c == '#' && has(s, D_HASH_COMMENT)) ||
           (c == '/' && next == '/' && has(s, D_SLASH_COMMENT));
}

static enum status skip_blank(struct scanner *s)
{
    for (;;) {
        int c = peek_at(s, s->at);
        if (is_space(c)) {
            s->at++;
        } else if (c == 0xC2 && peek_at(s, s->at + 1) == 0xA0) {
            s->at += 2; /* no-break space */
        } else if (c == '/' && peek_at(s, s->at + 1) == '*') {
            TRY(skip_block_comment(s));
        } else if (at_line_comment(s)) {
            while (peek_at(s, s->at) >= 0 && peek_at(s, s->at) != '\n')
                s->at++;
        } else {
            return STATUS_OK;
        }
        s->spaced = true;
    }
}

/* ---- strings ---- */

/* What stands behind a backslash, as its meaning; 0 bytes out for an escaped line end. */
static size_t decode_escape(struct scanner *s, const char *from, size_t len, char *out,
                            size_t *used)
{
    char c = from[0];
    *used = 1;
    switch (c) {
    case 'n':
        out[0] = '\n';
        return 1;
    case 't':
        out[0] = '\t';
        return 1;
    case 'r':
        out[0] = '\r';
        return 1;
    case 'b':
        out[0] = '\b';
        return 1;
    case 'f':
        out[0] = '\f';
        return 1;
    case 'v':
        out[0] = '\v';
        return 1;
    case 'a':
        out[0] = '\a';
        return 1;
    case '0':
        if (len > 1 && is_digit((unsigned char)from[1]))
            break;
        out[0] = 0;
        return 1;
    case '%':
    case '_':
        if (has(s, D_BACKSLASH_KEPT)) {
            out[0] = '\\';
            out[1] = c;
            return 2;
        }
        break;
    case 'x':
        if (len > 2 && is_hex((unsigned char)from[1]) && is_hex((unsigned char)from[2])) {
            int high = from[1] <= '9' ? from[1] - '0' : upper(from[1]) - 'A' + 10;
            int low = from[2] <= '9' ? from[2] - '0' : upper(from[2]) - 'A' + 10;
            out[0] = (char)(high * 16 + low);
            *used = 3;
            return out[0] & 0x80 ? 0 : 1;
        }
        break;
    default:
        break;
    }
    out[0] = c;
    return 1;
}

/* The content between two quotes; NULL data when memory is out. */
static struct str decode(struct scanner *s, struct str raw, char quote, bool escapes)
{
    if (!memchr(raw.data, quote, raw.len) && !(escapes && memchr(raw.data, '\\', raw.len)))
        return raw;
    char *out = arena_alloc(s->arena, raw.len * 2 + 1);
    if (!out)
        return STR_NONE;
    size_t n = 0;
    for (size_t i = 0; i < raw.len;) {
        char c = raw.data[i++];
        if (c == '\\' && escapes && i < raw.len) {
            size_t used = 0;
            n += decode_escape(s, raw.data + i, raw.len - i, out + n, &used);
            i += used;
            continue;
        }
        out[n++] = c;
        if (c == quote && i < raw.len && raw.data[i] == quote)
            i++;
    }
    return str_make(out, n);
}

static enum status push(struct scanner *s, struct token token, size_t start)
{
    if (s->count >= s->max) {
        s->problem->code = LANG_TOO_LARGE;
        s->problem->offset = start;
        snprintf(s->problem->message, sizeof s->problem->message,
                 "the statement has more than %zu tokens", s->max);
        return STATUS_TOO_LARGE;
    }
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : s->text.len / 4 + 16;
        struct token *grown = arena_array(s->arena, cap, sizeof *grown);
        if (!grown)
            return STATUS_NO_MEMORY;
        if (s->count)
            memcpy(grown, s->tokens, s->count * sizeof *grown);
        s->tokens = grown;
        s->cap = cap;
    }
    token.spaced = s->spaced;
    token.offset = (uint32_t)start;
    token.len = (uint32_t)(s->at - start);
    s->tokens[s->count++] = token;
    s->spaced = false;
    return STATUS_OK;
}

/* A text in quotes that begins at s->at; `kind` of the token made. */
static enum status scan_quoted(struct scanner *s, size_t start, char close, bool escapes,
                               uint8_t kind)
{
    size_t from = ++s->at;
    for (;; s->at++) {
        int c = peek_at(s, s->at);
        if (c < 0)
            return scan_fail(s, start,
                             kind == T_QUOTED ? "this quoted name is not closed"
                                              : "this string is not closed");
        bool raw = has(s, D_TRIPLE_STRING) && kind == T_STRING;
        if (c == '\\' && (escapes || raw) && s->at + 1 < s->text.len) {
            s->at++;
        } else if (c == close) {
            if (peek_at(s, s->at + 1) != close)
                break;
            s->at++;
        }
    }
    struct str text = decode(s, str_make(s->text.data + from, s->at - from), close, escapes);
    if (!text.data)
        return STATUS_NO_MEMORY;
    s->at++;
    if (kind == T_QUOTED && text.len == 0 && close == ']')
        return scan_fail(s, start, "an empty name");
    return push(s, (struct token){.kind = kind, .text = text}, start);
}

/* b'..' of BigQuery: the bytes as hex digits. */
static enum status make_bytes(struct scanner *s)
{
    static const char digits[] = "0123456789ABCDEF";
    struct token *token = &s->tokens[s->count - 1];
    char *hex = arena_alloc(s->arena, token->text.len * 2 + 1);
    if (!hex)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < token->text.len; i++) {
        unsigned char c = (unsigned char)token->text.data[i];
        hex[2 * i] = digits[c >> 4];
        hex[2 * i + 1] = digits[c & 15];
    }
    token->kind = T_HEX;
    token->text = str_make(hex, token->text.len * 2);
    return STATUS_OK;
}

static enum status scan_triple(struct scanner *s, size_t start, char quote, bool escapes)
{
    size_t from = s->at += 3;
    for (;; s->at++) {
        int c = peek_at(s, s->at);
        if (c < 0)
            return scan_fail(s, start, "this string is not closed");
        if (c == '\\') /* does not end a raw string either */
            s->at++;
        else if (c == quote && peek_at(s, s->at + 1) == quote && peek_at(s, s->at + 2) == quote)
            break;
    }
    struct str raw = str_make(s->text.data + from, s->at - from);
    struct str text = escapes ? decode(s, raw, '\\', true) : raw;
    if (!text.data)
        return STATUS_NO_MEMORY;
    s->at += 3;
    return push(s, (struct token){.kind = T_STRING, .text = text}, start);
}

static enum status scan_string(struct scanner *s, size_t start, bool escapes)
{
    char quote = s->text.data[s->at];
    if (has(s, D_TRIPLE_STRING) && peek_at(s, s->at + 1) == quote && peek_at(s, s->at + 2) == quote)
        return scan_triple(s, start, quote, escapes);
    return scan_quoted(s, start, quote, escapes, T_STRING);
}

/* $tag$ ... $tag$; false when it is none. */
static bool scan_dollar(struct scanner *s, enum status *ret)
{
    size_t start = s->at, i = s->at + 1;
    while (is_letter(peek_at(s, i)) || (i > start + 1 && is_digit(peek_at(s, i))))
        i++;
    if (peek_at(s, i) != '$')
        return false;
    struct str tag = str_make(s->text.data + start, i + 1 - start);
    size_t from = i + 1;
    for (size_t end = from; end + tag.len <= s->text.len; end++) {
        if (s->text.data[end] == '$' && memcmp(s->text.data + end, tag.data, tag.len) == 0) {
            s->at = end + tag.len;
            *ret = push(
                s,
                (struct token){.kind = T_STRING, .text = str_make(s->text.data + from, end - from)},
                start);
            return true;
        }
    }
    *ret = scan_fail(s, start, "this string is not closed");
    return true;
}

/* x'..', b'..', e'..', n'..', r'..', u&'..': a letter before a quote; false when it is none. */
static bool scan_prefixed(struct scanner *s, enum status *ret)
{
    size_t start = s->at;
    int c = upper(peek_at(s, start)), next = peek_at(s, start + 1);
    if (c == 'U' && next == '&' && peek_at(s, start + 2) == '\'') {
        s->at = start + 2;
        *ret = scan_quoted(s, start, '\'', false, T_STRING);
        if (*ret == STATUS_OK &&
            memchr(s->tokens[s->count - 1].text.data, '\\', s->tokens[s->count - 1].text.len))
            *ret = scan_fail(s, start, "unicode escapes in U&'...' are not supported");
        return true;
    }
    if ((c == 'R' || c == 'B') && upper(next) != c && (upper(next) == 'R' || upper(next) == 'B') &&
        has(s, D_RAW_STRING) && (peek_at(s, start + 2) == '\'' || peek_at(s, start + 2) == '"')) {
        s->at = start + 2;
        *ret = scan_string(s, start, false);
        if (*ret == STATUS_OK)
            *ret = make_bytes(s);
        return true;
    }
    if (next != '\'' && !(next == '"' && has(s, D_DOUBLE_QUOTE_STRING)))
        return false;
    bool escapes = has(s, D_BACKSLASH);
    uint8_t kind = T_STRING;
    if (c == 'X')
        kind = T_HEX;
    else if (c == 'B' && !has(s, D_TRIPLE_STRING))
        kind = T_BITS;
    else if (c == 'E' && has(s, D_E_STRING))
        escapes = true;
    else if (c == 'R' && has(s, D_RAW_STRING))
        escapes = false;
    else if (c != 'N' && !(c == 'B' && has(s, D_TRIPLE_STRING)))
        return false;
    s->at++;
    *ret = kind == T_STRING ? scan_string(s, start, escapes)
                            : scan_quoted(s, start, (char)next, false, kind);
    if (*ret == STATUS_OK && kind == T_STRING && c == 'B')
        *ret = make_bytes(s);
    return true;
}

/* ---- words, numbers, parameters ---- */

static enum status scan_word(struct scanner *s)
{
    size_t start = s->at;
    while (is_word(s, peek_at(s, s->at)))
        s->at++;
    struct str text = str_make(s->text.data + start, s->at - start);
    return push(
        s, (struct token){.kind = T_WORD, .keyword = (uint16_t)keyword_find(text), .text = text},
        start);
}

static bool word_behind_digits(const struct scanner *s, size_t i)
{
    while (is_digit(peek_at(s, i)))
        i++;
    int c = upper(peek_at(s, i)), next = peek_at(s, i + 1);
    if (c == 'E' && (is_digit(next) || next == '-' || next == '+')) {
        for (i += 2; is_digit(peek_at(s, i)); i++)
            ;
        return is_letter(peek_at(s, i));
    }
    return is_letter(peek_at(s, i));
}

static enum status scan_hex(struct scanner *s)
{
    size_t start = s->at;
    s->at += 2;
    while (is_hex(peek_at(s, s->at)))
        s->at++;
    struct token token = {.kind = T_HEX,
                          .text = str_make(s->text.data + start + 2, s->at - start - 2)};
    if (has(s, D_HEX_IS_NUMBER)) {
        token.kind = T_NUMBER;
        token.text = str_make(s->text.data + start, s->at - start);
    }
    return push(s, token, start);
}

static void skip_digits(struct scanner *s)
{
    while (is_digit(peek_at(s, s->at)) ||
           (peek_at(s, s->at) == '_' && is_digit(peek_at(s, s->at + 1))))
        s->at++;
}

static enum status scan_number(struct scanner *s)
{
    size_t start = s->at;
    if (peek_at(s, start) == '0' && upper(peek_at(s, start + 1)) == 'X' &&
        is_hex(peek_at(s, start + 2))) {
        size_t end = start + 2;
        while (is_hex(peek_at(s, end)))
            end++;
        if (!is_letter(peek_at(s, end)))
            return scan_hex(s);
    }
    bool after_dot =
        s->count && s->tokens[s->count - 1].kind == T_OP && s->tokens[s->count - 1].op == OP1('.');
    if (((has(s, D_DIGIT_NAME) && (after_dot || word_behind_digits(s, start))) ||
         (has(s, D_TRIPLE_STRING) && after_dot && word_behind_digits(s, start))) &&
        peek_at(s, start) != '.')
        return scan_word(s);
    skip_digits(s);
    if (peek_at(s, s->at) == '.' && peek_at(s, s->at + 1) != '.') {
        s->at++;
        skip_digits(s);
    }
    int sign = peek_at(s, s->at + 1);
    if (upper(peek_at(s, s->at)) == 'E' &&
        (is_digit(sign) || ((sign == '-' || sign == '+') && is_digit(peek_at(s, s->at + 2))))) {
        s->at += 2;
        skip_digits(s);
    }
    return push(
        s, (struct token){.kind = T_NUMBER, .text = str_make(s->text.data + start, s->at - start)},
        start);
}

static enum status scan_parameter(struct scanner *s, size_t skip)
{
    size_t start = s->at;
    s->at += skip;
    while (is_word(s, peek_at(s, s->at)))
        s->at++;
    return push(
        s, (struct token){.kind = T_PARAM, .text = str_make(s->text.data + start, s->at - start)},
        start);
}

/* ---- operators ---- */

static enum status scan_operator(struct scanner *s)
{
    static const char *const longer[] = {
        "!~~*", "->>", "#>>", "<=>", "!~~", "~~*", "!~*", "||/", "...", "||", "->",
        "#>",   "#-",  "<=",  ">=",  "<>",  "!=",  "==",  "::",  ":=",  "=>", "<<",
        ">>",   "&&",  "**",  "//",  "@>",  "<@",  "^@",  "~*",  "!~",  "~~", "?|",
        "?&",   "|/",  "@@",  "|>",  "@?",  "!!",  "..",  "-|",  "!<",  "!>",
    };
    struct str rest = str_make(s->text.data + s->at, s->text.len - s->at);
    size_t len = 1;
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) {
        if (longer[i][0] == rest.data[0] && str_starts(rest, str_of(longer[i]))) {
            len = strlen(longer[i]);
            break;
        }
    }
    struct token token = {.kind = T_OP, .text = str_make(rest.data, len)};
    for (size_t i = 0; i < len; i++)
        token.op |= (uint32_t)(unsigned char)rest.data[i] << (8 * i);
    if (len == 1 && !strchr("()[]{}<>=,;.+-*/%&|^~!@#?:", rest.data[0]))
        return scan_fail(s, s->at, "a character that no statement holds here");
    if (len == 2 && rest.data[0] == '?' && !has(s, D_QUESTION_OP)) {
        len = 1;
        token.op = OP1('?');
        token.text.len = 1;
    }
    size_t start = s->at;
    s->at += len;
    return push(s, token, start);
}

static enum status scan_token(struct scanner *s)
{
    int c = peek_at(s, s->at), next = peek_at(s, s->at + 1);
    enum status status = STATUS_OK;
    if (is_letter(c)) {
        if (scan_prefixed(s, &status))
            return status;
        return scan_word(s);
    }
    if (is_digit(c) || (c == '.' && is_digit(next) &&
                        (s->spaced || !s->count || s->tokens[s->count - 1].kind == T_OP)))
        return scan_number(s);
    if (c == '\'' || (c == '"' && has(s, D_DOUBLE_QUOTE_STRING)))
        return scan_string(s, s->at, has(s, D_BACKSLASH));
    if (c == '"')
        return scan_quoted(s, s->at, '"', false, T_QUOTED);
    if (c == '`' && has(s, D_BACKTICK))
        return scan_quoted(s, s->at, '`', false, T_QUOTED);
    if (c == '[' && has(s, D_BRACKET))
        return scan_quoted(s, s->at, ']', false, T_QUOTED);
    if (c == '$' && has(s, D_DOLLAR_STRING) && scan_dollar(s, &status))
        return status;
    if (c == '$' && (is_digit(next) || is_letter(next)))
        return scan_parameter(s, 1);
    if (c == '@' && has(s, D_AT_NAME) && (is_letter(next) || next == '@'))
        return scan_parameter(s, next == '@' ? 2 : 1);
    if (c == '#' && has(s, D_HASH_NAME) && is_word(s, next))
        return scan_word(s);
    return scan_operator(s);
}

enum status token_read(struct arena *arena, struct str text, const struct dialect *dialect,
                       size_t max_tokens, struct token **ret_tokens, size_t *ret_count,
                       struct lang_problem *problem)
{
    struct scanner s = {
        .arena = arena, .text = text, .dialect = dialect, .max = max_tokens, .problem = problem};
    for (;;) {
        TRY(skip_blank(&s));
        if (s.at >= text.len)
            break;
        TRY(scan_token(&s));
    }
    TRY(push(&s, (struct token){.kind = T_END, .text = STR("")}, s.at));
    *ret_tokens = s.tokens;
    *ret_count = s.count;
    return STATUS_OK;
}

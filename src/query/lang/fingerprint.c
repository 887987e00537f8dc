/* fingerprint.c: a statement's normal form, from its tokens: words folded, constants as ?, runs of
 * constants in a list as one, quotes of plain names dropped. */
#include "query/lang/token.h"

static void put_folded(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        buf_append_char(out, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
    }
}

static bool is_plain(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!(c == '_' || (c >= '0' && c <= '9' && i > 0) || ((c | 32) >= 'a' && (c | 32) <= 'z')))
            return false;
    }
    return name.len > 0;
}

static bool is_constant(const struct token *token)
{
    return token->kind == T_STRING || token->kind == T_NUMBER || token->kind == T_HEX ||
           token->kind == T_BITS || token->kind == T_PARAM ||
           (token->kind == T_OP && token->op == OP1('?'));
}

/* A sign that belongs to the constant behind it. */
static bool is_sign(const struct token *tokens, size_t i)
{
    if (tokens[i].kind != T_OP || tokens[i].op != OP1('-') || tokens[i + 1].kind != T_NUMBER)
        return false;
    if (i == 0)
        return true;
    const struct token *before = &tokens[i - 1];
    if (before->kind == T_OP)
        return before->op != OP1(')') && before->op != OP1(']');
    return before->kind == T_WORD && (keyword_flags(before->keyword) & KW_STOP);
}

static bool continues_list(const struct token *tokens, size_t i)
{
    return i >= 2 && tokens[i - 1].kind == T_OP && tokens[i - 1].op == OP1(',') &&
           is_constant(&tokens[i - 2]);
}

static void put_token(struct buf *out, const struct token *token)
{
    if (token->kind == T_QUOTED && !is_plain(token->text)) {
        buf_printf(out, "\"%.*s\"", STR_ARG(token->text));
    } else if (token->kind == T_WORD || token->kind == T_QUOTED) {
        put_folded(out, token->text);
    } else if (is_constant(token)) {
        buf_append_char(out, '?');
    } else {
        buf_append_str(out, token->text);
    }
}

static void normalize(const struct token *tokens, size_t count, struct buf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i + 1 < count; i++) {
        if (is_sign(tokens, i) || (tokens[i].kind == T_OP && tokens[i].op == OP1(';')))
            continue;
        size_t before = i > 0 && is_sign(tokens, i - 1) ? i - 1 : i;
        if (is_constant(&tokens[i]) && continues_list(tokens, before)) {
            while (out->len > start && out->data[out->len - 1] != ',')
                out->len--;
            if (out->len > start + 1)
                out->len -= out->data[out->len - 2] == ' ' ? 2 : 1;
            continue;
        }
        if (out->len > start)
            buf_append_char(out, ' ');
        put_token(out, &tokens[i]);
    }
}

uint64_t lang_fingerprint(struct arena *arena, struct str text, enum lang_dialect dialect,
                          struct buf *out)
{
    struct token *tokens = NULL;
    size_t count = 0;
    struct lang_problem problem;
    if (token_read(arena, text, dialect_of(dialect), 100000, &tokens, &count, &problem) !=
        STATUS_OK)
        return 0;
    struct buf own;
    buf_init(&own, text.len * 2 + 64);
    struct buf *to = out ? out : &own;
    size_t start = to->len;
    normalize(tokens, count, to);
    struct str added = STR(""); /* an empty text may leave the buffer without memory */
    if (to->len > start)
        added = str_make(to->data + start, to->len - start);
    uint64_t hash = buf_failed(to) ? 0 : str_hash(added);
    buf_release(&own);
    return hash;
}

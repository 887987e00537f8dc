/* text.c: texts. Letters beyond ASCII have case rules of their own: a doubt. */
#include <stdio.h>

#include "query/expr/expr_int.h"

static bool is_start(char c)
{
    return ((uint8_t)c & 0xC0) != 0x80;
}

static int64_t code_points(struct str text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += is_start(text.data[i]);
    return n;
}

static void lengths(struct step *step, uint32_t rows)
{
    const struct column *in = step_arg(step, 0);
    int64_t *out = step->out.values;
    for (uint32_t i = 0; i < rows; i++)
        out[i] = code_points(column_str(in, i));
}

static void likes(struct step *step, uint32_t rows)
{
    const struct column *in = step_arg(step, 0);
    uint8_t *out = step->out.values;
    for (uint32_t i = 0; i < rows; i++)
        out[i] = like_match(&step->like, column_str(in, i));
}

/* --- texts out of texts --- */

static enum status fits(enum status status, struct error *err)
{
    return status == STATUS_OK ? status
                               : error_set(err, status, "the texts of one batch do not fit");
}

static enum status append_case(struct step *step, struct str text, struct error *err)
{
    char *to = NULL, from = step->expr->op == EXPR_LOWER ? 'A' : 'a';
    TRY(fits(column_bytes_room(&step->out, (uint32_t)text.len, &to), err));
    uint8_t high = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        high |= (uint8_t)c;
        to[i] = (uint8_t)(c - from) < 26 ? (char)(c ^ 0x20) : c;
    }
    if (high & 0x80)
        return step_doubt(err, "upper and lower case beyond ASCII");
    return fits(column_bytes_commit(&step->out, (uint32_t)text.len), err);
}

/* Bytes of the first `n` code points. */
static size_t prefix(struct str text, int64_t n)
{
    size_t at = 0;
    for (; at < text.len; at++)
        if (is_start(text.data[at]) && n-- == 0)
            break;
    return at;
}

static struct str substring(struct str text, int64_t from, int64_t length)
{
    size_t skipped = prefix(text, from - 1);
    struct str rest = str_make(text.data + skipped, text.len - skipped);
    if (length >= 0)
        rest.len = prefix(rest, length);
    return rest;
}

static enum status append_joined(struct column *out, struct str a, struct str b)
{
    char *to = NULL;
    if (a.len + b.len > COLUMN_BYTES_MAX)
        return STATUS_RESOURCE_LIMIT;
    TRY(column_bytes_room(out, (uint32_t)(a.len + b.len), &to));
    if (a.len)
        memcpy(to, a.data, a.len);
    if (b.len)
        memcpy(to + a.len, b.data, b.len);
    return column_bytes_commit(out, (uint32_t)(a.len + b.len));
}

static enum status append_text(struct step *step, uint32_t row, struct error *err)
{
    const struct expr *expr = step->expr;
    struct column *out = &step->out;
    for (uint32_t k = 0; k < expr->args_len; k++)
        if (column_is_null(step_arg(step, k), row))
            return fits(column_append_null(out), err);
    struct str text = column_str(step_arg(step, 0), row);
    if (expr->op == EXPR_CONCAT)
        return fits(append_joined(out, text, column_str(step_arg(step, 1), row)), err);
    if (expr->op != EXPR_SUBSTRING)
        return append_case(step, text, err);
    return fits(column_append_bytes(out, substring(text, expr->number, expr->length)), err);
}

enum status step_text(struct step *step, uint32_t rows, struct error *err)
{
    TRY(step_room(step, rows, err));
    if (step->expr->op == EXPR_LENGTH || step->expr->op == EXPR_LIKE) {
        if (step->expr->op == EXPR_LENGTH)
            lengths(step, rows);
        else
            likes(step, rows);
        return step_take_nulls(step, rows, err);
    }
    for (uint32_t i = 0; i < rows; i++)
        TRY(append_text(step, i, err));
    return STATUS_OK;
}

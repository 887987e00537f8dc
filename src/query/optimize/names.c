/* names.c: what the engine calls a column of the answer that has no alias. Where that is not
 * certain there is no name, and the engine does the query. */
#include "query/optimize/statement_int.h"

enum { NAME_TEXT = 300 };

/* Needs no quotes. */
static bool put_simple(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((name.data[i] < 'a' || name.data[i] > 'z') && name.data[i] != '_' &&
            (i == 0 || name.data[i] < '0' || name.data[i] > '9'))
            return false;
    return name.len > 0 && !is_engine_word(name) && buf_append_str(out, name);
}

static bool put_node(struct buf *out, const struct node *node);

static bool put_list(struct buf *out, const struct node *list)
{
    for (size_t i = 0; i < list_count(list); i++) {
        if (i)
            buf_append_str(out, STR(", "));
        if (!put_node(out, kid(list, i)))
            return false;
    }
    return true;
}

static bool put_call(struct buf *out, const struct node *node)
{
    const struct node *args = kid(node, CALL_ARGS);
    char lowered[64];
    if (!is_plain_call(node) || node->text.len >= sizeof lowered)
        return false;
    for (size_t i = 0; i < node->text.len; i++)
        lowered[i] = (char)(node->text.data[i] | 0x20);
    struct str name = str_make(lowered, node->text.len);
    bool rows = list_count(args) == 0 || node_is(kid(args, 0), N_STAR);
    if (rows)
        return str_is(name, "count") && buf_append_str(out, STR("count_star()"));
    if (!put_simple(out, name))
        return false;
    buf_append_str(out, node->flags & NODE_DISTINCT ? STR("(DISTINCT ") : STR("("));
    return put_list(out, args) && buf_append_char(out, ')');
}

static bool put_binary(struct buf *out, const struct node *node)
{
    static const char *const signs[] = {"+", "-", "*", "/", "//", "%", "||"};
    bool known = false;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        known |= str_is(node->text, signs[i]);
    buf_append_char(out, '(');
    return known && put_node(out, kid(node, 0)) && buf_append_char(out, ' ') &&
           buf_append_str(out, node->text) && buf_append_char(out, ' ') &&
           put_node(out, kid(node, 1)) && buf_append_char(out, ')');
}

static bool put_number(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.data[i] < '0' || text.data[i] > '9') && (text.data[i] != '.' || i == 0))
            return false;
    return text.len > 0 && text.data[text.len - 1] != '.' &&
           (text.data[0] != '0' || text.len == 1 || text.data[1] == '.') &&
           buf_append_str(out, text);
}

static bool put_string(struct buf *out, const struct node *node)
{
    if (node_has_other(node, 0) ||
        (node->text.len && memchr(node->text.data, '\'', node->text.len)))
        return false;
    return buf_append_char(out, '\'') && buf_append_str(out, node->text) &&
           buf_append_char(out, '\'');
}

static bool put_node(struct buf *out, const struct node *node)
{
    if (!node)
        return false;
    switch ((enum node_kind)node->kind) {
    case N_REF:
        return node->count == 1 && put_simple(out, kid(node, 0)->text);
    case N_NUMBER:
        return put_number(out, node->text);
    case N_STRING:
        return put_string(out, node);
    case N_BINARY:
        return put_binary(out, node);
    case N_CALL:
        return put_call(out, node);
    default:
        return false;
    }
}

bool engine_name(const struct reader *reader, const struct node *expression, struct str *ret)
{
    struct buf buf;
    buf_init(&buf, NAME_TEXT);
    bool good = put_node(&buf, expression) && !buf_failed(&buf);
    *ret = good ? arena_str(reader->arena, buf_str(&buf)) : STR_NONE;
    buf_release(&buf);
    return ret->data != NULL;
}

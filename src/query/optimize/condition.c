/* condition.c: WHERE as conditions of the filter language. Each comparison is taken only where both
 * sides have the same kind of value, so that no engine's casts matter (constant.c); texts also LIKE
 * without a backslash, booleans alone or with NOT. What is left over of an AND becomes an
 * expression (expression.c) that is evaluated over the rows that the conditions let through.
 */
#include <stdlib.h>

#include "query/optimize/typed.h"

enum { CONDITIONS_MAX = 64 };

/* One condition: a column, an operator, and its literals. */
struct condition_node {
    uint32_t field;
    const char *op;
    const struct node *value; /* a literal, or the LIST of IN; NULL: `truth` */
    bool truth;
};

struct where {
    const struct reader *reader;
    struct condition_node items[CONDITIONS_MAX];
    uint32_t len;
};

/* --- literals --- */

static bool write_whole(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    int64_t value;
    bool good = constant_whole(reader, node, &value);
    if (good)
        json_int(w, value);
    return good;
}

static bool write_real(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    double value;
    bool good = constant_real(reader, node, &value);
    if (good)
        json_double(w, value);
    return good;
}

static bool write_text(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    struct str text;
    bool good = constant_text(reader, node, &text);
    if (good)
        json_string(w, text);
    return good;
}

static bool write_value(struct value value, struct json_writer *w)
{
    value_write_json(w, &value);
    return true;
}

static bool write_date(const struct node *node, struct json_writer *w)
{
    int32_t days;
    return constant_date(node, &days) &&
           write_value((struct value){.type = TYPE_DATE, .int64 = days}, w);
}

static bool write_timestamp(const struct node *node, struct json_writer *w)
{
    int64_t us;
    return constant_time(node, &us) &&
           write_value((struct value){.type = TYPE_TIMESTAMP, .int64 = us}, w);
}

static bool write_bool(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    bool value;
    bool good = constant_bool(reader, node, &value);
    if (good)
        json_bool(w, value);
    return good;
}

static bool write_literal(const struct reader *reader, enum type type, const struct node *node,
                          struct json_writer *w)
{
    switch (type) {
    case TYPE_INT64:
        return write_whole(reader, node, w);
    case TYPE_DOUBLE:
        return write_real(reader, node, w);
    case TYPE_STRING:
        return write_text(reader, node, w);
    case TYPE_DATE:
        return write_date(node, w);
    case TYPE_TIMESTAMP:
        return write_timestamp(node, w);
    case TYPE_BOOL:
        return write_bool(reader, node, w);
    case TYPE_JSON:
    case TYPE_COUNT:
        break;
    }
    return false;
}

/* --- conditions --- */

static bool add(struct where *where, struct condition_node item)
{
    for (uint32_t i = 0; i < where->len; i++)
        if (where->items[i].field == item.field && strcmp(where->items[i].op, item.op) == 0)
            return false; /* the filter language has each once */
    if (where->len == CONDITIONS_MAX)
        return false;
    where->items[where->len++] = item;
    return true;
}

static bool add_comparison(struct where *where, const struct node *node)
{
    static const struct {
        const char *sign, *op, *mirrored;
    } signs[] = {{"=", "eq", "eq"},    {"<>", "ne", "ne"}, {"!=", "ne", "ne"},  {"<", "lt", "gt"},
                 {"<=", "lte", "gte"}, {">", "gt", "lt"},  {">=", "gte", "lte"}};
    const struct node *left = kid(node, 0), *right = kid(node, 1);
    uint32_t field;
    bool mirrored = !reader_column(where->reader, left, &field);
    if (mirrored && !reader_column(where->reader, right, &field))
        return false;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (!str_is(node->text, signs[i].sign))
            continue;
        const char *op = mirrored ? signs[i].mirrored : signs[i].op;
        bool equality = op[0] == 'e' || op[0] == 'n';
        if (!equality && where->reader->schema->fields[field].type == TYPE_BOOL)
            return false;
        return add(where, (struct condition_node){field, op, mirrored ? left : right, false});
    }
    return false;
}

static bool add_between(struct where *where, const struct node *node)
{
    uint32_t field;
    if (node_has_other(node, 0) || !reader_column(where->reader, kid(node, 0), &field) ||
        where->reader->schema->fields[field].type == TYPE_BOOL)
        return false;
    return add(where, (struct condition_node){field, "gte", kid(node, 1), false}) &&
           add(where, (struct condition_node){field, "lte", kid(node, 2), false});
}

static bool add_in(struct where *where, const struct node *node)
{
    uint32_t field;
    const struct node *list = kid(node, 1);
    if (node_has_other(node, NODE_NOT) || !node_is(list, N_LIST) || list->count == 0 ||
        !reader_column(where->reader, kid(node, 0), &field) ||
        where->reader->schema->fields[field].type == TYPE_BOOL)
        return false;
    const char *op = node->flags & NODE_NOT ? "not_in" : "in";
    return add(where, (struct condition_node){field, op, list, false});
}

static bool add_like(struct where *where, const struct node *node)
{
    uint32_t field;
    struct str pattern;
    if (node_has_other(node, 0) || !str_is(node->text, "LIKE") || kid(node, 2) ||
        !reader_column(where->reader, kid(node, 0), &field) ||
        where->reader->schema->fields[field].type != TYPE_STRING ||
        !constant_text(where->reader, kid(node, 1), &pattern) ||
        memchr(pattern.data, '\\', pattern.len))
        return false;
    return add(where, (struct condition_node){field, "like", kid(node, 1), false});
}

static bool add_is(struct where *where, const struct node *node)
{
    uint32_t field;
    if (node_has_other(node, NODE_NOT) || !str_is(node->text, "NULL") || kid(node, 1) ||
        !reader_column(where->reader, kid(node, 0), &field) ||
        where->reader->schema->fields[field].type == TYPE_JSON)
        return false;
    return add(where, (struct condition_node){field, "null", NULL, !(node->flags & NODE_NOT)});
}

/* A boolean column by itself. */
static bool add_truth(struct where *where, const struct node *node, bool truth)
{
    uint32_t field;
    if (!reader_column(where->reader, node, &field) ||
        where->reader->schema->fields[field].type != TYPE_BOOL)
        return false;
    return add(where, (struct condition_node){field, "eq", NULL, truth});
}

static bool add_condition(struct where *where, const struct node *node)
{
    switch ((enum node_kind)node->kind) {
    case N_BINARY:
        return add_comparison(where, node);
    case N_BETWEEN:
        return add_between(where, node);
    case N_IN:
        return add_in(where, node);
    case N_LIKE:
        return add_like(where, node);
    case N_IS:
        return add_is(where, node);
    case N_NOT:
        return add_truth(where, kid(node, 0), false);
    case N_REF:
        return add_truth(where, node, true);
    default:
        return false;
    }
}

/* --- as JSON --- */

static bool write_condition(const struct where *where, const struct condition_node *item,
                            struct json_writer *w)
{
    enum type type = where->reader->schema->fields[item->field].type;
    json_keyz(w, item->op);
    if (!item->value) {
        json_bool(w, item->truth);
        return true;
    }
    if (!node_is(item->value, N_LIST))
        return write_literal(where->reader, type, item->value, w);
    json_begin_array(w);
    for (size_t i = 0; i < item->value->count; i++)
        if (!write_literal(where->reader, type, kid(item->value, i), w))
            return false;
    json_end_array(w);
    return true;
}

static bool is_first_of_field(const struct where *where, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (where->items[i].field == where->items[at].field)
            return false;
    return true;
}

static bool write_conditions(const struct where *where, struct json_writer *w)
{
    for (uint32_t i = 0; i < where->len; i++) {
        if (!is_first_of_field(where, i))
            continue;
        json_key(w, where->reader->schema->fields[where->items[i].field].name);
        json_begin_object(w);
        for (uint32_t k = i; k < where->len; k++)
            if (where->items[k].field == where->items[i].field &&
                !write_condition(where, &where->items[k], w))
                return false;
        json_end_object(w);
    }
    return true;
}

/* The conditions and, when asked for, the expression: its template as the name, its text. */
static bool write_filters(const struct where *where, const struct expr *rest, yyjson_doc **ret)
{
    const struct reader *reader = where->reader;
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 4 << 20);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    bool can = write_conditions(where, &w);
    if (can && rest) {
        json_key(&w, typed_text(reader, rest, false));
        json_begin_object(&w);
        json_kv_str(&w, "expression", typed_text(reader, rest, true));
        json_end_object(&w);
    }
    json_end_object(&w);
    can = can && !buf_failed(&buf) && json_parse(buf_str(&buf), ret, NULL) == STATUS_OK;
    buf_release(&buf);
    return can;
}

/* --- the whole --- */

/* By column and operator: the order in which they were written says nothing. */
static int compare_conditions(const void *a, const void *b)
{
    const struct condition_node *x = a, *y = b;
    return x->field == y->field ? strcmp(x->op, y->op) : x->field < y->field ? -1 : 1;
}

/* The literals of the conditions from `first` on are such as are taken. */
static bool are_literals_good(const struct where *where, uint32_t first)
{
    struct buf buf;
    struct json_writer w;
    bool good = true;
    buf_init(&buf, 4 << 20);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    for (uint32_t i = first; i < where->len && good; i++)
        good = write_condition(where, &where->items[i], &w);
    buf_release(&buf);
    return good;
}

/* One part of an AND: conditions, or joined to the expression. */
static bool add_part(struct where *where, const struct scope *scope, const struct node *node,
                     struct typed *rest)
{
    if (node_is(node, N_BINARY) && str_is(node->text, "AND"))
        return add_part(where, scope, kid(node, 0), rest) &&
               add_part(where, scope, kid(node, 1), rest);
    uint32_t before = where->len;
    struct typed value;
    if (add_condition(where, node) && are_literals_good(where, before))
        return true;
    where->len = before;
    if (!read_expression(scope, node, &value) || value.kind != SQL_BOOLEAN)
        return false;
    if (!rest->expr) {
        *rest = value;
        return true;
    }
    return typed_binary(scope, EXPR_AND, SQL_BOOLEAN, *rest, value, rest);
}

bool statement_read_where(struct reader *reader, const struct node *node)
{
    struct own_statement *out = reader->out;
    struct where where = {.reader = reader};
    struct typed rest = {0};
    const struct scope scope = field_scope(reader);
    yyjson_doc *conditions = NULL;
    if (node && !add_part(&where, &scope, node, &rest))
        return false;
    qsort(where.items, where.len, sizeof *where.items, compare_conditions);
    bool can = write_filters(&where, NULL, &conditions) &&
               filter_parse(yyjson_doc_get_root(conditions), &out->filter, NULL) == STATUS_OK;
    yyjson_doc_free(conditions);
    if (!can || !write_filters(&where, rest.expr, &out->filters))
        return false;
    if (rest.expr)
        filter_require(out->filter, rest.expr);
    out->shape.filter = out->filter;
    out->shape.filters = yyjson_doc_get_root(out->filters);
    return true;
}

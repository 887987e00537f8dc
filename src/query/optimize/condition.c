/* condition.c: WHERE as conditions of the filter language. Each comparison is taken only where both
 * sides have the same kind of value, so that no engine's casts matter:
 *
 *   int64      whole numbers within int64
 *   double     numbers of at most 15 digits (a double and the engine's DECIMAL agree)
 *   string     texts without U+0000; LIKE without a backslash
 *   bool       =, <> TRUE and FALSE, the column alone, NOT of it
 *   date       'YYYY-MM-DD', also as DATE '...'
 *   timestamp  'YYYY-MM-DD[ hh:mm:ss[.ffffff]]', also as TIMESTAMP '...'
 */
#include <stdio.h>

#include "base/datetime.h"
#include "query/optimize/statement_int.h"

enum { CONDITIONS_MAX = 64, DIGITS_EXACT = 15, LITERAL_TEXT = 64 };

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

static uint32_t parameters_before(const struct node *node, uint32_t offset)
{
    uint32_t n = 0;
    if (!node)
        return 0;
    if (node->kind == N_PARAM)
        return str_is(node->text, "?") && node->offset < offset;
    for (size_t i = 0; i < node->count; i++)
        n += parameters_before(kid(node, i), offset);
    return n;
}

/* NULL: there is none. */
static yyjson_val *parameter(const struct reader *reader, const struct node *node)
{
    int64_t number;
    struct str name = str_make(node->text.data + 1, node->text.len - 1);
    if (str_is(node->text, "?"))
        return yyjson_arr_get(reader->parameters, parameters_before(reader->root, node->offset));
    if (node->text.data[0] != '$' || name.len == 0)
        return NULL;
    if (str_to_int64(name, &number))
        return number > 0 ? yyjson_arr_get(reader->parameters, (size_t)number - 1) : NULL;
    return yyjson_obj_getn(reader->parameters, name.data, name.len);
}

/* A number as text, with its sign; false when it is none. */
static bool number_text(const struct node *node, char out[LITERAL_TEXT])
{
    bool minus = node_is(node, N_UNARY) && str_is(node->text, "-");
    const struct node *number = minus ? kid(node, 0) : node;
    if (!node_is(number, N_NUMBER) || number->text.len + 2 > LITERAL_TEXT)
        return false;
    snprintf(out, LITERAL_TEXT, "%s%.*s", minus ? "-" : "", STR_ARG(number->text));
    return true;
}

bool read_whole(const struct reader *reader, const struct node *node, int64_t *ret)
{
    char text[LITERAL_TEXT];
    if (node_is(node, N_PARAM)) {
        yyjson_val *value = parameter(reader, node);
        *ret = yyjson_get_sint(value);
        return yyjson_is_sint(value) || (yyjson_is_uint(value) && *ret >= 0);
    }
    return number_text(node, text) && str_to_int64(str_of(text), ret);
}

static bool write_whole(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    int64_t value;
    if (!read_whole(reader, node, &value))
        return false;
    json_int(w, value);
    return true;
}

/* Digits and at most one point. */
static bool is_short_decimal(const char *text)
{
    size_t digits = 0, points = 0;
    for (const char *c = text + (text[0] == '-'); *c; c++) {
        digits += *c >= '0' && *c <= '9';
        points += *c == '.';
        if ((*c < '0' || *c > '9') && *c != '.')
            return false;
    }
    return digits > 0 && digits <= DIGITS_EXACT && points <= 1;
}

static bool write_real(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    char text[LITERAL_TEXT];
    double value;
    if (node_is(node, N_PARAM)) {
        yyjson_val *given = parameter(reader, node);
        if (!yyjson_is_real(given))
            return false;
        json_double(w, yyjson_get_real(given));
        return true;
    }
    if (!number_text(node, text) || !is_short_decimal(text) || sscanf(text, "%lf", &value) != 1)
        return false;
    json_double(w, value);
    return true;
}

static bool text_of(const struct reader *reader, const struct node *node, struct str *ret)
{
    if (node_is(node, N_STRING) && !node->flags)
        *ret = node->text;
    else if (node_is(node, N_PARAM))
        *ret = json_str_of(parameter(reader, node));
    else
        return false;
    return ret->data && !memchr(ret->data, 0, ret->len);
}

static bool write_text(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    struct str text;
    if (!text_of(reader, node, &text))
        return false;
    json_string(w, text);
    return true;
}

/* The text of a time: a string, or one that is cast to `type`. */
static bool time_text(const struct node *node, const char *type, struct str *ret)
{
    if (node_is(node, N_CAST)) {
        const struct node *to = kid(node, 1);
        if (node->flags || kid(node, 2) || !node_is(to, N_TYPE) || to->count ||
            !str_is(to->text, type))
            return false;
        node = kid(node, 0);
    }
    if (!node_is(node, N_STRING) || node->flags)
        return false;
    *ret = node->text;
    return true;
}

static bool is_date(struct str text)
{
    int32_t days;
    return text.len == 10 && text.data[0] != '-' && text.data[4] == '-' && text.data[7] == '-' &&
           date_parse(text, &days);
}

static bool write_date(const struct node *node, struct json_writer *w)
{
    struct str text;
    if (!time_text(node, "DATE", &text) || !is_date(text))
        return false;
    json_string(w, text);
    return true;
}

static bool write_timestamp(const struct node *node, struct json_writer *w)
{
    struct str text;
    char whole[LITERAL_TEXT];
    int64_t us;
    bool time = time_text(node, "TIMESTAMP", &text);
    if (!time && !time_text(node, "DATE", &text))
        return false;
    if (is_date(text)) {
        snprintf(whole, sizeof whole, "%.*sT00:00:00", STR_ARG(text));
    } else {
        bool plain = time && text.len >= 19 && text.len <= 26 &&
                     (text.data[10] == ' ' || text.data[10] == 'T') &&
                     is_date(str_make(text.data, 10)) && text.data[13] == ':' &&
                     text.data[16] == ':' && text.data[17] < '6' &&
                     (text.len == 19 || (text.data[19] == '.' && text.len > 20));
        for (size_t i = 20; plain && i < text.len; i++)
            plain = text.data[i] >= '0' && text.data[i] <= '9';
        if (!plain)
            return false;
        snprintf(whole, sizeof whole, "%.10sT%.*s", text.data, (int)text.len - 11, text.data + 11);
    }
    if (!timestamp_parse(str_of(whole), &us))
        return false;
    json_stringz(w, whole);
    return true;
}

static bool write_bool(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    if (node_is(node, N_PARAM)) {
        yyjson_val *given = parameter(reader, node);
        json_bool(w, yyjson_get_bool(given));
        return yyjson_is_bool(given);
    }
    if (!node_is(node, N_BOOL))
        return false;
    json_bool(w, str_is(node->text, "TRUE"));
    return true;
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
    if (node->flags || !reader_column(where->reader, kid(node, 0), &field) ||
        where->reader->schema->fields[field].type == TYPE_BOOL)
        return false;
    return add(where, (struct condition_node){field, "gte", kid(node, 1), false}) &&
           add(where, (struct condition_node){field, "lte", kid(node, 2), false});
}

static bool add_in(struct where *where, const struct node *node)
{
    uint32_t field;
    const struct node *list = kid(node, 1);
    if ((node->flags & ~(uint32_t)NODE_NOT) || !node_is(list, N_LIST) || list->count == 0 ||
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
    if (node->flags || !str_is(node->text, "LIKE") || kid(node, 2) ||
        !reader_column(where->reader, kid(node, 0), &field) ||
        where->reader->schema->fields[field].type != TYPE_STRING ||
        !text_of(where->reader, kid(node, 1), &pattern) || memchr(pattern.data, '\\', pattern.len))
        return false;
    return add(where, (struct condition_node){field, "like", kid(node, 1), false});
}

static bool add_is(struct where *where, const struct node *node)
{
    uint32_t field;
    if ((node->flags & ~(uint32_t)NODE_NOT) || !str_is(node->text, "NULL") || kid(node, 1) ||
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

static bool add_all(struct where *where, const struct node *node)
{
    switch ((enum node_kind)node->kind) {
    case N_BINARY:
        if (str_is(node->text, "AND"))
            return add_all(where, kid(node, 0)) && add_all(where, kid(node, 1));
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

bool read_where(const struct reader *reader, const struct node *node, struct json_writer *w)
{
    struct where where = {.reader = reader};
    if (node && !add_all(&where, node))
        return false;
    json_begin_object(w);
    for (uint32_t i = 0; i < where.len; i++) {
        if (!is_first_of_field(&where, i))
            continue;
        json_key(w, reader->schema->fields[where.items[i].field].name);
        json_begin_object(w);
        for (uint32_t k = i; k < where.len; k++)
            if (where.items[k].field == where.items[i].field &&
                !write_condition(&where, &where.items[k], w))
                return false;
        json_end_object(w);
    }
    json_end_object(w);
    return true;
}

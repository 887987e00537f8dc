/* outputs.c: what an answer's columns are: select, group_by, aggregations; and order_by. */
#include "query/dsl/dsl_int.h"

void dsl_items_of(struct dsl_query *q, const struct dsl_member *member, uint32_t max,
                  yyjson_val **ret_first, uint32_t *ret_len)
{
    bool array = yyjson_is_arr(member->value);
    size_t n = array ? yyjson_arr_size(member->value) : member->value != NULL;
    *ret_first = array ? yyjson_arr_get_first(member->value) : member->value;
    *ret_len = (uint32_t)n;
    if (n <= max)
        return;
    *ret_len = 0;
    dsl_fail(q, DSL_TOO_MANY_VALUES, member->at, STR_NONE, no_words,
             "%zu items where at most %u are allowed", n, max);
}

const struct dsl_at *dsl_item_at(struct dsl_query *q, const struct dsl_member *member, uint32_t i)
{
    return yyjson_is_arr(member->value) ? dsl_at_index(q, member->at, i) : member->at;
}

struct dsl_output *dsl_add_output(struct dsl_query *q, enum dsl_output_kind kind,
                                  const struct dsl_at *at)
{
    if (!q->outputs || q->outputs_len == DSL_OUTPUTS_MAX)
        return NULL;
    struct dsl_output *output = &q->outputs[q->outputs_len++];
    *output = (struct dsl_output){.kind = kind, .at = at};
    return output;
}

static void set_alias(struct dsl_query *q, struct dsl_output *output,
                      const struct dsl_member *member, struct str fallback)
{
    output->alias = dsl_read_name(q, member);
    output->aliased = output->alias.data != NULL;
    if (!output->alias.data)
        output->alias = fallback;
}

/* --- select --- */

/* The last name of a path is what SQL would call the column; a document's path keeps all of it. */
static struct str path_alias(const struct dsl_path *path)
{
    if (!path)
        return STR("?");
    return path->len == 1 ? path->steps[0].name : path->text;
}

static void read_select_object(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    enum { NONE, FIELD, FUNCTION, ARGS, ALIAS, SLOTS };
    static const struct dsl_key keys[] = {{"field", FIELD}, {"function", FUNCTION}, {"args", ARGS},
                                          {"alias", ALIAS}, {"column", FIELD},      {NULL, 0}};
    struct dsl_member m[SLOTS];
    struct dsl_output *output = dsl_add_output(q, OUTPUT_EXPR, at);
    if (!dsl_read_object(q, at, value, keys, m, SLOTS) || !output)
        return;
    output->expr = dsl_alloc(q, 1, sizeof *output->expr);
    if (!output->expr)
        return;
    *output->expr = (struct dsl_expr){.at = at};
    if (m[FIELD].value && m[FUNCTION].value)
        dsl_bad(q, at, "a column is a field or a function, not both");
    if (m[FIELD].value) {
        output->expr->kind = EXPR_PATH;
        output->expr->path = dsl_path_read(q, m[FIELD].at, m[FIELD].value);
        if (output->expr->path && output->expr->path->star)
            dsl_bad(q, m[FIELD].at, "\"*\" takes no alias: write \"*\"");
        set_alias(q, output, &m[ALIAS], path_alias(output->expr->path));
        return;
    }
    if (!m[FUNCTION].value) {
        dsl_missing(q, at, "field", "or \"function\"");
        return;
    }
    output->expr->kind = EXPR_CALL;
    (void)dsl_call_read(q, &m[FUNCTION], &m[ARGS], 1, output->expr); /* false: an error is noted */
    if (!m[ALIAS].value)
        dsl_missing(q, at, "alias", "an expression needs a name");
    set_alias(q, output, &m[ALIAS], STR("?"));
}

static void read_select_item(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    if (!yyjson_is_str(value)) {
        read_select_object(q, at, value);
        return;
    }
    struct dsl_path *path = dsl_path_parse(q, at, json_str_of(value));
    if (path && path->star) {
        q->star = true;
        return;
    }
    struct dsl_output *output = dsl_add_output(q, OUTPUT_EXPR, at);
    struct dsl_expr *expr = dsl_alloc(q, 1, sizeof *expr);
    if (!output || !expr || !path)
        return;
    *expr = (struct dsl_expr){.kind = EXPR_PATH, .at = at, .path = path};
    output->expr = expr;
    output->alias = path_alias(path);
}

void dsl_selects_read(struct dsl_query *q, const struct dsl_member *member)
{
    yyjson_val *item;
    uint32_t n;
    dsl_items_of(q, member, DSL_OUTPUTS_MAX - DSL_WINDOWS_MAX, &item, &n);
    if (member->value && n == 0 && yyjson_is_arr(member->value) &&
        yyjson_arr_size(member->value) == 0)
        dsl_bad(q, member->at, "select names at least one column");
    for (uint32_t i = 0; i < n; i++, item = unsafe_yyjson_get_next(item))
        read_select_item(q, dsl_item_at(q, member, i), item);
}

/* --- group_by --- */

static void read_bucket(struct dsl_query *q, const struct dsl_member *member,
                        struct dsl_output *output)
{
    enum { NONE, WIDTH, SLOTS };
    static const struct dsl_key keys[] = {{"width", WIDTH}, {NULL, 0}};
    struct dsl_member m[SLOTS];
    if (!member->value)
        return;
    if (!yyjson_is_obj(member->value)) {
        output->bucket = (enum dsl_bucket)(dsl_read_word(q, member, dsl_bucket_words()) + 1);
        return;
    }
    if (!dsl_read_object(q, member->at, member->value, keys, m, SLOTS))
        return;
    if (!m[WIDTH].value) {
        dsl_missing(q, member->at, "width", NULL);
        return;
    }
    output->bucket = BUCKET_WIDTH;
    output->width = dsl_alloc(q, 1, sizeof *output->width);
    if (!output->width || !dsl_expr_read(q, m[WIDTH].at, m[WIDTH].value, 1, output->width))
        return;
    double width =
        output->width->kind == EXPR_INT ? (double)output->width->integer : output->width->real;
    bool number = output->width->kind == EXPR_INT || output->width->kind == EXPR_REAL;
    if (!number || !(width > 0))
        dsl_bad(q, m[WIDTH].at, "a bucket's width is a number above 0");
}

static void read_group(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    enum { NONE, FIELD, ALIAS, BUCKET, SLOTS };
    static const struct dsl_key keys[] = {
        {"field", FIELD}, {"alias", ALIAS}, {"bucket", BUCKET}, {"column", FIELD}, {NULL, 0}};
    struct dsl_member m[SLOTS];
    struct dsl_output *output = dsl_add_output(q, OUTPUT_GROUP, at);
    if (!output)
        return;
    if (yyjson_is_str(value)) {
        output->path = dsl_path_parse(q, at, json_str_of(value));
        output->alias = path_alias(output->path);
    } else if (dsl_read_object(q, at, value, keys, m, SLOTS)) {
        if (m[FIELD].value)
            output->path = dsl_path_read(q, m[FIELD].at, m[FIELD].value);
        else
            dsl_missing(q, at, "field", NULL);
        set_alias(q, output, &m[ALIAS], path_alias(output->path));
        read_bucket(q, &m[BUCKET], output);
    }
    if (output->path && output->path->star)
        dsl_bad(q, at, "rows are not grouped by \"*\"");
}

void dsl_groups_read(struct dsl_query *q, const struct dsl_member *member)
{
    yyjson_val *item;
    uint32_t n;
    dsl_items_of(q, member, DSL_GROUPS_MAX, &item, &n);
    for (uint32_t i = 0; i < n; i++, item = unsafe_yyjson_get_next(item))
        read_group(q, dsl_item_at(q, member, i), item);
}

/* --- aggregations --- */

/* "SUM(amount)" and "SUM(amount) AS total", as the origin writes them. */
static bool split_call(struct str text, struct str *ret_function, struct str *ret_field,
                       struct str *ret_alias)
{
    const char *open = memchr(text.data, '(', text.len);
    const char *close = memrchr(text.data, ')', text.len);
    if (!open || !close || close < open)
        return false;
    *ret_function = str_trim(str_make(text.data, (size_t)(open - text.data)));
    *ret_field = str_trim(str_make(open + 1, (size_t)(close - open) - 1));
    struct str rest = str_trim(str_make(close + 1, (size_t)(text.data + text.len - close) - 1));
    *ret_alias = STR_NONE;
    if (rest.len == 0)
        return true;
    if (rest.len < 4 || !str_eq_nocase(str_make(rest.data, 3), STR("as ")))
        return false;
    *ret_alias = str_trim(str_make(rest.data + 3, rest.len - 3));
    return true;
}

static struct str default_alias(struct dsl_query *q, const struct dsl_output *output)
{
    if (!output->path || output->path->star)
        return output->function_name;
    const char *text = arena_printf(q->arena, "%.*s_%.*s", STR_ARG(output->function_name),
                                    STR_ARG(path_alias(output->path)));
    return text ? str_of(text) : output->function_name;
}

static void needs_field(struct dsl_query *q, const struct dsl_at *at, struct dsl_output *output)
{
    const struct function_info *f = output->function;
    if (!output->path && (!f || f->min > 0))
        dsl_missing(q, at, "field", "which column?");
    else if (output->path && output->path->star && f && !str_is(output->function_name, "count"))
        dsl_bad(q, output->path->at, "only count takes \"*\"");
    else if (output->path && output->path->star && output->distinct)
        dsl_bad(q, output->path->at, "count of distinct values wants a column");
}

static void read_percentile(struct dsl_query *q, const struct dsl_at *at,
                            const struct dsl_member *member, struct dsl_output *output)
{
    const struct dsl_expr *p = output->argument;
    if (!member->value) {
        dsl_missing(q, at, "p", "from 0 to 1; 0.5 is the median");
        return;
    }
    if (!p)
        return;
    double value = p->kind == EXPR_INT ? (double)p->integer : p->real;
    if ((p->kind != EXPR_INT && p->kind != EXPR_REAL) || !(value >= 0 && value <= 1))
        dsl_bad(q, member->at, "p is a number from 0 to 1");
}

static void read_params(struct dsl_query *q, const struct dsl_at *at,
                        const struct dsl_member *params, struct dsl_output *output)
{
    enum { NONE, P, SEPARATOR, ORDER, SLOTS };
    static const struct dsl_key keys[] = {
        {"p", P}, {"separator", SEPARATOR}, {"order_by", ORDER}, {NULL, 0}};
    struct dsl_member m[SLOTS] = {{NULL, NULL}};
    struct str name = output->function_name;
    const struct dsl_at *here = params->value ? params->at : dsl_at_key(q, at, "params");
    if (params->value && !dsl_read_object(q, params->at, params->value, keys, m, SLOTS))
        return;
    bool percentile = str_is(name, "percentile"), text = str_is(name, "string_agg");
    bool ordered = str_is(name, "first") || str_is(name, "last");
    const struct dsl_member *argument = percentile ? &m[P] : &m[SEPARATOR];
    if (m[P].value && !percentile)
        dsl_bad(q, m[P].at, "only percentile takes p");
    if (m[SEPARATOR].value && !text)
        dsl_bad(q, m[SEPARATOR].at, "only string_agg takes a separator");
    if ((percentile || text) && argument->value) {
        output->argument = dsl_alloc(q, 1, sizeof *output->argument);
        if (!output->argument ||
            !dsl_expr_read(q, argument->at, argument->value, 1, output->argument))
            output->argument = NULL;
    }
    if (percentile)
        read_percentile(q, here, &m[P], output);
    if (text && output->argument && output->argument->kind != EXPR_TEXT)
        dsl_bad(q, m[SEPARATOR].at, "a separator is a text");
    if (ordered && !m[ORDER].value)
        dsl_missing(q, here, "order_by", "without an order there is no first row");
    if (m[ORDER].value && !ordered && !text && !str_is(name, "array_agg"))
        dsl_bad(q, m[ORDER].at, "%.*s does not depend on an order", SHOWN(name));
    else if (m[ORDER].value)
        dsl_orders_read(q, m[ORDER].at, m[ORDER].value, &output->order, &output->order_len);
}

static void read_aggregation_text(struct dsl_query *q, const struct dsl_at *at, struct str text)
{
    struct str function, field, alias;
    struct dsl_output *output = dsl_add_output(q, OUTPUT_AGGREGATE, at);
    struct dsl_member none = {NULL, at};
    if (!output)
        return;
    if (!split_call(text, &function, &field, &alias)) {
        dsl_bad(q, at, "an aggregation as text is FUNCTION(column), perhaps with AS name");
        return;
    }
    if (!dsl_function_named(q, at, function, FUNCTION_AGGREGATE, &output->function,
                            &output->function_name))
        return;
    if (field.len)
        output->path = dsl_path_parse(q, at, field);
    output->alias = alias.data ? alias : default_alias(q, output);
    output->aliased = alias.data != NULL;
    needs_field(q, at, output);
    read_params(q, at, &none, output);
}

static void read_aggregation(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    enum { NONE, FUNCTION, FIELD, ALIAS, DISTINCT, WHERE, PARAMS, SLOTS };
    static const struct dsl_key keys[] = {
        {"function", FUNCTION}, {"field", FIELD},  {"alias", ALIAS},
        {"distinct", DISTINCT}, {"where", WHERE},  {"params", PARAMS},
        {"type", FUNCTION},     {"column", FIELD}, {NULL, 0}};
    struct dsl_member m[SLOTS];
    if (yyjson_is_str(value)) {
        read_aggregation_text(q, at, json_str_of(value));
        return;
    }
    struct dsl_output *output = dsl_add_output(q, OUTPUT_AGGREGATE, at);
    if (!dsl_read_object(q, at, value, keys, m, SLOTS) || !output)
        return;
    if (!m[FUNCTION].value)
        dsl_missing(q, at, "function", NULL);
    bool known = m[FUNCTION].value && dsl_function_read(q, &m[FUNCTION], FUNCTION_AGGREGATE,
                                                        &output->function, &output->function_name);
    if (m[FIELD].value)
        output->path = dsl_path_read(q, m[FIELD].at, m[FIELD].value);
    if (m[WHERE].value)
        output->where = dsl_conds_read(q, m[WHERE].at, m[WHERE].value);
    output->distinct = dsl_read_bool(q, &m[DISTINCT], false);
    set_alias(q, output, &m[ALIAS], known ? default_alias(q, output) : STR("?"));
    if (!known)
        return;
    if (!m[FIELD].value || output->path)
        needs_field(q, at, output);
    read_params(q, at, &m[PARAMS], output);
}

void dsl_aggregations_read(struct dsl_query *q, const struct dsl_member *member)
{
    yyjson_val *item;
    uint32_t n;
    dsl_items_of(q, member, DSL_AGGREGATIONS_MAX, &item, &n);
    for (uint32_t i = 0; i < n; i++, item = unsafe_yyjson_get_next(item))
        read_aggregation(q, dsl_item_at(q, member, i), item);
}

/* --- order_by --- */

/* "amount DESC", as the origin writes it; a plain path is ascending. */
static void read_order_text(struct dsl_query *q, const struct dsl_at *at, struct str text,
                            struct dsl_order *order)
{
    text = str_trim(text);
    const char *space = memrchr(text.data, ' ', text.len);
    struct str word =
        space ? str_make(space + 1, (size_t)(text.data + text.len - space) - 1) : STR_NONE;
    bool descending = str_eq_nocase(word, STR("desc"));
    if (descending || str_eq_nocase(word, STR("asc"))) {
        order->descending = descending;
        text = str_trim(str_make(text.data, (size_t)(space - text.data)));
    }
    order->path = dsl_path_parse(q, at, text);
}

static void read_order(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                       struct dsl_order *order)
{
    enum { NONE, FIELD, DIRECTION, NULLS, SLOTS };
    static const struct dsl_key keys[] = {
        {"field", FIELD}, {"direction", DIRECTION}, {"nulls", NULLS}, {"column", FIELD}, {NULL, 0}};
    static const char *const directions[] = {"asc", "desc"}, *const places[] = {"first", "last"};
    struct dsl_member m[SLOTS];
    *order = (struct dsl_order){.at = at};
    if (yyjson_is_str(value)) {
        read_order_text(q, at, json_str_of(value), order);
    } else if (dsl_read_object(q, at, value, keys, m, SLOTS)) {
        if (m[FIELD].value)
            order->path = dsl_path_read(q, m[FIELD].at, m[FIELD].value);
        else
            dsl_missing(q, at, "field", NULL);
        order->descending = dsl_read_word(q, &m[DIRECTION], (struct dsl_words){directions, 2}) == 1;
        order->nulls_first = dsl_read_word(q, &m[NULLS], (struct dsl_words){places, 2}) == 0;
    }
    if (order->path && order->path->star)
        dsl_bad(q, at, "\"*\" is no order");
}

void dsl_orders_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value,
                     struct dsl_order **ret, uint32_t *ret_len)
{
    struct dsl_member member = {value, at};
    yyjson_val *item;
    uint32_t n;
    dsl_items_of(q, &member, DSL_ORDER_MAX, &item, &n);
    *ret = dsl_alloc(q, n, sizeof **ret);
    if (!*ret)
        return;
    for (uint32_t i = 0; i < n; i++, item = unsafe_yyjson_get_next(item))
        read_order(q, dsl_item_at(q, &member, i), item, &(*ret)[i]);
    *ret_len = n;
}

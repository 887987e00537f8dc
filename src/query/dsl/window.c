/* window.c: windows. A frame's bound is "unbounded", "current" or rows from the current one
 * (negative: before it). */
#include "query/dsl/dsl_int.h"

static bool read_bound(struct dsl_query *q, const struct dsl_at *frame, const char *name,
                       const struct dsl_member *member, struct dsl_bound *ret)
{
    static const char *const words[] = {"unbounded", "current"};
    if (!member->value) {
        dsl_missing(q, frame, name, NULL);
        return false;
    }
    if (yyjson_is_str(member->value)) {
        int word = dsl_read_word(q, member, (struct dsl_words){words, 2});
        ret->kind = word == 1 ? BOUND_CURRENT : BOUND_UNBOUNDED;
        return word >= 0;
    }
    ret->kind = BOUND_ROWS;
    ret->offset = dsl_read_int(q, member, -1000000000, 1000000000, 0);
    return true;
}

/* Where a bound lies, so that a start behind its end is seen. */
static int64_t bound_place(struct dsl_bound bound, bool is_end)
{
    if (bound.kind == BOUND_UNBOUNDED)
        return is_end ? INT64_MAX : INT64_MIN;
    return bound.kind == BOUND_CURRENT ? 0 : bound.offset;
}

static void read_frame(struct dsl_query *q, const struct dsl_member *member,
                       struct dsl_output *output)
{
    enum { NONE, MODE, START, END, SLOTS };
    static const struct dsl_key keys[] = {
        {"mode", MODE}, {"start", START}, {"end", END}, {NULL, 0}};
    static const char *const modes[] = {"rows", "range"};
    struct dsl_member m[SLOTS];
    if (!member->value || !dsl_read_object(q, member->at, member->value, keys, m, SLOTS))
        return;
    output->framed = true;
    output->frame_range = dsl_read_word(q, &m[MODE], (struct dsl_words){modes, 2}) == 1;
    bool ok = read_bound(q, member->at, "start", &m[START], &output->start);
    ok = read_bound(q, member->at, "end", &m[END], &output->end) && ok;
    if (ok && bound_place(output->start, false) > bound_place(output->end, true))
        dsl_bad(q, member->at, "the frame starts behind its end");
    if (ok && output->frame_range && output->order_len != 1 &&
        (output->start.kind == BOUND_ROWS || output->end.kind == BOUND_ROWS))
        dsl_bad(q, member->at, "a range with a distance wants exactly one order_by");
}

static struct dsl_expr *read_argument(struct dsl_query *q, const struct dsl_member *member,
                                      int64_t min)
{
    struct dsl_expr *expr = dsl_alloc(q, 1, sizeof *expr);
    if (!expr)
        return NULL;
    *expr = (struct dsl_expr){
        .kind = EXPR_INT, .at = member->at, .integer = dsl_read_int(q, member, min, 1000000000, 1)};
    return expr;
}

static void read_params(struct dsl_query *q, const struct dsl_at *at,
                        const struct dsl_member *params, struct dsl_output *output)
{
    enum { NONE, N, OFFSET, DEFAULT, SLOTS };
    static const struct dsl_key keys[] = {
        {"n", N}, {"offset", OFFSET}, {"default", DEFAULT}, {NULL, 0}};
    struct dsl_member m[SLOTS] = {{NULL, NULL}};
    struct str name = output->function_name;
    bool ntile = str_is(name, "ntile"), shift = str_is(name, "lag") || str_is(name, "lead");
    if (params->value && !dsl_read_object(q, params->at, params->value, keys, m, SLOTS))
        return;
    if (ntile && !m[N].value)
        dsl_missing(q, params->value ? params->at : dsl_at_key(q, at, "params"), "n", NULL);
    if (m[N].value && !ntile)
        dsl_bad(q, m[N].at, "only ntile takes n");
    if ((m[OFFSET].value || m[DEFAULT].value) && !shift)
        dsl_bad(q, params->at, "only lag and lead take offset and default");
    if (ntile && m[N].value)
        output->argument = read_argument(q, &m[N], 1);
    if (shift && (m[OFFSET].value || m[DEFAULT].value))
        output->argument = read_argument(q, &m[OFFSET], 0);
    if (shift && m[DEFAULT].value) {
        output->otherwise = dsl_alloc(q, 1, sizeof *output->otherwise);
        if (output->otherwise &&
            !dsl_expr_read(q, m[DEFAULT].at, m[DEFAULT].value, 1, output->otherwise))
            output->otherwise = NULL;
    }
}

static void read_partition(struct dsl_query *q, const struct dsl_member *member,
                           struct dsl_output *output)
{
    yyjson_val *item;
    uint32_t n;
    dsl_items_of(q, member, DSL_GROUPS_MAX, &item, &n);
    output->partition = dsl_alloc(q, n, sizeof(struct dsl_path *));
    for (uint32_t i = 0; output->partition && i < n; i++, item = unsafe_yyjson_get_next(item)) {
        struct dsl_path *path = dsl_path_read(q, dsl_item_at(q, member, i), item);
        if (path && path->star)
            dsl_bad(q, path->at, "\"*\" is no column");
        else if (path)
            output->partition[output->partition_len++] = path;
    }
}

static void check_window(struct dsl_query *q, const struct dsl_at *at, struct dsl_output *output)
{
    const struct function_info *f = output->function;
    struct str name = output->function_name;
    bool ranks = f && f->max == 0;
    if (f && f->min > 0 && !output->path)
        dsl_missing(q, at, "field", "which column?");
    if (ranks && output->path)
        dsl_bad(q, output->path->at, "%s takes no field", f->name);
    if (output->path && output->path->star && !str_is(name, "count"))
        dsl_bad(q, output->path->at, "only count takes \"*\"");
    bool wants_order = ranks || str_is(name, "lag") || str_is(name, "lead");
    if (wants_order && output->order_len == 0)
        dsl_missing(q, at, "order_by", "without an order the rows have no places");
}

static void read_window(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    enum { NONE, FUNCTION, FIELD, PARAMS, PARTITION, ORDER, FRAME, ALIAS, SLOTS };
    static const struct dsl_key keys[] = {{"function", FUNCTION},
                                          {"field", FIELD},
                                          {"params", PARAMS},
                                          {"partition_by", PARTITION},
                                          {"order_by", ORDER},
                                          {"frame", FRAME},
                                          {"alias", ALIAS},
                                          {"column", FIELD},
                                          {NULL, 0}};
    struct dsl_member m[SLOTS];
    struct dsl_output *output = dsl_add_output(q, OUTPUT_WINDOW, at);
    if (!dsl_read_object(q, at, value, keys, m, SLOTS) || !output)
        return;
    if (!m[FUNCTION].value)
        dsl_missing(q, at, "function", NULL);
    bool known = m[FUNCTION].value && dsl_function_read(q, &m[FUNCTION], FUNCTION_WINDOW,
                                                        &output->function, &output->function_name);
    if (m[FIELD].value)
        output->path = dsl_path_read(q, m[FIELD].at, m[FIELD].value);
    read_partition(q, &m[PARTITION], output);
    if (m[ORDER].value)
        dsl_orders_read(q, m[ORDER].at, m[ORDER].value, &output->order, &output->order_len);
    read_frame(q, &m[FRAME], output);
    output->alias = dsl_read_name(q, &m[ALIAS]);
    output->aliased = true;
    if (!m[ALIAS].value)
        dsl_missing(q, at, "alias", "a window needs a name");
    if (!output->alias.data)
        output->alias = STR("?");
    if (!known)
        return;
    read_params(q, at, &m[PARAMS], output);
    if (!m[FIELD].value || output->path)
        check_window(q, at, output);
}

void dsl_windows_read(struct dsl_query *q, const struct dsl_member *member)
{
    yyjson_val *item;
    uint32_t n;
    dsl_items_of(q, member, DSL_WINDOWS_MAX, &item, &n);
    for (uint32_t i = 0; i < n; i++, item = unsafe_yyjson_get_next(item))
        read_window(q, dsl_item_at(q, member, i), item);
}

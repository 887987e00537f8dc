/* lower_call.c: functions by the dialects' rows. A row's template is parsed as DuckDB SQL and its
 * slots are replaced; calls in it whose name begins with "_" are evaluated here. */
#include <stdio.h>

#include "query/lang/functions.h"
#include "query/lang/lower_int.h"
#include "query/lang/parse_int.h"
#include "service/nearest.h"

/* ---- rows ---- */

static bool fits(const struct fn_row *row, struct str name, size_t count)
{
    return str_eq_nocase(name, str_of(row->name)) && (int)count >= row->min &&
           (row->max < 0 || (int)count <= row->max);
}

static const struct fn_row *find_row(const struct dialect *dialect, struct str name, size_t count)
{
    for (; dialect; dialect = dialect->parent) {
        for (const struct fn_row *row = dialect->functions; row && row->name; row++) {
            if (fits(row, name, count))
                return row;
        }
    }
    for (const struct fn_row *row = dialect_common.functions; row && row->name; row++) {
        if (fits(row, name, count))
            return row;
    }
    return NULL;
}

static void unknown_function(struct lower *l, const struct node *call)
{
    lower_unsupported(l, call, call->text, "no translation of the function");
    struct nearest nearest = nearest_begin(call->text);
    for (const struct dialect *d = l->dialect; d; d = d->parent) {
        for (const struct fn_row *row = d->functions; row && row->name; row++)
            nearest_offer(&nearest, row->name);
    }
    for (size_t i = 0; function_name(i); i++)
        nearest_offer(&nearest, function_name(i));
    if (nearest.best)
        snprintf(l->problem->nearest, sizeof l->problem->nearest, "%s", nearest.best);
}

/* ---- templates ---- */

struct fill {
    struct node **args;
    size_t count;
    const struct node *call;
    bool modified; /* the call's modifiers were given to a node */
};

static struct node *fill(struct lower *l, const struct node *node, struct fill *f);

static struct node *evaluate(struct lower *l, const struct node *call, struct node **args,
                             size_t count);

/* $3, or all of a list at $2* (written _rest(2)). */
static struct node *slot_value(struct lower *l, const struct node *slot, struct fill *f)
{
    size_t number = (size_t)(slot->text.data[1] - '0');
    if (number >= 1 && number <= f->count)
        return f->args[number - 1];
    return lower_node(l, N_NULL_, "", 0, slot);
}

static bool is_rest(const struct node *node)
{
    return node && node->kind == N_CALL && str_is(node->text, "_rest");
}

/* Children of a list, with _rest(n) spread. */
static struct node *fill_list(struct lower *l, const struct node *list, struct fill *f)
{
    size_t extra = 0;
    for (size_t i = 0; i < list->count; i++)
        extra += is_rest(list->kids[i]) ? f->count : 0;
    struct node *copy = lower_node(l, list->kind, "", list->count + extra, list);
    if (l->status != STATUS_OK)
        return copy;
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!is_rest(list->kids[i])) {
            copy->kids[n++] = fill(l, list->kids[i], f);
            continue;
        }
        const struct node *from = kid(kid(list->kids[i], CALL_ARGS), 0);
        for (size_t k = from ? (size_t)(from->text.data[0] - '1') : 0; k < f->count; k++)
            copy->kids[n++] = f->args[k];
    }
    copy->count = (uint16_t)n;
    copy->text = list->text;
    lower_infer(l, copy);
    return copy;
}

static void take_modifiers(struct lower *l, struct node *copy, struct fill *f)
{
    const struct node *call = f->call;
    f->modified = true;
    for (size_t slot = CALL_ORDER; slot < CALL_SLOTS; slot++) {
        if (!copy->kids[slot] && kid(call, slot) && slot != CALL_PARAMETERS &&
            slot != CALL_SEPARATOR)
            copy->kids[slot] = call->kids[slot];
    }
    copy->flags |= call->flags & (NODE_DISTINCT | NODE_IGNORE_NULLS | NODE_RESPECT_NULLS);
    (void)l;
}

static bool is_pseudo(const struct node *node)
{
    return node->kind == N_CALL && node->text.len > 1 && node->text.data[0] == '_';
}

static struct node *fill(struct lower *l, const struct node *node, struct fill *f)
{
    if (!node || l->status != STATUS_OK)
        return NULL;
    if (node->kind == N_SLOT)
        return slot_value(l, node, f);
    if (node->kind == N_LIST || node->kind == N_ARRAY || node->kind == N_ROW)
        return fill_list(l, node, f);
    struct node *copy = lower_shallow(l, node);
    if (l->status != STATUS_OK)
        return copy;
    copy->flags |= NODE_LOWERED;
    copy->offset = f->call ? f->call->offset : 0;
    if (node->kind == N_CALL && !is_pseudo(node) && f->call && !f->modified)
        take_modifiers(l, copy, f);
    for (size_t i = 0; i < node->count; i++) {
        if (node->kids[i])
            copy->kids[i] = fill(l, node->kids[i], f);
    }
    if (l->status != STATUS_OK)
        return copy;
    if (is_pseudo(copy)) {
        struct node *list = copy->kids[CALL_ARGS];
        return evaluate(l, copy, list->kids, list->count);
    }
    lower_infer(l, copy);
    return copy;
}

struct node *lower_template(struct lower *l, const char *text, struct node **args, size_t count,
                            const struct node *call)
{
    struct node *node = parse_template(l->arena, str_of(text));
    if (!node) {
        lower_unsupported(l, call, call ? call->text : STR("?"), "a faulty template for");
        return lower_node(l, N_NULL_, "", 0, call);
    }
    struct fill f = {.args = args, .count = count, .call = call};
    struct node *filled = fill(l, node, &f);
    return filled ? filled : lower_node(l, N_NULL_, "", 0, call);
}

/* ---- the "_" functions of templates ---- */

static bool is_date_text(const struct node *node)
{
    return node->kind == N_STRING && node->text.len <= 10;
}

static struct node *to_type(struct lower *l, struct node *value, uint8_t type, const char *name)
{
    return value->type == type ? value : lower_cast(l, value, name);
}

/* A text literal as the date or timestamp that it looks like; other values as they are. */
static struct node *temporal(struct lower *l, struct node *value)
{
    if (value->kind != N_STRING)
        return value;
    return lower_cast(l, value, is_date_text(value) ? "DATE" : "TIMESTAMP");
}

static struct node *interval_of(struct lower *l, struct node *value, struct str unit)
{
    struct node *node = lower_node(l, N_INTERVAL, "", 1, value);
    if (l->status == STATUS_OK) {
        node->text = unit;
        node->kids[0] = value;
        node->type = TY_INTERVAL;
    }
    return node;
}

static struct node *add_units(struct lower *l, const char *op, struct node *to, struct node *amount,
                              struct node *unit)
{
    struct str name = lower_unit(l, unit);
    if (name.len == 0) {
        lower_unsupported(l, unit, unit->text, "no translation of the unit");
        return to;
    }
    return lower_binary(l, op, to, interval_of(l, amount, name));
}

/* A JSON path as DuckDB writes it: "$" before it when it lacks one. */
static struct node *json_path(struct lower *l, struct node *path)
{
    if (path->kind == N_NUMBER) {
        const char *text = arena_printf(l->arena, "$[%.*s]", STR_ARG(path->text));
        return lower_string(l, text ? text : "$", path);
    }
    if (path->kind != N_STRING || (path->text.len && path->text.data[0] == '$'))
        return path;
    bool plain = path->text.len > 0;
    for (size_t i = 0; i < path->text.len; i++) {
        char c = path->text.data[i];
        plain = plain && (c == '_' || (c >= '0' && c <= '9' && i > 0) ||
                          ((c | 32) >= 'a' && (c | 32) <= 'z'));
    }
    const char *text = arena_printf(l->arena, plain ? "$.%.*s" : "$.\"%.*s\"", STR_ARG(path->text));
    return lower_string(l, text ? text : "$", path);
}

/* $.a[0].b from keys and numbers given one by one */
static struct node *joined_path(struct lower *l, struct node **args, size_t count,
                                const struct node *at, int base)
{
    struct buf path;
    buf_init(&path, 1 << 16);
    buf_append_char(&path, '$');
    for (size_t i = 0; i < count; i++) {
        struct str text = args[i]->text;
        bool digits = text.len > 0;
        for (size_t k = 0; k < text.len; k++)
            digits = digits && text.data[k] >= '0' && text.data[k] <= '9';
        if (args[i]->kind == N_NUMBER || (digits && args[i]->kind == N_STRING && base == 0)) {
            int64_t number = 0;
            str_to_int64(text, &number);
            buf_printf(&path, "[%lld]",
                       (long long)(number - (args[i]->kind == N_NUMBER ? base : 0)));
        } else if (args[i]->kind == N_STRING) {
            struct node *one = json_path(l, args[i]);
            buf_append_str(&path, str_make(one->text.data + 1, one->text.len - 1));
        } else {
            lower_unsupported(l, args[i], STR("path"), "no translation of a computed JSON");
            break;
        }
    }
    struct str text = arena_str(l->arena, buf_str(&path));
    buf_release(&path);
    return lower_string(l, text.data ? text.data : "$", at);
}

static bool literal_is(const struct node *node, const char *text)
{
    return node && (node->kind == N_STRING || node->kind == N_NUMBER) && str_is(node->text, text);
}

static struct node *evaluate(struct lower *l, const struct node *call, struct node **args,
                             size_t count)
{
    struct str name = call->text;
    struct node *first = count ? args[0] : lower_node(l, N_NULL_, "", 0, call);
    if (str_is(name, "_ts"))
        return to_type(l, first, TY_TIMESTAMP, "TIMESTAMP");
    if (str_is(name, "_tstz"))
        return to_type(l, first, TY_TIMESTAMPTZ, "TIMESTAMPTZ");
    if (str_is(name, "_date"))
        return to_type(l, first, TY_DATE, "DATE");
    if (str_is(name, "_text"))
        return to_type(l, first, TY_TEXT, "TEXT");
    if (str_is(name, "_bool"))
        return to_type(l, first, TY_BOOL, "BOOLEAN");
    if (str_is(name, "_temporal"))
        return temporal(l, first);
    if (str_is(name, "_tslit")) /* a text literal is a timestamp; other values as they are */
        return first->kind == N_STRING ? lower_cast(l, first, "TIMESTAMP") : first;
    if (str_is(name, "_tstzlit"))
        return first->kind == N_STRING ? lower_cast(l, first, "TIMESTAMPTZ") : first;
    if (str_is(name, "_datelit"))
        return first->kind == N_STRING ? lower_cast(l, first, "DATE") : first;
    if (str_is(name, "_timelit"))
        return first->kind == N_STRING ? lower_cast(l, first, "TIME") : first;
    if (str_is(name, "_fmt"))
        return lower_format(l, first);
    if (str_is(name, "_path"))
        return json_path(l, first);
    if (str_is(name, "_paths"))
        return joined_path(l, args, count, call, 0);
    if (str_is(name, "_paths1"))
        return joined_path(l, args, count, call, 1);
    if (str_is(name, "_unit")) {
        struct str unit = lower_unit(l, first);
        if (unit.len == 0)
            lower_unsupported(l, first, first->text, "no translation of the unit");
        struct node *text = lower_text(l, N_STRING, unit, call);
        lower_infer(l, text);
        return text;
    }
    if (str_is(name, "_add"))
        return add_units(l, "+", first, args[1], args[2]);
    if (str_is(name, "_sub"))
        return add_units(l, "-", first, args[1], args[2]);
    if (str_is(name, "_interval")) {
        struct str unit = lower_unit(l, args[1]);
        return interval_of(l, first, unit.len ? unit : STR("DAY"));
    }
    if (str_is(name, "_index")) { /* an index that counts from 0, from 1 */
        int64_t number = 0;
        if (first->kind == N_NUMBER && str_to_int64(first->text, &number))
            return lower_number(l, number + 1, call);
        return lower_binary(l, "+", first, lower_number(l, 1, call));
    }
    if (str_is(name, "_concat")) { /* a || b || c */
        struct node *sum = first;
        for (size_t i = 1; i < count; i++)
            sum = lower_binary(l, "||", sum, args[i]);
        return sum;
    }
    if (str_is(name, "_only")) { /* _only(arg, 'literal', result): refused for other literals */
        if (!literal_is(first, args[1]->text.data
                                   ? arena_printf(l->arena, "%.*s", STR_ARG(args[1]->text))
                                   : ""))
            lower_unsupported(l, first, first->text, "no translation of this argument");
        return args[2];
    }
    lower_unsupported(l, call, name, "an unknown template function");
    return first;
}

/* ---- calls ---- */

static struct node *by_row(struct lower *l, const struct fn_row *row, struct node *call)
{
    struct node *list = call->kids[CALL_ARGS];
    if (!row->to) {
        unknown_function(l, call);
        return call;
    }
    if (row->to[0] == 0)
        return call;
    if (row->to[0] == '@') {
        lower_hook *hook = lower_hook_find(row->to + 1);
        if (!hook) {
            unknown_function(l, call);
            return call;
        }
        return hook(l, call, list->kids, list->count);
    }
    bool name_only = true;
    for (const char *c = row->to; *c; c++)
        name_only =
            name_only && (*c == '_' || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'));
    if (name_only) {
        call->text = str_of(row->to);
        lower_infer(l, call);
        return call;
    }
    return lower_template(l, row->to, list->kids, list->count, call);
}

/* WITHIN GROUP (ORDER BY x): DuckDB knows it for some; mode() takes its argument from it. */
static struct node *within_group(struct lower *l, struct node *call)
{
    struct node *within = call->kids[CALL_WITHIN];
    if (!within)
        return call;
    struct str name = call->text;
    if (str_eq_nocase(name, STR("percentile_cont")) ||
        str_eq_nocase(name, STR("percentile_disc")) || str_eq_nocase(name, STR("mode")))
        return call;
    if (call->kids[CALL_ORDER])
        return call;
    call->kids[CALL_ORDER] = within; /* LISTAGG(x, ',') WITHIN GROUP (ORDER BY y) */
    call->kids[CALL_WITHIN] = NULL;
    (void)l;
    return call;
}

/* The average of whole numbers is one in T-SQL and Redshift. */
static struct node *whole_average(struct lower *l, struct node *call)
{
    const struct node *args = node_is(call, N_CALL) ? call->kids[CALL_ARGS] : NULL;
    bool whole = (l->id == LANG_TSQL || l->id == LANG_REDSHIFT) && list_count(args) == 1 &&
                 args->kids[0]->type == TY_INT && str_eq_nocase(call->text, STR("avg"));
    if (!whole || l->status != STATUS_OK)
        return call;
    return lower_template(l, "CAST(trunc($1) AS BIGINT)", &call, 1, NULL);
}

struct node *lower_call(struct lower *l, const struct node *node)
{
    if (node->flags & NODE_LOWERED)
        return (struct node *)node;
    struct node *call = lower_shallow(l, node);
    if (l->status != STATUS_OK)
        return call;
    for (size_t i = 0; i < node->count; i++) {
        if (i == CALL_ORDER || i == CALL_WITHIN)
            call->kids[i] = lower_order(l, node->kids[i]);
        else
            call->kids[i] = lower_tree(l, node->kids[i]);
    }
    if (l->status != STATUS_OK)
        return call;
    if (!call->kids[CALL_ARGS])
        call->kids[CALL_ARGS] = lower_node(l, N_LIST, "", 0, node);
    call->flags |= NODE_LOWERED;
    call = within_group(l, call);
    const struct fn_row *row = find_row(l->dialect, call->text, list_count(call->kids[CALL_ARGS]));
    if (row)
        return whole_average(l, by_row(l, row, call));
    if (!function_is_known(call->text)) {
        unknown_function(l, call);
        return call;
    }
    lower_infer(l, call);
    return call;
}

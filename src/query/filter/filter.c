/* filter.c: reads the JSON form of a filter into conditions; knows no columns.
 *
 * Everything is copied into the filter's own arena, so the document may go. Patterns are compiled
 * here once, only to refuse bad ones early. */
#include "query/filter/filter.h"

#include <stdio.h>
#include <stdlib.h>

#include "query/filter/filter_int.h"
#include "query/filter/like.h"
#include "query/filter/regex_int.h"

static const struct {
    const char *name;
    enum filter_op op;
} operators[] = {
    {"eq", FILTER_EQ},      {"ne", FILTER_NE},      {"gt", FILTER_GT},
    {"lt", FILTER_LT},      {"gte", FILTER_GTE},    {"lte", FILTER_LTE},
    {"in", FILTER_IN},      {"in_list", FILTER_IN}, {"not_in", FILTER_NOT_IN},
    {"nin", FILTER_NOT_IN}, {"like", FILTER_LIKE},  {"regex", FILTER_REGEX},
    {"null", FILTER_NULL},
};
enum { OPERATORS = sizeof operators / sizeof *operators };

const char *filter_op_name(enum filter_op op)
{
    for (int i = 0; i < OPERATORS; i++)
        if (operators[i].op == op)
            return operators[i].name;
    return "?";
}

static int cut(struct str s)
{
    return s.len < 100 ? (int)s.len : 100;
}

enum status condition_error(struct error *err, struct str field, const struct literal *literal,
                            const char *what)
{
    char text[LITERAL_TEXT_MAX];
    uint32_t n = literal ? literal_text(literal, text) : 0;
    error_set(err, STATUS_INVALID_ARGUMENT, "filter on '%.*s': %s", cut(field), field.data, what);
    error_at_field(err, field.data, (uint32_t)field.len, literal ? text : NULL, n);
    return STATUS_INVALID_ARGUMENT;
}

static enum status unknown_operator(struct str field, struct str name, struct error *err)
{
    char known[160];
    size_t at = 0;
    for (int i = 0; i < OPERATORS; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
                               operators[i].name);
    error_set(err, STATUS_INVALID_ARGUMENT, "filter on '%.*s': unknown operator '%.*s'; known: %s",
              cut(field), field.data, cut(name), name.data, known);
    error_at_field(err, field.data, (uint32_t)field.len, name.data, (uint32_t)name.len);
    return STATUS_INVALID_ARGUMENT;
}

static enum status wrong_kind(struct str field, enum filter_op op, const char *wanted,
                              yyjson_val *value, struct error *err)
{
    char what[120];
    struct literal literal;
    snprintf(what, sizeof what, "%s wants %s, not %s", filter_op_name(op), wanted,
             json_kind_name(value));
    bool scalar = literal_of_json(value, &literal);
    return condition_error(err, field, scalar ? &literal : NULL, what);
}

/* Literals into the condition; texts are copied. */
static enum status take_literal(struct filter *filter, const struct condition *condition,
                                yyjson_val *value, struct literal *ret, struct error *err)
{
    if (!literal_of_json(value, ret))
        return wrong_kind(condition->field, condition->op, "scalars", value, err);
    if (ret->kind != LITERAL_STR)
        return STATUS_OK;
    ret->text = arena_str(&filter->arena, ret->text);
    return ret->text.data ? STATUS_OK : error_no_memory(err);
}

static enum status take_list(struct filter *filter, struct condition *condition, yyjson_val *value,
                             struct error *err)
{
    if (!yyjson_is_arr(value))
        return wrong_kind(condition->field, condition->op, "an array", value, err);
    size_t n = yyjson_arr_size(value);
    if (n > FILTER_LIST_MAX) {
        char what[100];
        snprintf(what, sizeof what, "the list has %zu values, the limit is %d", n, FILTER_LIST_MAX);
        return condition_error(err, condition->field, NULL, what);
    }
    condition->literals = arena_array(&filter->arena, n, sizeof *condition->literals);
    if (!condition->literals)
        return error_no_memory(err);
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(value, i, max, item)
    {
        TRY(take_literal(filter, condition, item, &condition->literals[i], err));
    }
    condition->literals_len = (uint32_t)n;
    return STATUS_OK;
}

static enum status take_one(struct filter *filter, struct condition *condition, yyjson_val *value,
                            struct error *err)
{
    condition->literals = ARENA_NEW(&filter->arena, struct literal);
    if (!condition->literals)
        return error_no_memory(err);
    condition->literals_len = 1;
    if (yyjson_is_ctn(value))
        return wrong_kind(condition->field, condition->op, "a scalar", value, err);
    return take_literal(filter, condition, value, condition->literals, err);
}

static enum status check_pattern(struct filter *filter, const struct condition *condition,
                                 struct error *err)
{
    const struct literal *l = condition->literals;
    const char *problem = NULL;
    char text[REGEX_PROBLEM_MAX];
    if (l->kind == LITERAL_NULL)
        return STATUS_OK; /* never true */
    if (l->kind != LITERAL_STR)
        return condition_error(err, condition->field, l,
                               condition->op == FILTER_LIKE ? "like wants a text"
                                                            : "regex wants a text");
    if (l->text.len > FILTER_PATTERN_MAX)
        return condition_error(err, condition->field, l, "the pattern is longer than 4096 bytes");
    if (condition->op == FILTER_LIKE) {
        struct like like;
        problem = like_compile(&like, l->text, &filter->arena);
    } else {
        problem = regex_check(l->text, text);
    }
    return problem ? condition_error(err, condition->field, l, problem) : STATUS_OK;
}

static enum status take_value(struct filter *filter, struct condition *condition, yyjson_val *value,
                              struct error *err)
{
    switch (condition->op) {
    case FILTER_IN:
    case FILTER_NOT_IN:
        return take_list(filter, condition, value, err);
    case FILTER_NULL:
        if (!yyjson_is_bool(value))
            return wrong_kind(condition->field, condition->op, "true or false", value, err);
        return take_one(filter, condition, value, err);
    case FILTER_LIKE:
    case FILTER_REGEX:
        TRY(take_one(filter, condition, value, err));
        return check_pattern(filter, condition, err);
    default:
        return take_one(filter, condition, value, err);
    }
}

static enum status add_condition(struct filter *filter, struct str field, enum filter_op op,
                                 yyjson_val *value, struct error *err)
{
    if (filter->conditions_len == FILTER_CONDITIONS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d filter conditions",
                         FILTER_CONDITIONS_MAX);
    struct condition *condition = &filter->conditions[filter->conditions_len++];
    *condition = (struct condition){.field = field, .op = op};
    return take_value(filter, condition, value, err);
}

static enum status take_operators(struct filter *filter, struct str field, yyjson_val *object,
                                  struct error *err)
{
    if (yyjson_obj_size(object) == 0)
        return condition_error(err, field, NULL, "no operator is given");
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        struct str name = json_str_of(key);
        int k = 0;
        while (k < OPERATORS && !str_is(name, operators[k].name))
            k++;
        if (k == OPERATORS)
            return unknown_operator(field, name, err);
        TRY(add_condition(filter, field, operators[k].op, value, err));
    }
    return STATUS_OK;
}

static enum status take_fields(struct filter *filter, yyjson_val *filters, struct error *err)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(filters, i, max, key, value)
    {
        struct str field = arena_str(&filter->arena, json_str_of(key));
        if (!field.data)
            return error_no_memory(err);
        if (yyjson_is_obj(value))
            TRY(take_operators(filter, field, value, err));
        else if (yyjson_is_arr(value))
            return condition_error(err, field, NULL,
                                   "an array stands for no operator; use {\"in\": [...]}");
        else
            TRY(add_condition(filter, field, FILTER_EQ, value, err));
    }
    return STATUS_OK;
}

enum status filter_parse(yyjson_val *filters, struct filter **ret_filter, struct error *err)
{
    if (filters && !yyjson_is_obj(filters) && !yyjson_is_null(filters))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "filters wants an object of field: condition, not %s",
                         json_kind_name(filters));
    struct filter *filter = calloc(1, sizeof *filter);
    if (!filter)
        return error_no_memory(err);
    atomic_init(&filter->refs, 1);
    arena_init(&filter->arena, (size_t)256 << 20);
    filter->conditions =
        arena_array(&filter->arena, FILTER_CONDITIONS_MAX, sizeof *filter->conditions);
    enum status status = filter->conditions ? STATUS_OK : error_no_memory(err);
    if (status == STATUS_OK && filters && yyjson_is_obj(filters))
        status = take_fields(filter, filters, err);
    if (status != STATUS_OK) {
        filter_free(filter);
        return status;
    }
    *ret_filter = filter;
    return STATUS_OK;
}

struct filter *filter_ref(const struct filter *filter)
{
    struct filter *counted = (struct filter *)(uintptr_t)filter;
    atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

void filter_free(struct filter *filter)
{
    if (!filter || atomic_fetch_sub_explicit(&filter->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&filter->arena);
    free(filter);
}

void filter_require(struct filter *filter, const struct expr *where)
{
    filter->where = where;
}

bool filter_is_empty(const struct filter *filter)
{
    return !filter || (filter->conditions_len == 0 && !filter->where);
}

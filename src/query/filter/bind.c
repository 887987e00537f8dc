/* bind.c: conditions meet columns. Steps: find the column of each condition (or the JSON column
 * that a dotted name starts with), gather the conditions of one column into one predicate, turn
 * each into a test of the column's type, join intervals, put cheap predicates first. */
#include <stdio.h>
#include <stdlib.h>

#include "query/filter/bound_int.h"

static bool split_path(struct str name, struct predicate *predicate)
{
    struct str rest = name, part;
    str_split(&rest, '.', &part);
    predicate->path_len = 0;
    while (str_split(&rest, '.', &part)) {
        if (predicate->path_len == BOUND_PATH_MAX)
            return false;
        predicate->path[predicate->path_len++] = part;
    }
    return true;
}

static enum status find_column(const struct schema *schema, struct predicate *predicate,
                               struct error *err)
{
    predicate->column = schema_find(schema, predicate->field);
    predicate->type = TYPE_STRING;
    if (predicate->column >= 0) {
        predicate->type = schema->fields[predicate->column].type;
        return STATUS_OK;
    }
    const char *dot = memchr(predicate->field.data, '.', predicate->field.len);
    if (!dot)
        return STATUS_OK;
    struct str first = str_make(predicate->field.data, (size_t)(dot - predicate->field.data));
    int32_t column = schema_find(schema, first);
    if (column < 0 || schema->fields[column].type != TYPE_JSON)
        return STATUS_OK;
    if (!split_path(predicate->field, predicate))
        return condition_error(err, predicate->field, NULL, "the path has more than 32 parts");
    predicate->column = column;
    predicate->type = TYPE_JSON;
    return STATUS_OK;
}

static bool list_has_null(const struct condition *condition)
{
    for (uint32_t i = 0; i < condition->literals_len; i++)
        if (condition->literals[i].kind == LITERAL_NULL)
            return true;
    return false;
}

/* Tests that are about null whatever the type; false when the condition is none of them. */
static bool bind_null_test(const struct condition *condition, struct test *test)
{
    const struct literal *l = condition->literals;
    bool is_null = condition->literals_len == 1 && l->kind == LITERAL_NULL;
    switch (condition->op) {
    case FILTER_NULL:
        test->kind = l->boolean ? TEST_NULL : TEST_NOT_NULL;
        return true;
    case FILTER_EQ:
        test->kind = TEST_NULL;
        return is_null;
    case FILTER_NE:
        test->kind = TEST_NOT_NULL;
        return is_null;
    case FILTER_IN:
        return false;
    case FILTER_NOT_IN: /* as in SQL: x not in (..., null) is never true */
        test->kind = TEST_NEVER;
        return list_has_null(condition);
    default:
        test->kind = TEST_NEVER;
        return is_null;
    }
}

static enum status bind_json_test(struct bound_filter *bound, const struct condition *condition,
                                  struct test *test, struct error *err)
{
    test->kind = TEST_JSON;
    if (condition->op == FILTER_LIKE || condition->op == FILTER_REGEX)
        return bind_text_test(bound, NULL, condition, test, err);
    if (condition->op == FILTER_IN || condition->op == FILTER_NOT_IN)
        if (!literal_set_init(&test->set, condition->literals, condition->literals_len,
                              &bound->arena))
            return error_no_memory(err);
    return STATUS_OK;
}

static enum status bind_test(struct bound_filter *bound, struct predicate *predicate,
                             const struct condition *condition, struct error *err)
{
    struct test *test = &predicate->tests[predicate->tests_len];
    *test = (struct test){.op = condition->op,
                          .literals = condition->literals,
                          .literals_len = condition->literals_len};
    enum status status = STATUS_OK;
    if (bind_null_test(condition, test)) {
        /* nothing more to do */
    } else if (predicate->column < 0) {
        test->kind = TEST_NEVER; /* all null */
    } else if (predicate->type == TYPE_JSON) {
        status = bind_json_test(bound, condition, test, err);
    } else if (predicate->type == TYPE_STRING) {
        status = bind_text_test(bound, predicate, condition, test, err);
    } else {
        status = bind_number_test(bound, predicate, condition, test, err);
    }
    predicate->tests_len++;
    return status;
}

/* Intervals of one column become one. */
static void join_ranges(struct predicate *predicate)
{
    struct test *first = NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < predicate->tests_len; i++) {
        struct test *test = &predicate->tests[i];
        if (first && test->kind == TEST_RANGE && !test->negate) {
            struct number_range *a = &first->range;
            const struct number_range *b = &test->range;
            a->int_lo = a->int_lo > b->int_lo ? a->int_lo : b->int_lo;
            a->int_hi = a->int_hi < b->int_hi ? a->int_hi : b->int_hi;
            a->day_lo = a->day_lo > b->day_lo ? a->day_lo : b->day_lo;
            a->day_hi = a->day_hi < b->day_hi ? a->day_hi : b->day_hi;
            a->real_lo = a->real_lo > b->real_lo ? a->real_lo : b->real_lo;
            a->real_hi = a->real_hi < b->real_hi ? a->real_hi : b->real_hi;
            continue;
        }
        predicate->tests[kept] = *test;
        if (test->kind == TEST_RANGE && !test->negate)
            first = &predicate->tests[kept];
        kept++;
    }
    predicate->tests_len = kept;
}

static struct predicate *predicate_for(struct bound_filter *bound, struct str field)
{
    for (uint32_t i = 0; i < bound->predicates_len; i++)
        if (str_eq(bound->predicates[i].field, field))
            return &bound->predicates[i];
    struct predicate *predicate = &bound->predicates[bound->predicates_len];
    predicate->tests = arena_array(&bound->arena, FILTER_CONDITIONS_MAX / 8, sizeof(struct test));
    if (!predicate->tests)
        return NULL;
    predicate->field = field;
    bound->predicates_len++;
    return predicate;
}

static int cost_of(const struct predicate *predicate)
{
    int worst = 0;
    for (uint32_t i = 0; i < predicate->tests_len; i++) {
        enum test_kind kind = predicate->tests[i].kind;
        int cost = kind == TEST_JSON         ? 5
                   : kind == TEST_REGEX      ? 4
                   : kind == TEST_LIKE       ? 3
                   : kind >= TEST_TEXT_RANGE ? 2
                   : kind >= TEST_RANGE      ? 1
                                             : 0;
        worst = cost > worst ? cost : worst;
    }
    return predicate->path_len || predicate->type == TYPE_JSON ? 5 : worst;
}

/* Insertion sort by cost: few predicates, and equal ones keep their order. */
static void order_predicates(struct bound_filter *bound)
{
    for (uint32_t i = 1; i < bound->predicates_len; i++) {
        struct predicate moved = bound->predicates[i];
        uint32_t at = i;
        for (; at > 0 && cost_of(&bound->predicates[at - 1]) > cost_of(&moved); at--)
            bound->predicates[at] = bound->predicates[at - 1];
        bound->predicates[at] = moved;
    }
}

static enum status bind_all(struct bound_filter *bound, const struct schema *schema,
                            struct error *err)
{
    const struct filter *filter = bound->filter;
    for (uint32_t i = 0; i < filter->conditions_len; i++) {
        const struct condition *condition = &filter->conditions[i];
        struct predicate *predicate = predicate_for(bound, condition->field);
        if (!predicate)
            return error_no_memory(err);
        if (predicate->tests_len == FILTER_CONDITIONS_MAX / 8)
            return condition_error(err, condition->field, NULL, "more than 32 conditions on it");
        if (predicate->tests_len == 0)
            TRY(find_column(schema, predicate, err));
        TRY(bind_test(bound, predicate, condition, err));
    }
    for (uint32_t i = 0; i < bound->predicates_len; i++) {
        struct predicate *predicate = &bound->predicates[i];
        join_ranges(predicate);
        for (uint32_t t = 0; t < predicate->tests_len; t++)
            bound->never |= predicate->tests[t].kind == TEST_NEVER;
        if (predicate->column < 0)
            for (uint32_t t = 0; t < predicate->tests_len; t++)
                bound->never |= !test_wants_null(&predicate->tests[t]);
    }
    order_predicates(bound);
    return STATUS_OK;
}

enum status filter_bind(const struct filter *filter, const struct schema *schema,
                        struct bound_filter **ret_bound, struct error *err)
{
    struct bound_filter *bound = calloc(1, sizeof *bound);
    if (!bound)
        return error_no_memory(err);
    arena_init(&bound->arena, (size_t)256 << 20);
    if (filter_is_empty(filter)) {
        *ret_bound = bound;
        return STATUS_OK;
    }
    bound->filter = filter_ref(filter);
    bound->predicates =
        arena_array(&bound->arena, filter->conditions_len, sizeof *bound->predicates);
    enum status status = bound->predicates ? bind_all(bound, schema, err) : error_no_memory(err);
    if (status != STATUS_OK) {
        bound_filter_free(bound);
        return status;
    }
    *ret_bound = bound;
    return STATUS_OK;
}

void bound_filter_free(struct bound_filter *bound)
{
    if (!bound)
        return;
    for (uint32_t i = 0; i < bound->predicates_len; i++)
        for (uint32_t t = 0; t < bound->predicates[i].tests_len; t++)
            if (bound->predicates[i].tests[t].regex)
                regex_release(bound->predicates[i].tests[t].regex);
    filter_free((struct filter *)(uintptr_t)bound->filter);
    arena_release(&bound->arena);
    free(bound->json_memory);
    free(bound);
}

bool bound_filter_is_never(const struct bound_filter *bound)
{
    return bound->never;
}

const struct expr *bound_filter_where(const struct bound_filter *bound)
{
    return bound->filter ? bound->filter->where : NULL;
}

uint32_t bound_filter_predicates(const struct bound_filter *bound)
{
    return bound->predicates_len;
}

int32_t bound_filter_column(const struct bound_filter *bound, uint32_t predicate)
{
    return bound->predicates[predicate].column;
}

bool bound_filter_takes_null(const struct bound_filter *bound, uint32_t predicate)
{
    const struct predicate *p = &bound->predicates[predicate];
    for (uint32_t i = 0; i < p->tests_len; i++)
        if (!test_wants_null(&p->tests[i]))
            return false;
    return true;
}

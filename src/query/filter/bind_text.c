/* bind_text.c: tests on STRING columns, and the patterns of JSON columns. */
#include <stdio.h>

#include "query/filter/bound_int.h"

static enum status want_text(const struct predicate *predicate, const struct literal *l,
                             struct error *err)
{
    char what[100];
    if (l->kind == LITERAL_STR)
        return STATUS_OK;
    snprintf(what, sizeof what, "a string column is compared with a text, not with %s",
             literal_kind_name(l->kind));
    return condition_error(err, predicate->field, l, what);
}

static enum status bind_pattern(struct bound_filter *bound, const struct condition *condition,
                                struct test *test, struct error *err)
{
    struct str pattern = condition->literals->text;
    if (condition->op == FILTER_LIKE) {
        const char *problem = like_compile(&test->like, pattern, &bound->arena);
        return problem ? error_set(err, STATUS_NO_MEMORY, "%s", problem) : STATUS_OK;
    }
    struct regex *regex = ARENA_NEW(&bound->arena, struct regex);
    if (!regex || !regex_init(regex, pattern))
        return error_no_memory(err);
    test->regex = regex;
    return STATUS_OK;
}

static void set_range(const struct condition *condition, struct test *test)
{
    struct str text = condition->literals->text;
    enum filter_op op = condition->op;
    bool equal = op == FILTER_EQ || op == FILTER_NE;
    test->kind = TEST_TEXT_RANGE;
    test->negate = op == FILTER_NE;
    test->has_lo = equal || op == FILTER_GT || op == FILTER_GTE;
    test->has_hi = equal || op == FILTER_LT || op == FILTER_LTE;
    test->lo_open = op == FILTER_GT;
    test->hi_open = op == FILTER_LT;
    test->lo = test->hi = text;
}

/* A pattern without wildcards is an equality, and may use an index. */
static void simplify_like(struct test *test)
{
    if (test->like.shape == LIKE_ANY) {
        test->kind = TEST_NOT_NULL;
    } else if (test->like.shape == LIKE_EQUAL) {
        test->kind = TEST_TEXT_RANGE;
        test->has_lo = test->has_hi = true;
        test->lo = test->hi = test->like.text;
    }
}

enum status bind_text_test(struct bound_filter *bound, struct predicate *predicate,
                           const struct condition *condition, struct test *test, struct error *err)
{
    if (condition->op == FILTER_LIKE || condition->op == FILTER_REGEX) {
        TRY(bind_pattern(bound, condition, test, err));
        if (!predicate) /* JSON */
            return STATUS_OK;
        test->kind = condition->op == FILTER_LIKE ? TEST_LIKE : TEST_REGEX;
        if (condition->op == FILTER_LIKE)
            simplify_like(test);
        return STATUS_OK;
    }
    if (condition->op != FILTER_IN && condition->op != FILTER_NOT_IN) {
        TRY(want_text(predicate, condition->literals, err));
        set_range(condition, test);
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < condition->literals_len; i++)
        if (condition->literals[i].kind != LITERAL_NULL)
            TRY(want_text(predicate, &condition->literals[i], err));
    if (!literal_set_init(&test->set, condition->literals, condition->literals_len, &bound->arena))
        return error_no_memory(err);
    test->kind = TEST_TEXT_SET;
    test->negate = condition->op == FILTER_NOT_IN;
    return STATUS_OK;
}

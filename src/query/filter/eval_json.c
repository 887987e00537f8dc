/* eval_json.c: predicates on JSON columns and on paths into them.
 *
 * Each value is parsed (in one piece of memory that is used again), the path is walked, and the
 * scalar found is compared. JSON null, a missing member and a null row are all null. A value of
 * another kind than the literal is not equal to it and neither above nor below it, so ne and not_in
 * hold and the other operators do not; objects and arrays are of another kind than every literal.
 */
#include <stdlib.h>

#include "query/filter/bound_int.h"

/* Whole numbers below this index arrays. */
static yyjson_val *step_into(yyjson_val *value, struct str part)
{
    int64_t at;
    if (yyjson_is_obj(value))
        return yyjson_obj_getn(value, part.data, part.len);
    if (yyjson_is_arr(value) && str_to_int64(part, &at) && at >= 0)
        return yyjson_arr_get(value, (size_t)at);
    return NULL;
}

static int compare_literals(const struct literal *a, const struct literal *b, bool *ret_comparable)
{
    bool numbers = (a->kind == LITERAL_INT || a->kind == LITERAL_REAL) &&
                   (b->kind == LITERAL_INT || b->kind == LITERAL_REAL);
    *ret_comparable = numbers || a->kind == b->kind;
    if (numbers)
        return literal_compare_numbers(a, b);
    if (!*ret_comparable)
        return 0;
    if (a->kind == LITERAL_BOOL)
        return (int)a->boolean - (int)b->boolean;
    return str_cmp(a->text, b->text);
}

static bool passes_pattern(const struct test *test, const struct literal *value)
{
    if (value->kind != LITERAL_STR)
        return false;
    if (test->op == FILTER_LIKE)
        return like_match(&test->like, value->text);
    locale_t before = regex_enter(test->regex);
    bool match = regex_match(test->regex, value->text);
    regex_leave(test->regex, before);
    return match;
}

static bool passes_compare(const struct test *test, const struct literal *value)
{
    bool comparable;
    int order = compare_literals(value, test->literals, &comparable);
    switch (test->op) {
    case FILTER_EQ:
        return comparable && order == 0;
    case FILTER_NE:
        return !comparable || order != 0;
    case FILTER_GT:
        return comparable && order > 0;
    case FILTER_GTE:
        return comparable && order >= 0;
    case FILTER_LT:
        return comparable && order < 0;
    default:
        return comparable && order <= 0;
    }
}

/* `value` is NULL for an object or array. */
static bool passes_json(const struct test *test, const struct literal *value)
{
    switch (test->op) {
    case FILTER_LIKE:
    case FILTER_REGEX:
        return value && passes_pattern(test, value);
    case FILTER_IN:
        return value && literal_set_has(&test->set, value);
    case FILTER_NOT_IN:
        return !value || !literal_set_has(&test->set, value);
    default:
        return value ? passes_compare(test, value) : test->op == FILTER_NE;
    }
}

static bool passes(const struct predicate *predicate, yyjson_val *value)
{
    struct literal literal;
    bool null = !value || yyjson_is_null(value);
    bool scalar = !null && literal_of_json(value, &literal);
    for (uint32_t t = 0; t < predicate->tests_len; t++) {
        const struct test *test = &predicate->tests[t];
        bool good;
        if (test->kind == TEST_NULL)
            good = null;
        else if (test->kind == TEST_NOT_NULL)
            good = !null;
        else
            good = !null && test->kind == TEST_JSON && passes_json(test, scalar ? &literal : NULL);
        if (!good)
            return false;
    }
    return true;
}

static enum status parse(struct bound_filter *bound, struct str text, yyjson_doc **ret_doc,
                         struct error *err)
{
    size_t need = yyjson_read_max_memory_usage(text.len, YYJSON_READ_NOFLAG) + 256;
    if (need > bound->json_memory_len) {
        size_t size = need < 16384 ? 16384 : need + need / 2;
        free(bound->json_memory);
        bound->json_memory_len = 0;
        bound->json_memory = malloc(size);
        if (!bound->json_memory)
            return error_no_memory(err);
        bound->json_memory_len = size;
    }
    yyjson_alc alc;
    yyjson_read_err read_err;
    yyjson_alc_pool_init(&alc, bound->json_memory, bound->json_memory_len);
    *ret_doc = yyjson_read_opts((char *)(uintptr_t)text.data, text.len,
                                YYJSON_READ_ALLOW_INF_AND_NAN, &alc, &read_err);
    if (!*ret_doc)
        return error_set(err, STATUS_CORRUPT, "a stored JSON value does not parse: %s",
                         read_err.msg);
    return STATUS_OK;
}

static enum status row_passes(struct bound_filter *bound, const struct predicate *predicate,
                              const struct column *column, uint32_t row, bool *ret,
                              struct error *err)
{
    if (column_is_null(column, row)) {
        *ret = passes(predicate, NULL);
        return STATUS_OK;
    }
    yyjson_doc *doc = NULL;
    TRY(parse(bound, column_str(column, row), &doc, err));
    yyjson_val *value = yyjson_doc_get_root(doc);
    for (uint32_t i = 0; i < predicate->path_len && value; i++)
        value = step_into(value, predicate->path[i]);
    *ret = passes(predicate, value);
    yyjson_doc_free(doc);
    return STATUS_OK;
}

enum status eval_json(struct bound_filter *bound, const struct predicate *predicate,
                      const struct column *column, const uint32_t *in, uint32_t n, uint32_t *out,
                      uint32_t *ret_n, struct error *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = in ? in[i] : i;
        bool good;
        TRY(row_passes(bound, predicate, column, row, &good, err));
        out[kept] = row;
        kept += good;
    }
    for (uint32_t t = 0; t < predicate->tests_len; t++)
        if (predicate->tests[t].regex && regex_failed(predicate->tests[t].regex))
            return error_no_memory(err);
    *ret_n = kept;
    return STATUS_OK;
}

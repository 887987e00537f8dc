/* prune.c: what bounds say about a predicate, and the points that an index can look up. Both only
 * ever leave out what certainly does not match. */
#include "query/filter/bound_int.h"

enum { PRUNE_SET_MAX = 256 }; /* longer lists are not compared with bounds */

static bool range_overlaps(const struct test *test, const struct value *min,
                           const struct value *max)
{
    const struct number_range *r = &test->range;
    if (min->type == TYPE_DOUBLE) {
        if (test->negate)
            return !(min->real >= r->real_lo && max->real <= r->real_hi);
        return min->real <= r->real_hi && max->real >= r->real_lo && r->real_lo <= r->real_hi;
    }
    int64_t lo = min->type == TYPE_DATE ? r->day_lo : r->int_lo;
    int64_t hi = min->type == TYPE_DATE ? r->day_hi : r->int_hi;
    int64_t least = min->type == TYPE_BOOL ? min->boolean : min->int64;
    int64_t most = min->type == TYPE_BOOL ? max->boolean : max->int64;
    if (test->negate)
        return !(least >= lo && most <= hi);
    return least <= hi && most >= lo && lo <= hi;
}

static bool set_overlaps(const struct set64 *set, const struct value *min, const struct value *max)
{
    if (set->len > PRUNE_SET_MAX)
        return true;
    for (uint32_t i = 0; i <= set->mask + 1; i++) {
        if (i <= set->mask ? set->slots[i] == 0 : !set->has_zero)
            continue;
        uint64_t bits = i <= set->mask ? set->slots[i] : 0;
        struct value value = {.type = min->type};
        if (min->type == TYPE_DOUBLE)
            memcpy(&value.real, &bits, sizeof bits);
        else if (min->type == TYPE_BOOL)
            value.boolean = bits != 0;
        else
            value.int64 = (int64_t)bits;
        if (value_compare(&value, min) >= 0 && value_compare(&value, max) <= 0)
            return true;
    }
    return false;
}

static const struct set64 *set_for(const struct test *test, enum type type)
{
    return type == TYPE_DOUBLE ? &test->reals : type == TYPE_DATE ? &test->days : &test->ints;
}

static bool text_range_overlaps(const struct test *test, struct str min, struct str max)
{
    if (test->negate)
        return !(str_eq(min, max) && str_eq(min, test->lo));
    if (test->has_lo) {
        int order = str_cmp(max, test->lo);
        if (order < 0 || (order == 0 && test->lo_open))
            return false;
    }
    if (test->has_hi) {
        int order = str_cmp(min, test->hi);
        if (order > 0 || (order == 0 && test->hi_open))
            return false;
    }
    return true;
}

static bool text_set_overlaps(const struct test *test, struct str min, struct str max)
{
    if (test->negate || test->literals_len > PRUNE_SET_MAX)
        return true;
    for (uint32_t i = 0; i < test->literals_len; i++) {
        const struct literal *l = &test->literals[i];
        if (l->kind == LITERAL_STR && str_cmp(l->text, min) >= 0 && str_cmp(l->text, max) <= 0)
            return true;
    }
    return false;
}

/* Texts with a prefix lie between the prefix and everything that starts with it. */
static bool prefix_overlaps(struct str prefix, struct str min, struct str max)
{
    if (str_cmp(max, prefix) < 0)
        return false;
    return str_cmp(min, prefix) <= 0 || str_starts(min, prefix);
}

static bool test_may_match(const struct test *test, const struct column_bounds *bounds)
{
    const struct value *min = &bounds->min;
    const struct value *max = &bounds->max;
    switch (test->kind) {
    case TEST_RANGE:
        return range_overlaps(test, min, max);
    case TEST_SET:
        return test->negate || set_overlaps(set_for(test, min->type), min, max);
    case TEST_TEXT_RANGE:
        return text_range_overlaps(test, min->bytes, max->bytes);
    case TEST_TEXT_SET:
        return text_set_overlaps(test, min->bytes, max->bytes);
    case TEST_LIKE:
        return test->like.shape == LIKE_SUFFIX || test->like.shape == LIKE_CONTAINS ||
               prefix_overlaps(test->like.text, min->bytes, max->bytes);
    default:
        return true;
    }
}

bool bound_filter_may_match(const struct bound_filter *bound, uint32_t index,
                            const struct column_bounds *bounds)
{
    const struct predicate *predicate = &bound->predicates[index];
    bool json = predicate->type == TYPE_JSON;
    bool fits =
        bounds->has_range && !json && bounds->min.type == bounds->max.type &&
        !bounds->min.is_null && !bounds->max.is_null &&
        (bounds->min.type == predicate->type || type_can_widen(bounds->min.type, predicate->type));
    for (uint32_t t = 0; t < predicate->tests_len; t++) {
        const struct test *test = &predicate->tests[t];
        if (test->kind == TEST_NEVER)
            return false;
        if (test->kind == TEST_NULL) { /* a JSON null is a value to storage */
            if (bounds->known_nulls && bounds->nulls == 0 && !json)
                return false;
            continue;
        }
        if (bounds->known_nulls && bounds->nulls == bounds->rows)
            return false;
        if (fits && !test_may_match(test, bounds))
            return false;
    }
    return true;
}

static struct value value_of_bits(enum type type, uint64_t bits)
{
    struct value value = {.type = type};
    if (type == TYPE_DOUBLE)
        memcpy(&value.real, &bits, sizeof bits);
    else if (type == TYPE_BOOL)
        value.boolean = bits != 0;
    else
        value.int64 = (int64_t)bits;
    return value;
}

static int32_t set_points(const struct test *test, enum type type, struct value *ret)
{
    const struct set64 *set = set_for(test, type);
    if (set->len > BOUND_POINTS_MAX)
        return -1;
    int32_t n = 0;
    for (uint32_t i = 0; i <= set->mask; i++)
        if (set->slots[i])
            ret[n++] = value_of_bits(type, set->slots[i]);
    if (set->has_zero)
        ret[n++] = value_of_bits(type, 0);
    return n;
}

static int32_t range_points(const struct test *test, enum type type, struct value *ret)
{
    const struct number_range *r = &test->range;
    if (type == TYPE_DOUBLE) {
        *ret = (struct value){.type = type, .real = r->real_lo};
        return r->real_lo == r->real_hi ? 1 : r->real_lo > r->real_hi ? 0 : -1;
    }
    int64_t lo = type == TYPE_DATE ? r->day_lo : r->int_lo;
    int64_t hi = type == TYPE_DATE ? r->day_hi : r->int_hi;
    *ret = value_of_bits(type, (uint64_t)lo);
    return lo == hi ? 1 : lo > hi ? 0 : -1;
}

static int32_t text_points(const struct test *test, struct value *ret)
{
    if (test->kind == TEST_TEXT_RANGE) {
        *ret = (struct value){.type = TYPE_STRING, .bytes = test->lo};
        return test->has_lo && test->has_hi ? 1 : -1;
    }
    if (test->literals_len > BOUND_POINTS_MAX)
        return -1;
    int32_t n = 0;
    for (uint32_t i = 0; i <= test->set.mask; i++)
        if (test->set.slots[i])
            ret[n++] = (struct value){.type = TYPE_STRING,
                                      .bytes = test->literals[test->set.slots[i] - 1].text};
    return n;
}

int32_t bound_filter_points(const struct bound_filter *bound, uint32_t index, enum type physical,
                            struct value *ret_values)
{
    const struct predicate *predicate = &bound->predicates[index];
    if (predicate->type == TYPE_JSON || predicate->column < 0)
        return -1;
    for (uint32_t t = 0; t < predicate->tests_len; t++) {
        const struct test *test = &predicate->tests[t];
        int32_t n = -1;
        if (test->negate)
            continue;
        if (test->kind == TEST_RANGE)
            n = range_points(test, physical, ret_values);
        else if (test->kind == TEST_SET)
            n = set_points(test, physical, ret_values);
        else if (test->kind == TEST_TEXT_RANGE || test->kind == TEST_TEXT_SET)
            n = text_points(test, ret_values);
        if (n >= 0)
            return n;
    }
    return -1;
}

static void raise_lo(struct value_range *range, struct value lo)
{
    if (!range->has_lo || value_compare(&lo, &range->lo) > 0)
        range->lo = lo;
    range->has_lo = true;
}

/* Of a prefix and a text the smaller one counts; either is a bound. */
static void lower_hi(struct value_range *range, struct value hi, bool is_prefix)
{
    if (range->has_hi && value_compare(&hi, &range->hi) >= 0)
        return;
    range->hi = hi;
    range->hi_is_prefix = is_prefix;
    range->has_hi = true;
}

static void narrow_numbers(const struct test *test, enum type type, struct value_range *range)
{
    const struct number_range *r = &test->range;
    if (type == TYPE_DOUBLE) {
        raise_lo(range, (struct value){.type = type, .real = r->real_lo});
        lower_hi(range, (struct value){.type = type, .real = r->real_hi}, false);
        return;
    }
    int64_t lo = type == TYPE_DATE ? r->day_lo : r->int_lo;
    int64_t hi = type == TYPE_DATE ? r->day_hi : r->int_hi;
    raise_lo(range, value_of_bits(type, (uint64_t)lo));
    lower_hi(range, value_of_bits(type, (uint64_t)hi), false);
}

static void narrow_texts(const struct test *test, struct value_range *range)
{
    struct value value = {.type = TYPE_STRING, .bytes = test->lo};
    if (test->kind == TEST_LIKE) {
        value.bytes = test->like.text;
        if (test->like.shape == LIKE_SUFFIX || test->like.shape == LIKE_CONTAINS ||
            value.bytes.len == 0)
            return;
        raise_lo(range, value);
        lower_hi(range, value, true);
        return;
    }
    if (test->has_lo)
        raise_lo(range, value);
    value.bytes = test->hi;
    if (test->has_hi)
        lower_hi(range, value, false);
}

bool bound_filter_range(const struct bound_filter *bound, uint32_t index, enum type physical,
                        struct value_range *ret)
{
    const struct predicate *predicate = &bound->predicates[index];
    *ret = (struct value_range){0};
    if (predicate->type == TYPE_JSON || physical == TYPE_BOOL || predicate->column < 0)
        return false;
    for (uint32_t t = 0; t < predicate->tests_len; t++) {
        const struct test *test = &predicate->tests[t];
        if (test->negate)
            continue;
        if (test->kind == TEST_RANGE)
            narrow_numbers(test, physical, ret);
        else if (test->kind == TEST_TEXT_RANGE || test->kind == TEST_LIKE)
            narrow_texts(test, ret);
    }
    return ret->has_lo || ret->has_hi;
}

bool bound_filter_is_range(const struct bound_filter *bound, uint32_t index)
{
    const struct predicate *predicate = &bound->predicates[index];
    bool plain = predicate->type != TYPE_JSON && predicate->type != TYPE_BOOL;
    for (uint32_t t = 0; t < predicate->tests_len && plain; t++) {
        const struct test *test = &predicate->tests[t];
        plain = !test->negate && (test->kind == TEST_RANGE || (test->kind == TEST_TEXT_RANGE &&
                                                               !test->lo_open && !test->hi_open));
    }
    return plain;
}

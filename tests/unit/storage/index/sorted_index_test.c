/* sorted_index_test.c: ranges against a plain loop over the values, for every type, with nulls,
 * equal values, long and shared texts; every flipped bit is found or changes nothing. */
#include "unit/storage/fixture.h"

#include "storage/index/sorted_index.h"
#include "storage/table/partition.h"

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 16) % n);
}

static void random_text(char out[200])
{
    static const char *const parts[] = {"a",
                                        "b",
                                        "/usr/share/doc/",
                                        "\xc3\xa9",
                                        "\xf0\x9f\x98\x80",
                                        "z",
                                        "0123456789abcdef0123456789abcdef0123456789abcdef"};
    out[0] = 0;
    for (uint32_t n = random_below(6); n > 0; n--)
        strcat(out, parts[random_below(7)]);
}

/* `hold` keeps the text. */
static struct value random_value(enum type type, char hold[200])
{
    struct value value = {.type = type};
    static const double reals[] = {0.0, -0.0, 1.5, -2.5, 1e300, -1e300, 5e-324, 42, 1e18};
    static const int64_t ints[] = {INT64_MIN, INT64_MAX, 0, -1, 1};
    switch (type) {
    case TYPE_BOOL:
        value.boolean = random_below(2);
        break;
    case TYPE_DOUBLE:
        value.real = random_below(2) ? reals[random_below(9)] : (double)random_below(1000) - 500;
        break;
    case TYPE_STRING:
        random_text(hold);
        value.bytes = str_of(hold);
        break;
    case TYPE_DATE:
        value.int64 = (int64_t)random_below(2000) - 1000;
        break;
    default:
        value.int64 = random_below(8) ? (int64_t)random_below(3000) : ints[random_below(5)];
    }
    return value;
}

struct made {
    char dir[256], path[300];
    struct column column;
    struct sorted_index index;
};

static void make(struct made *made, enum type type, uint32_t rows)
{
    struct sys_file *file;
    uint64_t bytes;
    char hold[200];
    uint32_t *order = malloc((rows + 1) * sizeof *order), len = 0;
    assert_non_null(order);
    fixture_dir(made->dir);
    snprintf(made->path, sizeof made->path, "%s/x.sorted", made->dir);
    column_init(&made->column, type);
    for (uint32_t i = 0; i < rows; i++) {
        struct value value = random_value(type, hold);
        if (random_below(7) == 0) {
            assert_int_equal(column_append_null(&made->column), STATUS_OK);
            continue;
        }
        assert_int_equal(column_append_value(&made->column, &value), STATUS_OK);
        order[len++] = i;
    }
    assert_ok(order_by_column(&made->column, order, len, &test_err));
    assert_ok(sorted_index_write(sys_posix(), made->path, 7, &made->column, order, len, &file,
                                 &bytes, &test_err));
    sys_close(sys_posix(), file);
    free(order);
    assert_ok(sorted_index_open(sys_posix(), made->path, 7, rows, type, &made->index, &test_err));
    assert_int_equal(made->index.map.len, bytes);
    assert_int_equal(made->index.entries_len, len);
}

static void unmake(struct made *made)
{
    sorted_index_close(sys_posix(), &made->index);
    column_release(&made->column);
    fixture_remove(made->dir);
}

static bool is_inside(const struct value *value, const struct value_range *range)
{
    if (value->is_null || (range->has_lo && value_compare(value, &range->lo) < 0))
        return false;
    if (!range->has_hi)
        return true;
    return value_compare(value, &range->hi) <= 0 ||
           (range->hi_is_prefix && str_starts(value->bytes, range->hi.bytes));
}

/* All rows of the range are found, ascending; of numbers no others. */
static void check(const struct made *made, const struct value_range *range)
{
    uint64_t *rows;
    uint32_t len, at = 0, extra = 0;
    assert_ok(sorted_index_lookup(&made->index, range, UINT32_MAX, &rows, &len, &test_err));
    for (uint32_t row = 0; row < made->column.rows; row++) {
        struct value value = value_of_column(&made->column, row);
        bool found = at < len && rows[at] == row;
        at += found;
        if (is_inside(&value, range))
            assert_true(found);
        else
            extra += found;
    }
    assert_int_equal(at, len);
    if (!type_is_bytes(made->column.type))
        assert_int_equal(extra, 0);
    free(rows);
    if (len > 0) {
        assert_ok(sorted_index_lookup(&made->index, range, len - 1, &rows, &len, &test_err));
        assert_null(rows);
        assert_true(len > 0);
    }
}

static void test_ranges(void **state)
{
    static const enum type types[] = {TYPE_BOOL,   TYPE_INT64, TYPE_DOUBLE,
                                      TYPE_STRING, TYPE_DATE,  TYPE_TIMESTAMP};
    static const uint32_t sizes[] = {0, 1, 5, 256, 257, 5000};
    (void)state;
    seed = 88172645463325252u;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            struct made made;
            make(&made, types[t], sizes[s]);
            for (int i = 0; i < 120; i++) {
                char lo[200], hi[200];
                struct value_range range = {.has_lo = random_below(4), .has_hi = random_below(4)};
                range.lo = random_value(types[t], lo);
                range.hi = random_value(types[t], hi);
                if (types[t] == TYPE_STRING && random_below(2)) {
                    range.hi = range.lo;
                    range.hi_is_prefix = true;
                }
                check(&made, &range);
            }
            unmake(&made);
        }
    }
}

/* Every value of the range that comes before the worst one found is among those found. */
static void check_first(const struct made *made, const struct value_range *range, uint32_t count,
                        bool descending)
{
    struct sorted_first first;
    uint32_t at = 0, inside = 0, found_inside = 0, better = 0;
    struct value worst = {.is_null = true};
    assert_ok(
        sorted_index_first(&made->index, range, descending, count, UINT32_MAX, &first, &test_err));
    assert_true(first.used);
    for (int pass = 0; pass < 2; pass++) {
        at = inside = found_inside = 0;
        for (uint32_t row = 0; row < made->column.rows; row++) {
            struct value value = value_of_column(&made->column, row);
            bool found = at < first.len && first.rows[at] == row;
            at += found;
            if (!is_inside(&value, range))
                continue;
            int order = worst.is_null ? 1 : value_compare(&value, &worst);
            order = descending ? -order : order;
            inside++;
            found_inside += found;
            if (pass == 0 && found && (worst.is_null || order > 0))
                worst = value;
            if (pass == 1 && !found && order < 0)
                better++; /* than the worst that was found */
            if (pass == 1 && !found && order == 0 && descending)
                better++;
        }
        assert_int_equal(at, first.len);
    }
    assert_int_equal(better, 0);
    assert_true(found_inside >= (inside < count ? inside : count));
    if (first.enough)
        assert_true(inside >= count);
    else
        assert_int_equal(found_inside, inside);
    free(first.rows);
    assert_ok(sorted_index_first(&made->index, range, descending, count, 0, &first, &test_err));
    assert_null(first.rows);
}

static void test_first(void **state)
{
    static const enum type types[] = {TYPE_INT64, TYPE_DOUBLE, TYPE_STRING};
    (void)state;
    seed = 4101842887655102017u;
    for (int t = 0; t < 6; t++) {
        struct made made;
        make(&made, types[t % 3], t < 3 ? 300 : 3000);
        for (int i = 0; i < 200; i++) {
            char lo[200], hi[200];
            struct value_range range = {.has_lo = random_below(3), .has_hi = random_below(3)};
            range.lo = random_value(types[t % 3], lo);
            range.hi = random_value(types[t % 3], hi);
            if (t % 3 == 2 && random_below(2)) {
                range.hi = range.lo;
                range.hi_is_prefix = true;
            }
            check_first(&made, &range, 1 + random_below(random_below(4) ? 20 : 700),
                        random_below(2));
        }
        unmake(&made);
    }
}

static void test_damage(void **state)
{
    (void)state;
    struct made made;
    seed = 7;
    make(&made, TYPE_STRING, 900);
    size_t len = made.index.map.len;
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, made.index.map.data, len);
    const uint8_t *texts_end =
        copy + (made.index.texts - (const uint8_t *)made.index.map.data) + made.index.texts_len;
    uint32_t pad = (8 - made.index.texts_len % 8) % 8;
    for (size_t bit = 0; bit < len * 8; bit += 1 + random_below(40)) {
        struct sorted_index index;
        struct sorted_page page;
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool sound = sorted_index_read((struct slice){copy, len}, 7, 900, TYPE_STRING, &index);
        uint32_t bad = 0;
        for (uint32_t p = 0; sound && p < index.pages_len; p++)
            bad += sorted_index_page(&index, p, &page, NULL) != STATUS_OK;
        const uint8_t *at = copy + bit / 8; /* behind the texts and at the end nothing is read */
        bool padding = bit / 8 >= len - 8 || (at >= texts_end && at < texts_end + pad);
        assert_true(padding ? sound && bad == 0 : !sound || bad == 1);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut += 13) {
        struct sorted_index index;
        assert_false(sorted_index_read((struct slice){copy, cut}, 7, 900, TYPE_STRING, &index));
    }
    struct sorted_index index;
    assert_false(sorted_index_read((struct slice){copy, len}, 8, 900, TYPE_STRING, &index));
    assert_false(sorted_index_read((struct slice){copy, len}, 7, 901, TYPE_STRING, &index));
    assert_false(sorted_index_read((struct slice){copy, len}, 7, 900, TYPE_INT64, &index));
    free(copy);
    unmake(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

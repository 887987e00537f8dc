/* hash_index_test.c: every row is found, no flipped bit is used, and nothing outside is read. */
#include "unit/storage/fixture.h"

#include "storage/index/hash_index.h"
#include "sys/sim/sim.h"

static struct sys_file *write_index(struct sys *sys, const struct column *column, uint32_t rows,
                                    uint64_t *ret_bytes)
{
    struct sys_file *file;
    uint64_t entries;
    uint32_t *order = malloc((rows + 1) * 4);
    for (uint32_t i = 0; i < rows; i++)
        order[i] = rows - 1 - i; /* row i of the file is the column's row rows - 1 - i */
    assert_ok(
        hash_index_write(sys, "i", 9, column, order, rows, &file, &entries, ret_bytes, &test_err));
    assert_int_equal(entries, rows - column->nulls);
    free(order);
    return file;
}

static void test_lookup(void **state)
{
    (void)state;
    struct sim *sim;
    struct column column;
    struct hash_index index;
    uint64_t bytes;
    enum { ROWS = 20000, EACH = 4 };
    assert_ok(sim_new(1, &sim, &test_err));
    column_init(&column, TYPE_INT64);
    for (int64_t i = 0; i < ROWS; i++)
        assert_int_equal(i % 100 == 99 ? column_append_null(&column)
                                       : column_append_int64(&column, i / EACH),
                         STATUS_OK);
    sys_close(sim_sys(sim), write_index(sim_sys(sim), &column, ROWS, &bytes));
    assert_ok(hash_index_open(sim_sys(sim), "i", 9, ROWS, &index, &test_err));
    for (int64_t key = 0; key < ROWS / EACH + 100; key++) {
        struct value value = {.type = TYPE_INT64, .int64 = key};
        uint64_t *rows;
        uint32_t len, found = 0, expected = 0;
        for (int64_t i = key * EACH; i < (key + 1) * EACH && i < ROWS; i++)
            expected += i % 100 != 99;
        assert_ok(
            hash_index_lookup(&index, value_hash(&value), UINT64_MAX, &rows, &len, &test_err));
        for (uint32_t i = 0; i < len; i++) {
            assert_true(i == 0 || rows[i - 1] < rows[i]);
            uint32_t row = ROWS - 1 - (uint32_t)rows[i];
            found += !column_is_null(&column, row) && column_int64(&column, row) == key;
        }
        assert_int_equal(found, expected);
        free(rows);
    }
    hash_index_close(sim_sys(sim), &index);
    assert_int_equal(hash_index_open(sim_sys(sim), "i", 8, ROWS, &index, &test_err),
                     STATUS_CORRUPT);
    assert_int_equal(hash_index_open(sim_sys(sim), "i", 9, ROWS + 1, &index, &test_err),
                     STATUS_CORRUPT);
    column_release(&column);
    sim_free(sim);
}

static void test_every_flip_is_seen(void **state)
{
    (void)state;
    struct sim *sim;
    struct column column;
    struct hash_index index;
    uint64_t bytes;
    assert_ok(sim_new(1, &sim, &test_err));
    column_init(&column, TYPE_STRING);
    for (int i = 0; i < 20; i++)
        assert_int_equal(column_append_bytes(&column, STR("same")), STATUS_OK);
    sys_close(sim_sys(sim), write_index(sim_sys(sim), &column, 20, &bytes));
    for (uint64_t bit = 0; bit < bytes * 8; bit++) {
        assert_ok(sim_flip_bit(sim, "i", bit, &test_err));
        assert_int_equal(hash_index_open(sim_sys(sim), "i", 9, 20, &index, &test_err),
                         STATUS_CORRUPT);
        assert_ok(sim_flip_bit(sim, "i", bit, &test_err));
    }
    assert_ok(hash_index_open(sim_sys(sim), "i", 9, 20, &index, &test_err));
    uint64_t *rows;
    uint32_t len;
    struct value value = {.type = TYPE_STRING, .bytes = STR("same")};
    assert_ok(hash_index_lookup(&index, value_hash(&value), UINT64_MAX, &rows, &len, &test_err));
    assert_int_equal(len, 20);
    free(rows);
    hash_index_close(sim_sys(sim), &index);
    column_release(&column);
    sim_free(sim);
}

/* --- many shapes --- */

enum { SHAPE_ROWS = 30000, SHAPES = 6 };

static uint64_t shape_state = 77;

static uint64_t random64(void)
{
    shape_state ^= shape_state << 13;
    shape_state ^= shape_state >> 7;
    shape_state ^= shape_state << 17;
    return shape_state * UINT64_C(0x9E3779B97F4A7C15);
}

/* The hash of a row: unique ones, runs, few, one, skewed, and ones that share all kept bits. */
static uint64_t hash_of(int shape, uint32_t row)
{
    static const uint64_t mix = UINT64_C(0xD6E8FEB86659FD93);
    switch (shape) {
    case 0:
        return (row + 1) * mix;
    case 1:
        return (row / 100 + 1) * mix;
    case 2:
        return (random64() % 10 + 1) * mix;
    case 3:
        return mix;
    case 4:
        return (row % 3 ? row + 1 : 7) * mix;
    default:
        return mix + (row % 50);
    }
}

struct shape {
    struct hash_pair *pairs;
    uint32_t len;
    uint64_t rows;
    const struct hash_index *index;
    uint64_t seen, groups;
};

static enum status see_group(void *context, uint64_t key, const uint64_t *rows, uint32_t len,
                             struct error *err)
{
    struct shape *shape = context;
    (void)err;
    assert_true(len > 0);
    for (uint32_t i = 0; i < len; i++) {
        assert_true(rows[i] < shape->rows && (i == 0 || rows[i - 1] < rows[i]));
        uint64_t hash = hash_of(0, 0);
        for (uint32_t low = 0, high = shape->len; low < high;) {
            uint32_t middle = low + (high - low) / 2;
            if (shape->pairs[middle].row < rows[i])
                low = middle + 1;
            else
                high = middle;
            hash = shape->pairs[low < shape->len ? low : 0].hash;
        }
        assert_int_equal(hash_index_key(shape->index, hash), key);
        assert_int_equal(hash_index_key_tag(shape->index, key), hash_index_tag(hash));
    }
    shape->seen += len;
    shape->groups++;
    return STATUS_OK;
}

/* A look-up of any pair's hash gives its row, ascending, in the number that a visit says. */
static void check_lookups(const struct shape *shape)
{
    for (int i = 0; i < 300; i++) {
        const struct hash_pair *pair = &shape->pairs[random64() % shape->len];
        uint64_t *rows;
        uint32_t len, more;
        bool found = false;
        assert_ok(hash_index_lookup(shape->index, pair->hash, UINT64_MAX, &rows, &len, &test_err));
        for (uint32_t k = 0; k < len; k++)
            found |= rows[k] == pair->row;
        assert_true(found);
        free(rows);
        assert_ok(hash_index_lookup(shape->index, pair->hash, len - 1, &rows, &more, &test_err));
        assert_null(rows);
        assert_int_equal(more, len);
        assert_ok(hash_index_lookup(shape->index, random64(), UINT64_MAX, &rows, &len, &test_err));
        free(rows);
    }
}

static void test_shapes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 17, 1000, SHAPE_ROWS};
    static const double most[SHAPES] = {4, 0.5, 1, 0.3, 3, 0.3}; /* bytes a row */
    for (int kind = 0; kind < SHAPES; kind++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            struct hash_index index;
            struct sys_file *file;
            struct sim *sim;
            uint64_t bytes;
            struct shape shape = {.len = sizes[s], .rows = sizes[s] * UINT64_C(2)};
            shape.pairs = malloc(shape.len * sizeof *shape.pairs);
            assert_non_null(shape.pairs);
            for (uint32_t i = 0; i < shape.len; i++) /* every other row is null */
                shape.pairs[i] = (struct hash_pair){hash_of(kind, i), 2 * i + 1};
            assert_ok(sim_new(1, &sim, &test_err));
            assert_ok(hash_index_write_pairs(sim_sys(sim), "i", 3, shape.pairs, shape.len,
                                             shape.rows, &file, &bytes, &test_err));
            sys_close(sim_sys(sim), file);
            assert_ok(hash_index_open(sim_sys(sim), "i", 3, shape.rows, &index, &test_err));
            assert_true(hash_index_is_current(sim_sys(sim), "i"));
            assert_int_equal(index.map.len, bytes);
            assert_int_equal(index.entries_len, shape.len);
            shape.index = &index;
            assert_ok(hash_index_visit(&index, see_group, &shape, &test_err));
            assert_int_equal(shape.seen, shape.len);
            assert_int_equal(shape.groups, index.groups_len);
            check_lookups(&shape);
            if (shape.len == SHAPE_ROWS)
                assert_true((double)bytes / SHAPE_ROWS < most[kind]);
            hash_index_close(sim_sys(sim), &index);
            sim_free(sim);
            free(shape.pairs);
        }
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct hash_index index;
    struct sys_file *file;
    struct sim *sim;
    uint64_t bytes, *rows;
    uint32_t len;
    assert_ok(sim_new(1, &sim, &test_err));
    for (uint64_t segment_rows = 0; segment_rows < 3; segment_rows++) {
        assert_ok(hash_index_write_pairs(sim_sys(sim), "i", 3, NULL, 0, segment_rows, &file, &bytes,
                                         &test_err));
        sys_close(sim_sys(sim), file);
        assert_ok(hash_index_open(sim_sys(sim), "i", 3, segment_rows, &index, &test_err));
        assert_ok(hash_index_lookup(&index, 5, UINT64_MAX, &rows, &len, &test_err));
        assert_int_equal(len, 0);
        hash_index_close(sim_sys(sim), &index);
    }
    sim_free(sim);
}

/* Any damage that a checksum would not show: reading stays inside, and ends. */
static void test_wild_bits(void **state)
{
    (void)state;
    struct hash_index index;
    struct sys_file *file;
    struct sim *sim;
    uint64_t bytes;
    struct hash_pair pairs[400];
    for (uint32_t i = 0; i < 400; i++)
        pairs[i] = (struct hash_pair){hash_of(i < 200 ? 0 : 2, i), i};
    assert_ok(sim_new(1, &sim, &test_err));
    assert_ok(
        hash_index_write_pairs(sim_sys(sim), "i", 3, pairs, 400, 400, &file, &bytes, &test_err));
    sys_close(sim_sys(sim), file);
    assert_ok(hash_index_open(sim_sys(sim), "i", 3, 400, &index, &test_err));
    uint64_t used = index.directory[UINT64_C(1) << index.bucket_bits];
    uint8_t *copy = malloc(used + HASH_INDEX_SLACK);
    assert_non_null(copy);
    struct hash_index wild = index;
    wild.buckets = copy;
    for (int round = 0; round < 3000; round++) {
        memcpy(copy, index.buckets, used + HASH_INDEX_SLACK);
        for (int flips = 0; flips < 1 + round % 4; flips++)
            copy[random64() % used] ^= (uint8_t)(1u << (random64() % 8));
        for (int i = 0; i < 10; i++) {
            uint64_t *rows;
            uint32_t len;
            if (hash_index_lookup(&wild, pairs[random64() % 400].hash, UINT64_MAX, &rows, &len,
                                  NULL) == STATUS_OK)
                free(rows);
        }
    }
    free(copy);
    hash_index_close(sim_sys(sim), &index);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),    cmocka_unit_test(test_every_flip_is_seen),
        cmocka_unit_test(test_shapes),    cmocka_unit_test(test_empty),
        cmocka_unit_test(test_wild_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

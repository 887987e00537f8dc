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
        assert_ok(hash_index_lookup(&index, value_hash(&value), &rows, &len, &test_err));
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
    assert_ok(hash_index_lookup(&index, value_hash(&value), &rows, &len, &test_err));
    assert_int_equal(len, 20);
    free(rows);
    hash_index_close(sim_sys(sim), &index);
    column_release(&column);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_every_flip_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

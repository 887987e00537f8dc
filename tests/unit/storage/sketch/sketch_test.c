/* Sketches: counts near the truth, a sample that is fair, merging, the file and damage to it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage/sketch/hll.h"
#include "storage/sketch/sketch.h"

static const struct field fields[] = {{STR("n"), TYPE_INT64, 1}, {STR("s"), TYPE_STRING, 2}};

/* n: from, from + 1, ...; s: "k" and n % modulus, null for every tenth. */
static struct batch *make_rows(int64_t from, uint32_t count, int64_t modulus)
{
    struct batch *batch = batch_new();
    uint32_t n, s;
    assert_int_equal(batch_add_column(batch, STR("n"), TYPE_INT64, &n), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("s"), TYPE_STRING, &s), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "k%lld", (long long)((from + i) % modulus));
        column_append_int64(&batch->columns[n].column, from + i);
        if (i % 10 == 9)
            column_append_null(&batch->columns[s].column);
        else
            column_append_bytes(&batch->columns[s].column, str_of(text));
    }
    assert_int_equal(batch_set_rows(batch, count), STATUS_OK);
    return batch;
}

static struct sketch *sketch_of(int64_t from, uint32_t count, int64_t modulus)
{
    struct sketch *sketch = sketch_new((uint64_t)from + 7);
    struct batch *batch = make_rows(from, count, modulus);
    assert_int_equal(sketch_add(sketch, batch, fields, 2, NULL), STATUS_OK);
    batch_unref(batch);
    return sketch;
}

static void test_hll_is_near(void **state)
{
    (void)state;
    static uint8_t registers[HLL_REGISTERS];
    assert_true(hll_estimate(registers) == 0);
    uint64_t n = 0, checks[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        for (; n < checks[i]; n++)
            hll_add(registers, str_hash(str_make((const char *)&n, sizeof n)));
        double off = fabs(hll_estimate(registers) / (double)n - 1);
        assert_true(off < 0.05);
    }
}

static void test_small_is_whole(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_of(0, 1000, 7);
    assert_int_equal(sketch_rows(sketch), 1000);
    assert_int_equal(sketch_sample(sketch)->rows, 1000);
    assert_true(fabs(sketch_distinct(sketch, STR("n")) - 1000) < 20);
    assert_true(fabs(sketch_distinct(sketch, STR("s")) - 7) < 0.1);
    assert_true(sketch_distinct(sketch, STR("other")) < 0);
    sketch_unref(sketch);
}

static void test_merging_is_fair(void **state)
{
    (void)state;
    struct sketch *all = NULL;
    for (int64_t part = 0; part < 20; part++) {
        struct sketch *one = sketch_of(part * 10000, 10000, 1000), *both = NULL;
        assert_int_equal(sketch_merged(all, one, &both, NULL), STATUS_OK);
        sketch_unref(all);
        sketch_unref(one);
        all = both;
    }
    const struct batch *sample = sketch_sample(all);
    assert_int_equal(sketch_rows(all), 200000);
    assert_int_equal(sample->rows, SKETCH_SAMPLE_ROWS);
    uint32_t low = 0;
    for (uint32_t i = 0; i < sample->rows; i++)
        low += column_int64(&sample->columns[0].column, i) < 50000;
    assert_true(low > 2300 && low < 2700); /* a quarter; 4.6 standard deviations */
    assert_true(fabs(sketch_distinct(all, STR("n")) / 200000 - 1) < 0.06);
    assert_true(fabs(sketch_distinct(all, STR("s")) / 900 - 1) < 0.06);
    assert_true(sketch_memory(all) < 2u << 20);
    sketch_unref(all);
}

static void test_large_rows_make_a_smaller_sample(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new(3), *cut = NULL;
    struct batch *batch = batch_new();
    static char text[20000];
    uint32_t s;
    memset(text, 'x', sizeof text);
    assert_int_equal(batch_add_column(batch, STR("s"), TYPE_STRING, &s), STATUS_OK);
    for (int i = 0; i < 3000; i++)
        column_append_bytes(&batch->columns[s].column, str_make(text, sizeof text));
    assert_int_equal(batch_set_rows(batch, 3000), STATUS_OK);
    assert_int_equal(sketch_add(sketch, batch, fields, 2, NULL), STATUS_OK);
    assert_int_equal(sketch_merged(NULL, sketch, &cut, NULL), STATUS_OK);
    assert_true(sketch_sample(cut)->rows > 20 && sketch_sample(cut)->rows < 200);
    batch_unref(batch);
    sketch_unref(sketch);
    sketch_unref(cut);
}

static void test_columns_must_fit(void **state)
{
    (void)state;
    static const struct field renamed[] = {{STR("m"), TYPE_INT64, 1}, {STR("s"), TYPE_STRING, 2}};
    static const struct field more[] = {{STR("s"), TYPE_STRING, 2},
                                        {STR("n"), TYPE_DOUBLE, 1 + FIELD_ID_STEP},
                                        {STR("x"), TYPE_BOOL, 3}};
    struct sketch *sketch = sketch_of(0, 10, 3);
    assert_true(sketch_fits(sketch, fields, 2));
    assert_true(sketch_fits(sketch, more, 3));
    assert_false(sketch_fits(sketch, renamed, 2));
    assert_false(sketch_fits(sketch, fields, 1));
    sketch_unref(sketch);
}

static void test_file(void **state)
{
    (void)state;
    char path[64];
    struct sys *sys = sys_posix();
    struct sketch *sketch = sketch_of(0, 300, 5), *back = NULL;
    struct buf bytes;
    snprintf(path, sizeof path, "/tmp/sketch_test.%d", (int)getpid());
    buf_init(&bytes, 1 << 20);
    assert_int_equal(sketch_write(sketch, sys, path, NULL), STATUS_OK);
    assert_int_equal(sketch_read(sys, path, &back, NULL), STATUS_OK);
    assert_int_equal(sketch_rows(back), 300);
    assert_int_equal(sketch_sample(back)->rows, 300);
    assert_true(sketch_distinct(back, STR("s")) == sketch_distinct(sketch, STR("s")));
    assert_true(sketch_fits(back, fields, 2));
    sketch_unref(back);
    assert_int_equal(sys_read_file(sys, path, &bytes, NULL), STATUS_OK);
    for (size_t cut = 0; cut < bytes.len; cut += 97) {
        char kept = bytes.data[cut];
        bytes.data[cut] ^= 0x10;
        sys_replace_file(sys, path, (struct slice){bytes.data, bytes.len}, NULL);
        assert_int_equal(sketch_read(sys, path, &back, NULL), STATUS_CORRUPT);
        bytes.data[cut] = kept;
        sys_replace_file(sys, path, (struct slice){bytes.data, cut}, NULL);
        assert_int_equal(sketch_read(sys, path, &back, NULL), STATUS_CORRUPT);
    }
    unlink(path);
    assert_int_equal(sketch_read(sys, path, &back, NULL), STATUS_NOT_FOUND);
    buf_release(&bytes);
    sketch_unref(sketch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hll_is_near),
        cmocka_unit_test(test_small_is_whole),
        cmocka_unit_test(test_merging_is_fair),
        cmocka_unit_test(test_large_rows_make_a_smaller_sample),
        cmocka_unit_test(test_columns_must_fit),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

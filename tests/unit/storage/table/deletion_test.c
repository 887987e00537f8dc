/* Sets of deleted rows: exact as numbers and as bitmaps, through a file, and damaged files. */
#include "storage/table/deletion.h"

#include "tests/unit/storage/fixture.h"

static struct deletion *make(uint64_t segment_rows, const uint64_t *rows, uint32_t len)
{
    struct deletion_builder builder;
    struct deletion *deletion = NULL;
    deletion_builder_init(&builder, segment_rows);
    for (uint32_t i = 0; i < len; i++)
        assert_ok(deletion_builder_add(&builder, rows[i], &test_err));
    assert_ok(deletion_builder_finish(&builder, &deletion, &test_err));
    return deletion;
}

/* Every n-th row. */
static struct deletion *make_every(uint64_t segment_rows, uint64_t n)
{
    struct deletion_builder builder;
    struct deletion *deletion = NULL;
    deletion_builder_init(&builder, segment_rows);
    for (uint64_t row = 0; row < segment_rows; row += n)
        assert_ok(deletion_builder_add(&builder, row, &test_err));
    assert_ok(deletion_builder_finish(&builder, &deletion, &test_err));
    return deletion;
}

static void assert_every(const struct deletion *deletion, uint64_t segment_rows, uint64_t n)
{
    assert_int_equal(deletion_count(deletion), (segment_rows + n - 1) / n);
    for (uint64_t row = 0; row < segment_rows; row++) {
        assert_int_equal(deletion_has(deletion, row), row % n == 0);
        uint64_t next = (row + n - 1) / n * n;
        assert_int_equal(deletion_next(deletion, row), next < segment_rows ? next : UINT64_MAX);
    }
    assert_false(deletion_has(deletion, segment_rows));
    assert_int_equal(deletion_next(deletion, segment_rows), UINT64_MAX);
}

static void test_rows(void **state)
{
    (void)state;
    const uint64_t rows[] = {7, 3, 99, 3, 7, 0};
    struct deletion *deletion = make(100, rows, 6);
    assert_int_equal(deletion_count(deletion), 4);
    assert_true(deletion_has(deletion, 0) && deletion_has(deletion, 3));
    assert_true(deletion_has(deletion, 7) && deletion_has(deletion, 99));
    assert_false(deletion_has(deletion, 8));
    assert_int_equal(deletion_next(deletion, 8), 99);
    deletion_unref(deletion);
    assert_null(make(100, NULL, 0));
    assert_int_equal(deletion_count(NULL), 0);
    assert_false(deletion_has(NULL, 0));
    assert_int_equal(deletion_next(NULL, 0), UINT64_MAX);
}

static void test_bad_row(void **state)
{
    (void)state;
    struct deletion_builder builder;
    deletion_builder_init(&builder, 10);
    assert_int_equal(deletion_builder_add(&builder, 10, &test_err), STATUS_CORRUPT);
    assert_string_equal(test_err.message, "row 10 of 10 cannot be deleted");
    deletion_builder_release(&builder);
}

static void test_sparse_and_dense(void **state)
{
    (void)state;
    static const uint64_t steps[] = {1, 2, 31, 32, 33, 100, 5000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct deletion *deletion = make_every(10007, steps[i]);
        assert_every(deletion, 10007, steps[i]);
        deletion_unref(deletion);
    }
}

static void test_add_all(void **state)
{
    (void)state;
    struct deletion *a = make_every(1000, 2), *b = make_every(1000, 90), *both = NULL;
    struct deletion_builder builder;
    deletion_builder_init(&builder, 2000);
    assert_ok(deletion_builder_add_all(&builder, a, 0, &test_err));
    assert_ok(deletion_builder_add_all(&builder, b, 1000, &test_err));
    assert_ok(deletion_builder_add_all(&builder, NULL, 0, &test_err));
    assert_ok(deletion_builder_finish(&builder, &both, &test_err));
    assert_int_equal(deletion_count(both), 500 + 12);
    assert_true(deletion_has(both, 998) && deletion_has(both, 1000) && deletion_has(both, 1090));
    assert_false(deletion_has(both, 1002));
    deletion_unref(a);
    deletion_unref(b);
    deletion_unref(both);
}

static struct deletion *write_file(const char *dir, struct deletion *from, uint64_t id)
{
    struct deletion *written = NULL;
    struct sys_file *file = NULL;
    assert_ok(deletion_write(sys_posix(), dir, STR("00000001.parquet"),
                             STR("file:///x/00000001.parquet"), id, from, &written, &file,
                             &test_err));
    sys_close(sys_posix(), file);
    return written;
}

static void test_file(void **state)
{
    (void)state;
    char dir[256];
    static const uint64_t steps[] = {1, 7, 1000};
    fixture_dir(dir);
    for (uint64_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct deletion *from = make_every(300001, steps[i]), *to = write_file(dir, from, 10 + i);
        const struct deletion_file *file = deletion_file(to);
        assert_null(deletion_file(from));
        assert_int_equal(file->rows, deletion_count(from));
        assert_int_equal(file->id, 10 + i);
        assert_every(to, 300001, steps[i]);
        struct deletion *read = deletion_open(sys_posix(), dir, file, 300001, &test_err);
        assert_non_null(read);
        assert_int_equal(deletion_count(read), deletion_count(from));
        assert_ok(deletion_load(read, &test_err));
        assert_every(read, 300001, steps[i]);
        deletion_unlink(read);
        assert_int_equal(access(deletion_full_path(read), F_OK), -1);
        deletion_unref(read);
        deletion_unref(to);
        deletion_unref(from);
    }
    fixture_remove(dir);
}

/* Another number of rows, of bytes, or of the segment's rows than was said. */
static void test_file_that_does_not_fit(void **state)
{
    (void)state;
    char dir[256];
    fixture_dir(dir);
    struct deletion *from = make_every(1000, 10), *to = write_file(dir, from, 5);
    struct deletion_file file = *deletion_file(to);
    file.rows++;
    struct deletion *read = deletion_open(sys_posix(), dir, &file, 1000, &test_err);
    assert_int_equal(deletion_load(read, &test_err), STATUS_CORRUPT);
    deletion_unref(read);
    file.rows--;
    file.bytes++;
    read = deletion_open(sys_posix(), dir, &file, 1000, &test_err);
    assert_int_equal(deletion_load(read, &test_err), STATUS_CORRUPT);
    deletion_unref(read);
    file.bytes--;
    read = deletion_open(sys_posix(), dir, &file, 900, &test_err);
    assert_int_equal(deletion_load(read, &test_err), STATUS_CORRUPT);
    deletion_unref(read);
    deletion_unref(to);
    deletion_unref(from);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bad_row),
        cmocka_unit_test(test_sparse_and_dense),
        cmocka_unit_test(test_add_all),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* finder_test.c: point look-ups over many segments at once: no segment with the value is left out,
 * most others are; through flushes, compaction, a dropped index and views of other states. */
#include "fixture.h"

enum { FILES = 24, ROWS = 60, CHUNK_WORDS = 8 };

static void fill(struct source *source, int64_t first_file, int64_t files)
{
    for (int64_t f = first_file; f < first_file + files; f++) {
        fixture_write(source, f * ROWS, ROWS);
        assert_ok(source_flush(source, &test_err));
    }
}

/* Candidates for the id; every segment with it must be among them. *ret_known: the finder is there.
 */
static uint32_t count_candidates(struct view *view, int64_t id, bool *ret_known)
{
    struct value value = {.type = TYPE_INT64, .int64 = id};
    uint64_t bits[CHUNK_WORDS];
    uint32_t field = (uint32_t)schema_find(view->schema, STR("id")), count = 0;
    assert_true(view->segments_len < 64 * CHUNK_WORDS);
    memset(bits, 0xFF, sizeof bits);
    *ret_known = view_narrow(view, field, &value, 1, bits);
    for (uint32_t i = 0; i < view->segments_len; i++) {
        bool used, candidate = bits[i / 64] >> (i % 64) & 1;
        uint64_t *rows;
        uint32_t len;
        count += candidate;
        assert_ok(segment_lookup(view->segments[i], view->schema->fields[field].id, &value,
                                 UINT64_MAX, &used, &rows, &len, &test_err));
        assert_true(used);
        assert_true(len == 0 || candidate);
        free(rows);
    }
    return count;
}

/* Waits until the index thread has made the finder and it knows of all files (but for a remainder
 * that fills no filter), then checks some ids. */
static void check(struct source *source, int64_t ids)
{
    struct view view;
    bool known = false;
    uint32_t asked = UINT32_MAX;
    assert_ok(view_open(source, &view, &test_err));
    for (int i = 0; i < 1000 && (!known || asked > 20); i++) {
        if (i)
            sys_sleep_us(sys_posix(), 10000);
        asked = count_candidates(&view, 1, &known);
    }
    assert_true(known);
    for (int64_t id = 0; id < ids; id += 97)
        assert_true(count_candidates(&view, id, &known) <= 20 && known);
    view_close(&view);
}

static void test_many_files(void **state)
{
    (void)state;
    char dir[256];
    struct view old;
    bool known;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fill(source, 0, FILES);
    check(source, FILES * ROWS);
    assert_ok(view_open(source, &old, &test_err));
    fill(source, FILES, 10); /* further files join */
    check(source, (FILES + 10) * ROWS);
    (void)count_candidates(&old, 5, &known); /* a view of before, with the newer finder */
    assert_true(known);
    assert_ok(source_compact(source, NULL, NULL, &test_err));
    fill(source, FILES + 10, 20); /* few old files, and new ones */
    check(source, (FILES + 30) * ROWS);
    (void)count_candidates(&old, 5, &known);
    view_close(&old);
    fixture_check(source, (FILES + 30) * ROWS);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

static void test_unknown(void **state)
{
    (void)state;
    char dir[256];
    struct view view;
    uint64_t bits[1] = {UINT64_MAX};
    struct value value = {.type = TYPE_DOUBLE, .real = 1};
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fill(source, 0, 6);
    assert_ok(view_open(source, &view, &test_err));
    uint32_t field = (uint32_t)schema_find(view.schema, STR("value"));
    assert_false(view_narrow(&view, field, &value, 1, bits)); /* not indexed */
    assert_int_equal(bits[0], UINT64_MAX);
    view_close(&view);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_files),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

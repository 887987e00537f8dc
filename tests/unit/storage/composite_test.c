/* composite_test.c: indexes over several columns through their life: declared, added, made in the
 * background, at flush and at compaction; lost, damaged, dropped; columns renamed and widened. */
#include "fixture.h"

#include "storage/check/check.h"

static const struct str pair[] = {{"kind", 4}, {"value", 5}};
static const struct str triple[] = {{"kind", 4}, {"name", 4}, {"id", 2}};

static struct composite get(const struct view *view, uint32_t number)
{
    struct composite list[SOURCE_COMPOSITES_MAX];
    uint32_t len = view_composites(view, list);
    for (uint32_t i = 0; i < len; i++)
        if ((uint32_t)index_field(list[i].def.id) == number)
            return list[i];
    fail_msg("there is no index %u", number);
    return list[0];
}

static struct value text(const char *s)
{
    return (struct value){.type = TYPE_STRING, .bytes = str_of(s)};
}

/* Rows of all segments by one index: hash: equality with kind and value; sorted: kind, and names
 * from "n1" to "n2...". */
static uint64_t find(struct source *source, uint32_t number, const struct value *values,
                     uint32_t *ret_unused)
{
    struct view view;
    uint64_t found = 0;
    *ret_unused = 0;
    assert_ok(view_open(source, &view, &test_err));
    struct composite composite = get(&view, number);
    struct value_range names = {.has_lo = true, .has_hi = true, .hi_is_prefix = true};
    names.lo = text("n1");
    names.hi = text("n2");
    struct tuple_range range = {.prefix = values, .prefix_len = 1, .next = &names};
    for (uint32_t i = 0; i < view.segments_len; i++) {
        bool used;
        uint64_t *rows;
        uint32_t len;
        if (composite.kind == INDEX_KIND_HASH)
            assert_ok(segment_lookup_tuple(view.segments[i], &composite.def, values, 100000, &used,
                                           &rows, &len, &test_err));
        else
            assert_ok(segment_range_tuple(view.segments[i], &composite.def, &range, 100000, &used,
                                          &rows, &len, &test_err));
        *ret_unused += !used;
        found += len;
        free(rows);
    }
    view_close(&view);
    return found;
}

static void wait_used(struct source *source, uint32_t number, const struct value *values)
{
    uint32_t unused = 1;
    for (int i = 0; i < 1000; i++) {
        (void)find(source, number, values, &unused);
        if (!unused)
            return;
        sys_sleep_us(sys_posix(), 10000);
    }
    fail_msg("index %u was not built", number);
}

static void damage(const char *path)
{
    struct sys_file *file;
    assert_ok(sys_open(sys_posix(), path, SYS_READ | SYS_WRITE, &file, &test_err));
    assert_ok(sys_pwrite(sys_posix(), file, "x", 1, 70, &test_err));
    sys_close(sys_posix(), file);
}

/* kind "k1" and value 50: row 100. */
static void set_pair(struct value values[2])
{
    values[0] = text("k1");
    values[1] = (struct value){.type = TYPE_DOUBLE, .real = 50};
}

static uint32_t add(struct source *source, const struct str *columns, uint32_t len,
                    enum index_kind kind)
{
    uint32_t number = 0;
    assert_ok(source_add_composite(source, columns, len, kind, &number, &test_err));
    return number;
}

/* Rows with kind "k1" (row % 3 == 1), and a name from n1 to n2..., of 600: n1, n10 to n19, n100 to
 * n199, n2, n20 to n29, n200 to n299. */
static uint64_t wanted_names(uint32_t rows)
{
    uint64_t n = 0;
    for (uint32_t row = 1; row < rows; row += 3) {
        char name[16];
        snprintf(name, sizeof name, "n%u", row / 2);
        n += name[1] == '1' || name[1] == '2';
    }
    return n;
}

static void test_life(void **state)
{
    (void)state;
    char dir[256], path[512];
    struct sys_stat stat;
    struct value values[2];
    uint32_t unused;
    set_pair(values);
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_write(source, 0, 300);
    assert_ok(source_flush(source, &test_err));
    assert_int_equal(add(source, pair, 2, INDEX_KIND_HASH), 1);
    assert_int_equal(add(source, pair, 2, INDEX_KIND_HASH), 1); /* again is fine */
    assert_int_equal(add(source, triple, 3, INDEX_KIND_SORTED), 2);
    wait_used(source, 1, values);
    wait_used(source, 2, values);
    assert_int_equal(find(source, 1, values, &unused), 1);
    assert_int_equal(find(source, 2, values, &unused), wanted_names(300));
    fixture_write(source, 300, 300);
    assert_ok(source_flush(source, &test_err)); /* new files have them at once */
    assert_int_equal(find(source, 1, values, &unused), 1);
    assert_int_equal(unused, 0);
    assert_int_equal(find(source, 2, values, &unused), wanted_names(600));
    assert_int_equal(unused, 0);
    struct compact_policy all = {.small_file_threshold = 2};
    assert_ok(source_compact(source, &all, NULL, &test_err));
    assert_int_equal(find(source, 2, values, &unused), wanted_names(600));
    assert_int_equal(unused, 0);
    source_unref(source);
    store_close(store, true);

    store = fixture_open(sys_posix(), dir); /* the sidecars are no orphans, the list is kept */
    source = fixture_source(store, "s");    /* the same declaration is still the same */
    assert_int_equal(find(source, 1, values, &unused), 1);
    assert_int_equal(find(source, 2, values, &unused), wanted_names(600));
    assert_int_equal(unused, 0);
    snprintf(path, sizeof path, "%s/sources/s/index/00000007.c1.hash", dir);
    assert_ok(sys_stat(sys_posix(), path, &stat, &test_err));
    assert_ok(source_drop_composite(source, 1, &test_err));
    assert_int_equal(sys_stat(sys_posix(), path, &stat, NULL), STATUS_NOT_FOUND);
    assert_int_equal(source_drop_composite(source, 1, &test_err), STATUS_NOT_FOUND);
    assert_int_equal(add(source, pair, 2, INDEX_KIND_HASH), 3); /* another number */
    wait_used(source, 3, values);
    fixture_check(source, 600);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

static void test_refused(void **state)
{
    (void)state;
    const struct str twice[] = {{"id", 2}, {"id", 2}}, unknown[] = {{"id", 2}, {"nobody", 6}};
    struct str nine[9];
    char dir[256];
    uint32_t number;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_write(source, 0, 3);
    for (int i = 0; i < 9; i++)
        nine[i] = STR("id");
    const struct {
        const struct str *columns;
        uint32_t len;
    } bad[] = {{twice, 2}, {unknown, 2}, {pair, 1}, {nine, 9}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(source_add_composite(source, bad[i].columns, bad[i].len, INDEX_KIND_HASH,
                                              &number, &test_err),
                         STATUS_INVALID_ARGUMENT);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* With the declaration; declaring it again is fine, also after a change, otherwise not. */
static void test_declared(void **state)
{
    (void)state;
    const struct field fields[] = {{STR("a"), TYPE_INT64, 0}, {STR("b"), TYPE_STRING, 0}};
    const struct composite_config composites[] = {
        {.kind = INDEX_KIND_HASH, .fields_len = 2, .fields = {1, 2}},
        {.kind = INDEX_KIND_SORTED, .fields_len = 2, .fields = {2, 1}}};
    struct source_config config = {.source_id = STR("d"),
                                   .fields = fields,
                                   .fields_len = 2,
                                   .composites = composites,
                                   .composites_len = 2,
                                   .codec = PARQUET_SNAPPY,
                                   .wal_enabled = true};
    char dir[256];
    struct index_info *list;
    struct source *source;
    struct arena arena;
    uint32_t len;
    arena_init(&arena, 0);
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, config.source_id, &source, &test_err));
    assert_ok(source_list_indexes(source, &arena, &list, &len, &test_err));
    assert_int_equal(len, 2);
    assert_int_equal(list[1].number, 2);
    assert_int_equal(list[1].kind, INDEX_KIND_SORTED);
    assert_int_equal(list[1].columns_len, 2);
    assert_true(str_is(list[1].columns[0], "b"));
    assert_ok(source_drop_composite(source, 1, &test_err));
    assert_ok(store_add_source(store, &config, &test_err));
    source_unref(source);
    store_close(store, true);
    store = fixture_open(sys_posix(), dir);
    assert_ok(store_add_source(store, &config, &test_err));
    config.composites_len = 0;
    assert_int_equal(store_add_source(store, &config, &test_err), STATUS_CONFLICT);
    arena_release(&arena);
    store_close(store, true);
    fixture_remove(dir);
}

static enum status count_finding(void *context, const struct check_finding *finding,
                                 struct error *err)
{
    (void)err;
    *(uint32_t *)context += finding->kind == CHECK_INDEX;
    return STATUS_OK;
}

static uint32_t check(const char *dir)
{
    struct check_summary summary;
    uint32_t findings = 0;
    assert_ok(store_check(sys_posix(), dir, count_finding, &findings, &summary, &test_err));
    assert_int_equal(summary.damage, 0);
    return findings;
}

/* Found by the check and by look-ups, made again by repair and by the running store. */
static void test_damage(void **state)
{
    (void)state;
    char dir[256], lost[512], bad[512];
    struct value values[2];
    uint32_t unused = 1;
    set_pair(values);
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_write(source, 0, 300);
    (void)add(source, pair, 2, INDEX_KIND_HASH);
    (void)add(source, triple, 3, INDEX_KIND_SORTED);
    source_unref(source);
    store_close(store, true);
    assert_int_equal(check(dir), 0);
    snprintf(lost, sizeof lost, "%s/sources/s/index/00000001.c1.hash", dir);
    snprintf(bad, sizeof bad, "%s/sources/s/index/00000002.c2.sorted", dir);
    for (int repaired = 0; repaired < 2; repaired++) {
        assert_ok(sys_unlink(sys_posix(), lost, &test_err));
        damage(bad);
        assert_int_equal(check(dir), 2);
        if (repaired) {
            struct repair_options options = {.path = dir};
            struct repair_summary summary;
            assert_ok(store_repair(sys_posix(), &options, &summary, &test_err));
            assert_int_equal(summary.mended, 2);
            assert_int_equal(check(dir), 0);
        }
        store = fixture_open(sys_posix(), dir);
        source = fixture_source(store, "s");
        wait_used(source, 1, values);
        wait_used(source, 2, values);
        assert_int_equal(find(source, 1, values, &unused), 1);
        assert_int_equal(find(source, 2, values, &unused), wanted_names(300));
        source_unref(source);
        store_close(store, true);
        assert_int_equal(check(dir), 0);
    }
    fixture_remove(dir);
}

static void alter(struct source *source, const struct schema_change *change, enum status wanted)
{
    struct schema *schema = NULL;
    enum status status = source_alter(source, change, 1, -1, &schema, &test_err);
    assert_int_equal(status, wanted);
    if (status == STATUS_OK)
        schema_unref(schema);
}

/* A renamed member stays one, a widened one is asked in each file's own type, one is not dropped.
 */
static void test_columns(void **state)
{
    (void)state;
    const struct str both[] = {{"kind", 4}, {"id", 2}};
    struct value values[2] = {text("k1"), {.type = TYPE_INT64, .int64 = 100}};
    char dir[256];
    uint32_t unused;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_write(source, 0, 300);
    assert_ok(source_flush(source, &test_err));
    (void)add(source, both, 2, INDEX_KIND_HASH);
    wait_used(source, 1, values);
    alter(source,
          &(struct schema_change){.kind = SCHEMA_RENAME, .column = STR("id"), .to = STR("number")},
          STATUS_OK);
    alter(source, &(struct schema_change){.kind = SCHEMA_DROP, .column = STR("number")},
          STATUS_CONFLICT);
    alter(
        source,
        &(struct schema_change){.kind = SCHEMA_WIDEN, .column = STR("number"), .type = TYPE_DOUBLE},
        STATUS_OK);
    assert_int_equal(find(source, 1, values, &unused), 1);
    assert_int_equal(unused, 0);
    struct compact_policy all = {.small_file_threshold = 1, .total_files_threshold = 1};
    assert_ok(source_compact(source, &all, NULL, &test_err));
    (void)find(source, 1, values, &unused);
    source_unref(source);
    store_close(store, true);
    assert_int_equal(check(dir), 0);
    fixture_remove(dir);
}

/* Unflushed rows, and the key filters over many files. */
static void test_memory_and_filters(void **state)
{
    (void)state;
    char dir[256];
    struct view view;
    struct value values[2];
    uint32_t *rows = NULL, len = 0, files = 0;
    bool used = false, known = false;
    set_pair(values);
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    for (int i = 0; i < 8; i++) { /* three files each */
        fixture_write(source, i * 90, 90);
        assert_ok(source_flush(source, &test_err));
    }
    (void)add(source, pair, 2, INDEX_KIND_HASH);
    wait_used(source, 1, values);
    uint64_t hash = values_hash(values, 2), candidates = 0;
    for (int i = 0; i < 1000 && !known; i++) {
        sys_sleep_us(sys_posix(), 5000);
        assert_ok(view_open(source, &view, &test_err));
        assert_int_equal(view.segments_len, 24);
        struct composite composite = get(&view, 1);
        candidates = UINT64_MAX;
        known = view_narrow_tuples(&view, &composite, &hash, 1, &candidates);
        view_close(&view);
    }
    assert_true(known);
    for (uint32_t i = 0; i < 24; i++)
        files += (uint32_t)(candidates >> i & 1);
    assert_true(files >= 1 && files < 16); /* 16 files are in a filter, 8 are asked */
    fixture_write(source, 720, 3000);
    assert_ok(view_open(source, &view, &test_err));
    struct composite composite = get(&view, 1);
    values[0] = text("k0");
    values[1].real = 999 * 0.5;
    assert_ok(view_chunk_lookup_tuple(&view, 0, &composite, values, &used, &rows, &len, &test_err));
    assert_true(used);
    assert_int_equal(len, 1);
    assert_int_equal(rows[0], 279);
    free(rows);
    view_close(&view);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_declared), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_columns),  cmocka_unit_test(test_memory_and_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

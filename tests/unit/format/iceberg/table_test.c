/* table_test.c: commits in memory against a plain list of live files; forms of other engines;
 * expiry; damage. The last test prints what a commit costs as the table grows to 100,000 files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "format/avro/avro.h"
#include "memory_files.h"

struct table {
    struct memory_files files;
    struct arena arena; /* of the current metadata */
    struct iceberg_metadata m;
    struct str path;
    uint64_t random;
    int64_t now_ms;
    uint32_t written_files;
    uint64_t written_bytes;
    struct iceberg_commit_result last; /* counts only: the arena is gone */
};

static const struct field fields[] = {
    {{"id", 2}, TYPE_INT64, 1}, {{"name", 4}, TYPE_STRING, 2}, {{"at", 2}, TYPE_TIMESTAMP, 3}};

static void keep(struct table *t, struct iceberg_edit *edit)
{
    for (uint32_t i = 0; i < edit->files_len; i++) {
        memory_files_put(&t->files, edit->files[i].path, edit->files[i].bytes);
        t->written_bytes += edit->files[i].bytes.len;
        bool checked;
        struct slice bytes = edit->files[i].bytes;
        assert_int_equal(iceberg_name_check(edit->files[i].path, str_make(bytes.data, bytes.len),
                                            &checked, NULL),
                         STATUS_OK);
        assert_true(checked);
    }
    t->written_files += edit->files_len;
    struct slice json = edit->files[edit->files_len - 1].bytes;
    struct str path = arena_str(&t->files.arena, edit->metadata_path);
    arena_release(&t->arena);
    t->path = path;
    assert_int_equal(iceberg_metadata_parse(str_make(json.data, json.len), &t->arena, &t->m, NULL),
                     STATUS_OK);
}

static void finish(struct table *t, struct iceberg_edit *edit)
{
    struct error err = ERROR_INIT;
    if (iceberg_edit_finish(edit, 0, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    keep(t, edit);
    arena_release(edit->arena);
}

static void begin(struct table *t, struct iceberg_edit *edit, struct arena *arena)
{
    arena_init(arena, (size_t)4 << 30);
    t->now_ms += 10;
    assert_int_equal(iceberg_edit_begin(edit, &t->m, t->path, t->now_ms, arena, NULL), STATUS_OK);
}

static void table_init(struct table *t, bool partitioned)
{
    struct iceberg_schema schema;
    struct iceberg_partition_field bucket = {
        .source_id = 1, .name = STR("id bucket"), .transform = {ICEBERG_BUCKET, 4, STR_NONE}};
    struct iceberg_partition_field day = {
        .source_id = 3, .name = STR("at_day"), .transform = {.kind = ICEBERG_DAY}};
    struct iceberg_partition_field both[] = {bucket, day};
    struct iceberg_spec spec = {.fields = both, .fields_len = partitioned ? 2 : 0};
    struct iceberg_property property = {STR("owner"), STR("me")};
    struct arena arena;
    struct iceberg_edit edit;
    struct iceberg_metadata m;
    memory_files_init(&t->files);
    arena_init(&t->arena, 0);
    arena_init(&arena, 0);
    t->now_ms = 1700000000000;
    assert_int_equal(iceberg_schema_of_fields(fields, 3, NULL, &arena, &schema, NULL), 0);
    assert_int_equal(iceberg_table_new((struct uuid){{1}}, STR("file:///w/t/"), &schema, &spec,
                                       &property, 1, t->now_ms, &arena, &m, NULL),
                     STATUS_OK);
    assert_int_equal(iceberg_edit_begin(&edit, &m, STR_NONE, t->now_ms, &arena, NULL), 0);
    finish(t, &edit);
    assert_true(str_starts(t->path, STR("file:///w/t/metadata/00000-")));
}

static struct table *table_new(bool partitioned)
{
    struct table *t = calloc(1, sizeof *t);
    assert_non_null(t);
    table_init(t, partitioned);
    return t;
}

static void table_free(struct table *t)
{
    memory_files_release(&t->files);
    arena_release(&t->arena);
    free(t);
}

static struct iceberg_data_file make_file(struct arena *arena, int64_t n, bool partitioned)
{
    struct iceberg_data_file file = {
        .path = str_of(arena_printf(arena, "file:///w/t/data/%08lld.parquet", (long long)n)),
        .format = STR("PARQUET"),
        .records = 10 + n % 3,
        .bytes = 1000 + n,
        .sort_order_id = 0};
    file.columns_len = 3;
    file.columns = arena_array(arena, 3, sizeof *file.columns);
    for (int32_t c = 0; c < 3; c++) {
        struct str low = str_of(arena_printf(arena, "%08lld", (long long)n));
        file.columns[c] = (struct iceberg_column_stats){c + 1, 100, file.records, c, -1, low, low};
    }
    if (partitioned) {
        file.partition = arena_array(arena, 2, sizeof *file.partition);
        file.partition_len = 2;
        file.partition[0] =
            (struct value){.type = TYPE_INT64, .is_null = n % 7 == 0, .int64 = n % 4};
        file.partition[1] = (struct value){.type = TYPE_DATE, .int64 = 19000 + n % 5};
    }
    return file;
}

static enum status commit(struct table *t, struct iceberg_edit *edit, struct iceberg_commit *change,
                          struct iceberg_commit_result *result)
{
    struct iceberg_loader loader = {&t->files, memory_files_load};
    struct iceberg_property lsn = {STR("quarry.wal-lsn"), STR("12345")};
    struct iceberg_commit_result own;
    change->summary = &lsn;
    change->summary_len = 1;
    change->random = ++t->random * UINT64_C(0x9E3779B97F4A7C15);
    return iceberg_edit_commit(edit, change, &loader, result ? result : &own, NULL);
}

static void append(struct table *t, int64_t first, uint32_t count, bool partitioned)
{
    struct arena arena;
    struct iceberg_edit edit;
    begin(t, &edit, &arena);
    struct iceberg_data_file *added = arena_array(&arena, count + 1, sizeof *added);
    for (uint32_t i = 0; i < count; i++)
        added[i] = make_file(&arena, first + i, partitioned);
    struct iceberg_commit change = {.operation = ICEBERG_APPEND,
                                    .added = added,
                                    .added_len = count,
                                    .data_sequence_number = -1};
    assert_int_equal(commit(t, &edit, &change, &t->last), STATUS_OK);
    finish(t, &edit);
}

/* Live files of a snapshot by number; returns how many. */
static uint32_t live(struct table *t, const struct iceberg_snapshot *snapshot, uint8_t *seen,
                     uint32_t *ret_manifests)
{
    struct arena arena;
    struct slice bytes;
    struct iceberg_manifest *manifests;
    uint32_t len, total = 0;
    arena_init(&arena, 0);
    memset(seen, 0, 200000);
    assert_int_equal(memory_files_load(&t->files, snapshot->manifest_list, &arena, &bytes, NULL),
                     STATUS_OK);
    assert_int_equal(iceberg_list_read(bytes, &arena, &manifests, &len, NULL), STATUS_OK);
    for (uint32_t i = 0; i < len; i++) {
        struct iceberg_partition_type type;
        struct iceberg_entry *entries;
        uint32_t entries_len;
        int64_t rows = 0, files = 0;
        assert_int_equal(
            iceberg_partition_type_of(&t->m, manifests[i].spec_id, &arena, &type, NULL), 0);
        assert_int_equal(memory_files_load(&t->files, manifests[i].path, &arena, &bytes, NULL),
                         STATUS_OK);
        assert_int_equal(bytes.len, manifests[i].bytes);
        assert_int_equal(iceberg_manifest_read(bytes, &manifests[i], &type, &arena, &entries,
                                               &entries_len, NULL),
                         STATUS_OK);
        for (uint32_t e = 0; e < entries_len; e++) {
            if (entries[e].status == ICEBERG_DELETED)
                continue;
            int64_t n = strtoll(entries[e].file.path.data + strlen("file:///w/t/data/"), NULL, 10);
            assert_int_equal(seen[n], 0);
            seen[n] = 1;
            files++;
            rows += entries[e].file.records;
            assert_true(entries[e].sequence_number > 0);
            assert_true(entries[e].sequence_number >= manifests[i].min_sequence_number);
            assert_int_equal(entries[e].file.columns_len, 3);
            assert_int_equal(entries[e].file.columns[2].nulls, 2);
            if (entries[e].file.partition_len) {
                assert_int_equal(entries[e].file.partition[1].type, TYPE_DATE);
                assert_int_equal(entries[e].file.partition[1].int64, 19000 + n % 5);
                assert_int_equal(entries[e].file.partition[0].is_null, n % 7 == 0);
            }
            total++;
        }
        assert_int_equal(files, manifests[i].added_files + manifests[i].existing_files);
        assert_int_equal(rows, manifests[i].added_rows + manifests[i].existing_rows);
    }
    if (ret_manifests)
        *ret_manifests = len;
    arena_release(&arena);
    return total;
}

static void check_summary(const struct table *t, const char *key, int64_t expected)
{
    const struct iceberg_snapshot *s = iceberg_current_snapshot(&t->m);
    struct str text = iceberg_property_find(s->summary, s->summary_len, key);
    int64_t value;
    assert_true(str_to_int64(text, &value));
    assert_int_equal(value, expected);
}

static uint8_t seen[200000];

/* Appends, removals with and without hints, merges: the live files are always the model's. */
static void test_commits(void **state)
{
    (void)state;
    struct table *t = table_new(true);
    uint8_t model[1000] = {0};
    int64_t next = 0, alive = 0;
    uint64_t random = 7;
    for (int step = 0; step < 120; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct arena arena;
        struct iceberg_edit edit;
        struct iceberg_removed removed[8];
        struct iceberg_data_file added[4];
        uint32_t removed_len = 0, added_len = (uint32_t)(random >> 60) % 4;
        begin(t, &edit, &arena);
        for (uint32_t i = 0; i < added_len; i++) {
            added[i] = make_file(&arena, next, true);
            model[next++] = 1;
            alive++;
        }
        for (int64_t n = 0; step % 3 == 2 && n < next - added_len && removed_len < 3; n++) {
            if (!model[n] || (random >> (n % 40) & 3))
                continue;
            model[n] = 0;
            alive--;
            removed[removed_len++] =
                (struct iceberg_removed){.path = make_file(&arena, n, true).path};
        }
        struct iceberg_commit change = {.operation = ICEBERG_OVERWRITE,
                                        .added = added,
                                        .added_len = added_len,
                                        .data_sequence_number = -1,
                                        .removed = removed,
                                        .removed_len = removed_len,
                                        .merge_count = 4,
                                        .manifest_entries = 64};
        struct iceberg_commit_result result;
        assert_int_equal(commit(t, &edit, &change, &result), STATUS_OK);
        finish(t, &edit);
        uint32_t manifests;
        assert_int_equal(live(t, iceberg_current_snapshot(&t->m), seen, &manifests), alive);
        assert_memory_equal(seen, model, sizeof model);
        check_summary(t, "total-data-files", alive);
        check_summary(t, "added-data-files", added_len);
        check_summary(t, "quarry.wal-lsn", 12345);
        assert_true(manifests < 24);
    }
    assert_int_equal(t->m.snapshots_len, 120);
    assert_int_equal(t->m.metadata_log_len, 100);
    assert_int_equal(t->m.last_sequence_number, 120);
    for (uint32_t i = 0; i < t->m.snapshots_len; i++)
        assert_true(t->m.snapshots[i].id > 0 && t->m.snapshots[i].id <= ICEBERG_SNAPSHOT_ID_MAX);
    table_free(t);
}

static void test_conflict_and_hints(void **state)
{
    (void)state;
    struct table *t = table_new(false);
    struct arena arena;
    struct iceberg_edit edit;
    struct iceberg_commit_result result;
    append(t, 0, 3, false);
    append(t, 3, 3, false);
    begin(t, &edit, &arena);
    struct iceberg_removed removed = {.path = STR("file:///w/t/data/00000009.parquet")};
    struct iceberg_commit change = {
        .operation = ICEBERG_DELETE, .removed = &removed, .removed_len = 1};
    assert_int_equal(commit(t, &edit, &change, &result), STATUS_CONFLICT);
    arena_release(&arena);
    begin(t, &edit, &arena);
    removed.path = STR("file:///w/t/data/00000001.parquet");
    removed.manifest = STR("file:///w/t/metadata/other.avro");
    assert_int_equal(commit(t, &edit, &change, &result), STATUS_CONFLICT);
    arena_release(&arena);
    /* the hint keeps other manifests closed: the list and one manifest are read */
    begin(t, &edit, &arena);
    struct slice bytes;
    struct iceberg_manifest *manifests;
    uint32_t len;
    assert_int_equal(memory_files_load(&t->files, iceberg_current_snapshot(&t->m)->manifest_list,
                                       &arena, &bytes, NULL),
                     0);
    assert_int_equal(iceberg_list_read(bytes, &arena, &manifests, &len, NULL), 0);
    assert_int_equal(len, 2);
    removed.manifest = manifests[1].path; /* the older one stands behind */
    t->files.loads = 0;
    assert_int_equal(commit(t, &edit, &change, &result), STATUS_OK);
    assert_int_equal(t->files.loads, 2);
    assert_int_equal(result.written_len, 1);
    assert_int_equal(result.written[0].entries_len, 3);
    finish(t, &edit);
    assert_int_equal(live(t, iceberg_current_snapshot(&t->m), seen, NULL), 5);
    check_summary(t, "deleted-data-files", 1);
    check_summary(t, "deleted-records", 11);
    check_summary(t, "changed-partition-count", 1);
    table_free(t);
}

static void test_edits(void **state)
{
    (void)state;
    struct table *t = table_new(true);
    struct arena arena;
    struct iceberg_edit edit;
    struct iceberg_schema schema;
    append(t, 0, 2, true);
    int64_t first = t->m.current_snapshot_id;
    append(t, 2, 2, true);
    begin(t, &edit, &arena);
    static const struct field more[] = {
        {{"id", 2}, TYPE_INT64, 1}, {{"x", 1}, TYPE_JSON, 7}, {{"at", 2}, TYPE_TIMESTAMP, 3}};
    assert_int_equal(iceberg_schema_of_fields(more, 3, NULL, &arena, &schema, NULL), 0);
    assert_int_equal(iceberg_edit_schema(&edit, &schema, NULL), 0);
    struct iceberg_partition_field field = {
        .source_id = 1, .name = STR("id bucket"), .transform = {ICEBERG_BUCKET, 4, STR_NONE}};
    struct iceberg_partition_field hour = {
        .source_id = 3, .name = STR("at_hour"), .transform = {.kind = ICEBERG_HOUR}};
    struct iceberg_partition_field both[] = {hour, field};
    struct iceberg_spec spec = {.fields = both, .fields_len = 2};
    assert_int_equal(iceberg_edit_spec(&edit, &spec, NULL), 0);
    assert_int_equal(iceberg_edit_property(&edit, STR("owner"), STR_NONE, NULL), 0);
    assert_int_equal(iceberg_edit_property(&edit, STR("a"), STR("b"), NULL), 0);
    assert_int_equal(iceberg_edit_ref(&edit, STR("old"), true, first, NULL), 0);
    assert_int_equal(iceberg_edit_ref(&edit, STR("main"), true, first, NULL),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(iceberg_edit_ref(&edit, STR("x"), true, 1, NULL), STATUS_NOT_FOUND);
    assert_int_equal(iceberg_edit_rollback(&edit, 1, NULL), STATUS_NOT_FOUND);
    assert_int_equal(iceberg_edit_rollback(&edit, first, NULL), 0);
    finish(t, &edit);
    assert_int_equal(t->m.current_schema_id, 1);
    assert_int_equal(t->m.last_column_id, 7);
    assert_int_equal(t->m.default_spec_id, 1);
    assert_int_equal(t->m.specs[1].fields[0].field_id, 1002);
    assert_int_equal(t->m.specs[1].fields[1].field_id, 1000);
    assert_int_equal(t->m.last_partition_id, 1002);
    assert_int_equal(t->m.properties_len, 1);
    assert_int_equal(t->m.current_snapshot_id, first);
    assert_int_equal(t->m.snapshot_log_len, 3);
    assert_int_equal(t->m.snapshots_len, 2);
    table_free(t);
}

static void test_expire(void **state)
{
    (void)state;
    struct table *t = table_new(false);
    struct arena arena, kept;
    struct iceberg_edit edit;
    struct iceberg_metadata before;
    struct str *gone;
    uint32_t gone_len;
    append(t, 0, 2, false);
    int64_t tagged = t->m.current_snapshot_id;
    append(t, 2, 2, false);
    begin(t, &edit, &arena);
    struct iceberg_removed removed[2] = {{.path = STR("file:///w/t/data/00000000.parquet")},
                                         {.path = STR("file:///w/t/data/00000002.parquet")}};
    struct iceberg_commit change = {
        .operation = ICEBERG_DELETE, .removed = removed, .removed_len = 2};
    assert_int_equal(commit(t, &edit, &change, NULL), STATUS_OK);
    assert_int_equal(iceberg_edit_ref(&edit, STR("keep"), true, tagged, NULL), 0);
    finish(t, &edit);
    append(t, 4, 1, false);
    arena_init(&kept, 0);
    before = t->m;
    begin(t, &edit, &arena);
    assert_int_equal(iceberg_edit_expire(&edit, INT64_MAX, 1, NULL), STATUS_OK);
    assert_int_equal(edit.expired_len, 2);
    struct iceberg_loader loader = {&t->files, memory_files_load};
    assert_int_equal(iceberg_unreachable(&before, &edit.m, &loader, &kept, &gone, &gone_len, NULL),
                     STATUS_OK);
    /* two lists, the second append's manifest, file 2; file 0 is the tag's still */
    assert_int_equal(gone_len, 4);
    assert_true(str_is(gone[0], "file:///w/t/data/00000002.parquet"));
    finish(t, &edit);
    assert_int_equal(t->m.snapshots_len, 2);
    assert_int_equal(t->m.snapshot_log_len, 1);
    arena_release(&kept);
    table_free(t);
}

/* A manifest and list as ClickHouse writes them: no ids of content, mixed case, partitions null. */
static void test_foreign_forms(void **state)
{
    (void)state;
    static const char manifest_schema[] =
        "{\"type\":\"record\",\"name\":\"manifest_entry\",\"fields\":[{\"name\":\"status\","
        "\"type\":"
        "\"int\",\"field-id\":0},{\"name\":\"snapshot_id\",\"type\":[\"null\",\"long\"],"
        "\"field-id\":1},{\"name\":\"data_file\",\"field-id\":2,\"type\":{\"type\":\"record\","
        "\"name\":\"r2\",\"fields\":[{\"name\":\"file_path\",\"type\":\"string\"},{\"name\":"
        "\"file_format\",\"type\":\"string\"},{\"name\":\"partition\",\"type\":{\"type\":"
        "\"record\","
        "\"name\":\"r102\",\"fields\":[]}},{\"name\":\"record_count\",\"type\":\"long\"},{\"name\":"
        "\"file_size_in_bytes\",\"type\":\"long\"}]}}]}";
    static const char list_schema[] =
        "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":[{\"name\":\"manifest_path\","
        "\"type\":\"string\",\"field-id\":500},{\"name\":\"manifest_length\",\"type\":\"long\","
        "\"field-id\":501},{\"name\":\"partition_spec_id\",\"type\":\"int\",\"field-id\":502},"
        "{\"name\":\"sequence_number\",\"type\":\"long\",\"field-id\":515},{\"name\":"
        "\"added_snapshot_id\",\"type\":\"long\",\"field-id\":503},{\"name\":\"partitions\","
        "\"field-id\":507,\"type\":[\"null\",{\"type\":\"array\",\"items\":\"long\"}]}]}";
    static const unsigned char sync[AVRO_SYNC_LEN] = "0123456789abcdef";
    struct avro_pair meta[] = {{STR("partition_spec_id"), STR("0")}};
    struct avro_writer writer;
    struct arena arena;
    struct buf list, manifest;
    struct iceberg_manifest *manifests;
    struct iceberg_entry *entries;
    uint32_t len;
    buf_init(&list, 1 << 20);
    buf_init(&manifest, 1 << 20);
    arena_init(&arena, 0);
    assert_int_equal(
        avro_writer_init(&writer, &list, str_of(list_schema), NULL, 0, AVRO_PLAIN, sync, NULL), 0);
    struct buf *out = avro_writer_record(&writer);
    avro_put_bytes(out, STR("file:///m.avro"));
    avro_put_long(out, 77);
    avro_put_long(out, 0);
    avro_put_long(out, 5);
    avro_put_long(out, 99);
    avro_put_present(out, false);
    assert_int_equal(avro_writer_end_record(&writer, NULL), 0);
    assert_int_equal(avro_writer_finish(&writer, NULL), 0);
    avro_writer_release(&writer);
    assert_int_equal(
        iceberg_list_read((struct slice){list.data, list.len}, &arena, &manifests, &len, NULL), 0);
    assert_int_equal(len, 1);
    assert_int_equal(manifests[0].added_files, -1);
    assert_null(manifests[0].partitions);
    assert_int_equal(avro_writer_init(&writer, &manifest, str_of(manifest_schema), meta, 1,
                                      AVRO_PLAIN, sync, NULL),
                     0);
    out = avro_writer_record(&writer);
    avro_put_long(out, ICEBERG_ADDED);
    avro_put_present(out, false);
    avro_put_bytes(out, STR("file:///d.parquet"));
    avro_put_bytes(out, STR("Parquet"));
    avro_put_long(out, 12);
    avro_put_long(out, 345);
    assert_int_equal(avro_writer_end_record(&writer, NULL), 0);
    assert_int_equal(avro_writer_finish(&writer, NULL), 0);
    avro_writer_release(&writer);
    assert_int_equal(iceberg_manifest_read((struct slice){manifest.data, manifest.len},
                                           &manifests[0], NULL, &arena, &entries, &len, NULL),
                     STATUS_OK);
    assert_int_equal(len, 1);
    assert_int_equal(entries[0].sequence_number, 5);
    assert_int_equal(entries[0].snapshot_id, 99);
    assert_true(str_is(entries[0].file.format, "PARQUET"));
    assert_int_equal(entries[0].file.content, ICEBERG_DATA);
    assert_int_equal(entries[0].file.records, 12);
    arena_release(&arena);
    buf_release(&list);
    buf_release(&manifest);
}

static void test_refusals(void **state)
{
    (void)state;
    struct table *t = table_new(true);
    struct arena arena;
    struct iceberg_edit edit;
    begin(t, &edit, &arena);
    struct iceberg_data_file file = make_file(&arena, 1, false); /* lacks its tuple */
    struct iceberg_commit change = {
        .operation = ICEBERG_APPEND, .added = &file, .added_len = 1, .data_sequence_number = -1};
    assert_int_equal(commit(t, &edit, &change, NULL), STATUS_INVALID_ARGUMENT);
    arena_release(&arena);
    begin(t, &edit, &arena);
    file = make_file(&arena, 1, true);
    file.partition[0] = (struct value){.type = TYPE_STRING, .bytes = STR("x")};
    assert_int_equal(commit(t, &edit, &change, NULL), STATUS_INVALID_ARGUMENT);
    arena_release(&arena);
    begin(t, &edit, &arena);
    edit.old_path = STR("file:///w/t/metadata/strange.json");
    assert_int_equal(iceberg_edit_finish(&edit, 0, NULL), STATUS_INVALID_ARGUMENT);
    arena_release(&arena);
    table_free(t);
}

static int64_t cpu_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* 100,000 files: 25,000 appends of 4 would take a while under sanitizers; big appends fill the
 * table, and 100 small ones are measured at each size. Only bounds that do not depend on the
 * machine are checked. Snapshots are expired, as their number is another matter. */
static void test_commit_cost(void **state)
{
    (void)state;
    struct table *t = table_new(true);
    int64_t next = 0;
    static const int64_t sizes[] = {100, 10000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        while (next < sizes[i]) {
            uint32_t count = sizes[i] - next > 5000 ? 5000 : (uint32_t)(sizes[i] - next);
            append(t, next, count, true);
            next += count;
        }
        uint64_t files = t->written_files, bytes = t->written_bytes;
        int64_t started = cpu_us();
        for (int n = 0; n < 100; n++) {
            append(t, next, 1, true);
            next++;
            struct arena arena;
            struct iceberg_edit edit;
            if (n % 10 != 9)
                continue;
            begin(t, &edit, &arena);
            assert_int_equal(iceberg_edit_expire(&edit, INT64_MAX, 2, NULL), STATUS_OK);
            finish(t, &edit);
        }
        double cpu_ms = (double)(cpu_us() - started) / 1e5;
        uint32_t manifests;
        assert_int_equal(live(t, iceberg_current_snapshot(&t->m), seen, &manifests), next);
        printf("%6lld files: %.2f ms CPU, %.0f bytes, %.2f files a commit; %u manifests\n",
               (long long)next, cpu_ms, (double)(t->written_bytes - bytes) / 100,
               (double)(t->written_files - files) / 100, manifests);
        assert_true(manifests <= 3 * ICEBERG_MERGE_COUNT + 1 + 2 * next / 4096);
        assert_true(t->written_files - files <= 100 * 4 + 10);
    }
    table_free(t);
}

/* An older snapshot's files are current again, under a new snapshot; nothing of them is written. */
static void test_restore(void **state)
{
    (void)state;
    struct table *t = table_new(true);
    struct arena arena;
    struct iceberg_edit edit;
    append(t, 0, 5, true);
    int64_t first = t->m.current_snapshot_id;
    append(t, 5, 3, true);
    begin(t, &edit, &arena);
    struct iceberg_commit change = {.operation = ICEBERG_OVERWRITE,
                                    .data_sequence_number = -1,
                                    .restore = first,
                                    .replaced = {.data_files = 3, .records = 33, .bytes = 3000}};
    assert_int_equal(commit(t, &edit, &change, NULL), STATUS_OK);
    assert_int_equal(edit.files_len, 1); /* the list */
    finish(t, &edit);
    const struct iceberg_snapshot *now = iceberg_current_snapshot(&t->m);
    assert_true(now->id != first && now->sequence_number == 3);
    assert_int_equal(live(t, now, seen, NULL), 5);
    assert_true(
        str_is(iceberg_property_find(now->summary, now->summary_len, "total-data-files"), "5"));
    assert_true(
        str_is(iceberg_property_find(now->summary, now->summary_len, "deleted-data-files"), "3"));
    change.restore = 12345;
    begin(t, &edit, &arena);
    assert_int_equal(commit(t, &edit, &change, NULL), STATUS_NOT_FOUND);
    arena_release(&arena);
    table_free(t);
}

/* Of the snapshots those named stay, and the current one; tags go with theirs; numbers of metadata
 * files can be skipped. */
static void test_keep(void **state)
{
    (void)state;
    struct table *t = table_new(false);
    struct arena arena;
    struct iceberg_edit edit;
    int64_t ids[4];
    for (int i = 0; i < 4; i++) {
        append(t, i, 1, false);
        ids[i] = t->m.current_snapshot_id;
    }
    begin(t, &edit, &arena);
    assert_int_equal(iceberg_edit_ref(&edit, STR("gone"), true, ids[0], NULL), STATUS_OK);
    assert_int_equal(iceberg_edit_ref(&edit, STR("kept"), true, ids[1], NULL), STATUS_OK);
    assert_int_equal(iceberg_edit_keep(&edit, &ids[1], 1, NULL), STATUS_OK);
    edit.version_min = 77;
    finish(t, &edit);
    assert_int_equal(t->m.snapshots_len, 2);
    assert_true(iceberg_snapshot_find(&t->m, ids[1]) && iceberg_snapshot_find(&t->m, ids[3]));
    assert_int_equal(t->m.refs_len, 2); /* main, kept */
    assert_true(str_starts(t->path, STR("file:///w/t/metadata/00077-")));
    assert_int_equal(t->m.snapshot_log_len, 1);
    table_free(t);
}

/* Files of an older spec are added in a manifest of their own. */
static void test_added_specs(void **state)
{
    (void)state;
    struct table *t = table_new(true);
    struct arena arena;
    struct iceberg_edit edit;
    struct iceberg_commit_result result;
    struct iceberg_spec none = {0};
    begin(t, &edit, &arena);
    assert_int_equal(iceberg_edit_spec(&edit, &none, NULL), STATUS_OK);
    const struct iceberg_data_file added[] = {make_file(&arena, 1, true),
                                              make_file(&arena, 2, false)};
    const int32_t specs[] = {0, 1};
    struct iceberg_commit change = {.operation = ICEBERG_APPEND,
                                    .added = added,
                                    .added_specs = specs,
                                    .added_len = 2,
                                    .data_sequence_number = -1};
    assert_int_equal(commit(t, &edit, &change, &result), STATUS_OK);
    assert_int_equal(result.manifests_len, 2);
    assert_int_equal(result.manifests[0].spec_id, 0);
    assert_int_equal(result.manifests[1].spec_id, 1);
    finish(t, &edit);
    assert_int_equal(live(t, iceberg_current_snapshot(&t->m), seen, NULL), 2);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commits),       cmocka_unit_test(test_conflict_and_hints),
        cmocka_unit_test(test_edits),         cmocka_unit_test(test_expire),
        cmocka_unit_test(test_foreign_forms), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_commit_cost),   cmocka_unit_test(test_restore),
        cmocka_unit_test(test_keep),          cmocka_unit_test(test_added_specs)};
    return cmocka_run_group_tests_name("iceberg table", tests, NULL, NULL);
}

/* export_test.c: an Iceberg table on disk for other readers. Writes into the folder
 * QUARRY_EXPORT_DIR a table with partitions, three appends, position deletes, an equality delete, a
 * column added and a compaction, and beside it expected.json: the rows as each snapshot has them
 * (tests/system/test_iceberg_readers.py reads the table with foreign readers). Without that
 * variable all happens in memory. It shows storage the order of writes, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "format/iceberg/table.h"
#include "format/parquet/parquet.h"
#include "memory_files.h"

enum { FIELDS = 8, ROWS = 60, PARTS = 3, NEW_COLUMN = FIELDS };

static const struct field fields[FIELDS + 1] = {
    {{"id", 2}, TYPE_INT64, 1},         {{"flag", 4}, TYPE_BOOL, 2},
    {{"real", 4}, TYPE_DOUBLE, 3},      {{"text", 4}, TYPE_STRING, 4},
    {{"doc", 3}, TYPE_JSON, 5},         {{"day", 3}, TYPE_DATE, 6},
    {{"moment", 6}, TYPE_TIMESTAMP, 7}, {{"kind", 4}, TYPE_STRING, 8},
    {{"later", 5}, TYPE_INT64, 9}};

struct world {
    const char *folder; /* NULL: memory only */
    struct arena arena;
    struct memory_files files;
    struct iceberg_metadata m;
    struct str metadata_path;
    char location[600];
    struct buf expected;
    struct json_writer json;
    bool alive[1000];
    bool has_later;
    struct iceberg_data_file data[64];
    uint32_t data_len;
    uint64_t random;
};

static struct value make_value(uint32_t c, int64_t id, char text[64])
{
    struct value value = {.type = fields[c].type, .is_null = c > 0 && c < 7 && (id + c) % 7 == 0};
    int len = 0;
    if (c == 0 || c == NEW_COLUMN)
        value.int64 = c ? id * 10 : id;
    else if (c == 1)
        value.boolean = id % 2;
    else if (c == 2)
        value.real = (double)id / 4 - 3;
    else if (c == 3)
        len = snprintf(text, 64, "caf\xC3\xA9 %lld with a rather long tail", (long long)id);
    else if (c == 4)
        len = snprintf(text, 64, "{\"k\":[%lld,null]}", (long long)id);
    else if (c == 5)
        value.int64 = 19000 + id % 40;
    else if (c == 6)
        value.int64 = id * 3600000000 * 7 + 1700000000123456;
    else
        len = snprintf(text, 64, "k/%lld", (long long)id % PARTS);
    if (type_is_bytes(value.type))
        value.bytes = str_make(text, (size_t)len);
    return value;
}

static void write_file(struct world *w, struct str uri, struct slice bytes)
{
    memory_files_put(&w->files, uri, bytes);
    if (!w->folder)
        return;
    char path[900];
    (void)snprintf(path, sizeof path, "%.*s", (int)uri.len - 7, uri.data + 7); /* file:// */
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        (void)mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static enum status to_buf(void *context, struct slice bytes, struct error *err)
{
    (void)err;
    return buf_append(context, bytes.data, bytes.len) ? STATUS_OK : STATUS_NO_MEMORY;
}

static struct str bound(struct world *w, enum type type, const struct value *value, bool upper)
{
    struct buf buf;
    buf_init(&buf, 1 << 16);
    static const enum iceberg_kind kinds[] = {
        [TYPE_BOOL] = ICEBERG_BOOLEAN,       [TYPE_INT64] = ICEBERG_LONG,
        [TYPE_DOUBLE] = ICEBERG_DOUBLE,      [TYPE_STRING] = ICEBERG_STRING,
        [TYPE_JSON] = ICEBERG_STRING,        [TYPE_DATE] = ICEBERG_DATE,
        [TYPE_TIMESTAMP] = ICEBERG_TIMESTAMP};
    if (type == TYPE_STRING && upper)
        assert_true(iceberg_bound_upper(value->bytes, ICEBERG_BOUND_CODE_POINTS, &buf));
    else if (type == TYPE_STRING)
        buf_append_str(&buf, iceberg_bound_lower(value->bytes, ICEBERG_BOUND_CODE_POINTS));
    else
        assert_int_equal(iceberg_bound_write(kinds[type], value, &buf, NULL), STATUS_OK);
    struct str copy = arena_str(&w->arena, buf_str(&buf));
    buf_release(&buf);
    return copy;
}

static void fill_stats(struct world *w, const struct field *columns,
                       const struct parquet_file_stats *stats, struct iceberg_data_file *file)
{
    file->columns = arena_array(&w->arena, stats->columns_len, sizeof *file->columns);
    file->columns_len = stats->columns_len;
    for (uint32_t i = 0; i < stats->columns_len; i++) {
        const struct parquet_column_stats *from = &stats->columns[i];
        file->columns[i] =
            (struct iceberg_column_stats){.field_id = columns[i].id,
                                          .size = (int64_t)from->compressed_bytes,
                                          .values = (int64_t)from->values,
                                          .nulls = (int64_t)from->nulls,
                                          .nans = columns[i].type == TYPE_DOUBLE ? 0 : -1};
        if (!from->has_bounds)
            continue;
        file->columns[i].lower = bound(w, columns[i].type, &from->min, false);
        file->columns[i].upper = bound(w, columns[i].type, &from->max, true);
    }
}

/* Any columns of any batch as one Parquet file of the table. */
static struct iceberg_data_file put_parquet(struct world *w, const char *name,
                                            const struct field *columns, uint32_t len,
                                            const struct batch *batch)
{
    struct parquet_writer *writer;
    struct parquet_file_stats stats;
    struct parquet_write_options options = {.codec = PARQUET_SNAPPY, .created_by = STR("Quarry")};
    struct buf bytes;
    buf_init(&bytes, 1 << 24);
    assert_int_equal(parquet_writer_open(columns, len, &options, to_buf, &bytes, &writer, NULL), 0);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, batch->rows, NULL), 0);
    assert_int_equal(parquet_writer_finish(writer, &stats, NULL), 0);
    struct iceberg_data_file file = {
        .path = str_of(arena_printf(&w->arena, "%s/data/%s.parquet", w->location, name)),
        .format = STR("PARQUET"),
        .records = batch->rows,
        .bytes = (int64_t)bytes.len,
        .split_offsets = arena_alloc(&w->arena, sizeof(int64_t)),
        .split_offsets_len = 1,
        .sort_order_id = 0};
    file.split_offsets[0] = 4;
    fill_stats(w, columns, &stats, &file);
    write_file(w, file.path, (struct slice){bytes.data, bytes.len});
    parquet_file_stats_release(&stats);
    parquet_writer_free(writer);
    buf_release(&bytes);
    return file;
}

static void set_partition(struct world *w, struct iceberg_data_file *file, int part)
{
    file->partition = arena_array(&w->arena, 1, sizeof *file->partition);
    file->partition_len = 1;
    char *text = arena_printf(&w->arena, "k/%d", part);
    file->partition[0] = (struct value){.type = TYPE_STRING, .bytes = str_of(text)};
}

/* Rows first <= id < last of one partition that are alive. */
static struct iceberg_data_file put_rows(struct world *w, int64_t first, int64_t last, int part,
                                         const char *name)
{
    struct batch *batch = batch_new();
    uint32_t len = FIELDS + w->has_later, rows = 0;
    for (uint32_t c = 0; c < len; c++) {
        uint32_t index;
        assert_int_equal(batch_add_column(batch, fields[c].name, fields[c].type, &index), 0);
        rows = 0;
        for (int64_t id = first; id < last; id++) {
            char text[64];
            struct value value = make_value(c, id, text);
            if (id % PARTS != part || !w->alive[id])
                continue;
            if (c == NEW_COLUMN && id < ROWS)
                value.is_null = true; /* was written before the column was there */
            assert_int_equal(column_append_value(&batch->columns[index].column, &value), 0);
            rows++;
        }
    }
    assert_int_equal(batch_set_rows(batch, rows), 0);
    struct iceberg_data_file file = put_parquet(w, name, fields, len, batch);
    set_partition(w, &file, part);
    batch_unref(batch);
    return file;
}

static void expect_snapshot(struct world *w, const char *what, int64_t id)
{
    json_begin_object(&w->json);
    json_kv_strz(&w->json, "what", what);
    json_kv_int(&w->json, "snapshot", id);
    json_keyz(&w->json, "rows");
    json_begin_array(&w->json);
    for (int64_t row = 0; row < 1000; row++) {
        if (!w->alive[row])
            continue;
        json_begin_object(&w->json);
        for (uint32_t c = 0; c < (uint32_t)FIELDS + w->has_later; c++) {
            char text[64];
            struct value value = make_value(c, row, text);
            value.is_null |= c == NEW_COLUMN && row < ROWS;
            json_key(&w->json, fields[c].name);
            value_write_json(&w->json, &value);
        }
        json_end_object(&w->json);
    }
    json_end_array(&w->json);
    json_end_object(&w->json);
}

/* Files in order, then the pointer: what storage does with syncs between. */
static void finish(struct world *w, struct iceberg_edit *edit)
{
    assert_int_equal(iceberg_edit_finish(edit, 0, NULL), STATUS_OK);
    for (uint32_t i = 0; i < edit->files_len; i++)
        write_file(w, edit->files[i].path, edit->files[i].bytes);
    const struct iceberg_file *last = &edit->files[edit->files_len - 1];
    w->metadata_path = edit->metadata_path;
    char hint[700];
    (void)snprintf(hint, sizeof hint, "%s/metadata/version-hint.text", w->location);
    struct str name = iceberg_version_hint(w->metadata_path);
    write_file(w, str_of(arena_printf(&w->arena, "%s", hint)), (struct slice){name.data, name.len});
    assert_int_equal(
        iceberg_metadata_parse(str_make(last->bytes.data, last->bytes.len), &w->arena, &w->m, NULL),
        STATUS_OK);
}

static int64_t commit(struct world *w, struct iceberg_edit *edit, struct iceberg_commit *commit)
{
    struct iceberg_commit_result result;
    struct iceberg_loader loader = {&w->files, memory_files_load};
    struct iceberg_property lsn = {STR("quarry.wal-lsn"), STR("4711")};
    struct error err = ERROR_INIT;
    commit->random = ++w->random * UINT64_C(0x9E3779B97F4A7C15);
    commit->summary = &lsn;
    commit->summary_len = 1;
    if (iceberg_edit_commit(edit, commit, &loader, &result, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    finish(w, edit);
    return result.snapshot_id;
}

static void begin(struct world *w, struct iceberg_edit *edit)
{
    assert_int_equal(iceberg_edit_begin(edit, &w->m, w->metadata_path, w->m.last_updated_ms + 1000,
                                        &w->arena, NULL),
                     STATUS_OK);
}

static void create(struct world *w)
{
    struct iceberg_schema schema;
    struct iceberg_partition_field kind = {
        .source_id = 8, .name = STR("kind"), .transform = {.kind = ICEBERG_IDENTITY}};
    struct iceberg_spec spec = {.fields = &kind, .fields_len = 1};
    struct iceberg_edit edit;
    struct iceberg_metadata m;
    assert_int_equal(iceberg_schema_of_fields(fields, FIELDS, NULL, &w->arena, &schema, NULL), 0);
    assert_int_equal(iceberg_table_new(uuid_v7(1700000000000, (const unsigned char *)"0123456789"),
                                       str_of(w->location), &schema, &spec, NULL, 0, 1700000000000,
                                       &w->arena, &m, NULL),
                     STATUS_OK);
    assert_int_equal(iceberg_edit_begin(&edit, &m, STR_NONE, 1700000000000, &w->arena, NULL), 0);
    finish(w, &edit);
}

static void append(struct world *w, int64_t first, int64_t last, const char *what)
{
    struct iceberg_data_file added[PARTS];
    struct iceberg_edit edit;
    for (int64_t id = first; id < last; id++)
        w->alive[id] = true;
    for (int part = 0; part < PARTS; part++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s-%d", what, part);
        added[part] = put_rows(w, first, last, part, name);
        w->data[w->data_len++] = added[part];
    }
    begin(w, &edit);
    struct iceberg_commit change = {.operation = ICEBERG_APPEND,
                                    .added = added,
                                    .added_len = PARTS,
                                    .data_sequence_number = -1};
    expect_snapshot(w, what, commit(w, &edit, &change));
}

/* Rows 0 and 3 by position, rows with id 4 by equality. */
static void delete_rows(struct world *w)
{
    static const struct field position_fields[] = {{{"file_path", 9}, TYPE_STRING, 2147483546},
                                                   {{"pos", 3}, TYPE_INT64, 2147483545}};
    struct iceberg_data_file added[2];
    struct iceberg_edit edit;
    struct batch *positions = batch_new(), *equal = batch_new();
    uint32_t path, pos, id;
    batch_add_column(positions, position_fields[0].name, TYPE_STRING, &path);
    batch_add_column(positions, position_fields[1].name, TYPE_INT64, &pos);
    for (int i = 0; i < 2; i++) {
        column_append_bytes(&positions->columns[path].column, w->data[0].path);
        column_append_int64(&positions->columns[pos].column, i);
    }
    batch_set_rows(positions, 2);
    added[0] = put_parquet(w, "positions", position_fields, 2, positions);
    added[0].content = ICEBERG_POSITION_DELETES;
    added[0].referenced_data_file = w->data[0].path;
    added[0].columns_len = 0;
    set_partition(w, &added[0], 0);
    batch_add_column(equal, fields[0].name, TYPE_INT64, &id);
    column_append_int64(&equal->columns[id].column, 4);
    batch_set_rows(equal, 1);
    added[1] = put_parquet(w, "equal", fields, 1, equal);
    added[1].content = ICEBERG_EQUALITY_DELETES;
    int32_t ids[] = {1};
    added[1].equality_ids = ids;
    added[1].equality_ids_len = 1;
    set_partition(w, &added[1], 1);
    batch_unref(positions);
    batch_unref(equal);
    w->alive[0] = w->alive[3] = w->alive[4] = false;
    begin(w, &edit);
    struct iceberg_commit change = {
        .operation = ICEBERG_OVERWRITE, .added = added, .added_len = 2, .data_sequence_number = -1};
    expect_snapshot(w, "delete", commit(w, &edit, &change));
}

static void add_column(struct world *w)
{
    struct iceberg_edit edit;
    struct iceberg_schema schema;
    begin(w, &edit);
    assert_int_equal(iceberg_schema_of_fields(fields, FIELDS + 1, NULL, &w->arena, &schema, NULL),
                     0);
    assert_int_equal(iceberg_edit_schema(&edit, &schema, NULL), 0);
    finish(w, &edit);
    w->has_later = true;
}

/* All data files of the first two appends become one for each partition. */
static void compact(struct world *w)
{
    struct iceberg_data_file added[PARTS];
    struct iceberg_removed removed[2 * PARTS + 2];
    struct iceberg_edit edit;
    for (int part = 0; part < PARTS; part++) {
        char name[64];
        (void)snprintf(name, sizeof name, "compact-%d", part);
        added[part] = put_rows(w, 0, ROWS, part, name);
    }
    for (uint32_t i = 0; i < 2 * PARTS; i++)
        removed[i] = (struct iceberg_removed){.path = w->data[i].path};
    removed[6].path = str_of(arena_printf(&w->arena, "%s/data/positions.parquet", w->location));
    removed[7].path = str_of(arena_printf(&w->arena, "%s/data/equal.parquet", w->location));
    removed[6].manifest = removed[7].manifest = STR_NONE;
    removed[6].is_delete = removed[7].is_delete = true;
    begin(w, &edit);
    struct iceberg_commit change = {.operation = ICEBERG_REPLACE,
                                    .added = added,
                                    .added_len = PARTS,
                                    .data_sequence_number = w->m.last_sequence_number,
                                    .removed = removed,
                                    .removed_len = 2 * PARTS + 2};
    expect_snapshot(w, "compact", commit(w, &edit, &change));
}

static void check_totals(const struct world *w)
{
    const struct iceberg_snapshot *last = iceberg_current_snapshot(&w->m);
    struct str records = iceberg_property_find(last->summary, last->summary_len, "total-records");
    struct str files = iceberg_property_find(last->summary, last->summary_len, "total-data-files");
    struct str deletes =
        iceberg_property_find(last->summary, last->summary_len, "total-delete-files");
    assert_true(str_is(records, "87"));
    assert_true(str_is(files, "6"));
    assert_true(str_is(deletes, "0"));
    assert_int_equal(w->m.last_sequence_number, 5);
    assert_int_equal(w->m.metadata_log_len, 6);
}

static void test_export(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->folder = getenv("QUARRY_EXPORT_DIR");
    (void)snprintf(w->location, sizeof w->location, "file://%s/table",
                   w->folder ? w->folder : "/nowhere");
    arena_init(&w->arena, 0);
    memory_files_init(&w->files);
    buf_init(&w->expected, 1 << 24);
    json_writer_init(&w->json, &w->expected);
    json_begin_array(&w->json);
    create(w);
    append(w, 0, 30, "first");
    append(w, 30, ROWS, "second");
    delete_rows(w);
    add_column(w);
    append(w, ROWS, 90, "third");
    compact(w);
    json_end_array(&w->json);
    check_totals(w);
    char uri[700];
    (void)snprintf(uri, sizeof uri, "file://%s/expected.json", w->folder ? w->folder : "");
    write_file(w, str_of(arena_printf(&w->arena, "%s", uri)),
               (struct slice){w->expected.data, w->expected.len});
    buf_release(&w->expected);
    memory_files_release(&w->files);
    arena_release(&w->arena);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_export)};
    return cmocka_run_group_tests_name("iceberg export", tests, NULL, NULL);
}

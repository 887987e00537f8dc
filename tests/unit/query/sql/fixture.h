/* fixture.h: a tenant's folder with three small sources and a pool over it, for the tests of
 * query/sql. The sources are Parquet files made by our own writer, handed over as struct
 * sql_tables.
 *
 *   orders  id int64, customer string, amount double, placed timestamp, day date, paid bool,
 *           payload json; 1,000 rows in two files, the second of which (500 rows) was written
 * before `amount` was a double (int64 there) and before `payload` was a column customers  name
 * string, City string, city string (differ in case only); 3 rows nothing    id int64, label string;
 * no files */
#ifndef QUARRY_TESTS_SQL_FIXTURE_H
#define QUARRY_TESTS_SQL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/value.h"
#include "format/parquet/parquet.h"
#include "query/sql/sql_int.h"

enum { FIXTURE_TABLES = 5 };

struct fixture_table {
    const char *name;
    const struct field *fields;
    uint32_t fields_len;
    char paths[2][SYS_PATH_MAX];
    uint32_t paths_len;
};

struct fixture {
    struct sys *sys;
    char folder[64];
    struct fixture_table tables[FIXTURE_TABLES];
    struct sql_tables list;
    struct sql_pool *pool;
};

#define FIELD(n, t, i) ((struct field){{n, sizeof(n) - 1}, t, i})

static const struct field fixture_orders[] = {
    {{"id", 2}, TYPE_INT64, 1},      {{"customer", 8}, TYPE_STRING, 2},
    {{"amount", 6}, TYPE_DOUBLE, 3}, {{"placed", 6}, TYPE_TIMESTAMP, 4},
    {{"day", 3}, TYPE_DATE, 5},      {{"paid", 4}, TYPE_BOOL, 6},
    {{"payload", 7}, TYPE_JSON, 7}};
static const struct field fixture_orders_old[] = {
    {{"id", 2}, TYPE_INT64, 1},     {{"customer", 8}, TYPE_STRING, 2},
    {{"amount", 6}, TYPE_INT64, 3}, {{"placed", 6}, TYPE_TIMESTAMP, 4},
    {{"day", 3}, TYPE_DATE, 5},     {{"paid", 4}, TYPE_BOOL, 6}};
static const struct field fixture_customers[] = {
    {{"name", 4}, TYPE_STRING, 1}, {{"City", 4}, TYPE_STRING, 2}, {{"city", 4}, TYPE_STRING, 3}};
static const struct field fixture_nothing[] = {{{"id", 2}, TYPE_INT64, 1},
                                               {{"label", 5}, TYPE_STRING, 2}};

static inline enum status fixture_sink(void *context, struct slice bytes, struct error *err)
{
    (void)err;
    return fwrite(bytes.data, 1, bytes.len, context) == bytes.len ? STATUS_OK : STATUS_IO;
}

static inline void fixture_write(const char *path, const struct field *fields, uint32_t len,
                                 const struct batch *batch)
{
    struct error err = ERROR_INIT;
    struct parquet_writer *writer;
    struct parquet_write_options options = {.codec = PARQUET_SNAPPY, .created_by = STR("test")};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    enum status status =
        parquet_writer_open(fields, len, &options, fixture_sink, file, &writer, &err);
    if (status == STATUS_OK)
        status = parquet_writer_append(writer, batch, NULL, batch->rows, &err);
    if (status == STATUS_OK)
        status = parquet_writer_finish(writer, NULL, &err);
    if (status != STATUS_OK)
        fail_msg("%s: %s", path, err.message);
    parquet_writer_free(writer);
    assert_int_equal(fclose(file), 0);
}

static inline struct batch *fixture_batch(const struct field *fields, uint32_t len)
{
    struct batch *batch = batch_new();
    uint32_t index;
    assert_non_null(batch);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(batch_add_column(batch, fields[i].name, fields[i].type, &index),
                         STATUS_OK);
    return batch;
}

/* Row i: customer c<i % 7>, amount i (new file: i + 0.5), one second apart from 2024-01-01. */
static inline void fixture_orders_rows(struct batch *batch, int first, int count)
{
    char text[64];
    for (int i = first; i < first + count; i++) {
        struct batch_column *c = batch->columns;
        assert_int_equal(column_append_int64(&c[0].column, i), STATUS_OK);
        snprintf(text, sizeof text, "c%d", i % 7);
        assert_int_equal(column_append_bytes(&c[1].column, str_of(text)), STATUS_OK);
        if (c[2].column.type == TYPE_DOUBLE)
            assert_int_equal(column_append_double(&c[2].column, i + 0.5), STATUS_OK);
        else
            assert_int_equal(column_append_int64(&c[2].column, i), STATUS_OK);
        assert_int_equal(
            column_append_int64(&c[3].column, INT64_C(1704067200000000) + i * INT64_C(1000000)),
            STATUS_OK);
        assert_int_equal(column_append_date(&c[4].column, 19723 + i / 100), STATUS_OK);
        assert_int_equal(column_append_bool(&c[5].column, i % 2 == 0), STATUS_OK);
        if (batch->columns_len < 7)
            continue;
        snprintf(text, sizeof text, "{\"n\":%d,\"tag\":\"t%d\"}", i, i % 3);
        assert_int_equal(column_append_bytes(&c[6].column, str_of(text)), STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, (uint32_t)count), STATUS_OK);
}

static inline void fixture_table(struct fixture *f, int index, const char *name,
                                 const struct field *fields, uint32_t fields_len)
{
    struct fixture_table *table = &f->tables[index];
    *table = (struct fixture_table){.name = name, .fields = fields, .fields_len = fields_len};
    f->list.len = (uint32_t)index + 1;
}

/* The next file of a table. The folder holds a quote: names must be quoted well. */
static inline const char *fixture_path(struct fixture *f, int index)
{
    struct fixture_table *table = &f->tables[index];
    char folder[SYS_PATH_MAX];
    assert_int_equal(sys_path(folder, NULL, "%s/sources/it's/%s", f->folder, table->name),
                     STATUS_OK);
    assert_int_equal(sys_mkdirs(f->sys, folder, NULL), STATUS_OK);
    char *path = table->paths[table->paths_len++];
    assert_int_equal(sys_path(path, NULL, "%s/%u.parquet", folder, table->paths_len), STATUS_OK);
    return path;
}

static inline void fixture_fill(struct fixture *f)
{
    fixture_table(f, 0, "orders", fixture_orders, 7);
    struct batch *batch = fixture_batch(fixture_orders, 7);
    fixture_orders_rows(batch, 0, 500);
    fixture_write(fixture_path(f, 0), fixture_orders, 7, batch);
    batch_unref(batch);
    batch = fixture_batch(fixture_orders_old, 6);
    fixture_orders_rows(batch, 500, 500);
    fixture_write(fixture_path(f, 0), fixture_orders_old, 6, batch);
    batch_unref(batch);

    fixture_table(f, 1, "customers", fixture_customers, 3);
    batch = fixture_batch(fixture_customers, 3);
    for (int i = 0; i < 3; i++)
        for (uint32_t c = 0; c < 3; c++) {
            char text[8] = {(char)('a' + i), (char)('0' + (int)c), 0};
            assert_int_equal(column_append_bytes(&batch->columns[c].column, str_of(text)),
                             STATUS_OK);
        }
    assert_int_equal(batch_set_rows(batch, 3), STATUS_OK);
    fixture_write(fixture_path(f, 1), fixture_customers, 3, batch);
    batch_unref(batch);
    fixture_table(f, 2, "nothing", fixture_nothing, 2);
    fixture_table(f, 3, "odd\"name.v1", fixture_nothing, 2);
    fixture_table(f, 4, "bare", fixture_nothing, 0);
}

static inline struct str fixture_name(void *context, uint32_t index)
{
    struct fixture *f = context;
    return str_of(f->tables[index].name);
}

static inline enum status fixture_files(void *context, uint32_t index, struct sql_file_list *ret,
                                        struct error *err)
{
    (void)err;
    struct fixture *f = context;
    struct fixture_table *table = &f->tables[index];
    const char **paths = calloc(2, sizeof *paths);
    assert_non_null(paths);
    for (uint32_t i = 0; i < table->paths_len; i++)
        paths[i] = table->paths[i];
    *ret = (struct sql_file_list){.fields = table->fields,
                                  .fields_len = table->fields_len,
                                  .paths = paths,
                                  .paths_len = table->paths_len};
    return STATUS_OK;
}

static inline const char *fixture_worker(void)
{
    static char path[SYS_PATH_MAX];
    const char *given = getenv("QUARRY_SQL_WORKER");
    const char *bin = getenv("QUARRY_BIN");
    snprintf(path, sizeof path, "%s%s",
             given ? given
             : bin ? bin
                   : ".",
             given ? "" : "/quarry-sql-worker");
    if (access(path, X_OK) != 0)
        fail_msg("%s is not there: build quarry-sql-worker, or set QUARRY_SQL_WORKER", path);
    return path;
}

static inline void fixture_open_with(struct fixture *f, struct sql_pool_options options)
{
    struct error err = ERROR_INIT;
    *f = (struct fixture){.sys = sys_posix()};
    f->list = (struct sql_tables){f, 0, fixture_name, fixture_files};
    snprintf(f->folder, sizeof f->folder, "/tmp/quarry-sql-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    fixture_fill(f);
    options.worker_path = fixture_worker();
    options.data_path = f->folder;
    if (sql_pool_open(f->sys, &options, &f->pool, &err) != STATUS_OK)
        fail_msg("pool: %s", err.message);
}

static inline void fixture_open(struct fixture *f)
{
    fixture_open_with(f, (struct sql_pool_options){0});
}

static inline void fixture_close(struct fixture *f)
{
    sql_pool_close(f->pool);
    assert_int_equal(sys_remove_tree(f->sys, f->folder, NULL), STATUS_OK);
}

/* --- answers as text: "a:BIGINT|b:VARCHAR\n1|\"x\"\n" --- */

struct fixture_answer {
    struct buf text;
    uint32_t row_frames;
    int64_t pause_us;   /* in each rows call */
    enum status refuse; /* what rows returns */
};

static inline enum status fixture_columns(void *context, const struct str *names,
                                          const struct str *types, uint32_t len, struct error *err)
{
    (void)err;
    struct fixture_answer *answer = context;
    for (uint32_t i = 0; i < len; i++)
        buf_printf(&answer->text, "%s%.*s:%.*s", i ? "|" : "", STR_ARG(names[i]),
                   STR_ARG(types[i]));
    buf_append_char(&answer->text, '\n');
    return STATUS_OK;
}

static inline enum status fixture_rows(void *context, const struct batch *batch, struct error *err)
{
    struct fixture_answer *answer = context;
    answer->row_frames++;
    if (answer->pause_us)
        usleep((useconds_t)answer->pause_us);
    if (answer->refuse)
        return error_set(err, answer->refuse, "refused by the sink");
    for (uint32_t row = 0; row < batch->rows && answer->text.len < 100000; row++) {
        for (uint32_t i = 0; i < batch->columns_len; i++) {
            struct json_writer w;
            json_writer_init(&w, &answer->text);
            if (i)
                buf_append_char(&answer->text, '|');
            column_write_json(&w, &batch->columns[i].column, row);
        }
        buf_append_char(&answer->text, '\n');
    }
    return STATUS_OK;
}

static inline enum status fixture_ask(struct fixture *f, const struct sql_request *request,
                                      struct fixture_answer *answer, struct sql_stats *stats,
                                      struct error *err)
{
    struct sql_sink sink = {answer, fixture_columns, fixture_rows};
    *err = ERROR_INIT;
    return sql_pool_run(f->pool, request, &f->list, &sink, stats, err);
}

/* The whole answer, or "<status code>: <message>"; free() it. */
static inline char *fixture_query(struct fixture *f, const char *sql, const char *parameters,
                                  int64_t limit)
{
    struct fixture_answer answer = {0};
    struct sql_stats stats;
    struct error err;
    yyjson_doc *doc = parameters ? yyjson_read(parameters, strlen(parameters), 0) : NULL;
    struct sql_request request = {
        .query = str_of(sql), .limit = limit, .parameters = doc ? yyjson_doc_get_root(doc) : NULL};
    buf_init(&answer.text, 1 << 20);
    enum status status = fixture_ask(f, &request, &answer, &stats, &err);
    if (status != STATUS_OK) {
        buf_clear(&answer.text);
        buf_printf(&answer.text, "%s: %s", status_info(status)->code, err.message);
        if (err.line > 0)
            buf_printf(&answer.text, " @%d:%d", (int)err.line, (int)err.column);
    } else if (stats.truncated) {
        buf_append_str(&answer.text, STR("...\n"));
    }
    buf_append_char(&answer.text, '\0');
    yyjson_doc_free(doc);
    size_t len;
    return buf_take(&answer.text, &len);
}

static inline void expect_query(struct fixture *f, const char *sql, const char *expected)
{
    char *answer = fixture_query(f, sql, NULL, -1);
    if (strcmp(answer, expected) != 0)
        fail_msg("%s\n--- expected\n%s\n--- got\n%s", sql, expected, answer);
    free(answer);
}

/* The answer begins with `prefix`. */
static inline void expect_prefix(struct fixture *f, const char *sql, const char *prefix)
{
    char *answer = fixture_query(f, sql, NULL, -1);
    if (strncmp(answer, prefix, strlen(prefix)) != 0)
        fail_msg("%s\n--- expected to begin with\n%s\n--- got\n%s", sql, prefix, answer);
    free(answer);
}

#endif

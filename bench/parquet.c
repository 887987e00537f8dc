/* parquet.c: our Parquet writer and reader against DuckDB's, in this process, by CPU time on one
 * thread:
 *
 *   parquet FOLDER [ROWS]
 *
 * The rows: an ascending integer, a double of which 10,007 values differ, a word of 97, a text of
 * 20 to 60 bytes that is different in each row. Ours: the options of segments (pages of 2,048 rows,
 * snappy, deltas allowed). DuckDB: COPY from a table in memory to a file, snappy, one thread;
 * reading sums up all columns in both cases. Prints one line of JSON for each figure; FOLDER should
 * be in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <duckdb.h>

#include "format/parquet/parquet.h"

enum {
    COLUMNS = 4,
    BATCH = 65536,
    SLICE = 8192,
    TIMES = 3,
    FETCHES = 20000,
    FETCH_ROWS = 300000,
};

static const struct field fields[COLUMNS] = {{{"id", 2}, TYPE_INT64, 1},
                                             {{"price", 5}, TYPE_DOUBLE, 2},
                                             {{"word", 4}, TYPE_STRING, 3},
                                             {{"text", 4}, TYPE_STRING, 4}};
static duckdb_connection connection;

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "parquet: %s failed\n", what);
    exit(1);
}

static double cpu_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static struct batch *make_batch(uint32_t first, uint32_t rows)
{
    struct batch *batch = batch_new();
    char text[80];
    must(batch != NULL, "a batch");
    for (uint32_t c = 0; c < COLUMNS; c++) {
        uint32_t at = 0;
        must(batch_add_column(batch, fields[c].name, fields[c].type, &at) == STATUS_OK, "a column");
        for (uint32_t i = 0; i < rows; i++) {
            uint64_t row = first + i, mixed = row * 0x9E3779B97F4A7C15u;
            struct value value = {.type = fields[c].type};
            int len = 0;
            if (c == 0)
                value.int64 = (int64_t)(row * 3);
            else if (c == 1)
                value.real = (double)(mixed % 10007) / 4;
            else if (c == 2)
                len = snprintf(text, sizeof text, "word-%u", (unsigned)(mixed >> 32) % 97);
            else
                len = snprintf(text, sizeof text, "/usr/share/doc/%llx/%.*s",
                               (unsigned long long)mixed, (int)(mixed >> 60) * 2,
                               "changelog.Debian.gz and more");
            if (c > 1)
                value.bytes = str_make(text, (size_t)len);
            must(column_append_value(&batch->columns[at].column, &value) == STATUS_OK, "a value");
        }
    }
    must(batch_set_rows(batch, rows) == STATUS_OK, "a batch");
    return batch;
}

static enum status sink(void *context, struct slice bytes, struct error *err)
{
    (void)err;
    return buf_append(context, bytes.data, bytes.len) ? STATUS_OK : STATUS_NO_MEMORY;
}

static double write_ours(struct batch *const *batches, uint32_t len, struct buf *file)
{
    struct parquet_write_options options = {.codec = PARQUET_SNAPPY,
                                            .page_rows = 2048,
                                            .allow_delta = true,
                                            .created_by = STR("bench")};
    struct parquet_writer *writer = NULL;
    double begin = cpu_ms();
    buf_clear(file);
    must(parquet_writer_open(fields, COLUMNS, &options, sink, file, &writer, NULL) == STATUS_OK,
         "opening a writer");
    for (uint32_t i = 0; i < len; i++)
        must(parquet_writer_append(writer, batches[i], NULL, batches[i]->rows, NULL) == STATUS_OK,
             "writing");
    must(parquet_writer_finish(writer, NULL, NULL) == STATUS_OK, "finishing");
    parquet_writer_free(writer);
    return cpu_ms() - begin;
}

/* Sums up everything, so that nothing is left out. */
static double read_ours(struct slice file, double *ret_sum)
{
    struct parquet_reader *reader = NULL;
    double begin = cpu_ms(), sum = 0;
    must(parquet_reader_open(file, &reader, NULL) == STATUS_OK, "opening a file");
    for (uint32_t c = 0; c < COLUMNS; c++) {
        struct column column;
        column_init(&column, fields[c].type);
        for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++) {
            uint64_t rows = parquet_row_group_rows(reader, g);
            for (uint64_t at = 0; at < rows; at += SLICE) {
                uint64_t n = rows - at < SLICE ? rows - at : SLICE;
                column_truncate(&column, 0);
                must(parquet_read_column(reader, g, c, at, n, &column, NULL) == STATUS_OK,
                     "reading");
                for (uint32_t i = 0; i < column.rows; i++)
                    sum += c == 0   ? (double)column_int64(&column, i)
                           : c == 1 ? column_double(&column, i)
                                    : (double)column_str(&column, i).len;
            }
        }
        column_release(&column);
    }
    parquet_reader_free(reader);
    *ret_sum = sum;
    return cpu_ms() - begin;
}

/* Microseconds for all columns of one of the first FETCH_ROWS rows. Warm: their pages are decoded,
 * all of them fit into the reader's memory. Else each fetch begins with nothing decoded. */
static double fetch_ours(struct slice file, bool warm)
{
    struct parquet_reader *reader = NULL;
    struct column columns[COLUMNS];
    double begin = 0;
    must(parquet_reader_open(file, &reader, NULL) == STATUS_OK, "opening a file");
    for (uint32_t c = 0; c < COLUMNS; c++)
        column_init(&columns[c], fields[c].type);
    for (int turn = 0; turn < 3; turn++) {
        uint64_t mixed = 1;
        begin = cpu_ms();
        for (int i = 0; i < FETCHES; i++) {
            mixed = mixed * 6364136223846793005u + 1442695040888963407u;
            uint64_t row = (mixed >> 32) % FETCH_ROWS;
            if (!warm)
                parquet_reader_rest(reader, 0);
            for (uint32_t c = 0; c < COLUMNS; c++) {
                column_truncate(&columns[c], 0);
                must(parquet_read_rows(reader, c, &row, 1, &columns[c], NULL) == STATUS_OK,
                     "fetching");
            }
        }
    }
    double us = (cpu_ms() - begin) * 1000 / FETCHES;
    for (uint32_t c = 0; c < COLUMNS; c++)
        column_release(&columns[c]);
    parquet_reader_free(reader);
    return us;
}

static double run_duck(const char *format, const char *folder)
{
    char sql[1000];
    duckdb_result result;
    double begin = cpu_ms();
    (void)snprintf(sql, sizeof sql, format, folder);
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess) {
        fprintf(stderr, "parquet: %s\n", duckdb_result_error(&result));
        exit(1);
    }
    duckdb_destroy_result(&result);
    return cpu_ms() - begin;
}

static void best(double *least, double now)
{
    if (*least == 0 || now < *least)
        *least = now;
}

static void print(const char *name, double ours, double duck)
{
    printf("{\"%s\":{\"ours_cpu_ms\":%.0f,\"duckdb_cpu_ms\":%.0f,\"ours/duckdb\":%.2f}}\n", name,
           ours, duck, ours / duck);
}

int main(int argc, char **argv)
{
    uint32_t rows = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 2000000;
    uint32_t len = (rows + BATCH - 1) / BATCH;
    struct batch **batches = calloc(len + 1, sizeof *batches);
    struct buf file;
    char path[600];
    duckdb_database database;
    double write = 0, read = 0, duck_write = 0, duck_read = 0, duck_reads_ours = 0, sum = 0;
    must(argc > 1 && batches && rows >= FETCH_ROWS, "usage: parquet FOLDER [ROWS]; starting");
    for (uint32_t i = 0; i < len; i++)
        batches[i] = make_batch(i * BATCH, i + 1 < len ? BATCH : rows - i * BATCH);
    buf_init(&file, (size_t)1 << 31);
    must(duckdb_open(NULL, &database) == DuckDBSuccess &&
             duckdb_connect(database, &connection) == DuckDBSuccess,
         "opening DuckDB");
    run_duck("SET threads = 1", "");
    for (int i = 0; i < TIMES; i++) {
        best(&write, write_ours(batches, len, &file));
        best(&read, read_ours((struct slice){file.data, file.len}, &sum));
    }
    (void)snprintf(path, sizeof path, "%s/ours.parquet", argv[1]);
    FILE *out = fopen(path, "wb");
    must(out && fwrite(file.data, 1, file.len, out) == file.len && fclose(out) == 0, "a file");
    run_duck("CREATE TABLE t AS SELECT * FROM read_parquet('%s/ours.parquet')", argv[1]);
    for (int i = 0; i < TIMES; i++) {
        best(&duck_write,
             run_duck("COPY t TO '%s/duck.parquet' (FORMAT parquet, COMPRESSION snappy)", argv[1]));
        best(&duck_read, run_duck("SELECT sum(id), sum(price), sum(strlen(word)), sum(strlen(text))"
                                  " FROM read_parquet('%s/duck.parquet')",
                                  argv[1]));
        best(&duck_reads_ours,
             run_duck("SELECT sum(id), sum(price), sum(strlen(word)), sum(strlen(text))"
                      " FROM read_parquet('%s/ours.parquet')",
                      argv[1]));
    }
    print("write", write, duck_write);
    print("read", read, duck_read);
    print("read, DuckDB from our file", read, duck_reads_ours);
    printf(
        "{\"fetch a row of 4 columns\":{\"warm_cpu_us\":%.1f,\"nothing_decoded_cpu_us\":%.1f}}\n",
        fetch_ours((struct slice){file.data, file.len}, true),
        fetch_ours((struct slice){file.data, file.len}, false));
    printf("{\"file\":{\"rows\":%u,\"ours_mb\":%.1f,\"sum\":%.0f}}\n", rows, (double)file.len / 1e6,
           sum);
    return 0;
}

/* duck.c: the peer for aggregates: DuckDB in this process over Parquet files, as a user would do
 * it.
 *
 *   duck THREADS TIMES 'PARQUET GLOB' SQL...
 *
 * A view `files` stands for the files. Each statement runs TIMES times; prints one line of JSON for
 * each: {"sql", "first_ms", "best_ms", "rows"}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <duckdb.h>

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static duckdb_connection connection;

/* Number of rows; ends the program on an error. */
static unsigned long long query(const char *sql)
{
    duckdb_result result;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess) {
        fprintf(stderr, "duck: %s\n", duckdb_result_error(&result));
        exit(1);
    }
    unsigned long long rows = duckdb_row_count(&result);
    duckdb_destroy_result(&result);
    return rows;
}

static void measure(const char *sql, int times)
{
    double first = 0, best = 0;
    unsigned long long rows = 0;
    for (int i = 0; i < times; i++) {
        double begin = now_ms();
        rows = query(sql);
        double took = now_ms() - begin;
        first = i == 0 ? took : first;
        best = i == 0 || took < best ? took : best;
    }
    printf("{\"sql\":\"%s\",\"first_ms\":%.2f,\"best_ms\":%.2f,\"rows\":%llu}\n", sql, first, best,
           rows);
}

int main(int argc, char **argv)
{
    static char list[1 << 20], text[(1 << 20) + 200];
    duckdb_database database;
    FILE *file = argc < 5 ? NULL : fopen(argv[3], "r");
    if (!file) {
        fprintf(stderr, "usage: duck THREADS TIMES FILE_WITH_SQL_LIST_OF_PARQUET_FILES SQL...\n");
        return 2;
    }
    list[fread(list, 1, sizeof list - 1, file)] = 0;
    fclose(file);
    if (duckdb_open(NULL, &database) != DuckDBSuccess ||
        duckdb_connect(database, &connection) != DuckDBSuccess)
        return 1;
    snprintf(text, sizeof text, "SET threads = %d", atoi(argv[1]));
    query(text);
    snprintf(text, sizeof text,
             "CREATE VIEW files AS SELECT * FROM read_parquet(%s, hive_partitioning = false)",
             list);
    query(text);
    for (int i = 4; i < argc; i++)
        measure(argv[i], atoi(argv[2]));
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    return 0;
}

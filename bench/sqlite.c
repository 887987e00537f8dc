/* sqlite.c: the peer for ingest: SQLite in this process, the same records from JSON, durable
 * commits.
 *
 *   sqlite FILE BATCH SECONDS
 *
 * One writer (SQLite has no more), one transaction a batch, journal_mode=WAL, synchronous=FULL. The
 * records are parsed by SQLite's own json_extract into 11 typed columns; no HTTP. Prints one line
 * of JSON: {batch, rows_per_s, mb_per_s, acks_per_s, p50_ms, p99_ms, cpu_us_per_row}. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "record.h"

enum { BODIES = 16, LATENCIES_MAX = 1 << 20 };

static sqlite3 *database;

static double clock_of(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void run(const char *sql)
{
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(database));
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static sqlite3_stmt *open_database(const char *path)
{
    sqlite3_stmt *insert;
    if (sqlite3_open(path, &database) != SQLITE_OK)
        exit(1);
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE events (id INTEGER, time TEXT, user TEXT, event TEXT, page TEXT, country "
        "TEXT, "
        "device TEXT, amount REAL, quantity INTEGER, paid INTEGER, session TEXT)");
    if (sqlite3_prepare_v2(
            database,
            "INSERT INTO events SELECT j->>'id', j->>'time', j->>'user', j->>'event', "
            "j->>'page', j->>'country', j->>'device', j->>'amount', j->>'quantity', "
            "j->>'paid', j->>'session' FROM (SELECT ?1 AS j)",
            -1, &insert, NULL) != SQLITE_OK) {
        fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(database));
        exit(1);
    }
    return insert;
}

/* One batch as one transaction; returns its bytes of JSON. */
static size_t write_batch(sqlite3_stmt *insert, int batch, unsigned long *id, char *texts)
{
    size_t bytes = 0;
    run("BEGIN");
    for (int i = 0; i < batch; i++) {
        int len = make_record(texts, (*id)++);
        sqlite3_bind_text(insert, 1, texts, len - 1, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            exit(1);
        sqlite3_reset(insert);
        bytes += (size_t)len;
    }
    run("COMMIT");
    return bytes;
}

int main(int argc, char **argv)
{
    if (argc < 4 || atoi(argv[2]) < 1) {
        fprintf(stderr, "usage: sqlite FILE BATCH SECONDS\n");
        return 2;
    }
    char text[RECORD_MAX];
    int batch = atoi(argv[2]);
    sqlite3_stmt *insert = open_database(argv[1]);
    double *latencies = malloc(LATENCIES_MAX * sizeof *latencies), bytes = 0;
    unsigned long id = 0;
    size_t acks = 0;
    double begin = clock_of(CLOCK_MONOTONIC), cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID), now = begin;
    if (!latencies)
        return 1;
    while (now - begin < atof(argv[3]) && acks < LATENCIES_MAX) {
        bytes += (double)write_batch(insert, batch, &id, text);
        double after = clock_of(CLOCK_MONOTONIC);
        latencies[acks++] = after - now;
        now = after;
    }
    cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(latencies, acks, sizeof *latencies, compare);
    double seconds = now - begin, rows = (double)id;
    printf(
        "{\"batch\":%d,\"rows_per_s\":%.0f,\"mb_per_s\":%.1f,\"acks_per_s\":%.0f,\"p50_ms\":%.3f,"
        "\"p99_ms\":%.3f,\"cpu_us_per_row\":%.3f}\n",
        batch, rows / seconds, bytes / seconds / 1e6, (double)acks / seconds,
        latencies[acks / 2] * 1e3, latencies[acks * 99 / 100] * 1e3, cpu / rows * 1e6);
    return 0;
}

/* sql_front.c: what the SQL front costs a statement: parse, analyze and translate to DuckDB, in
 * microseconds (median of many runs). Usage: sql_front [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "query/lang/lang.h"

static const struct {
    const char *name;
    enum lang_dialect dialect;
    const char *sql;
} statements[] = {
    {"point", LANG_MYSQL, "SELECT id, amount FROM sales WHERE id = 5 LIMIT 1"},
    {"aggregate", LANG_MYSQL,
     "SELECT customer_id, SUM(amount) AS total, COUNT(*) AS n, DATE_FORMAT(order_date, '%Y-%m') AS "
     "m "
     "FROM sales_data WHERE order_date >= '2024-01-01' AND status IN ('paid', 'shipped') "
     "GROUP BY customer_id, m HAVING total > 100 ORDER BY total DESC LIMIT 10"},
    {"join", LANG_POSTGRES,
     "WITH big AS (SELECT customer_id AS c, amount FROM sales WHERE amount > 100) "
     "SELECT b.c, u.name, SUM(b.amount) OVER (PARTITION BY b.c ORDER BY u.age DESC) AS running "
     "FROM big b LEFT JOIN users u ON u.id = b.c WHERE u.age >= 18 AND u.payload->>'tier' = 'gold' "
     "AND u.city IN (SELECT city FROM cities WHERE to_char(founded, 'YYYY') > '1900') ORDER BY 3"},
    {"snowflake", LANG_SNOWFLAKE,
     "SELECT payload:user.name::VARCHAR AS name, DATEDIFF('day', created, CURRENT_TIMESTAMP()) AS "
     "d "
     "FROM events QUALIFY ROW_NUMBER() OVER (PARTITION BY name ORDER BY created DESC) = 1"},
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double once(enum lang_dialect dialect, struct str sql)
{
    struct arena arena;
    struct lang_query query;
    struct lang_analysis facts;
    struct lang_problem problem;
    struct buf out;
    double start = now_us();
    arena_init(&arena, 0);
    buf_init(&out, 1 << 20);
    if (lang_parse(&arena, sql, dialect, NULL, &query, &problem) != STATUS_OK ||
        lang_analyze(&arena, &query, &facts, &problem) != STATUS_OK ||
        lang_generate(&arena, &query, LANG_DUCKDB, &out, &problem) != STATUS_OK) {
        fprintf(stderr, "%s\n", problem.message);
        exit(1);
    }
    buf_release(&out);
    arena_release(&arena);
    return now_us() - start;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20000;
    if (rounds < 1)
        return 2;
    double *times = calloc((size_t)rounds, sizeof *times);
    for (size_t i = 0; times && i < sizeof statements / sizeof *statements; i++) {
        for (int k = 0; k < rounds; k++)
            times[k] = once(statements[i].dialect, str_of(statements[i].sql));
        qsort(times, (size_t)rounds, sizeof *times, compare);
        printf("%-10s median %6.1f us, p99 %6.1f us\n", statements[i].name, times[rounds / 2],
               times[(size_t)rounds * 99 / 100]);
    }
    free(times);
    return 0;
}

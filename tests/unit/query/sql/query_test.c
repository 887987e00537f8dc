/* Answers of SQL through real worker processes: rows, types, parameters, limits, schemas, errors.
 */
#include "unit/query/sql/fixture.h"

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static void expect_with(const char *sql, const char *parameters, int64_t limit,
                        const char *expected)
{
    char *answer = fixture_query(&f, sql, parameters, limit);
    if (strcmp(answer, expected) != 0)
        fail_msg("%s\n--- expected\n%s\n--- got\n%s", sql, expected, answer);
    free(answer);
}

static void reads_files_of_two_schemas(void **state)
{
    (void)state;
    expect_query(
        &f,
        "SELECT count(*) n, sum(id)::BIGINT s, sum(amount) a, min(placed), max(day) FROM orders",
        "n:BIGINT|s:BIGINT|a:DOUBLE|min(placed):TIMESTAMP|max(\"day\"):DATE\n"
        "1000|499500|499750.0|\"2024-01-01T00:00:00\"|\"2024-01-10\"\n");
    expect_query(
        &f, "SELECT * FROM orders WHERE id IN (1, 501) ORDER BY id",
        "id:BIGINT|customer:VARCHAR|amount:DOUBLE|placed:TIMESTAMP|day:DATE|paid:BOOLEAN|"
        "payload:JSON\n"
        "1|\"c1\"|1.5|\"2024-01-01T00:00:01\"|\"2024-01-01\"|false|{\"n\":1,\"tag\":\"t1\"}\n"
        "501|\"c4\"|501.0|\"2024-01-01T00:08:21\"|\"2024-01-06\"|false|null\n");
    expect_query(&f, "SELECT payload->>'tag' t, count(*) n FROM main.orders GROUP BY 1 ORDER BY 1",
                 "t:VARCHAR|n:BIGINT\n\"t0\"|167\n\"t1\"|167\n\"t2\"|166\nnull|500\n");
}

static void reads_odd_tables(void **state)
{
    (void)state;
    expect_query(&f, "SELECT * FROM nothing", "id:BIGINT|label:VARCHAR\n");
    expect_query(&f, "SELECT count(*) n FROM \"odd\"\"name.v1\"", "n:BIGINT\n0\n");
    expect_query(&f, "SELECT count(*) n FROM bare", "n:BIGINT\n0\n");
    expect_query(&f, "SELECT * FROM customers WHERE name = 'b0'",
                 "name:VARCHAR|City:VARCHAR|city_3:VARCHAR\n\"b0\"|\"b1\"|\"b2\"\n");
    expect_query(&f, "SELECT id FROM ORDERS WHERE ID = 7", "id:BIGINT\n7\n");
    expect_query(&f, "DESCRIBE nothing",
                 "column_name:VARCHAR|column_type:VARCHAR|null:VARCHAR|key:VARCHAR|default:VARCHAR|"
                 "extra:VARCHAR\n\"id\"|\"BIGINT\"|\"YES\"|null|null|null\n"
                 "\"label\"|\"VARCHAR\"|\"YES\"|null|null|null\n");
}

static void numbers_are_exact(void **state)
{
    (void)state;
    expect_query(&f,
                 "SELECT 170141183460469231731687303715884105727::HUGEINT h, "
                 "-170141183460469231731687303715884105727::HUGEINT n, "
                 "340282366920938463463374607431768211455::UHUGEINT u",
                 "h:HUGEINT|n:HUGEINT|u:UHUGEINT\n170141183460469231731687303715884105727|"
                 "-170141183460469231731687303715884105727|"
                 "340282366920938463463374607431768211455\n");
    expect_query(&f,
                 "SELECT 1.50::DECIMAL(18,2) a, -0.05::DECIMAL(4,2) b, 12::DECIMAL(10,0) c, "
                 "12345678901234567890123456789012345.678::DECIMAL(38,3) d, 0::DECIMAL(2,2) e",
                 "a:DECIMAL(18,2)|b:DECIMAL(4,2)|c:DECIMAL(10,0)|d:DECIMAL(38,3)|e:DECIMAL(2,2)\n"
                 "1.50|-0.05|12|12345678901234567890123456789012345.678|0.00\n");
    expect_query(&f,
                 "SELECT 18446744073709551615::UBIGINT a, (-128)::TINYINT b, 255::UTINYINT c, "
                 "(-9223372036854775808)::BIGINT d, 4294967295::UINTEGER e",
                 "a:UBIGINT|b:TINYINT|c:UTINYINT|d:BIGINT|e:UINTEGER\n"
                 "18446744073709551615|-128|255|-9223372036854775808|4294967295\n");
    expect_query(&f,
                 "SELECT 0.1::FLOAT a, 1e300::DOUBLE b, 'nan'::DOUBLE c, '-inf'::FLOAT d, true e",
                 "a:FLOAT|b:DOUBLE|c:DOUBLE|d:FLOAT|e:BOOLEAN\n0.1|1e+300|null|null|true\n");
}

static void times_and_texts(void **state)
{
    (void)state;
    expect_query(&f,
                 "SELECT DATE '0044-03-15' a, 'infinity'::DATE b, TIME '12:34:56.5' c, "
                 "TIMESTAMPTZ '2024-01-01 12:00:00+02' d, TIMESTAMP '2024-01-01 00:00:00.000001' e",
                 "a:DATE|b:DATE|c:TIME|d:TIMESTAMP WITH TIME ZONE|e:TIMESTAMP\n\"0044-03-15\"|null|"
                 "\"12:34:56.5\"|\"2024-01-01T10:00:00Z\"|\"2024-01-01T00:00:00.000001\"\n");
    expect_query(&f,
                 "SELECT TIMESTAMP_NS '2024-01-01 00:00:00.123456789' a, "
                 "INTERVAL '1 year 2 months 3 days 04:05:06.7' b, INTERVAL (-1) DAY c, "
                 "INTERVAL 0 DAY d",
                 "a:TIMESTAMP_NS|b:INTERVAL|c:INTERVAL|d:INTERVAL\n\"2024-01-01T00:00:00.123456\"|"
                 "\"1 year 2 months 3 days 04:05:06.7\"|\"-1 day\"|\"00:00:00\"\n");
    expect_query(&f,
                 "SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID a, 'abcd'::BLOB b, "
                 "'y'::ENUM('x','y') c, NULL d, 'q\"\n' e",
                 "a:UUID|b:BLOB|c:ENUM|d:INTEGER|e:VARCHAR\n"
                 "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"|\"YWJjZA==\"|\"y\"|null|\"q\\\"\\n\"\n");
    expect_prefix(&f, "SELECT DATE '12345-01-01'", "invalid_sql: a value of type DATE outside");
    expect_prefix(&f, "SELECT '101'::BIT AS b", "invalid_sql: column b has type BIT");
}

static void nested_values_are_json(void **state)
{
    (void)state;
    expect_query(&f,
                 "SELECT [[1],[NULL]] a, {'x': 1, 'y': {'z': DATE '2024-01-01'}} b, "
                 "MAP {'k': 1.5} c, MAP {1: ['v']} d, ROW(1,'t') e, [1,2]::INT[2] g, "
                 "[NULL, {'j': '{\"n\": 1}'::JSON}] h",
                 "a:INTEGER[][]|b:STRUCT(x INTEGER, y STRUCT(z DATE))|c:MAP(VARCHAR, DECIMAL(2,1))|"
                 "d:MAP(INTEGER, VARCHAR[])|e:STRUCT(INTEGER, VARCHAR)|g:INTEGER[2]|"
                 "h:STRUCT(j JSON)[]\n"
                 "[[1],[null]]|{\"x\":1,\"y\":{\"z\":\"2024-01-01\"}}|{\"k\":1.5}|{\"1\":[\"v\"]}|"
                 "[1,\"t\"]|[1,2]|[null,{\"j\":{\"n\": 1}}]\n");
    expect_query(&f, "SELECT list(id ORDER BY id) l FROM orders WHERE id < 3",
                 "l:BIGINT[]\n[0,1,2]\n");
}

static void names_are_unique(void **state)
{
    (void)state;
    expect_query(&f, "SELECT 1 a, 2 a, 3 A, 4 a_1",
                 "a:INTEGER|a_1:INTEGER|A:INTEGER|a_1_1:INTEGER\n1|2|3|4\n");
}

static void parameters(void **state)
{
    (void)state;
    expect_with("SELECT id FROM orders WHERE id = ? AND customer = ?", "[8,\"c1\"]", -1,
                "id:BIGINT\n8\n");
    expect_with("SELECT $2 b, $1 a", "[1,\"x\"]", -1, "b:VARCHAR|a:BIGINT\n\"x\"|1\n");
    expect_with("SELECT id FROM orders WHERE id BETWEEN $low AND $high", "{\"high\":4,\"low\":3}",
                -1, "id:BIGINT\n3\n4\n");
    expect_with(
        "SELECT $a a, $b b, $c c, $d d, $e e",
        "{\"a\":null,\"b\":true,\"c\":-9223372036854775808,\"d\":1.5,\"e\":\"it's \\u00e4\"}", -1,
        "a:INTEGER|b:BOOLEAN|c:BIGINT|d:DOUBLE|e:VARCHAR\n"
        "null|true|-9223372036854775808|1.5|\"it's ä\"\n");
    expect_with("SELECT ?::UBIGINT u", "[18446744073709551615]", -1,
                "u:UBIGINT\n18446744073709551615\n");
    expect_with("SELECT '; DROP TABLE orders' = ? eq", "[\"; DROP TABLE orders\"]", -1,
                "eq:BOOLEAN\ntrue\n");
}

static void wrong_parameters(void **state)
{
    (void)state;
    expect_with("SELECT ?", NULL, -1,
                "invalid_argument: the statement has 1 parameters, 0 were given");
    expect_with("SELECT ?", "[1,2]", -1,
                "invalid_argument: the statement has 1 parameters, 2 were given");
    expect_with("SELECT 1", "[1]", -1,
                "invalid_argument: the statement has 0 parameters, 1 were given");
    expect_with("SELECT $a", "{\"b\":1}", -1, "invalid_argument: parameter $a has no value");
    expect_with("SELECT $a", "[1]", -1,
                "invalid_argument: the statement has the named parameter $a: give an object");
    expect_with("SELECT ?", "{\"a\":1}", -1,
                "invalid_argument: the statement has positional parameters: give an array");
    expect_with("SELECT ?", "[[1]]", -1,
                "invalid_argument: parameter 1 is an array; a parameter is null, a boolean, a "
                "number or a string");
    expect_with("SELECT ?", "3", -1, "invalid_argument: parameters are an array or an object");
    expect_query(&f, "SELECT 1 one", "one:INTEGER\n1\n");
}

static void limits_cut_exactly(void **state)
{
    (void)state;
    expect_with("SELECT i FROM range(5) t(i)", NULL, 5, "i:BIGINT\n0\n1\n2\n3\n4\n");
    expect_with("SELECT i FROM range(5) t(i)", NULL, 4, "i:BIGINT\n0\n1\n2\n3\n...\n");
    expect_with("SELECT i FROM range(5) t(i)", NULL, 0, "i:BIGINT\n...\n");
    expect_with("SELECT i FROM range(0) t(i)", NULL, 0, "i:BIGINT\n");
    struct fixture_answer answer = {0};
    struct sql_stats stats;
    struct error err;
    struct sql_request request = {.query = STR("SELECT i FROM range(1000000) t(i)"), .limit = 2048};
    buf_init(&answer.text, 1 << 20);
    assert_int_equal(fixture_ask(&f, &request, &answer, &stats, &err), STATUS_OK);
    assert_int_equal(stats.rows, 2048);
    assert_true(stats.truncated);
    request.query = STR("SELECT i FROM range(2048) t(i)");
    assert_int_equal(fixture_ask(&f, &request, &answer, &stats, &err), STATUS_OK);
    assert_int_equal(stats.rows, 2048);
    assert_false(stats.truncated);
    request = (struct sql_request){.query = STR("SELECT i FROM range(1000000) t(i)"), .limit = -1};
    assert_int_equal(fixture_ask(&f, &request, &answer, &stats, &err), STATUS_OK);
    assert_int_equal(stats.rows, 1000000);
    buf_release(&answer.text);
}

static void large_rows(void **state)
{
    (void)state;
    struct fixture_answer answer = {0};
    struct sql_stats stats;
    struct error err;
    /* 2,048 rows of 100 kB are 200 MB: more than one frame holds. */
    struct sql_request request = {.query = STR("SELECT repeat('x', 100000) FROM range(1500)"),
                                  .limit = -1};
    buf_init(&answer.text, 1 << 20);
    assert_int_equal(fixture_ask(&f, &request, &answer, &stats, &err), STATUS_OK);
    assert_int_equal(stats.rows, 1500);
    assert_true(answer.row_frames > 2);
    buf_release(&answer.text);
    expect_query(&f, "SELECT repeat('x', 70000000)", "resource_limit: a row is larger than 64 MiB");
    expect_query(&f, "SELECT 1 one", "one:INTEGER\n1\n");
}

static void errors_have_places(void **state)
{
    (void)state;
    expect_query(&f, "SELECT id,\n  nope FROM orders",
                 "invalid_sql: Referenced column \"nope\" not found in FROM clause! Candidate "
                 "bindings: \"placed\", \"customer\" @2:3");
    expect_query(&f, "SELCT 1", "invalid_sql: syntax error at or near \"SELCT\" @1:1");
    expect_query(&f, "SELECT *\nFROM ordrs",
                 "unknown_source: there is no source ordrs; did you mean orders? @2:6");
    expect_query(&f, "SELECT * FROM zzz", "unknown_source: there is no source zzz @1:15");
    expect_query(&f, "SELECT summ(1)", "invalid_sql: there is no function summ @1:8");
    expect_query(&f, "SELECT CAST('x' AS INT)",
                 "invalid_sql: Could not convert string 'x' to INT32 @1:8");
    expect_query(&f, "SELECT sqrt(-1)",
                 "invalid_sql: cannot take square root of a negative number");
    expect_query(&f, "SELECT error('boom')", "invalid_sql: boom");
    expect_query(&f, "", "invalid_sql: there is no statement");
    expect_query(&f, "-- nothing", "invalid_sql: there is no statement");
    expect_prefix(&f, "SELECT '\xff'", "invalid_sql: the statement is not UTF-8");
    char *answer = fixture_query(&f,
                                 "SELECT id FROM orders WHERE customer || 'x' = "
                                 "'a very long line so that the engine cuts it in its message, "
                                 "on both of its ends, with dots' AND nope = 1 AND 2 = 2 AND "
                                 "3 = 3 AND 4 = 4 AND 5 = 5 AND 6 = 6 AND 7 = 7 AND 8 = 8",
                                 NULL, -1);
    if (!strstr(answer, "@1:144"))
        fail_msg("got %s", answer);
    free(answer);
}

/* A damaged file: a clear failure without its name, and the worker is replaced. */
static void damaged_file(void **state)
{
    (void)state;
    char path[SYS_PATH_MAX];
    snprintf(path, sizeof path, "%s", f.tables[1].paths[0]);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    for (int i = 0; i < 64; i++)
        assert_int_equal(fputc('!', file), '!');
    assert_int_equal(fseek(file, -12, SEEK_END), 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(fputc('!', file), '!');
    assert_int_equal(fclose(file), 0);
    char *answer = fixture_query(&f, "SELECT * FROM customers ORDER BY name", NULL, -1);
    assert_null(strstr(answer, "parquet"));
    assert_null(strstr(answer, "/tmp"));
    if (strncmp(answer, "corrupt", 7) != 0 && strncmp(answer, "unavailable", 11) != 0)
        fail_msg("got %s", answer);
    free(answer);
    expect_query(&f, "SELECT count(*) n FROM orders", "n:BIGINT\n1000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_files_of_two_schemas),
        cmocka_unit_test(reads_odd_tables),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(times_and_texts),
        cmocka_unit_test(nested_values_are_json),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(parameters),
        cmocka_unit_test(wrong_parameters),
        cmocka_unit_test(limits_cut_exactly),
        cmocka_unit_test(large_rows),
        cmocka_unit_test(errors_have_places),
        cmocka_unit_test(damaged_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* The engine's error texts, as it writes them, to statuses, messages without paths, and places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "query/sqlworker/errors.h"

static void classes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status status;
        const char *message;
    } cases[] = {
        {"Binder Error: no column\n\nLINE 1: x\n        ^", STATUS_INVALID_SQL, "no column"},
        {"Conversion Error: bad", STATUS_INVALID_SQL, "bad"},
        {"Permission Error: Cannot access /data/t/x", STATUS_SQL_REFUSED,
         "the statement does what tenant SQL may not do"},
        {"Out of Memory Error: could not allocate", STATUS_RESOURCE_LIMIT,
         "the query needs more memory than a query may have"},
        {"std::bad_alloc", STATUS_RESOURCE_LIMIT,
         "the query needs more memory than a query may have"},
        {"IO Error: Cannot open file \"/data/t/sources/a.parquet\"", STATUS_UNAVAILABLE,
         "the SQL engine could not read its data"},
        {"INTERNAL Error: assertion at /build/x.cpp", STATUS_INTERNAL, "a fault in the SQL engine"},
        {"Invalid Input Error: No magic bytes found at end of file '/d/sources/o/1.parquet'",
         STATUS_CORRUPT, "a data file of a table could not be read"},
        {"Something Else: /etc/secret", STATUS_INTERNAL, "the SQL engine failed"},
        {"", STATUS_INTERNAL, "the SQL engine failed"},
        {NULL, STATUS_INTERNAL, "the SQL engine failed without a reason"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = ERROR_INIT;
        assert_int_equal(errors_map(cases[i].text, STR_NONE, &err), cases[i].status);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(errors_map(cases[i].text, STR_NONE, NULL), cases[i].status);
    }
}

static void places(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct str sql = STR("SELECT 1,\n  nope FROM t");
    errors_map("Binder Error: m\n\nLINE 2:   nope FROM t\n          ^", sql, &err);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 3);
    assert_int_equal(err.offset, 12);
    /* cut at both ends by the engine */
    sql = STR("SELECT aaaa, bbbb, nope, cccc FROM t");
    err = ERROR_INIT;
    errors_map("Binder Error: m\n\nLINE 1: ...bbbb, nope, cc...\n                 ^", sql, &err);
    assert_int_equal(err.offset, 19);
    /* no place rather than a wrong one */
    static const char *const odd[] = {"Binder Error: m\n\nLINE 9: x\n        ^",
                                      "Binder Error: m\n\nLINE x",
                                      "Binder Error: m\n\nLINE 1: not there\n        ^",
                                      "Binder Error: m\n\nLINE 1: SELECT\n^",
                                      "Binder Error: m\n\nLINE 1:",
                                      "Binder Error: m\n\nLINE 1: SELECT"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        err = ERROR_INIT;
        assert_int_equal(errors_map(odd[i], sql, &err), STATUS_INVALID_SQL);
        assert_int_equal(err.line, -1);
    }
}

static void doubtful_engines(void **state)
{
    (void)state;
    assert_true(errors_spoil_engine(STATUS_INTERNAL));
    assert_true(errors_spoil_engine(STATUS_RESOURCE_LIMIT));
    assert_true(errors_spoil_engine(STATUS_UNAVAILABLE));
    assert_true(errors_spoil_engine(STATUS_CORRUPT));
    assert_false(errors_spoil_engine(STATUS_INVALID_SQL));
    assert_false(errors_spoil_engine(STATUS_SQL_REFUSED));
    assert_false(errors_spoil_engine(STATUS_INVALID_ARGUMENT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(classes), cmocka_unit_test(places),
                                       cmocka_unit_test(doubtful_engines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

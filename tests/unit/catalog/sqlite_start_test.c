/* Wherever a search begins (sqlite/start.c), its answer is the same: queries over enough assets
 * that words, tags and properties are rare or frequent, against the reference evaluator of query.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/backend.h"
#include "catalog/sqlite/sqlite_backend.h"
#include "sys/sys.h"

/* More than what counts as few, more than what a bounded walk looks at. */
enum { ASSETS = 5000, RARE = 40, LATE = 4900 };

static char folder[64], path[SYS_PATH_MAX];
static struct backend *backend;
static struct arena arena;
static struct record *assets;
static struct error err = ERROR_INIT;

static struct str text(const char *format, int number)
{
    char made[160];
    int len = snprintf(made, sizeof made, format, number); /* NOLINT: our own formats */
    return arena_str(&arena, str_make(made, (size_t)len));
}

/* Frequent: "alpha", "catalogue" and tag "all"; rare: "seldom", "catalogs"; rare and old: "early",
 * tag "old" (a walk from the newest on meets them last); long common beginnings: "catalog...". */
static struct record make_asset(int number)
{
    static struct str all = STR("all"), old = STR("old"), numbered;
    struct str *tags = arena_array(&arena, 3, sizeof *tags);
    assert_non_null(tags);
    uint32_t len = 0;
    tags[len++] = all;
    if (number < ASSETS - LATE)
        tags[len++] = old;
    numbered = text("t%d", number % 500);
    tags[len++] = numbered;
    const char *description = number % RARE == 3       ? "alpha seldom catalogs w%d"
                              : number < ASSETS - LATE ? "alpha early catalogue w%d"
                                                       : "alpha catalogue w%d";
    return (struct record){.domain = DOMAIN_ASSET,
                           .id = text("0190a000-0000-7000-8000-%012d", number),
                           .tenant = number % 10 == 9 ? STR("other") : STR("acme"),
                           .key = text("graph/g-%d", number),
                           .kind = number % 3 ? STR("graph") : STR("source"),
                           .owner = STR("ann"),
                           .lifecycle = STR("active"),
                           .name = text("g-%d", number),
                           .description = text(description, number % 1000),
                           .properties = text("{\"half\":%d,\"format\":\"parquet\"}", number % 2),
                           .tags = {tags, len},
                           .revision = 1,
                           .deleted_us = number % 50 == 7 ? 5 : 0,
                           .created_us = 1000000 + number,
                           .updated_us = 1000000 + number / 2};
}

static void insert_all(void)
{
    struct change *changes = arena_array(&arena, COMMIT_CHANGES_MAX, sizeof *changes);
    assets = arena_array(&arena, ASSETS, sizeof *assets);
    assert_true(changes && assets);
    for (int i = 0; i < ASSETS; i++) {
        assets[i] = make_asset(i);
        changes[i % COMMIT_CHANGES_MAX] =
            (struct change){.kind = CHANGE_INSERT, .record = &assets[i]};
        if ((i + 1) % COMMIT_CHANGES_MAX == 0 &&
            backend_commit(backend, changes, COMMIT_CHANGES_MAX, NULL, &err) != STATUS_OK)
            fail_msg("%s: %s", err.message, err.cause);
    }
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    strcpy(folder, "/tmp/quarry-catalog-XXXXXX"); /* NOLINT: fits */
    assert_non_null(mkdtemp(folder));
    if (sys_path(path, NULL, "%s/catalog.db", folder) != STATUS_OK)
        return 1;
    struct sqlite_backend_options options = {.path = path};
    if (sqlite_backend_open(&options, &backend, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    insert_all();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    backend_close(backend);
    arena_release(&arena);
    return sys_remove_tree(sys_posix(), folder, NULL) == STATUS_OK ? 0 : 1;
}

/* --- the reference --- */

static const struct record_query *comparing;

static int compare(const void *a, const void *b)
{
    return query_compare(comparing, *(const struct record *const *)a,
                         *(const struct record *const *)b);
}

static uint32_t matches_of(const struct record_query *query, const struct record **ret)
{
    uint32_t len = 0;
    for (int i = 0; i < ASSETS; i++)
        if (query_matches(query, &assets[i]))
            ret[len++] = &assets[i];
    comparing = query;
    qsort(ret, len, sizeof *ret, compare);
    return len;
}

/* Two pages and the number of all. */
static void must_agree(struct record_query query, const char *what)
{
    static const struct record *want[ASSETS];
    query.domain = DOMAIN_ASSET;
    query.tenant = STR("acme");
    query.limit = 20;
    query.count = true;
    uint32_t len = matches_of(&query, want), at = 0;
    for (int pages = 0; pages < 2; pages++) {
        struct record_page page;
        if (backend_query(backend, &query, &arena, &page, &err) != STATUS_OK)
            fail_msg("%s: %s: %s", what, err.message, err.cause);
        if (page.total != len)
            fail_msg("%s: %d assets, not %u", what, (int)page.total, len);
        if (page.len != (len - at < query.limit ? len - at : query.limit))
            fail_msg("%s: page %d has %u", what, pages, page.len);
        for (uint32_t i = 0; i < page.len; i++, at++)
            if (!str_eq(page.records[i].id, want[at]->id))
                fail_msg("%s: asset %u is %.*s, not %.*s", what, at, STR_ARG(page.records[i].id),
                         STR_ARG(want[at]->id));
        assert_true((page.next.len > 0) == (at < len));
        if (!page.next.len)
            break;
        query.cursor = page.next;
    }
}

/* --- the cases --- */

static const char *const texts[] = {
    "",
    "alpha",             /* everywhere: along the order */
    "catalogue",         /* likewise, longer than what the index keeps */
    "catalogs",          /* rare, but many begin like it */
    "catalo",            /* the beginning of both */
    "seldom",            /* rare */
    "al seldo ca",       /* the rare one finds, the others are compared */
    "early",             /* rare and old */
    "alpha catalogue w", /* all frequent */
    "w12 alpha",
    "w9",
    "a c", /* beginnings that the index does not keep */
    "g",
    "nowhere",
    "alpha nowhere",
    "ALPHA, t1!",
    "-- ..",
};

static const enum record_field orders[] = {RECORD_updated_us, RECORD_id, RECORD_name,
                                           RECORD_created_us};

static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t j = 0; j < sizeof orders / sizeof *orders; j++)
            must_agree((struct record_query){.text = str_of(texts[i]),
                                             .order = orders[j],
                                             .descending = (i + j) % 2},
                       texts[i]);
}

static void test_tags_and_properties(void **state)
{
    (void)state;
    static const struct str all[] = {STR("all")}, old[] = {STR("old")},
                            both[] = {STR("all"), STR("t100")};
    static const struct str kind[] = {STR("graph")};
    struct match cases[][2] = {
        {{.field = RECORD_tags, .op = MATCH_HAS, .values = all, .values_len = 1}},
        {{.field = RECORD_tags, .op = MATCH_HAS, .values = old, .values_len = 1}},
        {{.field = RECORD_tags, .op = MATCH_HAS, .values = both, .values_len = 2}},
        {{.field = RECORD_tags, .op = MATCH_HAS, .values = all, .values_len = 1},
         {.field = RECORD_kind, .op = MATCH_IN, .values = kind, .values_len = 1}},
        {{.field = RECORD_properties,
          .op = MATCH_JSON,
          .path = STR("format"),
          .json = STR("\"parquet\"")},
         {.field = RECORD_tags, .op = MATCH_HAS, .values = old, .values_len = 1}},
        {{.field = RECORD_properties, .op = MATCH_JSON, .path = STR("half"), .json = STR("1")}},
        {{.field = RECORD_properties, .op = MATCH_JSON, .path = STR("half"), .json = STR("2")}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t j = 0; j < sizeof orders / sizeof *orders; j++)
            for (size_t k = 0; k < 3; k++)
                must_agree((struct record_query){.text = str_of(k ? texts[6 * k - 5] : ""),
                                                 .matches = cases[i],
                                                 .matches_len = cases[i][1].values_len ? 2 : 1,
                                                 .order = orders[j],
                                                 .descending = (i + j) % 2},
                           "tags and properties");
}

/* A bounded walk that gives up begins anew: deleted ones only are rare and no index knows them. */
static void test_walks_that_give_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct str id = assets[i].id;
        const struct visibility visible = {STR("nobody"), &id, 1};
        must_agree((struct record_query){.text = STR("alpha"),
                                         .visible = &visible,
                                         .order = RECORD_updated_us,
                                         .descending = true},
                   "the oldest of all");
        must_agree((struct record_query){.text = STR("catalogue"),
                                         .deleted = DELETED_ONLY,
                                         .order = RECORD_id,
                                         .descending = i},
                   "deleted ones");
    }
}

static void test_groups(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        static const struct record *want[ASSETS];
        struct group_query group = {
            .records = {.domain = DOMAIN_ASSET, .tenant = STR("acme"), .text = str_of(texts[i])},
            .by = GROUP_ALL};
        struct group_answer answer;
        assert_int_equal(backend_group(backend, &group, &arena, &answer, &err), STATUS_OK);
        assert_int_equal(answer.rows[0].count, matches_of(&group.records, want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_tags_and_properties),
        cmocka_unit_test(test_walks_that_give_up),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

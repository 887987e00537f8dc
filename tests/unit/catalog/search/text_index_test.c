/* The text index finds, ranks, corrects, counts and marks exactly this; the feed follows a catalog,
 * also over a restart, a lost change and a damaged index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/catalog.h"
#include "catalog/search/text_feed.h"
#include "catalog/sqlite/sqlite_backend.h"

struct fixture {
    char folder[64];
    char index_folder[SYS_PATH_MAX];
    struct text_index *index;
    struct arena arena;
    struct error err;
};

#define MUST(expression)                                                                           \
    do {                                                                                           \
        if ((expression) != STATUS_OK)                                                             \
            fail_msg("%s", f->err.message);                                                        \
    } while (0)

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/quarry-text-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(sys_path(f->index_folder, NULL, "%s/text", f->folder), STATUS_OK);
    f->err = ERROR_INIT;
    arena_init(&f->arena, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    text_index_close(f->index);
    (void)sys_remove_tree(sys_posix(), f->folder, NULL);
    arena_release(&f->arena);
    free(f);
    return 0;
}

static void put(struct fixture *f, const char *tenant, const char *id, const char *name,
                const char *description, struct str tag, bool is_public)
{
    struct text_document document = {.tenant = str_of(tenant),
                                     .id = str_of(id),
                                     .revision = 1,
                                     .kind = STR("node"),
                                     .namespace_ = STR("onex"),
                                     .name = str_of(name),
                                     .lifecycle = STR("active"),
                                     .owner = STR("ann"),
                                     .description = str_of(description),
                                     .tags = &tag,
                                     .tags_len = tag.len > 0,
                                     .is_public = is_public};
    MUST(text_index_put(f->index, &document, &f->err));
}

static struct text_answer ask(struct fixture *f, struct text_query query, const char *wanted)
{
    struct text_answer answer = {0};
    char got[512] = "";
    if (!query.tenant.len)
        query.tenant = STR("t");
    if (!query.limit)
        query.limit = 10;
    MUST(text_index_query(f->index, &query, &f->arena, &answer, &f->err));
    for (uint32_t i = 0; i < answer.len; i++) {
        strncat(got, i ? " " : "", 2);
        strncat(got, answer.hits[i].id.data, 40);
    }
    assert_string_equal(got, wanted);
    return answer;
}

static void fill(struct fixture *f)
{
    MUST(text_index_open(f->index_folder, &f->index, &f->err));
    put(f, "t", "1", "parquet-reader", "Reads columns from files & <streams>.", STR("io"), false);
    put(f, "t", "2", "csv_writer", "Writes tables; a parquet file is better.", STR("io"), true);
    put(f, "t", "3", "hasher", "Hashing of records.", STR(""), false);
    put(f, "other", "4", "parquet", "Somebody else's.", STR("io"), true);
    MUST(text_index_commit(f->index, &f->err));
}

static void finds_and_ranks(void **state)
{
    struct fixture *f = *state;
    fill(f);
    (void)ask(f, (struct text_query){.text = STR("parquet")}, "1 2");
    (void)ask(f, (struct text_query){.text = STR("PARQUET file")}, "1 2");
    (void)ask(f, (struct text_query){.text = STR("reader file"), .all_words = true}, "1");
    (void)ask(f, (struct text_query){.text = STR("writer hash")}, "2 3");
    (void)ask(f, (struct text_query){.text = STR("par"), .prefix = true}, "1 2");
    (void)ask(f, (struct text_query){.text = STR("file -csv_writer")}, "1");
    (void)ask(f, (struct text_query){.text = STR("zzz")}, "");
    (void)ask(f, (struct text_query){.text = STR("\"parquet file\"")}, "2");
    (void)ask(f, (struct text_query){.text = STR("parquet"), .limit = 1, .offset = 1}, "2");
    assert_int_equal(ask(f, (struct text_query){.text = STR("  ")}, "1 2 3").total, 3);
}

static void corrects(void **state)
{
    struct fixture *f = *state;
    fill(f);
    struct text_answer answer = ask(f, (struct text_query){.text = STR("parqet")}, "1 2");
    assert_true(str_is(answer.corrected, "parquet"));
    answer = ask(f, (struct text_query){.text = STR("parqet"), .exact = true}, "");
    assert_int_equal(answer.corrected.len, 0);
    /* Another form of a word that is there needs no correction. */
    answer = ask(f, (struct text_query){.text = STR("hashes")}, "3");
    assert_int_equal(answer.corrected.len, 0);
}

static void filters_and_counts(void **state)
{
    struct fixture *f = *state;
    const struct str io = STR("io"), three = STR("3");
    fill(f);
    (void)ask(f, (struct text_query){.tags = &io, .tags_len = 1}, "1 2");
    (void)ask(f, (struct text_query){.kind = STR("graph")}, "");
    (void)ask(f, (struct text_query){.restricted = true}, "2");
    (void)ask(f, (struct text_query){.restricted = true, .visible_owner = STR("ann")}, "1 2 3");
    (void)ask(f,
              (struct text_query){.restricted = true, .visible_ids = &three, .visible_ids_len = 1},
              "2 3");
    struct text_answer answer = ask(f, (struct text_query){.facets = true, .limit = 1}, "1");
    assert_int_equal(answer.total, 3);
    assert_int_equal(answer.facets_len[FACET_TAG], 1);
    assert_true(str_is(answer.facets[FACET_TAG][0].value, "io"));
    assert_int_equal(answer.facets[FACET_TAG][0].count, 2);
    assert_int_equal(answer.facets[FACET_KIND][0].count, 3);
    answer = ask(f, (struct text_query){.facets = true, .restricted = true}, "2");
    assert_int_equal(answer.facets[FACET_KIND][0].count, 1);
}

static void marks_words(void **state)
{
    struct fixture *f = *state;
    fill(f);
    struct text_answer answer =
        ask(f, (struct text_query){.text = STR("streams reader"), .snippets = true}, "1");
    assert_true(str_is(answer.hits[0].name_html, "parquet-<b>reader</b>"));
    assert_true(str_is(answer.hits[0].snippet_html,
                       "Reads columns from files &amp; &lt;<b>streams</b>&gt;."));
}

static void one_process_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct text_index *second = NULL;
    fill(f);
    assert_int_equal(text_index_open(f->index_folder, &second, &f->err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(f->err.message, "in use by another process"));
}

static void replaces_and_removes(void **state)
{
    struct fixture *f = *state;
    int64_t revision = 0;
    fill(f);
    put(f, "t", "1", "renamed", "Nothing.", STR(""), false);
    MUST(text_index_remove(f->index, STR("t"), STR("2"), &f->err));
    (void)ask(f, (struct text_query){.text = STR("parquet")}, "1 2"); /* not yet */
    MUST(text_index_commit(f->index, &f->err));
    (void)ask(f, (struct text_query){.text = STR("parquet")}, "");
    (void)ask(f, (struct text_query){.text = STR("renamed")}, "1");
    MUST(text_index_revision(f->index, STR("t"), STR("1"), &revision, &f->err));
    assert_int_equal(revision, 1);
    MUST(text_index_revision(f->index, STR("t"), STR("2"), &revision, &f->err));
    assert_int_equal(revision, -1);
    struct text_query bad = {.tenant = STR("t"), .limit = TEXT_HITS_MAX + 1};
    struct text_answer answer;
    assert_int_equal(text_index_query(f->index, &bad, &f->arena, &answer, &f->err),
                     STATUS_INVALID_ARGUMENT);
}

/* --- the feed --- */

static const struct caller admin = {.tenant = STR("t"), .principal = STR("root"), .admin = true};

static void hear(void *context, const struct change *changes, uint32_t len)
{
    text_feed_changed(*(struct text_feed **)context, changes, len);
}

static struct catalog *open_catalog(struct fixture *f, struct text_feed **feed)
{
    char path[SYS_PATH_MAX];
    struct backend *backend = NULL;
    struct catalog *catalog = NULL;
    assert_int_equal(sys_path(path, NULL, "%s/catalog.db", f->folder), STATUS_OK);
    struct sqlite_backend_options options = {.path = path};
    MUST(sqlite_backend_open(&options, &backend, &f->err));
    if (feed) {
        MUST(text_feed_open(sys_posix(), backend, f->index_folder, feed, &f->err));
        backend_watch(backend, hear, feed);
    }
    struct catalog_options catalog_options = {.sys = sys_posix(), .backend = backend};
    MUST(catalog_open(&catalog_options, &catalog, &f->err));
    return catalog;
}

static struct record create(struct fixture *f, struct catalog *catalog, const char *name)
{
    struct record draft = {.kind = STR("graph"), .name = str_of(name)}, asset;
    MUST(asset_create(catalog, &admin, &draft, &f->arena, &asset, &f->err));
    return asset;
}

static uint32_t count(struct fixture *f, struct text_feed *feed, const char *text)
{
    struct text_answer answer;
    struct text_query query = {.tenant = STR("t"), .text = str_of(text), .limit = 10};
    assert_true(text_feed_settle(feed, 20000));
    MUST(text_index_query(text_feed_index(feed), &query, &f->arena, &answer, &f->err));
    return answer.len;
}

static void feed_follows(void **state)
{
    struct fixture *f = *state;
    struct text_feed *feed = NULL;
    struct record got;
    struct catalog *catalog = open_catalog(f, &feed);
    struct record one = create(f, catalog, "first"), two = create(f, catalog, "second");
    assert_int_equal(count(f, feed, "first"), 1);
    MUST(asset_delete(catalog, &admin, one.id, 0, &f->arena, &got, &f->err));
    assert_int_equal(count(f, feed, "first"), 0);
    text_feed_stop(feed);
    catalog_close(catalog);
    text_feed_close(feed);
    /* Changes while nobody listened. */
    catalog = open_catalog(f, NULL);
    (void)create(f, catalog, "third");
    MUST(asset_purge(catalog, &admin, two.id, &f->err));
    catalog_close(catalog);
    catalog = open_catalog(f, &feed);
    assert_int_equal(count(f, feed, "third"), 1);
    assert_int_equal(count(f, feed, "second"), 0);
    text_feed_stop(feed);
    catalog_close(catalog);
    text_feed_close(feed);
}

static void damaged_index_is_made_anew(void **state)
{
    struct fixture *f = *state;
    struct text_feed *feed = NULL;
    char path[SYS_PATH_MAX];
    struct catalog *catalog = open_catalog(f, &feed);
    (void)create(f, catalog, "first");
    assert_int_equal(count(f, feed, "first"), 1);
    text_feed_stop(feed);
    catalog_close(catalog);
    text_feed_close(feed);
    assert_int_equal(sys_path(path, NULL, "%s/iamglass", f->index_folder), STATUS_OK);
    MUST(sys_replace_file(sys_posix(), path, (struct slice){"rubbish", 7}, &f->err));
    catalog = open_catalog(f, &feed);
    assert_int_equal(count(f, feed, "first"), 1);
    text_feed_stop(feed);
    catalog_close(catalog);
    text_feed_close(feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_and_ranks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(corrects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(filters_and_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_process_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replaces_and_removes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(feed_follows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_index_is_made_anew, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

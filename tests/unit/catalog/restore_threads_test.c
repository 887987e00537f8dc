/* A catalog as it was at a time, on both back ends that keep a journal: after all kinds of changes,
 * names that moved, commits while it is read, a journal that was trimmed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalog/journal.h"
#include "catalog/open.h"
#include "catalog/postgres/postgres_backend.h"
#include "catalog/transfer.h"
#include "lib/catalog_conformance.h"
#include "lib/postgres_server.h"
#include "sys/sys.h"

enum { RECORDS = 300 };

static struct postgres_server server;
static char folder[64];

struct fixture {
    struct backend *from, *snapshot, *to;
    int64_t at_us;
    atomic_bool stop;
};

static struct backend *open_url(const char *url)
{
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    if (catalog_backend_open(sys_posix(), url, &backend, &err) != STATUS_OK)
        fail_msg("%s: %s", url, err.message);
    return backend;
}

static struct backend *open_file(const char *name)
{
    char url[SYS_PATH_MAX];
    assert_int_equal(sys_path(url, NULL, "sqlite:%s/%s", folder, name), STATUS_OK);
    return open_url(url);
}

static void commit(struct backend *backend, enum change_kind kind, const struct record *record)
{
    struct change change = {.kind = kind,
                            .expected = kind == CHANGE_UPDATE ? record->revision - 1 : 0,
                            .record = record};
    struct error err = ERROR_INIT;
    if (backend_commit(backend, &change, 1, NULL, &err) != STATUS_OK)
        fail_msg("%s: %s", err.message, err.cause);
}

static void fill(struct backend *backend)
{
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        uint32_t count = domain == DOMAIN_ASSET ? RECORDS : 10;
        struct change changes[RECORDS];
        struct record records[RECORDS];
        struct arena arena;
        arena_init(&arena, 0);
        for (uint32_t i = 0; i < count; i++) {
            records[i] = conformance_record((enum domain)domain, i % 2 ? "a" : "b", (int)i, &arena);
            records[i].deleted_us = i % 7 == 0;
            changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &records[i]};
        }
        assert_int_equal(backend_commit(backend, changes, count, NULL, NULL), STATUS_OK);
        arena_release(&arena);
    }
}

/* Microseconds must tell the commits before from those behind. */
static int64_t time_between(void)
{
    usleep(2000);
    int64_t us = sys_now_us(sys_posix());
    usleep(2000);
    return us;
}

static int begin(void **state, struct backend *from)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct transfer_result result;
    assert_non_null(f);
    f->from = from;
    fill(from);
    f->at_us = time_between();
    f->snapshot = open_file("snapshot.db");
    assert_int_equal(catalog_transfer(from, f->snapshot, NULL, NULL, &result, NULL), STATUS_OK);
    f->to = open_file("to.db");
    *state = f;
    return 0;
}

static int set_up_sqlite(void **state)
{
    strcpy(folder, "/tmp/quarry-restore-XXXXXX"); /* NOLINT: fits */
    assert_non_null(mkdtemp(folder));
    return begin(state, open_file("from.db"));
}

static int set_up_postgres(void **state)
{
    strcpy(folder, "/tmp/quarry-restore-XXXXXX"); /* NOLINT: fits */
    assert_non_null(mkdtemp(folder));
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    if (postgres_backend_open(&(struct postgres_backend_options){.url = server.url}, &backend,
                              &err) != STATUS_OK)
        fail_msg("%s", err.message);
    return begin(state, backend);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct catalog_digest none;
    struct backend *empty = open_file("empty.db");
    struct transfer_result result;
    assert_int_equal(catalog_transfer(empty, f->from, NULL, NULL, &result, NULL), STATUS_OK);
    assert_int_equal(catalog_digest(f->from, &none, NULL), STATUS_OK);
    backend_close(empty);
    backend_close(f->from);
    backend_close(f->snapshot);
    backend_close(f->to);
    free(f);
    return sys_remove_tree(sys_posix(), folder, NULL) == STATUS_OK ? 0 : 1;
}

static void must_equal_snapshot(struct fixture *f)
{
    struct catalog_digest then, now;
    assert_int_equal(catalog_digest(f->snapshot, &then, NULL), STATUS_OK);
    assert_int_equal(catalog_digest(f->to, &now, NULL), STATUS_OK);
    for (int i = 0; i < DOMAIN_COUNT; i++) {
        if (then.count[i] != now.count[i] || then.hash[i] != now.hash[i])
            fail_msg("%s differ: %llu records then, %llu now", domain_name((enum domain)i),
                     (unsigned long long)then.count[i], (unsigned long long)now.count[i]);
    }
}

static struct record changed(int i, const char *name, struct arena *arena)
{
    struct record record = conformance_record(DOMAIN_ASSET, i % 2 ? "a" : "b", i, arena);
    record.revision++;
    record.description = STR("changed");
    record.tags = (struct str_list){NULL, 0};
    record.properties = STR("{\"x\":[1,{\"y\":\"\\u00e4\"}]}");
    record.deleted_us = 0;
    if (name)
        record.key = str_of(name);
    return record;
}

/* Updates, removals, additions; two records change names; one changes twice. */
static void change_much(struct fixture *f, struct arena *arena)
{
    for (int i = 20; i < 40; i++) {
        struct record record = changed(i, NULL, arena);
        commit(f->from, CHANGE_UPDATE, &record);
    }
    struct record twice = changed(30, NULL, arena);
    twice.revision++;
    commit(f->from, CHANGE_UPDATE, &twice);
    for (int i = 60; i < 75; i++) {
        struct record record = conformance_record(DOMAIN_ASSET, i % 2 ? "a" : "b", i, arena);
        commit(f->from, CHANGE_REMOVE, &record);
    }
    for (int i = RECORDS; i < RECORDS + 10; i++) {
        struct record record = conformance_record(DOMAIN_ASSET, "a", i, arena);
        commit(f->from, CHANGE_INSERT, &record);
    }
    struct record one = changed(101, "other", arena);
    commit(f->from, CHANGE_UPDATE, &one);
    struct record two = changed(103, NULL, arena);
    two.key = conformance_record(DOMAIN_ASSET, "a", 101, arena).key;
    commit(f->from, CHANGE_UPDATE, &two);
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        struct record record = conformance_record((enum domain)domain, "a", 5, arena);
        if (domain != DOMAIN_EVENT && domain != DOMAIN_SERVICE)
            commit(f->from, CHANGE_REMOVE, &record);
    }
}

static void test_state_of_then(void **state)
{
    struct fixture *f = *state;
    struct restore_result result;
    struct error err = ERROR_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    change_much(f, &arena);
    if (catalog_restore_at(f->from, f->to, f->at_us, &result, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    must_equal_snapshot(f);
    assert_int_equal(result.left_out, 10);
    assert_int_equal(result.undone, 20 + 15 + 2 + 6);
    arena_release(&arena);
}

/* A hybrid's journal is its primary's, whether or not the cache is there. */
static void test_through_a_hybrid(void **state)
{
    struct fixture *f = *state;
    struct restore_result result;
    struct error err = ERROR_INIT;
    struct arena arena;
    char url[SYS_PATH_MAX];
    arena_init(&arena, 0);
    change_much(f, &arena);
    assert_int_equal(sys_path(url, NULL, "hybrid:sqlite:%s/from.db|redis://127.0.0.1:1", folder),
                     STATUS_OK);
    struct backend *hybrid = open_url(url);
    if (catalog_restore_at(hybrid, f->to, f->at_us, &result, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    must_equal_snapshot(f);
    assert_int_equal(journal_trim(hybrid, time_between(), &err), STATUS_OK);
    assert_int_equal(catalog_restore_at(f->from, f->to, f->at_us, &result, &err),
                     STATUS_INVALID_ARGUMENT);
    backend_close(hybrid);
    arena_release(&arena);
}

static void *keep_changing(void *context)
{
    struct fixture *f = context;
    struct arena arena;
    arena_init(&arena, 0);
    for (int revision = 2; !atomic_load(&f->stop); revision++) {
        for (int i = 0; i < RECORDS; i += 9) {
            struct record record = changed(i, NULL, &arena);
            char *name = arena_printf(&arena, "moving/%d", (i + revision * 9) % (RECORDS + 9));
            record.revision = revision;
            record.key = str_of(i % 2 ? name : NULL);
            struct change change = {
                .kind = CHANGE_UPDATE, .expected = revision - 1, .record = &record};
            struct commit_result result;
            (void)backend_commit(f->from, &change, 1, &result, NULL);
        }
        arena_release(&arena);
    }
    return NULL;
}

static void test_while_others_write(void **state)
{
    struct fixture *f = *state;
    struct restore_result result;
    struct error err = ERROR_INIT;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, keep_changing, f), 0);
    enum status status = catalog_restore_at(f->from, f->to, f->at_us, &result, &err);
    atomic_store(&f->stop, true);
    pthread_join(writer, NULL);
    if (status != STATUS_OK)
        fail_msg("%s", err.message);
    must_equal_snapshot(f);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    struct restore_result result;
    struct error err = ERROR_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    assert_int_equal(catalog_restore_at(f->from, f->to, 1, &result, &err), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "reaches back to"));
    change_much(f, &arena);
    assert_int_equal(journal_trim(f->from, f->at_us, &err), STATUS_OK); /* what is needed stays */
    if (catalog_restore_at(f->from, f->to, f->at_us, &result, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    must_equal_snapshot(f);
    assert_int_equal(journal_trim(f->from, time_between(), &err), STATUS_OK);
    assert_int_equal(catalog_restore_at(f->from, f->to, f->at_us, &result, &err),
                     STATUS_INVALID_ARGUMENT);
    arena_release(&arena);
}

static void test_no_journal(void **state)
{
    struct restore_result result;
    struct error err = ERROR_INIT;
    (void)state;
    char path[64], url[96];
    strcpy(path, "/tmp/quarry-restore-XXXXXX"); /* NOLINT: fits */
    assert_non_null(mkdtemp(path));
    snprintf(url, sizeof url, "file:%s/c", path);
    struct backend *file = open_url(url);
    assert_int_equal(catalog_restore_at(file, file, 1, &result, &err), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "a file catalog keeps no journal"));
    assert_int_equal(journal_trim(file, 1, &err), STATUS_OK);
    backend_close(file);
    assert_int_equal(sys_remove_tree(sys_posix(), path, NULL), STATUS_OK);
}

int main(void)
{
#define ON(backend, test) cmocka_unit_test_setup_teardown(test, set_up_##backend, tear_down)
    const struct CMUnitTest tests[] = {
        ON(sqlite, test_state_of_then),
        ON(sqlite, test_while_others_write),
        ON(sqlite, test_limits),
        ON(postgres, test_state_of_then),
        ON(postgres, test_while_others_write),
        ON(postgres, test_limits),
        ON(sqlite, test_through_a_hybrid),
        cmocka_unit_test(test_no_journal),
    };
    if (!postgres_server_start(&server))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_server_stop(&server);
    return failed;
}

/* The conformance suite over the hybrid back end: SQLite with a real Redis server as its cache,
 * which is never emptied between the tests. Then the cache dies, hangs, comes back with old
 * content, and holds what it should not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "catalog/hybrid/hybrid_int.h"
#include "catalog/open.h"
#include "catalog/redis/redis_backend.h"
#include "catalog/sqlite/sqlite_backend.h"
#include "lib/catalog_conformance.h"

enum { START_TRIES = 400, TRY_US = 25000, READERS = 4, ROUNDS = 60 };

static char folder[64] = "/tmp/quarry-hybrid-XXXXXX";
static char socket_path[96], db_path[96], url[256];
static pid_t server;

static bool start_server(void)
{
    server = fork();
    if (server == 0) {
        if (chdir(folder) < 0 || !freopen("log", "a", stdout))
            _exit(126);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--save",
               "", "--dir", folder, "--appendonly", "yes", "--appendfsync", "always", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < START_TRIES; i++) {
        redisContext *redis = redisConnectUnix(socket_path);
        redisReply *reply = redis && !redis->err ? redisCommand(redis, "PING") : NULL;
        bool up = reply && reply->type == REDIS_REPLY_STATUS;
        if (reply)
            freeReplyObject(reply);
        if (redis)
            redisFree(redis);
        if (up)
            return true;
        usleep(TRY_US);
    }
    printf("# redis-server did not start: install redis-server\n");
    return false;
}

static void kill_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static enum status open_hybrid(void *context, struct backend **ret, struct error *err)
{
    (void)context;
    return catalog_backend_open(sys_posix(), url, ret, err);
}

static void wipe_primary(void *context)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".generations"};
    (void)context;
    for (int i = 0; i < 4; i++) {
        char path[SYS_PATH_MAX];
        assert_int_equal(sys_path(path, NULL, "%s%s", db_path, ends[i]), STATUS_OK);
        (void)unlink(path);
    }
}

/* --- one record in a fresh catalog --- */

struct rig {
    struct backend *backend;
    struct arena arena;
    struct record record;
    struct error err;
};

static void commit_to(struct backend *backend, enum change_kind kind, const struct record *record,
                      int64_t expected)
{
    struct error err = ERROR_INIT;
    const struct change change = {.kind = kind, .record = record, .expected = expected};
    if (backend_commit(backend, &change, 1, NULL, &err) != STATUS_OK)
        fail_msg("commit: %s: %s", err.message, err.cause);
}

static void must_read(struct rig *rig, struct backend *backend)
{
    struct record got;
    const struct record *want = &rig->record;
    assert_int_equal(
        backend_get(backend, want->domain, want->tenant, want->id, &rig->arena, &got, &rig->err),
        STATUS_OK);
    assert_true(record_equal(&got, want));
    assert_int_equal(
        backend_find(backend, want->domain, want->tenant, want->key, &rig->arena, &got, &rig->err),
        STATUS_OK);
    assert_true(record_equal(&got, want));
}

static void change(struct rig *rig, struct backend *backend)
{
    rig->record.revision++;
    rig->record.node_count += 7;
    commit_to(backend, CHANGE_UPDATE, &rig->record, rig->record.revision - 1);
}

static struct hybrid_stats stats_of(struct rig *rig)
{
    struct hybrid_stats stats;
    hybrid_look(rig->backend, &stats);
    return stats;
}

/* Until the breaker lets the cache back in and a read comes from it. */
static void wait_for_hit(struct rig *rig)
{
    uint64_t hits = stats_of(rig).hits;
    for (int i = 0; i < START_TRIES && stats_of(rig).hits == hits; i++) {
        must_read(rig, rig->backend);
        usleep(TRY_US);
    }
    assert_true(stats_of(rig).hits > hits);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->err = ERROR_INIT;
    arena_init(&rig->arena, 0);
    wipe_primary(NULL);
    assert_int_equal(open_hybrid(NULL, &rig->backend, &rig->err), STATUS_OK);
    rig->record = conformance_record(DOMAIN_ASSET, "a", 1, &rig->arena);
    commit_to(rig->backend, CHANGE_INSERT, &rig->record, 0);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    backend_close(rig->backend);
    arena_release(&rig->arena);
    free(rig);
    return 0;
}

/* --- tests --- */

static void test_reads_come_from_the_cache(void **state)
{
    struct rig *rig = *state;
    wait_for_hit(rig);
    uint64_t misses = stats_of(rig).misses;
    change(rig, rig->backend);
    must_read(rig, rig->backend);
    assert_true(stats_of(rig).misses > misses);
    wait_for_hit(rig);
}

static void test_secrets_stay_out(void **state)
{
    struct rig *rig = *state;
    struct record r = conformance_record(DOMAIN_PRINCIPAL, "a", 5, &rig->arena);
    assert_true(r.secret.len > 0);
    commit_to(rig->backend, CHANGE_INSERT, &r, 0);
    wait_for_hit(rig);
    uint64_t hits = stats_of(rig).hits;
    rig->record = r;
    for (int i = 0; i < 3; i++)
        must_read(rig, rig->backend);
    assert_int_equal(stats_of(rig).hits, hits);
}

/* What the cache kept over its death is older than the primary's. */
static void test_stale_content_is_not_served(void **state)
{
    struct rig *rig = *state;
    wait_for_hit(rig);
    kill_server();
    change(rig, rig->backend);
    assert_true(start_server());
    for (int i = 0; i < 5; i++)
        must_read(rig, rig->backend);
    wait_for_hit(rig);
    /* and nothing of an earlier life of the catalog */
    assert_int_equal(tear_down(state), 0);
    assert_int_equal(set_up(state), 0);
    rig = *state;
    must_read(rig, rig->backend);
}

/* A cache that was never there. */
static void test_without_a_cache(void **state)
{
    struct rig *rig = *state;
    kill_server();
    backend_close(rig->backend);
    rig->backend = NULL;
    assert_int_equal(open_hybrid(NULL, &rig->backend, &rig->err), STATUS_OK);
    for (int i = 0; i < 20; i++) {
        must_read(rig, rig->backend);
        change(rig, rig->backend);
    }
    must_read(rig, rig->backend);
    assert_int_equal(backend_health(rig->backend, &rig->err), STATUS_OK);
    assert_string_not_equal(stats_of(rig).cache_state, "closed");
    assert_true(start_server());
    wait_for_hit(rig);
}

/* A stopped server costs a few calls their time limit, then nothing until the next probe. */
static void test_a_hanging_cache_is_left_alone(void **state)
{
    struct rig *rig = *state;
    wait_for_hit(rig);
    kill(server, SIGSTOP);
    for (int i = 0; i < 2 * BREAKER_FAILURES; i++) {
        change(rig, rig->backend);
        must_read(rig, rig->backend);
    }
    uint64_t failures = stats_of(rig).cache_failures;
    assert_true(failures >= BREAKER_FAILURES && failures <= BREAKER_FAILURES + 4);
    int64_t begin_us = sys_mono_us(sys_posix());
    for (int i = 0; i < 100; i++)
        must_read(rig, rig->backend);
    int64_t seconds = (sys_mono_us(sys_posix()) - begin_us) / 1000000;
    assert_true(stats_of(rig).cache_failures - failures <= (uint64_t)seconds + 2);
    kill(server, SIGCONT);
    wait_for_hit(rig);
}

/* Two processes with one primary, as far as the file's locks are concerned. */
static void test_other_processes(void **state)
{
    struct rig *rig = *state;
    struct backend *other = NULL;
    assert_int_equal(open_hybrid(NULL, &other, &rig->err), STATUS_OK);
    for (int i = 0; i < 20; i++) {
        must_read(rig, rig->backend);
        must_read(rig, rig->backend);
        change(rig, other);
        must_read(rig, rig->backend);
        change(rig, rig->backend);
        must_read(rig, other);
    }
    backend_close(other);
    wait_for_hit(rig);
}

/* --- work goes on while the cache comes and goes --- */

struct reader {
    struct rig *rig;
    pthread_t thread;
    bool wrong;
};

static atomic_int_least64_t committed; /* revision that was answered */
static atomic_bool stop;

static void *read_on(void *argument)
{
    struct reader *reader = argument;
    const struct record *want = &reader->rig->record;
    while (!atomic_load(&stop)) {
        struct arena arena;
        struct record got;
        arena_init(&arena, 0);
        int64_t least = atomic_load(&committed);
        enum status status = backend_get(reader->rig->backend, want->domain, want->tenant, want->id,
                                         &arena, &got, NULL);
        reader->wrong |= status != STATUS_OK || got.revision < least;
        least = atomic_load(&committed);
        status = backend_find(reader->rig->backend, want->domain, want->tenant, want->key, &arena,
                              &got, NULL);
        reader->wrong |= status != STATUS_OK || got.revision < least;
        arena_release(&arena);
    }
    return NULL;
}

static void test_the_cache_dies_in_mid_work(void **state)
{
    struct rig *rig = *state;
    struct rig writer = *rig;
    struct reader readers[READERS];
    atomic_store(&stop, false);
    atomic_store(&committed, rig->record.revision);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.rig = rig};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        change(&writer, rig->backend);
        atomic_store(&committed, writer.record.revision);
        if (i == ROUNDS / 3)
            kill_server();
        if (i == ROUNDS * 2 / 3)
            assert_true(start_server());
        usleep(TRY_US / 2);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_false(readers[i].wrong);
    }
    rig->record = writer.record;
    wait_for_hit(rig);
}

/* --- a read that began before a commit --- */

struct gate {
    struct backend base;
    struct backend *inner;
    atomic_int calls;
    atomic_bool open;
};

static enum status gate_get(struct backend *base, enum domain domain, struct str tenant,
                            struct str id, struct arena *arena, struct record *ret,
                            struct error *err)
{
    struct gate *self = (struct gate *)base;
    enum status status = backend_get(self->inner, domain, tenant, id, arena, ret, err);
    bool first = atomic_fetch_add(&self->calls, 1) == 0;
    while (first && !atomic_load(&self->open))
        usleep(1000);
    return status;
}

static enum status gate_commit(struct backend *base, const struct change *changes, uint32_t len,
                               struct commit_result *ret, struct error *err)
{
    return backend_commit(((struct gate *)base)->inner, changes, len, ret, err);
}

static void gate_close(struct backend *base)
{
    backend_close(((struct gate *)base)->inner);
}

static const struct backend_ops gate_ops = {
    .name = "gate", .get = gate_get, .commit = gate_commit, .close = gate_close};

static struct gate gate; /* outlives the test: the rig closes it */

struct early {
    struct rig *rig;
    pthread_t thread;
    int64_t revision;
};

static void *read_early(void *argument)
{
    struct early *early = argument;
    struct arena arena;
    struct record got;
    arena_init(&arena, 0);
    if (backend_get(early->rig->backend, DOMAIN_ASSET, STR("a"), early->rig->record.id, &arena,
                    &got, NULL) == STATUS_OK)
        early->revision = got.revision;
    arena_release(&arena);
    return NULL;
}

static void open_gate(struct rig *rig)
{
    char socket_url[128], path[SYS_PATH_MAX];
    struct hybrid_options options = {
        .sys = sys_posix(), .primary = &gate.base, .generations_path = path};
    gate = (struct gate){.base.ops = &gate_ops};
    snprintf(socket_url, sizeof socket_url, "unix:%s", socket_path);
    assert_int_equal(sys_path(path, NULL, "%s.generations", db_path), STATUS_OK);
    backend_close(rig->backend);
    rig->backend = NULL;
    assert_int_equal(sqlite_backend_open(&(struct sqlite_backend_options){.path = db_path},
                                         &gate.inner, &rig->err),
                     STATUS_OK);
    assert_int_equal(
        redis_backend_open(&(struct redis_backend_options){.url = socket_url, .is_cache = true},
                           &options.cache, &rig->err),
        STATUS_OK);
    assert_int_equal(hybrid_backend_open(&options, &rig->backend, &rig->err), STATUS_OK);
}

static void wait_for_calls(int calls)
{
    while (atomic_load(&gate.calls) < calls)
        usleep(1000);
}

/* Its late answer is neither shared with reads that begin after the commit nor cached. */
static void test_a_late_answer_is_nobody_elses(void **state)
{
    struct rig *rig = *state;
    struct early early = {.rig = rig};
    struct record got;
    open_gate(rig);
    assert_int_equal(pthread_create(&early.thread, NULL, read_early, &early), 0);
    wait_for_calls(1);
    struct rig writer = *rig;
    change(&writer, rig->backend);
    assert_int_equal(backend_get(rig->backend, DOMAIN_ASSET, STR("a"), rig->record.id, &rig->arena,
                                 &got, &rig->err),
                     STATUS_OK);
    assert_int_equal(got.revision, 2);
    assert_int_equal(atomic_load(&gate.calls), 2);
    atomic_store(&gate.open, true);
    pthread_join(early.thread, NULL);
    assert_int_equal(early.revision, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(backend_get(rig->backend, DOMAIN_ASSET, STR("a"), rig->record.id,
                                     &rig->arena, &got, &rig->err),
                         STATUS_OK);
        assert_int_equal(got.revision, 2);
    }
}

/* Reads that come while the first one waits for the primary ask it nothing. */
static void test_equal_reads_ask_once(void **state)
{
    struct rig *rig = *state;
    struct early early[READERS];
    open_gate(rig);
    for (int i = 0; i < READERS; i++) {
        early[i] = (struct early){.rig = rig};
        assert_int_equal(pthread_create(&early[i].thread, NULL, read_early, &early[i]), 0);
        wait_for_calls(1);
    }
    usleep(20 * TRY_US);
    assert_int_equal(atomic_load(&gate.calls), 1);
    atomic_store(&gate.open, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(early[i].thread, NULL);
        assert_int_equal(early[i].revision, 1);
    }
}

/* --- verify and repair --- */

static int faults;

static void count_fault(void *context, const char *what)
{
    (void)context;
    print_message("fault: %s\n", what);
    faults++;
}

static void must_verify(struct rig *rig, int expected)
{
    faults = 0;
    assert_int_equal(backend_verify(rig->backend, count_fault, NULL, &rig->err), STATUS_OK);
    assert_int_equal(faults, expected);
}

static void must_repair(struct rig *rig, int expected)
{
    faults = 0;
    assert_int_equal(hybrid_repair(rig->backend, count_fault, NULL, &rig->err), STATUS_OK);
    assert_int_equal(faults, expected);
}

/* Writes `to` over `from`, of the same length, in the cached text of the record. */
static void plant(struct rig *rig, const char *from, const char *to)
{
    redisContext *redis = redisConnectUnix(socket_path);
    size_t id_len = rig->record.id.len;
    redisReply *reply =
        redisCommand(redis, "HGET quarry-cache:assets:r %b", rig->record.id.data, id_len);
    assert_true(reply && reply->type == REDIS_REPLY_STRING);
    char *place = strstr(reply->str, from);
    assert_non_null(place);
    memcpy(place, to, strlen(to));
    redisReply *done = redisCommand(redis, "HSET quarry-cache:assets:r %b %b", rig->record.id.data,
                                    id_len, reply->str, reply->len);
    assert_non_null(done);
    freeReplyObject(done);
    freeReplyObject(reply);
    redisFree(redis);
}

static void test_verify_and_repair(void **state)
{
    struct rig *rig = *state;
    struct backend *primary = NULL;
    wait_for_hit(rig);
    must_verify(rig, 0);
    plant(rig, "\"name 001\"", "\"name 666\"");
    must_verify(rig, 1);
    must_repair(rig, 1);
    must_verify(rig, 0);
    wait_for_hit(rig);
    plant(rig, "\"stamp\"", "\"stomp\"");
    must_repair(rig, 1);
    wait_for_hit(rig);
    assert_int_equal(
        sqlite_backend_open(&(struct sqlite_backend_options){.path = db_path}, &primary, &rig->err),
        STATUS_OK);
    commit_to(primary, CHANGE_REMOVE, &rig->record, 0);
    backend_close(primary);
    must_verify(rig, 1);
    must_repair(rig, 1);
    must_repair(rig, 0);
    assert_int_equal(stats_of(rig).mended, 3);
}

/* --- generations --- */

static void test_generations(void **state)
{
    struct generations a, b;
    struct error err = ERROR_INIT;
    char path[SYS_PATH_MAX];
    struct record record = {.id = STR("x")};
    const struct change one = {.record = &record};
    (void)state;
    assert_int_equal(sys_path(path, NULL, "%s/numbers", folder), STATUS_OK);
    assert_int_equal(generations_open(sys_posix(), path, &a, &err), STATUS_OK);
    assert_int_equal(generations_open(sys_posix(), path, &b, &err), STATUS_OK);
    struct stamp before = generations_look(&a, DOMAIN_ASSET, record.id);
    struct stamp now = generations_look(&b, DOMAIN_ASSET, record.id);
    assert_true(stamp_equal(&before, &now));
    generations_begin(&a, &one, 1);
    assert_false(generations_look(&b, DOMAIN_ASSET, record.id).trusted);
    assert_false(generations_look_all(&b).trusted);
    generations_end(&a, &one, 1, false);
    now = generations_look(&b, DOMAIN_ASSET, record.id);
    assert_true(now.trusted);
    assert_false(stamp_equal(&before, &now));
    generations_void(&b);
    before = generations_look(&a, DOMAIN_ASSET, record.id);
    assert_false(stamp_equal(&before, &now));
    generations_begin(&a, &one, 1);
    generations_end(&a, &one, 1, true);
    assert_false(generations_look(&b, DOMAIN_ASSET, record.id).trusted);
    generations_close(&a);
    generations_close(&b);
    assert_int_equal(generations_open(sys_posix(), path, &a, &err), STATUS_OK);
    now = generations_look(&a, DOMAIN_ASSET, record.id);
    assert_true(now.trusted && now.instance != before.instance);
    generations_close(&a);
}

static void test_urls(void **state)
{
    static const char *const wrong[] = {"hybrid:", "hybrid:sqlite:/x", "hybrid:sqlite:/x|",
                                        "hybrid:|unix:/x",
                                        "hybrid:hybrid:sqlite:/x|unix:/y|unix:z"};
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(catalog_backend_open(sys_posix(), wrong[i], &backend, &err),
                         STATUS_INVALID_ARGUMENT);
    assert_null(backend);
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generations),         cmocka_unit_test(test_urls),
        RIGGED(test_reads_come_from_the_cache),     RIGGED(test_secrets_stay_out),
        RIGGED(test_stale_content_is_not_served),   RIGGED(test_without_a_cache),
        RIGGED(test_a_hanging_cache_is_left_alone), RIGGED(test_other_processes),
        RIGGED(test_the_cache_dies_in_mid_work),    RIGGED(test_a_late_answer_is_nobody_elses),
        RIGGED(test_equal_reads_ask_once),          RIGGED(test_verify_and_repair),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    snprintf(db_path, sizeof db_path, "%s/catalog.db", folder);
    snprintf(url, sizeof url, "hybrid:sqlite:%s|unix:%s", db_path, socket_path);
    if (!start_server())
        return 1;
    struct conformance_target target = {
        .name = "catalog/hybrid", .open = open_hybrid, .wipe = wipe_primary};
    int failed = catalog_conformance_run(&target);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    kill(server, SIGCONT);
    kill_server();
    (void)sys_remove_tree(sys_posix(), folder, NULL);
    return failed;
}

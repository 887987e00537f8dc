/* The conformance suite over the Redis back end, with a real server of its own on a socket; then
 * its restart, stale index entries, and a server that loses writes. */
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

#include "catalog/redis/redis_backend.h"
#include "lib/catalog_conformance.h"
#include "sys/sys.h"

enum { START_TRIES = 400, TRY_US = 25000 };

static char folder[64] = "/tmp/quarry-redis-XXXXXX";
static char socket_path[96], url[128];
static pid_t server;

static bool start_server(void)
{
    server = fork();
    if (server == 0) {
        if (chdir(folder) < 0 || !freopen("log", "a", stdout))
            _exit(126);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--save",
               "", "--dir", folder, "--appendonly", "yes", "--appendfsync", "everysec",
               (char *)NULL);
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

static enum status open_redis(void *context, struct backend **ret, struct error *err)
{
    (void)context;
    return redis_backend_open(&(struct redis_backend_options){.url = url}, ret, err);
}

static long long run(const char *command)
{
    redisContext *redis = redisConnectUnix(socket_path);
    redisReply *reply = redisCommand(redis, command);
    long long result = reply ? reply->integer : -1;
    if (reply)
        freeReplyObject(reply);
    redisFree(redis);
    return result;
}

static void wipe_redis(void *context)
{
    (void)context;
    (void)run("FLUSHALL");
}

static struct record record_of(int number, struct arena *arena)
{
    return conformance_record(DOMAIN_ASSET, "a", number, arena);
}

static enum status commit_one(struct backend *backend, enum change_kind kind,
                              const struct record *record, int64_t expected)
{
    struct error err = ERROR_INIT;
    const struct change change = {.kind = kind, .record = record, .expected = expected};
    enum status status = backend_commit(backend, &change, 1, NULL, &err);
    if (status != STATUS_OK)
        print_message("%s %s\n", err.message, err.cause);
    return status;
}

/* What was answered is there after kill -9: each write is synced. */
static void test_kill_and_restart(void **state)
{
    struct backend *backend = NULL;
    struct arena arena;
    struct record found;
    struct error err = ERROR_INIT;
    (void)state;
    wipe_redis(NULL);
    arena_init(&arena, 0);
    struct record record = record_of(1, &arena);
    assert_int_equal(open_redis(NULL, &backend, &err), STATUS_OK);
    assert_int_equal(commit_one(backend, CHANGE_INSERT, &record, 0), STATUS_OK);
    kill_server();
    assert_int_equal(
        backend_get(backend, DOMAIN_ASSET, record.tenant, record.id, &arena, &found, &err),
        STATUS_UNAVAILABLE);
    assert_true(start_server());
    assert_int_equal(
        backend_get(backend, DOMAIN_ASSET, record.tenant, record.id, &arena, &found, &err),
        STATUS_OK);
    assert_true(record_equal(&found, &record));
    struct record second = record_of(2, &arena);
    assert_int_equal(commit_one(backend, CHANGE_INSERT, &second, 0), STATUS_OK);
    backend_close(backend);
    arena_release(&arena);
}

/* After a record is gone no key of the server knows it. */
static void test_nothing_is_left_behind(void **state)
{
    struct backend *backend = NULL;
    struct arena arena;
    struct error err = ERROR_INIT;
    (void)state;
    wipe_redis(NULL);
    arena_init(&arena, 0);
    assert_int_equal(open_redis(NULL, &backend, &err), STATUS_OK);
    struct record record = record_of(1, &arena), other = record_of(3, &arena);
    assert_int_equal(commit_one(backend, CHANGE_INSERT, &record, 0), STATUS_OK);
    other.id = record.id;
    other.revision = 2;
    assert_int_equal(commit_one(backend, CHANGE_UPDATE, &other, 1), STATUS_OK);
    assert_int_equal(commit_one(backend, CHANGE_REMOVE, &other, 2), STATUS_OK);
    assert_int_equal(run("DBSIZE"), 1); /* the mark of a store that files properties */
    backend_close(backend);
    arena_release(&arena);
}

static int faults;

static void count_fault(void *context, const char *what)
{
    (void)context;
    (void)what;
    faults++;
}

static void test_verify_finds_damage(void **state)
{
    struct backend *backend = NULL;
    struct arena arena;
    struct error err = ERROR_INIT;
    (void)state;
    wipe_redis(NULL);
    arena_init(&arena, 0);
    assert_int_equal(open_redis(NULL, &backend, &err), STATUS_OK);
    for (int i = 0; i < 20; i++) {
        struct record record = record_of(i, &arena);
        assert_int_equal(commit_one(backend, CHANGE_INSERT, &record, 0), STATUS_OK);
    }
    assert_int_equal(backend_verify(backend, count_fault, NULL, &err), STATUS_OK);
    assert_int_equal(faults, 0);
    assert_int_equal(run("ZREM quarry:assets:ids 0190a000-0000-7000-8000-000000000003"), 1);
    assert_int_equal(run("ZREM quarry:assets:x:t:a 0190a000-0000-7000-8000-000000000007"), 1);
    assert_int_equal(backend_verify(backend, count_fault, NULL, &err), STATUS_OK);
    assert_true(faults >= 1);
    backend_close(backend);
    arena_release(&arena);
}

static void test_urls(void **state)
{
    static const char *const wrong[] = {"redis:x",         "redis://",        "redis://h:0",
                                        "redis://h:99999", "redis://u:p@h:1", "redis://h:1/x",
                                        "http://h"};
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(
            redis_backend_open(&(struct redis_backend_options){.url = wrong[i]}, &backend, &err),
            STATUS_INVALID_ARGUMENT);
    assert_int_equal(redis_backend_open(
                         &(struct redis_backend_options){.url = "unix:/nowhere", .timeout_ms = 100},
                         &backend, &err),
                     STATUS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_and_restart),
        cmocka_unit_test(test_nothing_is_left_behind),
        cmocka_unit_test(test_verify_finds_damage),
        cmocka_unit_test(test_urls),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    snprintf(url, sizeof url, "unix:%s", socket_path);
    if (!start_server())
        return 1;
    struct conformance_target target = {
        .name = "catalog/redis", .open = open_redis, .wipe = wipe_redis};
    int failed = catalog_conformance_run(&target);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    kill_server();
    (void)sys_remove_tree(sys_posix(), folder, NULL);
    return failed;
}

/* worker.c: the life of a worker process as the pool sees it. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "query/sql/sql_int.h"

enum { HELLO_BYTES_MAX = 4096, END_WAIT_MS = 500 };

static enum status spawn(struct sql_pool *pool, struct sql_worker *worker, struct error *err)
{
    static char *no_environment[] = {NULL};
    char name[] = "quarry-sql-worker";
    char *argv[] = {name, NULL};
    struct process_options options = {
        .executable = pool->worker_path, .argv = argv, .envp = no_environment, .channel = true};
#ifdef QUARRY_SANITIZED
    options.envp = NULL; /* ours: it holds the sanitizer's options */
#endif
    return process_spawn(&options, &worker->process, err);
}

static enum status send_config(struct sql_pool *pool, struct sql_worker *worker, int64_t until_us,
                               struct error *err)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, 16 << 10);
    json_writer_init(&w, &text);
    json_begin_object(&w);
    json_kv_int(&w, "version", SQL_WIRE_VERSION);
    json_kv_strz(&w, "data_path", pool->data_path);
    json_kv_strz(&w, "temp_path", worker->temp);
    json_kv_int(&w, "memory_bytes", (int64_t)pool->options.memory_bytes);
    json_kv_int(&w, "spill_bytes", (int64_t)pool->options.spill_bytes);
    json_kv_int(&w, "cpu_seconds", WORKER_CPU_SECONDS);
    json_kv_int(&w, "threads", pool->options.threads);
    json_end_object(&w);
    enum status status = buf_check(&text, "a configuration", err);
    if (status == STATUS_OK)
        status = sql_wire_send(pool->sys, worker->process.channel, SQL_FRAME_CONFIG, buf_str(&text),
                               until_us, err);
    buf_release(&text);
    return status;
}

static enum status read_hello(struct sql_worker *worker, struct str payload, struct error *err)
{
    yyjson_doc *doc;
    TRY(json_parse(payload, &doc, err));
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool same = yyjson_get_uint(json_get(root, "version")) == SQL_WIRE_VERSION;
    worker->landlock = yyjson_get_int(json_get(root, "landlock"));
    worker->seccomp = yyjson_get_bool(json_get(root, "seccomp"));
    worker->address_limit = yyjson_get_bool(json_get(root, "address_limit"));
    yyjson_doc_free(doc);
    if (!same)
        return error_set(err, STATUS_UNAVAILABLE, "the SQL worker is of another version");
    return STATUS_OK;
}

static enum status hear_hello(struct sql_pool *pool, struct sql_worker *worker, int64_t until_us,
                              struct error *err)
{
    struct buf payload;
    enum sql_frame kind;
    bool replace;
    buf_init(&payload, HELLO_BYTES_MAX);
    enum status status =
        sql_wire_receive(pool->sys, worker->process.channel, &payload, &kind, until_us, err);
    if (status == STATUS_OK && kind == SQL_FRAME_HELLO)
        status = read_hello(worker, buf_str(&payload), err);
    else if (status == STATUS_OK && kind == SQL_FRAME_ERROR)
        status = sql_answer_error(buf_str(&payload), &replace, err);
    else if (status == STATUS_OK)
        status = error_set(err, STATUS_UNAVAILABLE, "the SQL worker does not say hello");
    buf_release(&payload);
    return status;
}

enum status sql_worker_start(struct sql_pool *pool, uint64_t number, int64_t until_us,
                             struct sql_worker **ret_worker, struct error *err)
{
    int64_t limit = sys_mono_us(pool->sys) + WORKER_START_TIMEOUT_US;
    if (until_us && until_us < limit)
        limit = until_us;
    struct sql_worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return error_no_memory(err);
    worker->process = PROCESS_NONE;
    enum status status =
        sys_path(worker->temp, err, "%s/%llu", pool->temp_root, (unsigned long long)number);
    if (status == STATUS_OK)
        status = sys_mkdirs(pool->sys, worker->temp, err);
    if (status == STATUS_OK)
        status = spawn(pool, worker, err);
    if (status == STATUS_OK)
        status = send_config(pool, worker, limit, err);
    if (status == STATUS_OK)
        status = hear_hello(pool, worker, limit, err);
    if (status == STATUS_OK) {
        *ret_worker = worker;
        return STATUS_OK;
    }
    sql_worker_end(pool, worker);
    if (status == STATUS_TIMEOUT && limit == until_us)
        return status;
    (void)error_wrap(err, "a SQL worker does not start");
    if (err)
        err->status = STATUS_UNAVAILABLE;
    return STATUS_UNAVAILABLE;
}

bool sql_worker_lives(const struct sql_worker *worker)
{
    struct pollfd end = {.fd = worker->process.pidfd, .events = POLLIN};
    return poll(&end, 1, 0) == 0;
}

void sql_worker_end(struct sql_pool *pool, struct sql_worker *worker)
{
    if (!worker)
        return;
    process_release(&worker->process);
    (void)sys_remove_tree(pool->sys, worker->temp, NULL); /* tried again at the next open */
    free(worker);
}

enum status sql_worker_why(struct sql_worker *worker, struct error *err)
{
    struct process_end end;
    if (process_wait(&worker->process, END_WAIT_MS, &end, NULL) != STATUS_OK)
        return error_set(err, STATUS_UNAVAILABLE, "the SQL worker fell silent");
    if (end.signal == SIGXCPU)
        return error_set(err, STATUS_TIMEOUT, "the query used more CPU time than it may");
    if (end.signal == SIGABRT)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "the SQL worker gave up, most likely for want of memory");
    return error_set(err, STATUS_UNAVAILABLE,
                     "the SQL worker ended while it ran the query (signal %d, exit code %d)",
                     end.signal, end.exit_code);
}

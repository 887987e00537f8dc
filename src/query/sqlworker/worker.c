/* worker.c: configuration, cage, engine, then one query after the other.
 *
 * A thread of its own watches the channel: when the pool's end closes while a query runs, the
 * process ends at once. (PR_SET_PDEATHSIG would be tied to the thread that started the worker, and
 * request threads come and go.) */
#include "query/sqlworker/worker.h"

#include <poll.h>
#include <stdint.h>
#include <unistd.h>

#include "query/sqlworker/cage.h"
#include "query/sqlworker/session.h"
#include "sys/thread.h"

static void *watch_channel(void *argument)
{
    struct pollfd channel = {.fd = (int)(intptr_t)argument, .events = POLLRDHUP};
    while (poll(&channel, 1, -1) <= 0 || !(channel.revents & (POLLRDHUP | POLLHUP | POLLERR)))
        ;
    /* Between queries the main thread sees the end of file and leaves in good order. */
    (void)poll(NULL, 0, 200);
    _exit(SQLWORKER_EXIT_ORPHAN);
}

struct setup {
    char *sources, *run, *temp;
    struct cage_options cage;
    struct engine_options engine;
};

static char *joined(struct str folder, const char *name)
{
    struct buf path;
    size_t len;
    buf_init(&path, SYS_PATH_MAX);
    buf_append_str(&path, folder);
    buf_append_str(&path, str_of(name));
    buf_append_char(&path, '\0');
    return buf_failed(&path) ? NULL : buf_take(&path, &len);
}

static enum status read_setup(yyjson_val *config, struct setup *ret, struct error *err)
{
    struct str data = json_str_of(json_get(config, "data_path"));
    struct str temp = json_str_of(json_get(config, "temp_path"));
    if (yyjson_get_uint(json_get(config, "version")) != SQL_WIRE_VERSION || !data.len || !temp.len)
        return error_set(err, STATUS_UNAVAILABLE, "the SQL worker and its node differ in version");
    *ret = (struct setup){
        .sources = joined(data, "/sources"), .run = joined(data, "/run"), .temp = joined(temp, "")};
    if (!ret->sources || !ret->run || !ret->temp)
        return error_no_memory(err);
    uint64_t memory = yyjson_get_uint(json_get(config, "memory_bytes"));
    uint64_t spill = yyjson_get_uint(json_get(config, "spill_bytes"));
    ret->cage = (struct cage_options){
        .read_folders = {ret->sources, ret->run},
        .temp_folder = ret->temp,
        .memory_bytes = memory,
        .file_bytes = spill,
        .cpu_seconds = yyjson_get_uint(json_get(config, "cpu_seconds")),
    };
    ret->engine = (struct engine_options){
        .read_folders = {ret->sources, ret->run},
        .temp_folder = ret->temp,
        .memory_bytes = memory,
        .spill_bytes = spill,
        .threads = (uint32_t)yyjson_get_uint(json_get(config, "threads")),
    };
    return STATUS_OK;
}

static enum status send_hello(struct session *session, const struct cage_report *cage,
                              struct error *err)
{
    struct json_writer w;
    buf_clear(&session->out);
    json_writer_init(&w, &session->out);
    json_begin_object(&w);
    json_kv_int(&w, "version", SQL_WIRE_VERSION);
    json_kv_strz(&w, "engine", duckdb_library_version());
    json_kv_int(&w, "landlock", cage->landlock_abi);
    json_kv_bool(&w, "seccomp", cage->seccomp);
    json_kv_bool(&w, "address_limit", cage->address_limit);
    json_end_object(&w);
    return session_send(session, SQL_FRAME_HELLO, err);
}

static enum status set_up(struct session *session, struct error *err)
{
    enum sql_frame kind;
    struct cage_report report;
    struct setup setup;
    yyjson_doc *config;
    struct thread watcher;
    TRY(sql_wire_receive(session->sys, session->channel, &session->in, &kind, 0, err));
    if (kind != SQL_FRAME_CONFIG)
        return error_set(err, STATUS_UNAVAILABLE, "the SQL worker wants its configuration first");
    TRY(json_parse(buf_str(&session->in), &config, err));
    enum status status = read_setup(yyjson_doc_get_root(config), &setup, err);
    yyjson_doc_free(config); /* the setup lives as long as the process */
    TRY(status);
    TRY(cage_enter(&setup.cage, &report, err));
    if (!report.address_limit)
        setup.engine.memory_bytes = 0;
    TRY(engine_open(&setup.engine, &session->engine, err));
    TRY(thread_start(&watcher, "watch", 0, watch_channel, (void *)(intptr_t)session->channel, err));
    return send_hello(session, &report, err);
}

int sqlworker_main(int channel)
{
    struct session session;
    struct error err = ERROR_INIT;
    session_init(&session, sys_posix(), channel);
    if (set_up(&session, &err) != STATUS_OK) {
        (void)session_send_error(&session, &err, true); /* the exit code tells it too */
        return SQLWORKER_EXIT_SETUP;
    }
    enum status status;
    do
        status = session_serve(&session, &err);
    while (status == STATUS_OK);
    return status == STATUS_UNAVAILABLE ? SQLWORKER_EXIT_END : SQLWORKER_EXIT_PROTOCOL;
}

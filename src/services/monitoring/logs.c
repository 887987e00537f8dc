/* logs.c: GET /logs/{service}: the newest lines that match, as one JSON object, as NDJSON, or with
 * follow as server-sent events that go on until the caller leaves. */
#include <stdio.h>

#include "base/datetime.h"
#include "services/monitoring/log_read.h"
#include "services/monitoring/monitoring_int.h"

enum {
    SERVICES_MAX = SERVICE_COUNT + 1, /* with quarryd itself */
    FOLLOW_LOOK_US = 200000,
    FOLLOW_COMMENT_US = 15000000, /* so that proxies do not take the stream for dead */
};
static const char control_process[] = "quarryd";

/* One request for logs. */
struct logs {
    struct monitoring *monitoring;
    struct request *request;
    struct log_matcher *matcher;
    const char *services[SERVICES_MAX];
    struct log_tail tails[SERVICES_MAX];
    uint32_t services_len, limit;
    struct log_lines lines;
};

/* --- what is asked for --- */

static enum status decode_services(struct logs *logs, struct str name, struct error *err)
{
    enum service_kind kind;
    if (str_is(name, "all")) {
        for (int i = 0; i < SERVICE_COUNT; i++)
            logs->services[logs->services_len++] = service_info((enum service_kind)i)->name;
        logs->services[logs->services_len++] = control_process;
    } else if (str_is(name, control_process)) {
        logs->services[logs->services_len++] = control_process;
    } else if (service_kind_parse(name, &kind)) {
        logs->services[logs->services_len++] = service_info(kind)->name;
    } else {
        return error_set(err, STATUS_NOT_FOUND,
                         "'%.*s' is no service; there are gateway, operation, optimizer, catalog, "
                         "monitoring, interpreter, tenant, quarryd, and all",
                         name.len < 60 ? (int)name.len : 60, name.data);
    }
    return STATUS_OK;
}

static enum status decode_time(struct request *request, const char *field, int64_t *us)
{
    struct str text = request_str(request, field);
    if (!text.data || timestamp_parse(text, us))
        return STATUS_OK;
    return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                     "%s is a time like 2026-01-31T12:00:00Z", field);
}

static enum status decode(struct logs *logs)
{
    struct request *request = logs->request;
    struct log_filter filter = {.until_us = INT64_MAX,
                                .text = request_str(request, "text"),
                                .request_id = request_str(request, "request_id")};
    struct str level = request_str(request, "level");
    if (level.data)
        (void)log_level_parse(level, &filter.level); /* one of the list's choices */
    TRY(decode_time(request, "since", &filter.since_us));
    TRY(decode_time(request, "until", &filter.until_us));
    if (!monitoring_sees_all(logs->monitoring, &request->identity))
        filter.tenant = request->identity.tenant;
    logs->limit = (uint32_t)request_int(request, "limit");
    TRY(decode_services(logs, request_path_param(request, "service"), &request->error));
    return log_matcher_new(&filter, request->arena, &logs->matcher, &request->error);
}

static enum status read_lines(struct logs *logs)
{
    struct monitoring *monitoring = logs->monitoring;
    struct arena *arena = logs->request->arena;
    struct error *err = &logs->request->error;
    for (uint32_t i = 0; i < logs->services_len; i++) {
        struct log_lines lines;
        TRY(log_tail_find(monitoring->sys, monitoring->log_folder, logs->services[i],
                          &logs->tails[i], err));
        TRY(log_read(monitoring->sys, monitoring->log_folder, logs->services[i], logs->matcher,
                     &logs->tails[i], logs->limit, arena, &lines, err));
        TRY(log_lines_merge(&logs->lines, &lines, logs->limit, arena, err));
    }
    return STATUS_OK;
}

/* --- answers --- */

static enum status answer_object(struct logs *logs)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, LOG_LINES_BYTES_MAX + SERVICES_MAX * 64 * 1024);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_str(&w, "service", request_path_param(logs->request, "service"));
    json_kv_int(&w, "count", (int64_t)logs->lines.len);
    json_kv_bool(&w, "truncated", logs->lines.truncated);
    json_keyz(&w, "logs");
    json_begin_array(&w);
    for (size_t i = 0; i < logs->lines.len; i++)
        json_raw(&w, logs->lines.items[i].json);
    json_end_array(&w);
    json_end_object(&w);
    request_respond_json(logs->request, 200, &body);
    return STATUS_OK;
}

static enum status answer_lines(struct logs *logs)
{
    struct buf body;
    buf_init(&body, LOG_LINES_BYTES_MAX * 2);
    for (size_t i = 0; i < logs->lines.len; i++) {
        buf_append_str(&body, logs->lines.items[i].json);
        buf_append_char(&body, '\n');
    }
    request_respond_text(logs->request, 200, STR("application/x-ndjson"), &body);
    return STATUS_OK;
}

static enum status send_event(void *context, struct str json, struct error *err)
{
    struct logs *logs = context;
    struct http_request *http = logs->request->http;
    TRY(http_write(http, STR("event: log\ndata: "), err));
    TRY(http_write(http, json, err));
    return http_write(http, STR("\n\n"), err);
}

static enum status send_new(struct logs *logs, struct error *err)
{
    struct monitoring *monitoring = logs->monitoring;
    for (uint32_t i = 0; i < logs->services_len; i++)
        TRY(log_tail_read(monitoring->sys, monitoring->log_folder, logs->services[i], logs->matcher,
                          &logs->tails[i], send_event, logs, err));
    return STATUS_OK;
}

static enum status stream(struct logs *logs)
{
    struct monitoring *monitoring = logs->monitoring;
    struct http_request *http = logs->request->http;
    struct error *err = &logs->request->error;
    int64_t quiet_us = 0;
    TRY(request_begin(logs->request, 200, STR("text/event-stream"), err));
    for (size_t i = 0; i < logs->lines.len; i++)
        TRY(send_event(logs, logs->lines.items[i].json, err));
    TRY(http_write(http, STR(": following\n\n"), err));
    while (!atomic_load(&monitoring->ends) && !http_request_gone(http)) {
        sys_sleep_us(monitoring->sys, FOLLOW_LOOK_US);
        TRY(send_new(logs, err));
        quiet_us += FOLLOW_LOOK_US;
        if (quiet_us >= FOLLOW_COMMENT_US) {
            quiet_us = 0;
            TRY(http_write(http, STR(": still here\n\n"), err));
        }
    }
    http_end(http);
    return STATUS_OK;
}

static enum status follow(struct logs *logs)
{
    struct monitoring *monitoring = logs->monitoring;
    enum status status = STATUS_OK;
    if (atomic_fetch_add(&monitoring->followers, 1) >= FOLLOWERS_MAX) {
        logs->request->error.retry_after_s = 10;
        status = error_set(&logs->request->error, STATUS_TOO_MANY_REQUESTS,
                           "at most %d streams of logs at the same time", FOLLOWERS_MAX);
    }
    if (status == STATUS_OK)
        status = stream(logs);
    atomic_fetch_sub(&monitoring->followers, 1);
    return status;
}

enum status handle_logs(struct request *request)
{
    struct logs logs = {.monitoring = request->context, .request = request};
    if (!logs.monitoring->log_folder[0])
        return error_set(&request->error, STATUS_NOT_FOUND,
                         "no logs are collected: LOG_FILE_LEVEL is off");
    TRY(decode(&logs));
    TRY(read_lines(&logs));
    enum accept_kind accept = request_accept(request);
    if (request_bool(request, "follow") || accept == ACCEPT_SSE)
        return follow(&logs);
    return accept == ACCEPT_NDJSON ? answer_lines(&logs) : answer_object(&logs);
}

/* slow.c: GET /slow: the lines "slow request" of all services' logs. */
#include <stdlib.h>

#include "base/datetime.h"
#include "services/monitoring/log_read.h"
#include "services/monitoring/monitoring_int.h"

enum { SLOW_BODY_MAX = 16 << 20, LINES_MAX = 10000 };

struct slow {
    struct str json;
    int64_t duration_us, time_us;
};

static int by_duration(const void *a, const void *b)
{
    const struct slow *x = a, *y = b;
    return x->duration_us > y->duration_us ? -1 : x->duration_us < y->duration_us;
}

static int by_age(const void *a, const void *b)
{
    const struct slow *x = a, *y = b;
    return x->time_us > y->time_us ? -1 : x->time_us < y->time_us;
}

static enum status decode(struct request *request, struct log_matcher **ret)
{
    struct str since = request_str(request, "since"), until = request_str(request, "until");
    struct log_filter filter = {
        .level = LOG_WARN, .until_us = INT64_MAX, .text = STR("slow request")};
    if ((since.data && !timestamp_parse(since, &filter.since_us)) ||
        (until.data && !timestamp_parse(until, &filter.until_us)))
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "since and until are times like 2026-01-31T12:00:00Z");
    if (!monitoring_sees_all(request->context, &request->identity))
        filter.tenant = request->identity.tenant;
    return log_matcher_new(&filter, request->arena, ret, &request->error);
}

static enum status read_all(struct request *request, struct log_lines *ret)
{
    struct monitoring *monitoring = request->context;
    struct log_matcher *matcher = NULL;
    struct error *err = &request->error;
    TRY(decode(request, &matcher));
    *ret = (struct log_lines){0};
    for (int i = 0; i < SERVICE_COUNT; i++) {
        const char *service = service_info((enum service_kind)i)->name;
        struct log_tail end;
        struct log_lines lines;
        TRY(log_tail_find(monitoring->sys, monitoring->log_folder, service, &end, err));
        TRY(log_read(monitoring->sys, monitoring->log_folder, service, matcher, &end, LINES_MAX,
                     request->arena, &lines, err));
        TRY(log_lines_merge(ret, &lines, LINES_MAX, request->arena, err));
    }
    return STATUS_OK;
}

/* False: another message that holds the words, or not the operation that is asked for. */
static bool read_line(const struct log_line *line, struct str operation, struct slow *ret)
{
    yyjson_doc *doc = NULL;
    if (json_parse(line->json, &doc, NULL) != STATUS_OK)
        return false;
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct str message = json_str_of(json_get(root, "message"));
    struct str name = json_str_of(json_get(root, "operation"));
    *ret = (struct slow){line->json, yyjson_get_sint(json_get(root, "duration_us")), line->time_us};
    bool good = message.data && str_is(message, "slow request") &&
                (!operation.data || (name.data && str_eq(name, operation)));
    yyjson_doc_free(doc);
    return good;
}

enum status handle_slow(struct request *request)
{
    struct monitoring *monitoring = request->context;
    struct log_lines lines;
    struct buf body;
    struct json_writer w;
    size_t n = 0, limit = (size_t)request_int(request, "limit");
    if (!monitoring->log_folder[0])
        return error_set(&request->error, STATUS_NOT_FOUND,
                         "no logs are collected: LOG_FILE_LEVEL is off");
    TRY(read_all(request, &lines));
    struct slow *found = arena_array(request->arena, lines.len ? lines.len : 1, sizeof *found);
    if (!found)
        return error_no_memory(&request->error);
    for (size_t i = 0; i < lines.len; i++)
        n += read_line(&lines.items[i], request_str(request, "operation"), &found[n]);
    if (n)
        qsort(found, n, sizeof *found,
              str_is(request_str(request, "order"), "newest") ? by_age : by_duration);
    buf_init(&body, SLOW_BODY_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "requests");
    json_begin_array(&w);
    for (size_t i = 0; i < n && i < limit; i++)
        json_raw(&w, found[i].json);
    json_end_array(&w);
    json_kv_int(&w, "count", (int64_t)(n < limit ? n : limit));
    return reply_end(request, 200, &body, &w);
}

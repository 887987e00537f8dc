/* collections_logs.c: query logs, performance metrics, the audit log of applications.
 *
 * An entry names who is said to have acted; when that is not the caller, `reported_by` in its
 * attributes is the caller. Reading a collection is enough to log what was done with it. */
#include "base/uuid.h"
#include "services/catalog/collections_int.h"

enum { DURATION_MAX_MS = 1000000000 };

static enum status check_duration(struct request *request)
{
    int64_t duration_ms = request_int(request, "duration_ms");
    if (duration_ms < 0 || duration_ms > DURATION_MAX_MS)
        return bad_field(request, "duration_ms", "must be 0 to 1000000000");
    return STATUS_OK;
}

static void write_reporter(struct json_writer *w, const struct caller *caller, struct str user)
{
    if (user.len && !str_eq(user, caller->principal))
        json_kv_str(w, "reported_by", caller->principal);
}

/* A boolean setting of the tenant; true when there is none. */
static enum status is_on(struct request *request, const struct caller *caller, const char *key,
                         bool *ret)
{
    struct str value;
    TRY(setting_get(catalog_of(request), caller, key, "true", request->arena, &value,
                    &request->error));
    *ret = !str_is(value, "false");
    return STATUS_OK;
}

/* What was not logged because a setting is false. */
static enum status respond_off(struct request *request, const char *setting)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_null(&w, "id");
    json_kv_bool(&w, "logged", false);
    json_kv_strz(&w, "off_by", setting);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* --- query logs --- */

/* A row of query_logs. */
static void write_query(struct json_writer *w, const struct record *query)
{
    static const char *const names[] = {"query_vector_dimension", "top_k", "search_params",
                                        "result_count"};
    yyjson_doc *doc = yyjson_read(query->attributes.data, query->attributes.len, 0);
    json_begin_object(w);
    json_kv_str(w, "id", query->id);
    json_kv_text(w, "user_id", query->subject);
    json_kv_str(w, "collection_id", query->object);
    json_kv_str(w, "query_type", query->name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_attribute(w, yyjson_doc_get_root(doc), names[i]);
    json_kv_int(w, "duration_ms", query->duration_us / 1000);
    json_kv_bool(w, "success", query->success);
    json_kv_text(w, "error_message", query->description);
    json_time(w, "timestamp", query->created_us);
    json_end_object(w);
    yyjson_doc_free(doc);
}

static enum status query_event(struct request *request, const struct caller *caller,
                               struct str collection, struct record *ret)
{
    struct buf buf;
    struct json_writer w;
    *ret = (struct record){.domain = DOMAIN_EVENT,
                           .kind = STR("query"),
                           .name = request_str(request, "query_type"),
                           .subject = request_str(request, "user_id"),
                           .object = collection,
                           .description = request_str(request, "error_message"),
                           .success = request_bool(request, "success"),
                           .row_count = request_int(request, "result_count"),
                           .duration_us = request_int(request, "duration_ms") * 1000};
    attributes_begin(&buf, &w);
    attribute_int(&w, request, "query_vector_dimension");
    attribute_int(&w, request, "top_k");
    attribute_json(&w, request, "search_params");
    attribute_int(&w, request, "result_count"); /* absent is not 0 */
    write_reporter(&w, caller, ret->subject);
    json_end_object(&w);
    return attributes_end(request, &buf, &ret->attributes);
}

/* The metric of a query that is logged with it. */
static enum status metric_of_query(struct request *request, const struct record *query,
                                   struct record *ret)
{
    struct buf buf;
    struct json_writer w;
    *ret = (struct record){.domain = DOMAIN_EVENT,
                           .kind = STR("performance"),
                           .namespace = STR("query"),
                           .name = STR("search"),
                           .subject = query->subject,
                           .object = query->object,
                           .description = query->description,
                           .success = query->success,
                           .duration_us = query->duration_us};
    attributes_begin(&buf, &w);
    json_kv_str(&w, "operation_id", query->id);
    json_end_object(&w);
    TRY(attributes_end(request, &buf, &ret->attributes));
    attributes_begin(&buf, &w);
    attribute_int(&w, request, "top_k");
    attribute_int(&w, request, "result_count");
    json_end_object(&w);
    return attributes_end(request, &buf, &ret->properties);
}

/* The metric names the query by its id, which therefore is made here. */
static enum status make_id(struct request *request, struct str *ret)
{
    unsigned char random[10];
    char text[UUID_TEXT_LEN + 1];
    struct sys *sys = service_of(request)->sys;
    sys_random(sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)sys_now_us(sys) / 1000, random), text);
    *ret = arena_str(request->arena, str_make(text, UUID_TEXT_LEN));
    return ret->data ? STATUS_OK : error_no_memory(&request->error);
}

enum status query_logs_add(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record collection, events[2];
    bool with_metric = request_bool(request, "with_metric");
    TRY(check_duration(request));
    TRY(collection_of_field(request, &caller, RIGHT_READ, &collection));
    TRY(query_event(request, &caller, collection.id, &events[0]));
    if (with_metric)
        TRY(is_on(request, &caller, "enable_performance_monitoring", &with_metric));
    if (with_metric) {
        TRY(make_id(request, &events[0].id));
        TRY(metric_of_query(request, &events[0], &events[1]));
    }
    TRY(event_append(catalog_of(request), &caller, events, with_metric ? 2 : 1, request->arena,
                     &request->error));
    return respond_row(request, 201, write_query, &events[0]);
}

/* Of a collection for its admins, of all for admins of the tenant. */
static enum status may_read_logs(struct request *request, const struct caller *caller,
                                 struct str *ret_collection)
{
    struct record collection;
    *ret_collection = STR_NONE;
    if (!request_has(request, "collection_id"))
        return caller->admin ? STATUS_OK
                             : error_set(&request->error, STATUS_FORBIDDEN,
                                         "only an admin of the tenant reads all logs; name a "
                                         "collection that you are an admin of");
    TRY(collection_of_field(request, caller, RIGHT_ADMIN, &collection));
    *ret_collection = collection.id;
    return STATUS_OK;
}

struct log_filter {
    enum record_field field;
    struct str value; /* empty: none */
};

enum { FILTERS_MAX = 4 };

static enum status list_logs(struct request *request, const struct log_filter *filters,
                             const char *name, record_writer write)
{
    struct caller caller = caller_of(request);
    struct match matches[FILTERS_MAX];
    struct record_query query = {.domain = DOMAIN_EVENT,
                                 .matches = matches,
                                 .order = RECORD_id,
                                 .descending = true,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    struct record_page page;
    for (int i = 0; i < FILTERS_MAX; i++)
        if (filters[i].value.len)
            matches[query.matches_len++] = (struct match){.field = filters[i].field,
                                                          .op = MATCH_EQ,
                                                          .values = &filters[i].value,
                                                          .values_len = 1};
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    return respond_page(request, name, &page, write);
}

enum status query_logs_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str collection;
    TRY(may_read_logs(request, &caller, &collection));
    const struct log_filter filters[FILTERS_MAX] = {
        {RECORD_kind, STR("query")},
        {RECORD_object, collection},
        {RECORD_subject, request_str(request, "user_id")}};
    return list_logs(request, filters, "query_logs", write_query);
}

/* --- performance metrics --- */

/* A row of performance_metrics. */
static void write_metric(struct json_writer *w, const struct record *metric)
{
    yyjson_doc *doc = yyjson_read(metric->attributes.data, metric->attributes.len, 0);
    json_begin_object(w);
    json_kv_str(w, "id", metric->id);
    json_kv_str(w, "collection_id", metric->object);
    json_kv_str(w, "operation_type", metric->name);
    json_attribute(w, yyjson_doc_get_root(doc), "operation_id");
    json_kv_int(w, "duration_ms", metric->duration_us / 1000);
    json_kv_bool(w, "success", metric->success);
    json_kv_text(w, "error_message", metric->description);
    json_object(w, "metadata", metric->properties);
    json_time(w, "timestamp", metric->created_us);
    json_end_object(w);
    yyjson_doc_free(doc);
}

/* A metric whose operation_id is the id of a logged query tells of that same query. */
static enum status link_to_query(struct request *request, const struct caller *caller,
                                 struct record *metric)
{
    struct record query;
    struct str id = request_str(request, "operation_id");
    if (!id.len || id.len > UUID_TEXT_LEN || !str_is(metric->name, "search"))
        return STATUS_OK;
    enum status status = entry_get(catalog_of(request), caller, DOMAIN_EVENT, id, request->arena,
                                   &query, &request->error);
    if (status == STATUS_OK && str_is(query.kind, "query") && str_eq(query.object, metric->object))
        metric->namespace = STR("query");
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status metric_logs_add(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record collection, metric = {.domain = DOMAIN_EVENT,
                                        .kind = STR("performance"),
                                        .name = request_str(request, "operation_type"),
                                        .description = request_str(request, "error_message"),
                                        .success = request_bool(request, "success"),
                                        .duration_us = request_int(request, "duration_ms") * 1000};
    struct buf buf;
    struct json_writer w;
    bool on = true;
    TRY(check_duration(request));
    TRY(collection_of_field(request, &caller, RIGHT_READ, &collection));
    TRY(is_on(request, &caller, "enable_performance_monitoring", &on));
    if (!on)
        return respond_off(request, "enable_performance_monitoring");
    metric.object = collection.id;
    TRY(properties_from(request, "metadata", &metric));
    attributes_begin(&buf, &w);
    attribute_text(&w, request, "operation_id");
    json_end_object(&w);
    TRY(attributes_end(request, &buf, &metric.attributes));
    TRY(link_to_query(request, &caller, &metric));
    TRY(event_append(catalog_of(request), &caller, &metric, 1, request->arena, &request->error));
    return respond_row(request, 201, write_metric, &metric);
}

enum status metric_logs_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str collection;
    TRY(may_read_logs(request, &caller, &collection));
    const struct log_filter filters[FILTERS_MAX] = {{RECORD_kind, STR("performance")},
                                                    {RECORD_object, collection}};
    return list_logs(request, filters, "performance_metrics", write_metric);
}

static void write_stats(struct json_writer *w, const struct performance_stats *stats)
{
    json_begin_object(w);
    json_kv_str(w, "operation_type", stats->operation_type);
    json_kv_int(w, "total_operations", stats->total);
    json_kv_double(w, "avg_duration_ms", (double)stats->sum_us / 1000 / (double)stats->total);
    json_kv_double(w, "min_duration_ms", (double)stats->min_us / 1000);
    json_kv_double(w, "max_duration_ms", (double)stats->max_us / 1000);
    json_kv_double(w, "p50_duration_ms", (double)stats->p50_us / 1000);
    json_kv_double(w, "p95_duration_ms", (double)stats->p95_us / 1000);
    json_kv_double(w, "p99_duration_ms", (double)stats->p99_us / 1000);
    json_kv_int(w, "successful_operations", stats->successful);
    json_kv_int(w, "failed_operations", stats->total - stats->successful);
    json_end_object(w);
}

enum status performance_stats_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct performance_stats *rows = NULL;
    struct record collection = {0};
    uint32_t len = 0;
    struct buf buf;
    struct json_writer w;
    int64_t since_us = sys_now_us(service_of(request)->sys) -
                       request_int(request, "days") * 86400 * INT64_C(1000000);
    if (request_has(request, "collection_id"))
        TRY(collection_of_field(request, &caller, RIGHT_READ, &collection));
    else
        TRY(may_read_logs(request, &caller, &collection.id));
    TRY(performance_stats(catalog_of(request), &caller, collection.id, since_us, request->arena,
                          &rows, &len, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_keyz(&w, "operations");
    json_begin_array(&w);
    for (uint32_t i = 0; i < len; i++)
        write_stats(&w, &rows[i]);
    json_end_array(&w);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* --- the audit log --- */

/* A row of audit_logs. */
static void write_audit(struct json_writer *w, const struct record *event)
{
    yyjson_doc *doc = yyjson_read(event->attributes.data, event->attributes.len, 0);
    yyjson_val *attributes = yyjson_doc_get_root(doc);
    json_begin_object(w);
    json_kv_str(w, "id", event->id);
    json_kv_text(w, "user_id", event->subject);
    json_kv_str(w, "action", event->name);
    json_kv_text(w, "resource_type", event->namespace);
    json_kv_text(w, "resource_id", event->object);
    json_attribute(w, attributes, "details");
    json_kv_text(w, "ip_address", event->location);
    json_attribute(w, attributes, "user_agent");
    json_attribute(w, attributes, "reported_by");
    json_kv_bool(w, "success", event->success);
    json_time(w, "timestamp", event->created_us);
    json_end_object(w);
    yyjson_doc_free(doc);
}

enum status audit_add(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record event = {.domain = DOMAIN_EVENT,
                           .kind = STR("audit"),
                           .name = request_str(request, "action"),
                           .namespace = request_str(request, "resource_type"),
                           .subject = request_str(request, "user_id"),
                           .object = request_str(request, "resource_id"),
                           .location = request_str(request, "ip_address"),
                           .success = true};
    struct buf buf;
    struct json_writer w;
    bool on = true;
    if (!event.name.len)
        return bad_field(request, "action", "must not be empty");
    if (!event.namespace.len)
        return bad_field(request, "resource_type", "must not be empty");
    TRY(is_on(request, &caller, "enable_audit_logging", &on));
    if (!on)
        return respond_off(request, "enable_audit_logging");
    attributes_begin(&buf, &w);
    attribute_text(&w, request, "user_agent");
    attribute_json(&w, request, "details");
    json_kv_str(&w, "reported_by", caller.principal); /* none of Quarry's own events has it */
    json_end_object(&w);
    TRY(attributes_end(request, &buf, &event.attributes));
    TRY(event_append(catalog_of(request), &caller, &event, 1, request->arena, &request->error));
    return respond_row(request, 201, write_audit, &event);
}

enum status audit_rows(struct request *request)
{
    const struct log_filter filters[FILTERS_MAX] = {
        {RECORD_kind, STR("audit")},
        {RECORD_subject, request_str(request, "user_id")},
        {RECORD_name, request_str(request, "action")},
        {RECORD_namespace, request_str(request, "resource_type")}};
    return list_logs(request, filters, "audit_logs", write_audit);
}

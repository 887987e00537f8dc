/* logs.c: query logs, metrics, audit, settings. */
#include "client_int.h"

enum { LOGS_USUAL = 100 };

static int64_t rows_of(int64_t limit)
{
    return limit > 0 ? limit : LOGS_USUAL;
}

static void put_count(struct message *m, const char *name, int64_t value)
{
    if (value)
        message_put_int(m, name, value);
}

enum quarry_status quarry_log_query(struct quarry *client, const struct quarry_query_log *query,
                                    struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/query-logs");
    message_put_text(&m, "user_id", query->user_id);
    message_put_text(&m, "collection_id", query->collection);
    message_put_text(&m, "query_type", query->query_type);
    message_put_int(&m, "duration_ms", query->duration_ms);
    message_put_bool(&m, "success", !query->failed);
    put_count(&m, "top_k", query->top_k);
    put_count(&m, "query_vector_dimension", query->query_vector_dimension);
    if (query->result_count >= 0)
        message_put_int(&m, "result_count", query->result_count);
    message_put_json(&m, "search_params", query->search_params_json);
    message_put_text(&m, "error_message", query->error_message);
    message_put_bool(&m, "with_metric", query->with_metric);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_log_vector_search(struct quarry *client,
                                            const struct quarry_query_log *query,
                                            struct quarry_answer **answer,
                                            struct quarry_error *error)
{
    struct quarry_query_log log = *query;
    log.query_type = "vector_search";
    log.with_metric = true;
    return quarry_log_query(client, &log, answer, error);
}

enum quarry_status quarry_query_logs(struct quarry *client, const char *collection,
                                     const char *user_id, int64_t limit,
                                     struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/query-logs");
    message_query(&m, "collection_id", collection);
    message_query(&m, "user_id", user_id);
    return message_send_pages(client, &m, "query_logs", rows_of(limit), answer, error);
}

enum quarry_status quarry_log_metric(struct quarry *client, const struct quarry_metric *metric,
                                     struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/performance-metrics");
    message_put_text(&m, "collection_id", metric->collection);
    message_put_text(&m, "operation_type", metric->operation_type);
    message_put_int(&m, "duration_ms", metric->duration_ms);
    message_put_bool(&m, "success", !metric->failed);
    message_put_text(&m, "operation_id", metric->operation_id);
    message_put_text(&m, "error_message", metric->error_message);
    message_put_json(&m, "metadata", metric->metadata_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_performance_stats(struct quarry *client, const char *collection, int days,
                                            struct quarry_answer **answer,
                                            struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/performance-stats");
    message_query(&m, "collection_id", collection);
    message_query_int(&m, "days", days ? days : 7);
    return message_send(client, &m, "/operations", answer, error);
}

enum quarry_status quarry_log_audit(struct quarry *client, const struct quarry_audit *event,
                                    struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/audit-logs");
    message_put_text(&m, "user_id", event->user_id);
    message_put_text(&m, "action", event->action);
    message_put_text(&m, "resource_type", event->resource_type);
    message_put_text(&m, "resource_id", event->resource_id);
    message_put_json(&m, "details", event->details_json);
    message_put_text(&m, "ip_address", event->ip_address);
    message_put_text(&m, "user_agent", event->user_agent);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_audit_logs(struct quarry *client, const char *user_id, const char *action,
                                     const char *resource_type, int64_t limit,
                                     struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/audit-logs");
    message_query(&m, "user_id", user_id);
    message_query(&m, "action", action);
    message_query(&m, "resource_type", resource_type);
    return message_send_pages(client, &m, "audit_logs", rows_of(limit), answer, error);
}

/* --- settings --- */

enum quarry_status quarry_get_config(struct quarry *client, const char *key,
                                     struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/config/%s", key);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_config(struct quarry *client, struct quarry_answer **answer,
                                      struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/config");
    return message_send_pages(client, &m, "config", 0, answer, error);
}

enum quarry_status quarry_set_config(struct quarry *client, const char *key, const char *value,
                                     const char *type, const char *description, bool encrypted,
                                     struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "PUT", "/config/%s", key);
    message_need(&m, "a setting needs a value", value);
    message_put_text(&m, "value", value);
    message_put_text(&m, "type", type ? type : "string");
    message_put_text(&m, "description", description);
    if (encrypted)
        message_put_bool(&m, "is_encrypted", true);
    return message_send(client, &m, NULL, answer, error);
}

/* collections.c: users, collections with their partitions, indexes, ingestions and permissions. */
#include "client_int.h"

/* --- users --- */

enum quarry_status quarry_create_user(struct quarry *client, const char *username,
                                      const char *email, const char *password_hash,
                                      const char *role, struct quarry_answer **answer,
                                      struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/users");
    message_put_text(&m, "username", username);
    message_put_text(&m, "email", email);
    message_put_text(&m, "password_hash", password_hash);
    message_put_text(&m, "role", role);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_get_user(struct quarry *client, const char *id_or_name,
                                   struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/users/%s", id_or_name);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_users(struct quarry *client, struct quarry_answer **answer,
                                     struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/users");
    return message_send_pages(client, &m, "users", 0, answer, error);
}

enum quarry_status quarry_update_user_last_login(struct quarry *client, const char *id_or_name,
                                                 struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/users/%s/last-login", id_or_name);
    return message_send(client, &m, NULL, NULL, error);
}

/* --- collections --- */

enum quarry_status quarry_create_collection(struct quarry *client,
                                            const struct quarry_collection *collection,
                                            struct quarry_answer **answer,
                                            struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/collections");
    message_put_text(&m, "collection_name", collection->name);
    message_put_int(&m, "dimension", collection->dimension);
    message_put_text(&m, "metric_type", collection->metric_type);
    message_put_text(&m, "description", collection->description);
    message_put_text(&m, "created_by", collection->created_by);
    message_put_text(&m, "index_type", collection->index_type);
    message_put_text(&m, "partition_key", collection->partition_key);
    message_put_json(&m, "metadata", collection->metadata_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_get_collection(struct quarry *client, const char *collection,
                                         struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/collections/%s", collection);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_collections(struct quarry *client, const char *status,
                                           struct quarry_answer **answer,
                                           struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/collections");
    message_query(&m, "status", status ? status : "active");
    return message_send_pages(client, &m, "collections", 0, answer, error);
}

enum quarry_status quarry_update_collection(struct quarry *client, const char *collection,
                                            const struct quarry_collection_change *change,
                                            struct quarry_answer **answer,
                                            struct quarry_error *error)
{
    struct message m;
    message_init(&m, "PATCH", "/collections/%s", collection);
    message_put_text(&m, "description", change->description);
    message_put_text(&m, "index_type", change->index_type);
    message_put_text(&m, "partition_key", change->partition_key);
    message_put_text(&m, "status", change->status);
    message_put_text(&m, "reason", change->reason);
    message_put_json(&m, "metadata", change->metadata_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_delete_collection(struct quarry *client, const char *collection,
                                            struct quarry_error *error)
{
    struct message m;
    message_init(&m, "DELETE", "/collections/%s", collection);
    return message_send(client, &m, NULL, NULL, error);
}

enum quarry_status quarry_collection_stats(struct quarry *client, const char *collection,
                                           struct quarry_answer **answer,
                                           struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/collection-stats");
    message_query(&m, "collection_id", collection);
    return message_send_pages(client, &m, "collections", 0, answer, error);
}

/* --- partitions, indexes --- */

enum quarry_status quarry_create_partition(struct quarry *client, const char *collection,
                                           const char *name, const char *description,
                                           struct quarry_answer **answer,
                                           struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/collections/%s/partitions", collection);
    message_put_text(&m, "partition_name", name);
    message_put_text(&m, "description", description);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_partitions(struct quarry *client, const char *collection,
                                          struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/collections/%s/partitions", collection);
    return message_send_pages(client, &m, "partitions", 0, answer, error);
}

enum quarry_status quarry_delete_partition(struct quarry *client, const char *collection,
                                           const char *name, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "DELETE", "/collections/%s/partitions/%s", collection, name);
    return message_send(client, &m, NULL, NULL, error);
}

enum quarry_status quarry_create_index(struct quarry *client, const char *collection,
                                       const char *name, const char *index_type,
                                       const char *params_json, struct quarry_answer **answer,
                                       struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/collections/%s/indexes", collection);
    message_put_text(&m, "index_name", name);
    message_put_text(&m, "index_type", index_type);
    message_put_json(&m, "index_params", params_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_update_index(struct quarry *client, const char *collection,
                                       const char *name, const char *status, int progress,
                                       const char *error_message, struct quarry_answer **answer,
                                       struct quarry_error *error)
{
    struct message m;
    message_init(&m, "PATCH", "/collections/%s/indexes/%s", collection, name);
    message_put_text(&m, "status", status);
    if (progress >= 0)
        message_put_int(&m, "progress_percentage", progress);
    message_put_text(&m, "error_message", error_message);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_indexes(struct quarry *client, const char *collection,
                                       struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/collections/%s/indexes", collection);
    return message_send_pages(client, &m, "indexes", 0, answer, error);
}

enum quarry_status quarry_delete_index(struct quarry *client, const char *collection,
                                       const char *name, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "DELETE", "/collections/%s/indexes/%s", collection, name);
    return message_send(client, &m, NULL, NULL, error);
}

/* --- ingestion --- */

enum quarry_status quarry_start_ingestion(struct quarry *client, const char *collection,
                                          const struct quarry_ingestion *run,
                                          struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/collections/%s/ingestions", collection);
    message_put_int(&m, "records_count", run->records_count);
    if (run->file_size_bytes)
        message_put_int(&m, "file_size_bytes", run->file_size_bytes);
    message_put_text(&m, "user_id", run->user_id);
    message_put_text(&m, "batch_id", run->batch_id);
    message_put_text(&m, "source_type", run->source_type);
    message_put_text(&m, "status", run->status ? run->status : "processing");
    message_put_json(&m, "metadata", run->metadata_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_finish_ingestion(struct quarry *client, const char *collection,
                                           const char *id, int64_t records_count,
                                           const char *error_message, struct quarry_answer **answer,
                                           struct quarry_error *error)
{
    struct message m;
    message_init(&m, "PATCH", "/collections/%s/ingestions/%s", collection, id);
    message_put_text(&m, "status", error_message ? "failed" : "completed");
    message_put_int(&m, "records_count", records_count);
    message_put_text(&m, "error_message", error_message);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_list_ingestions(struct quarry *client, const char *collection,
                                          const char *status, struct quarry_answer **answer,
                                          struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/collections/%s/ingestions", collection);
    message_query(&m, "status", status);
    return message_send_pages(client, &m, "ingestions", 0, answer, error);
}

/* --- permissions --- */

enum quarry_status quarry_grant_permission(struct quarry *client, const char *user_id,
                                           const char *collection, const char *permission,
                                           const char *granted_by, const char *expires_at,
                                           struct quarry_answer **answer,
                                           struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/collections/%s/permissions", collection);
    message_put_text(&m, "user_id", user_id);
    message_put_text(&m, "permission_type", permission);
    message_put_text(&m, "granted_by", granted_by);
    message_put_text(&m, "expires_at", expires_at);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_check_permission(struct quarry *client, const char *user_id,
                                           const char *collection, const char *permission,
                                           bool *allowed, struct quarry_error *error)
{
    struct message m;
    struct quarry_answer *answer = NULL;
    message_init(&m, "GET", "/collections/%s/permissions/check", collection);
    message_query(&m, "user_id", user_id);
    message_query(&m, "permission_type", permission);
    enum quarry_status status = message_send(client, &m, NULL, &answer, error);
    *allowed = quarry_bool(answer, "/allowed");
    quarry_answer_free(answer);
    return status;
}

enum quarry_status quarry_revoke_permission(struct quarry *client, const char *user_id,
                                            const char *collection, const char *permission,
                                            struct quarry_error *error)
{
    struct message m;
    message_init(&m, "DELETE", "/collections/%s/permissions", collection);
    message_query(&m, "user_id", user_id);
    message_query(&m, "permission_type", permission);
    return message_send(client, &m, NULL, NULL, error);
}

enum quarry_status quarry_list_permissions(struct quarry *client, const char *collection,
                                           struct quarry_answer **answer,
                                           struct quarry_error *error)
{
    struct message m;
    message_init(&m, "GET", "/collections/%s/permissions", collection);
    return message_send(client, &m, "/permissions", answer, error);
}

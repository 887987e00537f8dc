/* quarry.h: libquarry, the C client of Quarry over HTTP.
 *
 *   struct quarry *client;
 *   struct quarry_answer *answer;
 *   struct quarry_error error;
 *   if (quarry_open(NULL, &client, &error) != QUARRY_OK) ...
 *   struct quarry_collection docs = {.name = "docs", .dimension = 768, .metric_type = "COSINE"};
 *   if (quarry_create_collection(client, &docs, &answer, &error) == QUARRY_OK)
 *       printf("%s\n", quarry_text(answer, "/id"));
 *   quarry_answer_free(answer);
 *   quarry_close(client);
 *
 * Arguments. Texts are UTF-8, NUL-ended, and only read during the call. NULL means "not given"
 * wherever a text is not said to be needed; so do 0 for counts and times, and a struct's members
 * that are left out. Members ending in `_json` are JSON texts.
 *
 * Answers. Every call that has an answer takes `struct quarry_answer **`; NULL there drops it. What
 * is stored there belongs to the caller: quarry_answer_free. On failure NULL is stored. Texts that
 * accessors give live as long as the answer. Rows have the columns that the REST operations name
 * (GET /openapi.json of the service).
 *
 * Errors. Calls return QUARRY_OK or what went wrong, and fill *error, which may be NULL. A call
 * that ended with QUARRY_UNREACHABLE or QUARRY_TIMEOUT may have been carried out; reads may be
 * repeated, writes with a `write_id` too.
 *
 * Threads. A client may be shared by threads; it has one connection, so its calls run one after the
 * other. Different clients and answers are independent. Answers are read-only once made. The
 * library has no global state beside libcurl's own, which quarry_open initialises; a program whose
 * other threads start before that should call curl_global_init itself.
 *
 * Link with -lquarry; the static library needs -lcurl -lxxhash -lpthread too. */
#ifndef QUARRY_H
#define QUARRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QUARRY_API __attribute__((visibility("default")))

#define QUARRY_CLIENT_VERSION 1 /* of this header; it only grows */

struct quarry;
struct quarry_answer;

enum quarry_status {
    QUARRY_OK = 0,
    QUARRY_BAD_ARGUMENT,    /* found by the library or by the server (400, 422) */
    QUARRY_UNAUTHENTICATED, /* 401 */
    QUARRY_FORBIDDEN,       /* 403 */
    QUARRY_NOT_FOUND,       /* 404 */
    QUARRY_CONFLICT,        /* 409, 412 */
    QUARRY_REFUSED,         /* any other answer below 500 */
    QUARRY_SERVER_FAILED,   /* 500 and above */
    QUARRY_UNREACHABLE,     /* no connection, or it broke */
    QUARRY_TIMEOUT,
    QUARRY_BAD_ANSWER, /* not JSON, or not what the operation answers */
    QUARRY_NO_MEMORY
};

struct quarry_error {
    enum quarry_status status;
    int http_status;     /* 0: no answer came */
    char code[64];       /* the server's word for it: "not_found", ... */
    char message[512];   /* one sentence for people */
    char request_id[64]; /* finds the request in the server's logs */
};

/* "ok", "not found", ... */
QUARRY_API const char *quarry_status_text(enum quarry_status status);

/* --- clients --- */

struct quarry_options {
    const char *catalog_url; /* NULL: QUARRY_URL, else QUARRY_HOST and QUARRY_PORT, else
                              * http://127.0.0.1:8083 */
    const char *tenant_url;  /* for data; NULL: QUARRY_TENANT_URL, else http://127.0.0.1:8000 */
    const char *token;       /* bearer token; NULL: QUARRY_TOKEN, else none */
    const char *ca_file;     /* PEM of trusted certificates; NULL: the system's */
    int timeout_ms;          /* of one call; 0: 30 s */
};

/* Connects on the first call only. `options` NULL: all from the environment. */
QUARRY_API enum quarry_status quarry_open(const struct quarry_options *options,
                                          struct quarry **client, struct quarry_error *error);
QUARRY_API void quarry_close(struct quarry *client); /* NULL is fine */

enum quarry_service { QUARRY_CATALOG, QUARRY_TENANT };

/* Any operation: `path` with its query, encoded; `body_json` NULL: none. */
QUARRY_API enum quarry_status quarry_call(struct quarry *client, enum quarry_service service,
                                          const char *method, const char *path,
                                          const char *body_json, struct quarry_answer **answer,
                                          struct quarry_error *error);

/* --- answers --- */

/* Lists of rows (quarry_list_...) are one array: row 3's id is "/3/id". `pointer` is a JSON pointer
 * (RFC 6901); "" is the whole answer. Accessors never fail: what is missing, or of another type,
 * gives NULL, the fallback, or 0. `answer` may be NULL. */
QUARRY_API const char *quarry_json(const struct quarry_answer *answer); /* the text, "" for none */
QUARRY_API const char *quarry_text(const struct quarry_answer *answer, const char *pointer);
QUARRY_API int64_t quarry_int(const struct quarry_answer *answer, const char *pointer,
                              int64_t fallback);
QUARRY_API double quarry_number(const struct quarry_answer *answer, const char *pointer,
                                double fallback);
QUARRY_API bool quarry_bool(const struct quarry_answer *answer, const char *pointer);
QUARRY_API bool quarry_has(const struct quarry_answer *answer, const char *pointer); /* not null */
/* Entries of an array, members of an object. */
QUARRY_API size_t quarry_count(const struct quarry_answer *answer, const char *pointer);
QUARRY_API void quarry_answer_free(struct quarry_answer *answer); /* NULL is fine */

/* --- rows: writing and searching (the tenant node) --- */

struct quarry_write {
    const char *source_id;    /* needed */
    const char *records_json; /* needed: array of objects, column name to value */
    const char *write_id;     /* a write repeated with the same one is stored once */
    bool upsert;              /* in place of records with the same keys */
};
QUARRY_API enum quarry_status quarry_write(struct quarry *client, const struct quarry_write *write,
                                           struct quarry_answer **answer,
                                           struct quarry_error *error);

struct quarry_search {
    const char *source_id;    /* NULL: all sources */
    const char *filters_json; /* {"column": {"eq": value, ...}} */
    const char *columns_json; /* ["column", ...]; NULL: all */
    int64_t limit, offset;    /* limit 0: no limit */
};
/* One object for each source: source_id, records, total_rows, has_more. */
QUARRY_API enum quarry_status quarry_search(struct quarry *client,
                                            const struct quarry_search *search,
                                            struct quarry_answer **answer,
                                            struct quarry_error *error);
/* `sql` as of POST /query/sql; parameters_json NULL or an array. */
QUARRY_API enum quarry_status quarry_sql(struct quarry *client, const char *sql,
                                         const char *parameters_json, struct quarry_answer **answer,
                                         struct quarry_error *error);

/* --- users --- */

QUARRY_API enum quarry_status quarry_create_user(struct quarry *client, const char *username,
                                                 const char *email, const char *password_hash,
                                                 const char *role, struct quarry_answer **answer,
                                                 struct quarry_error *error);
QUARRY_API enum quarry_status quarry_get_user(struct quarry *client, const char *id_or_name,
                                              struct quarry_answer **answer,
                                              struct quarry_error *error);
QUARRY_API enum quarry_status
quarry_list_users(struct quarry *client, struct quarry_answer **answer, struct quarry_error *error);
QUARRY_API enum quarry_status quarry_update_user_last_login(struct quarry *client,
                                                            const char *id_or_name,
                                                            struct quarry_error *error);

/* --- collections: `collection` is an id or a name --- */

struct quarry_collection {
    const char *name;        /* needed */
    int dimension;           /* needed */
    const char *metric_type; /* needed: COSINE, L2, IP, ... */
    const char *description, *created_by, *index_type, *partition_key, *metadata_json;
};
QUARRY_API enum quarry_status quarry_create_collection(struct quarry *client,
                                                       const struct quarry_collection *collection,
                                                       struct quarry_answer **answer,
                                                       struct quarry_error *error);
QUARRY_API enum quarry_status quarry_get_collection(struct quarry *client, const char *collection,
                                                    struct quarry_answer **answer,
                                                    struct quarry_error *error);
/* Newest first; `status` NULL: active. */
QUARRY_API enum quarry_status quarry_list_collections(struct quarry *client, const char *status,
                                                      struct quarry_answer **answer,
                                                      struct quarry_error *error);
struct quarry_collection_change {
    const char *description, *index_type, *partition_key, *status, *reason, *metadata_json;
};
QUARRY_API enum quarry_status
quarry_update_collection(struct quarry *client, const char *collection,
                         const struct quarry_collection_change *change,
                         struct quarry_answer **answer, struct quarry_error *error);
QUARRY_API enum quarry_status
quarry_delete_collection(struct quarry *client, const char *collection, struct quarry_error *error);
QUARRY_API enum quarry_status quarry_collection_stats(struct quarry *client,
                                                      const char *collection, /* NULL: all */
                                                      struct quarry_answer **answer,
                                                      struct quarry_error *error);

QUARRY_API enum quarry_status quarry_create_partition(struct quarry *client, const char *collection,
                                                      const char *name, const char *description,
                                                      struct quarry_answer **answer,
                                                      struct quarry_error *error);
QUARRY_API enum quarry_status quarry_list_partitions(struct quarry *client, const char *collection,
                                                     struct quarry_answer **answer,
                                                     struct quarry_error *error);
QUARRY_API enum quarry_status quarry_delete_partition(struct quarry *client, const char *collection,
                                                      const char *name, struct quarry_error *error);

QUARRY_API enum quarry_status quarry_create_index(struct quarry *client, const char *collection,
                                                  const char *name, const char *index_type,
                                                  const char *params_json,
                                                  struct quarry_answer **answer,
                                                  struct quarry_error *error);
/* `progress` -1: as it is. */
QUARRY_API enum quarry_status quarry_update_index(struct quarry *client, const char *collection,
                                                  const char *name, const char *status,
                                                  int progress, const char *error_message,
                                                  struct quarry_answer **answer,
                                                  struct quarry_error *error);
QUARRY_API enum quarry_status quarry_list_indexes(struct quarry *client, const char *collection,
                                                  struct quarry_answer **answer,
                                                  struct quarry_error *error);
QUARRY_API enum quarry_status quarry_delete_index(struct quarry *client, const char *collection,
                                                  const char *name, struct quarry_error *error);

struct quarry_ingestion {
    int64_t records_count, file_size_bytes;
    const char *user_id, *batch_id, *source_type, *status, *metadata_json;
};
QUARRY_API enum quarry_status quarry_start_ingestion(struct quarry *client, const char *collection,
                                                     const struct quarry_ingestion *run,
                                                     struct quarry_answer **answer,
                                                     struct quarry_error *error);
/* Completed, or failed when there is an error message. */
QUARRY_API enum quarry_status quarry_finish_ingestion(struct quarry *client, const char *collection,
                                                      const char *id, int64_t records_count,
                                                      const char *error_message,
                                                      struct quarry_answer **answer,
                                                      struct quarry_error *error);
QUARRY_API enum quarry_status quarry_list_ingestions(struct quarry *client, const char *collection,
                                                     const char *status,
                                                     struct quarry_answer **answer,
                                                     struct quarry_error *error);

/* --- permissions: "read", "write", "admin"; admin includes write, write includes read --- */

QUARRY_API enum quarry_status
quarry_grant_permission(struct quarry *client, const char *user_id, const char *collection,
                        const char *permission, const char *granted_by,
                        const char *expires_at, /* ISO 8601 */
                        struct quarry_answer **answer, struct quarry_error *error);
QUARRY_API enum quarry_status quarry_check_permission(struct quarry *client, const char *user_id,
                                                      const char *collection,
                                                      const char *permission, bool *allowed,
                                                      struct quarry_error *error);
QUARRY_API enum quarry_status quarry_revoke_permission(struct quarry *client, const char *user_id,
                                                       const char *collection,
                                                       const char *permission,
                                                       struct quarry_error *error);
QUARRY_API enum quarry_status quarry_list_permissions(struct quarry *client, const char *collection,
                                                      struct quarry_answer **answer,
                                                      struct quarry_error *error);

/* --- logs --- */

struct quarry_query_log {
    const char *user_id, *collection; /* collection is needed */
    const char *query_type;           /* needed: vector_search, scalar_search, hybrid_search */
    int64_t duration_ms;
    bool failed;
    int64_t top_k, query_vector_dimension;
    int64_t result_count; /* -1: not known */
    const char *search_params_json, *error_message;
    bool with_metric; /* also a performance metric, in one commit: it counts once */
};
QUARRY_API enum quarry_status quarry_log_query(struct quarry *client,
                                               const struct quarry_query_log *query,
                                               struct quarry_answer **answer,
                                               struct quarry_error *error);
/* What the helper of the seed does: a vector_search with its metric. */
QUARRY_API enum quarry_status quarry_log_vector_search(struct quarry *client,
                                                       const struct quarry_query_log *query,
                                                       struct quarry_answer **answer,
                                                       struct quarry_error *error);
/* `limit` 0: 100. */
QUARRY_API enum quarry_status quarry_query_logs(struct quarry *client, const char *collection,
                                                const char *user_id, int64_t limit,
                                                struct quarry_answer **answer,
                                                struct quarry_error *error);

struct quarry_metric {
    const char *collection;     /* needed */
    const char *operation_type; /* needed: search, insert, delete, update */
    int64_t duration_ms;
    bool failed;
    const char *operation_id, *error_message, *metadata_json;
};
QUARRY_API enum quarry_status quarry_log_metric(struct quarry *client,
                                                const struct quarry_metric *metric,
                                                struct quarry_answer **answer,
                                                struct quarry_error *error);
/* One row for each operation type; days 0: 7. */
QUARRY_API enum quarry_status quarry_performance_stats(struct quarry *client,
                                                       const char *collection, int days,
                                                       struct quarry_answer **answer,
                                                       struct quarry_error *error);

struct quarry_audit {
    const char *user_id;
    const char *action, *resource_type; /* needed */
    const char *resource_id, *details_json, *ip_address, *user_agent;
};
QUARRY_API enum quarry_status quarry_log_audit(struct quarry *client,
                                               const struct quarry_audit *event,
                                               struct quarry_answer **answer,
                                               struct quarry_error *error);
QUARRY_API enum quarry_status quarry_audit_logs(struct quarry *client, const char *user_id,
                                                const char *action, const char *resource_type,
                                                int64_t limit, struct quarry_answer **answer,
                                                struct quarry_error *error);

/* --- settings --- */

/* A row: value, type, is_encrypted, description. */
QUARRY_API enum quarry_status quarry_get_config(struct quarry *client, const char *key,
                                                struct quarry_answer **answer,
                                                struct quarry_error *error);
QUARRY_API enum quarry_status quarry_list_config(struct quarry *client,
                                                 struct quarry_answer **answer,
                                                 struct quarry_error *error);
/* `type` NULL: string. */
QUARRY_API enum quarry_status quarry_set_config(struct quarry *client, const char *key,
                                                const char *value, const char *type,
                                                const char *description, bool encrypted,
                                                struct quarry_answer **answer,
                                                struct quarry_error *error);

/* --- the registry: assets and nodes --- */

/* fields_json: an object with further fields (display_name, tags, properties, ...). */
QUARRY_API enum quarry_status quarry_create_asset(struct quarry *client, const char *kind,
                                                  const char *name, const char *fields_json,
                                                  struct quarry_answer **answer,
                                                  struct quarry_error *error);
QUARRY_API enum quarry_status quarry_get_asset(struct quarry *client, const char *id,
                                               struct quarry_answer **answer,
                                               struct quarry_error *error);
/* `filters`: pairs of name and value, ended by NULL: {"kind", "node", "owner", "ann", NULL}. */
QUARRY_API enum quarry_status quarry_list_assets(struct quarry *client, const char *const *filters,
                                                 struct quarry_answer **answer,
                                                 struct quarry_error *error);
QUARRY_API enum quarry_status quarry_update_asset(struct quarry *client, const char *id,
                                                  const char *fields_json,
                                                  struct quarry_answer **answer,
                                                  struct quarry_error *error);
/* `purge`: for good, else it can be brought back. */
QUARRY_API enum quarry_status quarry_delete_asset(struct quarry *client, const char *id, bool purge,
                                                  struct quarry_error *error);
/* `impact`: what rests on it, else what it rests on. depth 0: 8. */
QUARRY_API enum quarry_status quarry_lineage(struct quarry *client, const char *id, bool impact,
                                             int depth, struct quarry_answer **answer,
                                             struct quarry_error *error);
QUARRY_API enum quarry_status quarry_undelete_asset(struct quarry *client, const char *id,
                                                    struct quarry_answer **answer,
                                                    struct quarry_error *error);
/* `type`: "derived_from", "depends_on", ...; properties_json NULL: none. */
QUARRY_API enum quarry_status quarry_relate(struct quarry *client, const char *id,
                                            const char *target_id, const char *type,
                                            const char *properties_json,
                                            struct quarry_answer **answer,
                                            struct quarry_error *error);
QUARRY_API enum quarry_status quarry_list_relations(struct quarry *client, const char *id,
                                                    struct quarry_answer **answer,
                                                    struct quarry_error *error);
/* To draft, active, deprecated, archived; /issues of the answer: what a node's step lacked. */
QUARRY_API enum quarry_status quarry_move_asset(struct quarry *client, const char *id,
                                                const char *to, const char *reason,
                                                const char *deprecated_by,
                                                struct quarry_answer **answer,
                                                struct quarry_error *error);
/* Before a step: somebody else's approval, a notice that begins its period. */
QUARRY_API enum quarry_status quarry_approve(struct quarry *client, const char *id, const char *to,
                                             const char *comment, struct quarry_answer **answer,
                                             struct quarry_error *error);
QUARRY_API enum quarry_status quarry_announce(struct quarry *client, const char *id, const char *to,
                                              const char *reason, struct quarry_answer **answer,
                                              struct quarry_error *error);
QUARRY_API enum quarry_status quarry_list_approvals(struct quarry *client, const char *id,
                                                    struct quarry_answer **answer,
                                                    struct quarry_error *error);
QUARRY_API enum quarry_status quarry_withdraw_approval(struct quarry *client, const char *id,
                                                       const char *approval_id,
                                                       struct quarry_error *error);
/* One of the tenant's logs ("audit", "query", "performance", "ingestion"), oldest first, for its
 * admins; limit 0: all. */
QUARRY_API enum quarry_status quarry_list_events(struct quarry *client, const char *kind,
                                                 int64_t limit, struct quarry_answer **answer,
                                                 struct quarry_error *error);
/* `block_json`: a metadata block as an object. */
QUARRY_API enum quarry_status quarry_register_node(struct quarry *client, const char *block_json,
                                                   struct quarry_answer **answer,
                                                   struct quarry_error *error);
/* `version` NULL: latest; a range is fine. */
QUARRY_API enum quarry_status quarry_get_node(struct quarry *client, const char *name_space,
                                              const char *name, const char *version,
                                              struct quarry_answer **answer,
                                              struct quarry_error *error);
QUARRY_API enum quarry_status quarry_list_nodes(struct quarry *client, const char *const *filters,
                                                struct quarry_answer **answer,
                                                struct quarry_error *error);
/* One call: /complete, and /next_cursor to go on with. options_json: an object with policy,
 * namespace, deletions, cursor, ...; NULL: none. */
QUARRY_API enum quarry_status quarry_pull_nodes(struct quarry *client, const char *url,
                                                const char *options_json,
                                                struct quarry_answer **answer,
                                                struct quarry_error *error);
/* needs_json: ["namespace/name@range", ...] */
QUARRY_API enum quarry_status quarry_resolve(struct quarry *client, const char *needs_json,
                                             struct quarry_answer **answer,
                                             struct quarry_error *error);
/* Ranked full text; further parameters as filters. */
QUARRY_API enum quarry_status quarry_search_assets(struct quarry *client, const char *words,
                                                   const char *const *filters,
                                                   struct quarry_answer **answer,
                                                   struct quarry_error *error);

#ifdef __cplusplus
}
#endif
#endif

/* catalog_int.h: what the handlers of the catalog service share. */
#ifndef QUARRY_SERVICES_CATALOG_INT_H
#define QUARRY_SERVICES_CATALOG_INT_H

#include <pthread.h>

#include "auth/seal.h"
#include "services/catalog/catalog.h"
#include "sys/thread.h"

enum { NODE_URL_MAX = 300, ANSWER_MAX = 256 << 20 };

/* upkeep.c: the thread that lets old logs and journals go */
struct upkeep {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    struct thread thread;
};

struct catalog_service {
    struct catalog_service_options options;
    struct sys *sys;
    struct catalog *catalog;
    struct service *service;
    pthread_mutex_t lock;
    char node_url[NODE_URL_MAX]; /* with the lock; "": not known yet */
    struct seal_key config_key;  /* with the lock, once it is loaded */
    bool has_config_key;
    struct upkeep upkeep;
    const struct log *log;
};

enum status upkeep_start(struct catalog_service *service, struct error *err);
void upkeep_stop(struct catalog_service *service);

static inline struct catalog_service *service_of(struct request *request)
{
    return request->context;
}

static inline struct catalog *catalog_of(struct request *request)
{
    return service_of(request)->catalog;
}

/* --- backend_state.c: the back end in /metrics and /health --- */
void backend_state_collect(void *context, struct metrics *metrics);
void backend_state_write(struct backend *backend, struct json_writer *details);

/* --- caller.c --- */
/* The one place where a request becomes a caller. */
struct caller caller_of(struct request *request);

/* --- reply.c --- */
/* A list with its parts cut at commas, in the request's arena; an empty text gives none. */
enum status strings_of(struct request *request, struct str text, const struct str **ret,
                       uint32_t *ret_len);
/* A body of the request as record text: member of the body, or data NULL. */
struct str object_of(struct request *request, const char *field, enum status *status);
void json_record(struct json_writer *w, const struct record *record);
/* The record as the answer, with its revision as ETag. */
enum status respond_record(struct request *request, int http_status, const struct record *record);
/* {NAME:[...],"next_cursor":..,"total":..} */
typedef void (*record_writer)(struct json_writer *w, const struct record *record);
enum status respond_page(struct request *request, const char *name, const struct record_page *page,
                         record_writer write);
/* {"success":true} */
enum status respond_done(struct request *request);
/* Answers with what `w` wrote into `buf` (taken). */
void writer_begin(struct buf *buf, struct json_writer *w);
enum status writer_respond(struct request *request, int http_status, struct buf *buf);
/* Takes the fields of the body over whose names are the record's own. */
enum status record_from_body(struct request *request, struct record *record);
void json_time(struct json_writer *w, const char *key, int64_t us);
void json_kv_text(struct json_writer *w, const char *key, struct str text); /* empty: null */
void json_list(struct json_writer *w, const char *key, const struct str_list *list);
void json_object(struct json_writer *w, const char *key, struct str json);

/* --- handlers, by file --- */
enum status assets_create(struct request *request);
enum status assets_list(struct request *request);
enum status assets_get(struct request *request);
enum status assets_update(struct request *request);
enum status assets_delete(struct request *request);
enum status assets_undelete(struct request *request);
enum status assets_lifecycle(struct request *request);
enum status assets_owner(struct request *request);
enum status assets_statistics(struct request *request);
enum status assets_history(struct request *request);
enum status assets_lineage(struct request *request);
/* access.c */
enum status relations_list(struct request *request);
enum status relations_add(struct request *request);
enum status relations_remove(struct request *request);
enum status grants_list(struct request *request);
enum status grants_add(struct request *request);
enum status grants_remove(struct request *request);
enum status grants_check(struct request *request);
/* graphs.c */
enum status graphs_list(struct request *request);
enum status graphs_create(struct request *request);
enum status graphs_get(struct request *request);
enum status graphs_update(struct request *request);
enum status graphs_delete(struct request *request);
enum status graphs_stats(struct request *request);
enum status graphs_history(struct request *request);
enum status registry_stats(struct request *request);
/* locations.c */
enum status locations_list(struct request *request);
enum status locations_create(struct request *request);
enum status locations_get(struct request *request);
enum status locations_update(struct request *request);
enum status locations_delete(struct request *request);
/* admin.c */
enum status principals_list(struct request *request);
enum status principals_create(struct request *request);
enum status principals_get(struct request *request);
enum status principals_update(struct request *request);
enum status principals_delete(struct request *request);
enum status config_list(struct request *request);
enum status config_get(struct request *request);
enum status config_set(struct request *request);
enum status config_delete(struct request *request);
enum status audit_list(struct request *request);
enum status events_list(struct request *request);
/* config_secret.c: values of settings that are stored encrypted */
bool config_is_secret(const struct record *config);
enum status config_seal(struct request *request, struct str value, struct record *config);
/* For admins only. */
enum status config_unseal(struct request *request, const struct caller *caller,
                          const struct record *config, struct str *ret);
/* sources.c */
struct http_reply;
/* The tenant node's answer to the caller's own token. */
enum status sources_ask_node(struct request *request, const char *method, const char *path,
                             struct str body, struct http_reply *reply);
/* Takes the node's sources over as assets. */
enum status sources_sync(struct request *request, const struct caller *caller);
/* Hides assets of that kind that the node's answer does not name any more. */
enum status sources_hide_gone(struct request *request, const struct caller *system, struct str kind,
                              yyjson_val *details);
/* views.c: the same for its views, after the sources. */
enum status views_take_over(struct request *request, const struct caller *system,
                            yyjson_val *details);
/* partitions.c */
enum status metadata_partitions(struct request *request);
enum status metadata_sources(struct request *request);
enum status metadata_stats(struct request *request);
enum status metadata_compact(struct request *request);
/* search.c */
/* Member "search": how the text index stands. */
void search_write_state(struct catalog_service *service, struct json_writer *w);
/* A ranked search in the caller's sight: fills tenant and visibility, waits a moment for what was
 * just written. */
enum status search_run(struct request *request, struct text_query *query, struct text_answer *ret);
enum status text_search(struct request *request);
/* nodes.c */
/* A value as text in the request's arena. */
enum status json_text_of(struct request *request, yyjson_val *value, struct str *ret);
enum status nodes_register(struct request *request);
enum status nodes_validate(struct request *request);
enum status nodes_list(struct request *request);
enum status nodes_versions(struct request *request);
enum status nodes_get(struct request *request);
enum status nodes_block(struct request *request);
enum status nodes_replace(struct request *request);
enum status nodes_delete(struct request *request);
enum status nodes_lifecycle(struct request *request);
/* nodes_resolve.c */
enum status nodes_resolve(struct request *request);
enum status nodes_compare(struct request *request);
/* backup.c */
enum status backup_control(struct request *request);
/* nodes_federation.c: nodes from elsewhere */
enum status nodes_import(struct request *request);
enum status nodes_pull(struct request *request);
/* approvals.c */
enum status approvals_add(struct request *request);
enum status notices_add(struct request *request);
enum status approvals_list(struct request *request);
enum status approvals_remove(struct request *request);
/* The asset, and as `issues` what its step was taken without (LACKS_APPROVAL, ...). */
enum status respond_moved(struct request *request, const struct record *asset, unsigned lacks);
enum status in_production(struct request *request, bool *ret);
/* STATUS_CONFLICT, LC007, when drafts are asked for in production. */
enum status check_drafts(struct request *request, bool drafts);

/* npm*.c: registry protocol of npm */
enum status npm_package(struct request *request);
enum status npm_manifest(struct request *request);
enum status npm_tarball(struct request *request);
enum status npm_publish(struct request *request);
enum status npm_tags_list(struct request *request);
enum status npm_tag_set(struct request *request);
enum status npm_tag_remove(struct request *request);
enum status npm_search(struct request *request);
enum status npm_ping(struct request *request);
enum status npm_whoami(struct request *request);
enum status npm_advisories(struct request *request);
enum status npm_user(struct request *request);
enum status npm_user_packages(struct request *request);
enum status npm_collaborators(struct request *request);
enum status npm_visibility(struct request *request);
enum status npm_access_set(struct request *request);
enum status npm_change(struct request *request);
enum status npm_remove(struct request *request);
enum status npm_tarball_remove(struct request *request);

#endif

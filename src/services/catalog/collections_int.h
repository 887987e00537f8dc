/* collections_int.h: what the handlers of vector collections share (contracts 3). */
#ifndef QUARRY_SERVICES_CATALOG_COLLECTIONS_INT_H
#define QUARRY_SERVICES_CATALOG_COLLECTIONS_INT_H

#include "catalog/collection.h"
#include "services/catalog/catalog_int.h"

/* The collection of the path, or of the field "collection_id", with the caller. */
enum status collection_of_path(struct request *request, const struct caller *caller,
                               enum right permission, struct record *ret);
enum status collection_of_field(struct request *request, const struct caller *caller,
                                enum right permission, struct record *ret);
/* Whose right was checked on the collection acts on its parts. */
struct caller acting(const struct caller *caller);

/* Attributes are written between the two. */
void attributes_begin(struct buf *buf, struct json_writer *w);
enum status attributes_end(struct request *request, struct buf *buf, struct str *ret);
/* Members of an object that was stored, as `name`; null when absent. `root` may be NULL. */
void json_attribute(struct json_writer *w, yyjson_val *root, const char *name);
/* Text, integer or object of the request, when it has it. */
void attribute_text(struct json_writer *w, const struct request *request, const char *name);
void attribute_int(struct json_writer *w, const struct request *request, const char *name);
void attribute_json(struct json_writer *w, const struct request *request, const char *name);
/* The field as the record's properties, when the request has it. */
enum status properties_from(struct request *request, const char *name, struct record *record);
enum status bad_field(struct request *request, const char *name, const char *what);
/* One record as the answer. */
enum status respond_row(struct request *request, int http_status, record_writer write,
                        const struct record *record);

/* collections.c */
enum status collections_create(struct request *request);
enum status collections_list(struct request *request);
enum status collections_get(struct request *request);
enum status collections_update(struct request *request);
enum status collections_delete(struct request *request);
enum status collections_stats(struct request *request);
/* collections_parts.c */
enum status partitions_create(struct request *request);
enum status partitions_list(struct request *request);
enum status partitions_delete(struct request *request);
enum status index_builds_create(struct request *request);
enum status index_builds_list(struct request *request);
enum status index_builds_update(struct request *request);
enum status index_builds_delete(struct request *request);
enum status ingestions_start(struct request *request);
enum status ingestions_list(struct request *request);
enum status ingestions_update(struct request *request);
/* collections_users.c */
enum status collection_grants_list(struct request *request);
enum status collection_grants_add(struct request *request);
enum status collection_grants_check(struct request *request);
enum status collection_grants_revoke(struct request *request);
enum status users_create(struct request *request);
enum status users_list(struct request *request);
enum status users_get(struct request *request);
enum status users_login(struct request *request);
/* collections_logs.c */
enum status query_logs_add(struct request *request);
enum status query_logs_list(struct request *request);
enum status metric_logs_add(struct request *request);
enum status metric_logs_list(struct request *request);
enum status performance_stats_get(struct request *request);
enum status audit_add(struct request *request);
enum status audit_rows(struct request *request);
enum status retention_apply(struct request *request);

#endif

/* nodes_federation_int.h: an import on its way, and the other catalog that it asks. */
#ifndef QUARRY_SERVICES_CATALOG_NODES_FEDERATION_INT_H
#define QUARRY_SERVICES_CATALOG_NODES_FEDERATION_INT_H

#include "catalog/node/federation.h"
#include "net/http_client.h"
#include "services/catalog/catalog_int.h"

struct job {
    struct request *request;
    struct caller caller;
    enum import_policy policy;
    bool dry, strict;
    struct str origin;
    int64_t counts[IMPORT_OUTCOMES];
    int64_t relations;    /* added */
    struct buf conflicts; /* array of what was neither added nor the same */
    struct json_writer w;
};

/* --- nodes_federation.c --- */
void job_begin(struct job *job, struct request *request);
/* Counts it; what was neither added nor the same is told with the reason. */
void job_note(struct job *job, const struct import_result *result, struct str origin);
enum status job_take(struct job *job, const struct node_offer *offer, struct str origin, bool dry);
void job_write_counts(struct job *job, struct json_writer *w);

/* --- nodes_pull.c --- */
struct other {
    struct http_client *client;
    struct str base;   /* URL without a slash at its end */
    struct str bearer; /* "Bearer ..."; empty: none */
};
/* A text as part of a URL. */
void url_part(struct buf *url, struct str value);
/* "&name=value", escaped; nothing when the value is empty. */
void url_parameter(struct buf *url, const char *name, struct str value);
/* STATUS_OK whatever the other answers; `path` begins with a slash. */
enum status other_get(struct job *job, const struct other *other, struct str path,
                      struct http_reply *reply);
/* JSON, which the caller frees. STATUS_NOT_FOUND: there is none. */
enum status other_json(struct job *job, const struct other *other, struct str path,
                       yyjson_doc **ret);

/* --- nodes_pull_more.c: what belongs to nodes --- */
/* Relations of the page's nodes to nodes that are here too. Those that are here stay. */
enum status pull_relations(struct job *job, const struct other *other, yyjson_val *nodes);
/* Nodes that came from there and are deleted there are deleted here. */
enum status pull_deletions(struct job *job, const struct other *other);

/* --- nodes_pull_npm.c --- */
/* A version of a package with its tarball. */
enum status pull_package(struct job *job, const struct other *other, yyjson_val *node, bool dry);

#endif

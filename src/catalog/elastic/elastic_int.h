/* elastic_int.h: what the parts of the Elasticsearch back end share.
 *
 * Indexes, with the prefix P:
 *   P-<domain>   alias of P-<domain>-<number>: a document a record, _id is the record's id
 *   P-keys       a document for each key that a live record has: {"record": id, ...}; _id is the
 *                SHA-256 of domain, tenant and key
 *   P-control    the document "head":
 *                {"format":1, "commit":N, "tokens":[T, ...], "held_until_us":U,
 *                 "redo":{"records":[{"id":I, "domain":D, "record":RECORD or null}],
 *                         "keys":[{"domain":D, "tenant":T, "key":K, "record":id or null}]}}
 * Locks: `apply_lock` is held from the decision of a commit until its documents are written.
 * `applied` grows only. */
#ifndef QUARRY_CATALOG_ELASTIC_INT_H
#define QUARRY_CATALOG_ELASTIC_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"
#include "catalog/commit_queue.h"
#include "catalog/elastic/elastic_backend.h"
#include "catalog/elastic/elastic_url.h"
#include "catalog/pool.h"
#include "catalog/record_set.h"
#include "net/http_client.h"

enum {
    ELASTIC_FORMAT = 1,
    ELASTIC_CHANGES_MAX = COMMIT_CHANGES_MAX, /* of the commits that are decided together */
    ELASTIC_REQUEST_MAX = 90 << 20,           /* servers take 100 MB */
    ELASTIC_BULK_BYTES = 8 << 20,             /* one _bulk is sent when it has so many */
    ELASTIC_REPLY_MAX = 512 << 20,
    ELASTIC_CANDIDATES_MAX = 500000, /* records that one query may look at by itself */
    ELASTIC_BATCH = 1000,            /* records of one page of such a query */
    ELASTIC_WORD_MAX = 1024,         /* longer words are cut: QUERY_TEXT_MAX is no longer */
    ELASTIC_MEMBER_MAX = 2048,       /* so are texts of JSON members */
    ELASTIC_ID_MAX = 65,             /* hex of SHA-256, NUL */
    ELASTIC_HOLD_US = 60000000,      /* a reindexing that says nothing for so long is over */
};

struct elastic_backend {
    struct backend base;
    struct sys *sys;
    struct elastic_url url;
    bool is_opensearch;
    uint32_t timeout_ms, tries, wait_ms;
    struct pool pool;

    struct commit_queue commits;

    pthread_mutex_t apply_lock;
    atomic_int_least64_t applied; /* all documents of commits up to this one are written */
    atomic_int_least64_t changed[DOMAIN_COUNT];   /* last commit that touched the domain */
    atomic_int_least64_t refreshed[DOMAIN_COUNT]; /* searches see all up to this one */
    atomic_uint_least64_t retries;
};

/* --- connection.c: requests with retries --- */

struct elastic_request {
    const char *method;
    const char *path; /* from the '/' on, encoded; may have a query string */
    struct str body;
    bool lines;     /* of newline-delimited JSON */
    bool once;      /* one try only */
    int timeout_ms; /* 0: the back end's */
};

struct elastic_reply {
    int status;      /* of HTTP: 2xx, or 4xx other than 429 */
    yyjson_doc *doc; /* NULL when the body is not JSON */
};

/* Sends it, and again after a wait while the server cannot be reached, is busy (429) or away (502,
 * 503, 504): it may be carried out twice. Release the reply after STATUS_OK. */
enum status elastic_send(struct elastic_backend *backend, const struct elastic_request *request,
                         struct elastic_reply *ret, struct error *err);
/* The same; answers other than 2xx are failures, too. */
enum status elastic_call(struct elastic_backend *backend, const struct elastic_request *request,
                         struct elastic_reply *ret, struct error *err);
void elastic_reply_release(struct elastic_reply *reply);
/* What the server's refusal means. */
enum status elastic_refused(const struct elastic_reply *reply, struct error *err);
enum status elastic_strange(const char *what, struct error *err);
void elastic_close_item(struct pool_item *item);
/* "/PREFIX-<name><rest>" */
char *elastic_path(const struct elastic_backend *backend, struct arena *arena, const char *name,
                   const char *rest);
/* The member of nested objects: names separated by dots. */
yyjson_val *elastic_member(yyjson_val *object, const char *path);

/* --- schema.c --- */
enum status elastic_schema_make(struct elastic_backend *backend, struct error *err);
/* Settings and mappings of a domain's index, without alias. */
void elastic_schema_write(struct json_writer *w, enum domain domain);

/* --- document.c: a record as a document --- */
void elastic_document_write(struct json_writer *w, const struct record *record);
enum status elastic_document_read(yyjson_val *source, enum domain domain, struct arena *arena,
                                  struct record *ret, struct error *err);
/* Name under which a field is filtered and sorted; NULL when it is not indexed whole. */
const char *elastic_field(enum record_field field);
void elastic_key_id(enum domain domain, struct str tenant, struct str key,
                    char out[ELASTIC_ID_MAX]);
/* The term for a scalar member of a JSON field. */
void elastic_member_term(struct buf *out, enum record_field field, struct str name,
                         yyjson_val *value);
/* Cut to at most `max` bytes and the rest of its last character. */
struct str elastic_cut(struct str text, size_t max);

/* --- filter.c --- */
/* The object of "query". False: it finds more than it should, look at each with query_matches. */
bool elastic_filter_write(struct json_writer *w, const struct record_query *query);

/* --- redo.c: what a commit leaves, as JSON and as documents --- */

struct redo_record {
    enum domain domain;
    struct str id;
    const struct record *record; /* NULL: it goes */
};
struct redo_key {
    enum domain domain;
    struct str tenant, key;
    struct str record; /* id of the holder; empty: nobody */
};
struct redo {
    int64_t commit;
    struct redo_record *records;
    uint32_t records_len;
    struct redo_key *keys;
    uint32_t keys_len;
};

void redo_write(struct json_writer *w, const struct redo *redo);
enum status redo_read(yyjson_val *head, struct arena *arena, struct redo *ret, struct error *err);
/* Writes all documents and moves `applied` on. With apply_lock. */
enum status redo_apply(struct elastic_backend *backend, const struct redo *redo, struct error *err);

/* --- head.c --- */

/* Each write of head has a token; head keeps the last ones, newest first, so that whoever lost the
 * answer to a write finds out whether it happened. */
enum { HEAD_TOKEN_MAX = 33, HEAD_TOKENS = 64 };

struct elastic_head {
    int64_t commit, held_until_us;
    int64_t seq_no, primary_term;
    char tokens[HEAD_TOKENS][HEAD_TOKEN_MAX];
    uint32_t tokens_len;
};
/* Reads the answer's part of _mget or _doc. */
enum status head_read(yyjson_val *document, struct elastic_head *ret, struct error *err);
/* The entry of _mget that asks for it. */
void head_want(struct elastic_backend *backend, struct json_writer *w);
/* One quick look at it. */
enum status head_probe(struct elastic_backend *backend, struct error *err);
/* All commits up to this one are written out when it returns STATUS_OK. */
enum status head_settle(struct elastic_backend *backend, int64_t commit, struct error *err);
/* Settled, and what was committed before the call is seen by searches of the domain. */
enum status head_refresh(struct elastic_backend *backend, enum domain domain, struct error *err);
/* Puts a head with this redo in place of `head`. STATUS_CONFLICT: somebody else wrote meanwhile. */
enum status head_replace(struct elastic_backend *backend, const struct elastic_head *head,
                         const struct redo *redo, int64_t held_until_us, struct error *err);

/* --- read.c --- */
enum status elastic_get(struct backend *base, enum domain domain, struct str tenant, struct str id,
                        struct arena *arena, struct record *ret, struct error *err);
enum status elastic_find(struct backend *base, enum domain domain, struct str tenant,
                         struct str key, struct arena *arena, struct record *ret,
                         struct error *err);
/* An _mget whose first document is head (head_want): what it finds holds all commits that were
 * decided before. `settled`: the head found is written out, too. *ret_docs is the array of answers.
 */
enum status elastic_read_together(struct elastic_backend *backend, struct str body, bool settled,
                                  struct elastic_reply *ret, yyjson_val **ret_docs,
                                  struct elastic_head *ret_head, struct error *err);

/* --- query.c --- */
enum status elastic_query(struct backend *base, const struct record_query *query,
                          struct arena *arena, struct record_page *ret, struct error *err);
enum status elastic_group(struct backend *base, const struct group_query *query,
                          struct arena *arena, struct group_answer *ret, struct error *err);
enum status elastic_scan(struct backend *base, enum domain domain, struct str after, uint32_t limit,
                         struct arena *arena, struct record_page *ret, struct error *err);
/* All records that the query's filters find, into the set (gather.c). */
enum status elastic_gather(struct elastic_backend *backend, const struct record_query *query,
                           struct record_set *set, struct error *err);

/* --- commit.c, verify.c --- */
void elastic_write_group(void *backend, struct queued_commit *first);
enum status elastic_commit(struct backend *base, const struct change *changes, uint32_t len,
                           struct commit_result *ret, struct error *err);
enum status elastic_verify(struct backend *base, backend_fault_fn fault, void *context,
                           struct error *err);

#endif

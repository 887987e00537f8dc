/* elastic_backend.h: the catalog in Elasticsearch or OpenSearch, over their HTTP interface.
 *
 * Such a server changes one document at a time and shows changes to searches late. The contract of
 * backend.h is kept all the same by a redo log of one commit (docs/decisions/0026):
 *   1. a commit is decided by one write: of the document "head", which holds all that the commit
 *      changes, on the condition that nobody wrote head meanwhile;
 *   2. then the documents of the records are written, each with the commit's number as its external
 *      version, so that doing it twice, or late, changes nothing;
 *   3. whoever reads looks at head in the same request, and first finishes a commit that is decided
 *      but not written out, whoever began it; searches ask for a refresh when they need one.
 * So a commit is whole or absent whatever breaks, reads see what was committed, several processes
 * may share the indexes, and a retry is always safe.
 *
 * Spoken: Elasticsearch 7.10 and later, OpenSearch. How that was tested: docs/catalog-elastic.md.
 */
#ifndef QUARRY_CATALOG_ELASTIC_BACKEND_H
#define QUARRY_CATALOG_ELASTIC_BACKEND_H

#include "catalog/backend.h"
#include "sys/sys.h"

struct elastic_backend_options {
    struct sys *sys;
    /* elasticsearch[+https]://[USER:PASSWORD@]HOST[:PORT][/PREFIX][?api_key=KEY&ca_file=PATH];
     * opensearch... is the same. PREFIX: of the indexes' names, "quarry". */
    const char *url;
    uint32_t connections_max; /* 0: 16 */
    uint32_t timeout_ms;      /* of one request; 0: 30,000 */
    uint32_t tries;           /* of one request; 0: 6 */
    uint32_t wait_ms;         /* before the second try, doubled by each; 0: 100 */
};

/* Makes missing indexes. STATUS_UNAVAILABLE: no server there; STATUS_INVALID_ARGUMENT: the URL, or
 * a server that is too old; STATUS_CONFLICT: indexes of a newer Quarry. */
enum status elastic_backend_open(const struct elastic_backend_options *options,
                                 struct backend **ret, struct error *err);

/* Copies each index into a new one with today's mapping and moves the alias over. Commits, also
 * those of other processes, are refused meanwhile (STATUS_UNAVAILABLE), reads go on.
 * `progress` may be NULL. Repeating it after a failure is fine. */
typedef void (*elastic_progress_fn)(void *context, enum domain domain, uint64_t documents);
enum status elastic_reindex(struct backend *base, elastic_progress_fn progress, void *context,
                            struct error *err);

#endif

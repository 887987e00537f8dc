/* postgres_backend.h: the catalog in a PostgreSQL database: for production and several machines.
 *
 * A commit is one pipeline of prepared statements in one implicit transaction: one round trip, one
 * sync, which the server shares among writers. Reads and commits take connections from a pool. A
 * server that restarts is noticed before a statement is sent where that can be seen; reads are then
 * repeated, commits are not: STATUS_UNAVAILABLE says that one is whole or absent. The schema
 * "quarry" is brought up to date at the start, under an advisory lock. */
#ifndef QUARRY_CATALOG_POSTGRES_BACKEND_H
#define QUARRY_CATALOG_POSTGRES_BACKEND_H

#include "catalog/journal.h"

struct postgres_backend_options {
    const char *url; /* of libpq: "postgresql://user@host:port/db" or "host=... port=..." */
    uint32_t connections_max; /* 0: 16 */
    int connect_timeout_s;    /* 0: 5 */
    bool listen; /* commits of other processes come to the watch, too (LISTEN/NOTIFY) */
};

/* STATUS_UNAVAILABLE when the server cannot be reached, STATUS_INVALID_ARGUMENT when the database
 * was written by a newer release. */
enum status postgres_backend_open(const struct postgres_backend_options *options,
                                  struct backend **ret_backend, struct error *err);

/* As journal.h has them. */
enum status postgres_journal_read(struct backend *base, int64_t at_us, journal_fn visit,
                                  void *context, struct error *err);
enum status postgres_journal_trim(struct backend *base, int64_t before_us, struct error *err);

#endif

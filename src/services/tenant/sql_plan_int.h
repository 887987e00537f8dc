/* sql_plan_int.h: results that are kept, and their keys; for sql_plan.c. */
#ifndef QUARRY_TENANT_SQL_PLAN_INT_H
#define QUARRY_TENANT_SQL_PLAN_INT_H

#include "query/lang/lang.h"
#include "services/tenant/tenant_int.h"

/* --- sql_result.c --- */

/* Counted; it does not change while it is in the cache. */
struct cached_result {
    _Atomic uint32_t refs;
    struct arena arena;
    struct str *names, *types;
    uint32_t len;
    struct batch **batches;
    uint32_t batches_len, batches_cap;
    uint64_t bytes;
    struct sql_stats stats;
    double rows_found;
};

/* Hands rows on and keeps them, as long as they are few. `keep` NULL: too many, or no memory. */
struct sql_tee {
    const struct sql_sink *sink;
    struct sys *sys;
    struct cached_result *keep;
    uint64_t bytes_max;
    int64_t sink_us; /* spent in the sink: the client's pace */
};

extern const struct value_cache_kind sql_result_kind;
struct cached_result *sql_result_new(void);
void sql_result_unref(void *value); /* NULL is fine */
enum status sql_result_replay(const struct cached_result *cached, const struct sql_sink *sink,
                              struct sql_stats *stats, struct error *err);
struct sql_sink sql_tee_sink(struct sql_tee *tee);
void sql_tee_drop(struct sql_tee *tee);

/* --- sql_key.c --- */

/* Under which the result is kept: what is asked and the state of what it is asked of. Empty: it may
 * not be kept. The tables' sizes go into `work`. */
void sql_key_make(struct arena *arena, const struct lang_query *query,
                  const struct sql_plan *statement, struct buf *key, struct access_work *work);

#endif

/* matview.h: materialised views: a query whose rows are a source of the same name.
 *
 * A refresh reads each source below as of one snapshot (flushed for it) and stores the result as
 * one mutation: readers see the old rows or the new ones. Only new rows are read where the query
 * allows it (query/lang/delta.h) and the one source below has but grown since (appends and
 * compactions, told by its snapshots); else all is made anew.
 *
 * What the content was made of is kept with the view's definition (sql_view.h), in its member
 *
 *   "materialized": {"every_s", "shown"?, "state": {"write_id", "bases": [{"source", "incarnation",
 *    "snapshot", "time_us", "schema"}], "query_hash", "pending"?: {"write_id", "bases",
 * "query_hash"}, ...}}
 *
 * Crash safety: what is about to be stored is written down as "pending" with a write id of its own
 * before the mutation. After a start, and in a restored backup, the source says which of the two
 * write ids it has; when it has neither, all is made anew.
 *
 * Threads: one refresh, creation or removal at a time in a node. */
#ifndef QUARRY_SERVICES_TENANT_MATVIEW_H
#define QUARRY_SERVICES_TENANT_MATVIEW_H

#include "query/lang/delta.h"
#include "services/tenant/sql_view.h"

enum {
    MATVIEW_BASES_MAX = 64,
    MATVIEW_EVERY_MAX_S = 366 * 24 * 3600,
    MATVIEW_ID_LEN = 8 + UUID_TEXT_LEN, /* "matview-<uuid>" */
};

/* A source below, and the state of it that the content shows. */
struct matview_base {
    struct str source;
    struct str incarnation; /* uuid */
    uint64_t snapshot;      /* 0: it never had one */
    int64_t time_us;        /* of the snapshot */
    int64_t schema;
};

struct matview_bases {
    struct matview_base items[MATVIEW_BASES_MAX];
    uint32_t len;
    int64_t query_hash; /* of the query with views put in */
};

struct matview_state {
    struct str write_id; /* of the content; data NULL: there is none yet */
    struct matview_bases bases;
    struct str pending_id; /* data NULL: none */
    struct matview_bases pending;
    int64_t refreshed_us, attempted_us, duration_us; /* 1970; 0: never */
    int64_t rows;
    struct str how;    /* "made anew", "new rows", "unchanged" */
    struct str reason; /* why it was made anew; data NULL: it was not */
    struct str error;  /* of the last attempt; data NULL: it went well */
};

/* matview_state.c: texts are in the view's document. */
void matview_state_read(const struct sql_view *view, struct matview_state *ret);
int64_t matview_every_s(const struct sql_view *view); /* 0: on demand */
/* The definition with this state, durable. */
enum status matview_state_save(struct tenant_node *node, struct sql_view *view,
                               const struct matview_state *state, struct error *err);

/* --- one refresh: matview_refresh.c puts it together --- */
struct matview_refresh {
    struct tenant_node *node;
    struct sql_view *view;
    struct arena *arena;
    struct matview_state state; /* before, then after */
    struct matview_bases bases; /* now */
    struct source *sources[MATVIEW_BASES_MAX];
    struct view views[MATVIEW_BASES_MAX]; /* as of those snapshots */
    struct sql_table tables[MATVIEW_BASES_MAX + 1];
    struct str query; /* DuckDB's, views put in */
    struct lang_delta delta;
    const char *why; /* it has to be made anew; NULL: new rows are enough */
    bool unchanged;
    struct view *kept; /* of the snapshots that new rows came with; malloc'ed */
    uint32_t kept_len;
    struct view fresh; /* the new rows; its arrays are the arena's */
};

/* matview_base.c: reads the query and opens the sources below. */
enum status matview_open(struct matview_refresh *r, struct error *err);
/* Decides `unchanged`, `why`, `fresh`. */
enum status matview_compare(struct matview_refresh *r, struct error *err);
void matview_close(struct matview_refresh *r);
/* NULL: it is not kept, or damaged. */
const struct snapshot_info *matview_snapshot(const struct snapshot_list *list, uint64_t id);
/* matview_fill.c: makes the source when there is none; stores the rows. */
enum status matview_fill(struct matview_refresh *r, struct error *err);

/* --- the face --- */

/* Brings it up to date; `*ret_rows` stored (may be NULL). What goes wrong is kept in its state,
 * too. */
enum status matview_run(struct tenant_node *node, struct str name, uint64_t *ret_rows,
                        struct error *err);
/* Keeps the definition and fills it for the first time; nothing is left when that fails. */
enum status matview_create(struct tenant_node *node, struct str json, struct str name,
                           uint64_t *ret_rows, struct error *err);
/* With its source. */
enum status matview_drop(struct tenant_node *node, struct str name, struct error *err);
/* STATUS_CONFLICT when the source is filled by a query and nobody else may change it. */
enum status matview_check_writable(struct tenant_node *node, struct str source_id,
                                   struct error *err);

#endif

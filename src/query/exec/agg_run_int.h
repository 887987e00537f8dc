/* agg_run_int.h: the work of adding one view to the states; shared by the files of agg_add.c.
 *
 * Columns are numbered as the schema's fields, behind them the computed ones; -1: the schema lacks
 * it, all null. */
#ifndef QUARRY_QUERY_AGG_RUN_INT_H
#define QUARRY_QUERY_AGG_RUN_INT_H

#include "query/exec/agg_int.h"

/* A computed column of the present slice. */
struct agg_computed {
    struct expr_run *run;
    const struct column *values; /* NULL: not yet evaluated */
};

/* The work on one view. */
struct agg_run {
    struct aggregate *agg;
    struct scan scan;
    struct agg_computed *computed; /* as the aggregate's */
    int32_t *columns;              /* schema field of each state, -1: none */
    int32_t *key_columns;          /* of each key */
    bool *known;                   /* states that have the open segment already, from its bounds */
    uint32_t *groups;              /* of each selected row; SCAN_SLICE_ROWS */
    uint32_t *codes;
    /* Groups of all combinations of the keys' present dictionary entries (null is one more entry of
     * each); UINT32_MAX: not asked yet. */
    const struct column *dictionaries[AGGREGATE_KEYS_MAX];
    uint32_t *map;
    uint32_t map_cap;
    uint64_t map_serial; /* row group that the map is about */
};

/* Number of a column, -1 when there is none; its type. */
int32_t agg_find_column(const struct agg_run *run, struct str name, enum type *ret_type);
static inline bool agg_is_computed(const struct agg_run *run, int32_t column)
{
    return column >= (int32_t)run->scan.view->schema->fields_len;
}
/* agg_computed.c. */
enum status agg_computed_init(struct agg_run *run, struct error *err);
void agg_computed_release(struct agg_run *run);
/* A new slice. */
void agg_computed_forget(struct agg_run *run);
/* The dense column of the slice, NULL when all of it is null. */
enum status agg_column(struct agg_run *run, int32_t column, const struct column **ret,
                       struct error *err);
/* agg_groups.c: the group of each selected row, into run->groups. */
enum status agg_number_groups(struct agg_run *run, struct error *err);
/* agg_known.c: aggregations that a segment's bounds answer take it from there; known when these are
 * all. */
enum status agg_segment_known(void *context, struct segment *segment, bool *ret_known,
                              struct error *err);

#endif

/* scan_int.h: the rows of a view that a filter lets through, slice by slice; under search and
 * aggregate.
 *
 * A view is made of units: segments by age, then chunks. A unit is read either whole (row group by
 * row group, SCAN_SLICE_ROWS at a time, without what page bounds rule out) or by row numbers from
 * an index. Each slice with matches is offered once: `selected` of its `count` rows, in order.
 * Columns are read when asked for (late materialisation), so a slice without matches costs the
 * filter's columns only.
 *
 * Chunk slices and column windows start at multiples of 8 rows. One thread. */
#ifndef QUARRY_QUERY_SCAN_INT_H
#define QUARRY_QUERY_SCAN_INT_H

#include "query/exec/exec.h"
#include "query/expr/expr.h"
#include "query/filter/bound.h"

enum {
    SCAN_SLICE_ROWS = 8192,
    SCAN_LOOKUP_SHARE = 4,    /* an index that gives more than 1/4 of the rows is not used */
    SCAN_RANGE_SHARE = 16,    /* of a sorted index: more than 1/16 */
    SCAN_GATHER_SHARE = 16,   /* fewer than 1/16 of a slice: read single rows */
    SCAN_UNIT_ROWS = 2048,    /* the size of our pages: bounds prune by it */
    SCAN_UNITS_MAX = 512,     /* of a row group; larger groups are not pruned by page */
    SCAN_TUPLES_MAX = 64,     /* combinations of values that one composite index is asked for */
    SCAN_CHUNKS_NARROWED = 4, /* fewer are asked one by one */
    SCAN_FEW_ROWS = 8,        /* from one index: another one is not asked */
};

/* What is known and read of one schema field in the present unit, group and slice. */
struct scan_field {
    bool resolved;
    int32_t column;              /* in the segment or chunk; -1: all null, or all `initial` */
    const struct value *initial; /* of a column that the segment lacks; NULL: null */
    enum type physical;          /* its type there */
    bool full_loaded;            /* `full` holds the slice's rows */
    struct column full;          /* physical type; owned unless full_borrowed */
    bool full_borrowed;
    struct column own;   /* memory behind `full` when it is owned */
    struct column dense; /* selected rows, schema type */
    bool dense_loaded;
    bool dictionary_asked;
    const struct column *dictionary; /* of this row group */
    bool codes_loaded;
    uint32_t *codes; /* SCAN_SLICE_ROWS of them */
};

/* A predicate decided once per dictionary entry. */
struct scan_verdict {
    const struct column *dictionary; /* that it is about */
    uint8_t *matches;
    uint32_t cap;
    uint32_t matching;
};

/* Row numbers that an index gave. */
struct scan_found {
    bool usable;
    uint64_t *rows; /* ascending, malloc'ed */
    uint32_t len;
    uint64_t predicates; /* of the first 64: bits of those that the index was asked for */
};

struct scan {
    struct view *view;
    struct bound_filter *filter;
    struct exec_context context;
    struct exec_stats stats;
    uint32_t next_unit;         /* how many units were opened or left out */
    const uint32_t *order;      /* of the segments; NULL: by age */
    uint32_t unit;              /* the present one: a segment's number, or behind them a chunk's */
    uint64_t *candidates;       /* segments that the point predicates leave; NULL: all */
    uint64_t *chunk_candidates; /* likewise; NULL: all; in the same allocation */
    struct value *points;       /* room for BOUND_POINTS_MAX of each physical type */
    struct composite *composites; /* of the view */
    uint32_t composites_len;
    /* the unit */
    struct segment *segment;
    struct parquet_reader *reader; /* NULL: its rows are pinned */
    struct row_pin pin;            /* of by_rows: the segment's rows, when they are in memory */
    struct batch *chunk;
    const struct deletion *deleted; /* rows of the unit; loaded; NULL: none */
    bool by_rows;
    uint64_t *rows; /* by_rows: ascending */
    uint32_t rows_len, rows_next;
    uint64_t unit_rows, unit_next; /* position over the whole unit */
    uint32_t group;
    bool group_open;
    uint64_t group_serial; /* counts the row groups opened, over all units */
    uint64_t group_base, group_rows, group_next;
    uint64_t
        dead_units[SCAN_UNITS_MAX / 64]; /* of the row group: their page bounds rule them out */
    /* the slice */
    uint64_t first;          /* row in the row group or chunk */
    const uint64_t *row_ids; /* by_rows */
    uint32_t count;
    bool all; /* every row is selected; `selection` is then not filled */
    uint32_t selected;
    uint32_t *selection;
    struct scan_field *fields; /* as the schema */
    uint32_t fields_len;
    struct scan_verdict *verdicts; /* as the filter's predicates */
    struct expr_run *where;        /* the rest of the filter; NULL: none */
    /* Set by the owner after scan_init (may be NULL); asked for each segment that is not pruned:
     * sets *ret_known when the segment has been dealt with from metadata and is not to be read. */
    enum status (*segment_known)(void *context, struct segment *segment, bool *ret_known,
                                 struct error *err);
    void *segment_known_context;
    /* Likewise (with the same context): rows that do in place of the whole segment, when there is
     * no filter; and pages of one field that are not to be read. */
    enum status (*segment_pick)(void *context, struct segment *segment, bool *ret_used,
                                uint64_t **ret_rows, uint32_t *ret_len, struct error *err);
    bool (*page_known)(void *context, const struct column_bounds *bounds);
    uint32_t page_field;
};

/* The view must stay open. `filter` may be NULL. */
enum status scan_init(struct scan *scan, struct view *view, const struct filter *filter,
                      const struct exec_context *context, struct error *err);
void scan_release(struct scan *scan);

/* The next slice with at least one selected row; *ret_more false at the end. STATUS_TIMEOUT and
 * STATUS_CANCELLED are found out here. */
enum status scan_next(struct scan *scan, bool *ret_more, struct error *err);

/* Row of the unit that is at place `i` of the slice. */
static inline uint64_t scan_row(const struct scan *scan, uint32_t i)
{
    if (scan->by_rows)
        return scan->row_ids[i];
    return (scan->segment ? scan->group_base : 0) + scan->first + i;
}

/* Appends the selected rows [from, from + n) of a field to a column of the field's type. `again`:
 * the caller will come back for more of this slice. */
enum status scan_append(struct scan *scan, uint32_t index, uint32_t from, uint32_t n, bool again,
                        struct column *into, struct error *err);
/* All selected rows of a field as a column of the field's type, valid until the next slice. NULL
 * when all of them are null because the unit lacks the column. */
enum status scan_dense(struct scan *scan, uint32_t index, const struct column **ret_column,
                       struct error *err);
/* The same for one who will ask for the field again, with fewer rows selected. */
enum status scan_dense_first(struct scan *scan, uint32_t index, const struct column **ret_column,
                             struct error *err);
/* Dictionary codes of the selected rows; *ret_dictionary NULL when there are none. The dictionary
 * has the physical type. Valid until the next slice; `codes` has room for SCAN_SLICE_ROWS. */
enum status scan_codes(struct scan *scan, uint32_t index, const struct column **ret_dictionary,
                       uint32_t *codes, struct error *err);

/* Makes one row of one unit the present slice, whatever the filter says. */
enum status scan_seek(struct scan *scan, uint32_t unit, const uint64_t *row, struct error *err);

/* STATUS_TIMEOUT or STATUS_CANCELLED when it is time to stop. */
enum status exec_poll(const struct exec_context *context, struct error *err);

/* Leaves out, at once, the segments that have none of the values of point predicates. */
enum status scan_narrow(struct scan *scan, struct error *err);
/* The values of a point predicate in every type that a segment may have the column in, in
 * scan->points; -1 when it is none. */
int32_t scan_points_of_all_types(struct scan *scan, uint32_t predicate, enum type type);
/* Column type of a field in the present unit (`segment` NULL: the chunk); false when it lacks it.
 */
bool scan_unit_type(const struct scan *scan, struct segment *segment, uint32_t field,
                    enum type *ret);
/* Ascending, each once. */
void scan_sort_found(struct scan_found *found);
/* Composite indexes, in scan_tuple.c. */
enum status scan_take_composites(struct scan *scan, struct error *err);
void scan_narrow_tuples(struct scan *scan);
/* The composite index with the fewest rows of the unit (`segment` NULL: of the chunk); not usable
 * when there is none. */
enum status scan_look_up_tuples(struct scan *scan, struct segment *segment, uint32_t chunk,
                                struct scan_found *ret, struct error *err);
/* Rows among which the first `count` are by the columns of a sorted index from the `prefix`-th on,
 * when the filter says just what the columns before are. */
enum status scan_first_tuples(struct scan *scan, struct segment *segment,
                              const struct composite *composite, uint32_t prefix, bool descending,
                              uint32_t count, struct scan_found *ret, struct error *err);
/* Units and index choice, in scan_unit.c. */
enum status scan_open_unit(struct scan *scan, bool *ret_more, struct error *err);
void scan_close_unit(struct scan *scan);
/* Opens the next row group that may match; false when the segment has no more. */
bool scan_open_group(struct scan *scan);
/* Pruning, in scan_prune.c. */
bool scan_segment_may_match(struct scan *scan, struct segment *segment, uint64_t rows);
bool scan_group_may_match(struct scan *scan);
/* Finds the dead units of the row group; false when all are. */
bool scan_prune_pages(struct scan *scan);
static inline bool scan_unit_is_dead(const struct scan *scan, uint64_t unit)
{
    return unit < SCAN_UNITS_MAX && scan->dead_units[unit / 64] >> (unit % 64) & 1;
}
/* Reading, in scan_read.c. */
const struct scan_field *scan_resolve(struct scan *scan, uint32_t index);
enum status scan_load(struct scan *scan, uint32_t index, const struct column **ret_column,
                      struct error *err);
enum status scan_dictionary(struct scan *scan, uint32_t index, const struct column **ret_dictionary,
                            struct error *err);
enum status scan_load_codes(struct scan *scan, uint32_t index, struct error *err);

#endif

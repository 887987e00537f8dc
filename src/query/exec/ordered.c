/* ordered.c: ORDER BY some columns with a limit: a heap of the best rows so far, and as little
 * reading as it allows.
 *
 *   1. segments are visited in order of their bounds of the first column, so that the heap gets
 *      good early
 *   2. segments and pages whose bounds cannot beat the worst row of the full heap are left out
 *   3. a segment with a sorted index gives its first rows only: one over the column when there is
 * no filter, or a composite one over columns that the filter has one value for and then these
 *   4. the rows of the heap are read one by one, in order
 * The heap has one row more than wanted: that is how has_more is known. Equal values come in the
 * order of storage, nulls last. */
#include <stdlib.h>

#include "query/exec/ordered.h"
#include "storage/store.h"

struct entry {
    struct value *values; /* one a column; of texts copies of their own */
    uint32_t unit;
    uint64_t row;
};

/* A segment and the best value of the first column that it can have. */
struct start {
    struct value best;
    bool known; /* else it comes first */
    uint32_t segment;
};

struct order_column {
    uint32_t field;
    bool descending;
};

struct ordered {
    struct scan *scan;
    struct order_column columns[SEARCH_ORDER_MAX];
    uint32_t columns_len;
    uint32_t most;        /* wanted */
    struct entry *heap;   /* most + 1 of them; the worst on top, at the end sorted */
    struct value *values; /* what entries point to */
    uint32_t len;
    uint32_t *order;
};

/* Below 0: `a` comes first. */
static int compare_values(const struct order_column *column, const struct value *a,
                          const struct value *b)
{
    if (a->is_null || b->is_null)
        return (int)a->is_null - (int)b->is_null;
    int order = value_compare(a, b);
    return column->descending ? -order : order;
}

static int compare_entries(const struct ordered *o, const struct entry *a, const struct entry *b)
{
    int order = 0;
    for (uint32_t i = 0; i < o->columns_len && order == 0; i++)
        order = compare_values(&o->columns[i], &a->values[i], &b->values[i]);
    if (order == 0 && a->unit != b->unit)
        order = a->unit < b->unit ? -1 : 1;
    return order ? order : a->row < b->row ? -1 : a->row > b->row;
}

static bool is_full(const struct ordered *o)
{
    return o->len == o->most + 1;
}

/* --- the heap --- */

static void sift_down(struct ordered *o, uint32_t at, uint32_t len)
{
    struct entry moved = o->heap[at];
    for (uint32_t child = 2 * at + 1; child < len; child = 2 * at + 1) {
        if (child + 1 < len && compare_entries(o, &o->heap[child + 1], &o->heap[child]) > 0)
            child++;
        if (compare_entries(o, &o->heap[child], &moved) <= 0)
            break;
        o->heap[at] = o->heap[child];
        at = child;
    }
    o->heap[at] = moved;
}

static void sift_up(struct ordered *o, uint32_t at)
{
    struct entry moved = o->heap[at];
    for (; at && compare_entries(o, &moved, &o->heap[(at - 1) / 2]) > 0; at = (at - 1) / 2)
        o->heap[at] = o->heap[(at - 1) / 2];
    o->heap[at] = moved;
}

static bool has_text(const struct value *value)
{
    return !value->is_null && type_is_bytes(value->type);
}

static void values_release(const struct ordered *o, struct value *values)
{
    for (uint32_t i = 0; i < o->columns_len; i++)
        if (has_text(&values[i]))
            free((char *)(uintptr_t)values[i].bytes.data);
}

/* Texts get a copy of their own. */
static enum status values_copy(const struct ordered *o, const struct value *from, struct value *to,
                               struct error *err)
{
    for (uint32_t i = 0; i < o->columns_len; i++) {
        to[i] = from[i];
        if (!has_text(&from[i]))
            continue;
        char *copy = malloc(from[i].bytes.len + 1);
        if (!copy) {
            to[i].is_null = true;
            for (uint32_t k = i + 1; k < o->columns_len; k++)
                to[k].is_null = true;
            values_release(o, to);
            return error_no_memory(err);
        }
        memcpy(copy, from[i].bytes.data, from[i].bytes.len);
        to[i].bytes.data = copy;
    }
    return STATUS_OK;
}

static enum status offer(struct ordered *o, struct entry entry, struct error *err)
{
    if (is_full(o) && compare_entries(o, &entry, &o->heap[0]) >= 0)
        return STATUS_OK;
    const struct value *from = entry.values;
    if (is_full(o)) {
        struct value spare[SEARCH_ORDER_MAX], *place = o->heap[0].values;
        TRY(values_copy(o, from, spare, err));
        values_release(o, place);
        memcpy(place, spare, o->columns_len * sizeof *place);
        entry.values = place;
        o->heap[0] = entry;
        sift_down(o, 0, o->len);
        return STATUS_OK;
    }
    entry.values = o->values + (size_t)o->len * o->columns_len;
    TRY(values_copy(o, from, entry.values, err));
    o->heap[o->len] = entry;
    sift_up(o, o->len++);
    return STATUS_OK;
}

/* --- what need not be read --- */

/* No value of the first column within the bounds comes before the worst row of the heap. */
static bool cannot_help(const struct ordered *o, const struct column_bounds *bounds)
{
    const struct order_column *first = &o->columns[0];
    if (!is_full(o) || o->heap[0].values[0].is_null || !bounds->known_nulls)
        return false;
    if (bounds->nulls == bounds->rows)
        return true;
    const struct value *best = first->descending ? &bounds->max : &bounds->min;
    return bounds->has_range && !best->is_null &&
           compare_values(first, best, &o->heap[0].values[0]) > 0;
}

static bool page_known(void *context, const struct column_bounds *bounds)
{
    return cannot_help(context, bounds);
}

static struct column_bounds bounds_of(const struct ordered *o, struct segment *segment)
{
    const struct schema *schema = o->scan->view->schema;
    struct column_bounds bounds = {.rows = segment_info(segment).rows};
    if (segment_column(segment, schema->fields[o->columns[0].field].id) < 0 &&
        schema->traits[o->columns[0].field].initial)
        return bounds;
    bounds.known_nulls = segment_bounds(segment, schema->fields[o->columns[0].field].id,
                                        &bounds.min, &bounds.max, &bounds.nulls);
    bounds.has_range = bounds.known_nulls && bounds.nulls < bounds.rows;
    return bounds;
}

static enum status segment_known(void *context, struct segment *segment, bool *ret_known,
                                 struct error *err)
{
    struct ordered *o = context;
    struct column_bounds bounds = bounds_of(o, segment);
    (void)err;
    *ret_known = cannot_help(o, &bounds);
    o->scan->stats.segments_pruned += *ret_known;
    return STATUS_OK;
}

/* Behind how many columns the index is ordered as wanted, forwards or backwards; -1: it is not. */
static int32_t prefix_of(const struct ordered *o, const struct composite *composite)
{
    uint32_t len = composite->def.fields_len, prefix = len - o->columns_len;
    if (composite->kind != INDEX_KIND_SORTED || len < o->columns_len)
        return -1;
    for (uint32_t i = 0; i < o->columns_len; i++)
        if (composite->fields[prefix + i] != o->columns[i].field ||
            o->columns[i].descending != o->columns[0].descending)
            return -1;
    return (int32_t)prefix;
}

/* Nulls come last in both directions, but first in an index that is read backwards: of the first
 * column they are left for the end, of the others there must be none. */
static bool may_read_backwards(const struct ordered *o, const struct segment *segment)
{
    const struct field *fields = o->scan->view->schema->fields;
    for (uint32_t i = 1; i < o->columns_len; i++) {
        struct value min, max;
        uint64_t nulls = 0;
        (void)segment_bounds(segment, fields[o->columns[i].field].id, &min, &max, &nulls);
        if (nulls)
            return false;
    }
    return true;
}

static enum status segment_pick(void *context, struct segment *segment, bool *ret_used,
                                uint64_t **ret_rows, uint32_t *ret_len, struct error *err)
{
    struct ordered *o = context;
    struct scan *scan = o->scan;
    const struct order_column *first = &o->columns[0];
    *ret_used = false;
    if (!bound_filter_predicates(scan->filter) && !bound_filter_where(scan->filter) &&
        o->columns_len == 1 && view_has_sorted(scan->view, first->field))
        TRY(segment_first_rows(segment, scan->view->schema->fields[first->field].id,
                               first->descending, o->most + 1, ret_used, ret_rows, ret_len, err));
    for (uint32_t i = 0; i < scan->composites_len && !*ret_used; i++) {
        int32_t prefix = prefix_of(o, &scan->composites[i]);
        struct scan_found found;
        if (prefix < 0 || (first->descending && !may_read_backwards(o, segment)))
            continue;
        TRY(scan_first_tuples(scan, segment, &scan->composites[i], (uint32_t)prefix,
                              first->descending, o->most + 1, &found, err));
        *ret_used = found.usable;
        *ret_rows = found.rows;
        *ret_len = found.len;
    }
    return STATUS_OK;
}

/* --- running --- */

static int compare_starts(const void *a, const void *b, void *context)
{
    const struct start *x = a, *y = b;
    if (x->known != y->known)
        return x->known ? 1 : -1;
    int order = x->known ? compare_values(context, &x->best, &y->best) : 0; /* the column */
    return order ? order : x->segment < y->segment ? -1 : 1;
}

static enum status order_segments(struct ordered *o, struct error *err)
{
    const struct view *view = o->scan->view;
    struct start *starts = malloc((view->segments_len + (size_t)1) * sizeof *starts);
    o->order = malloc((view->segments_len + (size_t)1) * sizeof *o->order);
    if (!starts || !o->order) {
        free(starts);
        return error_no_memory(err);
    }
    for (uint32_t i = 0; i < view->segments_len; i++) {
        struct column_bounds bounds = bounds_of(o, view->segments[i]);
        starts[i] = (struct start){.segment = i, .known = bounds.known_nulls};
        starts[i].best = !bounds.has_range          ? (struct value){.is_null = true}
                         : o->columns[0].descending ? bounds.max
                                                    : bounds.min;
    }
    qsort_r(starts, view->segments_len, sizeof *starts, compare_starts, &o->columns[0]);
    for (uint32_t i = 0; i < view->segments_len; i++)
        o->order[i] = starts[i].segment;
    free(starts);
    return STATUS_OK;
}

static enum status take_column(struct ordered *o, const struct search_order *order,
                               struct error *err)
{
    const struct schema *schema = o->scan->view->schema;
    struct str name = order->column;
    int32_t field = schema_find(schema, name);
    int shown = name.len < 100 ? (int)name.len : 100;
    if (field < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "order_by: there is no column '%.*s'", shown,
                         name.data);
    if (schema->fields[field].type == TYPE_JSON)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "order_by: '%.*s' is a JSON column, which has no order", shown, name.data);
    for (uint32_t i = 0; i < o->columns_len; i++)
        if (o->columns[i].field == (uint32_t)field)
            return error_set(err, STATUS_INVALID_ARGUMENT, "order_by names '%.*s' twice", shown,
                             name.data);
    o->columns[o->columns_len++] =
        (struct order_column){.field = (uint32_t)field, .descending = order->descending};
    return STATUS_OK;
}

static enum status prepare(struct ordered *o, const struct search_order *order, uint32_t len,
                           struct error *err)
{
    if (len > SEARCH_ORDER_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "order_by names more than %d columns",
                         SEARCH_ORDER_MAX);
    for (uint32_t i = 0; i < len; i++)
        TRY(take_column(o, &order[i], err));
    o->heap = malloc((o->most + (size_t)1) * sizeof *o->heap);
    o->values = malloc((o->most + (size_t)1) * len * sizeof *o->values);
    return o->heap && o->values ? order_segments(o, err) : error_no_memory(err);
}

enum status ordered_new(struct scan *scan, const struct search_order *order, uint32_t len,
                        uint32_t most, struct ordered **ret, struct error *err)
{
    struct ordered *o = calloc(1, sizeof *o);
    if (!o)
        return error_no_memory(err);
    o->scan = scan;
    o->most = most;
    enum status status = prepare(o, order, len, err);
    if (status != STATUS_OK) {
        ordered_free(o);
        return status;
    }
    scan->order = o->order;
    scan->segment_known = segment_known;
    scan->segment_pick = segment_pick;
    scan->page_known = page_known;
    scan->page_field = o->columns[0].field;
    scan->segment_known_context = o;
    *ret = o;
    return STATUS_OK;
}

void ordered_free(struct ordered *o)
{
    if (!o)
        return;
    for (uint32_t i = 0; i < o->len; i++)
        values_release(o, o->heap[i].values);
    free(o->heap);
    free(o->values);
    free(o->order);
    free(o);
}

static enum status take_slice(struct ordered *o, struct error *err)
{
    const struct column *columns[SEARCH_ORDER_MAX];
    struct value values[SEARCH_ORDER_MAX];
    struct scan *scan = o->scan;
    const struct field *fields = scan->view->schema->fields;
    for (uint32_t k = 0; k < o->columns_len; k++)
        TRY(scan_dense(scan, o->columns[k].field, &columns[k], err));
    for (uint32_t i = 0; i < scan->selected; i++) {
        struct entry entry = {.values = values,
                              .unit = scan->unit,
                              .row = scan_row(scan, scan->all ? i : scan->selection[i])};
        for (uint32_t k = 0; k < o->columns_len; k++) {
            values[k] =
                columns[k] ? value_of_column(columns[k], i) : (struct value){.is_null = true};
            values[k].type = fields[o->columns[k].field].type;
        }
        TRY(offer(o, entry, err));
    }
    return STATUS_OK;
}

enum status ordered_run(struct ordered *o, struct error *err)
{
    bool more = true;
    while (more) {
        TRY(scan_next(o->scan, &more, err));
        if (more)
            TRY(take_slice(o, err));
    }
    for (uint32_t len = o->len; len > 1;) { /* heap sort: the worst goes to the end */
        struct entry worst = o->heap[0];
        o->heap[0] = o->heap[--len];
        sift_down(o, 0, len);
        o->heap[len] = worst;
    }
    return STATUS_OK;
}

uint32_t ordered_rows(const struct ordered *o)
{
    return o->len < o->most ? o->len : o->most;
}

bool ordered_has_more(const struct ordered *o)
{
    return o->len > o->most;
}

enum status ordered_seek(struct ordered *o, uint32_t at, struct error *err)
{
    return scan_seek(o->scan, o->heap[at].unit, &o->heap[at].row, err);
}

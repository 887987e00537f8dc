/* ordered.c: ORDER BY one column with a limit: a heap of the best rows so far, and as little
 * reading as it allows.
 *
 *   1. segments are visited in order of their bounds, so that the heap gets good early
 *   2. segments and pages whose bounds cannot beat the worst row of the full heap are left out
 *   3. without a filter, a segment with a sorted index gives its first rows only
 *   4. the rows of the heap are read one by one, in order
 * The heap has one row more than wanted: that is how has_more is known. Equal values come in the
 * order of storage, nulls last. */
#include <stdlib.h>

#include "query/exec/ordered.h"
#include "storage/store.h"

struct entry {
    struct value value; /* of texts a copy of its own */
    uint32_t unit;
    uint64_t row;
};

/* A segment and the best value that it can have. */
struct start {
    struct value best;
    bool known; /* else it comes first */
    uint32_t segment;
};

struct ordered {
    struct scan *scan;
    uint32_t field;
    bool descending;
    uint32_t most;      /* wanted */
    struct entry *heap; /* most + 1 of them; the worst on top, at the end sorted */
    uint32_t len;
    uint32_t *order;
};

/* Below 0: `a` comes first. */
static int compare_values(const struct ordered *o, const struct value *a, const struct value *b)
{
    if (a->is_null || b->is_null)
        return (int)a->is_null - (int)b->is_null;
    int order = value_compare(a, b);
    return o->descending ? -order : order;
}

static int compare_entries(const struct ordered *o, const struct entry *a, const struct entry *b)
{
    int order = compare_values(o, &a->value, &b->value);
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

static void entry_release(struct entry *entry)
{
    if (!entry->value.is_null && type_is_bytes(entry->value.type))
        free((char *)(uintptr_t)entry->value.bytes.data);
}

static enum status offer(struct ordered *o, struct entry entry, struct error *err)
{
    if (is_full(o) && compare_entries(o, &entry, &o->heap[0]) >= 0)
        return STATUS_OK;
    if (!entry.value.is_null && type_is_bytes(entry.value.type)) {
        char *copy = malloc(entry.value.bytes.len + 1);
        if (!copy)
            return error_no_memory(err);
        memcpy(copy, entry.value.bytes.data, entry.value.bytes.len);
        entry.value.bytes.data = copy;
    }
    if (is_full(o)) {
        entry_release(&o->heap[0]);
        o->heap[0] = entry;
        sift_down(o, 0, o->len);
    } else {
        o->heap[o->len] = entry;
        sift_up(o, o->len++);
    }
    return STATUS_OK;
}

/* --- what need not be read --- */

/* No value within the bounds comes before the worst row of the heap. */
static bool cannot_help(const struct ordered *o, const struct column_bounds *bounds)
{
    if (!is_full(o) || o->heap[0].value.is_null || !bounds->known_nulls)
        return false;
    if (bounds->nulls == bounds->rows)
        return true;
    const struct value *best = o->descending ? &bounds->max : &bounds->min;
    return bounds->has_range && !best->is_null && compare_values(o, best, &o->heap[0].value) > 0;
}

static bool page_known(void *context, const struct column_bounds *bounds)
{
    return cannot_help(context, bounds);
}

static struct column_bounds bounds_of(const struct ordered *o, struct segment *segment)
{
    const struct schema *schema = o->scan->view->schema;
    struct column_bounds bounds = {.rows = segment_info(segment).rows};
    if (segment_column(segment, schema->fields[o->field].id) < 0 &&
        schema->traits[o->field].initial)
        return bounds;
    bounds.known_nulls = segment_bounds(segment, schema->fields[o->field].id, &bounds.min,
                                        &bounds.max, &bounds.nulls);
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

static enum status segment_pick(void *context, struct segment *segment, bool *ret_used,
                                uint64_t **ret_rows, uint32_t *ret_len, struct error *err)
{
    struct ordered *o = context;
    *ret_used = false;
    if (!view_has_sorted(o->scan->view, o->field))
        return STATUS_OK;
    return segment_first_rows(segment, o->scan->view->schema->fields[o->field].id, o->descending,
                              o->most + 1, ret_used, ret_rows, ret_len, err);
}

/* --- running --- */

static int compare_starts(const void *a, const void *b, void *context)
{
    const struct start *x = a, *y = b;
    if (x->known != y->known)
        return x->known ? 1 : -1;
    int order = x->known ? compare_values(context, &x->best, &y->best) : 0;
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
        starts[i].best = !bounds.has_range ? (struct value){.is_null = true}
                         : o->descending   ? bounds.max
                                           : bounds.min;
    }
    qsort_r(starts, view->segments_len, sizeof *starts, compare_starts, o);
    for (uint32_t i = 0; i < view->segments_len; i++)
        o->order[i] = starts[i].segment;
    free(starts);
    return STATUS_OK;
}

enum status ordered_new(struct scan *scan, struct str column, bool descending, uint32_t most,
                        struct ordered **ret, struct error *err)
{
    int32_t field = schema_find(scan->view->schema, column);
    int shown = column.len < 100 ? (int)column.len : 100;
    if (field < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "order_by: there is no column '%.*s'", shown,
                         column.data);
    if (scan->view->schema->fields[field].type == TYPE_JSON)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "order_by: '%.*s' is a JSON column, which has no order", shown,
                         column.data);
    struct ordered *o = calloc(1, sizeof *o);
    if (!o)
        return error_no_memory(err);
    *o = (struct ordered){
        .scan = scan, .field = (uint32_t)field, .descending = descending, .most = most};
    o->heap = malloc((most + (size_t)1) * sizeof *o->heap);
    enum status status = o->heap ? order_segments(o, err) : error_no_memory(err);
    if (status != STATUS_OK) {
        ordered_free(o);
        return status;
    }
    scan->order = o->order;
    scan->segment_known = segment_known;
    scan->segment_pick = segment_pick;
    scan->page_known = page_known;
    scan->page_field = o->field;
    scan->segment_known_context = o;
    *ret = o;
    return STATUS_OK;
}

void ordered_free(struct ordered *o)
{
    if (!o)
        return;
    for (uint32_t i = 0; i < o->len; i++)
        entry_release(&o->heap[i]);
    free(o->heap);
    free(o->order);
    free(o);
}

static enum status take_slice(struct ordered *o, struct error *err)
{
    const struct column *column;
    struct scan *scan = o->scan;
    enum type type = scan->view->schema->fields[o->field].type;
    TRY(scan_dense(scan, o->field, &column, err));
    for (uint32_t i = 0; i < scan->selected; i++) {
        struct entry entry = {.unit = scan->unit,
                              .row = scan_row(scan, scan->all ? i : scan->selection[i])};
        entry.value = column ? value_of_column(column, i) : (struct value){.is_null = true};
        entry.value.type = type;
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

/* scan_unit.c: which units are read, and how: pruned by bounds, by an index, or whole. */
#include <stdlib.h>

#include "query/exec/scan_int.h"

/* Row numbers that an index gave. */
struct found {
    bool usable;
    uint64_t *rows;
    uint32_t len;
};

void scan_close_unit(struct scan *scan)
{
    if (scan->segment && scan->reader)
        segment_reader_release(scan->segment, scan->reader);
    free(scan->rows);
    scan->segment = NULL;
    scan->reader = NULL;
    scan->chunk = NULL;
    scan->deleted = NULL;
    scan->rows = NULL;
    scan->rows_len = scan->rows_next = 0;
    scan->by_rows = false;
    scan->group = 0;
    scan->group_open = false;
    scan->group_base = scan->unit_next = 0;
    for (uint32_t i = 0; scan->fields && i < scan->fields_len; i++) {
        struct scan_field *field = &scan->fields[i];
        field->resolved = field->full_loaded = field->codes_loaded = false;
        field->dictionary_asked = false;
        field->dictionary = NULL;
    }
    for (uint32_t i = 0; scan->verdicts && i < bound_filter_predicates(scan->filter); i++)
        scan->verdicts[i].dictionary = NULL;
}

static bool segment_may_match(struct scan *scan, struct segment *segment, uint64_t rows)
{
    if (bound_filter_is_never(scan->filter))
        return false;
    for (uint32_t p = 0; p < bound_filter_predicates(scan->filter); p++) {
        int32_t field = bound_filter_column(scan->filter, p);
        struct column_bounds bounds = {.rows = rows};
        if (field < 0)
            continue;
        bounds.known_nulls = segment_bounds(segment, scan->view->schema->fields[field].id,
                                            &bounds.min, &bounds.max, &bounds.nulls);
        bounds.has_range = bounds.known_nulls && bounds.nulls < rows;
        if (!bound_filter_may_match(scan->filter, p, &bounds))
            return false;
    }
    return true;
}

static int compare_rows(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void sort_unique(struct found *found)
{
    qsort(found->rows, found->len, sizeof *found->rows, compare_rows);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < found->len; i++)
        if (i == 0 || found->rows[i] != found->rows[kept - 1])
            found->rows[kept++] = found->rows[i];
    found->len = kept;
}

/* Rows of one value; of a chunk they come as 32 bits. */
static enum status look_up_value(struct scan *scan, uint32_t field, uint32_t chunk,
                                 const struct value *value, struct found *ret, struct error *err)
{
    const struct field *f = &scan->view->schema->fields[field];
    *ret = (struct found){0};
    if (scan->segment)
        return segment_lookup(scan->segment, f->id, value, &ret->usable, &ret->rows, &ret->len,
                              err);
    uint32_t *rows = NULL;
    TRY(view_chunk_lookup(scan->view, chunk, f->name, value, &ret->usable, &rows, &ret->len, err));
    if (ret->usable && ret->len) {
        ret->rows = malloc(ret->len * sizeof *ret->rows);
        for (uint32_t i = 0; ret->rows && i < ret->len; i++)
            ret->rows[i] = rows[i];
    }
    bool failed = ret->usable && ret->len && !ret->rows;
    free(rows);
    return failed ? error_no_memory(err) : STATUS_OK;
}

/* All values of one predicate. Gives up when it exceeds `limit` rows. */
static enum status look_up_points(struct scan *scan, uint32_t field, uint32_t chunk,
                                  const struct value *values, uint32_t n, uint64_t limit,
                                  struct found *ret, struct error *err)
{
    *ret = (struct found){.usable = true};
    for (uint32_t i = 0; i < n; i++) {
        struct found one;
        enum status status = look_up_value(scan, field, chunk, &values[i], &one, err);
        bool good = status == STATUS_OK && one.usable && one.len + (uint64_t)ret->len <= limit;
        uint64_t *grown = NULL;
        if (good && n == 1) {
            *ret = one;
            return STATUS_OK;
        }
        if (good && one.len) {
            grown = realloc(ret->rows, (one.len + (size_t)ret->len) * sizeof *grown);
            if (grown) {
                memcpy(grown + ret->len, one.rows, one.len * sizeof *grown);
                ret->rows = grown;
                ret->len += one.len;
            } else {
                status = error_no_memory(err);
            }
        }
        free(status == STATUS_OK || one.usable ? one.rows : NULL);
        if (status != STATUS_OK || !good) {
            free(ret->rows);
            *ret = (struct found){0};
            return status;
        }
    }
    if (ret->len)
        sort_unique(ret);
    return STATUS_OK;
}

/* The index with the fewest rows among the predicates that have one. */
static enum status choose_index(struct scan *scan, uint32_t chunk, struct error *err)
{
    /* A view that was built by hand has no source and so no indexes. */
    uint32_t predicates = scan->view->source ? bound_filter_predicates(scan->filter) : 0;
    struct found best = {0};
    uint64_t limit = scan->unit_rows / SCAN_LOOKUP_SHARE;
    struct value *values = predicates ? malloc(BOUND_POINTS_MAX * sizeof *values) : NULL;
    if (predicates && !values)
        return error_no_memory(err);
    enum status status = STATUS_OK;
    for (uint32_t p = 0; p < predicates && status == STATUS_OK; p++) {
        int32_t field = bound_filter_column(scan->filter, p);
        const struct scan_field *f = field >= 0 ? scan_resolve(scan, (uint32_t)field) : NULL;
        if (!f || f->column < 0)
            continue;
        int32_t n = bound_filter_points(scan->filter, p, f->physical, values);
        struct found found = {0};
        if (n >= 0)
            status = look_up_points(scan, (uint32_t)field, chunk, values, (uint32_t)n,
                                    best.usable ? best.len : limit, &found, err);
        if (found.usable && (!best.usable || found.len < best.len)) {
            free(best.rows);
            best = found;
        } else {
            free(found.rows);
        }
    }
    free(values);
    if (status != STATUS_OK || !best.usable) {
        free(best.rows);
        return status;
    }
    scan->by_rows = true;
    scan->rows = best.rows;
    scan->rows_len = best.len;
    scan->stats.index_used = true;
    return STATUS_OK;
}

static enum status open_segment(struct scan *scan, struct segment *segment,
                                struct deletion *deleted, struct error *err)
{
    scan->unit_rows = segment_info(segment).rows;
    if (!segment_may_match(scan, segment, scan->unit_rows)) {
        scan->stats.segments_pruned++;
        return STATUS_OK;
    }
    bool known = false;
    TRY(deletion_load(deleted, err));
    scan->deleted = deleted;
    if (scan->segment_known)
        TRY(scan->segment_known(scan->segment_known_context, segment, &known, err));
    if (known)
        return STATUS_OK;
    TRY(segment_reader(segment, &scan->reader, err));
    scan->segment = segment;
    TRY(choose_index(scan, 0, err));
    if (scan->by_rows)
        scan->stats.segments_by_index++;
    else
        scan->stats.segments_scanned++;
    return STATUS_OK;
}

static enum status open_chunk(struct scan *scan, uint32_t chunk, struct error *err)
{
    struct batch *batch = scan->view->chunks[chunk];
    if (batch->rows == 0 || bound_filter_is_never(scan->filter))
        return STATUS_OK;
    scan->chunk = batch;
    scan->deleted = scan->view->chunk_deletions ? scan->view->chunk_deletions[chunk] : NULL;
    scan->unit_rows = batch->rows;
    return choose_index(scan, chunk, err);
}

enum status scan_open_unit(struct scan *scan, bool *ret_more, struct error *err)
{
    const struct view *view = scan->view;
    while (!scan->segment && !scan->chunk) {
        *ret_more = false;
        if (scan->next_unit == view->segments_len + view->chunks_len)
            return STATUS_OK;
        uint32_t unit = scan->next_unit++;
        TRY(exec_poll(&scan->context, err));
        if (unit < view->segments_len)
            TRY(open_segment(scan, view->segments[unit],
                             view->deletions ? view->deletions[unit] : NULL, err));
        else
            TRY(open_chunk(scan, unit - view->segments_len, err));
    }
    *ret_more = true;
    return STATUS_OK;
}

static bool group_may_match(struct scan *scan)
{
    for (uint32_t p = 0; p < bound_filter_predicates(scan->filter); p++) {
        int32_t field = bound_filter_column(scan->filter, p);
        const struct scan_field *f = field >= 0 ? scan_resolve(scan, (uint32_t)field) : NULL;
        struct column_bounds bounds = {.rows = scan->group_rows};
        if (!f)
            continue;
        if (f->column >= 0) {
            bounds.known_nulls =
                parquet_reader_bounds(scan->reader, scan->group, (uint32_t)f->column, &bounds.min,
                                      &bounds.max, &bounds.nulls);
            bounds.has_range = bounds.known_nulls && bounds.nulls < bounds.rows;
        } else {
            bounds.known_nulls = true;
            bounds.nulls = bounds.rows;
        }
        if (!bound_filter_may_match(scan->filter, p, &bounds))
            return false;
    }
    return true;
}

bool scan_open_group(struct scan *scan)
{
    for (; scan->group < parquet_reader_row_groups(scan->reader); scan->group++) {
        scan->group_rows = parquet_row_group_rows(scan->reader, scan->group);
        scan->group_next = 0;
        if (scan->group_rows > 0 && group_may_match(scan)) {
            scan->group_open = true;
            scan->group_serial++;
            for (uint32_t p = 0; p < bound_filter_predicates(scan->filter); p++)
                scan->verdicts[p].dictionary = NULL;
            for (uint32_t i = 0; i < scan->fields_len; i++) {
                scan->fields[i].dictionary_asked = false;
                scan->fields[i].dictionary = NULL;
            }
            return true;
        }
        scan->group_base += scan->group_rows;
    }
    return false;
}

/* scan_unit.c: which units are read, and how: pruned by bounds, by an index, or whole. */
#include <stdlib.h>

#include "query/exec/scan_int.h"

void scan_close_unit(struct scan *scan)
{
    if (scan->segment && scan->reader)
        segment_reader_release(scan->segment, scan->reader);
    row_pin_release(&scan->pin);
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

static int compare_rows(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

void scan_sort_found(struct scan_found *found)
{
    qsort(found->rows, found->len, sizeof *found->rows, compare_rows);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < found->len; i++)
        if (i == 0 || found->rows[i] != found->rows[kept - 1])
            found->rows[kept++] = found->rows[i];
    found->len = kept;
}

/* Rows of one value; of a chunk they come as 32 bits. */
static enum status look_up_value(struct scan *scan, struct segment *segment, uint32_t field,
                                 uint32_t chunk, const struct value *value, uint64_t limit,
                                 struct scan_found *ret, struct error *err)
{
    const struct field *f = &scan->view->schema->fields[field];
    *ret = (struct scan_found){0};
    if (segment)
        return segment_lookup(segment, f->id, value, limit, &ret->usable, &ret->rows, &ret->len,
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

/* The first `n` of scan->points. Gives up when it exceeds `limit` rows. */
static enum status look_up_points(struct scan *scan, struct segment *segment, uint32_t field,
                                  uint32_t chunk, uint32_t n, uint64_t limit,
                                  struct scan_found *ret, struct error *err)
{
    *ret = (struct scan_found){.usable = true};
    for (uint32_t i = 0; i < n; i++) {
        struct scan_found one;
        enum status status =
            look_up_value(scan, segment, field, chunk, &scan->points[i], limit, &one, err);
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
            *ret = (struct scan_found){0};
            return status;
        }
    }
    if (ret->len)
        scan_sort_found(ret);
    return STATUS_OK;
}

/* All rows of a range, from the sorted index. */
static enum status look_up_range(struct scan *scan, struct segment *segment, uint32_t field,
                                 const struct value_range *range, uint64_t limit,
                                 struct scan_found *ret, struct error *err)
{
    *ret = (struct scan_found){0};
    return segment_range(segment, scan->view->schema->fields[field].id, range, limit, &ret->usable,
                         &ret->rows, &ret->len, err);
}

int32_t scan_points_of_all_types(struct scan *scan, uint32_t predicate, enum type type)
{
    const enum type narrower = type == TYPE_DOUBLE ? TYPE_INT64 : TYPE_DATE;
    int32_t n = bound_filter_points(scan->filter, predicate, type, scan->points);
    if (n < 0 || (type != TYPE_DOUBLE && type != TYPE_TIMESTAMP))
        return n;
    int32_t more = bound_filter_points(scan->filter, predicate, narrower, scan->points + n);
    return more < 0 ? -1 : n + more;
}

enum status scan_narrow(struct scan *scan, struct error *err)
{
    const struct view *view = scan->view;
    /* A view that was built by hand has no source and so no indexes. */
    bool may = view->source && scan->context.access == EXEC_ANY;
    uint32_t predicates = may ? bound_filter_predicates(scan->filter) : 0;
    uint32_t words = view->segments_len / 64 + 1, chunk_words = view->chunks_len / 64 + 1;
    if (scan->context.access != EXEC_FULL)
        TRY(scan_take_composites(scan, err));
    if (!predicates)
        return STATUS_OK;
    if (!scan->points)
        scan->points = malloc(2 * (size_t)BOUND_POINTS_MAX * sizeof *scan->points);
    scan->candidates = malloc((words + chunk_words) * sizeof *scan->candidates);
    if (!scan->points || !scan->candidates)
        return error_no_memory(err);
    memset(scan->candidates, 0xFF, (words + chunk_words) * sizeof *scan->candidates);
    scan->chunk_candidates = scan->candidates + words;
    for (uint32_t p = 0; p < predicates; p++) {
        int32_t field = bound_filter_column(scan->filter, p);
        int32_t n =
            field < 0 ? -1 : scan_points_of_all_types(scan, p, view->schema->fields[field].type);
        if (n < 0)
            continue;
        scan->stats.index_used |=
            view_narrow(scan->view, (uint32_t)field, scan->points, (uint32_t)n, scan->candidates);
        if (view->chunks_len >= SCAN_CHUNKS_NARROWED)
            scan->stats.index_used |= view_narrow_chunks(scan->view, (uint32_t)field, scan->points,
                                                         (uint32_t)n, scan->chunk_candidates);
    }
    scan_narrow_tuples(scan);
    return STATUS_OK;
}

bool scan_unit_type(const struct scan *scan, struct segment *segment, uint32_t field,
                    enum type *ret)
{
    const struct field *f = &scan->view->schema->fields[field];
    if (segment)
        return segment_column_type(segment, f->id, ret);
    int32_t column = batch_find(scan->chunk, f->name);
    if (column >= 0)
        *ret = scan->chunk->columns[column].column.type;
    return column >= 0;
}

/* Rows of one predicate by the indexes of its column, when they are at most `limit`. */
static enum status look_up_predicate(struct scan *scan, struct segment *segment, uint32_t chunk,
                                     uint32_t p, const struct scan_found *best,
                                     struct scan_found *ret, struct error *err)
{
    int32_t field = bound_filter_column(scan->filter, p);
    struct value_range range;
    enum type type;
    *ret = (struct scan_found){0};
    if (field < 0 || !scan_unit_type(scan, segment, (uint32_t)field, &type))
        return STATUS_OK;
    int32_t n = bound_filter_points(scan->filter, p, type, scan->points);
    if (n >= 0)
        return look_up_points(scan, segment, (uint32_t)field, chunk, (uint32_t)n,
                              best->usable ? best->len : scan->unit_rows / SCAN_LOOKUP_SHARE, ret,
                              err);
    if (segment && view_has_sorted(scan->view, (uint32_t)field) &&
        bound_filter_range(scan->filter, p, type, &range))
        return look_up_range(scan, segment, (uint32_t)field, &range,
                             best->usable ? best->len : scan->unit_rows / SCAN_RANGE_SHARE, ret,
                             err);
    return STATUS_OK;
}

/* The index with the fewest rows among those that the predicates have; first composite ones: what
 * such a one was asked for needs no other index. `segment` NULL: the chunk. */
static enum status choose_index(struct scan *scan, struct segment *segment, uint32_t chunk,
                                struct error *err)
{
    bool may = scan->view->source && scan->context.access == EXEC_ANY;
    uint32_t predicates = may ? bound_filter_predicates(scan->filter) : 0;
    struct scan_found best = {0};
    enum status status = may ? scan_look_up_tuples(scan, segment, chunk, &best, err) : STATUS_OK;
    uint64_t asked = best.predicates;
    for (uint32_t p = 0; p < predicates && status == STATUS_OK; p++) {
        struct scan_found found;
        if ((p < 64 && asked >> p & 1) || (best.usable && best.len <= SCAN_FEW_ROWS))
            continue;
        status = look_up_predicate(scan, segment, chunk, p, &best, &found, err);
        if (found.usable && (!best.usable || found.len < best.len)) {
            free(best.rows);
            best = found;
        } else {
            free(found.rows);
        }
    }
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

static enum status pick_rows(struct scan *scan, struct segment *segment, struct error *err)
{
    bool used = false;
    if (!scan->segment_pick || scan->deleted || scan->context.access == EXEC_FULL)
        return STATUS_OK;
    TRY(scan->segment_pick(scan->segment_known_context, segment, &used, &scan->rows,
                           &scan->rows_len, err));
    scan->by_rows = used;
    scan->stats.index_used |= used;
    return STATUS_OK;
}

static enum status open_segment(struct scan *scan, struct segment *segment,
                                struct deletion *deleted, struct error *err)
{
    scan->unit_rows = segment_info(segment).rows;
    if (scan->context.access != EXEC_FULL &&
        !scan_segment_may_match(scan, segment, scan->unit_rows)) {
        scan->stats.segments_pruned++;
        return STATUS_OK;
    }
    bool known = false;
    TRY(deletion_load(deleted, err));
    scan->deleted = deleted;
    if (scan->segment_known && scan->context.access != EXEC_FULL)
        TRY(scan->segment_known(scan->segment_known_context, segment, &known, err));
    if (known)
        return STATUS_OK;
    TRY(pick_rows(scan, segment, err));
    if (!scan->by_rows)
        TRY(choose_index(scan, segment, 0, err));
    if (scan->by_rows)
        scan->stats.segments_by_index++;
    else
        scan->stats.segments_scanned++;
    if (scan->by_rows && scan->rows_len == 0) {
        scan_close_unit(scan);
        return STATUS_OK;
    }
    if (!scan->by_rows || !segment_pin_rows(segment, scan->rows, scan->rows_len, &scan->pin))
        TRY(segment_reader(segment, &scan->reader, err));
    scan->stats.segments_read++;
    scan->segment = segment;
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
    return choose_index(scan, NULL, chunk, err);
}

/* The next set bit from `at` on; `end` when there is none. */
static uint32_t next_candidate(const uint64_t *candidates, uint32_t at, uint32_t end)
{
    while (at < end) {
        uint64_t left = candidates[at / 64] >> (at % 64);
        if (left) {
            at += (uint32_t)__builtin_ctzll(left);
            break;
        }
        at = (at / 64 + 1) * 64;
    }
    return at < end ? at : end;
}

/* Steps over segments, then chunks, that are no candidates. */
static void skip_units(struct scan *scan)
{
    uint32_t segments = scan->view->segments_len, from = scan->next_unit;
    if (scan->candidates && !scan->order && from < segments) {
        scan->next_unit = next_candidate(scan->candidates, from, segments);
        scan->stats.segments_pruned += scan->next_unit - from;
    }
    if (scan->chunk_candidates && scan->next_unit >= segments)
        scan->next_unit =
            segments + next_candidate(scan->chunk_candidates, scan->next_unit - segments,
                                      scan->view->chunks_len);
}

static bool is_candidate(const struct scan *scan, uint32_t unit)
{
    return !scan->candidates || (scan->candidates[unit / 64] >> (unit % 64) & 1);
}

enum status scan_seek(struct scan *scan, uint32_t unit, const uint64_t *row, struct error *err)
{
    const struct view *view = scan->view;
    bool open = scan->segment || scan->chunk;
    if (!open || scan->unit != unit) {
        scan_close_unit(scan);
        scan->unit = unit;
        if (unit < view->segments_len) {
            TRY(segment_reader(view->segments[unit], &scan->reader, err));
            scan->segment = view->segments[unit];
        } else {
            scan->chunk = view->chunks[unit - view->segments_len];
        }
    }
    for (uint32_t i = 0; i < scan->fields_len; i++)
        scan->fields[i].full_loaded = scan->fields[i].dense_loaded = false;
    scan->by_rows = true;
    scan->row_ids = row;
    scan->count = scan->selected = 1;
    scan->all = true;
    return exec_poll(&scan->context, err);
}

enum status scan_open_unit(struct scan *scan, bool *ret_more, struct error *err)
{
    const struct view *view = scan->view;
    while (!scan->segment && !scan->chunk) {
        *ret_more = false;
        skip_units(scan);
        if (scan->next_unit == view->segments_len + view->chunks_len)
            return STATUS_OK;
        uint32_t unit = scan->next_unit++;
        if (scan->order && unit < view->segments_len)
            unit = scan->order[unit];
        scan->unit = unit;
        if (unit < view->segments_len && !is_candidate(scan, unit)) {
            scan->stats.segments_pruned++;
            continue;
        }
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

bool scan_open_group(struct scan *scan)
{
    for (; scan->group < parquet_reader_row_groups(scan->reader); scan->group++) {
        scan->group_rows = parquet_row_group_rows(scan->reader, scan->group);
        scan->group_next = 0;
        bool all = scan->context.access == EXEC_FULL;
        bool ours = !scan->context.parts || scan->group % scan->context.parts == scan->context.part;
        if (scan->group_rows > 0 && ours &&
            (all || (scan_group_may_match(scan) && scan_prune_pages(scan)))) {
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

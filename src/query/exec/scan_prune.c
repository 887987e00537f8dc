/* scan_prune.c: what bounds and Bloom filters leave of segments, row groups and pages. */
#include "query/exec/scan_int.h"

enum { BLOOM_POINTS_MAX = 16 }; /* longer lists are not asked for in Bloom filters */

/* What is known of a column over a whole segment. */
static void look_at_bounds(const struct scan *scan, const struct segment *segment, uint32_t index,
                           struct column_bounds *bounds)
{
    const struct schema *schema = scan->view->schema;
    const struct value *initial = schema->traits[index].initial;
    bounds->known_nulls = segment_bounds(segment, schema->fields[index].id, &bounds->min,
                                         &bounds->max, &bounds->nulls);
    if (initial && segment_column(segment, schema->fields[index].id) < 0) {
        bounds->min = bounds->max = *initial;
        bounds->nulls = 0;
    }
    bounds->has_range = bounds->known_nulls && bounds->nulls < bounds->rows;
}

bool scan_segment_may_match(struct scan *scan, struct segment *segment, uint64_t rows)
{
    if (bound_filter_is_never(scan->filter))
        return false;
    for (uint32_t p = 0; p < bound_filter_predicates(scan->filter); p++) {
        int32_t field = bound_filter_column(scan->filter, p);
        struct column_bounds bounds = {.rows = rows};
        if (field < 0)
            continue;
        look_at_bounds(scan, segment, (uint32_t)field, &bounds);
        if (!bound_filter_may_match(scan->filter, p, &bounds))
            return false;
    }
    return true;
}

static bool bounds_may_match(struct scan *scan)
{
    for (uint32_t p = 0; p < bound_filter_predicates(scan->filter); p++) {
        int32_t field = bound_filter_column(scan->filter, p);
        const struct scan_field *f = field >= 0 ? scan_resolve(scan, (uint32_t)field) : NULL;
        struct column_bounds bounds = {.rows = scan->group_rows};
        if (!f || f->initial) /* the whole segment has been looked at */
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

static bool blooms_may_match(struct scan *scan)
{
    for (uint32_t p = 0; scan->points && p < bound_filter_predicates(scan->filter); p++) {
        int32_t field = bound_filter_column(scan->filter, p);
        const struct scan_field *f = field >= 0 ? scan_resolve(scan, (uint32_t)field) : NULL;
        if (!f || f->column < 0)
            continue;
        int32_t n = bound_filter_points(scan->filter, p, f->physical, scan->points);
        bool found = n < 0 || n > BLOOM_POINTS_MAX;
        for (int32_t i = 0; i < n && !found; i++)
            found = parquet_bloom_check(scan->reader, scan->group, (uint32_t)f->column,
                                        &scan->points[i]);
        if (!found)
            return false;
    }
    return true;
}

bool scan_group_may_match(struct scan *scan)
{
    return bounds_may_match(scan) && blooms_may_match(scan);
}

/* Marks the units that lie wholly in a page as dead. */
static void mark_dead(struct scan *scan, const struct parquet_page_info *page)
{
    uint64_t first = (page->first_row + SCAN_UNIT_ROWS - 1) / SCAN_UNIT_ROWS;
    uint64_t end = page->first_row + page->rows;
    end = end == scan->group_rows ? (end + SCAN_UNIT_ROWS - 1) / SCAN_UNIT_ROWS
                                  : end / SCAN_UNIT_ROWS;
    for (uint64_t unit = first; unit < end; unit++)
        scan->dead_units[unit / 64] |= UINT64_C(1) << (unit % 64);
}

/* `predicate` beyond the filter's: by page_known. */
static void prune_column(struct scan *scan, uint32_t predicate, uint32_t column)
{
    uint32_t pages = 0;
    if (parquet_pages(scan->reader, scan->group, column, &pages, NULL) != STATUS_OK || pages < 2)
        return;
    for (uint32_t i = 0; i < pages; i++) {
        struct parquet_page_info page;
        parquet_page(scan->reader, scan->group, column, i, &page);
        struct column_bounds bounds = {.known_nulls = page.has_nulls_count,
                                       .rows = page.rows,
                                       .nulls = page.nulls,
                                       .has_range = page.has_bounds,
                                       .min = page.min,
                                       .max = page.max};
        bool dead = predicate < bound_filter_predicates(scan->filter)
                        ? !bound_filter_may_match(scan->filter, predicate, &bounds)
                        : scan->page_known(scan->segment_known_context, &bounds);
        if (dead)
            mark_dead(scan, &page);
    }
}

bool scan_prune_pages(struct scan *scan)
{
    uint64_t units = (scan->group_rows + SCAN_UNIT_ROWS - 1) / SCAN_UNIT_ROWS;
    memset(scan->dead_units, 0, sizeof scan->dead_units);
    if (units < 2 || units > SCAN_UNITS_MAX)
        return true;
    for (uint32_t p = 0; p < bound_filter_predicates(scan->filter); p++) {
        int32_t field = bound_filter_column(scan->filter, p);
        const struct scan_field *f = field >= 0 ? scan_resolve(scan, (uint32_t)field) : NULL;
        if (f && f->column >= 0)
            prune_column(scan, p, (uint32_t)f->column);
    }
    if (scan->page_known) {
        const struct scan_field *f = scan_resolve(scan, scan->page_field);
        if (f->column >= 0)
            prune_column(scan, UINT32_MAX, (uint32_t)f->column);
    }
    for (uint64_t unit = 0; unit < units; unit++)
        if (!scan_unit_is_dead(scan, unit))
            return true;
    return false;
}

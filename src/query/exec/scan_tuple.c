/* scan_tuple.c: what a filter says of the columns of a composite index, and asking it.
 *
 *   hash    every column has a finite set of values: each combination is looked up
 *   sorted  the first columns have one value each; the next one a range, or nothing
 * Rows found still go through the filter. */
#include <stdlib.h>

#include "query/exec/scan_int.h"

/* What the filter says of one column. */
struct said {
    int32_t points_len; /* -1: no finite set, or a large one */
    struct value points[SCAN_TUPLES_MAX];
    bool has_range;
    struct value_range range;
    uint32_t predicate; /* that says it */
};

enum status scan_take_composites(struct scan *scan, struct error *err)
{
    struct composite list[SOURCE_COMPOSITES_MAX];
    uint32_t len = view_composites(scan->view, list);
    if (len == 0)
        return STATUS_OK;
    scan->composites = malloc(len * sizeof *list);
    scan->points = malloc(2 * (size_t)BOUND_POINTS_MAX * sizeof *scan->points);
    if (!scan->composites || !scan->points)
        return error_no_memory(err);
    memcpy(scan->composites, list, len * sizeof *list);
    scan->composites_len = len;
    return STATUS_OK;
}

static void take_points(struct scan *scan, int32_t n, struct said *ret)
{
    ret->points_len = n <= SCAN_TUPLES_MAX ? n : -1;
    if (ret->points_len > 0)
        memcpy(ret->points, scan->points, (uint32_t)n * sizeof *ret->points);
}

/* Of a field of type `type` in the unit; `all`: values of narrower types too, no range. */
static bool read_filter(struct scan *scan, uint32_t field, enum type type, bool all,
                        struct said *ret)
{
    ret->points_len = -1;
    ret->has_range = false;
    for (uint32_t p = 0; p < bound_filter_predicates(scan->filter); p++) {
        if (bound_filter_column(scan->filter, p) != (int32_t)field)
            continue;
        int32_t n = all ? scan_points_of_all_types(scan, p, type)
                        : bound_filter_points(scan->filter, p, type, scan->points);
        take_points(scan, n, ret);
        ret->predicate = p;
        ret->has_range = !all && bound_filter_range(scan->filter, p, type, &ret->range);
        if (ret->points_len >= 0 || ret->has_range)
            return true;
    }
    return false;
}

/* Combination number `at`; false when there is no such. */
static bool combine(const struct said *said, uint32_t len, uint32_t at, struct value *ret)
{
    for (uint32_t i = 0; i < len; i++) {
        uint32_t n = (uint32_t)said[i].points_len;
        if (n == 0)
            return false;
        ret[i] = said[i].points[at % n];
        at /= n;
    }
    return at == 0;
}

static uint64_t combinations(const struct said *said, uint32_t len)
{
    uint64_t product = 1;
    for (uint32_t i = 0; i < len; i++)
        product *= (uint32_t)said[i].points_len;
    return product;
}

static void narrow_by(struct scan *scan, const struct composite *composite, struct said *said)
{
    uint32_t len = composite->def.fields_len;
    uint64_t hashes[SCAN_TUPLES_MAX];
    struct value values[INDEX_FIELDS_MAX];
    for (uint32_t i = 0; i < len; i++) {
        enum type type = scan->view->schema->fields[composite->fields[i]].type;
        if (!read_filter(scan, composite->fields[i], type, true, &said[i]))
            return;
    }
    uint64_t n = combinations(said, len);
    if (n > SCAN_TUPLES_MAX)
        return;
    for (uint32_t i = 0; i < n && combine(said, len, i, values); i++)
        hashes[i] = values_hash(values, len);
    scan->stats.index_used |=
        view_narrow_tuples(scan->view, composite, hashes, (uint32_t)n, scan->candidates);
}

void scan_narrow_tuples(struct scan *scan)
{
    struct said *said =
        scan->composites_len ? malloc(INDEX_FIELDS_MAX * sizeof *said) : NULL; /* 12 KiB */
    for (uint32_t i = 0; said && i < scan->composites_len; i++)
        if (scan->composites[i].kind == INDEX_KIND_HASH)
            narrow_by(scan, &scan->composites[i], said);
    free(said);
}

/* --- hash --- */

static enum status look_up_one(struct scan *scan, struct segment *segment, uint32_t chunk,
                               const struct composite *composite, const struct value *values,
                               uint64_t limit, struct scan_found *ret, struct error *err)
{
    uint32_t *rows = NULL;
    *ret = (struct scan_found){0};
    if (segment)
        return segment_lookup_tuple(segment, &composite->def, values, limit, &ret->usable,
                                    &ret->rows, &ret->len, err);
    TRY(view_chunk_lookup_tuple(scan->view, chunk, composite, values, &ret->usable, &rows,
                                &ret->len, err));
    if (ret->usable && ret->len) {
        ret->rows = malloc(ret->len * sizeof *ret->rows);
        for (uint32_t i = 0; ret->rows && i < ret->len; i++)
            ret->rows[i] = rows[i];
    }
    free(rows);
    return ret->len && !ret->rows ? error_no_memory(err) : STATUS_OK;
}

static enum status add_found(struct scan_found *all, const struct scan_found *one,
                             struct error *err)
{
    if (one->len == 0)
        return STATUS_OK;
    uint64_t *grown = realloc(all->rows, (one->len + (size_t)all->len) * sizeof *grown);
    if (!grown)
        return error_no_memory(err);
    memcpy(grown + all->len, one->rows, one->len * sizeof *grown);
    all->rows = grown;
    all->len += one->len;
    return STATUS_OK;
}

/* All combinations, when their rows are at most `limit`. */
static enum status look_up_hash(struct scan *scan, struct segment *segment, uint32_t chunk,
                                const struct composite *composite, const struct said *said,
                                uint64_t limit, struct scan_found *ret, struct error *err)
{
    uint32_t len = composite->def.fields_len;
    struct value values[INDEX_FIELDS_MAX];
    enum status status = STATUS_OK;
    bool all = combinations(said, len) <= SCAN_TUPLES_MAX;
    for (uint32_t i = 0; all && status == STATUS_OK && combine(said, len, i, values); i++) {
        struct scan_found one;
        status = look_up_one(scan, segment, chunk, composite, values, limit, &one, err);
        all = status == STATUS_OK && one.usable && one.len + (uint64_t)ret->len <= limit;
        if (all)
            status = add_found(ret, &one, err);
        free(one.rows);
    }
    ret->usable = all && status == STATUS_OK;
    if (ret->usable && ret->len)
        scan_sort_found(ret);
    return status;
}

/* --- sorted --- */

/* How many of the first columns have one value; `*ret_none`: one of them none. */
static uint32_t prefix_of(const struct said *said, uint32_t len, struct value *ret, bool *ret_none)
{
    uint32_t n = 0;
    *ret_none = false;
    for (; n < len && said[n].points_len >= 0 && said[n].points_len <= 1; n++) {
        *ret_none |= said[n].points_len == 0;
        ret[n] = said[n].points[0];
    }
    return n;
}

static enum status look_up_sorted(const struct scan *scan, struct segment *segment,
                                  const struct composite *composite, const struct said *said,
                                  uint32_t known, uint64_t limit, struct scan_found *ret,
                                  struct error *err)
{
    struct value prefix[INDEX_FIELDS_MAX];
    bool none;
    struct tuple_range range = {.prefix = prefix};
    range.prefix_len = prefix_of(said, known, prefix, &none);
    if (range.prefix_len < known && said[range.prefix_len].has_range)
        range.next = &said[range.prefix_len].range;
    if (none) {
        ret->usable = true;
        return STATUS_OK;
    }
    if (range.prefix_len == 0 && !range.next)
        return STATUS_OK;
    uint64_t most = scan->unit_rows / SCAN_RANGE_SHARE;
    return segment_range_tuple(segment, &composite->def, &range, limit < most ? limit : most,
                               &ret->usable, &ret->rows, &ret->len, err);
}

/* --- choosing --- */

/* `known`: how many of the first columns the filter says something of. */
static enum status look_up(struct scan *scan, struct segment *segment, uint32_t chunk,
                           const struct composite *composite, const struct said *said,
                           uint32_t known, uint64_t limit, struct scan_found *ret,
                           struct error *err)
{
    *ret = (struct scan_found){0};
    bool points = known == composite->def.fields_len;
    for (uint32_t i = 0; i < known; i++)
        points &= said[i].points_len >= 0;
    enum status status = STATUS_OK;
    if (composite->kind == INDEX_KIND_HASH && points)
        status = look_up_hash(scan, segment, chunk, composite, said, limit, ret, err);
    else if (composite->kind == INDEX_KIND_SORTED && segment)
        status = look_up_sorted(scan, segment, composite, said, known, limit, ret, err);
    bool one = true; /* of a sorted one: up to the first column without a single value */
    for (uint32_t i = 0; ret->usable && i < known && one; i++) {
        one = composite->kind == INDEX_KIND_HASH || (said[i].points_len & ~1) == 0;
        if (said[i].predicate < 64 && (one || said[i].has_range))
            ret->predicates |= UINT64_C(1) << said[i].predicate;
    }
    return status;
}

static uint32_t read_columns(struct scan *scan, struct segment *segment,
                             const struct composite *composite, struct said *said)
{
    uint32_t known = 0;
    enum type type;
    while (known < composite->def.fields_len &&
           scan_unit_type(scan, segment, composite->fields[known], &type) &&
           read_filter(scan, composite->fields[known], type, false, &said[known]))
        known++;
    return known;
}

enum status scan_look_up_tuples(struct scan *scan, struct segment *segment, uint32_t chunk,
                                struct scan_found *ret, struct error *err)
{
    enum status status = STATUS_OK;
    struct scan_found best = {0};
    *ret = best;
    if (scan->composites_len == 0)
        return STATUS_OK;
    struct said *said = malloc(INDEX_FIELDS_MAX * sizeof *said);
    if (!said)
        return error_no_memory(err);
    for (uint32_t i = 0; i < scan->composites_len && status == STATUS_OK; i++) {
        const struct composite *composite = &scan->composites[i];
        uint64_t limit = best.usable ? best.len : scan->unit_rows / SCAN_LOOKUP_SHARE;
        struct scan_found found = {0};
        uint32_t known = read_columns(scan, segment, composite, said);
        if (known == 0 || (best.usable && best.len <= SCAN_FEW_ROWS))
            continue;
        status = look_up(scan, segment, chunk, composite, said, known, limit, &found, err);
        if (status == STATUS_OK && found.usable && (!best.usable || found.len < best.len)) {
            free(best.rows);
            best = found;
        } else {
            free(found.rows);
        }
    }
    free(said);
    *ret = best;
    return status;
}

/* --- in order --- */

/* The filter has these predicates only: one value for each column of the prefix, and perhaps an
 * interval of the column behind. */
static bool says_just(struct scan *scan, const struct said *said, uint32_t known, uint32_t prefix)
{
    uint32_t used = prefix;
    for (uint32_t i = 0; i < prefix && i < known; i++)
        if (said[i].points_len < 0 || said[i].points_len > 1)
            return false;
    if (known > prefix) {
        if (!said[prefix].has_range || !bound_filter_is_range(scan->filter, said[prefix].predicate))
            return false;
        used++;
    }
    return known >= prefix && used == bound_filter_predicates(scan->filter) &&
           !bound_filter_where(scan->filter);
}

enum status scan_first_tuples(struct scan *scan, struct segment *segment,
                              const struct composite *composite, uint32_t prefix, bool descending,
                              uint32_t count, struct scan_found *ret, struct error *err)
{
    struct value values[INDEX_FIELDS_MAX];
    struct tuple_range range = {.prefix = values, .prefix_len = prefix};
    bool none = false;
    *ret = (struct scan_found){0};
    struct said *said = malloc(INDEX_FIELDS_MAX * sizeof *said);
    if (!said)
        return error_no_memory(err);
    uint32_t known = read_columns(scan, segment, composite, said);
    enum status status = STATUS_OK;
    if (says_just(scan, said, known, prefix)) {
        (void)prefix_of(said, prefix, values, &none);
        range.next = known > prefix ? &said[prefix].range : NULL;
        ret->usable = none;
        if (!none)
            status = segment_first_tuples(segment, &composite->def, &range, descending, count,
                                          &ret->usable, &ret->rows, &ret->len, err);
    }
    free(said);
    return status;
}

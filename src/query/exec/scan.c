/* scan.c: the loop over units and slices, and the filter over a slice. */
#include <stdlib.h>

#include "query/exec/scan_int.h"

enum status exec_poll(const struct exec_context *context, struct error *err)
{
    if (context->cancelled && atomic_load_explicit(context->cancelled, memory_order_relaxed))
        return error_set(err, STATUS_CANCELLED, "the query was cancelled");
    if (context->deadline_us && sys_mono_us(context->sys) >= context->deadline_us)
        return error_set(err, STATUS_TIMEOUT, "the query ran past its deadline");
    return STATUS_OK;
}

enum status scan_init(struct scan *scan, struct view *view, const struct filter *filter,
                      const struct exec_context *context, struct error *err)
{
    *scan = (struct scan){.view = view, .context = *context};
    scan->stats.segments = view->segments_len;
    TRY(filter_bind(filter, view->schema, &scan->filter, err));
    scan->fields_len = view->schema->fields_len;
    scan->fields = calloc((size_t)scan->fields_len + 1, sizeof *scan->fields);
    scan->selection = malloc(SCAN_SLICE_ROWS * sizeof *scan->selection);
    scan->verdicts =
        calloc((size_t)bound_filter_predicates(scan->filter) + 1, sizeof *scan->verdicts);
    enum status status = STATUS_OK;
    if (!scan->fields || !scan->selection || !scan->verdicts)
        status = error_no_memory(err);
    if (status == STATUS_OK && bound_filter_where(scan->filter))
        status = expr_run_new(bound_filter_where(scan->filter), &scan->where, err);
    if (status == STATUS_OK)
        status = scan_narrow(scan, err);
    if (status != STATUS_OK)
        scan_release(scan);
    return status;
}

void scan_release(struct scan *scan)
{
    scan_close_unit(scan);
    for (uint32_t i = 0; scan->fields && i < scan->fields_len; i++) {
        column_release(&scan->fields[i].own);
        column_release(&scan->fields[i].dense);
        free(scan->fields[i].codes);
    }
    for (uint32_t i = 0; scan->verdicts && i < bound_filter_predicates(scan->filter); i++)
        free(scan->verdicts[i].matches);
    free(scan->fields);
    free(scan->candidates);
    free(scan->points);
    free(scan->composites);
    free(scan->verdicts);
    free(scan->selection);
    expr_run_free(scan->where);
    bound_filter_free(scan->filter);
    *scan = (struct scan){0};
}

/* The next run of rows of the open row group that page bounds leave; false when there is none. */
static bool next_rows(struct scan *scan)
{
    uint64_t at = scan->group_next, end = scan->group_rows;
    while (at < end && scan_unit_is_dead(scan, at / SCAN_UNIT_ROWS))
        at = (at / SCAN_UNIT_ROWS + 1) * SCAN_UNIT_ROWS;
    scan->first = at < end ? at : end;
    while (at < end && at - scan->first < SCAN_SLICE_ROWS &&
           !scan_unit_is_dead(scan, at / SCAN_UNIT_ROWS))
        at = (at / SCAN_UNIT_ROWS + 1) * SCAN_UNIT_ROWS;
    scan->group_next = at < end ? at : end;
    scan->count = (uint32_t)(scan->group_next - scan->first);
    return scan->count > 0;
}

/* Sets the bounds of the next slice of the open unit; false when the unit is done. */
static bool next_slice(struct scan *scan)
{
    uint64_t left;
    if (scan->by_rows) {
        left = scan->rows_len - scan->rows_next;
        scan->row_ids = scan->rows + scan->rows_next;
        scan->count = (uint32_t)(left < SCAN_SLICE_ROWS ? left : SCAN_SLICE_ROWS);
        scan->rows_next += scan->count;
        return scan->count > 0;
    }
    if (scan->segment) {
        while (!scan->group_open || !next_rows(scan)) {
            if (scan->group_open) {
                scan->group++;
                scan->group_base += scan->group_rows;
            }
            scan->group_open = false;
            if (!scan_open_group(scan))
                return false;
        }
        return true;
    }
    left = scan->unit_rows - scan->unit_next;
    scan->first = scan->unit_next;
    scan->count = (uint32_t)(left < SCAN_SLICE_ROWS ? left : SCAN_SLICE_ROWS);
    scan->unit_next += scan->count;
    return scan->count > 0;
}

/* Decides a predicate for every entry of a dictionary, once. */
static enum status judge(struct scan *scan, uint32_t predicate, const struct column *dictionary,
                         struct error *err)
{
    struct scan_verdict *verdict = &scan->verdicts[predicate];
    if (verdict->dictionary == dictionary)
        return STATUS_OK;
    uint32_t n = dictionary->rows;
    uint32_t *rows = malloc((n + 1) * sizeof *rows);
    if (rows && n > verdict->cap) {
        uint8_t *grown = realloc(verdict->matches, n);
        verdict->matches = grown ? grown : verdict->matches;
        verdict->cap = grown ? n : verdict->cap;
    }
    if (!rows || n > verdict->cap) {
        free(rows);
        return error_no_memory(err);
    }
    enum status status = bound_filter_eval(scan->filter, predicate, dictionary, NULL, n, rows,
                                           &verdict->matching, err);
    if (status == STATUS_OK) {
        memset(verdict->matches, 0, n);
        for (uint32_t i = 0; i < verdict->matching; i++)
            verdict->matches[rows[i]] = 1;
        verdict->dictionary = dictionary;
    }
    free(rows);
    return status;
}

static uint32_t select_codes(const uint32_t *codes, const uint8_t *matches, const uint32_t *in,
                             uint32_t n, uint32_t *out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = in ? in[i] : i;
        out[kept] = row;
        kept += codes[row] != PARQUET_CODE_NULL && matches[codes[row]];
    }
    return kept;
}

static enum status filter_codes(struct scan *scan, uint32_t predicate, uint32_t field,
                                const struct column *dictionary, const uint32_t *in, uint32_t *n,
                                struct error *err)
{
    TRY(judge(scan, predicate, dictionary, err));
    if (scan->verdicts[predicate].matching == 0) {
        *n = 0;
        scan->group_next = scan->group_rows; /* nothing in the whole row group */
        return STATUS_OK;
    }
    TRY(scan_load_codes(scan, field, err));
    *n = select_codes(scan->fields[field].codes, scan->verdicts[predicate].matches, in, *n,
                      scan->selection);
    return STATUS_OK;
}

static enum status filter_predicate(struct scan *scan, uint32_t predicate, const uint32_t *in,
                                    uint32_t *n, struct error *err)
{
    int32_t field = bound_filter_column(scan->filter, predicate);
    const struct column *column = NULL;
    if (field >= 0 && scan->segment && !scan->by_rows &&
        !bound_filter_takes_null(scan->filter, predicate)) {
        const struct column *dictionary;
        TRY(scan_dictionary(scan, (uint32_t)field, &dictionary, err));
        if (dictionary)
            return filter_codes(scan, predicate, (uint32_t)field, dictionary, in, n, err);
    }
    if (field >= 0)
        TRY(scan_load(scan, (uint32_t)field, &column, err));
    return bound_filter_eval(scan->filter, predicate, column, in, *n, scan->selection, n, err);
}

/* Selects the rows of the slice that are not deleted; false: there are none to leave out. */
static bool select_live(struct scan *scan)
{
    uint32_t kept = 0;
    if (!scan->deleted || (!scan->by_rows && deletion_next(scan->deleted, scan_row(scan, 0)) >=
                                                 scan_row(scan, 0) + scan->count))
        return false;
    for (uint32_t i = 0; i < scan->count; i++) {
        scan->selection[kept] = i;
        kept += !deletion_has(scan->deleted, scan_row(scan, i));
    }
    scan->selected = kept;
    return kept < scan->count;
}

static enum status input_of_where(void *context, uint32_t input, const struct column **ret,
                                  struct error *err)
{
    return scan_dense_first(context, input, ret, err);
}

/* The expression over the rows that the predicates leave. */
static enum status filter_where(struct scan *scan, struct error *err)
{
    const struct expr_source source = {scan, input_of_where};
    const struct column *truth;
    uint32_t before = scan->selected;
    TRY(expr_run_eval(scan->where, &source, before, &truth, err));
    scan->selected =
        expr_select(truth, scan->all ? NULL : scan->selection, before, scan->selection);
    scan->all = scan->all && scan->selected == before;
    for (uint32_t i = 0; scan->selected < before && i < scan->fields_len; i++)
        scan->fields[i].dense_loaded = false;
    return STATUS_OK;
}

static enum status filter_slice(struct scan *scan, struct error *err)
{
    for (uint32_t i = 0; i < scan->fields_len; i++) {
        scan->fields[i].full_loaded = false;
        scan->fields[i].codes_loaded = false;
        scan->fields[i].dense_loaded = false;
    }
    uint32_t predicates = bound_filter_predicates(scan->filter);
    scan->selected = scan->count;
    bool some = select_live(scan);
    scan->all = predicates == 0 && !some;
    scan->stats.rows_scanned += scan->count;
    for (uint32_t p = 0; p < predicates && scan->selected > 0; p++)
        TRY(filter_predicate(scan, p, p || some ? scan->selection : NULL, &scan->selected, err));
    if (scan->selected == scan->count)
        scan->all = true;
    if (scan->where && scan->selected > 0)
        TRY(filter_where(scan, err));
    scan->stats.rows_matched += scan->selected;
    return STATUS_OK;
}

enum status scan_next(struct scan *scan, bool *ret_more, struct error *err)
{
    for (;;) {
        TRY(exec_poll(&scan->context, err));
        if (scan->context.rows_max && scan->stats.rows_scanned > scan->context.rows_max)
            return error_set(err, STATUS_TIMEOUT, "the query has looked at more than %llu rows",
                             (unsigned long long)scan->context.rows_max);
        if (!scan->segment && !scan->chunk) {
            TRY(scan_open_unit(scan, ret_more, err));
            if (!*ret_more)
                return STATUS_OK;
        }
        if (!next_slice(scan)) {
            scan_close_unit(scan);
            continue;
        }
        TRY(filter_slice(scan, err));
        *ret_more = true;
        if (scan->selected > 0)
            return STATUS_OK;
    }
}

/* matview_base.c: what a materialised view is made of now, against what it was made of.
 *
 *   1. read the query, put views in, find the sources below
 *   2. flush each and open it as of its snapshot
 *   3. walk the snapshots back to the one that the content shows: appends are new rows,
 *      compactions nothing, all else makes it new */
#include <stdlib.h>

#include "services/tenant/matview.h"

enum { FLUSH_TRIES = 5 };

/* ---- 1 ---- */

static enum status make_catalog(struct matview_refresh *r, const struct source_set *set,
                                struct lang_catalog *ret, struct error *err)
{
    struct lang_source *sources = arena_array(r->arena, set->len + SQL_VIEWS_MAX, sizeof *sources);
    if (!sources)
        return error_no_memory(err);
    for (uint32_t i = 0; i < set->len; i++) {
        struct schema *schema = source_schema(set->sources[i]);
        struct field *fields = arena_array(r->arena, schema->fields_len + 1u, sizeof *fields);
        for (uint32_t k = 0; fields && k < schema->fields_len; k++) {
            fields[k] = schema->fields[k];
            fields[k].name = arena_str(r->arena, fields[k].name);
        }
        struct str name = arena_str(r->arena, source_config(set->sources[i])->source_id);
        sources[i] = fields ? lang_source_of(r->arena, name, fields, schema->fields_len)
                            : (struct lang_source){0};
        schema_unref(schema);
        if (!name.data || !sources[i].columns)
            return error_no_memory(err);
    }
    *ret = (struct lang_catalog){sources, set->len};
    return STATUS_OK;
}

static enum status failed(const struct lang_problem *problem, struct error *err)
{
    return error_set(err, STATUS_UNSUPPORTED_SQL, "its query cannot be read any more: %s",
                     problem->message);
}

/* The query with views put in, as text. */
static enum status expand(struct matview_refresh *r, struct lang_catalog *catalog,
                          struct error *err)
{
    struct lang_query query;
    struct lang_problem problem;
    struct sql_view_set set;
    struct buf out;
    bool changed;
    struct lang_problems *problems = ARENA_NEW(r->arena, struct lang_problems);
    if (!problems)
        return error_no_memory(err);
    if (lang_parse(r->arena, r->view->query, LANG_DUCKDB, NULL, &query, &problem) != STATUS_OK)
        return failed(&problem, err);
    TRY(sql_view_resolve(r->node, r->arena, query.root, catalog, &set, err));
    enum status status = lang_bind(r->arena, &query, catalog, problems);
    if (status != STATUS_OK)
        return problems->count ? failed(&problems->items[0], err) : error_no_memory(err);
    buf_init(&out, 8 * SQL_VIEW_TEXT_MAX);
    status = lang_expand(r->arena, &query, catalog, set.views, set.len, &changed, &problem);
    if (status == STATUS_OK)
        status = lang_rewrite(r->arena, &query, &out, &problem);
    if (status == STATUS_OK)
        r->query = arena_str(r->arena, buf_str(&out));
    buf_release(&out);
    if (status != STATUS_OK)
        return failed(&problem, err);
    return r->query.data ? STATUS_OK : error_no_memory(err);
}

/* ---- 2 ---- */

/* The one of its snapshots; without any the source is empty. */
static enum status open_flushed(struct source *source, struct view *ret, struct error *err)
{
    for (int i = 0; i < FLUSH_TRIES; i++) {
        TRY(source_flush(source, err));
        TRY(view_open(source, ret, err));
        if (ret->snapshot_id == 0 && ret->chunks_len == 0)
            return STATUS_OK;
        struct as_of as_of = {.kind = AS_OF_ID, .id = ret->snapshot_id};
        view_close(ret);
        if (as_of.id)
            return view_open_as_of(source, &as_of, ret, err);
    }
    return error_set(err, STATUS_UNAVAILABLE, "the source is written to faster than it is flushed");
}

const struct snapshot_info *matview_snapshot(const struct snapshot_list *list, uint64_t id)
{
    for (uint32_t i = 0; i < list->len; i++) {
        if (list->items[i].id == id && !list->items[i].is_damaged)
            return &list->items[i];
    }
    return NULL;
}

static enum status describe_base(struct matview_refresh *r, struct source *source,
                                 const struct view *view, struct matview_base *ret,
                                 struct error *err)
{
    struct snapshot_list list;
    char *uuid = arena_alloc(r->arena, UUID_TEXT_LEN + 1);
    if (!uuid)
        return error_no_memory(err);
    uuid_format(source_incarnation(source), uuid);
    TRY(source_list_snapshots(source, &list, err));
    const struct snapshot_info *info = matview_snapshot(&list, view->snapshot_id);
    *ret = (struct matview_base){.source = arena_str(r->arena, source_config(source)->source_id),
                                 .incarnation = str_of(uuid),
                                 .snapshot = view->snapshot_id,
                                 .time_us = info ? info->time_us : 0,
                                 .schema = view->schema->id};
    snapshot_list_release(&list);
    return ret->source.data ? STATUS_OK : error_no_memory(err);
}

static enum status open_base(struct matview_refresh *r, struct source *source, struct error *err)
{
    struct str id = source_config(source)->source_id;
    for (uint32_t i = 0; i < r->bases.len; i++) {
        if (str_eq(r->bases.items[i].source, id))
            return STATUS_OK;
    }
    if (str_eq_nocase(id, r->view->name))
        return error_set(err, STATUS_UNSUPPORTED_SQL, "it reads itself, by the views it reads");
    if (r->bases.len == MATVIEW_BASES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "it reads more than %d sources",
                         MATVIEW_BASES_MAX);
    uint32_t at = r->bases.len;
    TRY(open_flushed(source, &r->views[at], err));
    r->tables[at].view = &r->views[at];
    r->bases.len++;
    return describe_base(r, source, &r->views[at], &r->bases.items[at], err);
}

static struct source *source_named(const struct source_set *set, struct str name)
{
    struct source *alike = NULL;
    for (uint32_t i = 0; i < set->len; i++) {
        struct str id = source_config(set->sources[i])->source_id;
        if (str_eq(id, name))
            return set->sources[i];
        if (str_eq_nocase(id, name))
            alike = set->sources[i];
    }
    return alike;
}

static enum status open_bases(struct matview_refresh *r, const struct source_set *set,
                              struct error *err)
{
    struct lang_query query;
    struct lang_problem problem;
    struct lang_places places;
    if (lang_parse(r->arena, r->query, LANG_DUCKDB, NULL, &query, &problem) != STATUS_OK)
        return failed(&problem, err);
    if (lang_find_tables(r->arena, query.root, &places) != STATUS_OK ||
        lang_delta_of(r->arena, &query, &r->delta) != STATUS_OK)
        return error_no_memory(err);
    r->bases.query_hash = (int64_t)str_hash(r->query);
    for (size_t i = 0; i < places.len; i++) {
        struct str name = lang_place_name(places.tables[i]);
        struct source *source = name.data ? source_named(set, name) : NULL;
        if (!source)
            return error_set(err, STATUS_UNSUPPORTED_SQL,
                             "a materialised view reads sources and views of them only");
        TRY(open_base(r, source, err));
    }
    return STATUS_OK;
}

enum status matview_open(struct matview_refresh *r, struct error *err)
{
    struct source_set set;
    struct lang_catalog catalog;
    TRY(source_set_open(r->node, NULL, &set, err));
    enum status status = make_catalog(r, &set, &catalog, err);
    if (status == STATUS_OK)
        status = expand(r, &catalog, err);
    if (status == STATUS_OK)
        status = open_bases(r, &set, err);
    source_set_close(&set);
    return status;
}

void matview_close(struct matview_refresh *r)
{
    for (uint32_t i = 0; i < r->kept_len; i++)
        view_close(&r->kept[i]);
    free(r->kept);
    for (uint32_t i = 0; i < r->bases.len; i++)
        view_close(&r->views[i]);
}

/* ---- 3 ---- */

static bool is_same_base(const struct matview_base *a, const struct matview_base *b)
{
    return str_eq(a->source, b->source) && str_eq(a->incarnation, b->incarnation) &&
           a->schema == b->schema;
}

static bool has_segment(const struct view *view, uint64_t id)
{
    for (uint32_t i = 0; i < view->segments_len; i++) {
        if (segment_info(view->segments[i]).id == id)
            return true;
    }
    return false;
}

static enum status keep_view(struct matview_refresh *r, uint64_t id, struct view **ret,
                             struct error *err)
{
    struct as_of as_of = {.kind = AS_OF_ID, .id = id};
    *ret = &r->kept[r->kept_len];
    TRY(view_open_as_of(r->views[0].source, &as_of, *ret, err));
    r->kept_len++;
    return STATUS_OK;
}

/* The files that came with an append. */
static enum status add_fresh(struct matview_refresh *r, const struct snapshot_info *info,
                             struct error *err)
{
    struct view *after, *before = NULL, *fresh = &r->fresh;
    TRY(keep_view(r, info->id, &after, err));
    if (info->parent)
        TRY(keep_view(r, info->parent, &before, err));
    struct segment **wider = arena_array(
        r->arena, (size_t)fresh->segments_len + after->segments_len + 1, sizeof(struct segment *));
    if (!wider)
        return error_no_memory(err);
    if (fresh->segments_len)
        memcpy(wider, fresh->segments, fresh->segments_len * sizeof *wider);
    fresh->segments = wider;
    for (uint32_t i = 0; i < after->segments_len; i++) {
        struct segment_info segment = segment_info(after->segments[i]);
        if (before && has_segment(before, segment.id))
            continue;
        wider[fresh->segments_len++] = after->segments[i];
        fresh->rows += segment.rows;
    }
    return STATUS_OK;
}

/* From the present snapshot back to that of the content. */
static enum status walk(struct matview_refresh *r, const struct matview_base *old,
                        const struct snapshot_list *list, struct error *err)
{
    const struct snapshot_info *info = matview_snapshot(list, old->snapshot);
    if (old->snapshot && (!info || info->time_us != old->time_us)) {
        r->why = "the snapshot that it was made of is not kept any more";
        return STATUS_OK;
    }
    for (uint64_t id = r->bases.items[0].snapshot; id != old->snapshot; id = info->parent) {
        info = id ? matview_snapshot(list, id) : NULL;
        if (!info) {
            r->why = "the snapshots since then are not kept any more";
            return STATUS_OK;
        }
        if (info->operation == SNAPSHOT_REPLACE)
            continue;
        if (info->operation != SNAPSHOT_APPEND) {
            r->why = "rows of the source below were deleted or changed";
            return STATUS_OK;
        }
        TRY(add_fresh(r, info, err));
    }
    return STATUS_OK;
}

static enum status compare_one(struct matview_refresh *r, struct error *err)
{
    const struct matview_base *old = &r->state.bases.items[0];
    struct snapshot_list list;
    if (!is_same_base(old, &r->bases.items[0])) {
        r->why = "the source below was declared anew, or its columns have changed";
        return STATUS_OK;
    }
    TRY(source_list_snapshots(r->views[0].source, &list, err));
    r->kept = calloc(2 * (size_t)list.len + 1, sizeof *r->kept);
    r->fresh = r->views[0];
    r->fresh.segments_len = 0;
    r->fresh.deletions = NULL;
    r->fresh.rows = 0;
    enum status status = r->kept ? walk(r, old, &list, err) : error_no_memory(err);
    snapshot_list_release(&list);
    if (status == STATUS_NOT_FOUND) { /* one has expired meanwhile */
        r->why = "the snapshots since then are not kept any more";
        status = STATUS_OK;
    }
    r->unchanged = !r->why && r->fresh.segments_len == 0;
    return status;
}

static bool are_same(const struct matview_bases *a, const struct matview_bases *b)
{
    bool same = a->len == b->len;
    for (uint32_t i = 0; same && i < a->len; i++)
        same = is_same_base(&a->items[i], &b->items[i]) &&
               a->items[i].snapshot == b->items[i].snapshot &&
               a->items[i].time_us == b->items[i].time_us;
    return same;
}

enum status matview_compare(struct matview_refresh *r, struct error *err)
{
    if (!r->state.write_id.data) {
        r->why = "it was not filled yet, or what it was made of is not known";
        return STATUS_OK;
    }
    if (r->state.bases.query_hash != r->bases.query_hash) {
        r->why = "a view below was replaced, or reads other columns";
        return STATUS_OK;
    }
    if (r->delta.kind == LANG_DELTA_NONE) {
        r->unchanged = r->delta.is_pure && are_same(&r->state.bases, &r->bases);
        r->why = r->delta.why;
        return STATUS_OK;
    }
    if (r->bases.len != 1 || r->state.bases.len != 1) {
        r->why = "it reads other sources than before";
        return STATUS_OK;
    }
    return compare_one(r, err);
}

/* expire.c: dropping old snapshots, and the files that only they reached. */
#include <stdlib.h>

#include "format/iceberg/table_int.h"

static bool is_kept(const struct iceberg_metadata *m, const bool *near, uint32_t index,
                    int64_t older_than_ms)
{
    const struct iceberg_snapshot *snapshot = &m->snapshots[index];
    if (near[index] || snapshot->timestamp_ms >= older_than_ms ||
        snapshot->id == m->current_snapshot_id)
        return true;
    for (uint32_t i = 0; i < m->refs_len; i++)
        if (m->refs[i].snapshot_id == snapshot->id)
            return true;
    return false;
}

/* Marks the current snapshot and its nearest ancestors; a loop of parents ends with the count. */
static void mark_near(const struct iceberg_metadata *m, uint32_t keep_last, bool *near)
{
    const struct iceberg_snapshot *at = iceberg_current_snapshot(m);
    if (keep_last > m->snapshots_len)
        keep_last = m->snapshots_len;
    for (; at && keep_last > 0; keep_last--) {
        near[at - m->snapshots] = true;
        at = at->parent_id < 0 ? NULL : iceberg_snapshot_find(m, at->parent_id);
    }
}

/* History before a gap says nothing certain: it begins after the last expired entry. */
static void cut_log(struct iceberg_metadata *m)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < m->snapshot_log_len; i++)
        if (!iceberg_snapshot_find(m, m->snapshot_log[i].snapshot_id))
            first = i + 1;
    m->snapshot_log += first;
    m->snapshot_log_len -= first;
}

enum status iceberg_edit_expire(struct iceberg_edit *edit, int64_t older_than_ms,
                                uint32_t keep_last, struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    bool *near = arena_array(edit->arena, (size_t)m->snapshots_len + 1, sizeof *near);
    struct iceberg_snapshot *kept =
        arena_array(edit->arena, (size_t)m->snapshots_len + 1, sizeof *kept);
    edit->expired = arena_array(edit->arena, (size_t)m->snapshots_len + 1, sizeof(int64_t));
    edit->expired_len = 0;
    if (!near || !kept || !edit->expired)
        return error_no_memory(err);
    mark_near(m, keep_last, near);
    uint32_t len = 0;
    for (uint32_t i = 0; i < m->snapshots_len; i++) {
        if (is_kept(m, near, i, older_than_ms))
            kept[len++] = m->snapshots[i];
        else
            edit->expired[edit->expired_len++] = m->snapshots[i].id;
    }
    m->snapshots = kept;
    m->snapshots_len = len;
    if (m->snapshot_log_len)
        cut_log(m);
    return STATUS_OK;
}

static bool is_named(int64_t id, const int64_t *ids, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (ids[i] == id)
            return true;
    return false;
}

enum status iceberg_edit_keep(struct iceberg_edit *edit, const int64_t *ids, uint32_t len,
                              struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    struct iceberg_snapshot *kept =
        arena_array(edit->arena, (size_t)m->snapshots_len + 1, sizeof *kept);
    struct iceberg_ref *refs = arena_array(edit->arena, (size_t)m->refs_len + 1, sizeof *refs);
    uint32_t snapshots_len = 0, refs_len = 0;
    if (!kept || !refs)
        return error_no_memory(err);
    for (uint32_t i = 0; i < m->snapshots_len; i++)
        if (m->snapshots[i].id == m->current_snapshot_id || is_named(m->snapshots[i].id, ids, len))
            kept[snapshots_len++] = m->snapshots[i];
    m->snapshots = kept;
    m->snapshots_len = snapshots_len;
    for (uint32_t i = 0; i < m->refs_len; i++)
        if (iceberg_snapshot_find(m, m->refs[i].snapshot_id))
            refs[refs_len++] = m->refs[i];
    m->refs = refs;
    m->refs_len = refs_len;
    if (m->snapshot_log_len)
        cut_log(m);
    return STATUS_OK;
}

void iceberg_edit_cut_log(struct iceberg_edit *edit)
{
    edit->m.metadata_log_len = 0;
}

/* --- files that nothing reaches any more --- */

struct paths {
    struct str *items;
    size_t len, cap;
};

struct search {
    const struct iceberg_metadata *m;
    const struct iceberg_loader *loader;
    struct arena *arena;
    struct error *err;
};

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum status paths_add(struct search *s, struct paths *paths, struct str path)
{
    if (paths->len == paths->cap) {
        size_t cap = paths->cap ? paths->cap * 2 : 64;
        struct str *grown = arena_array(s->arena, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(s->err);
        if (paths->len)
            memcpy(grown, paths->items, paths->len * sizeof *grown);
        paths->items = grown;
        paths->cap = cap;
    }
    struct str copy = arena_str(s->arena, path);
    if (!copy.data)
        return error_no_memory(s->err);
    paths->items[paths->len++] = copy;
    return STATUS_OK;
}

static void paths_sort(struct paths *paths)
{
    size_t len = 0;
    if (paths->len)
        qsort(paths->items, paths->len, sizeof *paths->items, compare_strs);
    for (size_t i = 0; i < paths->len; i++)
        if (len == 0 || !str_eq(paths->items[len - 1], paths->items[i]))
            paths->items[len++] = paths->items[i];
    paths->len = len;
}

static struct str *paths_find(const struct paths *paths, struct str path)
{
    return paths->len ? bsearch(&path, paths->items, paths->len, sizeof path, compare_strs) : NULL;
}

struct manifests {
    struct iceberg_manifest *items;
    size_t len, cap;
};

static enum status manifests_add(struct search *s, struct manifests *list,
                                 const struct iceberg_manifest *manifest)
{
    if (list->len == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        struct iceberg_manifest *grown = arena_array(s->arena, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(s->err);
        if (list->len)
            memcpy(grown, list->items, list->len * sizeof *grown);
        list->items = grown;
        list->cap = cap;
    }
    list->items[list->len++] = *manifest;
    return STATUS_OK;
}

/* The manifests of one snapshot that are not in `known` yet join both. */
static enum status collect_manifests(struct search *s, const struct iceberg_snapshot *snapshot,
                                     const struct paths *other, struct manifests *list)
{
    struct iceberg_manifest *manifests;
    uint32_t len;
    struct slice bytes;
    TRY(s->loader->load(s->loader->context, snapshot->manifest_list, s->arena, &bytes, s->err));
    TRY(iceberg_list_read(bytes, s->arena, &manifests, &len, s->err));
    for (uint32_t i = 0; i < len; i++)
        if (!other || !paths_find(other, manifests[i].path))
            TRY(manifests_add(s, list, &manifests[i]));
    return STATUS_OK;
}

static int compare_manifests(const void *a, const void *b)
{
    const struct iceberg_manifest *x = a, *y = b;
    return str_cmp(x->path, y->path);
}

static void manifests_sort(struct manifests *list)
{
    size_t len = 0;
    if (list->len)
        qsort(list->items, list->len, sizeof *list->items, compare_manifests);
    for (size_t i = 0; i < list->len; i++)
        if (len == 0 || !str_eq(list->items[len - 1].path, list->items[i].path))
            list->items[len++] = list->items[i];
    list->len = len;
}

/* Entries of one manifest: `gone` collects all of them; or else live ones are struck off it. */
static enum status visit_entries(struct search *s, const struct iceberg_manifest *manifest,
                                 struct paths *gone, bool *struck)
{
    struct arena scratch;
    struct slice bytes;
    struct iceberg_entry *entries;
    uint32_t len = 0;
    arena_init(&scratch, 0);
    enum status status =
        s->loader->load(s->loader->context, manifest->path, &scratch, &bytes, s->err);
    if (status == STATUS_OK)
        status = iceberg_manifest_read(bytes, manifest, NULL, &scratch, &entries, &len, s->err);
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++) {
        const struct str *found;
        if (!struck)
            status = paths_add(s, gone, entries[i].file.path);
        else if (entries[i].status != ICEBERG_DELETED &&
                 (found = paths_find(gone, entries[i].file.path)))
            struck[found - gone->items] = true;
    }
    arena_release(&scratch);
    return status;
}

static enum status gone_data_files(struct search *s, const struct manifests *gone,
                                   const struct manifests *kept, struct paths *ret)
{
    struct paths files = {0};
    for (size_t i = 0; i < gone->len; i++)
        TRY(visit_entries(s, &gone->items[i], &files, NULL));
    paths_sort(&files);
    bool *struck = arena_array(s->arena, files.len + 1, sizeof *struck);
    if (!struck)
        return error_no_memory(s->err);
    for (size_t i = 0; i < kept->len && files.len; i++)
        TRY(visit_entries(s, &kept->items[i], &files, struck));
    for (size_t i = 0; i < files.len; i++)
        if (!struck[i])
            TRY(paths_add(s, ret, files.items[i]));
    return STATUS_OK;
}

enum status iceberg_unreachable(const struct iceberg_metadata *before,
                                const struct iceberg_metadata *after,
                                const struct iceberg_loader *loader, struct arena *arena,
                                struct str **ret, uint32_t *ret_len, struct error *err)
{
    struct search s = {before, loader, arena, err};
    struct manifests kept = {0}, gone = {0};
    struct paths kept_paths = {0}, result = {0};
    for (uint32_t i = 0; i < after->snapshots_len; i++)
        TRY(collect_manifests(&s, &after->snapshots[i], NULL, &kept));
    manifests_sort(&kept);
    for (size_t i = 0; i < kept.len; i++)
        TRY(paths_add(&s, &kept_paths, kept.items[i].path));
    for (uint32_t i = 0; i < before->snapshots_len; i++) {
        if (iceberg_snapshot_find(after, before->snapshots[i].id))
            continue;
        TRY(collect_manifests(&s, &before->snapshots[i], &kept_paths, &gone));
        TRY(paths_add(&s, &result, before->snapshots[i].manifest_list));
    }
    manifests_sort(&gone);
    for (size_t i = 0; i < gone.len; i++)
        TRY(paths_add(&s, &result, gone.items[i].path));
    TRY(gone_data_files(&s, &gone, &kept, &result));
    paths_sort(&result);
    *ret = result.items;
    *ret_len = (uint32_t)result.len;
    return STATUS_OK;
}

/* commit.c: a new snapshot.
 *
 * Steps: load the current list; rewrite the manifests that hold removed files; write manifests for
 * the added ones; merge small manifests of one kind and size class; write the list; add the
 * snapshot to the metadata. Manifests without live files are dropped from the list. */
#include <stdlib.h>

#include "format/iceberg/table_int.h"

struct committer {
    struct iceberg_edit *edit;
    const struct iceberg_commit *commit;
    const struct iceberg_loader *loader;
    struct arena *arena;
    struct iceberg_snapshot snapshot; /* the new one */
    const struct iceberg_snapshot *parent;
    struct iceberg_manifest *old; /* of the parent; path.data NULL once replaced */
    uint32_t old_len;
    struct iceberg_manifest *fresh;
    struct iceberg_written *written; /* as fresh */
    uint32_t fresh_len, fresh_cap;
    struct str *removed; /* sorted paths */
    bool *found;         /* as removed */
    uint32_t manifest_entries, merge_count;
    struct iceberg_change added_count, removed_count;
    uint64_t *partitions; /* hashes of the changed ones */
    size_t partitions_len, partitions_cap;
    struct error *err;
};

static enum status no_memory(struct committer *c)
{
    return error_no_memory(c->err);
}

/* --- changed partitions --- */

static uint64_t tuple_hash(int32_t spec_id, const struct iceberg_data_file *file)
{
    uint64_t hash = (uint64_t)spec_id + 1;
    for (uint32_t i = 0; i < file->partition_len; i++)
        hash = (hash ^ value_hash(&file->partition[i])) * UINT64_C(0x9E3779B97F4A7C15) + i;
    return hash;
}

static enum status note_file(struct committer *c, int32_t spec_id, struct iceberg_change *change,
                             const struct iceberg_data_file *file)
{
    iceberg_change_count(change, file);
    if (c->partitions_len == c->partitions_cap) {
        size_t cap = c->partitions_cap ? c->partitions_cap * 2 : 64;
        uint64_t *grown = arena_array(c->arena, cap, sizeof *grown);
        if (!grown)
            return no_memory(c);
        if (c->partitions_len)
            memcpy(grown, c->partitions, c->partitions_len * sizeof *grown);
        c->partitions = grown;
        c->partitions_cap = cap;
    }
    c->partitions[c->partitions_len++] = tuple_hash(spec_id, file);
    return STATUS_OK;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint32_t changed_partitions(struct committer *c)
{
    uint32_t count = 0;
    if (c->partitions_len)
        qsort(c->partitions, c->partitions_len, sizeof *c->partitions, compare_u64);
    for (size_t i = 0; i < c->partitions_len; i++)
        count += i == 0 || c->partitions[i] != c->partitions[i - 1];
    return count;
}

/* --- manifests in and out --- */

static enum status load_entries(struct committer *c, const struct iceberg_manifest *manifest,
                                struct iceberg_entry **ret, uint32_t *ret_len)
{
    struct slice bytes;
    struct iceberg_partition_type type;
    TRY(iceberg_partition_type_of(&c->edit->m, manifest->spec_id, c->arena, &type, c->err));
    TRY(c->loader->load(c->loader->context, manifest->path, c->arena, &bytes, c->err));
    return iceberg_manifest_read(bytes, manifest, &type, c->arena, ret, ret_len, c->err);
}

static enum status name_manifest(struct committer *c, struct str bytes,
                                 struct iceberg_manifest *manifest)
{
    char uuid[UUID_TEXT_LEN + 1];
    uuid_format(iceberg_content_uuid(bytes), uuid);
    char *path = arena_printf(c->arena, "%.*s/metadata/%s-m%u.avro", STR_ARG(c->edit->m.location),
                              uuid, c->fresh_len);
    manifest->path = str_of(path);
    return path ? iceberg_edit_file(c->edit, manifest->path, bytes, c->err) : no_memory(c);
}

static enum status room_for_fresh(struct committer *c)
{
    if (c->fresh_len < c->fresh_cap)
        return STATUS_OK;
    uint32_t cap = c->fresh_cap ? c->fresh_cap * 2 : 16;
    struct iceberg_manifest *fresh = arena_array(c->arena, cap, sizeof *fresh);
    struct iceberg_written *written = arena_array(c->arena, cap, sizeof *written);
    if (!fresh || !written)
        return no_memory(c);
    if (c->fresh_len) {
        memcpy(fresh, c->fresh, c->fresh_len * sizeof *fresh);
        memcpy(written, c->written, c->fresh_len * sizeof *written);
    }
    c->fresh = fresh;
    c->written = written;
    c->fresh_cap = cap;
    return STATUS_OK;
}

static enum status write_manifest(struct committer *c, int32_t spec_id, bool is_deletes,
                                  const struct iceberg_entry *entries, uint32_t len)
{
    struct iceberg_partition_type type;
    struct buf bytes;
    const struct iceberg_metadata *m = &c->edit->m;
    TRY(room_for_fresh(c));
    TRY(iceberg_partition_type_of(m, spec_id, c->arena, &type, c->err));
    const struct iceberg_manifest_head head = {iceberg_current_schema(m),
                                               iceberg_spec_find(m, spec_id), &type, is_deletes};
    struct iceberg_manifest *manifest = &c->fresh[c->fresh_len];
    buf_init(&bytes, ICEBERG_AVRO_MAX);
    enum status status =
        iceberg_manifest_write(&head, entries, len, c->snapshot.id, c->snapshot.sequence_number,
                               c->arena, &bytes, manifest, c->err);
    if (status == STATUS_OK)
        status = name_manifest(c, buf_str(&bytes), manifest);
    buf_release(&bytes);
    TRY(status);
    c->written[c->fresh_len++] = (struct iceberg_written){manifest->path, entries, len};
    return STATUS_OK;
}

/* Drops what was deleted before; the rest exists from now on. */
static uint32_t carry_over(struct iceberg_entry *entries, uint32_t len)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < len; i++) {
        if (entries[i].status == ICEBERG_DELETED)
            continue;
        entries[live] = entries[i];
        entries[live++].status = ICEBERG_EXISTING;
    }
    return live;
}

/* --- removed files --- */

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum status sort_removed(struct committer *c)
{
    uint32_t len = c->commit->removed_len;
    c->removed = arena_array(c->arena, (size_t)len + 1, sizeof *c->removed);
    c->found = arena_array(c->arena, (size_t)len + 1, sizeof *c->found);
    if (!c->removed || !c->found)
        return no_memory(c);
    for (uint32_t i = 0; i < len; i++)
        c->removed[i] = c->commit->removed[i].path;
    if (len)
        qsort(c->removed, len, sizeof *c->removed, compare_strs);
    return STATUS_OK;
}

/* Whether this manifest may hold one: it is named, or a removed file names none. */
static bool may_hold_removed(const struct committer *c, const struct iceberg_manifest *manifest)
{
    for (uint32_t i = 0; manifest->path.data && i < c->commit->removed_len; i++) {
        const struct iceberg_removed *removed = &c->commit->removed[i];
        if (removed->is_delete == manifest->is_deletes &&
            (!removed->manifest.data || str_eq(removed->manifest, manifest->path)))
            return true;
    }
    return false;
}

static enum status remove_from(struct committer *c, struct iceberg_manifest *manifest)
{
    struct iceberg_entry *entries;
    uint32_t len, hits = 0;
    TRY(load_entries(c, manifest, &entries, &len));
    len = carry_over(entries, len);
    for (uint32_t i = 0; i < len; i++) {
        const struct str *hit = bsearch(&entries[i].file.path, c->removed, c->commit->removed_len,
                                        sizeof *c->removed, compare_strs);
        if (!hit)
            continue;
        hits++;
        c->found[hit - c->removed] = true;
        entries[i].status = ICEBERG_DELETED;
        entries[i].snapshot_id = c->snapshot.id;
        TRY(note_file(c, manifest->spec_id, &c->removed_count, &entries[i].file));
    }
    if (hits == 0)
        return STATUS_OK;
    manifest->path = STR_NONE;
    return write_manifest(c, manifest->spec_id, manifest->is_deletes, entries, len);
}

static enum status remove_files(struct committer *c)
{
    if (c->commit->removed_len == 0)
        return STATUS_OK;
    TRY(sort_removed(c));
    for (uint32_t i = 0; i < c->old_len; i++)
        if (may_hold_removed(c, &c->old[i]))
            TRY(remove_from(c, &c->old[i]));
    for (uint32_t i = 0; i < c->commit->removed_len; i++)
        if (!c->found[i])
            return error_set(c->err, STATUS_CONFLICT, "'%.*s' is not in the table",
                             (int)(c->removed[i].len < 300 ? c->removed[i].len : 300),
                             c->removed[i].data);
    return STATUS_OK;
}

/* --- added files --- */

static int32_t added_spec(const struct committer *c, uint32_t index)
{
    return c->commit->added_specs ? c->commit->added_specs[index] : c->edit->m.default_spec_id;
}

/* The added files of one kind and spec, in manifests of their own. */
static enum status add_content(struct committer *c, bool is_deletes, int32_t spec_id)
{
    const struct iceberg_commit *commit = c->commit;
    struct iceberg_entry *entries =
        arena_array(c->arena, (size_t)commit->added_len + 1, sizeof *entries);
    uint32_t len = 0, first = 0;
    if (!entries)
        return no_memory(c);
    for (uint32_t i = 0; i < commit->added_len; i++) {
        if ((commit->added[i].content != ICEBERG_DATA) != is_deletes || added_spec(c, i) != spec_id)
            continue;
        entries[len++] = (struct iceberg_entry){.status = ICEBERG_ADDED,
                                                .snapshot_id = c->snapshot.id,
                                                .sequence_number =
                                                    is_deletes ? -1 : commit->data_sequence_number,
                                                .file_sequence_number = -1,
                                                .file = commit->added[i]};
        TRY(note_file(c, spec_id, &c->added_count, &commit->added[i]));
    }
    for (; first < len; first += c->manifest_entries) {
        uint32_t count = len - first < c->manifest_entries ? len - first : c->manifest_entries;
        TRY(write_manifest(c, spec_id, is_deletes, entries + first, count));
    }
    return STATUS_OK;
}

static enum status add_all(struct committer *c)
{
    for (int deletes = 0; deletes < 2; deletes++)
        for (uint32_t i = 0; i < c->edit->m.specs_len; i++) {
            int32_t spec_id = c->edit->m.specs[i].id;
            bool any = false;
            for (uint32_t k = 0; k < c->commit->added_len && !any; k++)
                any = added_spec(c, k) == spec_id;
            if (any)
                TRY(add_content(c, deletes, spec_id));
        }
    return STATUS_OK;
}

/* --- merging --- */

enum { TIERS = 8, TIER_SHIFT = 4 };

static int64_t live_files(const struct iceberg_manifest *manifest)
{
    return manifest->added_files + manifest->existing_files;
}

static int tier_of(const struct committer *c, const struct iceberg_manifest *manifest)
{
    int64_t live = live_files(manifest);
    int tier = 0;
    if (!manifest->path.data || live >= c->manifest_entries)
        return -1;
    for (live >>= TIER_SHIFT; live > 0 && tier < TIERS - 1; live >>= TIER_SHIFT)
        tier++;
    return tier;
}

static bool same_class(const struct committer *c, const struct iceberg_manifest *a,
                       const struct iceberg_manifest *b)
{
    return a->spec_id == b->spec_id && a->is_deletes == b->is_deletes &&
           tier_of(c, a) == tier_of(c, b);
}

static bool can_rewrite(struct committer *c, int32_t spec_id)
{
    struct iceberg_partition_type type;
    if (iceberg_partition_type_of(&c->edit->m, spec_id, c->arena, &type, NULL) != STATUS_OK)
        return false;
    for (uint32_t i = 0; i < type.fields_len; i++)
        if (type.fields[i].type.kind >= ICEBERG_STRUCT)
            return false;
    return true;
}

/* All of the class of `first`, up to twice the entries of a manifest. */
static enum status merge_class(struct committer *c, const struct iceberg_manifest *first)
{
    const struct iceberg_manifest class = *first;
    int64_t room = 2 * (int64_t)c->manifest_entries;
    struct iceberg_entry *merged = arena_array(c->arena, (size_t)room, sizeof *merged);
    uint32_t len = 0;
    if (!merged)
        return no_memory(c);
    for (uint32_t i = 0; i < c->old_len; i++) {
        struct iceberg_entry *entries;
        uint32_t count;
        if (tier_of(c, &c->old[i]) < 0 || !same_class(c, &c->old[i], &class) ||
            live_files(&c->old[i]) > room - len)
            continue;
        TRY(load_entries(c, &c->old[i], &entries, &count));
        count = carry_over(entries, count);
        if (count > room - len)
            return error_set(c->err, STATUS_CORRUPT, "manifest '%.200s' holds more than is said",
                             c->old[i].path.data);
        memcpy(merged + len, entries, count * sizeof *merged);
        len += count;
        c->old[i].path = STR_NONE;
    }
    return write_manifest(c, class.spec_id, class.is_deletes, merged, len);
}

/* At most one merge a commit, of the smallest class that is due. */
static enum status merge(struct committer *c)
{
    for (int tier = 0; tier < TIERS && c->merge_count != UINT32_MAX; tier++) {
        for (uint32_t i = 0; i < c->old_len; i++) {
            uint32_t count = 0;
            if (tier_of(c, &c->old[i]) != tier)
                continue;
            for (uint32_t j = i; j < c->old_len && count < c->merge_count; j++)
                count += same_class(c, &c->old[i], &c->old[j]);
            if (count >= c->merge_count && can_rewrite(c, c->old[i].spec_id))
                return merge_class(c, &c->old[i]);
        }
    }
    return STATUS_OK;
}

/* --- the snapshot --- */

/* Version 1 lists may not say what is in a manifest: version 2 must. */
static enum status complete_counts(struct committer *c, struct iceberg_manifest *m)
{
    struct iceberg_entry *entries;
    uint32_t len;
    if (m->added_files >= 0 && m->existing_files >= 0 && m->deleted_files >= 0 &&
        m->added_rows >= 0 && m->existing_rows >= 0 && m->deleted_rows >= 0)
        return STATUS_OK;
    TRY(load_entries(c, m, &entries, &len));
    m->added_files = m->existing_files = m->deleted_files = 0;
    m->added_rows = m->existing_rows = m->deleted_rows = 0;
    for (uint32_t i = 0; i < len; i++) {
        int64_t records = entries[i].file.records;
        enum iceberg_status status = entries[i].status;
        m->added_files += status == ICEBERG_ADDED;
        m->existing_files += status == ICEBERG_EXISTING;
        m->deleted_files += status == ICEBERG_DELETED;
        m->added_rows += status == ICEBERG_ADDED ? records : 0;
        m->existing_rows += status == ICEBERG_EXISTING ? records : 0;
        m->deleted_rows += status == ICEBERG_DELETED ? records : 0;
    }
    return STATUS_OK;
}

static enum status load_parent(struct committer *c)
{
    struct slice bytes;
    c->parent = c->commit->restore == 0 ? iceberg_current_snapshot(&c->edit->m)
                                        : iceberg_snapshot_find(&c->edit->m, c->commit->restore);
    if (!c->parent)
        return c->commit->restore == 0
                   ? STATUS_OK
                   : error_set(c->err, STATUS_NOT_FOUND, "snapshot %lld does not exist",
                               (long long)c->commit->restore);
    TRY(c->loader->load(c->loader->context, c->parent->manifest_list, c->arena, &bytes, c->err));
    TRY(iceberg_list_read(bytes, c->arena, &c->old, &c->old_len, c->err));
    for (uint32_t i = 0; i < c->old_len; i++) {
        TRY(complete_counts(c, &c->old[i]));
        if (live_files(&c->old[i]) == 0)
            c->old[i].path = STR_NONE;
    }
    return STATUS_OK;
}

static void start_snapshot(struct committer *c)
{
    const struct iceberg_metadata *m = &c->edit->m;
    int64_t id = (int64_t)(c->commit->random & (uint64_t)ICEBERG_SNAPSHOT_ID_MAX);
    while (id == 0 || iceberg_snapshot_find(m, id))
        id = (id + 1) & ICEBERG_SNAPSHOT_ID_MAX;
    c->snapshot = (struct iceberg_snapshot){.id = id,
                                            .parent_id = m->current_snapshot_id,
                                            .sequence_number = m->last_sequence_number + 1,
                                            .timestamp_ms = c->edit->now_ms,
                                            .schema_id = m->current_schema_id};
}

static enum status collect(struct committer *c, struct iceberg_commit_result *ret)
{
    ret->manifests =
        arena_array(c->arena, (size_t)c->fresh_len + c->old_len + 1, sizeof *ret->manifests);
    if (!ret->manifests)
        return no_memory(c);
    for (uint32_t i = 0; i < c->fresh_len; i++)
        ret->manifests[ret->manifests_len++] = c->fresh[i];
    for (uint32_t i = 0; i < c->old_len; i++)
        if (c->old[i].path.data)
            ret->manifests[ret->manifests_len++] = c->old[i];
    ret->written = c->written;
    ret->written_len = c->fresh_len;
    ret->snapshot_id = c->snapshot.id;
    ret->sequence_number = c->snapshot.sequence_number;
    return STATUS_OK;
}

static enum status name_list(struct committer *c, struct str bytes)
{
    char uuid[UUID_TEXT_LEN + 1];
    uuid_format(iceberg_content_uuid(bytes), uuid);
    char *path = arena_printf(c->arena, "%.*s/metadata/snap-%lld-1-%s.avro",
                              STR_ARG(c->edit->m.location), (long long)c->snapshot.id, uuid);
    c->snapshot.manifest_list = str_of(path);
    return path ? iceberg_edit_file(c->edit, c->snapshot.manifest_list, bytes, c->err)
                : no_memory(c);
}

static enum status write_list(struct committer *c, const struct iceberg_commit_result *result)
{
    struct buf bytes;
    buf_init(&bytes, ICEBERG_AVRO_MAX);
    enum status status =
        iceberg_list_write(result->manifests, result->manifests_len, c->snapshot.id,
                           c->snapshot.parent_id, c->snapshot.sequence_number, &bytes, c->err);
    if (status == STATUS_OK)
        status = name_list(c, buf_str(&bytes));
    buf_release(&bytes);
    return status;
}

static enum status add_snapshot(struct committer *c)
{
    struct iceberg_metadata *m = &c->edit->m;
    bool restores = c->commit->restore != 0;
    TRY(iceberg_summary(c->commit, c->parent, restores ? &c->commit->restored : &c->added_count,
                        restores ? &c->commit->replaced : &c->removed_count, changed_partitions(c),
                        c->arena, &c->snapshot, c->err));
    struct iceberg_snapshot *grown =
        iceberg_grown(c->arena, m->snapshots, m->snapshots_len, sizeof *grown, c->err);
    if (!grown)
        return STATUS_NO_MEMORY;
    grown[m->snapshots_len++] = c->snapshot;
    m->snapshots = grown;
    m->last_sequence_number = c->snapshot.sequence_number;
    return iceberg_make_current(c->edit, c->snapshot.id, c->err);
}

enum status iceberg_edit_commit(struct iceberg_edit *edit, const struct iceberg_commit *commit,
                                const struct iceberg_loader *loader,
                                struct iceberg_commit_result *ret, struct error *err)
{
    struct committer c = {.edit = edit,
                          .commit = commit,
                          .loader = loader,
                          .arena = edit->arena,
                          .manifest_entries = commit->manifest_entries ? commit->manifest_entries
                                                                       : ICEBERG_MANIFEST_ENTRIES,
                          .merge_count =
                              commit->merge_count ? commit->merge_count : ICEBERG_MERGE_COUNT,
                          .err = err};
    *ret = (struct iceberg_commit_result){0};
    start_snapshot(&c);
    TRY(load_parent(&c));
    TRY(add_all(&c));
    TRY(remove_files(&c));
    TRY(merge(&c));
    TRY(collect(&c, ret));
    TRY(write_list(&c, ret));
    return add_snapshot(&c);
}

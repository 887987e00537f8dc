/* snapshot.c: snapshots in memory. */
#include "storage/table/snapshot.h"

#include <stdlib.h>

static enum status fill(struct snapshot *snapshot, struct segment **segments, uint32_t len)
{
    snapshot->segments = malloc((len ? len : 1) * sizeof *snapshot->segments);
    if (!snapshot->segments)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < len; i++) {
        const struct segment_meta *meta = segment_meta(segments[i]);
        snapshot->segments[i] = segment_ref(segments[i]);
        snapshot->rows += meta->rows;
        snapshot->bytes += meta->bytes;
        for (uint32_t k = 0; k < meta->indexes_len; k++)
            snapshot->index_entries += meta->indexes[k].entries;
    }
    snapshot->segments_len = len;
    return STATUS_OK;
}

struct snapshot *snapshot_new(struct schema *schema, struct segment **segments, uint32_t len,
                              struct error *err)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot) {
        error_no_memory(err);
        return NULL;
    }
    atomic_init(&snapshot->refs, 1);
    arena_init(&snapshot->arena, 0);
    snapshot->schema = schema_ref(schema);
    if (fill(snapshot, segments, len) != STATUS_OK) {
        error_no_memory(err);
        snapshot_unref(snapshot);
        return NULL;
    }
    return snapshot;
}

enum status snapshot_set_deletion(struct snapshot *snapshot, uint32_t segment,
                                  struct deletion *deletion, struct error *err)
{
    if (!snapshot->deletions)
        snapshot->deletions = calloc(snapshot->segments_len, sizeof *snapshot->deletions);
    if (!snapshot->deletions)
        return error_no_memory(err);
    snapshot->deletions[segment] = deletion_ref(deletion);
    snapshot->rows -= deletion_count(deletion);
    snapshot->deleted_rows += deletion_count(deletion);
    return STATUS_OK;
}

enum status snapshot_add_id_file(struct snapshot *snapshot, const struct write_id_file *file,
                                 struct error *err)
{
    if (!snapshot->id_files) {
        snapshot->id_files =
            arena_array(&snapshot->arena, WRITE_ID_FILES_MAX + 1, sizeof *snapshot->id_files);
        if (!snapshot->id_files)
            return error_no_memory(err);
    }
    if (snapshot->id_files_len > WRITE_ID_FILES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a snapshot has at most %d files of write ids",
                         WRITE_ID_FILES_MAX + 1);
    struct write_id_file *added = &snapshot->id_files[snapshot->id_files_len];
    *added = *file;
    added->name = arena_str(&snapshot->arena, file->name);
    if (!added->name.data)
        return error_no_memory(err);
    snapshot->id_files_len++;
    return STATUS_OK;
}

int64_t snapshot_find_place(const struct snapshot *snapshot, uint64_t segment_id)
{
    uint32_t low = 0, high = snapshot->segments_len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t id = segment_meta(snapshot->segments[middle])->id;
        if (id == segment_id)
            return middle;
        if (id < segment_id)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

struct segment *snapshot_find(const struct snapshot *snapshot, uint64_t segment_id)
{
    int64_t at = snapshot_find_place(snapshot, segment_id);
    return at < 0 ? NULL : snapshot->segments[at];
}

struct deletion *snapshot_find_deletion(const struct snapshot *snapshot, uint64_t segment_id)
{
    int64_t at = snapshot->deletions ? snapshot_find_place(snapshot, segment_id) : -1;
    return at < 0 ? NULL : snapshot->deletions[at];
}

enum status snapshot_keep_deletions(struct snapshot *snapshot, const struct snapshot *from,
                                    struct error *err)
{
    for (uint32_t i = 0; from->deletions && i < snapshot->segments_len; i++) {
        struct deletion *deletion =
            snapshot_find_deletion(from, segment_meta(snapshot->segments[i])->id);
        if (deletion)
            TRY(snapshot_set_deletion(snapshot, i, deletion, err));
    }
    return STATUS_OK;
}

bool snapshot_has_deletion(const struct snapshot *snapshot, uint64_t segment_id,
                           const struct deletion *deletion)
{
    const struct deletion *own = snapshot_find_deletion(snapshot, segment_id);
    return own && deletion_file(own)->id == deletion_file(deletion)->id;
}

enum status snapshot_add_meta_file(struct snapshot *snapshot, struct str name, uint32_t most,
                                   struct error *err)
{
    if (!snapshot->meta_files) {
        snapshot->meta_files =
            arena_array(&snapshot->arena, (size_t)most + 1, sizeof *snapshot->meta_files);
        if (!snapshot->meta_files)
            return error_no_memory(err);
    }
    struct str copy = arena_str(&snapshot->arena, name);
    if (!copy.data)
        return error_no_memory(err);
    snapshot->meta_files[snapshot->meta_files_len++] = copy;
    return STATUS_OK;
}

/* About: a pointer a segment, a row of the metadata file. */
uint64_t snapshot_cost(const struct snapshot *snapshot)
{
    enum { ENTRY_BYTES = 2048 };
    uint64_t pointers = snapshot->segments_len * (snapshot->deletions ? 2u : 1u);
    return pointers * sizeof(void *) + snapshot->meta_files_len * 64u + ENTRY_BYTES;
}

static const char *const operation_names[] = {"append", "replace", "rollback", "delete",
                                              "overwrite"};

const char *snapshot_operation_name(enum snapshot_operation operation)
{
    return operation_names[operation];
}

bool snapshot_operation_parse(struct str name, enum snapshot_operation *ret)
{
    for (size_t i = 0; i < sizeof operation_names / sizeof *operation_names; i++) {
        *ret = (enum snapshot_operation)i;
        if (name.data && str_is(name, operation_names[i]))
            return true;
    }
    return false;
}

void snapshot_refs_release(struct snapshot_refs *refs)
{
    free(refs->ids);
    free(refs->tags);
    *refs = (struct snapshot_refs){0};
}

void snapshot_pin(const struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        segment_pin(snapshot->segments[i]);
        if (snapshot->deletions)
            (void)deletion_load(snapshot->deletions[i], NULL); /* a reader meets the error again */
    }
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < snapshot->segments_len; i++)
        segment_unref(snapshot->segments[i]);
    for (uint32_t i = 0; snapshot->deletions && i < snapshot->segments_len; i++)
        deletion_unref(snapshot->deletions[i]);
    free(snapshot->segments);
    free(snapshot->deletions);
    schema_unref(snapshot->schema);
    arena_release(&snapshot->arena);
    free(snapshot);
}

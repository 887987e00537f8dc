/* summary.c: the summary of a snapshot, with the names that other engines look for. */
#include "format/iceberg/table_int.h"

static const char *const operations[] = {"append", "replace", "overwrite", "delete"};

enum { SUMMARY_OWN_MAX = 32 };

void iceberg_change_count(struct iceberg_change *change, const struct iceberg_data_file *file)
{
    change->bytes += file->bytes;
    if (file->content == ICEBERG_DATA) {
        change->data_files++;
        change->records += file->records;
        return;
    }
    change->delete_files++;
    if (file->content == ICEBERG_POSITION_DELETES) {
        change->position_files++;
        change->position_deletes += file->records;
    } else {
        change->equality_files++;
        change->equality_deletes += file->records;
    }
}

struct builder {
    struct arena *arena;
    struct iceberg_snapshot *snapshot;
    bool failed;
};

static void put(struct builder *b, const char *key, int64_t value)
{
    char *text = arena_printf(b->arena, "%lld", (long long)value);
    b->failed |= !text;
    b->snapshot->summary[b->snapshot->summary_len++] =
        (struct iceberg_property){str_of(key), str_of(text)};
}

static void put_nonzero(struct builder *b, const char *key, int64_t value)
{
    if (value)
        put(b, key, value);
}

/* Left out when the parent's is not known: a wrong total is worse than none. */
static void put_total(struct builder *b, const char *key, const struct iceberg_snapshot *parent,
                      int64_t change)
{
    int64_t total = 0;
    if (parent) {
        struct str text = iceberg_property_find(parent->summary, parent->summary_len, key);
        if (!text.data || !str_to_int64(text, &total))
            return;
    }
    put(b, key, total + change);
}

static void put_changes(struct builder *b, const struct iceberg_change *added,
                        const struct iceberg_change *removed)
{
    put(b, "added-data-files", added->data_files);
    put(b, "added-records", added->records);
    put(b, "added-files-size", added->bytes);
    put_nonzero(b, "added-delete-files", added->delete_files);
    put_nonzero(b, "added-position-delete-files", added->position_files);
    put_nonzero(b, "added-equality-delete-files", added->equality_files);
    put_nonzero(b, "added-position-deletes", added->position_deletes);
    put_nonzero(b, "added-equality-deletes", added->equality_deletes);
    put_nonzero(b, "deleted-data-files", removed->data_files);
    put_nonzero(b, "deleted-records", removed->records);
    put_nonzero(b, "removed-files-size", removed->bytes);
    put_nonzero(b, "removed-delete-files", removed->delete_files);
    put_nonzero(b, "removed-position-delete-files", removed->position_files);
    put_nonzero(b, "removed-equality-delete-files", removed->equality_files);
    put_nonzero(b, "removed-position-deletes", removed->position_deletes);
    put_nonzero(b, "removed-equality-deletes", removed->equality_deletes);
}

static void put_totals(struct builder *b, const struct iceberg_snapshot *parent,
                       const struct iceberg_change *added, const struct iceberg_change *removed)
{
    put_total(b, "total-data-files", parent, added->data_files - removed->data_files);
    put_total(b, "total-delete-files", parent, added->delete_files - removed->delete_files);
    put_total(b, "total-records", parent, added->records - removed->records);
    put_total(b, "total-files-size", parent, added->bytes - removed->bytes);
    put_total(b, "total-position-deletes", parent,
              added->position_deletes - removed->position_deletes);
    put_total(b, "total-equality-deletes", parent,
              added->equality_deletes - removed->equality_deletes);
}

enum status iceberg_summary(const struct iceberg_commit *commit,
                            const struct iceberg_snapshot *parent,
                            const struct iceberg_change *added,
                            const struct iceberg_change *removed, uint32_t changed_partitions,
                            struct arena *arena, struct iceberg_snapshot *snapshot,
                            struct error *err)
{
    struct builder builder = {arena, snapshot, false};
    snapshot->summary_len = 0;
    snapshot->summary = arena_array(arena, SUMMARY_OWN_MAX + (size_t)commit->summary_len,
                                    sizeof *snapshot->summary);
    if (!snapshot->summary)
        return error_no_memory(err);
    snapshot->summary[snapshot->summary_len++] =
        (struct iceberg_property){STR("operation"), str_of(operations[commit->operation])};
    put_changes(&builder, added, removed);
    if (commit->restore == 0) {
        put(&builder, "changed-partition-count", changed_partitions);
        put_totals(&builder, parent, added, removed);
    } else { /* the totals are those of the snapshot restored */
        const struct iceberg_change none = {0};
        put_totals(&builder, parent, &none, &none);
    }
    for (uint32_t i = 0; i < commit->summary_len; i++)
        snapshot->summary[snapshot->summary_len++] = commit->summary[i];
    return builder.failed ? error_no_memory(err) : STATUS_OK;
}

/* table.h: one change of a table, from the old metadata to the bytes of the new files.
 *
 *   iceberg_edit_begin                       a copy of the old metadata
 *   iceberg_edit_schema, _spec, ..., _commit any number of changes
 *   iceberg_edit_finish                      the metadata file, last of edit->files
 *
 * Then the caller writes edit->files in their order, syncs them, and swaps its pointer from the old
 * metadata file to edit->metadata_path: that is the commit. Nothing that exists is ever changed.
 *
 * Everything lies in the arena given; edit->m also borrows from the old metadata, the commit and
 * the strings given. To keep the new state, parse the metadata file's bytes into an arena of its
 * own. No clock, no randomness: both are arguments.
 *
 * Cost of a commit: one manifest for the added files, one list with a row for each manifest, one
 * metadata file; plus at most one merge (below); plus, for removed files, the manifests that hold
 * them (only those named, when all are named). Manifests hold at most `manifest_entries` files when
 * written by an append; those with fewer are merged when `merge_count` of one size class (powers of
 * 16) have gathered, so a list has about 3 * merge_count + files / manifest_entries rows, and each
 * file's entry is rewritten about three times. */
#ifndef QUARRY_FORMAT_ICEBERG_TABLE_H
#define QUARRY_FORMAT_ICEBERG_TABLE_H

#include "format/iceberg/manifest.h"

enum {
    ICEBERG_MERGE_COUNT = 16,
    ICEBERG_MANIFEST_ENTRIES = 4096,
    ICEBERG_METADATA_LOG = 100, /* write.metadata.previous-versions-max */
};

struct iceberg_file {
    struct str path; /* full URI */
    struct slice bytes;
};

struct iceberg_edit {
    struct arena *arena;
    struct iceberg_metadata m; /* as it will be */
    struct str old_path;
    int64_t now_ms;
    int64_t old_updated_ms;
    int64_t version_min; /* of the new metadata file, when the one after the old is taken */
    struct iceberg_file *files;
    uint32_t files_len, files_cap;
    struct str metadata_path; /* after finish */
    struct str *old_metadata; /* after finish: files that fell out of the metadata log */
    uint32_t old_metadata_len;
    int64_t *expired; /* after expire: ids of the snapshots dropped */
    uint32_t expired_len;
};

/* Metadata of a table without snapshots: schema id 0, spec id 0 (field ids are given when 0),
 * unsorted. `location` is the full URI. */
enum status iceberg_table_new(struct uuid uuid, struct str location,
                              const struct iceberg_schema *schema, const struct iceberg_spec *spec,
                              const struct iceberg_property *properties, uint32_t properties_len,
                              int64_t now_ms, struct arena *arena, struct iceberg_metadata *ret,
                              struct error *err);

/* `old_path`: the URI of the metadata file that `old` came from; data NULL: there is none yet, the
 * new one has version 0. Time never runs backwards: below the old one's it stands still. */
enum status iceberg_edit_begin(struct iceberg_edit *edit, const struct iceberg_metadata *old,
                               struct str old_path, int64_t now_ms, struct arena *arena,
                               struct error *err);
/* Makes it current. A schema with an id above all of the table's keeps it; else an equal one that
 * the table has already is taken again, or a new id given. An equal spec is taken again; spec
 * fields with id 0 get the id of the same field of an older spec, or a new one. */
enum status iceberg_edit_schema(struct iceberg_edit *edit, const struct iceberg_schema *schema,
                                struct error *err);
enum status iceberg_edit_spec(struct iceberg_edit *edit, const struct iceberg_spec *spec,
                              struct error *err);
enum status iceberg_edit_order(struct iceberg_edit *edit, const struct iceberg_sort_order *order,
                               struct error *err);
/* value.data NULL removes it. */
enum status iceberg_edit_property(struct iceberg_edit *edit, struct str key, struct str value,
                                  struct error *err);
/* Makes or moves a tag or branch; snapshot_id -1 removes it. "main" is moved by rollback only. */
enum status iceberg_edit_ref(struct iceberg_edit *edit, struct str name, bool is_tag,
                             int64_t snapshot_id, struct error *err);
/* Makes an older snapshot current again. */
enum status iceberg_edit_rollback(struct iceberg_edit *edit, int64_t snapshot_id,
                                  struct error *err);
/* Drops snapshots older than a time, but never the current one, its `keep_last` - 1 nearest
 * ancestors, and what tags and branches name. */
enum status iceberg_edit_expire(struct iceberg_edit *edit, int64_t older_than_ms,
                                uint32_t keep_last, struct error *err);

/* Drops all snapshots but the current one and those named, with the tags and branches of the
 * dropped. */
enum status iceberg_edit_keep(struct iceberg_edit *edit, const int64_t *ids, uint32_t len,
                              struct error *err);
/* A further file of the edit, such as a manifest that the caller has made; the bytes are copied. */
enum status iceberg_edit_file(struct iceberg_edit *edit, struct str path, struct str bytes,
                              struct error *err);
/* Forgets the older metadata files: of a copy that goes elsewhere without them. */
void iceberg_edit_cut_log(struct iceberg_edit *edit);

/* Reads a file by its URI; the bytes stay valid as long as `arena`. */
struct iceberg_loader {
    void *context;
    enum status (*load)(void *context, struct str path, struct arena *arena, struct slice *ret,
                        struct error *err);
};

enum iceberg_operation {
    ICEBERG_APPEND,    /* files added only */
    ICEBERG_REPLACE,   /* same rows in other files: compaction */
    ICEBERG_OVERWRITE, /* files added and removed, or delete files: rows changed */
    ICEBERG_DELETE,    /* rows removed only */
};

/* What a commit changes, counted for the summary. */
struct iceberg_change {
    int64_t data_files, delete_files, position_files, equality_files;
    int64_t records, position_deletes, equality_deletes, bytes;
};

struct iceberg_removed {
    struct str path;
    bool is_delete;      /* a delete file */
    struct str manifest; /* that holds it now, as far as known; data NULL: search all */
};

struct iceberg_commit {
    enum iceberg_operation operation;
    const struct iceberg_data_file *added; /* any content */
    const int32_t *added_specs; /* ids of the specs of their tuples; NULL: the default one's */
    uint32_t added_len;
    /* Of the added data files: -1 for the new snapshot's. A compaction gives the number of the
     * snapshot it started from, so that equality deletes committed meanwhile still apply. */
    int64_t data_sequence_number;
    const struct iceberg_removed *removed;
    uint32_t removed_len;
    const struct iceberg_property *summary; /* further entries, such as quarry.wal-lsn */
    uint32_t summary_len;
    /* Not 0: the files are those of that older snapshot, whose manifests are named again; nothing
     * else is added or removed. `restored` and `replaced` say what that changes. */
    int64_t restore;
    struct iceberg_change restored, replaced;
    uint64_t random;           /* makes the snapshot id: the low 53 bits, when no snapshot has it */
    uint32_t merge_count;      /* 0: ICEBERG_MERGE_COUNT; UINT32_MAX: never merge */
    uint32_t manifest_entries; /* 0: ICEBERG_MANIFEST_ENTRIES */
};

/* What the caller's memory of "which manifest holds this file" needs: manifests that are new, with
 * their entries (DELETED ones included). */
struct iceberg_written {
    struct str path;
    const struct iceberg_entry *entries;
    uint32_t entries_len;
};

struct iceberg_commit_result {
    int64_t snapshot_id;
    int64_t sequence_number;
    struct iceberg_manifest *manifests; /* of the snapshot, in the list's order */
    uint32_t manifests_len;
    struct iceberg_written *written;
    uint32_t written_len;
};

/* Adds a snapshot on top of the current one. STATUS_CONFLICT: a removed file is not in the table
 * any more. `loader` is used for the current manifest list and the manifests that are rewritten. */
enum status iceberg_edit_commit(struct iceberg_edit *edit, const struct iceberg_commit *commit,
                                const struct iceberg_loader *loader,
                                struct iceberg_commit_result *ret, struct error *err);
/* Writes the metadata; `log_max` 0: ICEBERG_METADATA_LOG. */
enum status iceberg_edit_finish(struct iceberg_edit *edit, uint32_t log_max, struct error *err);

/* Files of the table that `before` reaches and `after` (the same table, snapshots expired) does
 * not: manifest lists, manifests, data and delete files. Reads the lists of both, the manifests
 * that are not shared, and, when these hold any files, all manifests of `after`. Sorted. */
enum status iceberg_unreachable(const struct iceberg_metadata *before,
                                const struct iceberg_metadata *after,
                                const struct iceberg_loader *loader, struct arena *arena,
                                struct str **ret, uint32_t *ret_len, struct error *err);

#endif

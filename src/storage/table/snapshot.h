/* snapshot.h: one committed state of a source: its schema and its segments, immutable in memory and
 * on disk, where it is a snapshot of an Iceberg table (table.h).
 *
 * Every JSON file of Quarry's own is sealed: {"crc32c":"hhhhhhhh","content":...}, the checksum over
 * the bytes of the content. */
#ifndef QUARRY_STORAGE_SNAPSHOT_H
#define QUARRY_STORAGE_SNAPSHOT_H

#include "base/json.h"
#include "storage/store.h"
#include "storage/table/deletion.h"
#include "storage/table/reader_pool.h"
#include "storage/write_ids.h"

enum {
    SEALED_BYTES_MAX = 1 << 30,
    SNAPSHOT_SEGMENTS_MAX = 1000000,
    WRITE_ID_FILES_MAX = 64, /* then they are folded into one */
};

/* What the snapshot says of one column of a segment, in file order: by id. */
struct segment_column {
    int32_t field_id;
    enum type type;
    uint64_t nulls;
    bool has_bounds;
    struct value min, max; /* bytes in the snapshot's or segment's arena */
};

struct segment_index {
    int32_t field_id;
    uint64_t entries, bytes; /* bytes: of one just made */
};

/* The stored description; the struct segment of store.h wraps it. */
struct segment_meta {
    uint64_t id, rows, bytes;
    struct str path; /* below the source's directory: data/col=value/00000001.parquet, NUL-ended */
    struct str *partition; /* one text for each partition column; data NULL: null */
    uint32_t partition_len;
    struct segment_column *columns;
    uint32_t columns_len;
    struct segment_index *indexes;
    uint32_t indexes_len;
};

/* A stored set of write ids: metadata/<name>. */
struct write_id_file {
    struct str name; /* NUL-ended */
    uint64_t entries;
    int64_t until_us; /* time of its youngest entry */
};

struct snapshot {
    _Atomic uint32_t refs;
    uint64_t id;  /* 0: nothing was ever committed */
    uint64_t lsn; /* all writes up to here are in the segments, none behind it */
    int64_t time_us;
    uint64_t parent; /* the snapshot that was current before; 0: none */
    enum snapshot_operation operation;
    uint64_t added, removed; /* segments, against the parent */
    uint64_t restored;       /* ROLLBACK, until it is committed: the state whose files these are */
    int64_t sequence;        /* Iceberg's number of the commit */
    int64_t data_sequence;   /* of the segments it adds, when that is not its own; else 0 */
    uint64_t next_segment_id;
    uint64_t rows, bytes, index_entries; /* rows: without the deleted ones */
    uint64_t deleted_rows;
    struct schema *schema;
    struct segment **segments; /* by id; referenced */
    uint32_t segments_len;
    struct deletion **deletions; /* parallel to segments, NULL: none; referenced. Each has its file:
                                  * at most one for a segment. The array is NULL without any */
    struct write_id_file *id_files;
    uint32_t id_files_len;
    struct str *meta_files; /* names below metadata/ that it needs: its manifest list, manifests */
    uint32_t meta_files_len;
    struct arena arena; /* names */
};

/* schema.c: a version of a source's columns; the fields are copied. NULL when memory is out. */
struct schema *schema_new(const struct field *fields, uint32_t len, int32_t id,
                          int32_t last_field_id, struct error *err);

/* schema_def.c: the id of a column by the definition in source.json, -1 when it does not say. */
int32_t source_config_field_id(const struct source_config *config, struct str name);

/* Takes over nothing: references segments and schema, copies names. */
struct snapshot *snapshot_new(struct schema *schema, struct segment **segments, uint32_t len,
                              struct error *err);
/* The deleted rows of the segment at that place (referenced); once for each, before the snapshot is
 * shared. */
enum status snapshot_set_deletion(struct snapshot *snapshot, uint32_t segment,
                                  struct deletion *deletion, struct error *err);
/* All deletions of `from` for segments that both have. */
enum status snapshot_keep_deletions(struct snapshot *snapshot, const struct snapshot *from,
                                    struct error *err);
/* Those of the segment of that id; NULL: none. */
struct deletion *snapshot_find_deletion(const struct snapshot *snapshot, uint64_t segment_id);
/* The same file is named. */
bool snapshot_has_deletion(const struct snapshot *snapshot, uint64_t segment_id,
                           const struct deletion *deletion);
enum status snapshot_add_id_file(struct snapshot *snapshot, const struct write_id_file *file,
                                 struct error *err);
/* Copies the name; `most`: how many there will be at the most. */
enum status snapshot_add_meta_file(struct snapshot *snapshot, struct str name, uint32_t most,
                                   struct error *err);
/* What it costs to keep it: memory, and bytes in the metadata file. */
uint64_t snapshot_cost(const struct snapshot *snapshot);
/* The name that is stored; false when it is none. */
bool snapshot_operation_parse(struct str name, enum snapshot_operation *ret);
/* Maps all files, reads all deletes, so that it can be read after the directory is gone. */
void snapshot_pin(const struct snapshot *snapshot);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

/* A name for a snapshot; it keeps the snapshot from expiring. */
struct snapshot_tag {
    char name[TAG_NAME_MAX + 1];
    uint64_t id;
};

/* What CURRENT says besides the current snapshot: the older ones that are kept, ascending, and the
 * tags (by name). */
struct snapshot_refs {
    uint64_t *ids;
    uint32_t ids_len;
    struct snapshot_tag *tags;
    uint32_t tags_len;
};
void snapshot_refs_release(struct snapshot_refs *refs);

/* Place of the segment of that id, or -1. */
int64_t snapshot_find_place(const struct snapshot *snapshot, uint64_t segment_id);
/* The segment of that id, or NULL. */
struct segment *snapshot_find(const struct snapshot *snapshot, uint64_t segment_id);

/* write_id_file.c: the sidecar of write ids. */
enum status write_id_file_write(struct sys *sys, const char *path, const struct write_id *entries,
                                uint32_t len, struct error *err);
enum status write_id_file_read(struct sys *sys, const char *path, struct write_ids *into,
                               struct error *err);

/* sealed.c: checked JSON files. `content` is the JSON text of the content. */
enum status sealed_write(struct sys *sys, const char *path, struct str content, struct error *err);
/* The parsed content; the document is the caller's. STATUS_CORRUPT names the file. */
enum status sealed_read(struct sys *sys, const char *path, yyjson_doc **ret_doc,
                        yyjson_val **ret_content, struct error *err);

/* segment.c: copies the description; files are opened at first use. Parsed files wait in `readers`
 * between two uses (NULL: they do not), which must outlive the segment. */
struct segment *segment_new(struct sys *sys, const char *source_dir,
                            const struct segment_meta *meta, struct reader_pool *readers,
                            struct error *err);
struct segment *segment_ref(struct segment *segment);
void segment_unref(struct segment *segment);
const struct segment_meta *segment_meta(const struct segment *segment);
/* The blocks of rows of it that are in memory; *ret_cache NULL: none are kept. */
struct row_home *segment_row_home(struct segment *segment, struct row_cache **ret_cache);
/* The column of a field id or of one of its earlier generations, -1 when there is none. */
int32_t segment_meta_column(const struct segment_meta *meta, int32_t field_id);
/* Where the present state's metadata has it: a manifest (hash of its URI; 0: not known) and its
 * partition spec. For table_commit.c and table_read.c, under their lock. */
uint64_t segment_manifest(const struct segment *segment);
int32_t segment_spec(const struct segment *segment);
void segment_set_manifest(struct segment *segment, uint64_t manifest, int32_t spec_id);
/* The caller's reference is the only one: with a segment that no snapshot names, for good. */
bool segment_is_last(const struct segment *segment);
/* Removes its files and all sidecars that are known of (segment_index_look); what cannot be removed
 * goes at the next start. */
void segment_unlink(const struct segment *segment);

/* --- the sidecars of a segment, by the ids of indexes (index_id.h) --- */

enum segment_index_state {
    SEGMENT_INDEX_NONE,    /* the segment does not have the column (or: the file was dropped) */
    SEGMENT_INDEX_READY,   /* there, as far as known: its checksums are checked at first use */
    SEGMENT_INDEX_MISSING, /* not there or found damaged: to be made */
    SEGMENT_INDEX_FAILED,  /* cannot be made: the segment itself is damaged */
};
/* Looks for the file when that was not done before; from then on look-ups use it. */
enum segment_index_state segment_index_look(struct segment *segment, const struct index_def *def);
/* What the snapshot says of the file is not to be believed: look for it again. */
void segment_index_recheck(struct segment *segment, int32_t index_id);
/* After the file was made (READY), removed (NONE), or could not be made (FAILED, MISSING). */
void segment_index_set(struct segment *segment, int32_t index_id, enum segment_index_state state);
/* A page of a mapped sidecar fails its checksum: not used any more, to be made again. */
void segment_index_damaged(struct segment *segment, int32_t index_id);
/* The mapped sidecar, checked; it stays as long as the segment. NULL when there is none that can be
 * used. */
const struct hash_index *segment_hash_index(struct segment *segment, int32_t index_id);
const struct sorted_index *segment_sorted_index(struct segment *segment, int32_t index_id);
enum status segment_index_path(const struct segment *segment, int32_t index_id,
                               char out[SYS_PATH_MAX], struct error *err);
/* The segment has all its columns. */
bool segment_has_columns(const struct segment *segment, const struct index_def *def);
/* index_build.c: reads the columns and writes their sidecar, whole by rename, synced. Takes memory
 * for the columns and 40 bytes a row, see segment_index_memory. */
enum status segment_index_build(struct sys *sys, struct segment *segment,
                                const struct index_def *def, struct error *err);
uint64_t segment_index_memory(const struct segment *segment, const struct index_def *def);
/* What an index is made of. Sorted: the column; of several columns their tuples (index/tuple.h).
 * Hash: a pair for each row without nulls, by row. */
struct index_rows {
    struct column column;
    struct hash_pair *pairs;
    uint32_t pairs_len;
};
enum status segment_index_rows(struct segment *segment, const struct index_def *def,
                               struct index_rows *ret, struct error *err);
void index_rows_release(struct index_rows *rows);

/* Maps file and indexes now, so that they can be read after the directory is gone. */
void segment_pin(struct segment *segment);

#endif

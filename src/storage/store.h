/* store.h: one tenant's data: sources, durable writes, pinned views. The face of storage.
 *
 * Promises: a write that source_write has returned STATUS_OK for survives kill -9 and power loss
 * and is in every view opened later. A batch is stored wholly or not at all. A write id is stored
 * once, also across a restart. A view never changes and never blocks writers.
 *
 * Threads: every call may be made from any thread. All may block on disk. Errors as stated; on a
 * full disk writes fail with STATUS_STORAGE_FULL and succeed again by themselves when space
 * returns; reads go on. */
#ifndef QUARRY_STORAGE_STORE_H
#define QUARRY_STORAGE_STORE_H

#include "base/histogram.h"
#include "base/uuid.h"
#include "data/batch.h"
#include "data/value.h"
#include "format/parquet/parquet.h"
#include "storage/index/index_id.h"
#include "sys/sys.h"

struct store;
struct source;

/* When small files are joined, and into what (contracts 1.7). Members that are 0: the defaults. */
struct compact_policy {
    uint64_t min_file_bytes;        /* files below are small; 50 MiB */
    uint64_t max_file_bytes;        /* files above are left alone; 512 MiB */
    uint64_t target_file_bytes;     /* an output is closed at about this size; 256 MiB */
    uint32_t small_file_threshold;  /* so many small files of one size class; 10 */
    uint32_t total_files_threshold; /* or so many small ones of any size in a partition; 100 */
    int64_t age_threshold_us;       /* or 2 small ones in a source without commits so long; 6 h */
    uint32_t batch_files;           /* inputs of one merge at the most; COMPACT_INPUTS_MAX */
    uint64_t io_bytes_per_s; /* read and written; 0: COMPACT_IO_BYTES, UINT64_MAX: no limit */
};

struct store_options {
    const char *path;            /* DATA_PATH; sources/ and wal/ live below */
    uint64_t memtable_bytes;     /* sum of all memtables that starts flushing; 0: 256 MiB */
    uint64_t memtable_max_bytes; /* writers wait, then 429, beyond; 0: 2 x memtable_bytes */
    int64_t flush_age_us;        /* a memtable older than this is flushed; 0: 300 s */
    uint32_t flush_threads;      /* 0: 1 */
    uint64_t page_cache_bytes;   /* parsed files and decoded pages in memory; 0: 1 GiB */
    uint64_t wal_segment_bytes;  /* 0: 64 MiB */
    int64_t wal_commit_delay_us; /* of a group of writers for more of them; 0: none */
    int64_t wal_retention_us; /* log segments that nobody needs are kept so long; 0: not at all */
    int64_t
        snapshot_retention_us;   /* older states are kept so long; 0: 24 h; negative: not at all */
    uint32_t snapshots_min_kept; /* but so many of the newest, the current one included; 0: 3 */
    bool auto_compaction;
    int64_t compaction_interval_us;   /* 0: 1 h */
    struct compact_policy compaction; /* members that are 0: the defaults */
    bool read_only;
};

/* Locks the directory (STATUS_CONFLICT when another process has it), loads the sources' snapshots,
 * replays the WAL, starts the flush threads. */
enum status store_open(struct sys *sys, const struct store_options *options,
                       struct store **ret_store, struct error *err);
/* Stops accepting, flushes when `flush` is set, joins the threads. Views must be closed before. */
void store_close(struct store *store, bool flush);

/* --- sources --- */

enum {
    SOURCE_ID_MAX = 128,
    SOURCE_COLUMNS_LISTED_MAX = 64, /* partition and index columns */
    SOURCE_COMPOSITES_MAX = 32,     /* indexes over several columns */
    STORE_SOURCES_MAX = 10000,
};

enum transform {
    TRANSFORM_IDENTITY,
    TRANSFORM_YEAR,
    TRANSFORM_MONTH,
    TRANSFORM_DAY,
    TRANSFORM_HOUR
};

/* What becomes of a record that does not fit, unless its write says otherwise. */
enum on_error {
    ON_ERROR_REJECT,     /* the whole batch is refused */
    ON_ERROR_QUARANTINE, /* it goes to the source <id>.quarantine */
    ON_ERROR_SKIP,       /* it is left out */
    ON_ERROR_COUNT
};
const char *on_error_name(enum on_error mode); /* "reject", "quarantine", "skip" */
bool on_error_parse(struct str text, enum on_error *ret);

enum { RETENTION_DAYS_MAX = 36500 };

/* What may be changed later (source_set). */
struct source_settings {
    enum on_error on_error;
    uint32_t retention_days;     /* rows older than this go; 0: none */
    struct str retention_column; /* a date or timestamp; length 0: by the age of their file */
};

/* Hash: equality. Sorted: ranges, prefixes, ordered reads. Rows in memory are hash indexed at their
 * first look-up and have no sorted index. */
enum index_kind { INDEX_KIND_HASH = 1, INDEX_KIND_SORTED = 2 }; /* bits */

/* An index over several columns. Hash: equality on all of them. Sorted: equality on some first ones
 * with a range or an order of the next. */
struct composite_config {
    uint32_t number; /* never used again by the source; ignored on the way in */
    enum index_kind kind;
    uint32_t fields_len;              /* 2 to INDEX_FIELDS_MAX */
    int32_t fields[INDEX_FIELDS_MAX]; /* first field ids (field_id_base); of declared columns:
                                       * their number from 1 */
};

/* As declared by the client (contracts 1.3.3); all borrowed on the way in. */
struct source_config {
    struct str source_id; /* [A-Za-z0-9_][A-Za-z0-9_.-]*, at most SOURCE_ID_MAX */
    struct str name;
    struct str connection_string;
    struct str data_path;
    const struct field *fields; /* schema_definition; ids ignored on the way in */
    uint32_t fields_len;
    const struct str *partition_columns; /* date/timestamp columns: by day; else by value */
    uint32_t partition_columns_len;
    const struct str *index_columns;
    uint32_t index_columns_len;
    const struct str *key_columns; /* of source_upsert; never change */
    uint32_t key_columns_len;
    /* The store's own: as declared, when indexes were added, dropped or renamed since; else NULL.
     */
    const struct str *declared_index_columns;
    uint32_t declared_index_columns_len;
    const int32_t *sorted_fields; /* first field ids (field_id_base) of columns with a
                                   * sorted index */
    uint32_t sorted_fields_len;
    const struct composite_config *composites;
    uint32_t composites_len;
    uint32_t composites_last; /* the store's own: the last number that was used */
    const struct composite_config *declared_composites; /* as declared_index_columns */
    uint32_t declared_composites_len;
    const struct str *declared_partition_columns; /* when one was renamed since; else NULL */
    const struct schema_def *schema;              /* as source_alter has made it; else NULL */
    struct source_settings settings;
    enum parquet_codec codec;
    uint32_t max_file_size_mb;
    bool wal_enabled; /* false: acknowledged once it can be read; the log is written behind it, so a
                       * crash loses what was acknowledged since the last sync (one group commit,
                       * milliseconds; all unflushed rows if the log itself failed) */
};

/* [A-Za-z0-9_][A-Za-z0-9_.-]*, else STATUS_INVALID_ARGUMENT. */
enum status source_check_id(struct str id, struct error *err);
/* Checks the id (STATUS_INVALID_ARGUMENT) and that it is new (STATUS_CONFLICT when it exists with
 * another configuration; the same one again is fine). Durable when it returns. */
enum status store_add_source(struct store *store, const struct source_config *config,
                             struct error *err);
/* Removes it with its data; views that are open go on reading. STATUS_UNKNOWN_SOURCE. */
enum status store_remove_source(struct store *store, struct str source_id, struct error *err);
/* A reference, to be given back with source_unref. STATUS_UNKNOWN_SOURCE. */
enum status store_get_source(struct store *store, struct str source_id, struct source **ret_source,
                             struct error *err);
void source_unref(struct source *source);
/* All sources in the order of their ids, referenced; array from malloc. */
enum status store_list_sources(struct store *store, struct source ***ret_sources, uint32_t *ret_len,
                               struct error *err);
/* Of this life of the id: a source that was removed and declared again has another. */
struct uuid source_incarnation(const struct source *source);
/* Borrowed from source; its index columns and settings are those in force. */
const struct source_config *source_config(const struct source *source);
/* Durable when it returns. Declaring the source again does not bring the old ones back.
 * STATUS_INVALID_ARGUMENT for a column that there is not or that holds no time. */
enum status source_set(struct source *source, const struct source_settings *settings,
                       struct error *err);

/* --- schema --- */

/* What a column has besides name, type and id. */
struct field_traits {
    struct str comment;          /* data NULL: none */
    const struct value *initial; /* of rows in files that lack the column; NULL: null */
    const struct value *fill;    /* of records that lack the field from now on; NULL: null */
    bool declared;               /* by a client: records do not change its type */
    bool required;               /* null is refused */
};

/* An immutable version of a source's columns. Column names compare byte by byte; what is stored
 * goes by field ids, which are never used again. */
struct schema {
    _Atomic uint32_t refs;
    uint32_t
        epoch; /* counts source_alter since the start, from 1: names mean the same within one */
    int32_t id;
    int32_t last_field_id;
    uint32_t fields_len;
    struct field *fields;
    struct field_traits *traits; /* as fields */
    struct arena arena;
};
struct schema *source_schema(struct source *source); /* referenced */
struct schema *schema_ref(struct schema *schema);
void schema_unref(struct schema *schema);
/* Index, or -1. */
int32_t schema_find(const struct schema *schema, struct str name);
/* Index, or -1. */
int32_t schema_find_id(const struct schema *schema, int32_t field_id);

enum {
    SCHEMA_CHANGES_MAX = 1000,
    COMMENT_MAX = 4096,      /* bytes of a column's comment */
    DEFAULT_MAX = 4096,      /* bytes of a default value as JSON */
    SCHEMA_GONE_MAX = 10000, /* dropped columns whose initial default is still remembered */
};

enum schema_change_kind {
    SCHEMA_ADD,      /* column, type, value, comment, required, place */
    SCHEMA_DROP,     /* column */
    SCHEMA_RENAME,   /* column, to */
    SCHEMA_WIDEN,    /* column, type: INT64 to DOUBLE, DATE to TIMESTAMP */
    SCHEMA_MOVE,     /* column, place, other */
    SCHEMA_COMMENT,  /* column, to; data NULL: none */
    SCHEMA_DEFAULT,  /* column, value: of later records only */
    SCHEMA_REQUIRED, /* column, required: only when no row is null there */
};

/* One step; all borrowed. */
struct schema_change {
    enum schema_change_kind kind;
    struct str column, to;
    enum type type;
    yyjson_val *value; /* read as the column's type; NULL, null: none. ADD: of all older rows too */
    bool required;
    enum { PLACE_LAST, PLACE_FIRST, PLACE_BEFORE, PLACE_AFTER } place;
    struct str other; /* column that PLACE_BEFORE and PLACE_AFTER mean */
};

/* All steps in their order, or none: durable when it returns, seen by every view, write and search
 * begun later. Writers wait while unflushed rows are written out. Dropping and adding again gives a
 * new, empty column. `base_id` >= 0: only when that is the present schema's id (STATUS_CONFLICT).
 * STATUS_INVALID_ARGUMENT, STATUS_NOT_FOUND (a column), STATUS_CONFLICT (a name is taken, a
 * partition or index column is to be dropped, rows contradict). The new schema is referenced. */
enum status source_alter(struct source *source, const struct schema_change *changes, uint32_t len,
                         int32_t base_id, struct schema **ret_schema, struct error *err);

/* --- writing --- */

enum { WRITE_ID_MAX = 200 };

struct write_result {
    uint64_t lsn;
    uint32_t rows;
    uint64_t deleted; /* rows that were there; of a duplicate: 0 */
    bool duplicate;   /* this write id was stored before; rows is what it stored then */
};

/* Stores all rows of `batch` (borrowed; the store takes its own reference and the batch must not
 * change any more). Columns that the schema lacks are added; INT64/DATE widen; any other mismatch
 * is STATUS_SCHEMA with record and field and nothing is stored. `write_id` (data NULL: none, at
 * most WRITE_ID_MAX bytes) is remembered for 24 hours at least. Returns when durable (or at once
 * with wal_enabled false). STATUS_TOO_MANY_REQUESTS with retry_after_s when memory is full,
 * STATUS_SCHEMA_CHANGED when the batch was made with names of before a source_alter (batch->epoch),
 * STATUS_STORAGE_FULL, STATUS_UNAVAILABLE after a failed sync until a fresh segment works. */
enum status source_write(struct source *source, struct batch *batch, struct str write_id,
                         struct write_result *ret_result, struct error *err);

/* source_write for who does not wait, since it has many on their way. STATUS_OK without *ret_write:
 * it is over (ret_result->duplicate), or it would have to wait (for memory, the queue, a write of
 * the same id, columns being changed): then nothing has happened, and source_write does it. Else
 * `settled` is called once, by any thread, perhaps before this returns: then later_write_end, which
 * is to be called, tells the outcome. The source must stay until then. */
struct later_write;
struct later_call {
    void (*settled)(void *context); /* short; takes no locks that are held around calls of here */
    void *context;
};
enum status source_write_later(struct source *source, struct batch *batch, struct str write_id,
                               const struct later_call *call, struct later_write **ret_write,
                               struct write_result *ret_result, struct error *err);
enum status later_write_end(struct later_write *write, struct write_result *ret_result,
                            struct error *err);
/* Has all such writes begun so far settled: when it returns, or without `wait` soon. */
void store_commit(struct store *store, bool wait);

/* --- changing rows: delete some, and append others at once --- */

enum {
    MUTATION_ROWS_MAX = 1000000,   /* that an update may write anew */
    MUTATION_BYTES_MAX = 256 << 20 /* the same in memory */
};

/* One at a time in a source: between begin and end no other begins, and nothing is flushed. Rows
 * that others append meanwhile are as if appended after it.
 *
 *     mutation_begin(source, write_id, &mutation, &result, &err)   NULL: a duplicate, see `result`
 *     mutation_delete(mutation, unit, row, &err)                   for each row of mutation_view
 *     mutation_commit(mutation, batch, &result, &err)              as source_write; NULL: no rows
 *     mutation_end(mutation)
 *
 * `write_id` is borrowed until the end. result.rows is the number of rows of the batch, or the
 * number of deleted rows without one. */
struct mutation;
enum status mutation_begin(struct source *source, struct str write_id,
                           struct mutation **ret_mutation, struct write_result *ret_result,
                           struct error *err);
struct view *mutation_view(struct mutation *mutation);
/* Row `row` of unit `unit` of the view: its segments, then its chunks. One that is marked already,
 * or was deleted before, is fine. */
enum status mutation_delete(struct mutation *mutation, uint32_t unit, uint64_t row,
                            struct error *err);
/* All or nothing, durable when it returns; a view has all of it or nothing. */
enum status mutation_commit(struct mutation *mutation, struct batch *batch,
                            struct write_result *ret_result, struct error *err);
void mutation_end(struct mutation *mutation); /* NULL is fine */

/* Small ones that come at the same time share a sync. Stores the rows of `batch` in place of those
 * with the same values in the source's key columns (of rows of the batch with the same key the last
 * one is stored). Otherwise as source_write; STATUS_INVALID_ARGUMENT when the source has no key
 * columns, STATUS_SCHEMA for a row without a key. */
enum status source_upsert(struct source *source, struct batch *batch, struct str write_id,
                          struct write_result *ret_result, struct error *err);

/* Rows of another source that are stored together with a write: both or neither, also after a
 * crash. */
struct write_side {
    struct source *source;
    struct batch *batch;
};
/* source_write or source_upsert with a side (NULL: without). */
enum status source_write_with(struct source *source, struct batch *batch, struct str write_id,
                              bool upsert, const struct write_side *side,
                              struct write_result *ret_result, struct error *err);

/* Everything acknowledged so far becomes Parquet and a snapshot. */
enum status source_flush(struct source *source, struct error *err);

/* --- reading --- */

struct segment;  /* an immutable Parquet file with its sidecars */
struct deletion; /* the deleted rows of a segment or chunk, immutable */

/* How many; NULL: none. Known without reading anything. */
uint64_t deletion_count(const struct deletion *deletion);
/* Reads its file at first use; NULL is fine. Before it only deletion_count may be called.
 * STATUS_CORRUPT names the file. */
enum status deletion_load(struct deletion *deletion, struct error *err);
bool deletion_has(const struct deletion *deletion, uint64_t row);
/* The first deleted row that is not below `row`; UINT64_MAX: none. */
uint64_t deletion_next(const struct deletion *deletion, uint64_t row);

/* A pinned state: `segments` and `chunks` without their deleted rows hold every row exactly once;
 * bounds of a segment cover its deleted rows too. A column of a segment or
 * chunk may be narrower than in the schema (written before it widened: INT64 for DOUBLE, DATE for
 * TIMESTAMP): readers widen; segment_bounds answers in the segment's own type. A column that a
 * chunk lacks is null there; one that a segment lacks has its initial default (field_traits) or is
 * null. A view of an earlier state has that state's schema: names and columns as they were. */
struct view {
    struct source *source; /* referenced */
    struct schema *schema; /* referenced; covers all segments and chunks */
    uint64_t lsn;          /* all writes up to this are inside */
    uint64_t snapshot_id;
    uint64_t rows;             /* without the deleted ones */
    struct segment **segments; /* oldest first; referenced */
    uint32_t segments_len;
    struct deletion *
        *deletions;        /* parallel to segments, NULL: none; the array is NULL without any */
    struct batch **chunks; /* unflushed rows, oldest first; referenced */
    uint32_t chunks_len;
    struct deletion **chunk_deletions; /* parallel to chunks, as `deletions`; always loaded */
    struct view_int *impl;             /* the store's own: what it has pinned */
};
enum status view_open(struct source *source, struct view *ret_view, struct error *err);
void view_close(struct view *view);

struct segment_info {
    const char *path; /* full, NUL-ended */
    uint64_t id;      /* unique within the source, ascending by age */
    uint64_t rows;
    uint64_t bytes;
};
struct segment_info segment_info(const struct segment *segment);
/* Bounds of a column over the whole segment by field id; false when unknown. *ret_nulls is the
 * number of nulls (== rows for a column the segment does not have: then min/max are not set). */
bool segment_bounds(const struct segment *segment, int32_t field_id, struct value *ret_min,
                    struct value *ret_max, uint64_t *ret_nulls);
/* A reader over the mapped file for the calling thread; give back with segment_reader_release
 * (readers are pooled: opening parses no footer when one is idle). */
enum status segment_reader(struct segment *segment, struct parquet_reader **ret_reader,
                           struct error *err);
void segment_reader_release(struct segment *segment, struct parquet_reader *reader);
/* Parquet column of a field id in this segment, -1 when it has none (all null). */
int32_t segment_column(const struct segment *segment, int32_t field_id);
/* Its type there; false when the segment has no such column. */
bool segment_column_type(const struct segment *segment, int32_t field_id, enum type *ret);

/* Row numbers (ascending) whose column equals the value, from the hash index sidecar, exact after
 * the caller has checked the value (hash collisions are possible). `*ret_used` false: there is no
 * index for this column here, or it has more than `limit` rows: scan instead. Rows are malloc'ed.
 */
enum status segment_lookup(struct segment *segment, int32_t field_id, const struct value *value,
                           uint64_t limit, bool *ret_used, uint64_t **ret_rows, uint32_t *ret_len,
                           struct error *err);
/* Does the source have a sorted index on this field of the view? */
bool view_has_sorted(const struct view *view, uint32_t field);
/* A few rows of a segment in memory, with all their columns; a segment's rows are kept so when they
 * are asked for again and again. */
enum { ROW_PIN_MAX = 64 };
struct row_block;
struct row_pin {
    uint32_t len;
    struct row_block *blocks[ROW_PIN_MAX]; /* of each row */
    uint32_t rows[ROW_PIN_MAX];            /* in the block */
};
/* False: they have to be read from the file, `ret` is then empty. At most ROW_PIN_MAX rows. */
bool segment_pin_rows(struct segment *segment, const uint64_t *rows, uint32_t len,
                      struct row_pin *ret);
void row_pin_release(struct row_pin *pin);
/* Appends the values of a column of the segment, of its own type. */
enum status row_pin_append(const struct row_pin *pin, uint32_t row, uint32_t column,
                           struct column *into);
/* The same for a range, from the sorted sidecar: at most `limit` rows, else `*ret_used` is false.
 * The range has the segment's own type. */
enum status segment_range(struct segment *segment, int32_t field_id,
                          const struct value_range *range, uint64_t limit, bool *ret_used,
                          uint64_t **ret_rows, uint32_t *ret_len, struct error *err);
/* Rows (ascending) among which the first `count` by value are, nulls left out, from the sorted
 * sidecar; of equal values all or those that come first. `*ret_used` false: there is no such index,
 * or fewer values, or too many equal ones. */
enum status segment_first_rows(struct segment *segment, int32_t field_id, bool descending,
                               uint32_t count, bool *ret_used, uint64_t **ret_rows,
                               uint32_t *ret_len, struct error *err);
/* Point look-ups over all segments at once: clears the bit of each segment of the view (bit i % 64
 * of word i / 64) that certainly has none of the values; each has a type that the column has or had
 * (INT64 and DOUBLE, DATE and TIMESTAMP). Cheap; false when nothing is known yet. */
bool view_narrow(struct view *view, uint32_t field, const struct value *values, uint32_t values_len,
                 uint64_t *candidates);
/* The same over the chunks of the view. */
bool view_narrow_chunks(struct view *view, uint32_t field, const struct value *values,
                        uint32_t values_len, uint64_t *candidates);
/* A composite index of a view's source whose columns the view has. */
struct composite {
    struct index_def def;              /* its field ids are those of the view's schema */
    uint32_t fields[INDEX_FIELDS_MAX]; /* the same as places in that schema */
    enum index_kind kind;
};
uint32_t view_composites(const struct view *view, struct composite ret[SOURCE_COMPOSITES_MAX]);
/* What segment_lookup, segment_range, segment_first_rows, view_narrow and view_chunk_lookup are,
 * for composite indexes: `values` are one for each column. Rows with a null are in no hash index.
 * `*ret_used` false also when the segment lacks one of the columns, or with more rows than `limit`.
 */
enum status segment_lookup_tuple(struct segment *segment, const struct index_def *def,
                                 const struct value *values, uint64_t limit, bool *ret_used,
                                 uint64_t **ret_rows, uint32_t *ret_len, struct error *err);
/* Equal to `prefix` in the first columns; the next column within `next` (neither end: any value
 * but null), or anything when that is NULL. Of the segment's own types. */
struct tuple_range {
    const struct value *prefix;
    uint32_t prefix_len;
    const struct value_range *next;
};
enum status segment_range_tuple(struct segment *segment, const struct index_def *def,
                                const struct tuple_range *range, uint64_t limit, bool *ret_used,
                                uint64_t **ret_rows, uint32_t *ret_len, struct error *err);
/* Rows (ascending) of the range among which the first `count` of it by the order of the columns
 * are, all rows of it when these are fewer. */
enum status segment_first_tuples(struct segment *segment, const struct index_def *def,
                                 const struct tuple_range *range, bool descending, uint32_t count,
                                 bool *ret_used, uint64_t **ret_rows, uint32_t *ret_len,
                                 struct error *err);
/* `hashes`: values_hash of what is looked for. */
bool view_narrow_tuples(struct view *view, const struct composite *composite,
                        const uint64_t *hashes, uint32_t len, uint64_t *candidates);
enum status view_chunk_lookup_tuple(struct view *view, uint32_t chunk,
                                    const struct composite *composite, const struct value *values,
                                    bool *ret_used, uint32_t **ret_rows, uint32_t *ret_len,
                                    struct error *err);
/* segment_lookup for a chunk of a view; the index is built at first use for chunks of 2,048 rows
 * and more. */
enum status view_chunk_lookup(struct view *view, uint32_t chunk, struct str column,
                              const struct value *value, bool *ret_used, uint32_t **ret_rows,
                              uint32_t *ret_len, struct error *err);

/* Paths of Parquet files that hold a view's unflushed rows, for readers in other processes. Written
 * once per chunk into DATA_PATH/run/ (not synced, removed with the chunk), shared by later views.
 * The array is malloc'ed; the strings live as long as the view. */
enum status view_overlay_files(struct view *view, const char ***ret_paths, uint32_t *ret_len,
                               struct error *err);
/* Do all segments and overlay files hold the view's columns and no others, each by its name, its
 * type and its id? Opens the segments. */
enum status view_is_uniform(struct view *view, bool *ret, struct error *err);
/* The same for deleted rows: for each segment, then each chunk, of the view the path of a Parquet
 * file with a column pos (field id DELETION_FIELD_POS), the rows of it that are deleted; NULL:
 * none. The array is NULL when the view has none at all. */
enum { DELETION_FIELD_POS = 2147483545, DELETION_FIELD_PATH = 2147483546 }; /* Iceberg's */
enum status view_delete_files(struct view *view, const char ***ret_paths, struct error *err);

/* --- history: every commit is a snapshot that stays readable until it expires --- */

enum {
    TAG_NAME_MAX = 64, /* [A-Za-z0-9_][A-Za-z0-9_.-]* and not a number */
    SNAPSHOT_TAGS_MAX = 100,
    SNAPSHOTS_KEPT_MAX = 1000,          /* more: the oldest without a tag go early */
    SNAPSHOT_HISTORY_BYTES = 128 << 20, /* the same for the size of their descriptions */
};

enum snapshot_operation {
    SNAPSHOT_APPEND,
    SNAPSHOT_REPLACE, /* same rows, other files */
    SNAPSHOT_ROLLBACK,
    SNAPSHOT_DELETE,    /* rows only went */
    SNAPSHOT_OVERWRITE, /* rows went and came */
};
const char *snapshot_operation_name(enum snapshot_operation operation);

struct snapshot_info {
    uint64_t id, parent; /* parent 0: none */
    int64_t time_us;
    enum snapshot_operation operation;
    uint64_t lsn, rows, bytes, files;
    uint64_t added, removed; /* files, against the parent */
    bool is_current;
    bool is_damaged; /* its description cannot be read: only `id` is valid */
    const char **tags;
    uint32_t tags_len;
};
struct snapshot_list {
    struct snapshot_info *items; /* newest first */
    uint32_t len;
    struct arena arena;
};
enum status source_list_snapshots(struct source *source, struct snapshot_list *ret,
                                  struct error *err);
void snapshot_list_release(struct snapshot_list *list);

/* Which state: of an id, of a tag, or the newest not later than a time. */
struct as_of {
    enum { AS_OF_ID, AS_OF_TAG, AS_OF_TIME } kind;
    uint64_t id;
    struct str tag;
    int64_t time_us;
};
/* A number is an id, an ISO timestamp a time, anything else a tag. STATUS_INVALID_ARGUMENT. */
enum status as_of_parse(struct str text, struct as_of *ret, struct error *err);
/* A view of that state: its segments, no unflushed rows. STATUS_NOT_FOUND when it is not kept. */
enum status view_open_as_of(struct source *source, const struct as_of *as_of, struct view *ret_view,
                            struct error *err);
/* Names a snapshot. STATUS_NOT_FOUND: no such snapshot; STATUS_CONFLICT: the name is taken. */
enum status source_tag(struct source *source, uint64_t snapshot_id, struct str name,
                       struct error *err);
enum status source_untag(struct source *source, struct str name, struct error *err);
/* A new commit whose rows are those of that state. What was acknowledged before the call is flushed
 * first, so that the state before the call stays readable; write ids stay remembered, and the
 * schema stays as wide as it has become. */
enum status source_rollback(struct source *source, const struct as_of *as_of,
                            uint64_t *ret_snapshot_id, struct error *err);
/* Lets go of what has expired now, and of files that nobody needs any more. */
enum status source_expire(struct source *source, struct error *err);

/* Removes now what is older than the source keeps it (retention_days): files whose rows all are.
 * The background thread does so by itself. */
enum status source_retain(struct source *source, struct error *err);

/* --- compaction: jobs of a background thread --- */

enum {
    COMPACT_JOBS_KEPT = 256, /* finished ones that are still told of */
    COMPACT_JOBS_QUEUED_MAX = 64,
    COMPACT_INPUTS_MAX = 512,
    COMPACT_JOB_ID_MAX = 37,
};

enum compact_state {
    COMPACT_QUEUED,
    COMPACT_RUNNING,
    COMPACT_DONE,
    COMPACT_FAILED,
    COMPACT_CANCELLED,
};
const char *compact_state_name(enum compact_state state);

struct compact_job_info {
    char id[COMPACT_JOB_ID_MAX];
    char source_id[SOURCE_ID_MAX + 1];
    enum compact_state state;
    bool automatic;
    int64_t queued_us, started_us, finished_us; /* 0: not yet */
    uint64_t merges;                            /* commits */
    uint64_t input_files, input_bytes, output_files, output_bytes, rows;
    uint64_t estimated_bytes; /* of the inputs of the merge under way, or the last one */
    char error[160];
};
struct compact_status {
    bool automatic;
    uint64_t active, queued, done, failed, cancelled, merges;
    uint64_t files_reduced;
    int64_t bytes_reduced;
};
/* Queues a job that joins all small files of the source by this policy (members 0: the store's).
 * STATUS_UNKNOWN_SOURCE, STATUS_TOO_MANY_REQUESTS. */
enum status store_compact(struct store *store, struct str source_id,
                          const struct compact_policy *policy, char ret_job[COMPACT_JOB_ID_MAX],
                          struct error *err);
/* STATUS_NOT_FOUND. */
enum status store_compact_job(struct store *store, struct str job_id, struct compact_job_info *ret,
                              struct error *err);
/* Asks it to stop: a merge under way is abandoned. STATUS_NOT_FOUND; STATUS_CONFLICT when it has
 * ended. */
enum status store_compact_cancel(struct store *store, struct str job_id, struct error *err);
void store_compact_status(struct store *store, struct compact_status *ret);
/* Known jobs, newest first; malloc'ed. */
enum status store_compact_jobs(struct store *store, struct compact_job_info **ret,
                               uint32_t *ret_len, struct error *err);
/* The same work at once, in the calling thread (tests and tools). `ret` may be NULL. */
enum status source_compact(struct source *source, const struct compact_policy *policy,
                           struct compact_job_info *ret, struct error *err);

/* --- indexes --- */

/* State of one index. */
struct index_info {
    struct str columns[INDEX_FIELDS_MAX]; /* in the arena given */
    uint32_t columns_len;
    uint32_t number; /* of a composite one; else 0 */
    enum index_kind kind;
    uint64_t files;  /* that have this column */
    uint64_t ready;  /* of these: with a sidecar that is used */
    uint64_t failed; /* of these: the sidecar could not be made (damaged file); they are scanned */
};
/* Adds indexes of the kinds (bits) given (those that are there already are fine): durable when it
 * returns, built in the background, file by file, each used as soon as it is there.
 * STATUS_INVALID_ARGUMENT for a column that the source does not have, and for a sorted index of a
 * JSON column. */
enum status source_add_indexes(struct source *source, const struct str *columns, uint32_t len,
                               uint32_t kinds, struct error *err);
/* Drops those of the kinds given; STATUS_NOT_FOUND when the column has none of them. Their files
 * are removed. */
enum status source_drop_index(struct source *source, struct str column, uint32_t kinds,
                              struct error *err);
/* One index over all columns given, in this order; `*ret_number` names it. One that is there
 * already is fine. Otherwise as source_add_indexes. */
enum status source_add_composite(struct source *source, const struct str *columns, uint32_t len,
                                 enum index_kind kind, uint32_t *ret_number, struct error *err);
enum status source_drop_composite(struct source *source, uint32_t number, struct error *err);
enum status source_list_indexes(struct source *source, struct arena *arena,
                                struct index_info **ret_indexes, uint32_t *ret_len,
                                struct error *err);

/* --- statistics --- */

enum { SOURCE_DAMAGE_MAX = 320 };

struct source_stats {
    uint64_t files, bytes, rows; /* rows: unflushed ones included */
    uint64_t memtable_rows, memtable_bytes;
    int64_t last_updated_us; /* 0: never */
    uint64_t snapshot_id;
    uint64_t flushes, flush_failures; /* since the start */
    uint64_t index_entries;
    uint64_t snapshots;    /* readable states, the current one included */
    char flush_error[160]; /* why the last flush failed; "" when it succeeded */
    int64_t retention_us;  /* when the age of rows was looked at last; 0: never */
    uint64_t retention_rows, retention_files; /* removed since the start */
    char retention_error[160];                /* of the last time; "" when it succeeded */
    /* A file that deletes in the log belong to is damaged: its rows are refused, and nothing of the
     * source is flushed, until it is repaired or given up. "": none. */
    char damage[SOURCE_DAMAGE_MAX];
};
void source_get_stats(struct source *source, struct source_stats *ret_stats);

/* What the flushed rows are like (sketch/sketch.h), referenced; NULL: nothing is known, or the
 * columns have changed. Rows deleted since are still in it. */
struct sketch;
struct sketch *source_sketch(struct source *source);
/* For a sketch made anew from a view: the mark is taken before the view is opened; false when rows
 * were flushed since, so that they may be missing. The sketch (of segments only) is taken. */
uint64_t source_sketch_mark(struct source *source);
bool source_set_sketch(struct source *source, struct sketch *sketch, uint64_t mark);
/* Writes it beside the source when it has changed. */
enum status source_save_sketch(struct source *source, struct error *err);

struct store_stats {
    uint64_t wal_files, wal_bytes, wal_pending; /* pending: frames not yet in a snapshot */
    char wal_current[64];
    uint64_t memtable_bytes, page_cache_bytes;
    struct histogram wal_syncs; /* how long they took */
    uint64_t writes, rows_written, writes_refused;
    uint64_t lsn;
};
void store_get_stats(struct store *store, struct store_stats *ret_stats);

#endif

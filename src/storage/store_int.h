/* store_int.h: the store's own structures, for the files of this folder.
 *
 * Lock order (never the other way round): source.flush_lock, store.lock, source.lock, then the
 * leaves store.memory_lock and those inside the WAL, chunks and segments. The WAL's writer thread
 * takes source.lock while publishing, so nobody waits for the WAL under source.lock (wal_submit
 * does not block).
 *
 * Who reads a segment's files holds a reference to a snapshot that has it (index_thread.c, backup/,
 * views, merges): a segment's files go only when the list of doomed ones has the last reference.
 * The list of indexes changes under flush_lock; a merge works with the list it began with and its
 * commit removes sidecars of indexes dropped meanwhile. */
#ifndef QUARRY_STORAGE_STORE_INT_H
#define QUARRY_STORAGE_STORE_INT_H

#include <pthread.h>

#include "base/uuid.h"
#include "storage/finder.h"
#include "storage/memtable/chunk_list.h"
#include "storage/sketch/sketch.h"
#include "storage/source_files.h"
#include "storage/store.h"
#include "storage/table/table.h"
#include "storage/wal/wal.h"
#include "storage/write_ids.h"
#include "sys/thread.h"

struct mutation;

enum {
    STORE_MEMTABLE_BYTES = 256 << 20,
    STORE_MEMORY_WAIT_US = 2000000, /* of a writer for memory, then 429 */
    STORE_FLUSH_THREADS_MAX = 16,
    STORE_PAGE_CACHE_BYTES = 1 << 30,
    FLUSH_BACKOFF_FIRST_US = 500000,
    FLUSH_BACKOFF_MAX_US = 30000000,
};
#define STORE_FLUSH_AGE_US INT64_C(300000000)

/* A kept state that is not the current one. */
struct history_entry {
    uint64_t id;
    struct snapshot *snapshot; /* referenced; NULL: its file is damaged */
};

/* Segments, and deletes with a file, that no kept snapshot names, but a view may. */
struct doomed {
    struct segment *segment; /* or */
    struct deletion *deletion;
};

/* The older states of a source, ascending. Changed under flush_lock and lock, so that either is
 * enough for reading; `doomed` only under flush_lock. */
struct history {
    struct history_entry *entries;
    uint32_t len;
    struct snapshot_tag *tags;
    uint32_t tags_len;
    struct doomed *doomed; /* referenced */
    uint32_t doomed_cap;
    _Atomic uint32_t doomed_len;
    bool unsure; /* a swap of CURRENT has failed: what is on disk may be another state */
};

struct compactor;

struct store {
    struct sys *sys;
    struct store_options options; /* with the defaults filled in */
    char path[SYS_PATH_MAX];
    struct sys_file *lock_file;
    struct wal *wal;

    pthread_mutex_t lock;    /* the list of sources */
    struct source **sources; /* by id, each referenced */
    uint32_t sources_len, sources_cap;
    struct source *graves; /* removed, but somebody still reads; linked by next_grave */

    pthread_mutex_t memory_lock; /* leaf: memory and the flush threads' sleep */
    pthread_cond_t memory_freed; /* writers wait */
    pthread_cond_t flush_work;   /* flush threads wait */
    uint64_t memory_used;        /* memtables and writes under way */
    uint32_t writers_waiting;    /* for memory */
    bool stopping;
    pthread_cond_t index_work; /* the index thread waits */
    bool index_wanted;
    struct thread index_thread;
    struct chunk_budget chunk_indexes; /* memory of the lazy indexes of chunks */
    struct thread flush_threads[STORE_FLUSH_THREADS_MAX];
    uint32_t flush_threads_len;

    struct compactor *compactor; /* NULL when read_only */
    struct source *to_merge;     /* the WAL thread's: sources that it has just published to */

    _Atomic bool closing;
    _Atomic bool disk_full; /* the last flush found no space */
    _Atomic uint64_t next_overlay;
    _Atomic uint64_t writes, rows_written, writes_refused;
    _Atomic uint64_t finder_bytes; /* what finders take */
    struct reader_pool readers;    /* of all segments */
};

struct source {
    _Atomic uint32_t refs;
    struct store *store;
    struct arena arena;          /* the configuration */
    struct source_config config; /* as loaded; what is in force: source_config() */
    _Atomic(const struct source_config *) present; /* in the arena; changed under flush_lock */
    int64_t created_us;
    bool indexes_rechecked;  /* the index thread's */
    struct uuid incarnation; /* of this life of the id: frames of an earlier one do not come back */
    char *dir;               /* changes when the id is added again while old views are open */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a pending write id has an outcome */
    bool removed;
    struct source *next_grave; /* store->lock */
    struct source *next_merge; /* the WAL thread's */
    bool merge_listed;
    struct schema *schema;
    bool altering;                           /* by source_alter: no frame is queued */
    uint32_t in_flight;                      /* frames queued and not published */
    uint8_t big_ints[SCHEMA_FIELDS_MAX / 8]; /* fields with integers that a double cannot hold */
    struct write_ids ids;
    struct memtable active; /* takes what is published */
    struct memtable frozen; /* being flushed, or left by a failed flush */
    struct snapshot *snapshot;
    struct deletion_set *deleted; /* rows of the snapshot's segments; NULL: as the snapshot says */
    uint64_t first_mutation_lsn;  /* oldest mutation that no snapshot holds; 0: none */
    int64_t mutated_since_us;     /* and when that was (monotonic) */
    uint64_t bare_mutations;      /* frames of those without rows */
    char damage[SOURCE_DAMAGE_MAX]; /* why deletes of the log wait for a repair, see mutation.c */
    bool mutating;                  /* one is on its way through the log: chunks stay as they are */
    uint64_t published_lsn;
    int64_t last_updated_us;
    uint64_t flushes, flush_failures;
    char flush_error[160];
    int64_t retention_us;
    uint64_t retention_rows, retention_files;
    char retention_error[160];
    int64_t flush_not_before_us; /* monotonic; after a failure */
    int64_t flush_backoff_us;
    bool flushing;

    struct table *table; /* flush_lock */
    struct history history;
    _Atomic bool upkeep_due;       /* the compactor is to look at it */
    _Atomic bool retention_due;    /* and at the age of its rows at once */
    int64_t retain_not_before_us;  /* the compactor's own: monotonic */
    int64_t compact_not_before_us; /* the compactor's own: monotonic, after a failure */

    struct finder_list finders;

    pthread_mutex_t upsert_lock;   /* leaf: what follows, see upsert_group.c */
    pthread_cond_t upserts_over;   /* a group is done */
    struct upsert_member *upserts; /* that wait for their group */
    uint32_t upserts_len;
    bool upserts_led;

    pthread_mutex_t sketch_lock; /* leaf, but for `lock`: what follows */
    struct sketch *sketch;       /* of the flushed rows; NULL: none */
    uint64_t sketch_flushes;
    bool sketch_loaded, sketch_unsaved;

    pthread_mutex_t flush_lock; /* one flush at a time, and the two counters */
    uint64_t next_segment_id, next_snapshot_id;
};

/* --- source_sketch.c --- */

/* These rows (NULL: not known) are in a snapshot now. */
void source_sketch_flushed(struct source *source, const struct sketch *rows);

/* --- schema.c --- */

/* A schema's definition as source.json holds it: the columns, behind them dropped ones whose
 * initial default earlier states still need. */
struct schema_def {
    int32_t id, last_field_id;
    const struct field *fields;
    const struct field_traits *traits; /* as fields; NULL: none */
    uint32_t fields_len, gone_len;
};
/* A schema of the columns that are not gone. NULL when memory is out. */
struct schema *schema_make(const struct schema_def *def, uint32_t epoch, struct error *err);
/* Defaults are made to be of the column's type. False when memory is out. */
bool field_traits_copy(struct arena *arena, const struct field_traits *from, enum type type,
                       struct field_traits *to);

/* Does the batch fit? Drops or retypes its columns of nulls, widens its narrower columns when that
 * is exact. `*ret_changes`: it needs a wider schema (schema_grow). STATUS_SCHEMA names the place.
 */
enum status schema_fit(const struct schema *schema, struct batch *batch, bool *ret_changes,
                       struct error *err);
/* A new version with the batch's columns added and widened. `big_ints` (bits by field index) says
 * which integer fields may not become doubles. */
enum status schema_grow(const struct schema *schema, const struct batch *batch,
                        const uint8_t *big_ints, struct schema **ret, struct error *err);
/* Sets the bits of fields for which the batch holds integers beyond 2^53. */
void schema_mark_big_ints(const struct schema *schema, const struct batch *batch, uint8_t *bits);

/* --- schema_def.c --- */

const struct schema_def *schema_def_copy(struct arena *arena, const struct schema_def *from);
void schema_def_write(struct json_writer *w, const struct schema_def *def);
/* NULL when a member is missing or wrong. */
const struct schema_def *schema_def_read(yyjson_val *json, struct arena *arena);
/* Gives the loaded snapshots the traits that their files do not hold; the schema is the newer of
 * the snapshot's and the definition. */
enum status schema_load(struct source *source, struct error *err);

/* --- schema_alter.c --- */

/* The outcome of a list of changes; everything lies in the arena or is borrowed from `schema`. */
struct schema_draft {
    struct arena *arena;
    struct field *fields;
    struct field_traits *traits;
    uint32_t len;
    int32_t last_field_id;
    struct str *partition, *index; /* the configuration's lists, renamed */
    struct str retention;          /* its column too */
    const struct source_config *config;
    const struct schema *schema;
    const uint8_t *big_ints;
};
enum status schema_draft_make(struct arena *arena, const struct schema *schema,
                              const struct source_config *config, const uint8_t *big_ints,
                              const struct schema_change *changes, uint32_t len,
                              struct schema_draft *ret, struct error *err);

/* --- source_schema.c --- */

/* Before a frame whose batch fits the present schema is queued: waits while the schema is being
 * changed; true when it has (source->lock is held, and was let go). Then source_submitted, and for
 * each such frame source_settled when its outcome is known (both with the lock). */
bool source_wait_schema(struct source *source);
static inline void source_submitted(struct source *source)
{
    source->in_flight++;
}
static inline void source_settled(struct source *source)
{
    if (--source->in_flight == 0 && source->altering)
        pthread_cond_broadcast(&source->changed);
}

/* --- source.c --- */

/* Reads what is on disk of one source. */
enum status source_load(struct store *store, const char *dir, struct source **ret_source,
                        struct error *err);
struct source *source_ref(struct source *source);
/* Moves a directory of sources/ aside, durably, under a name that the next start removes. Only then
 * may its files be removed: a half-removed source must not come back under its id. */
enum status store_move_to_trash(struct store *store, const char *dir, char trash[SYS_PATH_MAX],
                                struct error *err);
/* Index of the id in store->sources or where it would stand; store->lock is held. */
uint32_t store_position(const struct store *store, struct str source_id, bool *ret_found);
enum status store_insert_source(struct store *store, struct source *source, struct error *err);

/* --- publish.c --- */

/* Makes a durable write readable; takes the chunk over. source->lock is held. */
void source_publish(struct source *source, struct chunk *chunk, int64_t now_us);
/* Merges small chunks of the tail; no lock is held. One thread (the WAL's, or recovery). */
void source_merge_chunks(struct source *source);
/* The WAL's hook after a group: merges what the group has published. */
void store_after_group(void *context);
/* Has it merge this source's chunks; the thread that publishes. */
void source_list_for_merge(struct source *source);

/* --- memory.c --- */

/* For thread_cond_wait_until: waits of threads go by the kernel's clock also in a simulated world.
 */
int64_t store_wait_until(int64_t us);
/* Waits for room, counts `bytes` in; STATUS_TOO_MANY_REQUESTS. */
enum status store_memory_take(struct store *store, uint64_t bytes, struct error *err);
/* Without waiting: false when there is no room. */
bool store_memory_try(struct store *store, uint64_t bytes);
/* Lazy indexes of chunks included; memory_lock is held. */
uint64_t store_memory_used(struct store *store);
void store_memory_add(struct store *store, uint64_t bytes);
void store_memory_give(struct store *store, uint64_t bytes);

/* --- write.c --- */

/* One write on its way into the log; it stays where it is until log_end. */
struct log_write {
    struct source *source;
    struct batch *batch; /* borrowed; NULL: a mutation without rows */
    struct str write_id; /* data NULL: none */
    struct mutation *mutation;
    const struct write_side *side;
    bool wait;      /* may it wait for others? Else `settled` is called, as the WAL says, and: */
    bool must_wait; /* it would have had to, and was not begun */
    void (*settled)(struct wal_frame *frame);
    void *settled_context;

    struct chunk *chunk; /* until it is published */
    struct wal_frame *frame;
    bool has_id;
    uint64_t id_number;
};
/* Steps 3 and 4. `result->duplicate`: nothing was submitted. */
enum status log_begin(struct log_write *write, struct write_result *result, struct error *err);
/* Of one whose frame is settled. */
enum status log_end(struct log_write *write, struct write_result *result, struct error *err);
enum status log_would_wait(struct log_write *write, struct error *err);
/* One durable write of rows to the log and into memory: source_write without its counters. With
 * `mutation` (its targets are encoded, mutation_publish is called with it) `batch` may be NULL.
 * `batch` fits the schema as far as known. */
enum status source_log(struct source *source, struct batch *batch, struct str write_id,
                       struct mutation *mutation, const struct write_side *side,
                       struct write_result *result, struct error *err);
/* For mutation_commit of this one; borrowed until then. */
void mutation_set_side(struct mutation *mutation, const struct write_side *side);
/* In the store's statistics; `rows`: new ones. */
void store_count_write(struct store *store, enum status status, const struct write_result *result,
                       uint32_t rows);
/* The checks of any write; `*ret_duplicate`: `result` is that of the write of this id. `ret_waits`
 * NULL: waits while a write of this id is under way; else that is told. */
enum status source_check_write(struct source *source, struct str write_id, bool *ret_waits,
                               bool *ret_duplicate, struct write_result *result, struct error *err);
/* The same of a batch of new rows, which is fitted to the schema. */
enum status source_check_batch(struct source *source, struct batch *batch, struct str write_id,
                               bool *ret_waits, struct write_result *result, struct error *err);
/* Fits the batch to the present schema, growing it when needed; the schema is referenced. */
enum status source_fit_batch(struct source *source, struct batch *batch, struct schema **ret_schema,
                             struct error *err);

/* --- view.c --- */

struct view_int {
    struct snapshot *snapshot;
    struct deletion_set *deleted; /* of the segments, when it is not the snapshot's own */
    struct chunk_list *chunks;    /* has the view's arrays for chunks; NULL: an older state */
};

/* --- mutation.c --- */

/* Its rows as they stand in the log: appends to a frame's payload. */
enum status mutation_encode(const struct mutation *mutation, struct buf *out, struct error *err);
/* Rows that it deletes. */
uint64_t mutation_rows(const struct mutation *mutation);
/* Makes it visible; source->lock is held. */
void mutation_publish(struct mutation *mutation, uint64_t lsn, int64_t now_us);
/* A frame read back: deletes, and gives the batch that is to be published (NULL: none). */
enum status mutation_replay(struct source *source, const struct wal_record *record,
                            struct batch **ret_batch, struct error *err);
/* Does a flush have work: rows or deletes; source->lock is held. */
static inline bool source_is_dirty(const struct source *source)
{
    return source->frozen.head || source->active.head || source->first_mutation_lsn;
}

/* --- recover.c --- */

enum status store_recover(struct store *store, struct error *err);
/* Removes files below the source's directory that no kept snapshot names and no view holds and that
 * have not been written to for `min_age_us`: leftovers of failed removals. */
#define ORPHAN_AGE_US (INT64_C(24) * 3600 * 1000000)
enum status source_remove_orphans(struct source *source, int64_t min_age_us, struct error *err);
/* The same files, of any age: `visit` gets them, nothing is removed. Nobody else has the source. */
enum status source_visit_orphans(struct source *source, orphan_fn visit, void *context,
                                 struct error *err);

/* --- history.c --- */

/* Reads the states besides the current one, after that one. */
enum status history_load(struct source *source, struct table_reader *reader, struct error *err);
void history_release(struct history *history);
/* A kept snapshot cannot be read: which files it needs is not known. */
bool history_is_damaged(const struct history *history);
/* Maps all files, so that they can be read after the directory is gone. */
void history_pin(const struct history *history);
/* The kept snapshot, not referenced; source->lock is held. STATUS_NOT_FOUND, STATUS_CORRUPT. */
enum status history_find(struct source *source, const struct as_of *as_of, struct snapshot **ret,
                         struct error *err);
/* Removes the files of doomed segments that no view holds any more; flush_lock is held. */
void history_collect(struct source *source);

/* --- commit.c: one commit, in the order of these calls; flush_lock is held throughout --- */

struct commit {
    struct source *source;
    struct snapshot *new; /* borrowed */
    struct history_entry *kept, *expired;
    uint32_t kept_len, expired_len;
    struct snapshot_tag *tags; /* of what is kept */
    uint32_t tags_len;
    bool maybe; /* after a failure of commit_write: it may be what a restart finds */
};
/* Fills in id, parent, time and counts of `new`, decides what expires. */
enum status commit_begin(struct commit *commit, struct source *source, struct snapshot *new,
                         enum snapshot_operation operation, struct error *err);
/* All files of `new` are synced; writes its description and swaps CURRENT. After a failure with
 * `maybe` false the description is removed again. */
enum status commit_write(struct commit *commit, struct error *err);
/* The new state becomes the source's; source->lock is held. Returns the former one, to be given
 * back. */
struct snapshot *commit_publish(struct commit *commit);
/* Lets go of what has expired. */
void commit_finish(struct commit *commit);
void commit_release(struct commit *commit);
/* The new snapshot with the write ids of the current one. */
enum status commit_keep_write_ids(struct source *source, struct snapshot *new, struct error *err);

/* Lets go of what has expired by now; flush_lock is held. */
enum status history_expire(struct source *source, struct error *err);
/* Takes `tags` (malloc'ed) over when it succeeds; flush_lock is held. */
enum status history_set_tags(struct source *source, struct snapshot_tag *tags, uint32_t len,
                             struct error *err);

/* --- compactor.c --- */

enum status compactor_start(struct store *store, struct error *err);
/* Ends the thread; flushes and closing views may still wake it. */
void compactor_stop(struct store *store);
void compactor_release(struct store *store);
/* There may be something to do for this source. */
void compactor_wake(struct source *source);

/* --- retention.c --- */

/* Removes files whose rows are all too old, if it is time for that. The compactor's thread. */
void source_retain_when_due(struct source *source);

/* --- upsert.c, upsert_group.c --- */

/* Rows of a batch up to `end`, from the end of the part before on. */
struct upsert_part {
    uint32_t end;
    struct write_result *result; /* its rows and deleted */
};
/* The batch in place of rows with the same keys, as this mutation; `result` is the whole's. */
enum status upsert_replace(struct mutation *mutation, struct source *source, struct batch *batch,
                           const struct upsert_part *parts, uint32_t parts_len,
                           struct write_result *result, struct error *err);

enum status source_upsert_with(struct source *source, struct batch *batch, struct str write_id,
                               const struct write_side *side, struct write_result *ret_result,
                               struct error *err);

/* --- side_write.c --- */

/* The side's frame, ready to go before another one. NULL for a side that is NULL. */
enum status side_write_make(const struct write_side *side, struct wal_frame **ret_frame,
                            struct error *err);
/* It was not submitted: lets go of what it holds. NULL is fine. */
void side_write_drop(struct wal_frame *frame);

/* --- source_index.c --- */

/* Removes the sidecars of that index; flush_lock is held. */
void source_remove_sidecars(struct source *source, const struct index_def *def);

/* --- flush.c, flush_thread.c --- */

/* The same as source_flush_once; flush_lock is held. */
enum status source_flush_locked(struct source *source, struct error *err);

/* flush.c: writes what is frozen (and what is active) and commits. */
enum status source_flush_once(struct source *source, struct error *err);
enum status store_flush_start(struct store *store, struct error *err);
void store_flush_stop(struct store *store);

/* --- index_thread.c: makes the sidecars that are missing --- */
enum status store_index_start(struct store *store, struct error *err);
void store_index_stop(struct store *store);
void store_index_wake(struct store *store);

/* Removes the WAL segments that no source needs any more. */
enum status store_release_wal(struct store *store, struct error *err);

#endif

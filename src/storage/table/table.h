/* table.h: a source's directory as an Iceberg table (docs/formats-iceberg.md): reading its states
 * as snapshots, committing new ones.
 *
 * metadata/CURRENT, sealed, names the table's metadata file; replacing it by rename is the commit.
 * Names of metadata files, lists and manifests are made of their bytes, so CURRENT vouches for all
 * of them. The parsed metadata stays in memory; a commit reads the present manifest list and, now
 * and then, manifests to merge, never all.
 *
 * Threads: none of its own; the caller sees to it that one call runs at a time (flush_lock). */
#ifndef QUARRY_STORAGE_TABLE_H
#define QUARRY_STORAGE_TABLE_H

#include "storage/table/snapshot.h"

struct table;

/* `config`, borrowed: the partition columns; `readers` (NULL: none), for segment_new. A directory
 * without CURRENT is a table without a state. STATUS_CORRUPT names the file;
 * STATUS_NOT_IMPLEMENTED: written by an older version. */
enum status table_open(struct sys *sys, const char *dir, const struct source_config *config,
                       struct reader_pool *readers, struct table **ret, struct error *err);
void table_free(struct table *table);

/* Makes the metadata right when the folder has another path than it says (a copy, a restored
 * backup): before anything is read or committed. A failure has changed nothing. */
enum status table_move(struct table *table, struct error *err);

/* The URI of the folder, below which the files are named, once the table is in its place. */
struct str table_location(const struct table *table);
/* 0: nothing was ever committed. */
uint64_t table_current_id(const struct table *table);
/* The states besides the current one, ascending, and the tags. */
enum status table_refs(const struct table *table, struct snapshot_refs *ret, struct error *err);
/* Calls `visit` with the name below metadata/ of each file that the table itself needs: CURRENT,
 * the hint, metadata files in use. Those of a snapshot: snapshot.meta_files. */
typedef enum status (*table_name_fn)(void *context, struct str name, struct error *err);
enum status table_visit_names(const struct table *table, table_name_fn visit, void *context,
                              struct error *err);
/* Whether the older metadata files and the hint for other readers are what they should be:
 * `visit` gets the names of those that are not. */
enum status table_check_names(const struct table *table, table_name_fn visit, void *context,
                              struct error *err);
/* Writes version-hint.text anew when it is not that of CURRENT. */
enum status table_mend_hint(const struct table *table, struct error *err);

/* --- reading --- */

/* States share their segments through a reader, and a manifest is read once. `any_files`: segments
 * that are missing or of another size are no failure, for those who look for damage. */
struct table_reader;
enum status table_reader_open(struct table *table, bool any_files, struct table_reader **ret,
                              struct error *err);
/* A state by its id. Read the current one first, then newer before older. */
enum status table_read(struct table_reader *reader, uint64_t id, struct snapshot **ret,
                       struct error *err);
/* The metadata file that the last failure of table_read was about; "" when it was none. */
const char *table_reader_bad_file(const struct table_reader *reader);
void table_reader_close(struct table_reader *reader);

/* --- writing --- */

struct table_change {
    const struct source_config *config; /* in force: partition columns, order of rows */
    const struct snapshot *old;         /* current until now; id 0: none */
    struct snapshot *new;               /* its files are synced; meta_files and sequence are set */
    const struct snapshot_refs *refs;   /* states to keep besides `new`, and tags */
};
/* Writes and syncs the new files, then swaps CURRENT. Until the swap `*ret_maybe` stays false: a
 * failure has changed nothing. With `*ret_maybe` true a failure leaves it open which of the two is
 * current: the files of both must stay. */
enum status table_commit(struct table *table, const struct table_change *change, bool *ret_maybe,
                         struct error *err);
/* The same state with other references. */
enum status table_point(struct table *table, const struct snapshot_refs *refs, struct error *err);

/* The table as it were if `snapshot`, the current one, were its only state: the bytes of its
 * metadata file (malloc'ed) with its name; CURRENT and the hint are made of that name. */
struct table_copy {
    char name[SYS_PATH_MAX];
    char *bytes;
    size_t len;
};
enum status table_copy_current(struct table *table, struct table_copy *ret, struct error *err);
/* What CURRENT holds, before sealing, for a metadata file; appends to `out`. */
void table_current_text(const char *name, struct buf *out);
/* What version-hint.text holds. */
struct str table_hint_text(const char *name);

#endif

/* check_int.h: what the files of this folder share. */
#ifndef QUARRY_STORAGE_CHECK_INT_H
#define QUARRY_STORAGE_CHECK_INT_H

#include "storage/check/check.h"
#include "storage/source_files.h"
#include "storage/table/table.h"

/* A source that the log may have frames for. */
struct check_life {
    struct uuid incarnation;
    uint64_t lsn; /* of its snapshot */
};

struct checking {
    struct sys *sys;
    const char *path;
    check_fn found;
    void *context;
    struct check_summary *summary;
    struct check_life *lives;
    uint32_t lives_len, lives_cap;
    char source_id[SOURCE_ID_MAX + 1]; /* the present one */
    char dir[SYS_PATH_MAX];            /* its directory */
};

/* check.c: counts a finding and hands it on; fills in the source. */
enum status check_report(struct checking *c, struct check_finding finding, struct error *err);
/* Holds the store's lock until the file is closed; NULL when no store was ever open here. */
enum status check_lock(struct sys *sys, const char *path, struct sys_file **ret_lock,
                       struct error *err);
/* store_check without the lock. */
enum status check_all(struct checking *c, struct error *err);
/* check_source.c: sources/<name>. */
enum status check_source(struct checking *c, const char *name, struct error *err);

/* check_states.c: the current snapshot and the kept ones, ascending. */
struct check_state {
    uint64_t id;
    struct snapshot *snapshot; /* NULL: it cannot be read, see `why` */
    struct error why;
    char file[SYS_PATH_MAX]; /* that is damaged; "": not known */
};
struct check_states {
    struct table *table;
    struct snapshot *current; /* NULL: none was ever committed */
    struct check_state *kept; /* refs.ids_len */
    struct snapshot_refs refs;
};
/* Missing segments are no failure here; with a failure there is nothing to release, and `ret_file`
 * is the damaged file as far as it is known. `config` is borrowed as long as the states. */
enum status check_states_load(struct sys *sys, const char *dir, const struct source_config *config,
                              struct check_states *ret, char ret_file[SYS_PATH_MAX],
                              struct error *err);
void check_states_release(struct check_states *states);
/* The segment of that id in any state, or NULL; there is a current one. */
struct segment *check_states_find(const struct check_states *states, uint64_t segment_id);

/* check_segment.c: one segment and its sidecars. */
enum status check_segment(struct checking *c, const struct source_config *config,
                          const struct schema *schema, struct segment *segment, struct error *err);

#endif

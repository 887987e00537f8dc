/* check_int.h: what the files of this folder share. */
#ifndef QUARRY_STORAGE_CHECK_INT_H
#define QUARRY_STORAGE_CHECK_INT_H

#include "storage/check/check.h"
#include "storage/source_files.h"

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
/* check_segment.c: one segment and its sidecars. */
enum status check_segment(struct checking *c, const struct source_config *config,
                          const struct schema *schema, struct segment *segment, struct error *err);

#endif

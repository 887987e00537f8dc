/* wal_check.c: every frame of the log, for fsck (contract in wal_check.h; how recovery judges:
 * wal_recover.c).
 *
 *   1. list and order the segments
 *   2. each: header, name, join to the one before, frames up to where the next says the void begins
 *   3. the last: what stands behind the last whole frame */
#include "storage/wal/wal_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/wal/wal_int.h"

struct wal_checking {
    struct sys *sys;
    const char *dir;
    wal_replay_fn visit;
    wal_finding_fn found;
    void *context;
    struct wal_check_stats *stats;
    uint64_t *names;
    uint32_t names_len, names_cap;
    uint64_t alive_end; /* of the segments read so far */
    bool broken;        /* the segment before could not be read to its end */
};

/* --- 1 --- */

static enum status note(struct wal_checking *c, const char *file, uint64_t offset, bool damage,
                        const char *what, struct error *err)
{
    return c->found(
        c->context,
        &(struct wal_finding){.file = file, .offset = offset, .damage = damage, .what = what}, err);
}

static enum status push_name(struct wal_checking *c, uint64_t lsn, struct error *err)
{
    if (c->names_len == WAL_SEGMENTS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d WAL segments", WAL_SEGMENTS_MAX);
    if (c->names_len == c->names_cap) {
        uint32_t cap = c->names_cap ? c->names_cap * 2 : 64;
        uint64_t *grown = realloc(c->names, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        c->names = grown;
        c->names_cap = cap;
    }
    c->names[c->names_len++] = lsn;
    return STATUS_OK;
}

static enum status take_name(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct wal_checking *c = context;
    char path[SYS_PATH_MAX];
    uint64_t lsn;
    if (!entry->is_dir && wal_parse_name(entry->name, WAL_SUFFIX, &lsn))
        return push_name(c, lsn, err);
    if (!entry->is_dir && wal_parse_name(entry->name, WAL_SPARE, &lsn))
        return STATUS_OK;
    TRY(sys_path(path, err, "%s/%s", c->dir, entry->name));
    return note(c, path, 0, false, "not a file of the log", err);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* --- 2 --- */

static enum status visit_frame(void *context, const struct wal_record *record, struct error *err)
{
    struct wal_checking *c = context;
    struct error local = ERROR_INIT;
    c->stats->frames++;
    enum status status = c->visit(c->context, record, &local);
    if (status == STATUS_CORRUPT)
        return note(c, record->file, record->offset, true, local.message, err);
    if (status != STATUS_OK && err)
        *err = local;
    return status;
}

/* Behind the last whole frame of the log. */
static enum status judge_tail(struct wal_checking *c, const char *path, struct slice file,
                              uint64_t at, const struct wal_header *head, uint64_t lsn,
                              struct error *err)
{
    const uint8_t *bytes = file.data;
    uint64_t end = file.len;
    if (wal_is_durable_later(file, at, head->salt, lsn)) {
        c->broken = true;
        return note(c, path, at, true, "a frame that was acknowledged is damaged", err);
    }
    while (end > at && bytes[end - 1] == 0)
        end--;
    if (end <= at || (head->flags & WAL_HEADER_RECYCLED))
        return STATUS_OK;
    return c->found(c->context,
                    &(struct wal_finding){.file = path,
                                          .offset = at,
                                          .length = end - at,
                                          .what = "a torn tail: a write that was not acknowledged "
                                                  "(or damage to the very last one)"},
                    err);
}

static enum status read_frames(struct wal_checking *c, const char *path, struct slice file,
                               const struct wal_header *head, uint64_t limit, struct error *err)
{
    struct wal_walk walk = {.path = path,
                            .file = file,
                            .salt = head->salt,
                            .at = WAL_HEADER_BYTES,
                            .lsn = head->first_lsn,
                            .limit = limit,
                            .visit = visit_frame,
                            .context = c};
    TRY(wal_walk(&walk, err));
    c->alive_end = walk.lsn;
    c->broken = false;
    if (limit == UINT64_MAX)
        return walk.at <= file.len ? judge_tail(c, path, file, walk.at, head, walk.lsn, err)
                                   : STATUS_OK;
    if (walk.lsn >= limit)
        return STATUS_OK;
    c->broken = true;
    return note(c, path, walk.at, true, "a frame that was acknowledged is damaged", err);
}

static enum status map_segment(struct wal_checking *c, const char *path, struct sys_map *map,
                               struct error *err)
{
    struct sys_file *file = NULL;
    TRY(sys_open(c->sys, path, SYS_READ, &file, err));
    enum status status = sys_map(c->sys, file, map, err);
    sys_close(c->sys, file);
    return status;
}

static enum status name_path(struct wal_checking *c, uint64_t lsn, char out[SYS_PATH_MAX],
                             struct error *err)
{
    return sys_path(out, err, "%s/%016" PRIx64 ".wal", c->dir, lsn);
}

static bool decode_header(struct slice file, uint64_t name, struct wal_header *ret)
{
    return file.len >= WAL_HEADER_BYTES && wal_header_decode(file.data, ret) &&
           ret->first_lsn == name;
}

/* Where the void of segment `i` begins; UINT64_MAX for the last, 0 when that is not known. */
static enum status void_limit(struct wal_checking *c, uint32_t i, uint64_t *ret, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_map map;
    struct wal_header next;
    *ret = UINT64_MAX;
    if (i + 1 == c->names_len)
        return STATUS_OK;
    TRY(name_path(c, c->names[i + 1], path, err));
    TRY(map_segment(c, path, &map, err));
    bool good = decode_header((struct slice){map.data, map.len}, c->names[i + 1], &next);
    *ret = good ? next.void_from : 0;
    sys_unmap(c->sys, &map);
    return STATUS_OK;
}

static enum status check_mapped(struct wal_checking *c, uint32_t i, const char *path,
                                struct slice file, struct error *err)
{
    struct wal_header head;
    uint64_t limit;
    if (!decode_header(file, c->names[i], &head)) {
        c->broken = true;
        return note(c, path, 0, true, "the segment's header is damaged", err);
    }
    if (i > 0 && !c->broken && head.void_from != c->alive_end)
        TRY(note(c, path, 32, true, "frames before this segment are missing", err));
    TRY(void_limit(c, i, &limit, err));
    c->stats->bytes += file.len;
    /* An unreadable next header: as far as the frames go. */
    return read_frames(c, path, file, &head, limit ? limit : UINT64_MAX, err);
}

enum status wal_check(struct sys *sys, const char *dir, wal_replay_fn visit, wal_finding_fn found,
                      void *context, struct wal_check_stats *ret, struct error *err)
{
    struct wal_checking c = {
        .sys = sys, .dir = dir, .visit = visit, .found = found, .context = context, .stats = ret};
    char path[SYS_PATH_MAX];
    *ret = (struct wal_check_stats){0};
    enum status status = sys_list_dir(sys, dir, take_name, &c, err);
    if (c.names_len)
        qsort(c.names, c.names_len, sizeof *c.names, by_number);
    for (uint32_t i = 0; i < c.names_len && status == STATUS_OK; i++) {
        struct sys_map map;
        status = name_path(&c, c.names[i], path, err);
        if (status == STATUS_OK)
            status = map_segment(&c, path, &map, err);
        if (status != STATUS_OK)
            break;
        ret->files++;
        status = check_mapped(&c, i, path, (struct slice){map.data, map.len}, err);
        sys_unmap(sys, &map);
    }
    ret->end_lsn = c.alive_end;
    free(c.names);
    return status;
}

/* --- 3 --- */

enum status wal_cut_tail(struct sys *sys, const char *path, uint64_t offset, uint64_t length,
                         struct error *err)
{
    static const uint8_t zeros[4096];
    struct sys_file *file = NULL;
    TRY(sys_open(sys, path, SYS_READ | SYS_WRITE, &file, err));
    enum status status = STATUS_OK;
    for (uint64_t done = 0; done < length && status == STATUS_OK;) {
        size_t part = length - done < sizeof zeros ? (size_t)(length - done) : sizeof zeros;
        status = sys_pwrite(sys, file, zeros, part, offset + done, err);
        done += part;
    }
    if (status == STATUS_OK)
        status = sys_sync(sys, file, err);
    sys_close(sys, file);
    return status;
}

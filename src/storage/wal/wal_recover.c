/* wal_recover.c: reads the log after a start.
 *
 *   1. list DIR/NNNN.wal in order, remove leftovers of half-made segments
 *   2. each segment: header, then frames with ascending LSNs up to where the next segment's header
 *      says the void begins (the last one: up to the first bad frame)
 *   3. judge the bad frame of the last segment: damage if a later frame calls it durable, else torn
 *   4. sync the last segment: what is served from now on must be on disk
 *
 * Changes nothing in the segments, so it can be interrupted and repeated. What it cannot see:
 * damage to the very last frame of the log looks like a torn write. */
#include <inttypes.h>
#include <stdlib.h>

#include "storage/wal/wal_int.h"

struct recovery {
    struct wal *wal;
    wal_replay_fn replay;
    void *context;
    uint64_t alive_end; /* first LSN that the segments read so far do not hold */
};

/* --- 1 --- */

bool wal_parse_name(const char *name, const char *suffix, uint64_t *ret_lsn)
{
    if (strlen(name) < 16 || strcmp(name + 16, suffix) != 0)
        return false;
    uint64_t lsn = 0;
    for (int i = 0; i < 16; i++) {
        char c = name[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        lsn = lsn << 4 | (uint64_t)digit;
    }
    *ret_lsn = lsn;
    return true;
}

static enum status visit_name(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct wal *wal = context;
    uint64_t lsn;
    if (!entry->is_dir && wal->spares_len < WAL_SPARES_MAX &&
        wal_parse_name(entry->name, WAL_SPARE, &lsn))
        wal->spares[wal->spares_len++] = lsn;
    if (entry->is_dir || !wal_parse_name(entry->name, WAL_SUFFIX, &lsn))
        return STATUS_OK;
    if (wal->segments_len >= WAL_SEGMENTS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d WAL segments", WAL_SEGMENTS_MAX);
    return wal_segments_push(wal, (struct wal_segment){.first_lsn = lsn}, err);
}

static int by_lsn(const void *a, const void *b)
{
    const struct wal_segment *x = a, *y = b;
    return x->first_lsn < y->first_lsn ? -1 : x->first_lsn > y->first_lsn;
}

static enum status list_segments(struct wal *wal, struct error *err)
{
    TRY(sys_list_dir(wal->sys, wal->dir, visit_name, wal, err));
    if (wal->segments_len)
        qsort(wal->segments, wal->segments_len, sizeof *wal->segments, by_lsn);
    if (!wal->read_only) {
        char temp[SYS_PATH_MAX];
        TRY(sys_path(temp, err, "%s/next.tmp", wal->dir));
        (void)sys_unlink(wal->sys, temp, NULL); /* usually not there; overwritten otherwise */
    }
    return STATUS_OK;
}

/* --- 2 --- */

static enum status corrupt(const char *path, uint64_t offset, const char *what, struct error *err)
{
    enum status status =
        error_set(err, STATUS_CORRUPT, "%s: %s at byte %" PRIu64, path, what, offset);
    if (err)
        err->offset = (int64_t)offset;
    return status;
}

static enum status read_header(struct wal *wal, uint32_t index, const char *path,
                               struct wal_header *ret, struct error *err)
{
    struct sys_file *file = NULL;
    uint8_t bytes[WAL_HEADER_BYTES];
    size_t len = 0;
    TRY(sys_open(wal->sys, path, SYS_READ, &file, err));
    enum status status = sys_pread(wal->sys, file, bytes, sizeof bytes, 0, &len, err);
    if (status == STATUS_OK)
        status = sys_size(wal->sys, file, &wal->segments[index].bytes, err);
    sys_close(wal->sys, file);
    if (status != STATUS_OK)
        return status;
    if (len < sizeof bytes || !wal_header_decode(bytes, ret) ||
        ret->first_lsn != wal->segments[index].first_lsn)
        return corrupt(path, 0, "the WAL segment's header is damaged", err);
    wal->segments[index].void_from = ret->void_from;
    return STATUS_OK;
}

static enum status replay_frame(void *context, const struct wal_record *record, struct error *err)
{
    struct recovery *r = context;
    switch ((int)record->kind) {
#define X(name, number, meaning) case number:
#include "storage/wal/wal_kinds.def"
#undef X
        return r->replay(r->context, record, err);
    default:
        return corrupt(record->file, record->offset,
                       "a WAL frame of a kind that this release does not know", err);
    }
}

/* --- 3 --- */

/* What a frame has for certain, before its checksum is computed: a recycled segment is full of
 * other frames' values, and numbers in them look like a length and two LSNs quite often. */
static bool looks_like_frame(const uint8_t *at)
{
    uint64_t reserved;
    memcpy(&reserved, at + 56, sizeof reserved);
    if (reserved != 0 || (at[25] & ~(WAL_FLAG_ASYNC | WAL_FLAG_LINKED)) != 0)
        return false;
    switch ((int)at[24]) {
#define X(name, number, meaning) case number:
#include "storage/wal/wal_kinds.def"
#undef X
        return true;
    default:
        return false;
    }
}

/* True when some whole frame behind `from` says that `lsn` had been synced. */
bool wal_is_durable_later(struct slice file, uint64_t from, uint64_t salt, uint64_t lsn)
{
    struct wal_frame_header header;
    const uint8_t *bytes = file.data;
    for (uint64_t at = from; at + WAL_FRAME_BYTES <= file.len; at += 8) {
        uint64_t later, durable;
        memcpy(&later, bytes + at + 8, 8);
        memcpy(&durable, bytes + at + 16, 8);
        if (later <= lsn || durable < lsn || durable >= later || !looks_like_frame(bytes + at))
            continue;
        if (wal_frame_decode((struct slice){bytes + at, file.len - at}, salt, &header))
            return true;
    }
    return false;
}

/* Reads the live frames of a mapped segment; `limit` is the first LSN that is void. */
static enum status read_frames(struct recovery *r, const char *path, struct slice file,
                               const struct wal_header *head, uint64_t limit, struct error *err)
{
    struct wal_walk walk = {.path = path,
                            .file = file,
                            .salt = head->salt,
                            .at = WAL_HEADER_BYTES,
                            .lsn = head->first_lsn,
                            .limit = limit,
                            .visit = replay_frame,
                            .context = r};
    TRY(wal_walk(&walk, err));
    bool damaged = limit == UINT64_MAX ? wal_is_durable_later(file, walk.at, head->salt, walk.lsn)
                                       : walk.lsn < limit;
    if (damaged)
        return corrupt(path, walk.at, "a WAL frame that was acknowledged is damaged", err);
    r->alive_end = walk.lsn;
    return STATUS_OK;
}

/* --- 4 --- */

static enum status read_segment(struct recovery *r, const char *path, const struct wal_header *head,
                                uint64_t limit, struct error *err)
{
    struct sys *sys = r->wal->sys;
    struct sys_file *file = NULL;
    struct sys_map map;
    bool sync = limit == UINT64_MAX && !r->wal->read_only;
    TRY(sys_open(sys, path, SYS_READ | (sync ? SYS_WRITE : 0u), &file, err));
    enum status status = sync ? sys_sync(sys, file, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = sys_map(sys, file, &map, err);
    if (status == STATUS_OK) {
        status = read_frames(r, path, (struct slice){map.data, map.len}, head, limit, err);
        sys_unmap(sys, &map);
    }
    sys_close(sys, file);
    return status;
}

static enum status read_all(struct recovery *r, struct error *err)
{
    struct wal *wal = r->wal;
    struct wal_header head = {0}, next = {0};
    char path[SYS_PATH_MAX], next_path[SYS_PATH_MAX];
    for (uint32_t i = 0; i < wal->segments_len; i++) {
        bool last = i + 1 == wal->segments_len;
        TRY(wal_segment_path(wal, wal->segments[i].first_lsn, path, err));
        if (i == 0) {
            TRY(read_header(wal, i, path, &head, err));
            r->alive_end = head.void_from; /* what was before is not needed */
        } else {
            head = next;
        }
        if (head.void_from != r->alive_end)
            return corrupt(path, 32, "frames before this WAL segment are missing", err);
        if (!last) {
            TRY(wal_segment_path(wal, wal->segments[i + 1].first_lsn, next_path, err));
            TRY(read_header(wal, i + 1, next_path, &next, err));
        }
        TRY(read_segment(r, path, &head, last ? UINT64_MAX : next.void_from, err));
    }
    return STATUS_OK;
}

enum status wal_recover(struct wal *wal, uint64_t min_lsn, wal_replay_fn replay, void *context,
                        struct error *err)
{
    struct recovery r = {.wal = wal, .replay = replay, .context = context};
    TRY(list_segments(wal, err));
    TRY(read_all(&r, err));
    wal->next_lsn = r.alive_end > min_lsn ? r.alive_end : min_lsn + 1;
    wal->void_from = wal->segments_len ? r.alive_end : wal->next_lsn;
    if (wal->segments_len) {
        /* A last segment without live frames is replaced, and with it what it says of its
         * predecessor. */
        const struct wal_segment *last = &wal->segments[wal->segments_len - 1];
        if (last->first_lsn == wal->next_lsn)
            wal->void_from = last->void_from;
    }
    wal->durable_lsn = wal->next_lsn - 1;
    wal->completed_lsn = wal->next_lsn - 1;
    return STATUS_OK;
}

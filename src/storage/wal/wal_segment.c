/* wal_segment.c: making and removing segment files.
 *
 * A segment is made under a temporary name, gets its blocks and its header, is synced, renamed and
 * the directory synced: a file named *.wal always has a whole header. Removal goes from the oldest
 * on, each step synced, so that what a crash leaves is always an unbroken tail of the log.
 *
 * A removed segment of the usual size is kept aside under another name and becomes the next new
 * one: its blocks have been written before, so that a sync has less to do. */
#include <inttypes.h>
#include <stdlib.h>

#include "storage/wal/wal_int.h"

enum status wal_segment_path(const struct wal *wal, uint64_t first_lsn, char out[SYS_PATH_MAX],
                             struct error *err)
{
    return sys_path(out, err, "%s/%016" PRIx64 ".wal", wal->dir, first_lsn);
}

enum status wal_spare_path(const struct wal *wal, uint64_t first_lsn, char out[SYS_PATH_MAX],
                           struct error *err)
{
    return sys_path(out, err, "%s/%016" PRIx64 WAL_SPARE, wal->dir, first_lsn);
}

enum status wal_segments_push(struct wal *wal, struct wal_segment segment, struct error *err)
{
    if (wal->segments_len == wal->segments_cap) {
        uint32_t cap = wal->segments_cap ? wal->segments_cap * 2 : 16;
        if (cap > 2 * WAL_SEGMENTS_MAX)
            return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d WAL segments",
                             WAL_SEGMENTS_MAX);
        struct wal_segment *grown = realloc(wal->segments, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        wal->segments = grown;
        wal->segments_cap = cap;
    }
    wal->segments[wal->segments_len++] = segment;
    return STATUS_OK;
}

/* A spare of this size under the temporary name; NULL when there is none. */
static struct sys_file *open_spare(struct wal *wal, const char *temp, uint64_t size)
{
    char path[SYS_PATH_MAX];
    struct sys_file *file = NULL;
    uint64_t bytes = 0;
    pthread_mutex_lock(&wal->lock);
    bool any = wal->spares_len > 0;
    uint64_t lsn = any ? wal->spares[--wal->spares_len] : 0;
    pthread_mutex_unlock(&wal->lock);
    if (!any || wal_spare_path(wal, lsn, path, NULL) != STATUS_OK)
        return NULL;
    if (sys_rename(wal->sys, path, temp, NULL) == STATUS_OK &&
        sys_open(wal->sys, temp, SYS_READ | SYS_WRITE, &file, NULL) == STATUS_OK &&
        sys_size(wal->sys, file, &bytes, NULL) == STATUS_OK && bytes == size)
        return file;
    sys_close(wal->sys, file);
    (void)sys_unlink(wal->sys, path, NULL); /* or it is the temporary one, which is overwritten */
    return NULL;
}

static enum status open_next(struct wal *wal, const char *temp, uint64_t size, bool *ret_recycled,
                             struct sys_file **ret_file, struct error *err)
{
    *ret_file = open_spare(wal, temp, size);
    *ret_recycled = *ret_file != NULL;
    if (*ret_file)
        return STATUS_OK;
    return sys_open(wal->sys, temp, SYS_READ | SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, ret_file,
                    err);
}

static enum status write_header(struct wal *wal, struct sys_file *file, uint64_t size,
                                bool recycled, struct error *err)
{
    struct wal_header header = {.first_lsn = wal->next_lsn,
                                .void_from = wal->void_from,
                                .created_us = sys_now_us(wal->sys),
                                .flags = recycled ? WAL_HEADER_RECYCLED : 0};
    uint8_t bytes[WAL_HEADER_BYTES];
    sys_random(wal->sys, &header.salt, sizeof header.salt);
    wal_header_encode(&header, bytes);
    if (!recycled)
        TRY(sys_allocate(wal->sys, file, size, err));
    TRY(sys_pwrite(wal->sys, file, bytes, sizeof bytes, 0, err));
    TRY(sys_sync(wal->sys, file, err));
    wal->salt = header.salt;
    return STATUS_OK;
}

static enum status make_segment(struct wal *wal, uint64_t size, struct sys_file **ret_file,
                                struct error *err)
{
    char path[SYS_PATH_MAX], temp[SYS_PATH_MAX];
    TRY(wal_segment_path(wal, wal->next_lsn, path, err));
    TRY(sys_path(temp, err, "%s/next.tmp", wal->dir));
    struct sys_file *file = NULL;
    bool recycled;
    TRY(open_next(wal, temp, size, &recycled, &file, err));
    enum status status = write_header(wal, file, size, recycled, err);
    if (status == STATUS_OK)
        status = sys_rename(wal->sys, temp, path, err);
    if (status == STATUS_OK)
        status = sys_sync_dir(wal->sys, wal->dir, err);
    if (status != STATUS_OK) {
        sys_close(wal->sys, file);
        (void)sys_unlink(wal->sys, temp, NULL); /* a leftover is overwritten or removed at start */
        return status;
    }
    *ret_file = file;
    return STATUS_OK;
}

enum status wal_rotate(struct wal *wal, uint64_t need, struct error *err)
{
    uint64_t size = wal->segment_bytes;
    if (size < need + WAL_HEADER_BYTES)
        size = need + WAL_HEADER_BYTES;
    sys_close(wal->sys, wal->file);
    wal->file = NULL;
    struct wal_segment segment = {wal->next_lsn, wal->void_from, size};
    pthread_mutex_lock(&wal->lock);
    /* A segment that ended before its first frame is replaced by one of the same name. */
    bool same =
        wal->segments_len && wal->segments[wal->segments_len - 1].first_lsn == wal->next_lsn;
    enum status status = same ? STATUS_OK : wal_segments_push(wal, segment, err);
    pthread_mutex_unlock(&wal->lock);
    if (status != STATUS_OK)
        return status;
    status = make_segment(wal, size, &wal->file, err);
    pthread_mutex_lock(&wal->lock);
    if (status == STATUS_OK)
        wal->segments[wal->segments_len - 1] = segment;
    else if (!same)
        wal->segments_len--;
    pthread_mutex_unlock(&wal->lock);
    if (status != STATUS_OK)
        return status;
    wal->offset = WAL_HEADER_BYTES;
    wal->capacity = size;
    wal->void_from = wal->next_lsn;
    return STATUS_OK;
}

/* Segments [0, unneeded) hold no frame that is needed; wal->lock is held. */
static uint64_t unneeded_bytes(const struct wal *wal, uint64_t lsn)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i + 1 < wal->segments_len && wal->segments[i + 1].void_from <= lsn; i++)
        bytes += wal->segments[i].bytes;
    return bytes;
}

/* The oldest segment stays for now: it is young, and those kept in this way are not too many. */
static bool is_retained(struct wal *wal, const char *path, uint64_t unneeded)
{
    struct sys_stat stat;
    if (!wal->retention_us || unneeded > WAL_RETAINED_BYTES_MAX ||
        sys_stat(wal->sys, path, &stat, NULL) != STATUS_OK)
        return false;
    return sys_now_us(wal->sys) - stat.modified_us < wal->retention_us;
}

/* Takes a segment out of the log: aside, or for good. */
static enum status put_away(struct wal *wal, const char *path, uint64_t first_lsn, bool keep,
                            struct error *err)
{
    char spare[SYS_PATH_MAX];
    struct error local = ERROR_INIT;
    TRY(wal_spare_path(wal, first_lsn, spare, err));
    enum status status =
        keep ? sys_rename(wal->sys, path, spare, &local) : sys_unlink(wal->sys, path, &local);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        if (err)
            *err = local;
        return status;
    }
    TRY(sys_sync_dir(wal->sys, wal->dir, err));
    if (!keep || status != STATUS_OK)
        return STATUS_OK;
    pthread_mutex_lock(&wal->lock);
    wal->spares[wal->spares_len++] = first_lsn;
    pthread_mutex_unlock(&wal->lock);
    return STATUS_OK;
}

/* Removes the oldest segment when all its live frames are below `lsn`. It stays in the list until
 * it is gone for sure: a hole in the log would look like damage. */
static enum status release_oldest(struct wal *wal, uint64_t lsn, bool *ret_more, struct error *err)
{
    char path[SYS_PATH_MAX];
    pthread_mutex_lock(&wal->lock);
    *ret_more = wal->segments_len > 1 && wal->segments[1].void_from <= lsn;
    uint64_t first = *ret_more ? wal->segments[0].first_lsn : 0;
    uint64_t unneeded = unneeded_bytes(wal, lsn);
    /* Only one remover adds spares, so there is still room when this one is aside. */
    bool keep = *ret_more && wal->segments[0].bytes == wal->segment_bytes &&
                wal->spares_len < WAL_SPARES_MAX;
    pthread_mutex_unlock(&wal->lock);
    if (!*ret_more)
        return STATUS_OK;
    TRY(wal_segment_path(wal, first, path, err));
    if (is_retained(wal, path, unneeded)) {
        *ret_more = false;
        return STATUS_OK;
    }
    TRY(put_away(wal, path, first, keep, err));
    pthread_mutex_lock(&wal->lock);
    wal->segments_len--;
    memmove(wal->segments, wal->segments + 1, wal->segments_len * sizeof *wal->segments);
    pthread_mutex_unlock(&wal->lock);
    return STATUS_OK;
}

enum status wal_release_below(struct wal *wal, uint64_t lsn, struct error *err)
{
    if (wal->read_only)
        return STATUS_OK;
    enum status status = STATUS_OK;
    bool more = true;
    pthread_mutex_lock(&wal->release_lock);
    while (more && status == STATUS_OK)
        status = release_oldest(wal, lsn, &more, err);
    pthread_mutex_unlock(&wal->release_lock);
    return status;
}

/* wal_walk.c: the live frames of one segment, one after the other; for recovery and for the check.
 *
 * A frame lives when it is whole, its LSN is the next one, that is below the void, and (if it is
 * linked) the frame behind it lives too. */
#include "storage/wal/wal_int.h"

static bool next_frame(const struct wal_walk *walk, struct wal_frame_header *ret)
{
    const uint8_t *bytes = (const uint8_t *)walk->file.data + walk->at;
    return walk->lsn < walk->limit && walk->at <= walk->file.len &&
           wal_frame_decode((struct slice){bytes, walk->file.len - walk->at}, walk->salt, ret) &&
           ret->lsn == walk->lsn;
}

static bool is_whole(const struct wal_walk *walk, const struct wal_frame_header *header)
{
    struct wal_walk behind = *walk;
    struct wal_frame_header next;
    if (!(header->flags & WAL_FLAG_LINKED))
        return true;
    behind.at += wal_frame_size(header->length);
    behind.lsn++;
    return next_frame(&behind, &next);
}

static enum status visit_frame(const struct wal_walk *walk, const struct wal_frame_header *header,
                               struct error *err)
{
    const uint8_t *at = (const uint8_t *)walk->file.data + walk->at;
    size_t head = WAL_FRAME_BYTES + header->key_len;
    struct wal_record record = {
        .lsn = header->lsn,
        .kind = (enum wal_kind)header->kind,
        .source = header->source,
        .key = {header->key_len ? (const char *)at + WAL_FRAME_BYTES : NULL, header->key_len},
        .rows = header->rows,
        .time_us = header->time_us,
        .payload = {at + head, header->length - head},
        .file = walk->path,
        .offset = walk->at,
    };
    return walk->visit(walk->context, &record, err);
}

enum status wal_walk(struct wal_walk *walk, struct error *err)
{
    struct wal_frame_header header;
    while (next_frame(walk, &header) && is_whole(walk, &header)) {
        TRY(visit_frame(walk, &header, err));
        walk->at += wal_frame_size(header.length);
        walk->lsn++;
    }
    return STATUS_OK;
}

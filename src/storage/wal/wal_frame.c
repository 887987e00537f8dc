/* wal_frame.c: the bytes of headers and frames (layout in wal_int.h). CRC-32C by ISA-L. */
#include <isa-l/crc.h>
#include <string.h>

#include "storage/wal/wal_int.h"

static void put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof value);
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static uint16_t get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* ISA-L takes int lengths and a non-const pointer, and reads only. */
static uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len) {
        size_t part = len < (1u << 30) ? len : (1u << 30);
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)part, crc);
        at += part;
        len -= part;
    }
    return crc;
}

void wal_header_encode(const struct wal_header *header, uint8_t out[WAL_HEADER_BYTES])
{
    memset(out, 0, WAL_HEADER_BYTES);
    memcpy(out, WAL_MAGIC, 8);
    put32(out + 8, WAL_VERSION);
    put64(out + 16, header->salt);
    put64(out + 24, header->first_lsn);
    put64(out + 32, header->void_from);
    put64(out + 40, (uint64_t)header->created_us);
    put32(out + 48, header->flags);
    put32(out + 60, crc32c(~0u, out, 60));
}

bool wal_header_decode(const uint8_t in[WAL_HEADER_BYTES], struct wal_header *ret)
{
    if (memcmp(in, WAL_MAGIC, 8) != 0 || get32(in + 8) != WAL_VERSION)
        return false;
    if (get32(in + 60) != crc32c(~0u, in, 60))
        return false;
    *ret = (struct wal_header){.salt = get64(in + 16),
                               .first_lsn = get64(in + 24),
                               .void_from = get64(in + 32),
                               .created_us = (int64_t)get64(in + 40),
                               .flags = get32(in + 48)};
    return ret->void_from <= ret->first_lsn;
}

void wal_frame_encode(const struct wal_frame *frame, uint64_t durable_lsn, uint64_t salt,
                      uint8_t out[WAL_FRAME_BYTES])
{
    memset(out, 0, WAL_FRAME_BYTES);
    put32(out, (uint32_t)(WAL_FRAME_BYTES + frame->key_len + frame->payload.len));
    put64(out + 8, frame->lsn);
    put64(out + 16, durable_lsn);
    out[24] = (uint8_t)frame->kind;
    out[25] =
        (uint8_t)((frame->async ? WAL_FLAG_ASYNC : 0) | (frame->linked ? WAL_FLAG_LINKED : 0));
    put16(out + 26, frame->key_len);
    put32(out + 28, frame->rows);
    memcpy(out + 32, frame->source.bytes, 16);
    put64(out + 48, (uint64_t)frame->time_us);
    uint32_t crc = crc32c((uint32_t)salt, out, 4);
    crc = crc32c(crc, out + 8, WAL_FRAME_BYTES - 8);
    crc = crc32c(crc, frame->key, frame->key_len);
    crc = crc32c(crc, frame->payload.data, frame->payload.len);
    put32(out + 4, crc);
}

bool wal_frame_decode(struct slice bytes, uint64_t salt, struct wal_frame_header *ret)
{
    const uint8_t *at = bytes.data;
    if (bytes.len < WAL_FRAME_BYTES)
        return false;
    *ret = (struct wal_frame_header){.length = get32(at),
                                     .crc = get32(at + 4),
                                     .lsn = get64(at + 8),
                                     .durable_lsn = get64(at + 16),
                                     .kind = at[24],
                                     .flags = at[25],
                                     .key_len = get16(at + 26),
                                     .rows = get32(at + 28),
                                     .time_us = (int64_t)get64(at + 48)};
    memcpy(ret->source.bytes, at + 32, 16);
    if (ret->length < WAL_FRAME_BYTES || ret->length > bytes.len || ret->key_len > WAL_KEY_MAX ||
        ret->length - WAL_FRAME_BYTES < ret->key_len)
        return false;
    uint32_t crc = crc32c((uint32_t)salt, at, 4);
    return crc32c(crc, at + 8, ret->length - 8) == ret->crc;
}

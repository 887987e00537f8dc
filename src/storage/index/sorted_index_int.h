/* sorted_index_int.h: keys and checksums, shared by writing and reading. */
#ifndef QUARRY_STORAGE_SORTED_INDEX_INT_H
#define QUARRY_STORAGE_SORTED_INDEX_INT_H

#include <isa-l/crc.h>

#include "base/buf.h"
#include "storage/index/sorted_index.h"

enum { SORTED_INDEX_SLACK = 8, SORTED_INDEX_PART_MAX = 1 << 30 };

static inline uint32_t sorted_crc(const void *data, size_t len)
{
    const uint8_t *at = data;
    uint32_t crc = ~0u;
    while (len) {
        size_t part = len < (1u << 30) ? len : (1u << 30);
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)part, crc);
        at += part;
        len -= part;
    }
    return crc;
}

/* The order of values as unsigned numbers; of texts the eight bytes behind `prefix`, `filler` for
 * those that are not there. */
static inline uint64_t sorted_key(const struct value *value, uint32_t prefix, uint8_t filler)
{
    uint64_t bits = 0;
    if (type_is_bytes(value->type)) {
        for (uint32_t i = 0; i < 8; i++) {
            size_t at = (size_t)prefix + i;
            uint8_t byte = at < value->bytes.len ? (uint8_t)value->bytes.data[at] : filler;
            bits = bits << 8 | byte;
        }
        return bits;
    }
    if (value->type == TYPE_BOOL)
        return value->boolean;
    if (value->type != TYPE_DOUBLE)
        return (uint64_t)value->int64 ^ UINT64_C(1) << 63;
    double real = value->real == 0 ? 0.0 : value->real; /* -0.0 equals 0.0 */
    memcpy(&bits, &real, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

#endif

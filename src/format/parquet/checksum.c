/* checksum.c: CRC-32 of pages and of footer + indexes (spec_int.h says what is covered). */
#include <assert.h>
#include <isa-l/crc.h>

#include "format/parquet/spec_int.h"

uint32_t pq_crc32(uint32_t start, const void *data, size_t len)
{
    return len ? crc32_gzip_refl(start, data, len) : start;
}

uint32_t pq_checksum(const uint8_t *bytes, size_t len, size_t crc_at)
{
    assert(crc_at <= len && len - crc_at >= 8);
    uint32_t crc = pq_crc32(0, bytes, crc_at);
    crc = pq_crc32(crc, "00000000", 8);
    return pq_crc32(crc, bytes + crc_at + 8, len - crc_at - 8);
}

/* Any bytes as a sidecar: refused, or an index that can be asked without leaving them. The first
 * byte says which kind, the second how many rows the segment has; checksums are made right, so that
 * what is behind them is reached. */
#include <isa-l/crc.h>
#include <stdlib.h>

#include "storage/index/hash_index.h"
#include "storage/index/sorted_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_crc(uint8_t *at, const uint8_t *from, size_t len)
{
    uint32_t crc = crc32_iscsi((unsigned char *)(uintptr_t)from, (int)len, ~0u);
    memcpy(at, &crc, sizeof crc);
}

static void ask_hash(uint8_t *file, size_t size, uint64_t rows)
{
    struct hash_index index;
    put_crc(file + 32, file + 64, size - 64);
    put_crc(file + 60, file, 60);
    if (!hash_index_read((struct slice){file, size}, 1, rows, &index))
        return;
    for (uint64_t i = 0; i < 16; i++) {
        uint64_t *found;
        uint32_t len;
        if (hash_index_lookup(&index, i << 60 | i, i * 20, &found, &len, NULL) == STATUS_OK)
            free(found);
    }
}

static void ask_sorted(uint8_t *file, size_t size, uint64_t rows, enum type type)
{
    struct sorted_index index;
    struct value_range range = {.has_lo = true, .has_hi = true};
    uint32_t pages, texts;
    memcpy(&pages, file + 28, 4);
    memcpy(&texts, file + 36, 4);
    if ((uint64_t)pages * 32 + texts <= size - 64)
        put_crc(file + 48, file + 64, (size_t)pages * 32 + texts);
    put_crc(file + 60, file, 60);
    if (!sorted_index_read((struct slice){file, size}, 1, rows, type, &index))
        return;
    range.lo = (struct value){.type = type, .int64 = -5};
    range.hi = (struct value){.type = type, .int64 = 5};
    if (type_is_bytes(type)) {
        range.lo.bytes = STR("a");
        range.hi.bytes = STR("ab");
        range.hi_is_prefix = true;
    }
    uint64_t *found;
    uint32_t len;
    if (sorted_index_lookup(&index, &range, rows, &found, &len, NULL) == STATUS_OK)
        free(found);
    struct sorted_first first;
    for (int descending = 0; descending < 2; descending++)
        if (sorted_index_first(&index, &range, descending, 1, rows, &first, NULL) == STATUS_OK)
            free(first.rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 + 64 || size > 1 << 20)
        return 0;
    uint8_t *file = malloc(size - 2);
    if (!file)
        return 0;
    memcpy(file, data + 2, size - 2);
    if (data[0] % 2)
        ask_hash(file, size - 2, data[1]);
    else
        ask_sorted(file, size - 2, data[1], data[0] % 4 ? TYPE_STRING : TYPE_INT64);
    free(file);
    return 0;
}

/* decode_codes.c: dictionary encoded pages: first as codes, one a row, then as values. */
#include "format/parquet/reader_int.h"
#include "format/parquet/rle_int.h"

enum { BLOCK = 1024 };

/* The present codes stand at the front; each moves back to its row. */
static void spread_codes(const struct pq_loaded *page, uint32_t *codes)
{
    uint32_t n = page->present;
    for (uint32_t row = page->rows; row-- > 0;) {
        bool valid = page->validity[row >> 3] >> (row & 7) & 1;
        codes[row] = valid ? codes[--n] : PARQUET_CODE_NULL;
    }
}

static bool all_below(const uint32_t *codes, uint32_t count, uint32_t limit)
{
    uint32_t max = 0;
    for (uint32_t i = 0; i < count; i++)
        max = codes[i] > max ? codes[i] : max;
    return count == 0 || max < limit;
}

enum status pq_decode_codes(const struct pq_loaded *page, uint32_t dictionary_len, uint32_t *codes,
                            struct error *err)
{
    if (page->present) {
        if (page->values_len == 0 || page->values[0] > 32)
            return pq_corrupt(err, "a page's codes have no bit width");
        unsigned width = page->values[0];
        struct rle_reader r;
        rle_reader_init(&r, page->values + 1, page->values_len - 1, width);
        if (!rle_read(&r, codes, page->present))
            return pq_corrupt(err, "a page's codes end too early");
        if ((width == 32 || dictionary_len >> width == 0) &&
            !all_below(codes, page->present, dictionary_len))
            return pq_corrupt(err, "a page has codes beyond its dictionary");
    }
    if (page->validity)
        spread_codes(page, codes);
    return STATUS_OK;
}

/* Which of up to BLOCK codes are values; the number of them. */
static uint32_t mark_present(const uint32_t *codes, uint32_t count, uint8_t *validity)
{
    uint32_t present = 0;
    memset(validity, 0, (count + 7) / 8);
    for (uint32_t i = 0; i < count; i++) {
        bool valid = codes[i] != PARQUET_CODE_NULL;
        validity[i >> 3] |= (uint8_t)(valid << (i & 7));
        present += valid;
    }
    return present;
}

#define FETCH(type)                                                                                \
    do {                                                                                           \
        const type *from = dictionary->values;                                                     \
        type *to = (type *)into->values + into->rows;                                              \
        if (!has_nulls)                                                                            \
            for (uint32_t i = 0; i < count; i++)                                                   \
                to[i] = from[codes[i]];                                                            \
        else                                                                                       \
            for (uint32_t i = 0; i < count; i++)                                                   \
                to[i] = codes[i] == PARQUET_CODE_NULL ? 0 : from[codes[i]];                        \
    } while (0)

static void fetch_fixed(const struct column *dictionary, const uint32_t *codes, uint32_t count,
                        bool has_nulls, struct column *into)
{
    size_t width = type_width(into->type);
    if (width == 1)
        FETCH(uint8_t);
    else if (width == 4)
        FETCH(uint32_t);
    else
        FETCH(uint64_t);
}

/* Writes offsets, then bytes; 16 bytes at a time as the room has READ_SLACK more (the dictionary's
 * bytes do too, see cache.c). */
static enum status fetch_bytes(const struct column *dictionary, const uint32_t *codes,
                               uint32_t count, bool has_nulls, struct column *into,
                               uint32_t *ret_end, struct error *err)
{
    const uint32_t *from = dictionary->values;
    uint32_t *offsets = (uint32_t *)into->values + into->rows;
    uint64_t end = into->bytes_len;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = codes[i];
        if (!has_nulls || code != PARQUET_CODE_NULL)
            end += from[code + 1] - from[code];
        offsets[i + 1] = (uint32_t)end;
    }
    char *room;
    TRY(pq_into_room(into, (size_t)(end - into->bytes_len) + READ_SLACK, &room, err));
    char *bytes = into->bytes;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = offsets[i + 1] - offsets[i];
        if (len == 0)
            continue;
        const char *source = dictionary->bytes + from[codes[i]];
        if (len <= 16)
            memcpy(bytes + offsets[i], source, 16);
        else
            memcpy(bytes + offsets[i], source, len);
    }
    *ret_end = (uint32_t)end;
    return STATUS_OK;
}

static enum status append_block(const struct column *dictionary, const uint32_t *codes,
                                uint32_t count, bool has_nulls, struct column *into,
                                struct error *err)
{
    uint8_t validity[BLOCK / 8];
    uint32_t present = has_nulls ? mark_present(codes, count, validity) : count;
    uint32_t end = into->bytes_len;
    if (type_is_bytes(into->type))
        TRY(fetch_bytes(dictionary, codes, count, has_nulls, into, &end, err));
    else
        fetch_fixed(dictionary, codes, count, has_nulls, into);
    TRY(pq_into_commit(into, count, present, present == count ? NULL : validity, err));
    into->bytes_len = end;
    return STATUS_OK;
}

enum status pq_append_codes(const struct column *dictionary, const uint32_t *codes, uint32_t count,
                            bool has_nulls, struct column *into, struct error *err)
{
    TRY(pq_into_reserve(into, count, err));
    while (count) {
        uint32_t n = count < BLOCK ? count : BLOCK;
        TRY(append_block(dictionary, codes, n, has_nulls, into, err));
        codes += n;
        count -= n;
    }
    return STATUS_OK;
}

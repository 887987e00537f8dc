/* decode_row.c: one row out of a page, without decoding the others: found by counting the values
 * before it, then decoded as a page of one row. For single rows of pages that nobody else wants. */
#include "format/parquet/reader_int.h"

static bool is_valid(const struct pq_loaded *page, uint32_t row)
{
    return !page->validity || page->validity[row >> 3] >> (row & 7) & 1;
}

/* Values before the row. */
static uint32_t rank(const struct pq_loaded *page, uint32_t row)
{
    uint32_t count = 0, i = 0;
    if (!page->validity)
        return row;
    for (; i + 64 <= row; i += 64) {
        uint64_t word;
        memcpy(&word, page->validity + i / 8, sizeof word);
        count += (uint32_t)__builtin_popcountll(word);
    }
    for (; i < row; i++)
        count += page->validity[i >> 3] >> (i & 7) & 1;
    return count;
}

/* The n-th string with its length; false when the page ends before. */
static bool find_string(const struct pq_loaded *page, uint32_t n, size_t *ret_at, size_t *ret_len)
{
    size_t at = 0, left = page->values_len;
    for (;; n--) {
        uint32_t len;
        if (left < sizeof len)
            return false;
        memcpy(&len, page->values + at, sizeof len);
        if (len > left - sizeof len)
            return false;
        if (n == 0) {
            *ret_at = at;
            *ret_len = sizeof len + len;
            return true;
        }
        at += sizeof len + len;
        left -= sizeof len + len;
    }
}

static size_t width_of(const struct pq_leaf *leaf)
{
    switch (leaf->physical) {
    case PQ_INT32:
    case PQ_FLOAT:
        return 4;
    case PQ_INT96:
        return 12;
    case PQ_FIXED_LEN_BYTE_ARRAY:
        return leaf->width;
    default:
        return 8;
    }
}

enum status pq_decode_row(const struct pq_leaf *leaf, const struct pq_loaded *page, uint32_t row,
                          bool exact, struct column *into, bool *ret_done, struct error *err)
{
    *ret_done = page->encoding == PQ_PLAIN && leaf->physical != PQ_BOOLEAN;
    if (!*ret_done)
        return STATUS_OK;
    if (!is_valid(page, row)) {
        static const uint8_t null = 0;
        TRY(pq_into_reserve(into, 1, err));
        struct pq_loaded absent = {
            .rows = 1, .validity = &null, .values = page->values, .encoding = PQ_PLAIN};
        return pq_decode_plain(leaf, &absent, exact, into, err);
    }
    size_t at, len = width_of(leaf);
    uint32_t n = rank(page, row);
    bool found;
    if (leaf->physical == PQ_BYTE_ARRAY) {
        found = find_string(page, n, &at, &len);
    } else {
        at = n * len;
        found = at <= page->values_len && len <= page->values_len - at;
    }
    if (!found)
        return pq_corrupt(err, "column %.*s: a page has fewer values than it says",
                          STR_ARG(leaf->field.name));
    struct pq_loaded one = {.rows = 1,
                            .present = 1,
                            .values = page->values + at,
                            .values_len = len,
                            .encoding = PQ_PLAIN};
    return pq_decode_plain(leaf, &one, exact, into, err);
}

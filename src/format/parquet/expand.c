/* expand.c: values in an encoding other than PLAIN, codes and RLE become PLAIN bytes in the
 * reader's scratch, so that everything behind knows one form.
 *
 * Source: Encodings.md, "Delta-length byte array", "Delta Strings", "Byte Stream Split". Memory:
 * 8 or 16 bytes a value for lengths; the PLAIN bytes, whose size is known before they are
 * allocated, at most PAGE_UNCOMPRESSED_MAX. */
#include "format/parquet/byte_split_int.h"
#include "format/parquet/reader_int.h"

static enum status damaged(const struct pq_leaf *leaf, struct error *err)
{
    return pq_corrupt(err, "column %.*s: a page has fewer or more values than it says",
                      STR_ARG(leaf->field.name));
}

static enum status room(struct parquet_reader *reader, uint64_t size, struct error *err)
{
    if (size > PAGE_UNCOMPRESSED_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a Parquet page's values take over %d bytes",
                         PAGE_UNCOMPRESSED_MAX);
    return pq_scratch_reserve(&reader->expanded, (size_t)size + READ_SLACK) ? STATUS_OK
                                                                            : error_no_memory(err);
}

static void become_plain(struct parquet_reader *reader, struct pq_loaded *page, size_t len)
{
    page->values = reader->expanded.data;
    page->values_len = len;
    page->encoding = PQ_PLAIN;
}

/* `arrays` runs of page->present integers each, one after the other from page->values on. */
static enum status read_deltas(struct parquet_reader *reader, const struct pq_loaded *page,
                               int arrays, const uint8_t **ret_end, struct error *err)
{
    const uint8_t *p = page->values, *end = p + page->values_len;
    size_t n = page->present;
    if (!pq_scratch_reserve(&reader->deltas, (n * (size_t)arrays + 1) * sizeof(uint64_t)))
        return error_no_memory(err);
    uint64_t *out = (uint64_t *)(void *)reader->deltas.data;
    for (int i = 0; i < arrays; i++)
        TRY(pq_delta_ints(p, end, page->present, out + n * (size_t)i, &p, err));
    *ret_end = p;
    return STATUS_OK;
}

static enum status expand_ints(struct parquet_reader *reader, const struct pq_leaf *leaf,
                               struct pq_loaded *page, struct error *err)
{
    const uint8_t *end = page->values;
    TRY(read_deltas(reader, page, 1, &end, err));
    size_t width = leaf->physical == PQ_INT32 ? 4 : 8;
    TRY(room(reader, page->present * width, err));
    const uint64_t *from = (const uint64_t *)(const void *)reader->deltas.data;
    if (width == 8)
        memcpy(reader->expanded.data, from, page->present * width);
    for (uint32_t i = 0; width == 4 && i < page->present; i++) {
        uint32_t low = (uint32_t)from[i];
        memcpy(reader->expanded.data + (size_t)i * 4, &low, 4);
    }
    become_plain(reader, page, page->present * width);
    return STATUS_OK;
}

/* Lengths, then all bytes. */
static enum status expand_lengths(struct parquet_reader *reader, const struct pq_leaf *leaf,
                                  struct pq_loaded *page, struct error *err)
{
    const uint8_t *from = page->values;
    const uint8_t *end = page->values + page->values_len;
    TRY(read_deltas(reader, page, 1, &from, err));
    const uint64_t *lengths = (const uint64_t *)(const void *)reader->deltas.data;
    uint64_t left = (uint64_t)(end - from), total = 0;
    for (uint32_t i = 0; i < page->present; i++) {
        if (lengths[i] > left - total)
            return damaged(leaf, err);
        total += lengths[i];
    }
    if (total != left)
        return damaged(leaf, err);
    uint64_t size = total + (uint64_t)page->present * 4;
    TRY(room(reader, size, err));
    uint8_t *to = reader->expanded.data;
    for (uint32_t i = 0; i < page->present; i++) {
        uint32_t len = (uint32_t)lengths[i];
        memcpy(to, &len, 4);
        memcpy(to + 4, from, len);
        to += 4 + len;
        from += len;
    }
    become_plain(reader, page, (size_t)size);
    return STATUS_OK;
}

/* Bytes that the prefixes and suffixes make; false when they contradict each other. */
static bool measure_strings(const struct pq_leaf *leaf, const uint64_t *prefixes,
                            const uint64_t *suffixes, uint32_t count, uint64_t left,
                            uint64_t *ret_total)
{
    uint64_t before = 0, total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (prefixes[i] > before || suffixes[i] > left)
            return false;
        left -= suffixes[i];
        before = prefixes[i] + suffixes[i];
        if (leaf->physical == PQ_FIXED_LEN_BYTE_ARRAY && before != leaf->width)
            return false;
        total += before;
        if (total > (uint64_t)PAGE_UNCOMPRESSED_MAX * 2) /* room() refuses that */
            break;
    }
    *ret_total = total;
    return true;
}

/* Lengths of the prefix shared with the value before, then suffixes as in expand_lengths. */
static enum status expand_strings(struct parquet_reader *reader, const struct pq_leaf *leaf,
                                  struct pq_loaded *page, struct error *err)
{
    const uint8_t *from = page->values;
    const uint8_t *end = page->values + page->values_len;
    bool fixed = leaf->physical == PQ_FIXED_LEN_BYTE_ARRAY;
    TRY(read_deltas(reader, page, 2, &from, err));
    const uint64_t *prefixes = (const uint64_t *)(const void *)reader->deltas.data;
    const uint64_t *suffixes = prefixes + page->present;
    uint64_t total;
    if (!measure_strings(leaf, prefixes, suffixes, page->present, (uint64_t)(end - from), &total))
        return damaged(leaf, err);
    uint64_t size = total + (fixed ? 0 : (uint64_t)page->present * 4);
    TRY(room(reader, size, err));
    uint8_t *to = reader->expanded.data;
    const uint8_t *before = to;
    for (uint32_t i = 0; i < page->present; i++) {
        uint32_t prefix = (uint32_t)prefixes[i], suffix = (uint32_t)suffixes[i];
        uint32_t len = prefix + suffix;
        if (!fixed) {
            memcpy(to, &len, 4);
            to += 4;
        }
        memcpy(to, before, prefix);
        memcpy(to + prefix, from, suffix);
        before = to;
        to += len;
        from += suffix;
    }
    become_plain(reader, page, (size_t)size);
    return STATUS_OK;
}

static enum status expand_split(struct parquet_reader *reader, const struct pq_leaf *leaf,
                                struct pq_loaded *page, struct error *err)
{
    size_t width = leaf->physical == PQ_INT32 || leaf->physical == PQ_FLOAT    ? 4
                   : leaf->physical == PQ_INT64 || leaf->physical == PQ_DOUBLE ? 8
                                                                               : leaf->width;
    size_t n = page->present;
    if (page->values_len != n * width)
        return damaged(leaf, err);
    TRY(room(reader, n * width, err));
    uint8_t *to = reader->expanded.data;
    if (width == 8)
        byte_split_join(page->values, n, to);
    for (size_t byte = 0; width != 8 && byte < width; byte++)
        for (size_t i = 0; i < n; i++)
            to[i * width + byte] = page->values[byte * n + i];
    become_plain(reader, page, n * width);
    return STATUS_OK;
}

enum status pq_expand(struct parquet_reader *reader, const struct pq_leaf *leaf,
                      struct pq_loaded *page, struct error *err)
{
    bool delta = page->encoding == PQ_DELTA_BINARY_PACKED ||
                 page->encoding == PQ_DELTA_LENGTH_BYTE_ARRAY ||
                 page->encoding == PQ_DELTA_BYTE_ARRAY;
    if (!delta && page->encoding != PQ_BYTE_STREAM_SPLIT)
        return STATUS_OK;
    if (page->present == 0) { /* some writers leave even the header out then */
        page->values_len = 0;
        page->encoding = PQ_PLAIN;
        return STATUS_OK;
    }
    switch (page->encoding) {
    case PQ_DELTA_BINARY_PACKED:
        return expand_ints(reader, leaf, page, err);
    case PQ_DELTA_LENGTH_BYTE_ARRAY:
        return expand_lengths(reader, leaf, page, err);
    case PQ_DELTA_BYTE_ARRAY:
        return expand_strings(reader, leaf, page, err);
    default:
        return expand_split(reader, leaf, page, err);
    }
}

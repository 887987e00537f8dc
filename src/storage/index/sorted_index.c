/* sorted_index.c: reading the sorted sidecar (layout in sorted_index.h).
 *
 * Fences and pages are compared so that nothing that is inside the range is left out: a fence that
 * is cut stands for any text that begins with it; of texts with equal keys either all are in. */
#include <stdlib.h>

#include "storage/index/sorted_index_int.h"

struct fence {
    uint64_t key;
    uint32_t page_at, crc, text_at;
    uint16_t text_len, prefix, entries;
    uint8_t key_bits, row_bits;
    bool cut;
};

static struct fence fence_at(const struct sorted_index *index, uint32_t page)
{
    const uint8_t *at = index->directory + (size_t)page * SORTED_INDEX_ENTRY_BYTES;
    struct fence fence = {.key_bits = at[24], .row_bits = at[25], .cut = at[28] & 1};
    memcpy(&fence.key, at, 8);
    memcpy(&fence.page_at, at + 8, 4);
    memcpy(&fence.crc, at + 12, 4);
    memcpy(&fence.text_at, at + 16, 4);
    memcpy(&fence.text_len, at + 20, 2);
    memcpy(&fence.prefix, at + 22, 2);
    memcpy(&fence.entries, at + 26, 2);
    return fence;
}

static uint64_t page_bytes(const struct fence *fence)
{
    return ((uint64_t)fence->entries * fence->key_bits + 7) / 8 +
           ((uint64_t)fence->entries * fence->row_bits + 7) / 8;
}

/* --- opening --- */

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

/* Whatever the pages hold, reading stays inside of the file after this. */
static bool directory_is_sound(const struct sorted_index *index)
{
    uint64_t entries = 0, page_at = 0;
    for (uint32_t i = 0; i < index->pages_len; i++) {
        struct fence fence = fence_at(index, i);
        bool whole = i + 1 == index->pages_len || fence.entries == SORTED_INDEX_PAGE_ENTRIES;
        if (fence.entries == 0 || fence.entries > SORTED_INDEX_PAGE_ENTRIES || !whole ||
            fence.key_bits > 64 || fence.row_bits > 32 || fence.page_at != page_at ||
            fence.prefix > fence.text_len ||
            (uint64_t)fence.text_at + fence.text_len > index->texts_len)
            return false;
        page_at += page_bytes(&fence);
        entries += fence.entries;
    }
    return entries == index->entries_len && page_at == index->pages_bytes;
}

bool sorted_index_read(struct slice bytes, int32_t field_id, uint64_t rows, enum type type,
                       struct sorted_index *ret)
{
    const uint8_t *file = bytes.data;
    if (bytes.len < SORTED_INDEX_HEADER_BYTES || memcmp(file, "QSORTIX1", 8) != 0 ||
        get32(file + 60) != sorted_crc(file, 60) || get32(file + 8) != SORTED_INDEX_VERSION ||
        get32(file + 12) != (uint32_t)field_id || get64(file + 16) != rows ||
        get32(file + 32) != (uint32_t)type)
        return false;
    *ret = (struct sorted_index){.rows = rows,
                                 .entries_len = get32(file + 24),
                                 .pages_len = get32(file + 28),
                                 .texts_len = get32(file + 36),
                                 .pages_bytes = get64(file + 40),
                                 .type = type};
    uint64_t directory = (uint64_t)ret->pages_len * SORTED_INDEX_ENTRY_BYTES;
    uint64_t texts = ((uint64_t)ret->texts_len + 7) / 8 * 8;
    uint64_t before = SORTED_INDEX_HEADER_BYTES + directory + texts;
    if (ret->pages_bytes > UINT32_MAX || directory + ret->texts_len > INT32_MAX ||
        bytes.len != before + ret->pages_bytes + SORTED_INDEX_SLACK ||
        get32(file + 48) !=
            sorted_crc(file + SORTED_INDEX_HEADER_BYTES, (size_t)directory + ret->texts_len))
        return false;
    ret->directory = file + SORTED_INDEX_HEADER_BYTES;
    ret->texts = ret->directory + directory;
    ret->pages = file + before;
    return directory_is_sound(ret);
}

enum status sorted_index_open(struct sys *sys, const char *path, int32_t field_id, uint64_t rows,
                              enum type type, struct sorted_index *ret, struct error *err)
{
    struct sys_file *file = NULL;
    struct sys_map map = {0};
    TRY(sys_open(sys, path, SYS_READ, &file, err));
    enum status status = sys_map(sys, file, &map, err);
    sys_close(sys, file);
    if (status != STATUS_OK)
        return status;
    if (sorted_index_read((struct slice){map.data, map.len}, field_id, rows, type, ret)) {
        ret->map = map;
        return STATUS_OK;
    }
    sys_unmap(sys, &map);
    return error_set(err, STATUS_CORRUPT, "%s: the sorted index is damaged", path);
}

void sorted_index_close(struct sys *sys, struct sorted_index *index)
{
    if (index->directory)
        sys_unmap(sys, &index->map);
    *index = (struct sorted_index){0};
}

/* --- fences --- */

static struct str fence_text(const struct sorted_index *index, const struct fence *fence)
{
    return (struct str){(const char *)index->texts + fence->text_at, fence->text_len};
}

/* Certainly every entry from this fence on is at or above `lo`. */
static bool reaches(const struct sorted_index *index, const struct fence *fence,
                    const struct value *lo)
{
    if (!type_is_bytes(index->type))
        return fence->key >= sorted_key(lo, 0, 0);
    return str_cmp(fence_text(index, fence), lo->bytes) >= 0;
}

/* Certainly every entry from this fence on is above `hi`. */
static bool is_above(const struct sorted_index *index, const struct fence *fence,
                     const struct value_range *range)
{
    if (!type_is_bytes(index->type))
        return fence->key > sorted_key(&range->hi, 0, 0);
    struct str text = fence_text(index, fence);
    return str_cmp(text, range->hi.bytes) > 0 &&
           !(range->hi_is_prefix && str_starts(text, range->hi.bytes));
}

void sorted_index_pages(const struct sorted_index *index, const struct value_range *range,
                        uint32_t *ret_first, uint32_t *ret_end)
{
    uint32_t low = 0, high = index->pages_len;
    while (range->has_hi && low < high) { /* the first page that is wholly above */
        uint32_t middle = low + (high - low) / 2;
        struct fence fence = fence_at(index, middle);
        if (is_above(index, &fence, range))
            high = middle;
        else
            low = middle + 1;
    }
    *ret_end = high;
    low = 0;
    while (range->has_lo && low < high) { /* the first page that begins at or above `lo` */
        uint32_t middle = low + (high - low) / 2;
        struct fence fence = fence_at(index, middle);
        if (reaches(index, &fence, &range->lo))
            high = middle;
        else
            low = middle + 1;
    }
    if (!range->has_lo)
        low = 0;
    low -= low > 0; /* the page before may end inside */
    while (low > 0) {
        struct fence fence = fence_at(index, low);
        if (!fence.cut || !str_starts(range->lo.bytes, fence_text(index, &fence)))
            break;
        low--;
    }
    *ret_first = low;
}

/* --- pages --- */

/* Number `at` of the packed ones; reads up to 16 bytes from its first. */
static uint64_t unpack(const uint8_t *packed, uint64_t at, uint8_t bits)
{
    uint64_t first = at * bits, low, shift = first % 8;
    if (bits == 0)
        return 0;
    packed += first / 8;
    memcpy(&low, packed, sizeof low);
    low >>= shift;
    if (shift + bits > 64)
        low |= (uint64_t)packed[8] << (64 - shift);
    return bits == 64 ? low : low & ((UINT64_C(1) << bits) - 1);
}

enum status sorted_index_page(const struct sorted_index *index, uint32_t page,
                              struct sorted_page *ret, struct error *err)
{
    struct fence fence = fence_at(index, page);
    const uint8_t *keys = index->pages + fence.page_at;
    const uint8_t *rows = keys + ((uint64_t)fence.entries * fence.key_bits + 7) / 8;
    if (sorted_crc(keys, page_bytes(&fence)) != fence.crc)
        return error_set(err, STATUS_CORRUPT, "page %u of a sorted index is damaged", page);
    ret->len = fence.entries;
    for (uint32_t i = 0; i < fence.entries; i++) {
        uint64_t row = unpack(rows, i, fence.row_bits);
        if (row >= index->rows)
            return error_set(err, STATUS_CORRUPT, "page %u of a sorted index is damaged", page);
        ret->keys[i] = fence.key + unpack(keys, i, fence.key_bits);
        ret->rows[i] = (uint32_t)row;
    }
    return STATUS_OK;
}

/* How a bound relates to the texts of a page: below all, above all, or at a key among them. */
struct place {
    int side; /* -1, 1, or 0: at `key` */
    uint64_t key;
};

static struct place place_of(const struct sorted_index *index, const struct fence *fence,
                             const struct value *bound, bool as_prefix)
{
    if (!type_is_bytes(index->type))
        return (struct place){0, sorted_key(bound, 0, 0)};
    struct str prefix = {fence_text(index, fence).data, fence->prefix};
    if (str_starts(bound->bytes, prefix))
        return (struct place){0, sorted_key(bound, fence->prefix, as_prefix ? 0xFF : 0)};
    if (as_prefix && str_starts(prefix, bound->bytes))
        return (struct place){1, 0};
    return (struct place){str_cmp(bound->bytes, prefix) < 0 ? -1 : 1, 0};
}

/* The first entry whose key is not below (with `above`: is above) `key`. */
static uint32_t bound_of(const struct sorted_page *page, uint64_t key, bool above)
{
    uint32_t low = 0, high = page->len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (above ? page->keys[middle] <= key : page->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void sorted_index_clip(const struct sorted_index *index, uint32_t page,
                       const struct sorted_page *decoded, const struct value_range *range,
                       uint32_t *ret_first, uint32_t *ret_end)
{
    struct fence fence = fence_at(index, page);
    *ret_first = 0;
    *ret_end = decoded->len;
    if (range->has_lo) {
        struct place lo = place_of(index, &fence, &range->lo, false);
        *ret_first = lo.side < 0   ? 0
                     : lo.side > 0 ? decoded->len
                                   : bound_of(decoded, lo.key, false);
    }
    if (range->has_hi) {
        struct place hi = place_of(index, &fence, &range->hi, range->hi_is_prefix);
        *ret_end = hi.side < 0 ? 0 : hi.side > 0 ? decoded->len : bound_of(decoded, hi.key, true);
    }
    if (*ret_end < *ret_first)
        *ret_end = *ret_first;
}

static int compare_rows(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static enum status collect(const struct sorted_index *index, const struct value_range *range,
                           uint32_t first, uint32_t end, uint64_t limit, uint64_t *rows,
                           uint32_t *len, struct error *err)
{
    struct sorted_page page;
    for (uint32_t p = first; p < end && *len <= limit; p++) {
        uint32_t from, to;
        TRY(sorted_index_page(index, p, &page, err));
        sorted_index_clip(index, p, &page, range, &from, &to);
        for (; from < to; from++)
            rows[(*len)++] = page.rows[from];
    }
    return STATUS_OK;
}

enum status sorted_index_lookup(const struct sorted_index *index, const struct value_range *range,
                                uint64_t limit, uint64_t **ret_rows, uint32_t *ret_len,
                                struct error *err)
{
    uint32_t first, end;
    *ret_rows = NULL;
    *ret_len = 0;
    sorted_index_pages(index, range, &first, &end);
    /* All pages but the first and the last are inside. */
    if (end > first + 2 && (uint64_t)(end - first - 2) * SORTED_INDEX_PAGE_ENTRIES > limit) {
        *ret_len = (end - first - 2) * SORTED_INDEX_PAGE_ENTRIES;
        return STATUS_OK;
    }
    if (first >= end)
        return STATUS_OK;
    uint64_t *rows = malloc((size_t)(end - first) * SORTED_INDEX_PAGE_ENTRIES * sizeof *rows);
    if (!rows)
        return error_no_memory(err);
    enum status status = collect(index, range, first, end, limit, rows, ret_len, err);
    if (status != STATUS_OK || *ret_len == 0 || *ret_len > limit) {
        free(rows);
        return status;
    }
    qsort(rows, *ret_len, sizeof *rows, compare_rows);
    *ret_rows = rows;
    return STATUS_OK;
}

/* --- the first entries of a range --- */

struct taking {
    const struct sorted_index *index;
    const struct value_range *range;
    struct sorted_page page;
    uint32_t number, from, to; /* of the page, and what of it may be in the range */
    bool lo_exact, hi_exact;   /* no entry at this end of it is doubtful */
    uint64_t lo_key, hi_key;
    uint32_t count, sure; /* wanted; certainly in the range */
    uint64_t most;
    struct sorted_first *ret;
};

static enum status load_page(struct taking *t, uint32_t page, struct error *err)
{
    struct fence fence = fence_at(t->index, page);
    bool texts = type_is_bytes(t->index->type);
    t->number = page;
    t->lo_exact = t->hi_exact = true;
    TRY(sorted_index_page(t->index, page, &t->page, err));
    sorted_index_clip(t->index, page, &t->page, t->range, &t->from, &t->to);
    if (texts && t->range->has_lo) {
        struct place lo = place_of(t->index, &fence, &t->range->lo, false);
        t->lo_exact = lo.side != 0;
        t->lo_key = lo.key;
    }
    if (texts && t->range->has_hi) {
        struct place hi = place_of(t->index, &fence, &t->range->hi, t->range->hi_is_prefix);
        t->hi_exact = hi.side != 0;
        t->hi_key = hi.key;
    }
    return STATUS_OK;
}

/* False when there is no more room. */
static bool take(struct taking *t, uint32_t at)
{
    uint64_t key = t->page.keys[at];
    if (t->ret->len == t->most)
        return false;
    t->ret->rows[t->ret->len++] = t->page.rows[at];
    t->sure += (t->lo_exact || key != t->lo_key) && (t->hi_exact || key != t->hi_key);
    return true;
}

static enum status take_first(struct taking *t, uint32_t first, uint32_t end, struct error *err)
{
    for (uint32_t p = first; p < end; p++) {
        TRY(load_page(t, p, err));
        for (uint32_t i = t->from; i < t->to; i++) {
            if (t->sure == t->count)
                return STATUS_OK;
            if (!take(t, i)) {
                t->ret->used = false;
                return STATUS_OK;
            }
        }
    }
    return STATUS_OK;
}

/* From the end, until `count` entries and all that may equal the last one are in. A page's first
 * key does not say whether the page before ends with such: it is taken to. */
static enum status take_last(struct taking *t, uint32_t first, uint32_t end, struct error *err)
{
    for (uint32_t p = end; p-- > first;) {
        TRY(load_page(t, p, err));
        for (uint32_t i = t->to; i-- > t->from;) {
            bool equal = i + 1 < t->to ? t->page.keys[i] == t->page.keys[i + 1] : t->ret->len > 0;
            if (t->sure >= t->count && !equal)
                return STATUS_OK;
            if (!take(t, i)) {
                t->ret->used = false;
                return STATUS_OK;
            }
        }
    }
    return STATUS_OK;
}

enum status sorted_index_first(const struct sorted_index *index, const struct value_range *range,
                               bool descending, uint32_t count, uint64_t most,
                               struct sorted_first *ret, struct error *err)
{
    struct taking t = {.index = index, .range = range, .count = count, .most = most, .ret = ret};
    uint32_t first, end;
    *ret = (struct sorted_first){.used = true};
    sorted_index_pages(index, range, &first, &end);
    uint64_t entries = end > first ? (uint64_t)(end - first) * SORTED_INDEX_PAGE_ENTRIES : 0;
    t.most = most < entries ? most : entries;
    ret->rows = malloc((t.most + 1) * sizeof *ret->rows);
    if (!ret->rows)
        return error_no_memory(err);
    enum status status =
        descending ? take_last(&t, first, end, err) : take_first(&t, first, end, err);
    ret->enough = t.sure >= count;
    if (status != STATUS_OK || !ret->used || ret->len == 0) {
        free(ret->rows);
        ret->rows = NULL;
        ret->len = 0;
        return status;
    }
    qsort(ret->rows, ret->len, sizeof *ret->rows, compare_rows);
    return STATUS_OK;
}

/* sorted_index_write.c: making the sorted sidecar (layout in sorted_index.h). */
#include <isa-l/crc.h>
#include <stdlib.h>

#include "storage/index/sorted_index_int.h"

struct writing {
    const struct column *column;
    const uint32_t *order;
    uint32_t len;
    uint8_t row_bits;
    struct buf directory, texts, pages;
};

static uint8_t bits_of(uint64_t value)
{
    return value ? (uint8_t)(64 - __builtin_clzll(value)) : 0;
}

/* Appends `count` numbers of `bits` bits, lowest bit first, up to a whole byte. */
static void pack(struct buf *buf, const uint64_t *numbers, uint32_t count, uint8_t bits)
{
    unsigned __int128 held = 0;
    uint32_t held_bits = 0;
    for (uint32_t i = 0; i < count && bits; i++) {
        held |= (unsigned __int128)numbers[i] << held_bits;
        for (held_bits += bits; held_bits >= 8; held_bits -= 8, held >>= 8)
            buf_append_char(buf, (char)(uint8_t)held);
    }
    if (held_bits)
        buf_append_char(buf, (char)(uint8_t)held);
}

static uint32_t shared_prefix(struct str a, struct str b)
{
    uint32_t n = 0;
    while (n < a.len && n < b.len && n < SORTED_INDEX_TEXT_MAX && a.data[n] == b.data[n])
        n++;
    return n;
}

static void put(uint8_t *at, const void *value, size_t len)
{
    memcpy(at, value, len);
}

/* One page: entries [first, first + count) of the order. */
static void add_page(struct writing *w, uint32_t first, uint32_t count)
{
    uint64_t keys[SORTED_INDEX_PAGE_ENTRIES] = {0}, rows[SORTED_INDEX_PAGE_ENTRIES];
    uint8_t entry[SORTED_INDEX_ENTRY_BYTES] = {0};
    uint32_t text_at = (uint32_t)w->texts.len, page_at = (uint32_t)w->pages.len, cut = 0;
    uint16_t text_len = 0, prefix = 0, entries = (uint16_t)count;
    if (type_is_bytes(w->column->type)) {
        struct str text = column_str(w->column, w->order[first]);
        prefix = (uint16_t)shared_prefix(text, column_str(w->column, w->order[first + count - 1]));
        cut = text.len > SORTED_INDEX_TEXT_MAX;
        text_len = cut ? SORTED_INDEX_TEXT_MAX : (uint16_t)text.len;
        buf_append(&w->texts, text.data, text_len);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct value value = value_of_column(w->column, w->order[first + i]);
        keys[i] = sorted_key(&value, prefix, 0);
        rows[i] = w->order[first + i];
    }
    uint64_t base = keys[0];
    for (uint32_t i = 0; i < count; i++)
        keys[i] -= base;
    uint8_t key_bits = bits_of(keys[count - 1]);
    pack(&w->pages, keys, count, key_bits);
    pack(&w->pages, rows, count, w->row_bits);
    put(entry, &base, 8);
    put(entry + 8, &page_at, 4);
    if (!buf_failed(&w->pages)) {
        uint32_t crc = sorted_crc(w->pages.data + page_at, w->pages.len - page_at);
        put(entry + 12, &crc, 4);
    }
    put(entry + 16, &text_at, 4);
    put(entry + 20, &text_len, 2);
    put(entry + 22, &prefix, 2);
    entry[24] = key_bits;
    entry[25] = w->row_bits;
    put(entry + 26, &entries, 2);
    put(entry + 28, &cut, 4);
    buf_append(&w->directory, (const char *)entry, sizeof entry);
}

static void make_header(const struct writing *w, int32_t field_id, uint8_t *header)
{
    uint32_t version = SORTED_INDEX_VERSION, type = w->column->type;
    uint32_t pages = (uint32_t)(w->directory.len / SORTED_INDEX_ENTRY_BYTES);
    uint32_t texts = (uint32_t)w->texts.len;
    uint64_t rows = w->column->rows, pages_bytes = w->pages.len;
    uint32_t crc = sorted_crc(w->directory.data, w->directory.len);
    if (texts)
        crc = crc32_iscsi((unsigned char *)w->texts.data, (int)texts, crc);
    memcpy(header, "QSORTIX1", 8);
    put(header + 8, &version, 4);
    put(header + 12, &field_id, 4);
    put(header + 16, &rows, 8);
    put(header + 24, &w->len, 4);
    put(header + 28, &pages, 4);
    put(header + 32, &type, 4);
    put(header + 36, &texts, 4);
    put(header + 40, &pages_bytes, 8);
    put(header + 48, &crc, 4);
    crc = sorted_crc(header, 60);
    put(header + 60, &crc, 4);
}

static enum status write_parts(struct sys *sys, struct sys_file *file, const struct writing *w,
                               const uint8_t *header, uint64_t *ret_bytes, struct error *err)
{
    static const uint8_t zeros[16];
    const struct slice parts[] = {
        {header, SORTED_INDEX_HEADER_BYTES}, {w->directory.data, w->directory.len},
        {w->texts.data, w->texts.len},       {zeros, (8 - w->texts.len % 8) % 8},
        {w->pages.data, w->pages.len},       {zeros, SORTED_INDEX_SLACK},
    };
    uint64_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].len)
            TRY(sys_pwrite(sys, file, parts[i].data, parts[i].len, at, err));
        at += parts[i].len;
    }
    *ret_bytes = at;
    return STATUS_OK;
}

static enum status write_file(struct sys *sys, const char *path, int32_t field_id,
                              const struct writing *w, struct sys_file **ret_file,
                              uint64_t *ret_bytes, struct error *err)
{
    uint8_t header[SORTED_INDEX_HEADER_BYTES] = {0};
    struct sys_file *file = NULL;
    make_header(w, field_id, header);
    TRY(sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &file, err));
    enum status status = write_parts(sys, file, w, header, ret_bytes, err);
    if (status == STATUS_OK)
        *ret_file = file;
    else
        sys_close(sys, file);
    return status;
}

enum status sorted_index_write(struct sys *sys, const char *path, int32_t field_id,
                               const struct column *column, const uint32_t *order, uint32_t len,
                               struct sys_file **ret_file, uint64_t *ret_bytes, struct error *err)
{
    struct writing w = {.column = column, .order = order, .len = len};
    *ret_file = NULL;
    *ret_bytes = 0;
    w.row_bits = bits_of(column->rows ? column->rows - 1 : 0);
    buf_init(&w.directory, SORTED_INDEX_PART_MAX);
    buf_init(&w.texts, SORTED_INDEX_PART_MAX);
    buf_init(&w.pages, UINT32_MAX);
    for (uint32_t at = 0; at < len; at += SORTED_INDEX_PAGE_ENTRIES)
        add_page(&w, at,
                 len - at < SORTED_INDEX_PAGE_ENTRIES ? len - at : SORTED_INDEX_PAGE_ENTRIES);
    enum status status = buf_check(&w.directory, "a sorted index", err);
    if (status == STATUS_OK)
        status = buf_check(&w.texts, "a sorted index", err);
    if (status == STATUS_OK)
        status = buf_check(&w.pages, "a sorted index", err);
    if (status == STATUS_OK)
        status = write_file(sys, path, field_id, &w, ret_file, ret_bytes, err);
    buf_release(&w.directory);
    buf_release(&w.texts);
    buf_release(&w.pages);
    return status;
}

/* index_write.c: page index of one chunk: ColumnIndex (bounds and nulls of each page, only when
 * every page has bounds or nulls only) and OffsetIndex (place and first row of each page). */
#include "format/parquet/thrift_int.h"
#include "format/parquet/writer_int.h"

enum { ORDER_NONE, ORDER_ASCENDING, ORDER_DESCENDING };

struct str bound_bytes(const struct value *value, enum type type, char room[8])
{
    if (type_is_bytes(type))
        return value->bytes;
    int32_t days = (int32_t)value->int64;
    switch (type) {
    case TYPE_BOOL:
        room[0] = (char)value->boolean;
        return str_make(room, 1);
    case TYPE_DATE:
        memcpy(room, &days, sizeof days);
        return str_make(room, sizeof days);
    case TYPE_DOUBLE:
        memcpy(room, &value->real, sizeof value->real);
        return str_make(room, 8);
    default:
        memcpy(room, &value->int64, sizeof value->int64);
        return str_make(room, 8);
    }
}

static bool is_null_page(const struct pq_page *page)
{
    return page->nulls == page->rows;
}

static bool has_all_bounds(const struct chunk_builder *chunk)
{
    for (uint32_t i = 0; i < chunk->pages_len; i++)
        if (!is_null_page(&chunk->pages[i]) && !chunk->pages[i].bounds.present)
            return false;
    return true;
}

static int boundary_order(const struct chunk_builder *chunk)
{
    const struct pq_bounds *last = NULL;
    bool up = true, down = true;
    for (uint32_t i = 0; i < chunk->pages_len; i++) {
        if (is_null_page(&chunk->pages[i]))
            continue;
        const struct pq_bounds *next = &chunk->pages[i].bounds;
        if (last) {
            int min = value_compare(&last->min, &next->min);
            int max = value_compare(&last->max, &next->max);
            up = up && min <= 0 && max <= 0;
            down = down && min >= 0 && max >= 0;
        }
        last = next;
    }
    return up ? ORDER_ASCENDING : down ? ORDER_DESCENDING : ORDER_NONE;
}

static void bounds_list(struct thrift_writer *w, int32_t id, const struct chunk_builder *chunk,
                        bool max)
{
    thrift_list(w, id, THRIFT_BINARY, chunk->pages_len);
    for (uint32_t i = 0; i < chunk->pages_len; i++) {
        const struct pq_page *page = &chunk->pages[i];
        char room[8];
        struct str bytes = STR("");
        if (!is_null_page(page))
            bytes = bound_bytes(max ? &page->bounds.max : &page->bounds.min, chunk->type, room);
        thrift_list_binary(w, bytes);
    }
}

static void column_index(struct buf *out, const struct chunk_builder *chunk)
{
    struct thrift_writer w;
    thrift_writer_init(&w, out);
    thrift_begin(&w);
    thrift_list(&w, 1, THRIFT_TRUE, chunk->pages_len);
    for (uint32_t i = 0; i < chunk->pages_len; i++)
        thrift_list_bool(&w, is_null_page(&chunk->pages[i]));
    bounds_list(&w, 2, chunk, false);
    bounds_list(&w, 3, chunk, true);
    thrift_i32(&w, 4, boundary_order(chunk));
    thrift_list(&w, 5, THRIFT_I64, chunk->pages_len);
    for (uint32_t i = 0; i < chunk->pages_len; i++)
        thrift_list_int(&w, chunk->pages[i].nulls);
    thrift_end(&w);
}

static void offset_index(struct buf *out, const struct chunk_builder *chunk)
{
    struct thrift_writer w;
    thrift_writer_init(&w, out);
    thrift_begin(&w);
    thrift_list(&w, 1, THRIFT_STRUCT, chunk->pages_len);
    int64_t row = 0;
    for (uint32_t i = 0; i < chunk->pages_len; i++) {
        const struct pq_page *page = &chunk->pages[i];
        thrift_begin(&w);
        thrift_i64(&w, 1, (int64_t)page->offset);
        thrift_i32(&w, 2, (int32_t)page->size);
        thrift_i64(&w, 3, row);
        thrift_end(&w);
        row += page->rows;
    }
    thrift_end(&w);
}

void index_write(struct parquet_writer *writer, const struct chunk_builder *chunk,
                 struct chunk_record *record)
{
    record->column_index_at = writer->column_indexes.len;
    if (has_all_bounds(chunk))
        column_index(&writer->column_indexes, chunk);
    record->column_index_len = (uint32_t)(writer->column_indexes.len - record->column_index_at);
    record->offset_index_at = writer->offset_indexes.len;
    offset_index(&writer->offset_indexes, chunk);
    record->offset_index_len = (uint32_t)(writer->offset_indexes.len - record->offset_index_at);
}

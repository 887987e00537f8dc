/* page_header_write.c: see page_header_int.h. */
#include "format/parquet/page_header_int.h"
#include "format/parquet/thrift_int.h"

static void data_header(struct thrift_writer *w, const struct pq_header *header)
{
    thrift_begin_field(w, 5);
    thrift_i32(w, 1, (int32_t)header->values);
    thrift_i32(w, 2, header->encoding);
    thrift_i32(w, 3, PQ_RLE);
    thrift_i32(w, 4, PQ_RLE);
    thrift_end(w);
}

static void data_header_v2(struct thrift_writer *w, const struct pq_header *header)
{
    thrift_begin_field(w, 8);
    thrift_i32(w, 1, (int32_t)header->values);
    thrift_i32(w, 2, (int32_t)header->nulls);
    thrift_i32(w, 3, (int32_t)header->rows);
    thrift_i32(w, 4, header->encoding);
    thrift_i32(w, 5, (int32_t)header->definition_len);
    thrift_i32(w, 6, (int32_t)header->repetition_len);
    thrift_bool(w, 7, header->is_compressed);
    thrift_end(w);
}

static void dictionary_header(struct thrift_writer *w, const struct pq_header *header)
{
    thrift_begin_field(w, 7);
    thrift_i32(w, 1, (int32_t)header->values);
    thrift_i32(w, 2, PQ_PLAIN);
    thrift_end(w);
}

void pq_header_write(struct buf *out, const struct pq_header *header)
{
    struct thrift_writer w;
    thrift_writer_init(&w, out);
    thrift_begin(&w);
    thrift_i32(&w, 1, (int32_t)header->type);
    thrift_i32(&w, 2, (int32_t)header->uncompressed);
    thrift_i32(&w, 3, (int32_t)header->compressed);
    thrift_i32(&w, 4, (int32_t)header->crc);
    if (header->type == PQ_DATA_PAGE)
        data_header(&w, header);
    else if (header->type == PQ_DATA_PAGE_V2)
        data_header_v2(&w, header);
    else
        dictionary_header(&w, header);
    thrift_end(&w);
}

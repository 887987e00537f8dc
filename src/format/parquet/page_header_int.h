/* page_header_int.h: PageHeader of parquet.thrift. The writer has one form for each header; the
 * reader of Quarry's own files compares each header with that form, byte for byte, as no checksum
 * covers it. */
#ifndef QUARRY_FORMAT_PARQUET_PAGE_HEADER_INT_H
#define QUARRY_FORMAT_PARQUET_PAGE_HEADER_INT_H

#include "base/buf.h"
#include "format/parquet/spec_int.h"

struct pq_header {
    enum pq_page_type type;
    uint32_t header_len;
    uint32_t uncompressed;
    uint32_t compressed;
    bool has_crc;
    uint32_t crc;
    uint32_t values; /* nulls included; entries of a dictionary */
    int32_t encoding;
    int32_t level_encoding; /* of definition levels */
    int32_t repetition_encoding;
    uint32_t nulls, rows; /* V2 */
    uint32_t definition_len, repetition_len;
    bool is_compressed;
};

/* Appends the header of a dictionary or data page as the writer writes it. */
void pq_header_write(struct buf *out, const struct pq_header *header);

#endif

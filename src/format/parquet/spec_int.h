/* spec_int.h: the numbers of parquet.thrift that both directions use, and the layout of Quarry's
 * own footer checksum.
 *
 * File: "PAR1", row groups (each: its columns' chunks; each chunk: dictionary page, data pages),
 * column indexes, offset indexes, footer (FileMetaData), its length (u32), "PAR1".
 *
 * Own checksum: the format protects pages by CRC-32, but neither footer nor indexes nor page
 * headers. Quarry's files carry the key PQ_CHECKSUM_KEY with "<index start, 16 hex>:<crc, 8 hex>":
 * CRC-32 of all bytes from the start of the column indexes to the end of the footer, with those 8
 * hex digits taken as '0'. Page headers hold nothing that footer, indexes or page CRC do not fix as
 * well, and the reader of such a file checks each of them. */
#ifndef QUARRY_FORMAT_PARQUET_SPEC_INT_H
#define QUARRY_FORMAT_PARQUET_SPEC_INT_H

#include <stddef.h>
#include <stdint.h>

enum pq_type {
    PQ_BOOLEAN,
    PQ_INT32,
    PQ_INT64,
    PQ_INT96,
    PQ_FLOAT,
    PQ_DOUBLE,
    PQ_BYTE_ARRAY,
    PQ_FIXED_LEN_BYTE_ARRAY,
    PQ_TYPE_COUNT
};

enum pq_encoding {
    PQ_PLAIN = 0,
    PQ_PLAIN_DICTIONARY = 2,
    PQ_RLE = 3,
    PQ_BIT_PACKED = 4,
    PQ_DELTA_BINARY_PACKED = 5,
    PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
    PQ_DELTA_BYTE_ARRAY = 7,
    PQ_RLE_DICTIONARY = 8,
    PQ_BYTE_STREAM_SPLIT = 9,
};

enum pq_codec {
    PQ_CODEC_NONE = 0,
    PQ_CODEC_SNAPPY = 1,
    PQ_CODEC_GZIP = 2,
    PQ_CODEC_LZO = 3,
    PQ_CODEC_BROTLI = 4,
    PQ_CODEC_LZ4_HADOOP = 5,
    PQ_CODEC_ZSTD = 6,
    PQ_CODEC_LZ4_RAW = 7,
};

enum pq_repetition { PQ_REQUIRED, PQ_OPTIONAL, PQ_REPEATED };

enum pq_converted {
    PQ_CONV_UTF8 = 0,
    PQ_CONV_MAP = 1,
    PQ_CONV_MAP_KEY_VALUE = 2,
    PQ_CONV_LIST = 3,
    PQ_CONV_ENUM = 4,
    PQ_CONV_DECIMAL = 5,
    PQ_CONV_DATE = 6,
    PQ_CONV_TIME_MILLIS = 7,
    PQ_CONV_TIME_MICROS = 8,
    PQ_CONV_TIMESTAMP_MILLIS = 9,
    PQ_CONV_TIMESTAMP_MICROS = 10,
    PQ_CONV_UINT_8 = 11,
    PQ_CONV_UINT_32 = 13,
    PQ_CONV_UINT_64 = 14,
    PQ_CONV_INT_8 = 15,
    PQ_CONV_INT_64 = 18,
    PQ_CONV_JSON = 19,
    PQ_CONV_BSON = 20,
    PQ_CONV_INTERVAL = 21,
};

/* Field ids of the union LogicalType. */
enum pq_logical {
    PQ_LOGICAL_NONE = 0,
    PQ_LOGICAL_STRING = 1,
    PQ_LOGICAL_MAP = 2,
    PQ_LOGICAL_LIST = 3,
    PQ_LOGICAL_ENUM = 4,
    PQ_LOGICAL_DECIMAL = 5,
    PQ_LOGICAL_DATE = 6,
    PQ_LOGICAL_TIME = 7,
    PQ_LOGICAL_TIMESTAMP = 8,
    PQ_LOGICAL_INTEGER = 10,
    PQ_LOGICAL_UNKNOWN = 11,
    PQ_LOGICAL_JSON = 12,
    PQ_LOGICAL_BSON = 13,
    PQ_LOGICAL_UUID = 14,
    PQ_LOGICAL_FLOAT16 = 15,
    PQ_LOGICAL_VARIANT = 16,
    PQ_LOGICAL_GEOMETRY = 17,
    PQ_LOGICAL_GEOGRAPHY = 18,
};

enum pq_time_unit { PQ_UNIT_NONE, PQ_MILLIS, PQ_MICROS, PQ_NANOS };

enum pq_page_type { PQ_DATA_PAGE, PQ_INDEX_PAGE, PQ_DICTIONARY_PAGE, PQ_DATA_PAGE_V2 };

#define PQ_MAGIC        "PAR1"
#define PQ_CHECKSUM_KEY "quarry.checksum"
#define PQ_BLOOMS_KEY   "quarry.blooms" /* see bloom_int.h */

enum {
    PQ_MAGIC_LEN = 4,
    PQ_TAIL_LEN = 8,      /* footer length, magic */
    PQ_CHECKSUM_LEN = 25, /* 16 hex ':' 8 hex */
    PQ_CHECKSUM_CRC_AT = 17,
};

/* CRC-32 (the one of gzip), as page headers hold it. */
uint32_t pq_crc32(uint32_t start, const void *data, size_t len);
/* The CRC of PQ_CHECKSUM_KEY: bytes from `index_start` on, `crc_at` is where the 8 digits are. */
uint32_t pq_checksum(const uint8_t *bytes, size_t len, size_t crc_at);

#endif

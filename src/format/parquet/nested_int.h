/* nested_int.h: a nested column's leaves as streams of entries, and where reading stands.
 *
 * An entry is one pair of levels, with a value when the definition level is the leaf's highest.
 * Source: the format's "Nested Encoding", after Melnik et al., "Dremel: Interactive Analysis of
 * Web-Scale Datasets" (2010). nested_pages.c gives the entries, nested_read.c assembles rows. */
#ifndef QUARRY_FORMAT_PARQUET_NESTED_INT_H
#define QUARRY_FORMAT_PARQUET_NESTED_INT_H

#include "base/json.h"
#include "format/parquet/reader_int.h"

struct pq_stream {
    const struct pq_leaf *leaf;
    struct pq_place at;
    uint64_t offset; /* of the next page */
    uint64_t left;   /* entries behind the loaded page */
    uint8_t *levels; /* rep of all entries of the page, then def of all */
    uint32_t len, next;
    struct column values;    /* of the page, */
    struct pq_scratch codes; /* or codes of the dictionary */
    uint32_t values_len, value;
    const struct pq_cached *dictionary; /* pinned */
    bool by_codes;
    size_t bytes; /* held by the page */
};

struct pq_nested {
    uint32_t group;
    uint64_t row; /* next one of the group */
    bool valid;   /* the streams stand at `row` */
    size_t bytes; /* of all streams */
    struct buf text;
    uint32_t streams_len;
    struct pq_stream streams[]; /* one a leaf */
};

/* From the start of a group's chunk. */
enum status pq_stream_open(struct parquet_reader *reader, struct pq_nested *nested, uint32_t group,
                           uint32_t leaf, struct pq_stream *stream, struct error *err);
void pq_stream_close(struct pq_stream *stream);
/* Makes the next entry current. *ret_end: the chunk has no more. */
enum status pq_stream_peek(struct parquet_reader *reader, struct pq_nested *nested,
                           struct pq_stream *stream, bool *ret_end, struct error *err);

/* Of the current entry; valid after a peek that was not at the end. */
static inline uint8_t pq_stream_rep(const struct pq_stream *stream)
{
    return stream->levels[stream->next];
}

static inline uint8_t pq_stream_def(const struct pq_stream *stream)
{
    return stream->levels[(size_t)stream->len + stream->next];
}

static inline void pq_stream_pass(struct pq_stream *stream)
{
    stream->value += pq_stream_def(stream) == stream->leaf->max_def;
    stream->next++;
}

/* The current entry's value: a row of *ret. */
static inline uint32_t pq_stream_value(const struct pq_stream *stream, const struct column **ret)
{
    *ret = stream->by_codes ? &stream->dictionary->column : &stream->values;
    return stream->by_codes ? ((const uint32_t *)(const void *)stream->codes.data)[stream->value]
                            : stream->value;
}

#endif

/* codec.h: block compression and streaming decompression, with exact bounds.
 *
 * Blocks: the caller knows the size of the plain bytes; decompression writes exactly that many
 * bytes or fails, never more. Streams: for HTTP Content-Encoding; the size is unknown, a limit on
 * the total output is given.
 *
 * Libraries: snappy, zstd, lz4, ISA-L (gzip compression) and zlib (gzip decompression).
 * Threads: a context or stream is used by one thread at a time. */
#ifndef QUARRY_FORMAT_CODEC_H
#define QUARRY_FORMAT_CODEC_H

#include "base/status.h"
#include "base/str.h"

enum codec {
    CODEC_NONE,
    CODEC_SNAPPY,
    CODEC_GZIP, /* one or more gzip members; level 1 when writing */
    CODEC_ZSTD, /* level 1 when writing */
    CODEC_LZ4,  /* one raw LZ4 block, no frame */
    CODEC_COUNT
};

const char *codec_name(enum codec codec);

enum {
    /* One block, compressed or plain: below what every library's int lengths can hold. */
    CODEC_BLOCK_MAX = 1 << 30,
    /* zstd streams that need a larger window are refused (RFC 8878 recommends 8 MiB). */
    CODEC_STREAM_WINDOW_LOG = 23,
};

/* Reusable working memory; made on first use. */
struct codec_context {
    void *zstd_compress;
    void *zstd_decompress;
    void *gzip_compress;
};
void codec_context_init(struct codec_context *context);
void codec_context_release(struct codec_context *context);

/* Room that compressing `len` bytes may need; 0 when len is beyond CODEC_BLOCK_MAX. */
size_t codec_bound(enum codec codec, size_t len);
/* `out` has room for codec_bound() bytes. */
enum status codec_compress(struct codec_context *context, enum codec codec, struct slice in,
                           void *out, size_t out_cap, size_t *ret_len, struct error *err);
/* Fills exactly `out_len` bytes; STATUS_CORRUPT when `in` holds fewer or more or is damaged. */
enum status codec_decompress(struct codec_context *context, enum codec codec, struct slice in,
                             void *out, size_t out_len, struct error *err);
/* The most bytes that `in_len` compressed bytes can become (SIZE_MAX: no bound known): lets a
 * reader refuse a false size before it allocates. */
size_t codec_expansion_max(enum codec codec, size_t in_len);

/* --- streaming decompression: gzip and zstd --- */

struct codec_stream {
    enum codec codec;
    void *state;
    uint64_t total_out;
    uint64_t total_max;
    bool between; /* at the end of a member or frame (the end may come here) */
    bool started; /* a byte has been seen */
    bool failed;
};

/* CODEC_GZIP or CODEC_ZSTD; `total_max` bounds the sum of all output. */
enum status codec_stream_init(struct codec_stream *stream, enum codec codec, uint64_t total_max,
                              struct error *err);
void codec_stream_release(struct codec_stream *stream);
/* Takes from the front of *in (which is moved on) and writes at most out_cap bytes to `out`. Call
 * until *in is empty AND *ret_len < out_cap. STATUS_CORRUPT for garbage, STATUS_TOO_LARGE past
 * total_max; after a failure the stream can only be released. */
enum status codec_stream_feed(struct codec_stream *stream, struct slice *in, void *out,
                              size_t out_cap, size_t *ret_len, struct error *err);
/* To be called at the end of the input: STATUS_CORRUPT when it was cut off (or empty). */
enum status codec_stream_finish(const struct codec_stream *stream, struct error *err);

#endif

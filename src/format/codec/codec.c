/* codec.c: block compression. One switch a direction; each branch is the library's one-shot call
 * plus the check that it used all input and filled all output.
 *
 * Invariant: a failing or lying library can never make us write past out_cap/out_len: each call is
 * given that very bound. */
#include "format/codec/codec.h"

#include <isa-l/igzip_lib.h>
#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 1, GZIP_LEVEL = 1 };

const char *codec_name(enum codec codec)
{
    static const char *const names[CODEC_COUNT] = {"none", "snappy", "gzip", "zstd", "lz4_raw"};
    return (unsigned)codec < CODEC_COUNT ? names[codec] : "unknown";
}

void codec_context_init(struct codec_context *context)
{
    *context = (struct codec_context){0};
}

struct gzip_compressor {
    struct isal_zstream stream;
    uint8_t level_buffer[ISAL_DEF_LVL1_DEFAULT];
};

void codec_context_release(struct codec_context *context)
{
    ZSTD_freeCCtx(context->zstd_compress);
    ZSTD_freeDCtx(context->zstd_decompress);
    free(context->gzip_compress);
    codec_context_init(context);
}

size_t codec_bound(enum codec codec, size_t len)
{
    if (len > CODEC_BLOCK_MAX)
        return 0;
    switch (codec) {
    case CODEC_SNAPPY:
        return snappy_max_compressed_length(len);
    case CODEC_GZIP: /* stored blocks: 5 bytes each 64 KiB (ISA-L may cut smaller), frame 18 */
        return len + len / 1024 + 1024;
    case CODEC_ZSTD:
        return ZSTD_compressBound(len);
    case CODEC_LZ4:
        return (size_t)LZ4_compressBound((int)len);
    default:
        return len;
    }
}

static enum status compress_failed(enum codec codec, struct error *err)
{
    return error_set(err, STATUS_INTERNAL, "%s could not compress a block", codec_name(codec));
}

static enum status compress_zstd(struct codec_context *context, struct slice in, void *out,
                                 size_t cap, size_t *ret_len, struct error *err)
{
    if (!context->zstd_compress)
        context->zstd_compress = ZSTD_createCCtx();
    if (!context->zstd_compress)
        return error_no_memory(err);
    size_t n = ZSTD_compressCCtx(context->zstd_compress, out, cap, in.data, in.len, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return compress_failed(CODEC_ZSTD, err);
    *ret_len = n;
    return STATUS_OK;
}

static enum status compress_gzip(struct codec_context *context, struct slice in, void *out,
                                 size_t cap, size_t *ret_len, struct error *err)
{
    if (!context->gzip_compress)
        context->gzip_compress = malloc(sizeof(struct gzip_compressor));
    if (!context->gzip_compress)
        return error_no_memory(err);
    struct gzip_compressor *gzip = context->gzip_compress;
    isal_deflate_stateless_init(&gzip->stream);
    gzip->stream.level = GZIP_LEVEL;
    gzip->stream.level_buf = gzip->level_buffer;
    gzip->stream.level_buf_size = sizeof gzip->level_buffer;
    gzip->stream.gzip_flag = IGZIP_GZIP;
    gzip->stream.end_of_stream = 1;
    gzip->stream.next_in = (uint8_t *)in.data;
    gzip->stream.avail_in = (uint32_t)in.len;
    gzip->stream.next_out = out;
    gzip->stream.avail_out = (uint32_t)cap;
    if (isal_deflate_stateless(&gzip->stream) != COMP_OK || gzip->stream.avail_in)
        return compress_failed(CODEC_GZIP, err);
    *ret_len = cap - gzip->stream.avail_out;
    return STATUS_OK;
}

enum status codec_compress(struct codec_context *context, enum codec codec, struct slice in,
                           void *out, size_t out_cap, size_t *ret_len, struct error *err)
{
    size_t bound = codec_bound(codec, in.len);
    if (in.len > CODEC_BLOCK_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a block of %zu bytes is over the limit of %d",
                         in.len, CODEC_BLOCK_MAX);
    if (out_cap < bound)
        return compress_failed(codec, err);
    size_t n = out_cap;
    switch (codec) {
    case CODEC_NONE:
        if (in.len)
            memcpy(out, in.data, in.len);
        *ret_len = in.len;
        return STATUS_OK;
    case CODEC_SNAPPY:
        if (snappy_compress(in.len ? in.data : "", in.len, out, &n) != SNAPPY_OK)
            return compress_failed(codec, err);
        *ret_len = n;
        return STATUS_OK;
    case CODEC_GZIP:
        return compress_gzip(context, in, out, bound, ret_len, err);
    case CODEC_ZSTD:
        return compress_zstd(context, in, out, out_cap, ret_len, err);
    case CODEC_LZ4: {
        int len = LZ4_compress_default(in.len ? in.data : "", out, (int)in.len, (int)bound);
        if (len <= 0)
            return compress_failed(codec, err);
        *ret_len = (size_t)len;
        return STATUS_OK;
    }
    default:
        return compress_failed(codec, err);
    }
}

size_t codec_expansion_max(enum codec codec, size_t in_len)
{
    if (in_len > CODEC_BLOCK_MAX)
        return 0;
    switch (codec) {
    case CODEC_NONE:
        return in_len;
    case CODEC_SNAPPY: /* a copy of 64 bytes takes 3, one of 11 takes 2 */
        return in_len * 22 + 64;
    case CODEC_LZ4: /* a length byte stands for at most 255 */
        return in_len * 255 + 64;
    case CODEC_GZIP: /* 258 bytes from 2 bits */
        return in_len * 1032 + 64;
    default:
        return SIZE_MAX;
    }
}

static enum status damaged(enum codec codec, struct error *err)
{
    return error_set(err, STATUS_CORRUPT, "a %s block is damaged or not of its announced size",
                     codec_name(codec));
}

/* All members of a gzip block, one after the other. */
static enum status decompress_gzip(struct slice in, void *out, size_t out_len, struct error *err)
{
    z_stream z = {.next_in = (Bytef *)in.data,
                  .avail_in = (uInt)in.len,
                  .next_out = out,
                  .avail_out = (uInt)out_len};
    unsigned char spare; /* zlib wants a place to write even when nothing is left */
    if (out_len == 0)
        z.next_out = &spare;
    if (inflateInit2(&z, 15 + 32) != Z_OK) /* + 32: gzip or zlib header */
        return error_no_memory(err);
    int code;
    for (;;) {
        code = inflate(&z, Z_FINISH);
        if (code != Z_STREAM_END || z.avail_in == 0)
            break;
        if (inflateReset(&z) != Z_OK)
            break;
    }
    bool good = code == Z_STREAM_END && z.avail_in == 0 && z.avail_out == 0;
    (void)inflateEnd(&z); /* only reports misuse */
    return good ? STATUS_OK : damaged(CODEC_GZIP, err);
}

static enum status decompress_zstd(struct codec_context *context, struct slice in, void *out,
                                   size_t out_len, struct error *err)
{
    if (!context->zstd_decompress)
        context->zstd_decompress = ZSTD_createDCtx();
    if (!context->zstd_decompress)
        return error_no_memory(err);
    size_t n = ZSTD_decompressDCtx(context->zstd_decompress, out, out_len, in.data, in.len);
    return n == out_len ? STATUS_OK : damaged(CODEC_ZSTD, err);
}

enum status codec_decompress(struct codec_context *context, enum codec codec, struct slice in,
                             void *out, size_t out_len, struct error *err)
{
    if (in.len > CODEC_BLOCK_MAX || out_len > CODEC_BLOCK_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a block is over the limit of %d bytes",
                         CODEC_BLOCK_MAX);
    if (in.len == 0 && codec != CODEC_NONE)
        return damaged(codec, err);
    switch (codec) {
    case CODEC_NONE:
        if (in.len != out_len)
            return damaged(codec, err);
        if (in.len)
            memcpy(out, in.data, in.len);
        return STATUS_OK;
    case CODEC_SNAPPY: {
        size_t len = 0;
        if (snappy_uncompressed_length(in.data, in.len, &len) != SNAPPY_OK || len != out_len ||
            snappy_uncompress(in.data, in.len, out, &len) != SNAPPY_OK || len != out_len)
            return damaged(codec, err);
        return STATUS_OK;
    }
    case CODEC_GZIP:
        return decompress_gzip(in, out, out_len, err);
    case CODEC_ZSTD:
        return decompress_zstd(context, in, out, out_len, err);
    case CODEC_LZ4:
        if (LZ4_decompress_safe(in.data, out, (int)in.len, (int)out_len) != (int)out_len)
            return damaged(codec, err);
        return STATUS_OK;
    default:
        return error_set(err, STATUS_NOT_IMPLEMENTED, "unknown codec %d", (int)codec);
    }
}

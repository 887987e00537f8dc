/* codec_stream.c: decompression of a body that arrives in pieces (Content-Encoding gzip, zstd).
 *
 * Several gzip members or zstd frames in a row are one body. Anything that is neither, a cut end
 * and output past the limit are errors. Nothing is buffered here beyond the library's window (zstd:
 * at most 2^CODEC_STREAM_WINDOW_LOG bytes). */
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "format/codec/codec.h"

static enum status init_gzip(struct codec_stream *stream, struct error *err)
{
    z_stream *z = calloc(1, sizeof *z);
    if (!z || inflateInit2(z, 15 + 16) != Z_OK) {
        free(z);
        return error_no_memory(err);
    }
    stream->state = z;
    return STATUS_OK;
}

static enum status init_zstd(struct codec_stream *stream, struct error *err)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax,
                                                        CODEC_STREAM_WINDOW_LOG))) {
        ZSTD_freeDCtx(context);
        return error_no_memory(err);
    }
    stream->state = context;
    return STATUS_OK;
}

enum status codec_stream_init(struct codec_stream *stream, enum codec codec, uint64_t total_max,
                              struct error *err)
{
    *stream = (struct codec_stream){.codec = codec, .total_max = total_max};
    if (codec == CODEC_GZIP)
        return init_gzip(stream, err);
    if (codec == CODEC_ZSTD)
        return init_zstd(stream, err);
    return error_set(err, STATUS_UNSUPPORTED_MEDIA, "no stream of codec %s", codec_name(codec));
}

void codec_stream_release(struct codec_stream *stream)
{
    if (stream->state && stream->codec == CODEC_GZIP) {
        (void)inflateEnd(stream->state); /* only reports misuse */
        free(stream->state);
    } else if (stream->state) {
        ZSTD_freeDCtx(stream->state);
    }
    stream->state = NULL;
}

static enum status garbage(struct codec_stream *stream, struct error *err)
{
    return error_set(err, STATUS_CORRUPT, "the body is not valid %s", codec_name(stream->codec));
}

static enum status feed_gzip(struct codec_stream *stream, struct slice *in, void *out, size_t cap,
                             size_t *ret_len, struct error *err)
{
    z_stream *z = stream->state;
    uInt in_len = in->len > CODEC_BLOCK_MAX ? (uInt)CODEC_BLOCK_MAX : (uInt)in->len;
    uInt out_len = cap > CODEC_BLOCK_MAX ? (uInt)CODEC_BLOCK_MAX : (uInt)cap;
    z->next_in = (Bytef *)in->data;
    z->avail_in = in_len;
    z->next_out = out;
    z->avail_out = out_len;
    while (z->avail_out && (z->avail_in || !stream->between)) {
        if (stream->between && inflateReset(z) != Z_OK)
            return garbage(stream, err);
        stream->between = false;
        int code = inflate(z, Z_NO_FLUSH);
        if (code == Z_STREAM_END)
            stream->between = true;
        else if (code == Z_BUF_ERROR)
            break; /* wants more input or more room */
        else if (code == Z_MEM_ERROR)
            return error_no_memory(err);
        else if (code != Z_OK)
            return garbage(stream, err);
    }
    in->data = z->next_in;
    in->len -= in_len - z->avail_in;
    *ret_len = out_len - z->avail_out;
    return STATUS_OK;
}

static enum status feed_zstd(struct codec_stream *stream, struct slice *in, void *out, size_t cap,
                             size_t *ret_len, struct error *err)
{
    ZSTD_inBuffer from = {in->data, in->len, 0};
    ZSTD_outBuffer to = {out, cap, 0};
    while (to.pos < to.size && (from.pos < from.size || !stream->between)) {
        size_t before_in = from.pos, before_out = to.pos;
        size_t hint = ZSTD_decompressStream(stream->state, &to, &from);
        if (ZSTD_isError(hint))
            return garbage(stream, err);
        stream->between = hint == 0;
        if (from.pos == before_in && to.pos == before_out)
            break; /* wants more input */
    }
    in->data = (const char *)in->data + from.pos;
    in->len -= from.pos;
    *ret_len = to.pos;
    return STATUS_OK;
}

enum status codec_stream_feed(struct codec_stream *stream, struct slice *in, void *out,
                              size_t out_cap, size_t *ret_len, struct error *err)
{
    *ret_len = 0;
    if (stream->failed)
        return garbage(stream, err);
    if (in->len == 0 && (!stream->started || stream->between))
        return STATUS_OK;
    stream->started = true;
    enum status status = stream->codec == CODEC_GZIP
                             ? feed_gzip(stream, in, out, out_cap, ret_len, err)
                             : feed_zstd(stream, in, out, out_cap, ret_len, err);
    if (status == STATUS_OK && *ret_len > stream->total_max - stream->total_out)
        status = error_set(err, STATUS_TOO_LARGE, "the decompressed body is over %llu bytes",
                           (unsigned long long)stream->total_max);
    stream->failed = status != STATUS_OK;
    stream->total_out += *ret_len;
    return status;
}

enum status codec_stream_finish(const struct codec_stream *stream, struct error *err)
{
    if (stream->failed || !stream->started || !stream->between)
        return error_set(err, STATUS_CORRUPT, "the %s body ends too early",
                         codec_name(stream->codec));
    return STATUS_OK;
}

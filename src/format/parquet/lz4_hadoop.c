/* lz4_hadoop.c: Parquet's deprecated codec LZ4. Hadoop's frames: u32 big-endian plain length of a
 * block, then u32 big-endian compressed length and a raw LZ4 block, until the plain length is
 * reached; again until the end. Some writers stored one raw block without any frame: that is taken
 * when the frames do not add up (as the specification advises). */
#include "format/parquet/reader_int.h"

struct frames {
    const uint8_t *p;
    size_t left;
};

static bool take_u32(struct frames *f, uint32_t *ret)
{
    if (f->left < 4)
        return false;
    *ret = (uint32_t)f->p[0] << 24 | (uint32_t)f->p[1] << 16 | (uint32_t)f->p[2] << 8 | f->p[3];
    f->p += 4;
    f->left -= 4;
    return true;
}

/* One outer frame holds one inner block, as every known writer of Parquet makes it. */
static bool read_frames(struct codec_context *context, struct frames f, uint8_t *out, size_t len)
{
    size_t done = 0;
    while (f.left) {
        uint32_t plain, packed;
        if (!take_u32(&f, &plain) || !take_u32(&f, &packed) || packed > f.left ||
            plain > len - done)
            return false;
        struct slice block = {f.p, packed};
        if (codec_decompress(context, CODEC_LZ4, block, out + done, plain, NULL) != STATUS_OK)
            return false;
        f.p += packed;
        f.left -= packed;
        done += plain;
    }
    return done == len;
}

enum status pq_lz4_hadoop(struct codec_context *context, struct slice in, uint8_t *out,
                          size_t out_len, struct error *err)
{
    if (read_frames(context, (struct frames){in.data, in.len}, out, out_len))
        return STATUS_OK;
    return codec_decompress(context, CODEC_LZ4, in, out, out_len, err);
}

/* codec_test.c: blocks and streams of every codec: what goes in comes out, exactly as long; damage,
 * wrong sizes, cut and overlong streams are errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/codec/codec.h"

static void fill(char *text, size_t len)
{
    uint32_t x = 12345;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = (char)('a' + (x >> 24) % 7);
    }
}

static void *pack(enum codec codec, const char *text, size_t len, size_t *ret_len)
{
    struct codec_context context;
    codec_context_init(&context);
    size_t bound = codec_bound(codec, len);
    char *out = malloc(bound + 1);
    assert_non_null(out);
    assert_int_equal(
        codec_compress(&context, codec, (struct slice){text, len}, out, bound, ret_len, NULL),
        STATUS_OK);
    assert_true(*ret_len <= bound);
    codec_context_release(&context);
    return out;
}

static enum status unpack(enum codec codec, const void *in, size_t in_len, char *out, size_t len)
{
    struct codec_context context;
    codec_context_init(&context);
    enum status status =
        codec_decompress(&context, codec, (struct slice){in, in_len}, out, len, NULL);
    codec_context_release(&context);
    return status;
}

static void test_blocks(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 100, 4096, 65536, 300001};
    for (enum codec codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t len = sizes[i], packed_len;
            char *text = malloc(len + 1), *back = malloc(len + 2);
            fill(text, len);
            char *packed = pack(codec, text, len, &packed_len);
            assert_true(len <= codec_expansion_max(codec, packed_len));
            assert_int_equal(unpack(codec, packed, packed_len, back, len), STATUS_OK);
            assert_memory_equal(back, text, len);
            assert_int_equal(unpack(codec, packed, packed_len, back, len + 1), STATUS_CORRUPT);
            if (len) {
                assert_int_equal(unpack(codec, packed, packed_len, back, len - 1), STATUS_CORRUPT);
                assert_int_equal(unpack(codec, packed, packed_len - 1, back, len), STATUS_CORRUPT);
            }
            free(packed);
            free(text);
            free(back);
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    char c;
    assert_int_equal(codec_bound(CODEC_ZSTD, (size_t)CODEC_BLOCK_MAX + 1), 0);
    assert_int_equal(unpack(CODEC_SNAPPY, "x", 1, &c, (size_t)CODEC_BLOCK_MAX + 1),
                     STATUS_RESOURCE_LIMIT);
    assert_int_equal(unpack(CODEC_GZIP, "", 0, &c, 0), STATUS_CORRUPT);
    assert_int_equal(unpack(CODEC_COUNT, "x", 1, &c, 1), STATUS_NOT_IMPLEMENTED);
}

/* Feeds `step` bytes a time into an output of `room` bytes a time. */
static enum status stream_all(enum codec codec, const char *in, size_t in_len, size_t step,
                              size_t room, uint64_t max, char *out, size_t *ret_len)
{
    struct codec_stream stream;
    assert_int_equal(codec_stream_init(&stream, codec, max, NULL), STATUS_OK);
    enum status status = STATUS_OK;
    *ret_len = 0;
    for (size_t at = 0; at < in_len && status == STATUS_OK; at += step) {
        struct slice piece = {in + at, in_len - at < step ? in_len - at : step};
        size_t n;
        do {
            status = codec_stream_feed(&stream, &piece, out + *ret_len, room, &n, NULL);
            *ret_len += n;
        } while (status == STATUS_OK && (piece.len || n == room));
    }
    if (status == STATUS_OK)
        status = codec_stream_finish(&stream, NULL);
    codec_stream_release(&stream);
    return status;
}

static void test_streams(void **state)
{
    (void)state;
    enum { LEN = 50000 };
    static char text[LEN], out[2 * LEN + 4096];
    fill(text, LEN);
    static const enum codec codecs[] = {CODEC_GZIP, CODEC_ZSTD};
    static const size_t steps[] = {1, 13, 1000, 1 << 20};
    static const size_t rooms[] = {1, 100, 4096};
    for (size_t c = 0; c < 2; c++) {
        size_t packed_len, len;
        char *packed = pack(codecs[c], text, LEN, &packed_len);
        for (size_t s = 0; s < 4; s++) {
            for (size_t r = 0; r < 3; r++) {
                assert_int_equal(
                    stream_all(codecs[c], packed, packed_len, steps[s], rooms[r], LEN, out, &len),
                    STATUS_OK);
                assert_int_equal(len, LEN);
                assert_memory_equal(out, text, LEN);
            }
        }
        assert_int_equal(stream_all(codecs[c], packed, packed_len, 1000, 4096, LEN - 1, out, &len),
                         STATUS_TOO_LARGE);
        assert_int_equal(stream_all(codecs[c], packed, packed_len - 1, 1000, 4096, LEN, out, &len),
                         STATUS_CORRUPT);
        assert_int_equal(stream_all(codecs[c], "garbage!", 8, 3, 4096, LEN, out, &len),
                         STATUS_CORRUPT);
        assert_int_equal(stream_all(codecs[c], "", 0, 1, 1, LEN, out, &len), STATUS_CORRUPT);
        /* two members are one body; garbage behind the end is not */
        char *twice = malloc(2 * packed_len + 1);
        memcpy(twice, packed, packed_len);
        memcpy(twice + packed_len, packed, packed_len);
        assert_int_equal(stream_all(codecs[c], twice, 2 * packed_len, 77, 4096, 2 * LEN, out, &len),
                         STATUS_OK);
        assert_int_equal(len, 2 * LEN);
        twice[packed_len] = '!';
        assert_int_equal(stream_all(codecs[c], twice, packed_len + 8, 77, 4096, 2 * LEN, out, &len),
                         STATUS_CORRUPT);
        free(twice);
        free(packed);
    }
    struct codec_stream stream;
    assert_int_equal(codec_stream_init(&stream, CODEC_SNAPPY, 1, NULL), STATUS_UNSUPPORTED_MEDIA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}

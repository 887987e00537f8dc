/* avro_test.c: containers byte for byte, every kind of value there and back, damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/avro/avro.h"

static const unsigned char sync_marker[AVRO_SYNC_LEN] = "0123456789abcdef";

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"r\",\"fields\":["
    "{\"name\":\"a\",\"type\":\"long\",\"field-id\":1},"
    "{\"name\":\"b\",\"type\":[\"null\",\"string\"],\"default\":null,\"field-id\":2},"
    "{\"name\":\"c\",\"type\":\"boolean\"},"
    "{\"name\":\"d\",\"type\":\"double\",\"field-id\":4},"
    "{\"name\":\"e\",\"type\":\"float\",\"field-id\":5},"
    "{\"name\":\"f\",\"type\":{\"type\":\"array\",\"items\":\"int\"},\"field-id\":6},"
    "{\"name\":\"g\",\"type\":{\"type\":\"map\",\"values\":\"bytes\"},\"field-id\":7},"
    "{\"name\":\"h\",\"type\":{\"type\":\"fixed\",\"name\":\"four\",\"size\":4},\"field-id\":8},"
    "{\"name\":\"i\",\"type\":{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"X\",\"Y\"]},"
    "\"field-id\":9},"
    "{\"name\":\"j\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"},\"field-id\":10},"
    "{\"name\":\"next\",\"type\":[\"null\",\"r\"],\"field-id\":11}]}";

static void put_record(struct buf *out, int64_t n, int depth)
{
    avro_put_long(out, n);
    avro_put_present(out, n % 2);
    if (n % 2)
        avro_put_bytes(out, STR("text"));
    avro_put_bool(out, n % 3 == 0);
    avro_put_double(out, (double)n / 4);
    avro_put_float(out, 1.5f);
    avro_put_block(out, 2);
    avro_put_long(out, -1);
    avro_put_long(out, 7);
    avro_put_end(out);
    avro_put_block(out, 1);
    avro_put_bytes(out, STR("key"));
    avro_put_bytes(out, str_make("\0\xFF", 2));
    avro_put_end(out);
    avro_put_fixed(out, STR("abcd"));
    avro_put_long(out, 1);
    avro_put_long(out, 19000);
    avro_put_present(out, depth > 0);
    if (depth > 0)
        put_record(out, n + 1, depth - 1);
}

static void write_file(struct buf *out, enum avro_codec codec, int64_t count, int depth)
{
    struct avro_writer writer;
    struct avro_pair meta = {STR("who"), STR("quarry")};
    buf_init(out, 1 << 28);
    assert_int_equal(
        avro_writer_init(&writer, out, str_of(schema), &meta, 1, codec, sync_marker, NULL), 0);
    for (int64_t i = 0; i < count; i++) {
        put_record(avro_writer_record(&writer), i, depth);
        assert_int_equal(avro_writer_end_record(&writer, NULL), 0);
    }
    assert_int_equal(avro_writer_finish(&writer, NULL), 0);
    avro_writer_release(&writer);
}

static enum status read_all(struct slice bytes, int64_t *ret_count)
{
    struct avro_reader reader;
    struct arena arena;
    arena_init(&arena, 0);
    *ret_count = 0;
    enum status status = avro_reader_open(&reader, bytes, NULL);
    const struct avro_datum *record = NULL;
    while (status == STATUS_OK) {
        status = avro_reader_next(&reader, &arena, &record, NULL);
        if (!record)
            break;
        ++*ret_count;
        arena_release(&arena);
    }
    avro_reader_release(&reader);
    arena_release(&arena);
    return status;
}

static void check_record(const struct avro_datum *record, int64_t n)
{
    int64_t integer;
    struct str bytes;
    assert_true(avro_find_long(record, 1, "-", &integer));
    assert_int_equal(integer, n);
    assert_int_equal(avro_find_bytes(record, 2, "b", &bytes), n % 2);
    assert_null(avro_find(record, 3, "nothing"));
    assert_int_equal(avro_find(record, 3, "c")->boolean, n % 3 == 0); /* by name: it has no id */
    assert_null(avro_find(record, 99, "a"));                          /* has one: name ignored */
    assert_true(avro_find(record, 4, "d")->real == (double)n / 4);
    assert_true(avro_find(record, 5, "e")->real == 1.5);
    const struct avro_datum *list = avro_find(record, 6, "f");
    assert_int_equal(list->len, 2);
    assert_int_equal(list->first->integer, -1);
    assert_int_equal(list->first->next->integer, 7);
    const struct avro_datum *map = avro_find(record, 7, "g");
    assert_true(str_is(map->first->key, "key"));
    assert_int_equal(map->first->bytes.len, 2);
    assert_true(avro_find_bytes(record, 8, "h", &bytes) && str_is(bytes, "abcd"));
    assert_int_equal(avro_find(record, 9, "i")->integer, 1);
    assert_true(str_is(avro_find(record, 10, "j")->type->logical, "date"));
}

static void test_round_trip(void **state)
{
    (void)state;
    for (enum avro_codec codec = AVRO_PLAIN; codec <= AVRO_DEFLATE; codec++) {
        struct buf file;
        struct avro_reader reader;
        struct arena arena;
        struct str who;
        write_file(&file, codec, 3000, 1); /* several blocks */
        arena_init(&arena, 0);
        assert_int_equal(avro_reader_open(&reader, (struct slice){file.data, file.len}, NULL), 0);
        assert_true(avro_reader_meta(&reader, "who", &who) && str_is(who, "quarry"));
        assert_false(avro_reader_meta(&reader, "other", &who));
        const struct avro_datum *record;
        for (int64_t n = 0; n < 3000; n++) {
            assert_int_equal(avro_reader_next(&reader, &arena, &record, NULL), 0);
            assert_non_null(record);
            check_record(record, n);
            check_record(avro_find(record, 11, "next"), n + 1);
            arena_release(&arena);
        }
        assert_int_equal(avro_reader_next(&reader, &arena, &record, NULL), 0);
        assert_null(record);
        avro_reader_release(&reader);
        arena_release(&arena);
        buf_release(&file);
    }
}

static void test_exact_bytes(void **state)
{
    (void)state;
    static const char expected[] = "Obj\x01\x04\x16"
                                   "avro.schema\x0c\"long\"\x14"
                                   "avro.codec\x08null\x00"
                                   "0123456789abcdef\x04\x06\x01\xac\x02"
                                   "0123456789abcdef";
    struct avro_writer writer;
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(
        avro_writer_init(&writer, &out, STR("\"long\""), NULL, 0, AVRO_PLAIN, sync_marker, NULL),
        0);
    avro_put_long(avro_writer_record(&writer), -1);
    assert_int_equal(avro_writer_end_record(&writer, NULL), 0);
    avro_put_long(avro_writer_record(&writer), 150);
    assert_int_equal(avro_writer_end_record(&writer, NULL), 0);
    assert_int_equal(avro_writer_finish(&writer, NULL), 0);
    avro_writer_release(&writer);
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
    buf_release(&out);
}

/* Every truncation fails; a flipped byte may change a value, but must not break the reader. */
static void test_damage(void **state)
{
    (void)state;
    for (enum avro_codec codec = AVRO_PLAIN; codec <= AVRO_DEFLATE; codec++) {
        struct buf file;
        int64_t count;
        write_file(&file, codec, 5, 1);
        assert_int_equal(read_all((struct slice){file.data, file.len}, &count), STATUS_OK);
        assert_int_equal(count, 5);
        for (size_t len = 0; len < file.len; len++) {
            char *copy = malloc(len + 1);
            memcpy(copy, file.data, len);
            enum status status = read_all((struct slice){copy, len}, &count);
            free(copy);
            if (status == STATUS_OK) /* cut right behind the header: no blocks */
                assert_int_equal(count, 0);
            else
                assert_int_equal(status, STATUS_CORRUPT);
        }
        for (size_t at = 0; at < file.len; at++)
            for (int bit = 0; bit < 8; bit++) {
                file.data[at] ^= (char)(1 << bit);
                (void)read_all((struct slice){file.data, file.len}, &count);
                file.data[at] ^= (char)(1 << bit);
            }
        buf_release(&file);
    }
}

static enum status read_text(const char *schema_text, const char *codec, const char *block,
                             size_t block_len, int64_t records)
{
    struct buf file;
    int64_t count;
    buf_init(&file, 1 << 24);
    buf_append(&file, "Obj\1", 4);
    avro_put_block(&file, 2);
    avro_put_bytes(&file, STR("avro.schema"));
    avro_put_bytes(&file, str_of(schema_text));
    avro_put_bytes(&file, STR("avro.codec"));
    avro_put_bytes(&file, str_of(codec));
    avro_put_end(&file);
    buf_append(&file, sync_marker, AVRO_SYNC_LEN);
    avro_put_long(&file, records);
    avro_put_bytes(&file, str_make(block, block_len));
    buf_append(&file, sync_marker, AVRO_SYNC_LEN);
    enum status status = read_all((struct slice){file.data, file.len}, &count);
    buf_release(&file);
    return status;
}

static void test_hostile(void **state)
{
    (void)state;
    static const char list[] = "{\"type\":\"array\",\"items\":\"null\"}";
    char deep[64] = {0};
    assert_int_equal(read_text("\"long\"", "null", "\2", 1, 1), STATUS_OK);
    assert_int_equal(read_text("\"long\"", "snappy", "\2", 1, 1), STATUS_NOT_IMPLEMENTED);
    assert_int_equal(read_text("\"long\"", "null", "\2", 1, 2), STATUS_CORRUPT);
    assert_int_equal(read_text("\"long\"", "null", "\2", 1, -1), STATUS_CORRUPT);
    assert_int_equal(read_text("\"null\"", "null", "", 0, INT64_MAX), STATUS_CORRUPT);
    assert_int_equal(read_text("\"null\"", "null", "x", 1, 1), STATUS_CORRUPT);
    assert_int_equal(
        read_text("\"long\"", "null", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10, 1),
        STATUS_CORRUPT);
    assert_int_equal(read_text("\"string\"", "null", "\xfe\xff\xff\xff\x0f", 5, 1), STATUS_CORRUPT);
    assert_int_equal(read_text("\"int\"", "null", "\xfe\xff\xff\xff\xff\x0f", 6, 1),
                     STATUS_CORRUPT);
    /* an array of a thousand million nulls in six bytes */
    assert_int_equal(read_text(list, "null", "\x80\xa8\xd6\xb9\x07\0", 6, 1), STATUS_CORRUPT);
    assert_int_equal(read_text("\"nothing\"", "null", "\2", 1, 1), STATUS_CORRUPT);
    assert_int_equal(read_text("[]", "null", "\2", 1, 1), STATUS_CORRUPT);
    assert_int_equal(read_text("{\"type\":\"record\",\"name\":\"r\"}", "null", "\2", 1, 1),
                     STATUS_CORRUPT);
    assert_int_equal(read_text("{", "null", "\2", 1, 1), STATUS_CORRUPT);
    /* a record that contains itself without end */
    memset(deep, 2, sizeof deep);
    assert_int_equal(read_text("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"x\","
                               "\"type\":[\"null\",\"r\"]}]}",
                               "null", deep, sizeof deep, 1),
                     STATUS_CORRUPT);
    assert_int_equal(read_text("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"x\","
                               "\"type\":\"r\"}]}",
                               "null", deep, sizeof deep, 1),
                     STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_exact_bytes),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_hostile)};
    return cmocka_run_group_tests_name("avro", tests, NULL, NULL);
}

/* metadata_test.c: table metadata there and back, forms of other engines and of version 1, damage,
 * and the names that carry checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/iceberg/metadata.h"

/* What the specification's tables look like when Spark wrote them, with members we do not know. */
static const char foreign[] =
    "{\"format-version\":2,\"table-uuid\":\"9c12d441-03fe-4693-9a96-a0705ddf69c1\","
    "\"location\":\"s3://bucket/test/location/\",\"last-sequence-number\":34,"
    "\"last-updated-ms\":1602638573590,\"last-column-id\":9,\"current-schema-id\":1,"
    "\"schemas\":[{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"x\","
    "\"required\":true,\"type\":\"long\"}]},{\"type\":\"struct\",\"schema-id\":1,"
    "\"identifier-field-ids\":[1,2],\"fields\":[{\"id\":1,\"name\":\"x\",\"required\":true,"
    "\"type\":\"long\"},{\"id\":2,\"name\":\"y\",\"required\":true,\"type\":\"decimal(9, 2)\","
    "\"doc\":\"comment\"},{\"id\":3,\"name\":\"l\",\"required\":false,\"type\":{\"type\":\"list\","
    "\"element-id\":4,\"element\":\"string\",\"element-required\":true}},{\"id\":5,\"name\":\"m\","
    "\"required\":false,\"type\":{\"type\":\"map\",\"key-id\":6,\"key\":\"string\",\"value-id\":7,"
    "\"value\":{\"type\":\"struct\",\"fields\":[{\"id\":8,\"name\":\"s\",\"required\":false,"
    "\"type\":\"timestamptz\"}]},\"value-required\":false}},{\"id\":9,\"name\":\"t\","
    "\"required\":false,\"type\":\"timestamp\",\"initial-default\":3}]}],"
    "\"default-spec-id\":0,\"partition-specs\":[{\"spec-id\":0,\"fields\":[{\"name\":\"t_day\","
    "\"transform\":\"day\",\"source-id\":9,\"field-id\":1000}]}],\"last-partition-id\":1000,"
    "\"default-sort-order-id\":3,\"sort-orders\":[{\"order-id\":3,\"fields\":[{\"transform\":"
    "\"bucket[4]\",\"source-id\":1,\"direction\":\"desc\",\"null-order\":\"nulls-last\"}]}],"
    "\"properties\":{\"read.split.target.size\":\"134217728\"},"
    "\"current-snapshot-id\":3055729675574597004,\"snapshots\":[{\"snapshot-id\":"
    "3051729675574597004,\"timestamp-ms\":1515100955770,\"sequence-number\":0,\"summary\":{"
    "\"operation\":\"append\"},\"manifest-list\":\"s3://a/b/1.avro\"},{\"snapshot-id\":"
    "3055729675574597004,\"parent-snapshot-id\":3051729675574597004,\"timestamp-ms\":1555100955770,"
    "\"sequence-number\":1,\"summary\":{\"operation\":\"append\"},\"manifest-list\":"
    "\"s3://a/b/2.avro\",\"schema-id\":1}],\"snapshot-log\":[{\"snapshot-id\":3051729675574597004,"
    "\"timestamp-ms\":1515100955770},{\"snapshot-id\":3055729675574597004,\"timestamp-ms\":"
    "1555100955770}],\"metadata-log\":[{\"metadata-file\":\"s3://bucket/.../v1.json\","
    "\"timestamp-ms\":1515100}],\"refs\":{\"test\":{\"snapshot-id\":3051729675574597004,\"type\":"
    "\"tag\",\"max-ref-age-ms\":10000000}},\"statistics\":[],\"unknown\":{\"a\":[1]}}";

static enum status parse(const char *text, struct arena *arena, struct iceberg_metadata *m)
{
    return iceberg_metadata_parse(str_of(text), arena, m, NULL);
}

static void check_foreign(const struct iceberg_metadata *m)
{
    const struct iceberg_schema *schema = iceberg_current_schema(m);
    assert_true(str_is(m->location, "s3://bucket/test/location"));
    assert_int_equal(m->last_sequence_number, 34);
    assert_int_equal(schema->fields_len, 5);
    assert_int_equal(schema->identifier_ids_len, 2);
    assert_int_equal(schema->fields[1].type.kind, ICEBERG_DECIMAL);
    assert_int_equal(schema->fields[3].type.fields[1].type.fields[0].id, 8);
    assert_int_equal(m->specs[0].fields[0].transform.kind, ICEBERG_DAY);
    assert_true(m->orders[0].fields[0].descending && m->orders[0].fields[0].nulls_last);
    assert_int_equal(iceberg_current_snapshot(m)->parent_id, INT64_C(3051729675574597004));
    assert_null(iceberg_snapshot_as_of(m, 1515100955769));
    assert_int_equal(iceberg_snapshot_as_of(m, 1515100955770)->id, INT64_C(3051729675574597004));
    assert_int_equal(iceberg_snapshot_as_of(m, INT64_MAX)->id, INT64_C(3055729675574597004));
    assert_int_equal(m->refs_len, 2); /* main is made */
    assert_true(m->refs[0].is_tag);
    assert_int_equal(m->refs[0].max_ref_age_ms, 10000000);
    assert_true(str_is(m->refs[1].name, "main"));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct arena arena;
    struct iceberg_metadata m, again;
    struct buf first, second;
    arena_init(&arena, 0);
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    assert_int_equal(parse(foreign, &arena, &m), STATUS_OK);
    check_foreign(&m);
    assert_int_equal(iceberg_metadata_write(&m, &first, NULL), STATUS_OK);
    assert_int_equal(iceberg_metadata_parse(buf_str(&first), &arena, &again, NULL), STATUS_OK);
    check_foreign(&again);
    assert_int_equal(iceberg_metadata_write(&again, &second, NULL), STATUS_OK);
    assert_true(str_eq(buf_str(&first), buf_str(&second)));
    buf_release(&first);
    buf_release(&second);
    arena_release(&arena);
}

static void test_version_1(void **state)
{
    (void)state;
    static const char text[] =
        "{\"format-version\":1,\"location\":\"file:///"
        "t\",\"last-updated-ms\":1,\"last-column-id\":1,"
        "\"schema\":{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":\"x\",\"required\":false,"
        "\"type\":\"int\"}]},\"partition-spec\":[{\"name\":\"x\",\"transform\":\"identity\","
        "\"source-id\":1},{\"name\":\"b\",\"transform\":\"bucket[4]\",\"source-id\":1}],"
        "\"current-snapshot-id\":-1,\"snapshots\":[]}";
    struct arena arena;
    struct iceberg_metadata m;
    struct iceberg_partition_type type;
    arena_init(&arena, 0);
    assert_int_equal(parse(text, &arena, &m), STATUS_OK);
    assert_int_equal(m.specs[0].fields[1].field_id, 1001);
    assert_int_equal(m.last_partition_id, 1001);
    assert_int_equal(iceberg_partition_type_of(&m, 0, &arena, &type, NULL), STATUS_OK);
    assert_int_equal(type.fields[1].type.kind, ICEBERG_INT);
    assert_null(iceberg_current_snapshot(&m));
    arena_release(&arena);
}

static void check_bad(const char *text, enum status expected)
{
    struct arena arena;
    struct iceberg_metadata m;
    arena_init(&arena, 0);
    assert_int_equal(parse(text, &arena, &m), expected);
    arena_release(&arena);
}

static void test_bad(void **state)
{
    (void)state;
    check_bad("", STATUS_CORRUPT);
    check_bad("[]", STATUS_CORRUPT);
    check_bad("{\"format-version\":3}", STATUS_NOT_IMPLEMENTED);
    check_bad("{\"format-version\":2,\"location\":7}", STATUS_CORRUPT);
    /* every number or string of the good text replaced by null or cut: never OK by accident */
    struct arena arena;
    for (size_t len = 0; len < sizeof foreign - 1; len++) {
        struct iceberg_metadata m;
        arena_init(&arena, 0);
        assert_int_equal(iceberg_metadata_parse(str_make(foreign, len), &arena, &m, NULL),
                         STATUS_CORRUPT);
        arena_release(&arena);
    }
    char *copy = malloc(sizeof foreign);
    for (size_t at = 0; at < sizeof foreign - 1; at++)
        for (int bit = 0; bit < 7; bit += 3) {
            struct iceberg_metadata m;
            memcpy(copy, foreign, sizeof foreign);
            copy[at] ^= (char)(1 << bit);
            arena_init(&arena, 0);
            (void)iceberg_metadata_parse(str_make(copy, sizeof foreign - 1), &arena, &m, NULL);
            arena_release(&arena);
        }
    free(copy);
}

static void test_fields(void **state)
{
    (void)state;
    static const struct field fields[] = {{{"a", 1}, TYPE_BOOL, 1},     {{"b", 1}, TYPE_INT64, 2},
                                          {{"c", 1}, TYPE_DOUBLE, 3},   {{"d", 1}, TYPE_STRING, 4},
                                          {{"e", 1}, TYPE_JSON, 5},     {{"f", 1}, TYPE_DATE, 6},
                                          {{"g", 1}, TYPE_TIMESTAMP, 7}};
    struct str docs[7] = {[4] = STR("a document"), [5] = STR("the day")};
    struct arena arena;
    struct iceberg_schema schema;
    struct field *back;
    uint32_t len;
    arena_init(&arena, 0);
    assert_int_equal(iceberg_schema_of_fields(fields, 7, docs, &arena, &schema, NULL), STATUS_OK);
    assert_true(str_is(schema.fields[4].doc, "[json] a document"));
    assert_int_equal(iceberg_schema_to_fields(&schema, &arena, &back, &len, NULL), STATUS_OK);
    assert_int_equal(len, 7);
    for (uint32_t i = 0; i < len; i++) {
        assert_int_equal(back[i].type, fields[i].type);
        assert_int_equal(back[i].id, fields[i].id);
        assert_true(str_eq(back[i].name, fields[i].name));
    }
    assert_true(str_is(iceberg_field_comment(&schema.fields[4]), "a document"));
    assert_true(str_is(iceberg_field_comment(&schema.fields[5]), "the day"));
    assert_null(iceberg_field_comment(&schema.fields[0]).data);
    schema.fields[2].type.kind = ICEBERG_UUID;
    assert_int_equal(iceberg_schema_to_fields(&schema, &arena, &back, &len, NULL),
                     STATUS_NOT_IMPLEMENTED);
    arena_release(&arena);
}

static void test_names(void **state)
{
    (void)state;
    char name[ICEBERG_NAME_MAX], path[300];
    char bytes[] = "some bytes";
    int64_t version;
    bool checked;
    iceberg_metadata_name(7, str_of(bytes), name);
    assert_int_equal(strlen(name), strlen("00007-") + 36 + strlen(".metadata.json"));
    (void)snprintf(path, sizeof path, "file:///t/metadata/%s", name);
    assert_true(iceberg_metadata_version(str_of(path), &version) && version == 7);
    assert_int_equal(iceberg_name_check(str_of(path), str_of(bytes), &checked, NULL), STATUS_OK);
    assert_true(checked);
    for (size_t at = 0; bytes[at]; at++) {
        bytes[at] ^= 1;
        assert_int_equal(iceberg_name_check(str_of(path), str_of(bytes), &checked, NULL),
                         STATUS_CORRUPT);
        bytes[at] ^= 1;
    }
    assert_int_equal(iceberg_name_check(STR("00007-9c12d441-03fe-4693-9a96-a0705ddf69c1.metadata"
                                            ".json"),
                                        str_of(bytes), &checked, NULL),
                     STATUS_OK);
    assert_false(checked);
    assert_true(iceberg_metadata_version(STR("x/v12.metadata.json"), &version) && version == 12);
    assert_false(iceberg_metadata_version(STR("x/12.json"), &version));
    assert_false(iceberg_metadata_version(STR("vx.metadata.json"), &version));
    assert_true(str_is(iceberg_version_hint(STR("a/00001-x.metadata.json")), "00001-x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_version_1), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_fields), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests_name("iceberg metadata", tests, NULL, NULL);
}

/* avro_fuzz.c: any bytes as an Avro container, a manifest, a manifest list and table metadata: no
 * crash, no leak, and what was read can be written again. */
#include <stdlib.h>

#include "format/avro/avro.h"
#include "format/iceberg/manifest.h"

enum { ARENA_MAX = 256 << 20 };

static void read_records(struct slice bytes)
{
    struct avro_reader reader;
    struct arena arena;
    const struct avro_datum *record;
    arena_init(&arena, ARENA_MAX);
    if (avro_reader_open(&reader, bytes, NULL) == STATUS_OK)
        while (avro_reader_next(&reader, &arena, &record, NULL) == STATUS_OK && record)
            arena_release(&arena);
    avro_reader_release(&reader);
    arena_release(&arena);
}

static void read_list(struct slice bytes)
{
    struct arena arena;
    struct iceberg_manifest *manifests;
    uint32_t len, again;
    struct buf out;
    arena_init(&arena, ARENA_MAX);
    buf_init(&out, ARENA_MAX);
    if (iceberg_list_read(bytes, &arena, &manifests, &len, NULL) == STATUS_OK &&
        iceberg_list_write(manifests, len, 1, -1, 1, &out, NULL) == STATUS_OK &&
        (iceberg_list_read((struct slice){out.data, out.len}, &arena, &manifests, &again, NULL) ==
             STATUS_OK &&
         again != len))
        abort();
    buf_release(&out);
    arena_release(&arena);
}

static void read_manifest(struct slice bytes)
{
    struct arena arena;
    struct iceberg_entry *entries;
    uint32_t len;
    struct iceberg_manifest from = {.sequence_number = 3, .added_snapshot_id = 4};
    struct iceberg_field fields[] = {
        {.id = 1000, .name = STR("kind"), .type = {.kind = ICEBERG_STRING}},
        {.id = 1001, .name = STR("day"), .type = {.kind = ICEBERG_DATE}}};
    struct iceberg_partition_type type = {0, fields, 2};
    struct iceberg_spec spec = {0};
    struct iceberg_schema schema = {0};
    struct iceberg_manifest_head head = {&schema, &spec, &type, false};
    struct buf out;
    arena_init(&arena, ARENA_MAX);
    buf_init(&out, ARENA_MAX);
    (void)iceberg_manifest_read(bytes, &from, NULL, &arena, &entries, &len, NULL);
    if (iceberg_manifest_read(bytes, &from, &type, &arena, &entries, &len, NULL) == STATUS_OK)
        (void)iceberg_manifest_write(&head, entries, len, 9, 9, &arena, &out, &from, NULL);
    buf_release(&out);
    arena_release(&arena);
}

static void read_metadata(struct slice bytes)
{
    struct arena arena;
    struct iceberg_metadata m, again;
    struct buf out;
    arena_init(&arena, ARENA_MAX);
    buf_init(&out, ARENA_MAX);
    if (iceberg_metadata_parse(str_make(bytes.data, bytes.len), &arena, &m, NULL) == STATUS_OK &&
        iceberg_metadata_write(&m, &out, NULL) == STATUS_OK)
        (void)iceberg_metadata_parse(buf_str(&out), &arena, &again, NULL);
    buf_release(&out);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {data, size};
    if (size && data[0] == '{') {
        read_metadata(bytes);
        return 0;
    }
    read_records(bytes);
    read_list(bytes);
    read_manifest(bytes);
    return 0;
}

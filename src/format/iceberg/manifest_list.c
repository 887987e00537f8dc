/* manifest_list.c: the manifests of a snapshot, in Avro. */
#include "format/iceberg/manifest_int.h"

static void put_optional(struct buf *out, struct str bytes)
{
    avro_put_present(out, bytes.data != NULL);
    if (bytes.data)
        avro_put_bytes(out, bytes);
}

static void put_partitions(struct buf *out, const struct iceberg_manifest *m)
{
    avro_put_present(out, m->partitions != NULL);
    if (!m->partitions)
        return;
    avro_put_block(out, m->partitions_len);
    for (uint32_t i = 0; i < m->partitions_len; i++) {
        const struct iceberg_partition_summary *summary = &m->partitions[i];
        avro_put_bool(out, summary->contains_null);
        avro_put_present(out, summary->contains_nan >= 0);
        if (summary->contains_nan >= 0)
            avro_put_bool(out, summary->contains_nan == 1);
        put_optional(out, summary->lower);
        put_optional(out, summary->upper);
    }
    avro_put_end(out);
}

static void put_manifest(struct buf *out, const struct iceberg_manifest *m)
{
    avro_put_bytes(out, m->path);
    avro_put_long(out, m->bytes);
    avro_put_long(out, m->spec_id);
    avro_put_long(out, m->is_deletes);
    avro_put_long(out, m->sequence_number);
    avro_put_long(out, m->min_sequence_number);
    avro_put_long(out, m->added_snapshot_id);
    avro_put_long(out, m->added_files);
    avro_put_long(out, m->existing_files);
    avro_put_long(out, m->deleted_files);
    avro_put_long(out, m->added_rows);
    avro_put_long(out, m->existing_rows);
    avro_put_long(out, m->deleted_rows);
    put_partitions(out, m);
    put_optional(out, m->key_metadata);
}

static enum status write_records(struct avro_writer *avro, const struct iceberg_manifest *manifests,
                                 uint32_t len, struct error *err)
{
    for (uint32_t i = 0; i < len; i++) {
        put_manifest(avro_writer_record(avro), &manifests[i]);
        TRY(avro_writer_end_record(avro, err));
    }
    return avro_writer_finish(avro, err);
}

enum status iceberg_list_write(const struct iceberg_manifest *manifests, uint32_t len,
                               int64_t snapshot_id, int64_t parent_id, int64_t sequence_number,
                               struct buf *out, struct error *err)
{
    char id[24], parent[24], sequence[24];
    unsigned char sync[AVRO_SYNC_LEN];
    struct avro_writer avro;
    struct buf schema;
    buf_init(&schema, 1 << 20);
    iceberg_list_schema(&schema);
    (void)snprintf(id, sizeof id, "%lld", (long long)snapshot_id);
    (void)snprintf(parent, sizeof parent, "%lld", (long long)parent_id);
    (void)snprintf(sequence, sizeof sequence, "%lld", (long long)sequence_number);
    const struct avro_pair meta[] = {
        {STR("snapshot-id"), str_of(id)},
        {STR("parent-snapshot-id"), parent_id < 0 ? STR("null") : str_of(parent)},
        {STR("sequence-number"), str_of(sequence)},
        {STR("format-version"), STR("2")},
    };
    enum status status = buf_check(&schema, "manifest list schema", err);
    iceberg_sync_marker(buf_str(&schema), snapshot_id, sync);
    if (status == STATUS_OK) {
        status = avro_writer_init(&avro, out, buf_str(&schema), meta, sizeof meta / sizeof *meta,
                                  AVRO_DEFLATE, sync, err);
        if (status == STATUS_OK)
            status = write_records(&avro, manifests, len, err);
        avro_writer_release(&avro);
    }
    buf_release(&schema);
    return status;
}

/* --- reading --- */

static enum status damaged(struct error *err, const char *what)
{
    return error_set(err, STATUS_CORRUPT, "an entry of a manifest list is damaged: %s", what);
}

static int64_t number_or(const struct avro_datum *record, int32_t id, const char *name,
                         int64_t fallback)
{
    int64_t value = fallback;
    avro_find_long(record, id, name, &value);
    return value;
}

static enum status keep(const struct avro_datum *record, int32_t id, const char *name,
                        struct arena *arena, struct str *ret, struct error *err)
{
    struct str bytes;
    *ret = STR_NONE;
    if (!avro_find_bytes(record, id, name, &bytes))
        return STATUS_OK;
    *ret = arena_str(arena, bytes);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

static enum status read_partitions(const struct avro_datum *list, struct arena *arena,
                                   struct iceberg_manifest *m, struct error *err)
{
    if (!list)
        return STATUS_OK;
    if (list->type->kind != AVRO_ARRAY)
        return damaged(err, "its partitions");
    m->partitions = arena_array(arena, list->len + 1, sizeof *m->partitions);
    if (!m->partitions)
        return error_no_memory(err);
    for (const struct avro_datum *item = list->first; item; item = item->next) {
        struct iceberg_partition_summary *to = &m->partitions[m->partitions_len++];
        const struct avro_datum *null = avro_find(item, 509, "contains_null");
        const struct avro_datum *nan = avro_find(item, 518, "contains_nan");
        to->contains_null = !null || null->type->kind != AVRO_BOOLEAN || null->boolean;
        to->contains_nan = nan && nan->type->kind == AVRO_BOOLEAN ? nan->boolean : -1;
        TRY(keep(item, 510, "lower_bound", arena, &to->lower, err));
        TRY(keep(item, 511, "upper_bound", arena, &to->upper, err));
    }
    return STATUS_OK;
}

static enum status read_manifest(const struct avro_datum *record, struct arena *arena,
                                 struct iceberg_manifest *m, struct error *err)
{
    int64_t spec_id = number_or(record, 502, "partition_spec_id", 0);
    TRY(keep(record, 500, "manifest_path", arena, &m->path, err));
    m->bytes = number_or(record, 501, "manifest_length", -1);
    if (!m->path.data || m->bytes < 0 || spec_id < 0 || spec_id > INT32_MAX)
        return damaged(err, "path, length or partition spec");
    m->spec_id = (int32_t)spec_id;
    m->is_deletes = number_or(record, 517, "content", 0) == 1;
    m->sequence_number = number_or(record, 515, "sequence_number", 0);
    m->min_sequence_number = number_or(record, 516, "min_sequence_number", 0);
    m->added_snapshot_id = number_or(record, 503, "added_snapshot_id", -1);
    m->added_files = number_or(record, 504, "added_files_count",
                               number_or(record, 504, "added_data_files_count", -1));
    m->existing_files = number_or(record, 505, "existing_files_count",
                                  number_or(record, 505, "existing_data_files_count", -1));
    m->deleted_files = number_or(record, 506, "deleted_files_count",
                                 number_or(record, 506, "deleted_data_files_count", -1));
    m->added_rows = number_or(record, 512, "added_rows_count", -1);
    m->existing_rows = number_or(record, 513, "existing_rows_count", -1);
    m->deleted_rows = number_or(record, 514, "deleted_rows_count", -1);
    TRY(keep(record, 519, "key_metadata", arena, &m->key_metadata, err));
    return read_partitions(avro_find(record, 507, "partitions"), arena, m, err);
}

struct list {
    struct iceberg_manifest *manifests;
    uint32_t len, cap;
};

static enum status list_grow(struct list *list, struct arena *arena, struct error *err)
{
    if (list->len < list->cap)
        return STATUS_OK;
    if (list->cap >= ICEBERG_LIST_ENTRIES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a snapshot has more than %d manifests",
                         ICEBERG_LIST_ENTRIES_MAX);
    uint32_t cap = list->cap ? list->cap * 2 : 16;
    struct iceberg_manifest *grown = arena_array(arena, cap, sizeof *grown);
    if (!grown)
        return error_no_memory(err);
    if (list->len)
        memcpy(grown, list->manifests, list->len * sizeof *grown);
    list->manifests = grown;
    list->cap = cap;
    return STATUS_OK;
}

static enum status read_records(struct avro_reader *avro, struct arena *arena, struct list *list,
                                struct error *err)
{
    struct arena scratch;
    arena_init(&scratch, 0);
    enum status status;
    for (;;) {
        const struct avro_datum *record;
        arena_release(&scratch);
        status = avro_reader_next(avro, &scratch, &record, err);
        if (status != STATUS_OK || !record)
            break;
        status = list_grow(list, arena, err);
        if (status == STATUS_OK)
            status = read_manifest(record, arena, &list->manifests[list->len], err);
        if (status != STATUS_OK)
            break;
        list->len++;
    }
    arena_release(&scratch);
    return status;
}

enum status iceberg_list_read(struct slice bytes, struct arena *arena,
                              struct iceberg_manifest **ret, uint32_t *ret_len, struct error *err)
{
    struct avro_reader avro;
    struct list list = {0};
    enum status status = avro_reader_open(&avro, bytes, err);
    if (status == STATUS_OK)
        status = read_records(&avro, arena, &list, err);
    avro_reader_release(&avro);
    *ret = list.manifests;
    *ret_len = status == STATUS_OK ? list.len : 0;
    return status;
}

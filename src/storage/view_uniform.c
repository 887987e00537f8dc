/* view_uniform.c: whether a view's files all look alike, so that a reader may go by names. */
#include "storage/store_int.h"

static bool same_field(const struct field *a, const struct field *b)
{
    return a->id == b->id && a->type == b->type && str_eq(a->name, b->name);
}

static enum status segment_is_uniform(struct segment *segment, const struct schema *schema,
                                      bool *ret, struct error *err)
{
    struct parquet_reader *reader;
    uint32_t len;
    TRY(segment_reader(segment, &reader, err));
    const struct field *fields = parquet_reader_fields(reader, &len);
    bool same = len == schema->fields_len;
    for (uint32_t i = 0; same && i < len; i++) {
        int32_t at = segment_column(segment, schema->fields[i].id);
        same = at >= 0 && same_field(&fields[at], &schema->fields[i]);
    }
    segment_reader_release(segment, reader);
    *ret = same;
    return STATUS_OK;
}

/* Its overlay file has those of its columns that the schema has, by the schema's names. */
static bool chunk_is_uniform(const struct batch *batch, const struct schema *schema)
{
    if (batch->columns_len != schema->fields_len)
        return false;
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        int32_t at = schema_find(schema, batch->columns[i].name);
        if (at < 0 || batch->columns[i].column.type != schema->fields[at].type)
            return false;
    }
    return true;
}

enum status view_is_uniform(struct view *view, bool *ret, struct error *err)
{
    *ret = true;
    for (uint32_t i = 0; *ret && i < view->chunks_len; i++)
        *ret = chunk_is_uniform(view->chunks[i], view->schema);
    for (uint32_t i = 0; *ret && i < view->segments_len; i++)
        TRY(segment_is_uniform(view->segments[i], view->schema, ret, err));
    return STATUS_OK;
}

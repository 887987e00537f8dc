/* writer.c: the writer's outside: matches columns, cuts batches into segments, ends row groups, and
 * finishes the file.
 *
 * A segment ends at the end of the batch's selection, of a page or of a row group, after
 * SEGMENT_ROWS_MAX rows, or before a column's bytes go past PAGE_BYTES_MAX. All columns take the
 * same segments, so pages of all columns start at the same rows. */
#include <stdio.h>
#include <stdlib.h>

#include "format/parquet/writer_int.h"

static enum status copy_fields(struct parquet_writer *writer, const struct field *fields)
{
    uint32_t n = writer->fields_len;
    writer->fields = arena_array(&writer->arena, n, sizeof *writer->fields);
    writer->matches = arena_array(&writer->arena, n, sizeof *writer->matches);
    writer->stats = arena_array(&writer->arena, n, sizeof *writer->stats);
    writer->stats_unbounded = arena_array(&writer->arena, n, sizeof *writer->stats_unbounded);
    writer->options.created_by = arena_str(&writer->arena, writer->options.created_by);
    writer->chunks = calloc(n ? n : 1, sizeof *writer->chunks);
    if (!writer->fields || !writer->matches || !writer->stats || !writer->stats_unbounded ||
        !writer->options.created_by.data || !writer->chunks)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < n; i++) {
        writer->fields[i] = fields[i];
        writer->fields[i].name = arena_str(&writer->arena, fields[i].name);
        if (!writer->fields[i].name.data)
            return STATUS_NO_MEMORY;
        chunk_builder_init(&writer->chunks[i], fields[i].type);
    }
    return STATUS_OK;
}

enum status parquet_writer_open(const struct field *fields, uint32_t fields_len,
                                const struct parquet_write_options *options, parquet_sink sink,
                                void *sink_context, struct parquet_writer **ret_writer,
                                struct error *err)
{
    if (fields_len == 0 || fields_len > SCHEMA_FIELDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a Parquet file has 1 to %d columns, not %u",
                         SCHEMA_FIELDS_MAX, fields_len);
    TRY(pq_options_check(options, fields_len, err));
    struct parquet_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return error_no_memory(err);
    writer->sink = sink;
    writer->sink_context = sink_context;
    writer->fields_len = fields_len;
    arena_init(&writer->arena, 0);
    codec_context_init(&writer->codec);
    buf_init(&writer->page, WRITE_BUFFER_MAX);
    buf_init(&writer->packed, WRITE_BUFFER_MAX);
    buf_init(&writer->out, WRITE_BUFFER_MAX);
    buf_init(&writer->blooms, WRITE_BUFFER_MAX);
    buf_init(&writer->delta, WRITE_BUFFER_MAX);
    buf_init(&writer->column_indexes, INDEX_BYTES_MAX);
    buf_init(&writer->offset_indexes, INDEX_BYTES_MAX);
    pq_options_set(writer, options);
    writer->segment = malloc(sizeof *writer->segment);
    if (!writer->segment || copy_fields(writer, fields) != STATUS_OK ||
        pq_options_copy(writer) != STATUS_OK) {
        parquet_writer_free(writer);
        return error_no_memory(err);
    }
    *ret_writer = writer;
    return STATUS_OK;
}

void parquet_writer_free(struct parquet_writer *writer)
{
    if (!writer)
        return;
    for (uint32_t i = 0; writer->chunks && i < writer->fields_len; i++)
        chunk_builder_release(&writer->chunks[i]);
    free(writer->chunks);
    free(writer->segment);
    codec_context_release(&writer->codec);
    buf_release(&writer->page);
    buf_release(&writer->packed);
    buf_release(&writer->out);
    buf_release(&writer->blooms);
    buf_release(&writer->delta);
    buf_release(&writer->column_indexes);
    buf_release(&writer->offset_indexes);
    arena_release(&writer->arena);
    free(writer);
}

static enum status put(struct parquet_writer *writer, const void *data, size_t len,
                       struct error *err)
{
    if (len == 0)
        return STATUS_OK;
    TRY(writer->sink(writer->sink_context, (struct slice){data, len}, err));
    writer->position += len;
    return STATUS_OK;
}

static enum status start_file(struct parquet_writer *writer, struct error *err)
{
    if (writer->started)
        return STATUS_OK;
    writer->started = true;
    return put(writer, PQ_MAGIC, PQ_MAGIC_LEN, err);
}

/* The file's bounds take in those of a chunk, whose bytes are in the writer's arena already. */
static void add_stats(struct parquet_writer *writer, uint32_t column,
                      const struct chunk_record *record)
{
    struct parquet_column_stats *stats = &writer->stats[column];
    stats->values += record->values;
    stats->nulls += record->nulls;
    stats->compressed_bytes += record->compressed;
    if (record->values == record->nulls)
        return;
    if (!record->bounds.present) {
        writer->stats_unbounded[column] = true;
        return;
    }
    struct pq_bounds all = {.present = stats->has_bounds, .min = stats->min, .max = stats->max};
    bounds_merge(&all, &record->bounds, 1);
    stats->has_bounds = true;
    stats->min = all.min;
    stats->max = all.max;
}

static enum status write_chunk(struct parquet_writer *writer, uint32_t column,
                               struct chunk_record *record, struct error *err)
{
    struct chunk_builder *chunk = &writer->chunks[column];
    TRY(chunk_write(writer, chunk, record, err));
    if (bounds_own(&record->bounds, &writer->arena) != STATUS_OK)
        return error_no_memory(err);
    index_write(writer, chunk, record);
    TRY(buf_check(&writer->column_indexes, "the Parquet column indexes", err));
    TRY(buf_check(&writer->offset_indexes, "the Parquet offset indexes", err));
    TRY(put(writer, writer->out.data, writer->out.len, err));
    add_stats(writer, column, record);
    if (writer->has_bloom[column])
        bloom_write(chunk, record, &writer->blooms);
    chunk_builder_clear(chunk);
    return STATUS_OK;
}

/* The row group's filters, behind its chunks. */
static enum status put_blooms(struct parquet_writer *writer, struct chunk_record *chunks,
                              struct error *err)
{
    TRY(buf_check(&writer->blooms, "the Parquet bloom filters", err));
    for (uint32_t i = 0; i < writer->fields_len; i++)
        if (chunks[i].bloom_len)
            chunks[i].bloom_offset += writer->position;
    return put(writer, writer->blooms.data, writer->blooms.len, err);
}

static enum status end_group(struct parquet_writer *writer, struct error *err)
{
    if (writer->group_rows == 0)
        return STATUS_OK;
    struct group_record *group = ARENA_NEW(&writer->arena, struct group_record);
    struct chunk_record *chunks = arena_array(&writer->arena, writer->fields_len, sizeof *chunks);
    if (!group || !chunks)
        return error_no_memory(err);
    group->rows = writer->group_rows;
    group->chunks = chunks;
    buf_clear(&writer->blooms);
    for (uint32_t i = 0; i < writer->fields_len; i++)
        TRY(write_chunk(writer, i, &chunks[i], err));
    TRY(put_blooms(writer, chunks, err));
    if (writer->last_group)
        writer->last_group->next = group;
    else
        writer->first_group = group;
    writer->last_group = group;
    writer->groups_len++;
    writer->rows += writer->group_rows;
    writer->group_rows = 0;
    return STATUS_OK;
}

static enum status match_columns(struct parquet_writer *writer, const struct batch *batch,
                                 struct error *err)
{
    for (uint32_t i = 0; i < writer->fields_len; i++) {
        const struct field *field = &writer->fields[i];
        int32_t found = batch_find(batch, field->name);
        writer->matches[i] = found;
        if (found < 0)
            continue;
        enum type type = batch->columns[found].column.type;
        if (type != field->type && !type_can_widen(type, field->type))
            return error_set(err, STATUS_SCHEMA, "column %.*s: %s does not become %s",
                             STR_ARG(field->name), type_name(type), type_name(field->type));
    }
    return STATUS_OK;
}

static const struct column *match(const struct parquet_writer *writer, const struct batch *batch,
                                  uint32_t i)
{
    return writer->matches[i] < 0 ? NULL : &batch->columns[writer->matches[i]].column;
}

/* Cuts the selection where a column's bytes would go past PAGE_BYTES_MAX; at least one row stays.
 */
static uint32_t cut_by_bytes(const struct parquet_writer *writer, const struct batch *batch,
                             struct pq_selection rows)
{
    for (uint32_t c = 0; c < writer->fields_len; c++) {
        const struct column *column = match(writer, batch, c);
        if (!column || !type_is_bytes(column->type) || column->bytes_len <= PAGE_BYTES_MAX)
            continue;
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < rows.count; i++) {
            bytes += column_str(column, rows.order ? rows.order[i] : rows.first + i).len;
            if (bytes > PAGE_BYTES_MAX) {
                rows.count = i ? i : 1;
                break;
            }
        }
    }
    return rows.count;
}

/* Too many bytes are held for the row group to go on. */
static bool group_is_heavy(const struct parquet_writer *writer)
{
    size_t total = 0;
    for (uint32_t i = 0; i < writer->fields_len; i++) {
        const struct chunk_builder *chunk = &writer->chunks[i];
        total += chunk_builder_bytes(chunk);
        size_t page_start = chunk->pages_len > 1 ? chunk->pages[chunk->pages_len - 2].bytes_end : 0;
        if (chunk->plain.len > page_start && chunk->plain.len - page_start > PAGE_BYTES_MAX)
            return true;
    }
    return total > ROW_GROUP_BYTES_MAX;
}

static enum status append_segment(struct parquet_writer *writer, const struct batch *batch,
                                  struct pq_selection rows, struct error *err)
{
    bool new_page = writer->group_rows % writer->options.page_rows == 0;
    for (uint32_t i = 0; i < writer->fields_len; i++) {
        enum status status = chunk_append(&writer->chunks[i], match(writer, batch, i), rows,
                                          new_page, writer->segment, err);
        if (status != STATUS_OK)
            return error_wrap(err, "column %.*s", STR_ARG(writer->fields[i].name));
    }
    writer->group_rows += rows.count;
    if (writer->group_rows >= writer->options.row_group_rows || group_is_heavy(writer))
        return end_group(writer, err);
    return STATUS_OK;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum status append_all(struct parquet_writer *writer, const struct batch *batch,
                              const uint32_t *order, uint32_t count, struct error *err)
{
    TRY(start_file(writer, err));
    TRY(match_columns(writer, batch, err));
    for (uint32_t done = 0; done < count;) {
        uint32_t n = least(count - done, SEGMENT_ROWS_MAX);
        n = least(n, writer->options.page_rows - writer->group_rows % writer->options.page_rows);
        n = least(n, writer->options.row_group_rows - writer->group_rows);
        struct pq_selection rows = {
            .order = order ? order + done : NULL, .first = done, .count = n};
        rows.count = cut_by_bytes(writer, batch, rows);
        TRY(append_segment(writer, batch, rows, err));
        done += rows.count;
    }
    return STATUS_OK;
}

static enum status unusable(struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "the Parquet writer is finished or has failed");
}

enum status parquet_writer_append(struct parquet_writer *writer, const struct batch *batch,
                                  const uint32_t *order, uint32_t count, struct error *err)
{
    if (writer->failed || writer->finished)
        return unusable(err);
    if (!order && count > batch->rows)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%u rows of a batch of %u", count,
                         batch->rows);
    enum status status = append_all(writer, batch, order, count, err);
    writer->failed = status != STATUS_OK;
    return status;
}

static enum status put_footer(struct parquet_writer *writer, struct error *err)
{
    uint64_t index_start = writer->position;
    struct buf all;
    size_t crc_at = 0;
    buf_init(&all, (size_t)2 * INDEX_BYTES_MAX + FOOTER_BYTES_MAX);
    buf_append(&all, writer->column_indexes.data, writer->column_indexes.len);
    buf_append(&all, writer->offset_indexes.data, writer->offset_indexes.len);
    size_t footer_at = all.len;
    footer_write(writer, index_start, &all, &crc_at);
    size_t footer_len = all.len - footer_at;
    enum status status = buf_check(&all, "the Parquet footer", err);
    if (status == STATUS_OK) {
        char digits[9];
        (void)snprintf(digits, sizeof digits, "%08x",
                       pq_checksum((const uint8_t *)all.data, all.len, crc_at));
        memcpy(all.data + crc_at, digits, 8);
        buf_append_u32(&all, (uint32_t)footer_len);
        buf_append(&all, PQ_MAGIC, PQ_MAGIC_LEN);
        status = buf_check(&all, "the Parquet footer", err);
    }
    if (status == STATUS_OK)
        status = put(writer, all.data, all.len, err);
    buf_release(&all);
    return status;
}

static enum status own_stats(struct parquet_column_stats *stats, struct arena *arena)
{
    struct pq_bounds bounds = {.present = stats->has_bounds, .min = stats->min, .max = stats->max};
    TRY(bounds_own(&bounds, arena));
    stats->min = bounds.min;
    stats->max = bounds.max;
    return STATUS_OK;
}

static enum status give_stats(const struct parquet_writer *writer, struct parquet_file_stats *ret)
{
    *ret = (struct parquet_file_stats){.rows = writer->rows,
                                       .bytes = writer->position,
                                       .row_groups = writer->groups_len,
                                       .columns_len = writer->fields_len};
    arena_init(&ret->arena, 0);
    ret->columns = arena_array(&ret->arena, writer->fields_len, sizeof *ret->columns);
    if (!ret->columns)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < writer->fields_len; i++) {
        ret->columns[i] = writer->stats[i];
        if (writer->stats_unbounded[i])
            ret->columns[i].has_bounds = false;
        TRY(own_stats(&ret->columns[i], &ret->arena));
    }
    return STATUS_OK;
}

void parquet_file_stats_release(struct parquet_file_stats *stats)
{
    arena_release(&stats->arena);
    stats->columns = NULL;
    stats->columns_len = 0;
}

static enum status finish(struct parquet_writer *writer, struct error *err)
{
    TRY(start_file(writer, err));
    TRY(end_group(writer, err));
    return put_footer(writer, err);
}

enum status parquet_writer_finish(struct parquet_writer *writer,
                                  struct parquet_file_stats *ret_stats, struct error *err)
{
    if (writer->failed || writer->finished)
        return unusable(err);
    enum status status = finish(writer, err);
    writer->failed = status != STATUS_OK;
    writer->finished = true;
    if (status == STATUS_OK && ret_stats && give_stats(writer, ret_stats) != STATUS_OK) {
        parquet_file_stats_release(ret_stats);
        return error_no_memory(err);
    }
    return status;
}

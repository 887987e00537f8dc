/* check_segment.c: one Parquet file and its sidecars, every byte that can ever be read.
 *
 *   1. the file's size and footer against the snapshot: rows, columns, ids, types
 *   2. each column, one at a time: all pages decoded, nulls counted, every value within the bounds
 *   3. the sidecars: every row that belongs there is in it once, under its own hash, or in order */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/check/check_int.h"
#include "storage/index/hash_index.h"
#include "storage/index/sorted_index.h"
#include "storage/source_files.h"

struct segment_check {
    struct checking *c;
    const struct source_config *config;
    const struct schema *schema;
    struct segment *segment;
    const struct segment_meta *meta;
    const char *path;
    bool bad;
};

static enum status report(struct segment_check *s, int64_t offset, const char *what,
                          struct error *err)
{
    s->bad = true;
    return check_report(s->c,
                        (struct check_finding){.severity = CHECK_DAMAGE,
                                               .kind = CHECK_SEGMENT,
                                               .file = s->path,
                                               .offset = offset,
                                               .what = what,
                                               .segment_id = s->meta->id},
                        err);
}

static enum status report_error(struct segment_check *s, const struct error *local,
                                struct error *err)
{
    char what[ERROR_MESSAGE_MAX + ERROR_CAUSE_MAX + 8];
    if (local->status == STATUS_NO_MEMORY)
        return error_no_memory(err);
    snprintf(what, sizeof what, "%s%s%s", local->message, local->cause[0] ? ": " : "",
             local->cause);
    return report(s, local->offset, what, err);
}

/* --- 1 --- */

static enum status check_size(struct segment_check *s, struct error *err)
{
    struct sys_stat stat;
    char what[128];
    if (sys_stat(s->c->sys, s->path, &stat, NULL) != STATUS_OK)
        return report(s, -1, "the file is missing", err);
    if (stat.size == s->meta->bytes)
        return STATUS_OK;
    snprintf(what, sizeof what, "%" PRIu64 " bytes where there should be %" PRIu64, stat.size,
             s->meta->bytes);
    return report(s, -1, what, err);
}

static const char *wrong_columns(const struct segment_check *s, const struct parquet_reader *reader)
{
    uint32_t len;
    const struct field *fields = parquet_reader_fields(reader, &len);
    if (!parquet_reader_is_own(reader))
        return "the footer does not carry the checksum of our own files";
    if (len != s->meta->columns_len)
        return "not the columns that the snapshot says";
    for (uint32_t i = 0; i < len; i++) {
        if (fields[i].id != s->meta->columns[i].field_id ||
            fields[i].type != s->meta->columns[i].type)
            return "not the columns that the snapshot says";
    }
    return NULL;
}

/* --- 2 --- */

static const char *wrong_values(const struct segment_column *meta, const struct column *column)
{
    if (column->nulls != meta->nulls)
        return "not the number of nulls that the snapshot says";
    for (uint32_t row = 0; meta->has_bounds && row < column->rows; row++) {
        if (column_is_null(column, row))
            continue;
        struct value value = value_of_column(column, row);
        if (value_compare(&value, &meta->min) < 0 || value_compare(&value, &meta->max) > 0)
            return "a value outside of the bounds that the snapshot says";
    }
    return NULL;
}

static enum status read_column(struct parquet_reader *reader, uint32_t which, struct column *into,
                               struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader) && status == STATUS_OK; g++) {
        status =
            parquet_read_column(reader, g, which, 0, parquet_row_group_rows(reader, g), into, err);
        parquet_group_done(reader, g);
    }
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader) && status == STATUS_OK; g++)
        if (!parquet_bloom_is_sound(reader, g, which))
            status = error_set(err, STATUS_CORRUPT, "a bloom filter fails its checksum");
    return status;
}

/* --- 3 --- */

struct entries_check {
    const struct hash_index *index;
    const struct index_rows *from;
    uint32_t *places; /* of the pair of a row; UINT32_MAX: none, or seen */
    uint64_t seen;
    const char *wrong;
};

static enum status check_group(void *context, uint64_t key, const uint64_t *rows, uint32_t len,
                               struct error *err)
{
    struct entries_check *e = context;
    (void)err;
    for (uint32_t i = 0; i < len && !e->wrong; i++) {
        uint32_t place = e->places[rows[i]];
        if (place == UINT32_MAX)
            e->wrong = "an entry of a row that is null, not there or listed twice";
        else if (hash_index_key(e->index, e->from->pairs[place].hash) != key)
            e->wrong = "an entry under another value's hash";
        e->places[rows[i]] = UINT32_MAX;
    }
    e->seen += len;
    return STATUS_OK;
}

/* Every pair once. */
static const char *wrong_entries(const struct hash_index *index, const struct index_rows *from,
                                 uint64_t rows)
{
    struct entries_check e = {.index = index, .from = from};
    uint32_t pair = 0;
    e.places = malloc((rows + 1) * sizeof *e.places);
    if (!e.places)
        return NULL; /* the checksum was right; without memory that has to do */
    for (uint64_t row = 0; row < rows; row++) {
        bool there = pair < from->pairs_len && from->pairs[pair].row == row;
        e.places[row] = there ? pair++ : UINT32_MAX;
    }
    if (hash_index_visit(index, check_group, &e, NULL) == STATUS_CORRUPT)
        e.wrong = "a bucket that cannot be read";
    free(e.places);
    if (!e.wrong && (e.seen != from->pairs_len || index->entries_len != e.seen))
        e.wrong = "not the number of entries that the segment needs";
    return e.wrong;
}

/* Every row that is not null once, in order of value. */
static const char *wrong_order(const struct sorted_index *index, const struct column *column)
{
    struct sorted_page page;
    struct value last = {.is_null = true};
    uint32_t last_row = 0;
    if (index->entries_len != column->rows - column->nulls)
        return "not the number of entries that the segment needs";
    for (uint32_t p = 0; p < index->pages_len; p++) {
        if (sorted_index_page(index, p, &page, NULL) != STATUS_OK)
            return "a page fails its checksum";
        for (uint32_t i = 0; i < page.len; i++) {
            uint32_t row = page.rows[i];
            if (column_is_null(column, row))
                return "an entry of a row that is null";
            struct value value = value_of_column(column, row);
            int order = last.is_null ? -1 : value_compare(&last, &value);
            if (order > 0 || (order == 0 && last_row >= row))
                return "entries that are not in order";
            last = value;
            last_row = row;
        }
    }
    return NULL;
}

static enum status report_index(struct segment_check *s, int32_t index_id, const char *path,
                                const char *what, bool is_note, struct error *err)
{
    return check_report(s->c,
                        (struct check_finding){.severity = is_note ? CHECK_NOTE : CHECK_REPAIRABLE,
                                               .kind = CHECK_INDEX,
                                               .file = path,
                                               .offset = -1,
                                               .what = what,
                                               .segment_id = s->meta->id,
                                               .index_id = index_id},
                        err);
}

static bool was_listed(const struct segment_check *s, const struct index_def *def)
{
    int32_t at = segment_meta_column(s->meta, def->fields[0]);
    for (uint32_t i = 0; i < s->meta->indexes_len && def->fields_len == 1; i++) {
        if (s->meta->indexes[i].field_id == s->meta->columns[at].field_id)
            return !index_is_sorted(def->id);
    }
    return false;
}

/* Opens the sidecar, compares it with what it should hold. *ret_wrong NULL: it is right. */
static enum status check_sidecar(struct segment_check *s, const char *path,
                                 const struct index_def *def, const struct index_rows *rows,
                                 const char **ret_wrong, struct error *err)
{
    struct sys *sys = s->c->sys;
    int32_t label = index_label(def->id);
    uint64_t entries;
    if (!index_is_composite(def->id))
        label = s->meta->columns[segment_meta_column(s->meta, def->fields[0])].field_id;
    if (index_is_sorted(def->id)) {
        struct sorted_index index;
        TRY(sorted_index_open(sys, path, label, s->meta->rows, rows->column.type, &index, err));
        *ret_wrong = wrong_order(&index, &rows->column);
        entries = index.entries_len;
        sorted_index_close(sys, &index);
    } else {
        struct hash_index index;
        TRY(hash_index_open(sys, path, label, s->meta->rows, &index, err));
        *ret_wrong = wrong_entries(&index, rows, s->meta->rows);
        entries = index.entries_len;
        hash_index_close(sys, &index);
    }
    s->c->summary->indexes++;
    s->c->summary->index_entries += entries;
    return STATUS_OK;
}

static enum status check_index(struct segment_check *s, const struct index_def *def,
                               const struct index_rows *rows, struct error *err)
{
    char path[SYS_PATH_MAX];
    const char *wrong = NULL;
    struct error local = ERROR_INIT;
    TRY(segment_index_path(s->segment, def->id, path, err));
    enum status status = check_sidecar(s, path, def, rows, &wrong, &local);
    if (status == STATUS_NOT_FOUND) {
        /* Where indexes were dropped and added, the snapshot's list does not count. */
        bool listed = !s->config->declared_index_columns && was_listed(s, def);
        return report_index(s, def->id, path,
                            listed ? "the sidecar is missing" : "the sidecar is not made yet",
                            !listed, err);
    }
    if (status != STATUS_OK)
        return report_index(s, def->id, path, local.message, false, err);
    return wrong ? report_index(s, def->id, path, wrong, false, err) : STATUS_OK;
}

/* The segment itself is sound. */
static enum status check_indexes(struct segment_check *s, struct error *err)
{
    struct index_def defs[SOURCE_INDEXES_MAX];
    uint32_t len = source_indexes(s->config, s->schema, defs);
    for (uint32_t i = 0; i < len; i++) {
        struct index_rows rows;
        if (!segment_has_columns(s->segment, &defs[i]))
            continue;
        TRY(segment_index_rows(s->segment, &defs[i], &rows, err));
        enum status status = check_index(s, &defs[i], &rows, err);
        index_rows_release(&rows);
        TRY(status);
    }
    return STATUS_OK;
}

/* --- all --- */

static enum status check_column(struct segment_check *s, struct parquet_reader *reader,
                                uint32_t which, struct error *err)
{
    const struct segment_column *meta = &s->meta->columns[which];
    struct error local = ERROR_INIT;
    struct column column;
    column_init(&column, meta->type);
    enum status status = read_column(reader, which, &column, &local);
    if (status != STATUS_OK) {
        status = report_error(s, &local, err);
    } else {
        const char *wrong = wrong_values(meta, &column);
        status = wrong ? report(s, -1, wrong, err) : STATUS_OK;
    }
    column_release(&column);
    return status;
}

enum status check_segment(struct checking *c, const struct source_config *config,
                          const struct schema *schema, struct segment *segment, struct error *err)
{
    struct segment_check s = {.c = c,
                              .config = config,
                              .schema = schema,
                              .segment = segment,
                              .meta = segment_meta(segment),
                              .path = segment_info(segment).path};
    struct parquet_reader *reader = NULL;
    struct error local = ERROR_INIT;
    c->summary->segments++;
    c->summary->bytes += s.meta->bytes;
    TRY(check_size(&s, err));
    if (s.bad)
        return STATUS_OK;
    if (segment_reader(segment, &reader, &local) != STATUS_OK)
        return report_error(&s, &local, err);
    const char *wrong = wrong_columns(&s, reader);
    enum status status = wrong ? report(&s, -1, wrong, err) : STATUS_OK;
    for (uint32_t i = 0; i < s.meta->columns_len && status == STATUS_OK && !s.bad; i++)
        status = check_column(&s, reader, i, err);
    segment_reader_release(segment, reader);
    if (status == STATUS_OK && !s.bad)
        status = check_indexes(&s, err);
    if (!s.bad)
        c->summary->rows += s.meta->rows;
    return status;
}

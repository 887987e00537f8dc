/* system_rows.c: the rows of the system tables. */
#include "services/tenant/system.h"

/* ---- rows ---- */

static struct column *next(struct system_row *row)
{
    return &row->fill->batch->columns[row->at++].column;
}

void system_row_failed(struct system_row *row, enum status status)
{
    if (row->status == STATUS_OK)
        row->status = status;
}

void system_put_text(struct system_row *row, struct str text)
{
    struct column *column = next(row);
    system_row_failed(row,
                      text.data ? column_append_bytes(column, text) : column_append_null(column));
}

static void put_textz(struct system_row *row, const char *text)
{
    system_put_text(row, str_of(text));
}

void system_put_int(struct system_row *row, int64_t value)
{
    system_row_failed(row, column_append_int64(next(row), value));
}

void system_put_double(struct system_row *row, double value)
{
    system_row_failed(row, column_append_double(next(row), value));
}

void system_put_bool(struct system_row *row, bool value)
{
    system_row_failed(row, column_append_bool(next(row), value));
}

/* 0 is null. */
void system_put_time(struct system_row *row, int64_t us)
{
    struct column *column = next(row);
    system_row_failed(row, us ? column_append_int64(column, us) : column_append_null(column));
}

static void put_names(struct system_row *row, const struct str *names, uint32_t len)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    for (uint32_t i = 0; i < len; i++) {
        buf_append_str(&text, i ? STR(",") : STR(""));
        buf_append_str(&text, names[i]);
    }
    if (buf_failed(&text))
        system_row_failed(row, STATUS_NO_MEMORY);
    else
        system_put_text(row, text.len ? buf_str(&text) : STR(""));
    buf_release(&text);
}

void system_put_null(struct system_row *row)
{
    system_row_failed(row, column_append_null(next(row)));
}

enum status system_end_row(struct system_row *row, struct error *err)
{
    if (row->status != STATUS_OK)
        return error_no_memory(err);
    row->fill->batch->rows++;
    return STATUS_OK;
}

/* ---- sources ---- */

enum status system_fill_sources(struct system_fill *fill, struct error *err)
{
    for (uint32_t i = 0; i < fill->views->len; i++) {
        struct source *source = fill->views->views[i].source;
        const struct source_config *config = source_config(source);
        struct source_stats stats;
        struct system_row row = {.fill = fill};
        source_get_stats(source, &stats);
        system_put_text(&row, config->source_id);
        system_put_text(&row, config->name);
        system_put_int(&row, (int64_t)fill->views->views[i].rows);
        system_put_int(&row, (int64_t)stats.files);
        system_put_int(&row, (int64_t)stats.bytes);
        system_put_int(&row, (int64_t)stats.memtable_rows);
        system_put_int(&row, (int64_t)stats.snapshot_id);
        system_put_int(&row, (int64_t)stats.snapshots);
        system_put_time(&row, stats.last_updated_us);
        put_names(&row, config->partition_columns, config->partition_columns_len);
        put_names(&row, config->key_columns, config->key_columns_len);
        put_names(&row, config->index_columns, config->index_columns_len);
        system_put_bool(&row, config->wal_enabled);
        TRY(system_end_row(&row, err));
    }
    return STATUS_OK;
}

static bool is_listed(const struct str *names, uint32_t len, struct str name)
{
    for (uint32_t i = 0; i < len; i++) {
        if (str_eq(names[i], name))
            return true;
    }
    return false;
}

static enum status put_column(struct system_fill *fill, const struct view *view, uint32_t i,
                              struct error *err)
{
    const struct source_config *config = source_config(view->source);
    const struct field *field = &view->schema->fields[i];
    const struct field_traits *traits = &view->schema->traits[i];
    struct system_row row = {.fill = fill};
    system_put_text(&row, config->source_id);
    system_put_text(&row, field->name);
    system_put_int(&row, (int64_t)i + 1);
    put_textz(&row, type_name(field->type));
    system_put_bool(&row, traits->required);
    system_put_text(&row, traits->comment);
    system_put_bool(
        &row, is_listed(config->partition_columns, config->partition_columns_len, field->name));
    system_put_bool(&row, is_listed(config->key_columns, config->key_columns_len, field->name));
    system_put_bool(&row, is_listed(config->index_columns, config->index_columns_len, field->name));
    return system_end_row(&row, err);
}

enum status system_fill_columns(struct system_fill *fill, struct error *err)
{
    for (uint32_t i = 0; i < fill->views->len; i++) {
        for (uint32_t k = 0; k < fill->views->views[i].schema->fields_len; k++)
            TRY(put_column(fill, &fill->views->views[i], k, err));
    }
    return STATUS_OK;
}

/* ---- snapshots, files ---- */

static enum status put_snapshot(struct system_fill *fill, struct str source,
                                const struct snapshot_info *info, struct error *err)
{
    struct system_row row = {.fill = fill};
    struct str tags[SNAPSHOT_TAGS_MAX];
    uint32_t len = info->tags_len < SNAPSHOT_TAGS_MAX ? info->tags_len : SNAPSHOT_TAGS_MAX;
    for (uint32_t i = 0; i < len; i++)
        tags[i] = str_of(info->tags[i]);
    system_put_text(&row, source);
    system_put_int(&row, (int64_t)info->id);
    system_put_int(&row, (int64_t)info->parent);
    system_put_time(&row, info->time_us);
    system_put_text(&row,
                    info->is_damaged ? STR_NONE : str_of(snapshot_operation_name(info->operation)));
    system_put_int(&row, (int64_t)info->rows);
    system_put_int(&row, (int64_t)info->bytes);
    system_put_int(&row, (int64_t)info->files);
    system_put_int(&row, (int64_t)info->added);
    system_put_int(&row, (int64_t)info->removed);
    system_put_bool(&row, info->is_current);
    system_put_bool(&row, info->is_damaged);
    put_names(&row, tags, len);
    return system_end_row(&row, err);
}

enum status system_fill_snapshots(struct system_fill *fill, struct error *err)
{
    for (uint32_t i = 0; i < fill->views->len; i++) {
        struct source *source = fill->views->views[i].source;
        struct snapshot_list list;
        TRY(source_list_snapshots(source, &list, err));
        enum status status = STATUS_OK;
        for (uint32_t k = 0; k < list.len && status == STATUS_OK; k++)
            status = put_snapshot(fill, source_config(source)->source_id, &list.items[k], err);
        snapshot_list_release(&list);
        TRY(status);
    }
    return STATUS_OK;
}

/* The path below the source's folder: nobody learns where that is. */
static const char *below(const char *path)
{
    const char *data = strstr(path, "/data/"), *later = data;
    while (later) {
        data = later;
        later = strstr(data + 1, "/data/");
    }
    return data ? data + 1 : path;
}

enum status system_fill_files(struct system_fill *fill, struct error *err)
{
    for (uint32_t i = 0; i < fill->views->len; i++) {
        const struct view *view = &fill->views->views[i];
        for (uint32_t k = 0; k < view->segments_len; k++) {
            struct segment_info info = segment_info(view->segments[k]);
            struct system_row row = {.fill = fill};
            system_put_text(&row, source_config(view->source)->source_id);
            system_put_int(&row, (int64_t)info.id);
            put_textz(&row, below(info.path));
            system_put_int(&row, (int64_t)info.rows);
            system_put_int(&row, (int64_t)info.bytes);
            system_put_int(&row, view->deletions ? (int64_t)deletion_count(view->deletions[k]) : 0);
            TRY(system_end_row(&row, err));
        }
    }
    return STATUS_OK;
}

/* ---- statistics ---- */

struct bounds {
    uint64_t rows, nulls;
    bool known; /* of every file, nulls too */
    bool any;
    struct value min, max;
};

/* Over the files; deleted rows count, unflushed ones do not. */
static struct bounds bounds_of(const struct view *view, uint32_t field)
{
    struct bounds all = {.known = true};
    int32_t id = view->schema->fields[field].id;
    for (uint32_t i = 0; i < view->segments_len; i++) {
        struct value min, max;
        uint64_t nulls = 0;
        all.rows += segment_info(view->segments[i]).rows;
        if (!segment_bounds(view->segments[i], id, &min, &max, &nulls)) {
            all.known = false;
            continue;
        }
        all.nulls += nulls;
        if (nulls == segment_info(view->segments[i]).rows)
            continue;
        enum type type;
        if (!segment_column_type(view->segments[i], id, &type) ||
            type != view->schema->fields[field].type) {
            all.known = false; /* from before it widened */
            continue;
        }
        if (!all.any || value_compare(&min, &all.min) < 0)
            all.min = min;
        if (!all.any || value_compare(&max, &all.max) > 0)
            all.max = max;
        all.any = true;
    }
    return all;
}

static void put_value(struct system_row *row, const struct value *value, bool known)
{
    struct buf text;
    struct json_writer w;
    if (!known) {
        system_put_text(row, STR_NONE);
        return;
    }
    buf_init(&text, 1 << 20);
    json_writer_init(&w, &text);
    value_write_json(&w, value);
    struct str json = buf_str(&text);
    bool quoted = json.len >= 2 && json.data[0] == '"' && !memchr(json.data, '\\', json.len);
    system_put_text(row, quoted ? str_make(json.data + 1, json.len - 2) : json);
    buf_release(&text);
}

enum status system_fill_statistics(struct system_fill *fill, struct error *err)
{
    for (uint32_t i = 0; i < fill->views->len; i++) {
        const struct view *view = &fill->views->views[i];
        for (uint32_t k = 0; k < view->schema->fields_len; k++) {
            struct bounds bounds = bounds_of(view, k);
            bool ranged = bounds.known && bounds.any;
            struct system_row row = {.fill = fill};
            system_put_text(&row, source_config(view->source)->source_id);
            system_put_text(&row, view->schema->fields[k].name);
            put_textz(&row, type_name(view->schema->fields[k].type));
            system_put_int(&row, (int64_t)bounds.rows);
            put_value(&row, &bounds.min, ranged);
            put_value(&row, &bounds.max, ranged);
            if (bounds.known)
                system_put_int(&row, (int64_t)bounds.nulls);
            else
                system_put_null(&row);
            TRY(system_end_row(&row, err));
        }
    }
    return STATUS_OK;
}

/* ---- queries ---- */

enum status system_fill_queries(struct system_fill *fill, struct error *err)
{
    struct tenant_node *node = fill->request->context;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&node->queries.lock);
    for (uint32_t i = 0; i < QUERIES_MAX && status == STATUS_OK; i++) {
        const struct running_query *query = &node->queries.entries[i];
        struct system_row row = {.fill = fill};
        if (!query->used)
            continue;
        put_textz(&row, query->id);
        put_textz(&row, query->text);
        system_put_time(&row, query->started_us);
        status = system_end_row(&row, err);
    }
    pthread_mutex_unlock(&node->queries.lock);
    return status;
}

/* ---- the standard's views ---- */

static const char *standard_type(enum type type)
{
    static const char *const names[TYPE_COUNT] = {
        [TYPE_BOOL] = "boolean",       [TYPE_INT64] = "bigint", [TYPE_DOUBLE] = "double precision",
        [TYPE_STRING] = "text",        [TYPE_JSON] = "json",    [TYPE_DATE] = "date",
        [TYPE_TIMESTAMP] = "timestamp"};
    return names[type];
}

enum status system_fill_standard_tables(struct system_fill *fill, struct error *err)
{
    const struct tenant_node *node = fill->request->context;
    for (uint32_t i = 0; i < fill->views->len; i++) {
        struct system_row row = {.fill = fill};
        put_textz(&row, node->options.tenant_id);
        put_textz(&row, "main");
        system_put_text(&row, source_config(fill->views->views[i].source)->source_id);
        put_textz(&row, "BASE TABLE");
        TRY(system_end_row(&row, err));
    }
    return STATUS_OK;
}

enum status system_fill_standard_columns(struct system_fill *fill, struct error *err)
{
    const struct tenant_node *node = fill->request->context;
    for (uint32_t i = 0; i < fill->views->len; i++) {
        const struct view *view = &fill->views->views[i];
        for (uint32_t k = 0; k < view->schema->fields_len; k++) {
            struct system_row row = {.fill = fill};
            put_textz(&row, node->options.tenant_id);
            put_textz(&row, "main");
            system_put_text(&row, source_config(view->source)->source_id);
            system_put_text(&row, view->schema->fields[k].name);
            system_put_int(&row, (int64_t)k + 1);
            put_textz(&row, view->schema->traits[k].required ? "NO" : "YES");
            put_textz(&row, standard_type(view->schema->fields[k].type));
            TRY(system_end_row(&row, err));
        }
    }
    return STATUS_OK;
}

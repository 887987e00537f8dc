/* stats_json.c: statistics as JSON: contracts 1.6 names of table and column statistics. */
#include <math.h>

#include "query/stats/table_stats.h"

static void write_common(const struct column_statistics *column, struct json_writer *w)
{
    json_keyz(w, "most_common");
    json_begin_array(w);
    for (uint32_t i = 0; i < column->common_len; i++) {
        json_begin_object(w);
        json_keyz(w, "value");
        value_write_json(w, &column->common[i].value);
        json_kv_double(w, "share", column->common[i].share);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_column(const struct column_statistics *column, struct json_writer *w)
{
    json_begin_object(w);
    json_kv_str(w, "name", column->name);
    json_kv_strz(w, "data_type", type_name(column->type));
    json_kv_int(w, "null_count", (int64_t)column->nulls);
    if (column->distinct < 0)
        json_kv_null(w, "distinct_count");
    else
        json_kv_int(w, "distinct_count", llround(column->distinct));
    json_keyz(w, "min_value");
    if (column->has_bounds)
        value_write_json(w, &column->min);
    else
        json_null(w);
    json_keyz(w, "max_value");
    if (column->has_bounds)
        value_write_json(w, &column->max);
    else
        json_null(w);
    write_common(column, w);
    json_end_object(w);
}

void table_stats_write(const struct table_stats *stats, struct json_writer *w)
{
    json_kv_int(w, "row_count", (int64_t)stats->rows);
    json_kv_int(w, "file_count", (int64_t)stats->files);
    json_kv_int(w, "size_bytes", (int64_t)stats->bytes);
    json_kv_int(w, "snapshot_id", (int64_t)stats->snapshot_id);
    json_kv_int(w, "sample_rows", stats->sample_rows);
    json_kv_int(w, "statistics_bytes", (int64_t)stats->sketch_bytes);
    json_kv_bool(w, "stale", stats->stale);
    json_keyz(w, "columns");
    json_begin_array(w);
    for (uint32_t i = 0; i < stats->columns_len; i++)
        write_column(&stats->columns[i], w);
    json_end_array(w);
}

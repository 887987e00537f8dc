/* partitions.c: GET /sources/{source_id}/partitions: the files of each partition as they are now.
 *
 * A partition is the folder of its files below the source's data/ ("order_date=2025-01-01"); "" is
 * the one of a source without partition columns. Rows that are not flushed yet are in no file. */
#include "services/tenant/tenant_int.h"

#include <stdlib.h>

struct part_file {
    struct str partition; /* borrows the segment's path */
    struct segment_info info;
    int64_t modified_us;
};

/* What stands between /data/ and the file's name. */
static struct str partition_of(const char *path)
{
    const char *end = strrchr(path, '/'), *start = strstr(path, "/data/");
    const char *next = start;
    while ((next = next ? strstr(next + 1, "/data/") : NULL) && next < end)
        start = next; /* the last one: folders above may be called so, too */
    if (!start || !end || start + 5 >= end)
        return STR("");
    return str_make(start + 6, (size_t)(end - start) - 6);
}

static int compare_files(const void *a, const void *b)
{
    const struct part_file *x = a, *y = b;
    int order = str_cmp(x->partition, y->partition);
    return order ? order : (x->info.id > y->info.id) - (x->info.id < y->info.id);
}

static struct part_file *list_files(struct request *request, const struct view *view)
{
    struct sys *sys = ((struct tenant_node *)request->context)->sys;
    struct part_file *files = arena_array(request->arena, view->segments_len, sizeof *files);
    for (uint32_t i = 0; files && i < view->segments_len; i++) {
        struct sys_stat stat = {0};
        files[i].info = segment_info(view->segments[i]);
        files[i].partition = partition_of(files[i].info.path);
        if (sys_stat(sys, files[i].info.path, &stat, NULL) == STATUS_OK)
            files[i].modified_us = stat.modified_us;
    }
    if (files)
        qsort(files, view->segments_len, sizeof *files, compare_files);
    return files;
}

static void write_file(struct json_writer *w, const struct part_file *file)
{
    const char *name = strrchr(file->info.path, '/');
    json_begin_object(w);
    json_kv_strz(w, "file", name ? name + 1 : file->info.path);
    json_kv_int(w, "row_count", (int64_t)file->info.rows);
    json_kv_int(w, "file_size", (int64_t)file->info.bytes);
    tenant_write_time(w, "last_modified", file->modified_us);
    json_end_object(w);
}

static void write_partition(struct json_writer *w, const struct part_file *files, uint32_t len)
{
    uint64_t rows = 0, bytes = 0;
    int64_t modified_us = 0;
    json_begin_object(w);
    json_kv_str(w, "partition", files[0].partition);
    json_keyz(w, "files");
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++) {
        write_file(w, &files[i]);
        rows += files[i].info.rows;
        bytes += files[i].info.bytes;
        modified_us = files[i].modified_us > modified_us ? files[i].modified_us : modified_us;
    }
    json_end_array(w);
    json_keyz(w, "file_stats");
    json_begin_object(w);
    json_kv_int(w, "row_count", (int64_t)rows);
    json_kv_int(w, "file_size", (int64_t)bytes);
    tenant_write_time(w, "last_modified", modified_us);
    json_end_object(w);
    json_end_object(w);
}

static void write_list(struct json_writer *w, const char *key, const struct str *names,
                       uint32_t len)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++)
        json_string(w, names[i]);
    json_end_array(w);
}

static void write_source(struct json_writer *w, const struct view *view,
                         const struct part_file *files)
{
    const struct source_config *config = source_config(view->source);
    uint64_t unflushed = 0;
    json_kv_str(w, "source_id", config->source_id);
    json_keyz(w, "partitions");
    json_begin_array(w);
    for (uint32_t i = 0, next; i < view->segments_len; i = next) {
        for (next = i + 1;
             next < view->segments_len && str_eq(files[next].partition, files[i].partition);)
            next++;
        write_partition(w, &files[i], next - i);
    }
    json_end_array(w);
    for (uint32_t i = 0; i < view->chunks_len; i++)
        unflushed += view->chunks[i]->rows - deletion_count(view->chunk_deletions[i]);
    json_kv_int(w, "unflushed_rows", (int64_t)unflushed);
    json_keyz(w, "index_info");
    json_begin_object(w);
    write_list(w, "index_columns", config->index_columns, config->index_columns_len);
    write_list(w, "partition_columns", config->partition_columns, config->partition_columns_len);
    json_end_object(w);
}

enum status handle_source_partitions(struct request *request)
{
    struct error *err = &request->error;
    struct source *source = NULL;
    struct view view;
    struct answer answer;
    TRY(store_get_source(((struct tenant_node *)request->context)->store,
                         request_path_param(request, "source_id"), &source, err));
    enum status status = view_open(source, &view, err);
    source_unref(source);
    TRY(status);
    struct part_file *files = list_files(request, &view);
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    if (files)
        write_source(&answer.w, &view, files);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    status = files ? answer_end(&answer, err) : error_no_memory(err);
    answer_release(&answer);
    view_close(&view);
    return status;
}

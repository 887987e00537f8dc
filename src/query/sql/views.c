/* views.c: sql_query over pinned views; the only file here that knows the store. */
#include <stdlib.h>

#include "query/sql/sql_int.h"

static struct str view_name(void *context, uint32_t index)
{
    const struct sql_request *request = context;
    const struct sql_table *table = &request->tables[index];
    return table->name.data ? table->name : source_config(table->view->source)->source_id;
}

/* Rows in one file that is no source's. */
static enum status file_table(const struct sql_table *table, struct sql_file_list *ret,
                              struct error *err)
{
    const char **paths = calloc(1, sizeof *paths);
    if (!paths)
        return error_no_memory(err);
    paths[0] = table->path;
    *ret = (struct sql_file_list){
        .fields = table->fields, .fields_len = table->fields_len, .paths = paths, .paths_len = 1};
    return STATUS_OK;
}

static const struct value **view_initials(const struct schema *schema)
{
    const struct value **initials = calloc(schema->fields_len + 1u, sizeof *initials);
    for (uint32_t i = 0; initials && i < schema->fields_len; i++)
        initials[i] = schema->traits[i].initial;
    return initials;
}

/* The engine opens all files by name before it runs; many files have no statistics there anyway. */
enum { BY_NAME_FILES_MAX = 16 };

static enum status find_by_name(struct view *view, struct sql_file_list *list, struct error *err)
{
    return list->paths_len > BY_NAME_FILES_MAX ? STATUS_OK
                                               : view_is_uniform(view, &list->by_name, err);
}

static void count_rows(const struct view *view, struct sql_file_list *list)
{
    for (uint32_t i = 0; i < list->paths_len; i++) {
        uint64_t rows = i < view->segments_len ? segment_info(view->segments[i]).rows
                                               : view->chunks[i - view->segments_len]->rows;
        *(list->deletes && list->deletes[i] ? &list->dirty_rows : &list->rows) += rows;
    }
}

static enum status view_files(void *context, uint32_t index, struct sql_file_list *ret,
                              struct error *err)
{
    const struct sql_request *request = context;
    const struct sql_table *table = &request->tables[index];
    struct view *view = table->view;
    const char **overlay;
    uint32_t overlay_len;
    if (!view)
        return file_table(table, ret, err);
    TRY(view_overlay_files(view, &overlay, &overlay_len, err));
    size_t len = (size_t)view->segments_len + overlay_len;
    const char **paths = calloc(len ? len : 1, sizeof *paths);
    if (!paths) {
        free((void *)overlay);
        return error_no_memory(err);
    }
    for (uint32_t i = 0; i < view->segments_len; i++)
        paths[i] = segment_info(view->segments[i]).path;
    for (uint32_t i = 0; i < overlay_len; i++)
        paths[view->segments_len + i] = overlay[i];
    free((void *)overlay);
    *ret = (struct sql_file_list){.fields = view->schema->fields,
                                  .fields_len = view->schema->fields_len,
                                  .initials = view_initials(view->schema),
                                  .paths = paths,
                                  .paths_len = (uint32_t)len,
                                  .with_positions = table->with_positions};
    enum status status = ret->initials ? find_by_name(view, ret, err) : error_no_memory(err);
    if (status == STATUS_OK)
        status = view_delete_files(view, &ret->deletes, err);
    if (status == STATUS_OK) {
        count_rows(view, ret);
        return STATUS_OK;
    }
    free((void *)ret->initials);
    free(paths);
    return status;
}

enum status sql_query(struct sql_pool *pool, const struct sql_request *request,
                      const struct sql_sink *sink, struct sql_stats *ret_stats, struct error *err)
{
    struct sql_tables tables = {(void *)(uintptr_t)request, request->tables_len, view_name,
                                view_files};
    return sql_pool_run(pool, request, &tables, sink, ret_stats, err);
}

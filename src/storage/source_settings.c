/* source_settings.c: what may be changed of a source besides columns and indexes. The settings in
 * force stand in source.json and in `present`, as with indexes (source_index.c). */
#include "storage/store_int.h"

static enum status check_column(struct source *source, struct str column, struct error *err)
{
    struct schema *schema = source_schema(source);
    int32_t at = schema_find(schema, column);
    enum type type = at >= 0 ? schema->fields[at].type : TYPE_STRING;
    schema_unref(schema);
    if (at < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "retention_column: the source has no column \"%.*s\"",
                         column.len < 100 ? (int)column.len : 100, column.data);
    if (type != TYPE_DATE && type != TYPE_TIMESTAMP)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "retention_column: \"%.*s\" is of type %s, neither date nor timestamp",
                         column.len < 100 ? (int)column.len : 100, column.data, type_name(type));
    return STATUS_OK;
}

/* flush_lock is held. */
static enum status set_locked(struct source *source, const struct source_settings *settings,
                              struct error *err)
{
    struct source_config draft = *source_config(source);
    char path[SYS_PATH_MAX];
    if (source_is_removed(source))
        return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source \"%.*s\"",
                         STR_ARG(draft.source_id));
    if (settings->retention_column.len)
        TRY(check_column(source, settings->retention_column, err));
    draft.settings = *settings;
    TRY(source_config_check(&draft, err));
    struct source_config *present = ARENA_NEW(&source->arena, struct source_config);
    if (!present)
        return error_no_memory(err);
    TRY(source_config_copy(&source->arena, &draft, present, err));
    TRY(sys_path(path, err, "%s/source.json", source->dir));
    TRY(source_config_write(source->store->sys, path, present, source->incarnation,
                            source->created_us, err));
    atomic_store_explicit(&source->present, present, memory_order_release);
    return STATUS_OK;
}

enum status source_set(struct source *source, const struct source_settings *settings,
                       struct error *err)
{
    if (source->store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    pthread_mutex_lock(&source->flush_lock);
    enum status status = set_locked(source, settings, err);
    pthread_mutex_unlock(&source->flush_lock);
    if (status == STATUS_OK) {
        atomic_store(&source->retention_due, true);
        compactor_wake(source);
    }
    return status;
}

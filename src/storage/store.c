/* store.c: opening and closing a store; finding its sources. */
#include "storage/store_int.h"

#include <stdlib.h>

static void fill_defaults(struct store *store, const struct store_options *options)
{
    store->options = *options;
    store->options.path = store->path;
    if (!store->options.memtable_bytes)
        store->options.memtable_bytes = STORE_MEMTABLE_BYTES;
    if (!store->options.memtable_max_bytes)
        store->options.memtable_max_bytes = 2 * store->options.memtable_bytes;
    store->chunk_indexes.max = store->options.memtable_max_bytes / CHUNK_INDEX_SHARE;
    if (!store->options.page_cache_bytes)
        store->options.page_cache_bytes = STORE_PAGE_CACHE_BYTES;
    if (!store->options.flush_age_us)
        store->options.flush_age_us = STORE_FLUSH_AGE_US;
    if (!store->options.flush_threads)
        store->options.flush_threads = 1;
    if (store->options.flush_threads > STORE_FLUSH_THREADS_MAX)
        store->options.flush_threads = STORE_FLUSH_THREADS_MAX;
}

static enum status lock_directory(struct store *store, struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/lock", store->path));
    TRY(sys_open(store->sys, path, SYS_READ | SYS_WRITE | SYS_CREATE, &store->lock_file, err));
    enum status status = sys_lock(store->sys, store->lock_file, err);
    if (status == STATUS_CONFLICT)
        return error_set(err, STATUS_CONFLICT, "%s is in use by another process", store->path);
    return status;
}

/* Makes the directory and syncs its name, and those above it: one that an earlier start has made
 * may not be on disk yet. Directories that are not ours may refuse to be synced. */
static enum status make_path(struct sys *sys, const char *path, struct error *err)
{
    char part[SYS_PATH_MAX], parent[SYS_PATH_MAX] = ".";
    TRY(sys_path(part, err, "%s", path));
    for (char *at = part + 1; part[0]; at++) {
        if (*at && *at != '/')
            continue;
        char end = *at;
        *at = 0;
        struct error local = ERROR_INIT;
        enum status status = sys_mkdir(sys, part, &local);
        bool made = status == STATUS_OK;
        if (part[0] == '/' && !strchr(part + 1, '/'))
            TRY(sys_path(parent, err, "/"));
        enum status synced =
            made || status == STATUS_CONFLICT ? sys_sync_dir(sys, parent, &local) : STATUS_OK;
        if (made && synced != STATUS_OK) {
            if (err)
                *err = local;
            return synced;
        }
        TRY(sys_path(parent, err, "%s", part));
        if (!end)
            break;
        *at = end;
    }
    return sys_mkdirs(sys, path, err);
}

static enum status make_directories(struct store *store, struct error *err)
{
    static const char *const names[] = {"sources", "wal", "run"};
    char path[SYS_PATH_MAX];
    TRY(make_path(store->sys, store->path, err));
    TRY(lock_directory(store, err));
    TRY(sys_path(path, err, "%s/run", store->path));
    TRY(sys_remove_tree(store->sys, path, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TRY(sys_path(path, err, "%s/%s", store->path, names[i]));
        TRY(sys_mkdirs(store->sys, path, err));
    }
    return sys_sync_dir(store->sys, store->path, err);
}

static void init_locks(struct store *store)
{
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->memory_lock, NULL);
    thread_cond_init(&store->memory_freed);
    thread_cond_init(&store->flush_work);
    thread_cond_init(&store->index_work);
}

enum status store_open(struct sys *sys, const struct store_options *options,
                       struct store **ret_store, struct error *err)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return error_no_memory(err);
    store->sys = sys;
    init_locks(store);
    enum status status = sys_path(store->path, err, "%s", options->path);
    fill_defaults(store, options);
    reader_pool_init(&store->readers, store->options.page_cache_bytes);
    if (status == STATUS_OK && !options->read_only)
        status = make_directories(store, err);
    if (status == STATUS_OK)
        status = store_recover(store, err);
    if (status == STATUS_OK && !options->read_only)
        status = store_flush_start(store, err);
    if (status == STATUS_OK && !options->read_only)
        status = compactor_start(store, err);
    if (status == STATUS_OK && !options->read_only)
        status = store_index_start(store, err);
    if (status != STATUS_OK) {
        store_close(store, false);
        return status;
    }
    *ret_store = store;
    return STATUS_OK;
}

static void flush_all(struct store *store)
{
    struct source **sources = NULL;
    uint32_t len = 0;
    if (store_list_sources(store, &sources, &len, NULL) != STATUS_OK)
        return; /* the log has everything */
    for (uint32_t i = 0; i < len; i++) {
        (void)source_flush(sources[i], NULL); /* the log has it */
        source_unref(sources[i]);
    }
    free(sources);
}

void store_close(struct store *store, bool flush)
{
    if (!store)
        return;
    atomic_store(&store->closing, true);
    compactor_stop(store); /* a merge under way is abandoned */
    if (flush && store->flush_threads_len)
        flush_all(store);
    store_flush_stop(store);
    store_index_stop(store);
    compactor_release(store);
    wal_close(store->wal);
    store_after_group(store);
    for (uint32_t i = 0; i < store->sources_len; i++)
        source_unref(store->sources[i]);
    free(store->sources);
    reader_pool_release(&store->readers);
    sys_close(store->sys, store->lock_file);
    pthread_cond_destroy(&store->index_work);
    pthread_cond_destroy(&store->flush_work);
    pthread_cond_destroy(&store->memory_freed);
    pthread_mutex_destroy(&store->memory_lock);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

uint32_t store_position(const struct store *store, struct str source_id, bool *ret_found)
{
    uint32_t low = 0, high = store->sources_len;
    *ret_found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(store->sources[middle]->config.source_id, source_id);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum status store_insert_source(struct store *store, struct source *source, struct error *err)
{
    bool found;
    uint32_t at = store_position(store, source->config.source_id, &found);
    if (found || store->sources_len >= STORE_SOURCES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a store has at most %d sources",
                         STORE_SOURCES_MAX);
    if (store->sources_len == store->sources_cap) {
        uint32_t cap = store->sources_cap ? store->sources_cap * 2 : 16;
        struct source **grown = realloc(store->sources, cap * sizeof(*grown));
        if (!grown)
            return error_no_memory(err);
        store->sources = grown;
        store->sources_cap = cap;
    }
    memmove(store->sources + at + 1, store->sources + at,
            (store->sources_len - at) * sizeof(*store->sources));
    store->sources[at] = source;
    store->sources_len++;
    return STATUS_OK;
}

enum status store_get_source(struct store *store, struct str source_id, struct source **ret_source,
                             struct error *err)
{
    bool found;
    pthread_mutex_lock(&store->lock);
    uint32_t at = store_position(store, source_id, &found);
    if (found)
        *ret_source = source_ref(store->sources[at]);
    pthread_mutex_unlock(&store->lock);
    if (found)
        return STATUS_OK;
    int shown = source_id.len < SOURCE_ID_MAX ? (int)source_id.len : SOURCE_ID_MAX;
    return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source \"%.*s\"", shown,
                     source_id.data);
}

enum status store_list_sources(struct store *store, struct source ***ret_sources, uint32_t *ret_len,
                               struct error *err)
{
    pthread_mutex_lock(&store->lock);
    uint32_t len = store->sources_len;
    struct source **list = malloc((len ? len : 1) * sizeof(*list));
    for (uint32_t i = 0; list && i < len; i++)
        list[i] = source_ref(store->sources[i]);
    pthread_mutex_unlock(&store->lock);
    if (!list)
        return error_no_memory(err);
    *ret_sources = list;
    *ret_len = len;
    return STATUS_OK;
}

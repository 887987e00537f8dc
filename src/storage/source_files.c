/* source_files.c: a source's files for those who check and copy them. */
#include "storage/source_files.h"

#include "storage/store_int.h"

enum status source_find_orphans(struct sys *sys, const char *dir, orphan_fn visit, void *context,
                                struct error *err)
{
    struct store shell = {.sys = sys, .options = {.read_only = true}};
    struct source *source = NULL;
    pthread_mutex_init(&shell.memory_lock, NULL);
    pthread_cond_init(&shell.memory_freed, NULL);
    enum status status = source_load(&shell, dir, &source, err);
    if (status == STATUS_OK) {
        status = source_visit_orphans(source, visit, context, err);
        source_unref(source);
    }
    pthread_cond_destroy(&shell.memory_freed);
    pthread_mutex_destroy(&shell.memory_lock);
    return status;
}

struct sys *store_sys(const struct store *store)
{
    return store->sys;
}

const char *store_path(const struct store *store)
{
    return store->path;
}

bool source_is_removed(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    bool removed = source->removed;
    pthread_mutex_unlock(&source->lock);
    return removed;
}

enum status source_pin(struct source *source,
                       enum status (*fn)(void *context, const struct source_pin *pin,
                                         struct error *err),
                       void *context, struct source_pin *ret, struct error *err)
{
    *ret = (struct source_pin){.source = source};
    pthread_mutex_lock(&source->flush_lock);
    pthread_mutex_lock(&source->store->lock); /* a removed source's directory may move */
    enum status status = sys_path(ret->dir, err, "%s", source->dir);
    pthread_mutex_unlock(&source->store->lock);
    pthread_mutex_lock(&source->lock);
    ret->snapshot = snapshot_ref(source->snapshot);
    pthread_mutex_unlock(&source->lock);
    ret->config = source_config(source);
    ret->table = source->table;
    if (status == STATUS_OK && fn)
        status = fn(context, ret, err);
    ret->table = NULL;
    pthread_mutex_unlock(&source->flush_lock);
    if (status != STATUS_OK)
        source_unpin(ret);
    return status;
}

void source_unpin(struct source_pin *pin)
{
    if (!pin->snapshot)
        return;
    snapshot_unref(pin->snapshot);
    pin->snapshot = NULL;
    if (atomic_load(&pin->source->history.doomed_len)) /* files that only we held */
        compactor_wake(pin->source);
}

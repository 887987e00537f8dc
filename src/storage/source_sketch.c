/* source_sketch.c: the sketch of a source's flushed rows: its file is read when it is first needed,
 * every flush adds its rows, whoever looks has a reference to one that does not change.
 *
 * It is a help for estimates: when it cannot be read, does not fit the columns any more or memory
 * is out, there is none, and the query side makes a new one (source_set_sketch). So nothing here
 * can fail a flush. Compaction changes no rows, so it changes no sketch. */
#include "storage/store_int.h"

static enum status sketch_path(const struct source *source, char path[SYS_PATH_MAX],
                               struct error *err)
{
    return sys_path(path, err, "%s/statistics", source->dir);
}

/* source->sketch_lock is held. */
static void load_locked(struct source *source)
{
    char path[SYS_PATH_MAX];
    if (source->sketch_loaded)
        return;
    source->sketch_loaded = true;
    if (sketch_path(source, path, NULL) == STATUS_OK)
        (void)sketch_read(source->store->sys, path, &source->sketch, NULL); /* made again */
}

/* source->sketch_lock is held; what names other columns than it did is of no use. */
static void drop_misfit_locked(struct source *source)
{
    struct schema *schema = source_schema(source);
    if (source->sketch && !sketch_fits(source->sketch, schema->fields, schema->fields_len)) {
        sketch_unref(source->sketch);
        source->sketch = NULL;
    }
    schema_unref(schema);
}

struct sketch *source_sketch(struct source *source)
{
    pthread_mutex_lock(&source->sketch_lock);
    load_locked(source);
    drop_misfit_locked(source);
    struct sketch *sketch = source->sketch ? sketch_ref(source->sketch) : NULL;
    pthread_mutex_unlock(&source->sketch_lock);
    return sketch;
}

static void replace_locked(struct source *source, struct sketch *sketch)
{
    sketch_unref(source->sketch);
    source->sketch = sketch;
    source->sketch_unsaved = true;
}

/* The mark tells whether rows were flushed while the caller looked at the older ones. */
uint64_t source_sketch_mark(struct source *source)
{
    pthread_mutex_lock(&source->sketch_lock);
    uint64_t mark = source->sketch_flushes;
    pthread_mutex_unlock(&source->sketch_lock);
    return mark;
}

bool source_set_sketch(struct source *source, struct sketch *sketch, uint64_t mark)
{
    pthread_mutex_lock(&source->sketch_lock);
    bool fresh = source->sketch_flushes == mark;
    source->sketch_loaded = true;
    if (fresh)
        replace_locked(source, sketch);
    pthread_mutex_unlock(&source->sketch_lock);
    if (!fresh)
        sketch_unref(sketch);
    return fresh;
}

void source_sketch_flushed(struct source *source, const struct sketch *rows)
{
    struct sketch *both = NULL;
    pthread_mutex_lock(&source->sketch_lock);
    load_locked(source);
    drop_misfit_locked(source);
    source->sketch_flushes++;
    if (rows && sketch_merged(source->sketch, rows, &both, NULL) == STATUS_OK)
        replace_locked(source, both);
    pthread_mutex_unlock(&source->sketch_lock);
}

enum status source_save_sketch(struct source *source, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sketch *sketch = NULL;
    pthread_mutex_lock(&source->sketch_lock);
    if (source->sketch_unsaved && source->sketch)
        sketch = sketch_ref(source->sketch);
    source->sketch_unsaved = false;
    pthread_mutex_unlock(&source->sketch_lock);
    if (!sketch)
        return STATUS_OK;
    enum status status = source_is_removed(source) ? STATUS_OK : sketch_path(source, path, err);
    if (status == STATUS_OK && !source_is_removed(source))
        status = sketch_write(sketch, source->store->sys, path, err);
    sketch_unref(sketch);
    return status;
}

/* partials.c: a question's key is everything but the file; a file's key is that and its number.
 *
 * The steps: (1) the base, if the view's list of files begins with the base's; (2) files behind it,
 * each from its kept partial or by reading it; (3) the sum becomes the new base, unless some file
 * has deleted rows; (4) unflushed rows, into a copy. */
#include "query/optimize/partials.h"

#include <stdio.h>
#include <stdlib.h>

#include "query/exec/parallel.h"

/* An aggregate that does not change any more, counted. */
struct partial {
    _Atomic uint32_t refs;
    struct aggregate *agg;
    uint32_t files;      /* a base: of this many files, */
    uint64_t files_hash; /* with these numbers */
    uint64_t rows;
};

static void partial_ref(void *value)
{
    struct partial *partial = value;
    atomic_fetch_add_explicit(&partial->refs, 1, memory_order_relaxed);
}

static void partial_unref(void *value)
{
    struct partial *partial = value;
    if (!partial || atomic_fetch_sub_explicit(&partial->refs, 1, memory_order_acq_rel) != 1)
        return;
    aggregate_free(partial->agg);
    free(partial);
}

static const struct value_cache_kind partial_kind = {partial_ref, partial_unref};

/* The aggregate is taken, also by a failure (NULL). */
static struct partial *partial_new(struct aggregate *agg)
{
    struct partial *partial = calloc(1, sizeof *partial);
    if (!partial) {
        aggregate_free(agg);
        return NULL;
    }
    atomic_init(&partial->refs, 1);
    partial->agg = agg;
    return partial;
}

/* A file that was read. */
struct fresh {
    struct aggregate *agg; /* NULL: it was not, or is used up */
    struct exec_stats stats;
    int64_t us;
};

struct work {
    struct value_cache *cache;
    struct view *view;
    const struct query_shape *shape;
    const struct exec_context *context;
    struct exec_stats *stats;
    struct buf key; /* of the question; a file's number comes behind it */
    size_t key_len;
    struct fresh *fresh; /* as the view's files; NULL: none was read beforehand */
    uint32_t *missing;   /* files to be read */
    uint32_t missing_len;
};

/* --- keys --- */

static void put_part(struct buf *key, struct str text)
{
    buf_append_u32(key, text.data ? (uint32_t)text.len : UINT32_MAX);
    buf_append_str(key, text);
}

static bool make_key(const struct view *view, const struct query_shape *shape, struct buf *key)
{
    struct json_writer w;
    struct uuid incarnation = source_incarnation(view->source);
    buf_init(key, 1 << 20);
    buf_append(key, &incarnation, sizeof incarnation);
    buf_append_u32(key, (uint32_t)view->schema->id);
    buf_append_u32(key, view->schema->epoch);
    for (uint32_t i = 0; i < shape->specs_len; i++) {
        buf_append_u32(key, (uint32_t)shape->specs[i].kind);
        buf_append(key, &shape->specs[i].percentile, sizeof shape->specs[i].percentile);
        put_part(key, shape->specs[i].column);
    }
    for (uint32_t i = 0; i < shape->keys_len; i++)
        put_part(key, shape->keys[i]);
    buf_append_char(key, '{');
    json_writer_init(&w, key);
    if (shape->filters)
        json_value(&w, shape->filters);
    return !buf_failed(key);
}

static struct str file_key(struct work *work, uint32_t file)
{
    work->key.len = work->key_len;
    buf_append_u64(&work->key, segment_info(work->view->segments[file]).id);
    return buf_str(&work->key);
}

static struct str base_key(struct work *work)
{
    work->key.len = work->key_len;
    return buf_str(&work->key);
}

static bool has_deleted(const struct view *view, uint32_t file)
{
    return view->deletions && deletion_count(view->deletions[file]) > 0;
}

/* Of the numbers of the first `files` files. */
static uint64_t hash_files(const struct view *view, uint32_t files)
{
    uint64_t hash = files;
    for (uint32_t i = 0; i < files; i++) {
        uint64_t pair[2] = {hash, segment_info(view->segments[i]).id};
        hash = str_hash(str_make((const char *)pair, sizeof pair));
    }
    return hash;
}

static bool base_fits(const struct partial *base, const struct view *view)
{
    if (!base || base->files > view->segments_len ||
        hash_files(view, base->files) != base->files_hash)
        return false;
    for (uint32_t i = 0; i < base->files; i++)
        if (has_deleted(view, i))
            return false;
    return true;
}

/* --- parts of a view --- */

/* Files [first, first + files) and, when asked for, the unflushed rows. It has no source, so that
 * no index over all files is asked. */
static struct view part_of(const struct view *view, uint32_t first, uint32_t files, bool chunks)
{
    struct view part = *view;
    part.source = NULL;
    part.segments = view->segments + first;
    part.segments_len = files;
    part.deletions = view->deletions ? view->deletions + first : NULL;
    part.chunks_len = chunks ? view->chunks_len : 0;
    part.rows = 0;
    for (uint32_t i = 0; i < files; i++)
        part.rows += segment_info(part.segments[i]).rows;
    return part;
}

static enum status new_aggregate(const struct work *work, struct aggregate **ret, struct error *err)
{
    const struct query_shape *shape = work->shape;
    TRY(aggregate_new(shape->specs, shape->specs_len, shape->keys, shape->keys_len, ret, err));
    aggregate_compute(*ret, shape->computed, shape->computed_len);
    return STATUS_OK;
}

static enum status add_part(struct work *work, struct aggregate *agg, struct view *part,
                            struct error *err)
{
    return aggregate_add_view(agg, part, work->shape->filter, work->context, work->stats, err);
}

static enum status read_file(const struct work *work, uint32_t file, uint32_t threads,
                             struct fresh *ret, struct error *err)
{
    struct view part = part_of(work->view, file, 1, false);
    struct exec_context context = *work->context;
    int64_t began_us = sys_mono_us(context.sys);
    context.threads = threads;
    TRY(new_aggregate(work, &ret->agg, err));
    TRY(aggregate_add_view(ret->agg, &part, work->shape->filter, &context, &ret->stats, err));
    ret->us = sys_mono_us(context.sys) - began_us;
    return STATUS_OK;
}

/* The aggregate is taken. */
static void keep_file(struct work *work, uint32_t file, struct fresh *fresh)
{
    struct aggregate *agg = fresh->agg;
    struct partial *partial = partial_new(agg);
    fresh->agg = NULL;
    if (!partial)
        return;
    if (!has_deleted(work->view, file))
        value_cache_put(work->cache, file_key(work, file), partial, &partial_kind,
                        aggregate_memory(agg), fresh->us);
    partial_unref(partial);
}

/* A file that is not known: read beforehand or now. */
static enum status add_read(struct work *work, uint32_t file, struct aggregate *into,
                            struct error *err)
{
    struct fresh now = {0}, *fresh = work->fresh ? &work->fresh[file] : &now;
    enum status status =
        fresh->agg ? STATUS_OK : read_file(work, file, work->context->threads, fresh, err);
    if (status == STATUS_OK)
        status = aggregate_merge(into, fresh->agg, err);
    exec_stats_add(work->stats, &fresh->stats);
    if (status == STATUS_OK) {
        keep_file(work, file, fresh);
        return STATUS_OK;
    }
    aggregate_free(fresh->agg);
    fresh->agg = NULL;
    return status;
}

static enum status add_file(struct work *work, uint32_t file, struct aggregate *into,
                            struct error *err)
{
    struct partial *known =
        has_deleted(work->view, file)
            ? NULL
            : value_cache_get(work->cache, VALUE_CACHE_PARTIALS, file_key(work, file));
    if (!known)
        return add_read(work, file, into, err);
    enum status status = aggregate_merge(into, known->agg, err);
    work->stats->segments++;
    partial_unref(known);
    return status;
}

static enum status read_task(void *context, uint32_t task, struct error *err)
{
    struct work *work = context;
    uint32_t file = work->missing[task];
    return read_file(work, file, 1, &work->fresh[file], err);
}

/* Several files that are not known are read at the same time. */
static enum status read_missing(struct work *work, uint32_t from, struct error *err)
{
    uint32_t files = work->view->segments_len;
    if (work->context->threads < 2)
        return STATUS_OK;
    work->fresh = calloc((size_t)files + 1, sizeof *work->fresh);
    work->missing = calloc((size_t)files + 1, sizeof *work->missing);
    if (!work->fresh || !work->missing)
        return error_no_memory(err);
    for (uint32_t i = from; i < files; i++)
        if (has_deleted(work->view, i) || !value_cache_has(work->cache, file_key(work, i)))
            work->missing[work->missing_len++] = i;
    if (work->missing_len < 2)
        return STATUS_OK; /* its row groups are shared */
    return parallel_run(work->context->threads, work->missing_len, read_task, work, err);
}

static void release_fresh(struct work *work)
{
    for (uint32_t i = 0; work->fresh && i < work->view->segments_len; i++)
        aggregate_free(work->fresh[i].agg);
    free(work->fresh);
    free(work->missing);
}

static enum status add_files(struct work *work, uint32_t from, bool per_file,
                             struct aggregate *into, struct error *err)
{
    uint32_t files = work->view->segments_len - from;
    struct view rest = part_of(work->view, from, files, false);
    if (!per_file)
        return files ? add_part(work, into, &rest, err) : STATUS_OK;
    TRY(read_missing(work, from, err));
    for (uint32_t i = from; i < work->view->segments_len; i++)
        TRY(add_file(work, i, into, err));
    return STATUS_OK;
}

/* --- the whole --- */

static void keep_base(struct work *work, struct partial *base, int64_t cost_us)
{
    const struct view *view = work->view;
    for (uint32_t i = 0; i < view->segments_len; i++)
        if (has_deleted(view, i))
            return;
    base->files = view->segments_len;
    base->files_hash = hash_files(view, view->segments_len);
    for (uint32_t i = 0; i < view->segments_len; i++)
        base->rows += segment_info(view->segments[i]).rows;
    value_cache_put(work->cache, base_key(work), base, &partial_kind, aggregate_memory(base->agg),
                    cost_us);
}

/* All files: *ret is referenced. */
static enum status sum_files(struct work *work, bool per_file, struct partial **ret,
                             struct error *err)
{
    struct partial *base = value_cache_get(work->cache, VALUE_CACHE_PARTIALS, base_key(work));
    struct aggregate *sum = NULL;
    int64_t began_us = sys_mono_us(work->context->sys);
    bool fits = base_fits(base, work->view);
    if (fits && base->files == work->view->segments_len) {
        work->stats->segments += base->files;
        *ret = base;
        return STATUS_OK;
    }
    enum status status = new_aggregate(work, &sum, err);
    if (status == STATUS_OK && fits) {
        work->stats->segments += base->files;
        status = aggregate_merge(sum, base->agg, err);
    }
    if (status == STATUS_OK)
        status = add_files(work, fits ? base->files : 0, per_file, sum, err);
    partial_unref(base);
    if (status != STATUS_OK) {
        aggregate_free(sum);
        return status;
    }
    *ret = partial_new(sum);
    if (!*ret)
        return error_no_memory(err);
    keep_base(work, *ret, sys_mono_us(work->context->sys) - began_us);
    return STATUS_OK;
}

/* The files' sum and the unflushed rows. */
static enum status finish(struct work *work, bool per_file, struct aggregate **ret,
                          struct error *err)
{
    struct partial *files = NULL;
    TRY(sum_files(work, per_file, &files, err));
    struct view chunks = part_of(work->view, 0, 0, true);
    enum status status = new_aggregate(work, ret, err);
    if (status == STATUS_OK)
        status = aggregate_merge(*ret, files->agg, err);
    partial_unref(files);
    if (status == STATUS_OK && chunks.chunks_len)
        status = add_part(work, *ret, &chunks, err);
    if (status != STATUS_OK) {
        aggregate_free(*ret);
        *ret = NULL;
    }
    return status;
}

enum status partials_aggregate(struct value_cache *cache, struct view *view,
                               const struct query_shape *shape, bool per_file,
                               const struct exec_context *context, struct exec_stats *stats,
                               struct aggregate **ret, struct error *err)
{
    struct work work = {
        .cache = cache, .view = view, .shape = shape, .context = context, .stats = stats};
    *ret = NULL;
    enum status status =
        make_key(view, shape, &work.key) ? STATUS_OK : buf_check(&work.key, "the question", err);
    work.key_len = work.key.len;
    if (status == STATUS_OK)
        status = finish(&work, per_file, ret, err);
    release_fresh(&work);
    buf_release(&work.key);
    return status;
}

void partials_known(struct value_cache *cache, const struct view *view,
                    const struct query_shape *shape, uint64_t *ret_files, uint64_t *ret_rows)
{
    struct work work = {.cache = cache, .view = (struct view *)(uintptr_t)view, .shape = shape};
    *ret_files = *ret_rows = 0;
    bool made = make_key(view, shape, &work.key);
    work.key_len = work.key.len;
    struct partial *base =
        made ? value_cache_get(cache, VALUE_CACHE_PARTIALS, base_key(&work)) : NULL;
    uint32_t from = base_fits(base, view) ? base->files : 0;
    if (from) {
        *ret_files = from;
        *ret_rows = base->rows;
    }
    partial_unref(base);
    for (uint32_t i = from; made && i < view->segments_len; i++) {
        if (has_deleted(view, i) || !value_cache_has(cache, file_key(&work, i)))
            continue;
        ++*ret_files;
        *ret_rows += segment_info(view->segments[i]).rows;
    }
    buf_release(&work.key);
}

/* compact_plan.c: which files to join.
 *
 * In each partition the small files (below min_file_bytes) are put in order of size and cut into
 * size classes: a file joins a class while it is not larger than all smaller ones of the class
 * together (or than COMPACT_TIER_FLOOR_BYTES). A class is joined when it has small_file_threshold
 * files. So a row is rewritten about log(threshold) of (size / first size) times, as in size-tiered
 * LSM trees, not once for every ten new files. With `force`, when a partition has too many small
 * files, or when the source has been quiet for age_threshold_us, all small files are one class.
 *
 * A file of any size of which more than COMPACT_DELETED_SHARE of the rows are deleted (with
 * `force`: any) is a class of its own when no other takes it.
 *
 * Files from before a column widened are rewritten first, whatever their size: until then other
 * engines see nulls in them (docs/decisions/0016).
 *
 * Score of a class: files / threshold, more for files whose key ranges overlap (they gain most from
 * merging) and for a quiet source. The best one is done first. */
#include <stdlib.h>

#include "storage/compact_int.h"

static void fill64(uint64_t *value, uint64_t first, uint64_t second)
{
    if (!*value)
        *value = first ? first : second;
}

static void fill32(uint32_t *value, uint32_t first, uint32_t second)
{
    if (!*value)
        *value = first ? first : second;
}

struct compact_policy compact_policy_fill(const struct compact_policy *policy,
                                          const struct compact_policy *defaults)
{
    struct compact_policy filled = policy ? *policy : (struct compact_policy){0};
    fill64(&filled.min_file_bytes, defaults->min_file_bytes, UINT64_C(50) << 20);
    fill64(&filled.max_file_bytes, defaults->max_file_bytes, UINT64_C(512) << 20);
    fill64(&filled.target_file_bytes, defaults->target_file_bytes, UINT64_C(256) << 20);
    fill32(&filled.small_file_threshold, defaults->small_file_threshold, 10);
    fill32(&filled.total_files_threshold, defaults->total_files_threshold, 100);
    fill32(&filled.batch_files, defaults->batch_files, COMPACT_INPUTS_MAX);
    fill64(&filled.io_bytes_per_s, defaults->io_bytes_per_s, COMPACT_IO_BYTES);
    if (!filled.age_threshold_us)
        filled.age_threshold_us =
            defaults->age_threshold_us ? defaults->age_threshold_us : INT64_C(6) * 3600 * 1000000;
    if (filled.batch_files > COMPACT_INPUTS_MAX)
        filled.batch_files = COMPACT_INPUTS_MAX;
    if (filled.batch_files < 2)
        filled.batch_files = 2;
    if (filled.min_file_bytes > filled.max_file_bytes)
        filled.min_file_bytes = filled.max_file_bytes;
    return filled;
}

uint64_t compact_target_bytes(const struct source_config *config,
                              const struct compact_policy *policy)
{
    uint64_t most = (uint64_t)config->max_file_size_mb << 20;
    return most && most < policy->target_file_bytes ? most : policy->target_file_bytes;
}

uint64_t compact_target_rows(const struct source_config *config)
{
    uint32_t columns = config->index_columns_len ? config->index_columns_len : 1;
    return COMPACT_INDEX_BYTES / (2 * sizeof(uint64_t) * 2 * columns);
}

/* --- order of segments: by partition, then size, then age --- */

static int compare_text(struct str a, struct str b)
{
    if (!a.data || !b.data)
        return (a.data != NULL) - (b.data != NULL);
    return str_cmp(a, b);
}

static int compare_partition(const struct segment_meta *a, const struct segment_meta *b)
{
    if (a->partition_len != b->partition_len)
        return a->partition_len < b->partition_len ? -1 : 1;
    for (uint32_t i = 0; i < a->partition_len; i++) {
        int order = compare_text(a->partition[i], b->partition[i]);
        if (order)
            return order;
    }
    return 0;
}

static int by_partition_and_size(const void *a, const void *b)
{
    const struct segment_meta *x = segment_meta(*(struct segment *const *)a);
    const struct segment_meta *y = segment_meta(*(struct segment *const *)b);
    int order = compare_partition(x, y);
    if (order)
        return order;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_age(const void *a, const void *b)
{
    uint64_t x = segment_meta(*(struct segment *const *)a)->id;
    uint64_t y = segment_meta(*(struct segment *const *)b)->id;
    return x < y ? -1 : x > y;
}

/* --- scoring --- */

/* Share of the files, 0 to 1, whose range of the first index column (by which files are sorted)
 * meets that of the file before it in the list. */
static double overlap(struct segment *const *files, uint32_t len, int32_t field_id)
{
    uint32_t pairs = 0;
    for (uint32_t i = 1; i < len; i++) {
        struct value a_min, a_max, b_min, b_max;
        uint64_t a_nulls, b_nulls;
        if (segment_column(files[i], field_id) < 0 || segment_column(files[i - 1], field_id) < 0 ||
            !segment_bounds(files[i - 1], field_id, &a_min, &a_max, &a_nulls) ||
            !segment_bounds(files[i], field_id, &b_min, &b_max, &b_nulls) ||
            a_nulls == segment_meta(files[i - 1])->rows || b_nulls == segment_meta(files[i])->rows)
            continue;
        pairs += value_compare(&b_min, &a_max) <= 0 && value_compare(&a_min, &b_max) <= 0;
    }
    return len > 1 ? (double)pairs / (len - 1) : 0;
}

struct planning {
    const struct compact_policy *policy;
    const struct schema *schema;
    uint64_t small_bytes, small_rows; /* files below both are small */
    bool has_widened;                 /* the schema has a column of a later generation */
    bool force;
    bool is_quiet;
    int32_t key_id; /* of the first index column; 0: none */
    const struct snapshot *snapshot;
    struct compact_plan *best;
};

/* Share of the rows of some files that is deleted. */
static double deleted_share(const struct planning *p, struct segment *const *files, uint32_t len)
{
    uint64_t rows = 0, deleted = 0;
    for (uint32_t i = 0; p->snapshot->deletions && i < len; i++) {
        const struct segment_meta *meta = segment_meta(files[i]);
        rows += meta->rows;
        deleted += deletion_count(snapshot_find_deletion(p->snapshot, meta->id));
    }
    return rows ? (double)deleted / (double)rows : 0;
}

static void consider(struct planning *p, struct segment **files, uint32_t len)
{
    struct compact_plan *best = p->best;
    if (len > p->policy->batch_files)
        len = p->policy->batch_files; /* the smallest first; the rest is the next merge */
    double score = (double)len / p->policy->small_file_threshold *
                       (1 + COMPACT_SCORE_OVERLAP * overlap(files, len, p->key_id) +
                        (p->is_quiet ? COMPACT_SCORE_AGE : 0)) +
                   deleted_share(p, files, len) / COMPACT_DELETED_SHARE;
    if (best->inputs_len && score <= best->score)
        return;
    best->score = score;
    best->inputs = files;
    best->inputs_len = len;
}

static void consider_deleted(struct planning *p, struct segment **files, uint32_t len)
{
    double least = p->force ? 0 : COMPACT_DELETED_SHARE;
    for (uint32_t i = 0; p->snapshot->deletions && i < len; i++) {
        if (deleted_share(p, files + i, 1) > least)
            consider(p, files + i, 1);
    }
}

/* It has a column of an earlier generation than the schema's. */
static bool is_stale(const struct planning *p, const struct segment *segment)
{
    const struct segment_meta *meta = segment_meta(segment);
    for (uint32_t i = 0; i < p->schema->fields_len; i++) {
        int32_t id = p->schema->fields[i].id;
        int32_t at = id < FIELD_ID_STEP ? -1 : segment_meta_column(meta, id);
        if (at >= 0 && meta->columns[at].field_id != id)
            return true;
    }
    return false;
}

static void move_to_front(struct segment **files, uint32_t from, uint32_t to)
{
    struct segment *file = files[from];
    memmove(files + to + 1, files + to, (from - to) * sizeof(*files));
    files[to] = file;
}

static bool is_small(const struct planning *p, const struct segment *segment)
{
    const struct segment_meta *meta = segment_meta(segment);
    return meta->bytes < p->small_bytes && meta->rows < p->small_rows;
}

/* When there are stale ones: these, with the small ones behind them, are the class. */
static bool consider_stale(struct planning *p, struct segment **files, uint32_t len)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < len && p->has_widened; i++) {
        if (is_stale(p, files[i]))
            move_to_front(files, i, count++);
    }
    if (count == 0)
        return false;
    for (uint32_t i = count; i < len; i++) {
        if (is_small(p, files[i]))
            move_to_front(files, i, count++);
    }
    if (count > p->policy->batch_files)
        count = p->policy->batch_files;
    if (p->best->inputs_len == 0 || p->best->score < COMPACT_SCORE_STALE) {
        p->best->score = COMPACT_SCORE_STALE;
        p->best->inputs = files;
        p->best->inputs_len = count;
    }
    return true;
}

/* One partition: `files` in order of size. */
static void consider_partition(struct planning *p, struct segment **files, uint32_t len)
{
    const struct compact_policy *policy = p->policy;
    uint32_t small = 0;
    if (consider_stale(p, files, len))
        return;
    for (uint32_t i = 0; i < len; i++) { /* small ones to the front, still in order of size */
        if (is_small(p, files[i])) {
            struct segment *swap = files[small];
            files[small++] = files[i];
            files[i] = swap;
        }
    }
    consider_deleted(p, files, len);
    if (small < 2)
        return;
    if (p->force || p->is_quiet || small >= policy->total_files_threshold) {
        consider(p, files, small);
        return;
    }
    for (uint32_t first = 0, end; first < small; first = end) {
        uint64_t sum = 0;
        for (end = first; end < small; end++) {
            uint64_t bytes = segment_meta(files[end])->bytes;
            if (end > first && bytes > COMPACT_TIER_FLOOR_BYTES && bytes > sum)
                break;
            sum += bytes;
        }
        if (end - first >= policy->small_file_threshold && end - first >= 2)
            consider(p, files + first, end - first);
    }
}

enum status compact_plan_make(struct snapshot *snapshot, const struct source_config *config,
                              const struct compact_policy *policy, bool force, int64_t now_us,
                              struct compact_plan *ret, struct error *err)
{
    uint32_t len = snapshot->segments_len;
    *ret = (struct compact_plan){0};
    struct segment **files = malloc((len + 1u) * sizeof(*files));
    if (!files)
        return error_no_memory(err);
    if (len)
        memcpy(files, snapshot->segments, len * sizeof(*files));
    qsort(files, len, sizeof(*files), by_partition_and_size);
    uint64_t target = compact_target_bytes(config, policy);
    int32_t key =
        config->index_columns_len ? schema_find(snapshot->schema, config->index_columns[0]) : -1;
    struct planning p = {
        .policy = policy,
        .schema = snapshot->schema,
        /* A full output is never small: merging it again would go on for ever. */
        .small_bytes = policy->min_file_bytes < target ? policy->min_file_bytes : target,
        .small_rows = compact_target_rows(config),
        .force = force,
        .is_quiet = now_us - snapshot->time_us >= policy->age_threshold_us,
        .key_id = key >= 0 ? snapshot->schema->fields[key].id : 0,
        .snapshot = snapshot,
        .best = ret,
    };
    for (uint32_t i = 0; i < snapshot->schema->fields_len; i++)
        p.has_widened |= snapshot->schema->fields[i].id >= FIELD_ID_STEP;
    for (uint32_t first = 0, end; first < len; first = end) {
        for (end = first + 1; end < len && compare_partition(segment_meta(files[first]),
                                                             segment_meta(files[end])) == 0;)
            end++;
        consider_partition(&p, files + first, end - first);
    }
    if (!ret->inputs_len) {
        free(files);
        return STATUS_OK;
    }
    memmove(files, ret->inputs, ret->inputs_len * sizeof(*files));
    ret->inputs = files;
    qsort(files, ret->inputs_len, sizeof(*files), by_age);
    ret->snapshot = snapshot_ref(snapshot);
    for (uint32_t i = 0; i < ret->inputs_len; i++) {
        ret->bytes += segment_meta(files[i])->bytes;
        ret->rows += segment_meta(files[i])->rows -
                     deletion_count(snapshot_find_deletion(snapshot, segment_meta(files[i])->id));
    }
    return STATUS_OK;
}

void compact_plan_release(struct compact_plan *plan)
{
    free(plan->inputs);
    snapshot_unref(plan->snapshot);
    *plan = (struct compact_plan){0};
}

/* segment.c: one immutable Parquet file with its sidecars, opened at first use and then kept
 * mapped.
 *
 * A segment's description (bounds, nulls, indexes) comes from the snapshot; the file itself is not
 * touched until somebody reads it. Parsed footers are pooled: a point look-up opens no file. A
 * damaged or missing index is not used and not an error. */
#include <pthread.h>
#include <stdlib.h>

#include "storage/index/hash_index.h"
#include "storage/index/index_id.h"
#include "storage/index/sorted_index.h"
#include "storage/table/snapshot.h"

enum index_state {
    INDEX_UNKNOWN, /* not looked for yet */
    INDEX_FOUND,   /* the file is there, or the snapshot says so */
    INDEX_OPEN,
    INDEX_ABSENT,
    INDEX_DAMAGED,
    INDEX_FAILED, /* it cannot be made from this segment */
};

struct open_index {
    struct open_index *next;
    int32_t index_id;
    enum index_state state;
    bool dropped; /* the file was removed; the mapping stays good */
    bool damaged; /* a page of the mapping is bad: it is to be made again */
    bool retired; /* it was: readers may still have this mapping */
    union {
        struct hash_index hash;
        struct sorted_index sorted;
    };
};

struct segment {
    _Atomic uint32_t refs;
    struct sys *sys;
    struct segment_meta meta;
    const char *full_path;
    const char *source_dir;
    struct arena arena;
    uint64_t manifest; /* see segment_manifest */
    int32_t spec_id;
    struct reader_pool *readers; /* NULL: none is kept */
    struct reader_home home;     /* the pool's */
    struct row_home rows;        /* likewise */

    pthread_mutex_t lock; /* what follows */
    bool mapped;
    struct sys_map map;
    struct open_index *indexes; /* those of meta.indexes and those that were looked for */
};

static enum status copy_value(struct arena *arena, enum type type, struct value *value)
{
    if (!type_is_bytes(type))
        return STATUS_OK;
    value->bytes = arena_str(arena, value->bytes);
    return value->bytes.data ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status copy_columns(struct segment *segment, const struct segment_meta *meta)
{
    struct segment_column *columns =
        arena_array(&segment->arena, meta->columns_len + 1u, sizeof *columns);
    if (!columns)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < meta->columns_len; i++) {
        columns[i] = meta->columns[i];
        if (!columns[i].has_bounds)
            continue;
        TRY(copy_value(&segment->arena, columns[i].type, &columns[i].min));
        TRY(copy_value(&segment->arena, columns[i].type, &columns[i].max));
    }
    segment->meta.columns = columns;
    return STATUS_OK;
}

/* segment->lock is held, or nobody else has the segment yet. */
static struct open_index *add_index(struct segment *segment, int32_t index_id)
{
    struct open_index *index = calloc(1, sizeof *index);
    if (!index)
        return NULL;
    index->index_id = index_id;
    index->next = segment->indexes;
    segment->indexes = index;
    return index;
}

static enum status copy_rest(struct segment *segment, const char *dir,
                             const struct segment_meta *meta)
{
    struct arena *arena = &segment->arena;
    segment->meta.path = arena_str(arena, meta->path);
    segment->source_dir = arena_str(arena, str_of(dir)).data;
    segment->full_path = arena_printf(arena, "%s/%.*s", dir, STR_ARG(meta->path));
    segment->meta.partition = arena_array(arena, meta->partition_len + 1u, sizeof(struct str));
    segment->meta.indexes = arena_array(arena, meta->indexes_len + 1u, sizeof *meta->indexes);
    if (!segment->meta.path.data || !segment->source_dir || !segment->full_path ||
        !segment->meta.partition || !segment->meta.indexes)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < meta->partition_len; i++) {
        if (!meta->partition[i].data)
            continue;
        segment->meta.partition[i] = arena_str(arena, meta->partition[i]);
        if (!segment->meta.partition[i].data)
            return STATUS_NO_MEMORY;
    }
    if (meta->indexes_len)
        memcpy(segment->meta.indexes, meta->indexes, meta->indexes_len * sizeof *meta->indexes);
    for (uint32_t i = 0; i < meta->indexes_len; i++) {
        struct open_index *index = add_index(segment, meta->indexes[i].field_id);
        if (!index)
            return STATUS_NO_MEMORY;
        index->state = INDEX_FOUND;
    }
    return copy_columns(segment, meta);
}

struct segment *segment_new(struct sys *sys, const char *source_dir,
                            const struct segment_meta *meta, struct reader_pool *readers,
                            struct error *err)
{
    struct segment *segment = calloc(1, sizeof *segment);
    if (!segment) {
        error_no_memory(err);
        return NULL;
    }
    atomic_init(&segment->refs, 1);
    pthread_mutex_init(&segment->lock, NULL);
    arena_init(&segment->arena, 0);
    segment->sys = sys;
    segment->readers = readers;
    row_home_init(&segment->rows);
    segment->meta = *meta;
    if (copy_rest(segment, source_dir, meta) != STATUS_OK) {
        error_no_memory(err);
        segment_unref(segment);
        return NULL;
    }
    return segment;
}

struct segment *segment_ref(struct segment *segment)
{
    atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
    return segment;
}

void segment_unref(struct segment *segment)
{
    if (!segment || atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
        return;
    row_home_release(segment->readers ? &segment->readers->rows : NULL, &segment->rows);
    if (segment->readers)
        reader_pool_empty(segment->readers, &segment->home);
    if (segment->mapped)
        sys_unmap(segment->sys, &segment->map);
    struct open_index *next;
    for (struct open_index *index = segment->indexes; index; index = next) {
        next = index->next;
        if (index->state == INDEX_OPEN && index_is_sorted(index->index_id))
            sorted_index_close(segment->sys, &index->sorted);
        else if (index->state == INDEX_OPEN)
            hash_index_close(segment->sys, &index->hash);
        free(index);
    }
    pthread_mutex_destroy(&segment->lock);
    arena_release(&segment->arena);
    free(segment);
}

bool segment_is_last(const struct segment *segment)
{
    return atomic_load_explicit(&segment->refs, memory_order_acquire) == 1;
}

void segment_unlink(const struct segment *segment)
{
    char path[SYS_PATH_MAX];
    for (const struct open_index *index = segment->indexes; index; index = index->next) {
        if (segment_index_path(segment, index->index_id, path, NULL) == STATUS_OK)
            (void)sys_unlink(segment->sys, path, NULL);
    }
    (void)sys_unlink(segment->sys, segment->full_path, NULL);
}

const struct segment_meta *segment_meta(const struct segment *segment)
{
    return &segment->meta;
}

struct segment_info segment_info(const struct segment *segment)
{
    return (struct segment_info){.path = segment->full_path,
                                 .id = segment->meta.id,
                                 .rows = segment->meta.rows,
                                 .bytes = segment->meta.bytes};
}

uint64_t segment_manifest(const struct segment *segment)
{
    return segment->manifest;
}

int32_t segment_spec(const struct segment *segment)
{
    return segment->spec_id;
}

void segment_set_manifest(struct segment *segment, uint64_t manifest, int32_t spec_id)
{
    segment->manifest = manifest;
    segment->spec_id = spec_id;
}

int32_t segment_meta_column(const struct segment_meta *meta, int32_t field_id)
{
    int32_t oldest = field_id == FIELD_ID_NONE ? field_id : field_id_base(field_id);
    for (int32_t id = field_id; id >= oldest; id -= FIELD_ID_STEP) {
        for (uint32_t i = 0; i < meta->columns_len; i++) {
            if (meta->columns[i].field_id == id)
                return (int32_t)i;
        }
    }
    return -1;
}

int32_t segment_column(const struct segment *segment, int32_t field_id)
{
    return segment_meta_column(&segment->meta, field_id);
}

/* The index's id with the field id that the segment's own files have: that of the column it has. */
static int32_t own_index_id(const struct segment *segment, int32_t index_id)
{
    if (index_is_composite(index_id))
        return index_id;
    int32_t at = segment_column(segment, index_field(index_id));
    return at < 0 ? index_id : index_id_of(index_id, segment->meta.columns[at].field_id);
}

bool segment_column_type(const struct segment *segment, int32_t field_id, enum type *ret)
{
    int32_t at = segment_column(segment, field_id);
    if (at >= 0)
        *ret = segment->meta.columns[at].type;
    return at >= 0;
}

bool segment_bounds(const struct segment *segment, int32_t field_id, struct value *ret_min,
                    struct value *ret_max, uint64_t *ret_nulls)
{
    int32_t at = segment_column(segment, field_id);
    if (at < 0) {
        *ret_nulls = segment->meta.rows;
        return true;
    }
    const struct segment_column *column = &segment->meta.columns[at];
    *ret_nulls = column->nulls;
    if (column->nulls == segment->meta.rows)
        return true;
    if (!column->has_bounds)
        return false;
    *ret_min = column->min;
    *ret_max = column->max;
    return true;
}

/* --- the file --- */

/* segment->lock is held. */
static enum status map_file(struct segment *segment, struct error *err)
{
    if (segment->mapped)
        return STATUS_OK;
    struct sys_file *file = NULL;
    TRY(sys_open(segment->sys, segment->full_path, SYS_READ, &file, err));
    enum status status = sys_map(segment->sys, file, &segment->map, err);
    sys_close(segment->sys, file);
    if (status != STATUS_OK)
        return status;
    if (segment->map.len != segment->meta.bytes) {
        sys_unmap(segment->sys, &segment->map);
        return error_set(err, STATUS_CORRUPT, "%s: %zu bytes where there should be %llu",
                         segment->full_path, segment->map.len,
                         (unsigned long long)segment->meta.bytes);
    }
    segment->mapped = true;
    return STATUS_OK;
}

enum status segment_reader(struct segment *segment, struct parquet_reader **ret_reader,
                           struct error *err)
{
    *ret_reader = segment->readers ? reader_pool_take(segment->readers, &segment->home) : NULL;
    if (*ret_reader)
        return STATUS_OK;
    pthread_mutex_lock(&segment->lock);
    enum status status = map_file(segment, err);
    struct slice bytes = {segment->map.data, segment->map.len};
    pthread_mutex_unlock(&segment->lock);
    if (status != STATUS_OK)
        return status;
    status = parquet_reader_open(bytes, ret_reader, err);
    if (status != STATUS_OK)
        return error_wrap(err, "%s cannot be read", segment->full_path);
    if (parquet_reader_rows(*ret_reader) != segment->meta.rows) {
        parquet_reader_free(*ret_reader);
        return error_set(err, STATUS_CORRUPT, "%s: not the number of rows that the snapshot says",
                         segment->full_path);
    }
    return STATUS_OK;
}

void segment_reader_release(struct segment *segment, struct parquet_reader *reader)
{
    if (segment->readers)
        reader_pool_give(segment->readers, &segment->home, reader);
    else
        parquet_reader_free(reader);
}

struct row_home *segment_row_home(struct segment *segment, struct row_cache **ret_cache)
{
    *ret_cache = segment->readers ? &segment->readers->rows : NULL;
    return &segment->rows;
}

/* --- indexes --- */

enum status segment_index_path(const struct segment *segment, int32_t index_id,
                               char out[SYS_PATH_MAX], struct error *err)
{
    char name[INDEX_FILE_MAX];
    index_file_name(name, segment->meta.id, own_index_id(segment, index_id));
    return sys_path(out, err, "%s/index/%s", segment->source_dir, name);
}

/* segment->lock is held. */
static struct open_index *find_index(struct segment *segment, int32_t index_id)
{
    struct open_index *index = segment->indexes;
    index_id = own_index_id(segment, index_id);
    while (index && (index->index_id != index_id || index->retired))
        index = index->next;
    return index;
}

/* What a sorted sidecar holds: values of the column, or tuples as texts. */
static bool sorted_type(const struct segment *segment, int32_t index_id, enum type *ret)
{
    *ret = TYPE_STRING;
    return index_is_composite(index_id) || segment_column_type(segment, index_field(index_id), ret);
}

static enum status map_index(struct segment *segment, struct open_index *index)
{
    char path[SYS_PATH_MAX];
    enum type type;
    int32_t label = index_label(index->index_id);
    TRY(segment_index_path(segment, index->index_id, path, NULL));
    if (!index_is_sorted(index->index_id))
        return hash_index_open(segment->sys, path, label, segment->meta.rows, &index->hash, NULL);
    if (!sorted_type(segment, index->index_id, &type))
        return STATUS_NOT_FOUND;
    return sorted_index_open(segment->sys, path, label, segment->meta.rows, type, &index->sorted,
                             NULL);
}

/* segment->lock is held. False when it cannot be used. */
static bool open_index(struct segment *segment, struct open_index *index)
{
    if (index->state == INDEX_UNKNOWN || index->state == INDEX_FOUND) {
        enum status status = map_index(segment, index);
        index->state = status == STATUS_OK        ? INDEX_OPEN
                       : status == STATUS_CORRUPT ? INDEX_DAMAGED
                                                  : INDEX_ABSENT;
    }
    return index->state == INDEX_OPEN;
}

static const struct open_index *opened(struct segment *segment, int32_t index_id)
{
    pthread_mutex_lock(&segment->lock);
    struct open_index *index = find_index(segment, index_id);
    if (!index && (index_is_sorted(index_id) || index_is_composite(index_id)))
        /* no description lists these */
        index = add_index(segment, own_index_id(segment, index_id));
    if (index && (index->damaged || !open_index(segment, index)))
        index = NULL;
    pthread_mutex_unlock(&segment->lock);
    return index;
}

void segment_index_damaged(struct segment *segment, int32_t index_id)
{
    pthread_mutex_lock(&segment->lock);
    struct open_index *index = find_index(segment, index_id);
    if (index)
        index->damaged = true;
    pthread_mutex_unlock(&segment->lock);
}

const struct sorted_index *segment_sorted_index(struct segment *segment, int32_t index_id)
{
    const struct open_index *index = opened(segment, index_id);
    return index ? &index->sorted : NULL;
}

const struct hash_index *segment_hash_index(struct segment *segment, int32_t index_id)
{
    const struct open_index *index = opened(segment, index_id);
    return index ? &index->hash : NULL;
}

/* segment->lock is held. */
static enum segment_index_state look(struct segment *segment, struct open_index *index)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    if (index->state == INDEX_UNKNOWN) {
        bool there = segment_index_path(segment, index->index_id, path, NULL) == STATUS_OK &&
                     sys_stat(segment->sys, path, &stat, NULL) == STATUS_OK;
        if (there && !index_is_sorted(index->index_id)) /* else it is of an older version */
            there = hash_index_is_current(segment->sys, path);
        index->state = there ? INDEX_FOUND : INDEX_ABSENT;
    }
    if (index->state == INDEX_FAILED)
        return SEGMENT_INDEX_FAILED;
    return index->dropped || index->damaged || index->state == INDEX_ABSENT ||
                   index->state == INDEX_DAMAGED
               ? SEGMENT_INDEX_MISSING
               : SEGMENT_INDEX_READY;
}

bool segment_has_columns(const struct segment *segment, const struct index_def *def)
{
    for (uint32_t i = 0; i < def->fields_len; i++)
        if (segment_column(segment, def->fields[i]) < 0)
            return false;
    return true;
}

enum segment_index_state segment_index_look(struct segment *segment, const struct index_def *def)
{
    if (!segment_has_columns(segment, def))
        return SEGMENT_INDEX_NONE;
    pthread_mutex_lock(&segment->lock);
    struct open_index *index = find_index(segment, def->id);
    if (!index)
        index = add_index(segment, own_index_id(segment, def->id));
    enum segment_index_state state = index ? look(segment, index) : SEGMENT_INDEX_MISSING;
    pthread_mutex_unlock(&segment->lock);
    return state;
}

void segment_index_recheck(struct segment *segment, int32_t index_id)
{
    pthread_mutex_lock(&segment->lock);
    struct open_index *index = find_index(segment, index_id);
    if (index && index->state == INDEX_FOUND)
        index->state = INDEX_UNKNOWN;
    pthread_mutex_unlock(&segment->lock);
}

void segment_index_set(struct segment *segment, int32_t index_id, enum segment_index_state state)
{
    pthread_mutex_lock(&segment->lock);
    struct open_index *index = find_index(segment, index_id);
    if (index && index->damaged && state == SEGMENT_INDEX_READY) {
        struct open_index *fresh = add_index(segment, index->index_id);
        index->retired = fresh != NULL;
        index = fresh;
    }
    if (index) {
        index->dropped = state == SEGMENT_INDEX_NONE;
        if (index->state != INDEX_OPEN)
            index->state = state == SEGMENT_INDEX_READY    ? INDEX_FOUND
                           : state == SEGMENT_INDEX_FAILED ? INDEX_FAILED
                                                           : INDEX_ABSENT;
    }
    pthread_mutex_unlock(&segment->lock);
}

void segment_pin(struct segment *segment)
{
    pthread_mutex_lock(&segment->lock);
    (void)map_file(segment, NULL); /* a reader will meet the error again */
    for (struct open_index *index = segment->indexes; index; index = index->next)
        (void)open_index(segment, index);
    pthread_mutex_unlock(&segment->lock);
}

/* deletion.c: sets of deleted rows in memory and as position delete files (see deletion.h). */
#include "storage/table/deletion.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DELETION_DENSE_SHARE = 32, /* a bitmap takes as much as 1/32 of the rows as numbers */
    DELETION_WRITE_ROWS = 8192,
};

struct deletion {
    _Atomic uint32_t refs;
    struct sys *sys;
    struct deletion_file file; /* path.data NULL: in memory only */
    char *full_path;           /* its end is file.path */
    uint64_t segment_rows, count;
    char *overlay_path;   /* see deletion_overlay */
    pthread_mutex_t lock; /* loading, overlay_path */
    _Atomic bool loaded;
    uint32_t *rows; /* ascending, or */
    uint64_t *bits; /* one bit for each row of the segment */
};

static uint64_t words_of(uint64_t rows)
{
    return (rows + 63) / 64;
}

/* --- lives --- */

static struct deletion *deletion_new(uint64_t segment_rows)
{
    struct deletion *deletion = calloc(1, sizeof *deletion);
    if (!deletion)
        return NULL;
    atomic_init(&deletion->refs, 1);
    pthread_mutex_init(&deletion->lock, NULL);
    deletion->segment_rows = segment_rows;
    return deletion;
}

static enum status set_file(struct deletion *deletion, struct sys *sys, const char *source_dir,
                            const struct deletion_file *file, struct error *err)
{
    size_t dir_len = strlen(source_dir), len = dir_len + 1 + file->path.len;
    char *path = malloc(len + 1);
    if (!path)
        return error_no_memory(err);
    snprintf(path, len + 1, "%s/%.*s", source_dir, STR_ARG(file->path));
    deletion->sys = sys;
    deletion->full_path = path;
    deletion->file = *file;
    deletion->file.path = str_make(path + dir_len + 1, file->path.len);
    deletion->count = file->rows;
    return STATUS_OK;
}

struct deletion *deletion_open(struct sys *sys, const char *source_dir,
                               const struct deletion_file *file, uint64_t segment_rows,
                               struct error *err)
{
    struct deletion *deletion = deletion_new(segment_rows);
    if (!deletion) {
        error_no_memory(err);
        return NULL;
    }
    if (set_file(deletion, sys, source_dir, file, err) == STATUS_OK)
        return deletion;
    deletion_unref(deletion);
    return NULL;
}

struct deletion *deletion_ref(struct deletion *deletion)
{
    atomic_fetch_add_explicit(&deletion->refs, 1, memory_order_relaxed);
    return deletion;
}

void deletion_unref(struct deletion *deletion)
{
    if (!deletion || atomic_fetch_sub_explicit(&deletion->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (deletion->overlay_path)
        (void)sys_unlink(deletion->sys, deletion->overlay_path, NULL); /* emptied at start anyway */
    pthread_mutex_destroy(&deletion->lock);
    free(deletion->overlay_path);
    free(deletion->rows);
    free(deletion->bits);
    free(deletion->full_path);
    free(deletion);
}

const struct deletion_file *deletion_file(const struct deletion *deletion)
{
    return deletion->full_path ? &deletion->file : NULL;
}

const char *deletion_full_path(const struct deletion *deletion)
{
    return deletion->full_path;
}

bool deletion_is_last(const struct deletion *deletion)
{
    return atomic_load_explicit(&deletion->refs, memory_order_acquire) == 1;
}

void deletion_unlink(const struct deletion *deletion)
{
    (void)sys_unlink(deletion->sys, deletion->full_path, NULL);
}

uint64_t deletion_count(const struct deletion *deletion)
{
    return deletion ? deletion->count : 0;
}

uint64_t deletion_memory(const struct deletion *deletion)
{
    return sizeof *deletion + (deletion->rows ? deletion->count * sizeof *deletion->rows : 0) +
           (deletion->bits ? words_of(deletion->segment_rows) * sizeof *deletion->bits : 0);
}

/* --- making --- */

void deletion_builder_init(struct deletion_builder *builder, uint64_t segment_rows)
{
    *builder = (struct deletion_builder){.segment_rows = segment_rows};
}

void deletion_builder_release(struct deletion_builder *builder)
{
    free(builder->rows);
    free(builder->bits);
    *builder = (struct deletion_builder){0};
}

static void set_bit(uint64_t *bits, uint64_t row)
{
    bits[row / 64] |= UINT64_C(1) << row % 64;
}

static enum status make_dense(struct deletion_builder *builder, struct error *err)
{
    builder->bits = calloc(words_of(builder->segment_rows) + 1, sizeof *builder->bits);
    if (!builder->bits)
        return error_no_memory(err);
    for (uint32_t i = 0; i < builder->len; i++)
        set_bit(builder->bits, builder->rows[i]);
    free(builder->rows);
    builder->rows = NULL;
    builder->len = builder->cap = 0;
    return STATUS_OK;
}

static enum status grow(struct deletion_builder *builder, struct error *err)
{
    uint64_t cap = builder->cap ? (uint64_t)builder->cap * 2 : 64;
    if (cap > builder->segment_rows / DELETION_DENSE_SHARE + 64)
        return make_dense(builder, err);
    uint32_t *grown = realloc(builder->rows, cap * sizeof *grown);
    if (!grown)
        return error_no_memory(err);
    builder->rows = grown;
    builder->cap = (uint32_t)cap;
    return STATUS_OK;
}

enum status deletion_builder_add(struct deletion_builder *builder, uint64_t row, struct error *err)
{
    if (row >= builder->segment_rows || row > UINT32_MAX)
        return error_set(err, STATUS_CORRUPT, "row %llu of %llu cannot be deleted",
                         (unsigned long long)row, (unsigned long long)builder->segment_rows);
    if (!builder->bits && builder->len == builder->cap)
        TRY(grow(builder, err));
    if (builder->bits)
        set_bit(builder->bits, row);
    else
        builder->rows[builder->len++] = (uint32_t)row;
    return STATUS_OK;
}

enum status deletion_builder_add_all(struct deletion_builder *builder,
                                     const struct deletion *deletion, uint64_t first,
                                     struct error *err)
{
    if (!deletion)
        return STATUS_OK;
    for (uint64_t i = 0; deletion->rows && i < deletion->count; i++)
        TRY(deletion_builder_add(builder, first + deletion->rows[i], err));
    for (uint64_t w = 0; deletion->bits && w < words_of(deletion->segment_rows); w++) {
        for (uint64_t word = deletion->bits[w]; word; word &= word - 1) {
            uint64_t row = w * 64 + (uint64_t)__builtin_ctzll(word);
            TRY(deletion_builder_add(builder, first + row, err));
        }
    }
    return STATUS_OK;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_unique(struct deletion_builder *builder)
{
    uint32_t kept = 0, *rows = builder->rows;
    bool sorted = true;
    for (uint32_t i = 1; i < builder->len && sorted; i++)
        sorted = rows[i - 1] < rows[i];
    if (sorted)
        return;
    qsort(rows, builder->len, sizeof *rows, by_number);
    for (uint32_t i = 0; i < builder->len; i++) {
        if (i == 0 || rows[i] != rows[kept - 1])
            rows[kept++] = rows[i];
    }
    builder->len = kept;
}

static uint64_t count_bits(const struct deletion_builder *builder)
{
    uint64_t count = 0;
    for (uint64_t w = 0; w < words_of(builder->segment_rows); w++)
        count += (uint64_t)__builtin_popcountll(builder->bits[w]);
    return count;
}

/* The builder's rows become those of `deletion`. */
static void move_rows(struct deletion_builder *builder, struct deletion *deletion)
{
    if (!builder->bits)
        sort_unique(builder);
    deletion->count = builder->bits ? count_bits(builder) : builder->len;
    deletion->rows = builder->rows;
    deletion->bits = builder->bits;
    builder->rows = NULL;
    builder->bits = NULL;
    builder->len = builder->cap = 0;
    atomic_store_explicit(&deletion->loaded, true, memory_order_release);
}

enum status deletion_builder_finish(struct deletion_builder *builder, struct deletion **ret,
                                    struct error *err)
{
    *ret = NULL;
    if (!builder->bits && builder->len == 0)
        return STATUS_OK;
    *ret = deletion_new(builder->segment_rows);
    if (!*ret)
        return error_no_memory(err);
    move_rows(builder, *ret);
    return STATUS_OK;
}

/* --- reading --- */

/* First of the ascending numbers that is not below `row`. */
static uint64_t lower_bound(const struct deletion *deletion, uint64_t row)
{
    uint64_t low = 0, high = deletion->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (deletion->rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool deletion_has(const struct deletion *deletion, uint64_t row)
{
    if (!deletion || row >= deletion->segment_rows)
        return false;
    if (deletion->bits)
        return deletion->bits[row / 64] >> row % 64 & 1;
    uint64_t at = lower_bound(deletion, row);
    return at < deletion->count && deletion->rows[at] == row;
}

uint64_t deletion_next(const struct deletion *deletion, uint64_t row)
{
    if (!deletion || row >= deletion->segment_rows)
        return UINT64_MAX;
    if (!deletion->bits) {
        uint64_t at = lower_bound(deletion, row);
        return at < deletion->count ? deletion->rows[at] : UINT64_MAX;
    }
    uint64_t w = row / 64, word = deletion->bits[w] & (UINT64_MAX << row % 64);
    while (!word && ++w < words_of(deletion->segment_rows))
        word = deletion->bits[w];
    return word ? w * 64 + (uint64_t)__builtin_ctzll(word) : UINT64_MAX;
}

/* --- files --- */

/* `last` of the rows before, -1: none. */
static enum status take_positions(const struct deletion *deletion, const struct column *positions,
                                  struct deletion_builder *builder, int64_t *last,
                                  struct error *err)
{
    for (uint32_t i = 0; i < positions->rows; i++) {
        int64_t row = column_is_null(positions, i) ? -1 : column_int64(positions, i);
        if (row <= *last || (uint64_t)row >= deletion->segment_rows)
            return error_set(err, STATUS_CORRUPT, "%s: row %lld is out of order or range",
                             deletion->full_path, (long long)row);
        *last = row;
        TRY(deletion_builder_add(builder, (uint64_t)row, err));
    }
    return STATUS_OK;
}

static enum status read_positions(const struct deletion *deletion, struct parquet_reader *reader,
                                  struct deletion_builder *builder, struct error *err)
{
    uint32_t fields_len = 0, column = 0;
    int64_t last = -1;
    const struct field *fields = parquet_reader_fields(reader, &fields_len);
    while (column < fields_len && fields[column].id != DELETION_FIELD_POS)
        column++;
    if (column == fields_len || fields[column].type != TYPE_INT64 ||
        parquet_reader_rows(reader) != deletion->count)
        return error_set(err, STATUS_CORRUPT, "%s is not the file of %llu deleted rows",
                         deletion->full_path, (unsigned long long)deletion->count);
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++) {
        struct column positions;
        column_init(&positions, TYPE_INT64);
        enum status status = parquet_read_column(
            reader, g, column, 0, parquet_row_group_rows(reader, g), &positions, err);
        if (status == STATUS_OK)
            status = take_positions(deletion, &positions, builder, &last, err);
        column_release(&positions);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status read_map(const struct deletion *deletion, const struct sys_map *map,
                            struct deletion_builder *builder, struct error *err)
{
    struct parquet_reader *reader = NULL;
    if (map->len != deletion->file.bytes)
        return error_set(err, STATUS_CORRUPT, "%s: %zu bytes where there should be %llu",
                         deletion->full_path, map->len, (unsigned long long)deletion->file.bytes);
    enum status status = parquet_reader_open((struct slice){map->data, map->len}, &reader, err);
    if (status != STATUS_OK)
        return error_wrap(err, "%s cannot be read", deletion->full_path);
    status = read_positions(deletion, reader, builder, err);
    parquet_reader_free(reader);
    return status;
}

/* deletion->lock is held. */
static enum status load_file(struct deletion *deletion, struct error *err)
{
    struct sys_file *file = NULL;
    struct sys_map map;
    struct deletion_builder builder;
    enum status status = sys_open(deletion->sys, deletion->full_path, SYS_READ, &file, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT,
                         "%s is missing: it says which rows of its data file are deleted, so none "
                         "of these is read (quarry repair)",
                         deletion->full_path);
    TRY(status);
    status = sys_map(deletion->sys, file, &map, err);
    sys_close(deletion->sys, file);
    if (status != STATUS_OK)
        return status;
    deletion_builder_init(&builder, deletion->segment_rows);
    status = read_map(deletion, &map, &builder, err);
    sys_unmap(deletion->sys, &map);
    if (status == STATUS_OK)
        move_rows(&builder, deletion);
    deletion_builder_release(&builder);
    return status;
}

enum status deletion_load(struct deletion *deletion, struct error *err)
{
    if (!deletion || atomic_load_explicit(&deletion->loaded, memory_order_acquire))
        return STATUS_OK;
    pthread_mutex_lock(&deletion->lock);
    enum status status = atomic_load(&deletion->loaded) ? STATUS_OK : load_file(deletion, err);
    pthread_mutex_unlock(&deletion->lock);
    return status;
}

struct output {
    struct sys *sys;
    struct sys_file *file;
    uint64_t offset;
};

static enum status sink(void *context, struct slice bytes, struct error *err)
{
    struct output *out = context;
    TRY(sys_pwrite(out->sys, out->file, bytes.data, bytes.len, out->offset, err));
    out->offset += bytes.len;
    return STATUS_OK;
}

static enum status append_block(struct parquet_writer *writer, struct str uri,
                                const struct deletion *from, uint64_t *row, struct error *err)
{
    uint32_t path, pos, rows = 0;
    struct batch *block = batch_new();
    enum status status = block ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = batch_add_column(block, STR("file_path"), TYPE_STRING, &path);
    if (status == STATUS_OK)
        status = batch_add_column(block, STR("pos"), TYPE_INT64, &pos);
    for (; status == STATUS_OK && rows < DELETION_WRITE_ROWS && *row != UINT64_MAX; rows++) {
        status = column_append_bytes(&block->columns[path].column, uri);
        if (status == STATUS_OK)
            status = column_append_int64(&block->columns[pos].column, (int64_t)*row);
        *row = deletion_next(from, *row + 1);
    }
    if (status == STATUS_OK)
        status = batch_set_rows(block, rows);
    if (status == STATUS_OK)
        status = parquet_writer_append(writer, block, NULL, rows, err);
    else
        error_no_memory(err);
    batch_unref(block);
    return status;
}

static enum status write_rows(struct output *out, struct str uri, const struct deletion *from,
                              struct error *err)
{
    const struct field fields[] = {{STR("file_path"), TYPE_STRING, DELETION_FIELD_PATH},
                                   {STR("pos"), TYPE_INT64, DELETION_FIELD_POS}};
    struct parquet_write_options options = {.codec = PARQUET_ZSTD, .created_by = STR("Quarry")};
    struct parquet_writer *writer = NULL;
    uint64_t row = deletion_next(from, 0);
    enum status status = parquet_writer_open(fields, 2, &options, sink, out, &writer, err);
    while (status == STATUS_OK && row != UINT64_MAX)
        status = append_block(writer, uri, from, &row, err);
    if (status == STATUS_OK)
        status = parquet_writer_finish(writer, NULL, err);
    parquet_writer_free(writer);
    return status;
}

/* A second owner of the same rows, with a file. */
static enum status copy_rows(const struct deletion *from, struct deletion *to, struct error *err)
{
    size_t bytes = from->bits ? words_of(from->segment_rows) * sizeof *from->bits
                              : from->count * sizeof *from->rows;
    void *copy = malloc(bytes);
    if (!copy)
        return error_no_memory(err);
    memcpy(copy, from->bits ? (const void *)from->bits : from->rows, bytes);
    to->bits = from->bits ? copy : NULL;
    to->rows = from->bits ? NULL : copy;
    atomic_store(&to->loaded, true);
    return STATUS_OK;
}

enum status deletion_write(struct sys *sys, const char *source_dir, struct str data_path,
                           struct str data_uri, uint64_t id, struct deletion *from,
                           struct deletion **ret, struct sys_file **ret_file, struct error *err)
{
    char inner[SYS_PATH_MAX], path[SYS_PATH_MAX];
    struct output out = {.sys = sys};
    size_t stem = data_path.len - strlen(".parquet");
    *ret = NULL;
    TRY(sys_path(inner, err, "%.*s.%08llu.deletes.parquet", (int)stem, data_path.data,
                 (unsigned long long)id));
    TRY(sys_path(path, err, "%s/%s", source_dir, inner));
    TRY(sys_open(sys, path, SYS_READ | SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &out.file, err));
    enum status status = write_rows(&out, data_uri, from, err);
    struct deletion_file file = {
        .id = id, .rows = from->count, .bytes = out.offset, .path = str_of(inner)};
    if (status == STATUS_OK) {
        *ret = deletion_open(sys, source_dir, &file, from->segment_rows, err);
        status = *ret ? copy_rows(from, *ret, err) : STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        *ret_file = out.file;
        return STATUS_OK;
    }
    sys_close(sys, out.file);
    (void)sys_unlink(sys, path, NULL); /* the next start removes what stays */
    deletion_unref(*ret);
    *ret = NULL;
    return status;
}

/* deletion->lock is held. */
static enum status write_overlay(struct deletion *deletion, struct sys *sys, const char *path,
                                 struct error *err)
{
    struct output out = {.sys = sys};
    char *copy = str_dup(str_of(path));
    if (!copy)
        return error_no_memory(err);
    enum status status = sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &out.file, err);
    if (status == STATUS_OK) {
        status = write_rows(&out, STR(""), deletion, err);
        sys_close(sys, out.file);
    }
    if (status == STATUS_OK) {
        deletion->sys = sys;
        deletion->overlay_path = copy;
        return STATUS_OK;
    }
    (void)sys_unlink(sys, path, NULL);
    free(copy);
    return status;
}

enum status deletion_overlay(struct deletion *deletion, struct sys *sys, const char *path,
                             const char **ret_path, struct error *err)
{
    *ret_path = deletion->full_path;
    if (*ret_path)
        return STATUS_OK;
    pthread_mutex_lock(&deletion->lock);
    enum status status =
        deletion->overlay_path ? STATUS_OK : write_overlay(deletion, sys, path, err);
    *ret_path = deletion->overlay_path;
    pthread_mutex_unlock(&deletion->lock);
    return status;
}

/* --- as bytes --- */

enum { DELETION_HEAD_BYTES = 13 };

void deletion_encode(const struct deletion *deletion, struct buf *out)
{
    buf_append_u64(out, deletion->segment_rows);
    buf_append_u32(out, (uint32_t)deletion->count);
    buf_append_char(out, deletion->bits != NULL);
    if (deletion->bits)
        buf_append(out, deletion->bits, words_of(deletion->segment_rows) * sizeof(uint64_t));
    else
        buf_append(out, deletion->rows, deletion->count * sizeof(uint32_t));
}

/* Form 0: `count` ascending numbers. */
static enum status decode_rows(const char *at, uint32_t count, struct deletion_builder *builder,
                               struct error *err)
{
    int64_t last = -1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row;
        memcpy(&row, at + (size_t)i * sizeof row, sizeof row);
        if (row <= last)
            return error_set(err, STATUS_CORRUPT, "deleted rows are not in order");
        last = row;
        TRY(deletion_builder_add(builder, row, err));
    }
    return STATUS_OK;
}

static enum status decode_bits(const char *at, uint64_t words, struct deletion_builder *builder,
                               struct error *err)
{
    for (uint64_t w = 0; w < words; w++) {
        uint64_t word;
        memcpy(&word, at + w * sizeof word, sizeof word);
        for (; word; word &= word - 1)
            TRY(deletion_builder_add(builder, w * 64 + (uint64_t)__builtin_ctzll(word), err));
    }
    return STATUS_OK;
}

enum status deletion_decode(struct slice *bytes, struct deletion **ret, struct error *err)
{
    struct deletion_builder builder;
    uint64_t segment_rows, body;
    uint32_t count;
    const char *at = bytes->data;
    *ret = NULL;
    if (bytes->len < DELETION_HEAD_BYTES)
        return error_set(err, STATUS_CORRUPT, "deleted rows are cut off");
    memcpy(&segment_rows, at, sizeof segment_rows);
    memcpy(&count, at + 8, sizeof count);
    bool dense = at[12] == 1;
    body = dense ? words_of(segment_rows) * sizeof(uint64_t) : count * sizeof(uint32_t);
    if ((at[12] != 0 && !dense) || segment_rows > UINT32_MAX || count == 0 ||
        body > bytes->len - DELETION_HEAD_BYTES)
        return error_set(err, STATUS_CORRUPT, "deleted rows: a size or form is wrong");
    deletion_builder_init(&builder, segment_rows);
    enum status status =
        dense ? decode_bits(at + DELETION_HEAD_BYTES, words_of(segment_rows), &builder, err)
              : decode_rows(at + DELETION_HEAD_BYTES, count, &builder, err);
    if (status == STATUS_OK)
        status = deletion_builder_finish(&builder, ret, err);
    deletion_builder_release(&builder);
    if (status == STATUS_OK && deletion_count(*ret) != count) {
        deletion_unref(*ret);
        *ret = NULL;
        status = error_set(err, STATUS_CORRUPT, "deleted rows are not as many as they say");
    }
    body += DELETION_HEAD_BYTES;
    *bytes = (struct slice){at + body, bytes->len - body};
    return status;
}

/* --- sets --- */

struct deletion_set *deletion_set_new(uint32_t len)
{
    struct deletion_set *set = calloc(1, sizeof *set + len * sizeof(struct deletion *));
    if (!set)
        return NULL;
    atomic_init(&set->refs, 1);
    set->len = len;
    return set;
}

void deletion_set_put(struct deletion_set *set, uint32_t at, struct deletion *deletion)
{
    if (!deletion)
        return;
    set->items[at] = deletion;
    set->rows += deletion->count;
    set->memory += deletion->full_path ? 0 : deletion_memory(deletion);
}

struct deletion_set *deletion_set_ref(struct deletion_set *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void deletion_set_unref(struct deletion_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < set->len; i++)
        deletion_unref(set->items[i]);
    free(set);
}

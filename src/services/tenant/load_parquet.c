/* load_parquet.c: a Parquet file as load: its footer stands at its end, so it is put down on disk
 * first, then read in slices of rows. */
#include <stdio.h>

#include "services/tenant/load_int.h"

struct spool {
    char path[SYS_PATH_MAX];
    struct sys_file *file;
    struct sys_map map;
};

static enum status spool_open(struct loader *l, struct spool *spool, struct error *err)
{
    uint64_t random;
    char folder[SYS_PATH_MAX];
    sys_random(l->node->sys, &random, sizeof random);
    TRY(sys_path(folder, err, "%s/run", l->node->options.data_path));
    TRY(sys_mkdirs(l->node->sys, folder, err));
    TRY(sys_path(spool->path, err, "%s/load-%016llx.parquet", folder, (unsigned long long)random));
    return sys_open(l->node->sys, spool->path, SYS_READ | SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE,
                    &spool->file, err);
}

static enum status spool_fill(struct loader *l, struct spool *spool, struct error *err)
{
    uint64_t offset = 0;
    while (!l->ended || l->pending.len) {
        TRY(loader_fill(l, 1 << 20, err));
        TRY(sys_pwrite(l->node->sys, spool->file, l->pending.data, l->pending.len, offset, err));
        offset += l->pending.len;
        buf_clear(&l->pending);
    }
    return sys_map(l->node->sys, spool->file, &spool->map, err);
}

static void spool_close(struct loader *l, struct spool *spool)
{
    if (!spool->file)
        return;
    sys_unmap(l->node->sys, &spool->map);
    sys_close(l->node->sys, spool->file);
    (void)sys_unlink(l->node->sys, spool->path, NULL); /* run/ is emptied at the next start */
}

static enum status read_slice(struct parquet_reader *reader, uint32_t group, uint64_t first,
                              uint64_t count, struct batch *batch, struct error *err)
{
    uint32_t len, index;
    const struct field *fields = parquet_reader_fields(reader, &len);
    for (uint32_t i = 0; i < len; i++) {
        if (batch_add_column(batch, fields[i].name, fields[i].type, &index) != STATUS_OK)
            return error_no_memory(err);
        TRY(parquet_read_column(reader, group, i, first, count, &batch->columns[index].column,
                                err));
    }
    batch->rows = (uint32_t)count;
    return STATUS_OK;
}

static enum status store_once(struct loader *l, struct parquet_reader *reader, uint32_t group,
                              uint64_t first, uint64_t count, struct error *err)
{
    struct write_result result;
    struct batch *batch = batch_new();
    if (!batch)
        return error_no_memory(err);
    enum status status = read_slice(reader, group, first, count, batch, err);
    if (status == STATUS_OK)
        status = l->upsert ? source_upsert(l->source, batch, loader_write_id(l), &result, err)
                           : source_write(l->source, batch, loader_write_id(l), &result, err);
    if (status == STATUS_OK)
        loader_count(l, &result);
    batch_unref(batch);
    return status;
}

static enum status store_slice(struct loader *l, struct parquet_reader *reader, uint32_t group,
                               uint64_t first, uint64_t count, struct error *err)
{
    enum status status = STATUS_SCHEMA_CHANGED;
    TRY(quota_check_bytes(l->node, err));
    for (int i = 0; i < TENANT_SCHEMA_TRIES && status == STATUS_SCHEMA_CHANGED; i++)
        status = store_once(l, reader, group, first, count, err);
    return status;
}

static enum status store_groups(struct loader *l, struct parquet_reader *reader, struct error *err)
{
    for (uint32_t group = 0; group < parquet_reader_row_groups(reader); group++) {
        uint64_t rows = parquet_row_group_rows(reader, group);
        for (uint64_t first = 0; first < rows; first += LOAD_PARQUET_ROWS) {
            uint64_t left = rows - first;
            TRY(store_slice(l, reader, group, first,
                            left < LOAD_PARQUET_ROWS ? left : LOAD_PARQUET_ROWS, err));
        }
    }
    return STATUS_OK;
}

/* A damaged file is the sender's fault here, not the disk's. */
static enum status as_bad_input(enum status status, struct error *err)
{
    if (status != STATUS_CORRUPT && status != STATUS_NOT_IMPLEMENTED)
        return status;
    struct error cause = err ? *err : ERROR_INIT;
    return error_set(err, STATUS_INVALID_ARGUMENT, "the Parquet file cannot be read: %s",
                     cause.message);
}

enum status load_parquet(struct loader *l, struct error *err)
{
    struct spool spool = {0};
    struct parquet_reader *reader = NULL;
    enum status status = spool_open(l, &spool, err);
    if (status == STATUS_OK)
        status = spool_fill(l, &spool, err);
    if (status == STATUS_OK)
        status = as_bad_input(
            parquet_reader_open((struct slice){spool.map.data, spool.map.len}, &reader, err), err);
    if (status == STATUS_OK)
        status = as_bad_input(store_groups(l, reader, err), err);
    if (reader)
        parquet_reader_free(reader);
    spool_close(l, &spool);
    return status;
}

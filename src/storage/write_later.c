/* write_later.c: a write whose caller does not wait for the log, so that one thread can have many
 * on their way and let one sync do for all of them (store_commit). */
#include <stdlib.h>

#include "storage/store_int.h"

struct later_write {
    struct log_write log;
    void (*settled)(void *context);
    void *context;
};

static void on_settled(struct wal_frame *frame)
{
    struct later_write *write = frame->settled_context;
    write->settled(write->context);
}

static enum status begin(struct later_write *write, struct write_result *result, struct error *err)
{
    struct log_write *log = &write->log;
    TRY(source_check_batch(log->source, log->batch, log->write_id, &log->must_wait, result, err));
    if (log->must_wait || result->duplicate)
        return STATUS_OK;
    return log_begin(log, result, err);
}

enum status source_write_later(struct source *source, struct batch *batch, struct str write_id,
                               const struct later_call *call, struct later_write **ret_write,
                               struct write_result *ret_result, struct error *err)
{
    *ret_write = NULL;
    *ret_result = (struct write_result){0};
    struct later_write *write = calloc(1, sizeof *write);
    if (!write)
        return error_no_memory(err);
    *write = (struct later_write){.log = {.source = source,
                                          .batch = batch,
                                          .write_id = write_id,
                                          .settled = on_settled,
                                          .settled_context = write},
                                  .settled = call->settled,
                                  .context = call->context};
    enum status status = begin(write, ret_result, err);
    bool waits = write->log.must_wait;
    if (waits || status != STATUS_OK || ret_result->duplicate) {
        if (!waits)
            store_count_write(source->store, status, ret_result, 0);
        free(write);
        return waits ? STATUS_OK : status;
    }
    *ret_write = write;
    return STATUS_OK;
}

enum status later_write_end(struct later_write *write, struct write_result *ret_result,
                            struct error *err)
{
    struct store *store = write->log.source->store;
    enum status status = log_end(&write->log, ret_result, err);
    store_count_write(store, status, ret_result, ret_result->rows);
    free(write);
    return status;
}

void store_commit(struct store *store, bool wait)
{
    wal_commit(store->wal, wait);
}

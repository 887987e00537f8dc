/* elastic_backend.c: opening and closing, health. */
#include <stdlib.h>

#include "catalog/elastic/elastic_int.h"

static enum status elastic_health(struct backend *base, struct error *err)
{
    return head_probe((struct elastic_backend *)base, err);
}

static void elastic_close(struct backend *base)
{
    struct elastic_backend *backend = (struct elastic_backend *)base;
    pool_release(&backend->pool, elastic_close_item);
    commit_queue_release(&backend->commits);
    pthread_mutex_destroy(&backend->apply_lock);
    elastic_url_release(&backend->url);
    free(backend);
}

static const struct backend_ops elastic_ops = {
    .name = "elasticsearch",
    .get = elastic_get,
    .find = elastic_find,
    .query = elastic_query,
    .group = elastic_group,
    .commit = elastic_commit,
    .scan = elastic_scan,
    .verify = elastic_verify,
    .health = elastic_health,
    .close = elastic_close,
};

enum status elastic_backend_open(const struct elastic_backend_options *options,
                                 struct backend **ret, struct error *err)
{
    struct elastic_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return error_no_memory(err);
    backend->base.ops = &elastic_ops;
    backend->sys = options->sys;
    backend->timeout_ms = options->timeout_ms ? options->timeout_ms : 30000;
    backend->tries = options->tries ? options->tries : 6;
    backend->wait_ms = options->wait_ms ? options->wait_ms : 100;
    pool_init(&backend->pool, options->connections_max ? options->connections_max : 16);
    backend->base.pool = &backend->pool;
    commit_queue_init(&backend->commits, ELASTIC_CHANGES_MAX, elastic_write_group, backend);
    pthread_mutex_init(&backend->apply_lock, NULL);
    enum status status = elastic_url_parse(str_of(options->url), &backend->url, err);
    if (status == STATUS_OK)
        status = elastic_schema_make(backend, err);
    if (status != STATUS_OK) {
        elastic_close(&backend->base);
        return status;
    }
    *ret = &backend->base;
    return STATUS_OK;
}

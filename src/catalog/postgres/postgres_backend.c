/* postgres_backend.c: opening and closing; the statements that are made once. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "catalog/postgres/postgres_int.h"

static enum status postgres_health(struct backend *base, struct error *err)
{
    struct postgres_backend *backend = (struct postgres_backend *)base;
    struct pg_connection *connection = NULL;
    struct pg_parameters none = {.len = 0};
    PGresult *result = NULL;
    TRY(pg_take(backend, &connection, err));
    enum status status = pg_select(backend, &connection, STR("SELECT 1"), &none, &result, err);
    PQclear(result);
    pg_give(backend, connection);
    return status;
}

static void postgres_close(struct backend *base)
{
    struct postgres_backend *backend = (struct postgres_backend *)base;
    pg_listen_stop(backend);
    for (int i = 0; i < DOMAIN_COUNT; i++) {
        free(backend->columns[i]);
        free(backend->insert[i]);
        free(backend->update[i]);
    }
    pool_release(&backend->pool, pg_close_item);
    free(backend->url);
    free(backend);
}

static const struct backend_ops postgres_ops = {
    .name = "postgres",
    .get = postgres_get,
    .find = postgres_find,
    .query = postgres_query,
    .group = postgres_group,
    .commit = postgres_commit,
    .scan = postgres_scan,
    .verify = postgres_verify,
    .health = postgres_health,
    .close = postgres_close,
};

/* --- statements: $1 is the id, the others follow in the order of record.def --- */

static const char *cast_of(enum record_type type)
{
    switch (type) {
    case RECORD_LIST:
        return "::text[]";
    case RECORD_BOOL:
        return "::int::boolean";
    case RECORD_INT:
    case RECORD_TIME:
        return "::bigint";
    case RECORD_TEXT:
    case RECORD_JSON:
        break;
    }
    return "::text";
}

/* What TOUCH counts is not set by an update, see backend.h. */
static void append_assignment(struct buf *buf, enum record_field field, int number)
{
    const char *member = record_field_info[field].member;
    const char *cast = cast_of(record_field_info[field].type);
    if (field == RECORD_accessed_us)
        buf_printf(buf, "%s=greatest(t.%s,$%d%s)", member, member, number, cast);
    else if (field == RECORD_access_count) /* named, so that its value has a type */
        buf_printf(buf, "%s=t.%s+0*$%d%s", member, member, number, cast);
    else
        buf_printf(buf, "%s=$%d%s", member, number, cast);
}

static char *finish(struct buf *buf)
{
    buf_append_char(buf, 0);
    if (buf_failed(buf)) {
        buf_release(buf);
        return NULL;
    }
    return buf_take(buf, NULL);
}

#define WORDS "array_to_tsvector(array_remove($%d::text[],''))"

static char *make_insert(enum domain domain)
{
    struct buf sql, values;
    int number = 0;
    buf_init(&sql, 65536);
    buf_init(&values, 65536);
    buf_printf(&sql, "INSERT INTO %s(", domain_name(domain));
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        if (!record_has_field(domain, (enum record_field)i))
            continue;
        buf_printf(&sql, "%s%s", number ? "," : "", record_field_info[i].member);
        buf_printf(&values, "%s$%d%s", number ? "," : "", number + 1,
                   cast_of(record_field_info[i].type));
        number++;
    }
    if (domain == DOMAIN_ASSET) {
        buf_printf(&sql, ",words");
        buf_printf(&values, "," WORDS, ++number);
    }
    buf_printf(&sql, ") VALUES(%.*s)", STR_ARG(buf_str(&values)));
    sql.failed |= buf_failed(&values);
    buf_release(&values);
    return finish(&sql);
}

/* Columns that stay are named in the condition, so that every value has a place. */
static char *make_update(enum domain domain)
{
    struct buf sql;
    int number = 0, created = 0;
    bool first = true;
    buf_init(&sql, 65536);
    buf_printf(&sql, "WITH done AS (UPDATE %s AS t SET ", domain_name(domain));
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (!record_has_field(domain, field))
            continue;
        number++;
        if (field == RECORD_created_us)
            created = number;
        if (field == RECORD_id || field == RECORD_tenant || field == RECORD_created_us)
            continue;
        buf_append_str(&sql, first ? STR("") : STR(","));
        append_assignment(&sql, field, number);
        first = false;
    }
    if (domain == DOMAIN_ASSET)
        buf_printf(&sql, ",words=" WORDS, ++number);
    buf_printf(&sql,
               " WHERE id=$1 AND tenant=$2 AND $%d::bigint IS NOT NULL AND revision=$%d::bigint"
               " RETURNING 1) SELECT 1/count(*) FROM done",
               created, number + 1);
    return finish(&sql);
}

static char *make_columns(enum domain domain)
{
    struct buf sql;
    bool first = true;
    buf_init(&sql, 65536);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        if (!record_has_field(domain, (enum record_field)i))
            continue;
        bool list = record_field_info[i].type == RECORD_LIST;
        buf_printf(&sql, list ? "%sarray_to_json(r.%s)" : "%sr.%s", first ? "" : ",",
                   record_field_info[i].member);
        first = false;
    }
    return finish(&sql);
}

static enum status open_all(struct postgres_backend *backend, bool listens, struct error *err)
{
    struct pg_connection *connection = NULL;
    for (int i = 0; i < DOMAIN_COUNT; i++) {
        backend->columns[i] = make_columns((enum domain)i);
        backend->insert[i] = make_insert((enum domain)i);
        backend->update[i] = make_update((enum domain)i);
        if (!backend->columns[i] || !backend->insert[i] || !backend->update[i])
            return error_no_memory(err);
    }
    TRY(pg_take(backend, &connection, err));
    enum status status = pg_schema_migrate(connection, err);
    pg_give(backend, connection);
    return status == STATUS_OK && listens ? pg_listen_start(backend, err) : status;
}

enum status postgres_backend_open(const struct postgres_backend_options *options,
                                  struct backend **ret_backend, struct error *err)
{
    struct postgres_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return error_no_memory(err);
    backend->base.ops = &postgres_ops;
    pool_init(&backend->pool, options->connections_max ? options->connections_max : 16);
    backend->base.pool = &backend->pool;
    backend->connect_timeout_s = options->connect_timeout_s ? options->connect_timeout_s : 5;
    snprintf(backend->origin, sizeof backend->origin, "%d-%p", (int)getpid(), (void *)backend);
    backend->url = str_dup(str_of(options->url));
    enum status status =
        backend->url ? open_all(backend, options->listen, err) : error_no_memory(err);
    if (status != STATUS_OK) {
        postgres_close(&backend->base);
        return status;
    }
    *ret_backend = &backend->base;
    return STATUS_OK;
}

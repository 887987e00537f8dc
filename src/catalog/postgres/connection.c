/* connection.c: the pool, prepared statements, values, failures. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "catalog/postgres/postgres_int.h"

/* --- failures --- */

/* Classes of SQLSTATE, PostgreSQL manual appendix A. */
static enum status status_of(const char *state)
{
    static const struct {
        const char *prefix;
        enum status status;
    } classes[] = {
        {"08", STATUS_UNAVAILABLE},  {"57P", STATUS_UNAVAILABLE},   {"53100", STATUS_STORAGE_FULL},
        {"53200", STATUS_NO_MEMORY}, {"53", STATUS_UNAVAILABLE},    {"57014", STATUS_TIMEOUT},
        {"40", STATUS_UNAVAILABLE},  {"54", STATUS_RESOURCE_LIMIT}, {"58", STATUS_IO},
        {"XX001", STATUS_CORRUPT},   {"XX002", STATUS_CORRUPT},     {"28", STATUS_UNAVAILABLE},
        {"3D", STATUS_UNAVAILABLE},  {"25006", STATUS_UNAVAILABLE},
    };
    for (size_t i = 0; state && i < sizeof classes / sizeof *classes; i++)
        if (str_starts(str_of(state), str_of(classes[i].prefix)))
            return classes[i].status;
    return STATUS_INTERNAL;
}

enum status pg_failed(struct pg_connection *connection, const PGresult *result, struct error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    enum status status = state                                       ? status_of(state)
                         : PQstatus(connection->pg) != CONNECTION_OK ? STATUS_UNAVAILABLE
                                                                     : STATUS_INTERNAL;
    struct str message = str_trim(str_of(text ? text : PQerrorMessage(connection->pg)));
    return error_set(err, status, "the catalog's database: %.*s", STR_ARG(message));
}

/* --- one connection --- */

enum status pg_run(struct pg_connection *connection, const char *sql, struct error *err)
{
    PGresult *result = PQexec(connection->pg, sql);
    ExecStatusType code = PQresultStatus(result);
    enum status status = code == PGRES_COMMAND_OK || code == PGRES_TUPLES_OK
                             ? STATUS_OK
                             : pg_failed(connection, result, err);
    PQclear(result);
    return status;
}

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

enum status pg_open(struct postgres_backend *backend, struct pg_connection **ret, struct error *err)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", backend->connect_timeout_s);
    const char *const names[] = {"dbname",          "connect_timeout", "application_name",
                                 "client_encoding", "options",         NULL};
    const char *const values[] = {
        backend->url, timeout, "quarry", "UTF8", "-csearch_path=quarry -csynchronous_commit=on",
        NULL};
    struct pg_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return error_no_memory(err);
    connection->pg = PQconnectdbParams(names, values, 1);
    if (!connection->pg || PQstatus(connection->pg) != CONNECTION_OK) {
        struct str why = str_trim(str_of(connection->pg ? PQerrorMessage(connection->pg) : ""));
        enum status status =
            error_set(err, STATUS_UNAVAILABLE, "the catalog's database cannot be reached: %.*s",
                      STR_ARG(why));
        pg_close(connection);
        return status;
    }
    PQsetNoticeProcessor(connection->pg, ignore_notice, NULL);
    *ret = connection;
    return STATUS_OK;
}

void pg_close(struct pg_connection *connection)
{
    if (!connection)
        return;
    PQfinish(connection->pg);
    free(connection);
}

/* Whether the server has closed it. What it says before it goes is there to be read; it says other
 * things to an idle connection so seldom that a new one then is no loss. */
static bool is_broken(struct pg_connection *connection)
{
    struct pollfd fd = {.fd = PQsocket(connection->pg), .events = POLLIN};
    if (PQstatus(connection->pg) != CONNECTION_OK || fd.fd < 0)
        return true;
    return poll(&fd, 1, 0) > 0;
}

enum status pg_prepare(struct pg_connection *connection, struct str sql,
                       char ret_name[STATEMENT_NAME_MAX], struct error *err)
{
    uint64_t hash = str_hash(sql);
    snprintf(ret_name, STATEMENT_NAME_MAX, "q%016llx", (unsigned long long)hash);
    for (uint32_t i = 0; i < connection->prepared_len; i++)
        if (connection->prepared[i] == hash)
            return STATUS_OK;
    if (connection->prepared_len == PREPARED_MAX) {
        TRY(pg_run(connection, "DEALLOCATE ALL", err));
        connection->prepared_len = 0;
    }
    char *text = str_dup(sql);
    PGresult *result = text ? PQprepare(connection->pg, ret_name, text, 0, NULL) : NULL;
    enum status status = !text ? error_no_memory(err)
                         : PQresultStatus(result) == PGRES_COMMAND_OK
                             ? STATUS_OK
                             : pg_failed(connection, result, err);
    if (status == STATUS_OK)
        connection->prepared[connection->prepared_len++] = hash;
    PQclear(result);
    free(text);
    return status;
}

static enum status select_once(struct pg_connection *connection, struct str sql,
                               const struct pg_parameters *parameters, PGresult **ret,
                               struct error *err)
{
    char name[STATEMENT_NAME_MAX];
    TRY(pg_prepare(connection, sql, name, err));
    PGresult *result =
        PQexecPrepared(connection->pg, name, parameters->len, parameters->values, NULL, NULL, 0);
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        *ret = result;
        return STATUS_OK;
    }
    enum status status = pg_failed(connection, result, err);
    PQclear(result);
    return status;
}

enum status pg_select(struct postgres_backend *backend, struct pg_connection **connection,
                      struct str sql, const struct pg_parameters *parameters, PGresult **ret,
                      struct error *err)
{
    if (parameters->failed)
        return error_set(err, STATUS_RESOURCE_LIMIT, "the query has too many values");
    enum status status = select_once(*connection, sql, parameters, ret, err);
    if (status != STATUS_UNAVAILABLE || PQstatus((*connection)->pg) == CONNECTION_OK)
        return status;
    struct pg_connection *fresh = NULL;
    if (pg_open(backend, &fresh, err) != STATUS_OK)
        return STATUS_UNAVAILABLE;
    pg_close(*connection);
    *connection = fresh;
    return select_once(fresh, sql, parameters, ret, err);
}

/* --- the pool --- */

enum status pg_take(struct postgres_backend *backend, struct pg_connection **ret, struct error *err)
{
    *ret = (struct pg_connection *)pool_take(&backend->pool);
    if (*ret && !is_broken(*ret))
        return STATUS_OK;
    pg_close(*ret);
    *ret = NULL;
    enum status status = pg_open(backend, ret, err);
    if (status != STATUS_OK)
        pool_give(&backend->pool, NULL);
    return status;
}

void pg_give(struct postgres_backend *backend, struct pg_connection *connection)
{
    bool keep = PQstatus(connection->pg) == CONNECTION_OK &&
                PQtransactionStatus(connection->pg) == PQTRANS_IDLE;
    if (!keep)
        pg_close(connection);
    pool_give(&backend->pool, keep ? &connection->item : NULL);
}

void pg_close_item(struct pool_item *item)
{
    pg_close((struct pg_connection *)item);
}

/* --- values --- */

static char **next_place(struct pg_parameters *parameters)
{
    if (parameters->len == PARAMETERS_MAX) {
        parameters->failed = true;
        return NULL;
    }
    return (char **)&parameters->values[parameters->len++];
}

void pg_add_text(struct pg_parameters *parameters, struct str text)
{
    char **place = next_place(parameters);
    if (!place)
        return;
    *place = (char *)(text.len ? arena_str(parameters->arena, text).data : "");
    if (!*place)
        parameters->failed = true;
}

void pg_add_number(struct pg_parameters *parameters, int64_t number)
{
    char **place = next_place(parameters);
    if (!place)
        return;
    *place = parameters->numbers[parameters->len - 1];
    snprintf(*place, sizeof parameters->numbers[0], "%lld", (long long)number);
}

/* {"a","b"}: every entry quoted, quotes and backslashes escaped (manual 8.15.6). */
void pg_add_texts(struct pg_parameters *parameters, const struct str *texts, uint32_t len)
{
    struct buf buf;
    buf_init(&buf, 64 << 20);
    buf_append_char(&buf, '{');
    for (uint32_t i = 0; i < len; i++) {
        buf_append_str(&buf, i ? STR(",\"") : STR("\""));
        for (size_t at = 0; at < texts[i].len; at++) {
            if (texts[i].data[at] == '"' || texts[i].data[at] == '\\')
                buf_append_char(&buf, '\\');
            buf_append_char(&buf, texts[i].data[at]);
        }
        buf_append_char(&buf, '"');
    }
    buf_append_char(&buf, '}');
    if (buf_failed(&buf))
        parameters->failed = true;
    else
        pg_add_text(parameters, buf_str(&buf));
    buf_release(&buf);
}

/* write.c: a commit as one pipeline.
 *
 * All statements up to the sync are one implicit transaction: the first that fails undoes those
 * before it and skips those behind it. A change that finds no record of its revision is made to
 * fail by dividing by the number of rows it changed. Why it was refused is asked afterwards.
 *
 * Other processes are told behind the sync, in a transaction of its own: one that notifies commits
 * alone in its whole database, so that no two would be synced together. */
#include <stdlib.h>

#include "catalog/postgres/postgres_int.h"

#define SQLSTATE_UNIQUE "23505"
#define SQLSTATE_NO_ROW "22012" /* division by zero */

enum { WORDS_MAX = 20000, WORD_BYTES_MAX = 2000 };

/* --- values --- */

void pg_add_words(struct pg_parameters *parameters, const struct record *record)
{
    struct str *words = arena_array(parameters->arena, WORDS_MAX, sizeof *words);
    uint32_t len = 0;
    const struct str texts[] = {record->name, record->namespace, record->title,
                                record->description};
    const struct str_list *lists[] = {&record->tags, &record->categories};
    if (!words) {
        parameters->failed = true;
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        len += text_words(texts[i], parameters->arena, words + len, WORDS_MAX - len);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (uint32_t j = 0; j < lists[i]->len; j++)
            len += text_words(lists[i]->items[j], parameters->arena, words + len, WORDS_MAX - len);
    /* a prefix that is asked for is at most QUERY_TEXT_MAX long */
    for (uint32_t i = 0; i < len; i++)
        if (words[i].len > WORD_BYTES_MAX)
            words[i].len = WORD_BYTES_MAX;
    pg_add_texts(parameters, words, len);
}

static void add_record(struct pg_parameters *parameters, const struct record *record)
{
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (!record_has_field(record->domain, field))
            continue;
        const struct str_list *list;
        struct str text;
        switch (record_field_info[i].type) {
        case RECORD_TEXT:
            pg_add_text(parameters, record_get_text(record, field));
            break;
        case RECORD_JSON:
            text = record_get_text(record, field);
            pg_add_text(parameters, text.len ? text : STR("{}"));
            break;
        case RECORD_LIST:
            list = record_get_list(record, field);
            pg_add_texts(parameters, list->items, list->len);
            break;
        case RECORD_INT:
        case RECORD_BOOL:
        case RECORD_TIME:
            pg_add_number(parameters, record_get_int(record, field));
            break;
        }
    }
    if (record->domain == DOMAIN_ASSET)
        pg_add_words(parameters, record);
}

/* --- statements --- */

static struct str statement_of(struct postgres_backend *backend, const struct change *change,
                               struct pg_parameters *parameters)
{
    const struct record *record = change->record;
    struct arena *arena = parameters->arena;
    const char *table = domain_name(record->domain);
    bool counts = record_has_field(record->domain, RECORD_access_count);
    char *sql = NULL;
    switch (change->kind) {
    case CHANGE_INSERT:
        add_record(parameters, record);
        return str_of(backend->insert[record->domain]);
    case CHANGE_UPDATE:
        add_record(parameters, record);
        pg_add_number(parameters, change->expected);
        return str_of(backend->update[record->domain]);
    case CHANGE_REMOVE:
        pg_add_text(parameters, record->id);
        pg_add_text(parameters, record->tenant);
        pg_add_number(parameters, change->expected);
        sql = arena_printf(arena,
                           "WITH done AS (DELETE FROM %s WHERE id=$1 AND tenant=$2 AND"
                           " ($3::bigint=0 OR revision=$3::bigint) RETURNING 1)"
                           " SELECT 1/count(*) FROM done",
                           table);
        break;
    case CHANGE_TOUCH:
        pg_add_text(parameters, record->id);
        pg_add_text(parameters, record->tenant);
        pg_add_number(parameters, record->accessed_us);
        if (counts)
            pg_add_number(parameters, record->access_count);
        sql = arena_printf(arena,
                           "UPDATE %s SET accessed_us=greatest(accessed_us,$3::bigint)%s"
                           " WHERE id=$1 AND tenant=$2",
                           table, counts ? ",access_count=access_count+$4::bigint" : "");
        break;
    }
    if (!sql)
        parameters->failed = true;
    return sql ? str_of(sql) : STR("");
}

static bool does_something(const struct change *change)
{
    return change->kind != CHANGE_TOUCH ||
           record_has_field(change->record->domain, RECORD_accessed_us);
}

/* Before the pipeline: preparing waits for the server. */
static enum status prepare_all(struct postgres_backend *backend, struct pg_connection *connection,
                               const struct change *changes, uint32_t len,
                               struct pg_parameters *parameters, char (*names)[STATEMENT_NAME_MAX],
                               struct arena *arena, struct error *err)
{
    for (uint32_t i = 0; i < len; i++) {
        if (!does_something(&changes[i]))
            continue;
        parameters[i].arena = arena;
        struct str sql = statement_of(backend, &changes[i], &parameters[i]);
        if (parameters[i].failed)
            return error_no_memory(err);
        TRY(pg_prepare(connection, sql, names[i], err));
    }
    return STATUS_OK;
}

static enum status send_all(struct postgres_backend *backend, struct pg_connection *connection,
                            const struct change *changes, uint32_t len,
                            const struct pg_parameters *parameters,
                            char (*names)[STATEMENT_NAME_MAX], struct error *err)
{
    const char *origin = backend->origin;
    bool sent = PQenterPipelineMode(connection->pg) == 1;
    for (uint32_t i = 0; i < len && sent; i++)
        if (does_something(&changes[i]))
            sent = PQsendQueryPrepared(connection->pg, names[i], parameters[i].len,
                                       parameters[i].values, NULL, NULL, 0) == 1;
    sent = sent && PQpipelineSync(connection->pg) == 1;
    if (sent && backend->listens)
        sent = PQsendQueryParams(connection->pg, "SELECT pg_notify('" NOTIFY_CHANNEL "',$1)", 1,
                                 NULL, &origin, NULL, NULL, 0) == 1 &&
               PQpipelineSync(connection->pg) == 1;
    return sent ? STATUS_OK : pg_failed(connection, NULL, err);
}

/* --- answers --- */

/* Why the change at `at` was refused. */
static enum status explain(struct pg_connection *connection, const struct change *change,
                           uint32_t at, const PGresult *result, struct commit_result *ret,
                           struct error *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    if (state && strcmp(state, SQLSTATE_UNIQUE) == 0)
        return commit_refused(ret,
                              constraint && str_ends(str_of(constraint), STR("_id")) ? CONFLICT_ID
                                                                                     : CONFLICT_KEY,
                              at, 0, err);
    if (state && strcmp(state, SQLSTATE_NO_ROW) == 0 && change->kind != CHANGE_INSERT)
        return commit_refused(ret, CONFLICT_REVISION, at, 0, err); /* or missing: see below */
    return pg_failed(connection, result, err);
}

/* The results of all statements; the first failure is the commit's. */
static enum status read_answers(struct pg_connection *connection, const struct change *changes,
                                uint32_t len, struct commit_result *ret, struct error *err)
{
    enum status status = STATUS_OK;
    bool synced = false;
    uint32_t at = 0;
    while (!synced) {
        PGresult *result = PQgetResult(connection->pg);
        if (!result) { /* between two statements, or the end of a broken connection */
            if (PQstatus(connection->pg) != CONNECTION_OK)
                return pg_failed(connection, NULL, err);
            while (at < len && !does_something(&changes[at]))
                at++;
            continue;
        }
        ExecStatusType code = PQresultStatus(result);
        synced = code == PGRES_PIPELINE_SYNC;
        if (code == PGRES_FATAL_ERROR && status == STATUS_OK) {
            while (at < len && !does_something(&changes[at]))
                at++;
            status = at < len ? explain(connection, &changes[at], at, result, ret, err)
                              : pg_failed(connection, result, err);
        }
        if (!synced)
            at++;
        PQclear(result);
    }
    return status;
}

/* Of the notification: others hear of this commit a little later if it fails. */
static void skip_notification(struct pg_connection *connection)
{
    for (bool synced = false; !synced && PQstatus(connection->pg) == CONNECTION_OK;) {
        PGresult *result = PQgetResult(connection->pg);
        synced = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
    }
}

/* Tells a missing record from one of another revision. */
static enum status look_closer(struct pg_connection *connection, const struct change *changes,
                               struct commit_result *ret, struct arena *arena, struct error *err)
{
    const struct record *record = changes[ret->at].record;
    const char *values[2] = {arena_str(arena, record->id).data,
                             arena_str(arena, record->tenant).data};
    char *sql = arena_printf(arena, "SELECT revision FROM %s WHERE id=$1 AND tenant=$2",
                             domain_name(record->domain));
    if (!sql || !values[0] || !values[1])
        return error_no_memory(err);
    PGresult *result = PQexecParams(connection->pg, sql, 2, NULL, values, NULL, NULL, 0);
    enum status status;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        status = pg_failed(connection, result, err);
    else if (PQntuples(result) == 0)
        status = commit_refused(ret, CONFLICT_MISSING, ret->at, 0, err);
    else
        status = commit_refused(ret, CONFLICT_REVISION, ret->at, pg_value_int(result, 0, 0), err);
    PQclear(result);
    return status;
}

static enum status run_commit(struct postgres_backend *backend, struct pg_connection *connection,
                              const struct change *changes, uint32_t len, struct arena *arena,
                              struct commit_result *ret, struct error *err)
{
    struct pg_parameters *parameters = arena_array(arena, len, sizeof *parameters);
    char(*names)[STATEMENT_NAME_MAX] = arena_array(arena, len, sizeof *names);
    if (!parameters || !names)
        return error_no_memory(err);
    TRY(prepare_all(backend, connection, changes, len, parameters, names, arena, err));
    TRY(send_all(backend, connection, changes, len, parameters, names, err));
    enum status status = read_answers(connection, changes, len, ret, err);
    if (backend->listens)
        skip_notification(connection);
    bool idle = PQexitPipelineMode(connection->pg) == 1;
    if (status == STATUS_CONFLICT && ret->conflict == CONFLICT_REVISION && idle)
        return look_closer(connection, changes, ret, arena, err);
    return status;
}

enum status postgres_commit(struct backend *base, const struct change *changes, uint32_t len,
                            struct commit_result *ret, struct error *err)
{
    struct postgres_backend *backend = (struct postgres_backend *)base;
    struct pg_connection *connection = NULL;
    struct arena arena;
    *ret = (struct commit_result){0};
    if (len == 0)
        return STATUS_OK;
    TRY(pg_take(backend, &connection, err));
    arena_init(&arena, 0);
    enum status status = run_commit(backend, connection, changes, len, &arena, ret, err);
    arena_release(&arena);
    pg_give(backend, connection);
    return status;
}

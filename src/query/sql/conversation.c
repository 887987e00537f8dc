/* conversation.c: one query with one worker, the pool's half of query/sql/wire.h. */
#include <stdlib.h>

#include "query/sql/sql_int.h"

struct conversation {
    struct sql_pool *pool;
    struct sql_run *run;
    const struct sql_request *request;
    const struct sql_tables *tables;
    const struct sql_sink *sink;
    struct sql_stats *stats;
    struct buf in, out;
    bool broken;      /* the channel is of no use any more */
    bool sink_failed; /* ours, not the worker's, failure */
    bool doubtful;    /* the worker asked to be replaced, or talks nonsense */
};

static enum status send(struct conversation *c, enum sql_frame kind, struct error *err)
{
    TRY(buf_check(&c->out, "a request to the SQL worker", err));
    enum status status = sql_wire_send(c->pool->sys, c->run->worker->process.channel, kind,
                                       buf_str(&c->out), c->run->until_us, err);
    c->broken = status != STATUS_OK;
    return status;
}

static enum status receive(struct conversation *c, enum sql_frame *ret_kind, struct error *err)
{
    enum status status = sql_wire_receive(c->pool->sys, c->run->worker->process.channel, &c->in,
                                          ret_kind, c->run->until_us, err);
    c->broken = status != STATUS_OK;
    if (status != STATUS_OK)
        return status;
    c->run->heard = true;
    if (*ret_kind != SQL_FRAME_ERROR)
        return STATUS_OK;
    return sql_answer_error(buf_str(&c->in), &c->doubtful, err);
}

static enum status expect(struct conversation *c, enum sql_frame kind, struct error *err)
{
    enum sql_frame got;
    TRY(receive(c, &got, err));
    if (got == kind)
        return STATUS_OK;
    c->doubtful = true;
    return error_set(err, STATUS_CORRUPT, "the SQL worker sent a frame out of turn");
}

static enum status send_query(struct conversation *c, struct error *err)
{
    const struct sql_request *request = c->request;
    int64_t left_us = c->run->until_us - sys_mono_us(c->pool->sys);
    struct json_writer w;
    buf_clear(&c->out);
    json_writer_init(&w, &c->out);
    json_begin_object(&w);
    json_kv_str(&w, "sql", request->query);
    json_keyz(&w, "parameters");
    if (request->parameters)
        json_value(&w, request->parameters);
    else
        json_null(&w);
    json_kv_int(&w, "limit", request->limit < 0 ? -1 : request->limit);
    /* Only a backstop: the deadline is kept here. */
    json_kv_int(&w, "cpu_seconds",
                (left_us > 0 ? left_us : 0) / 1000000 * c->pool->options.threads + 5);
    json_end_object(&w);
    return send(c, SQL_FRAME_QUERY, err);
}

/* --- tables --- */

/* Absolute name of a file below the tenant's folder: the worker sees nothing else. */
static enum status write_path(struct conversation *c, struct json_writer *w, const char *path,
                              struct error *err)
{
    struct sql_pool *pool = c->pool;
    const char *prefixes[] = {pool->given_path, pool->data_path};
    for (int i = 0; i < 2; i++) {
        size_t len = strlen(prefixes[i]);
        if (strncmp(path, prefixes[i], len) != 0 || path[len] != '/')
            continue;
        char full[2 * SYS_PATH_MAX];
        int n = snprintf(full, sizeof full, "%s%s", pool->data_path, path + len);
        if (n < 0 || (size_t)n >= sizeof full)
            break;
        json_string(w, str_make(full, (size_t)n));
        return STATUS_OK;
    }
    return error_set(err, STATUS_INTERNAL, "a data file is not in the tenant's folder");
}

/* The files with or without deleted rows, or (`deletes`) the files of deleted rows. */
static enum status write_paths(struct conversation *c, struct json_writer *w, const char *key,
                               const struct sql_file_list *list, bool dirty, bool deletes,
                               struct error *err)
{
    enum status status = STATUS_OK;
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < list->paths_len && status == STATUS_OK; i++) {
        if ((list->deletes && list->deletes[i]) == dirty)
            status = write_path(c, w, deletes ? list->deletes[i] : list->paths[i], err);
    }
    json_end_array(w);
    return status;
}

/* The place in `list` of each of the files that write_paths writes. */
static void write_units(struct json_writer *w, const char *key, const struct sql_file_list *list,
                        bool dirty)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < list->paths_len; i++) {
        if ((list->deletes && list->deletes[i]) == dirty)
            json_int(w, i);
    }
    json_end_array(w);
}

static enum status write_table(struct conversation *c, struct json_writer *w, uint32_t index,
                               struct error *err)
{
    struct sql_file_list list;
    TRY(c->tables->files(c->tables->context, index, &list, err));
    json_begin_object(w);
    json_kv_str(w, "name", c->tables->name(c->tables->context, index));
    json_keyz(w, "columns");
    json_begin_array(w);
    for (uint32_t i = 0; i < list.fields_len; i++) {
        json_begin_object(w);
        json_kv_str(w, "name", list.fields[i].name);
        json_kv_strz(w, "type", type_name(list.fields[i].type));
        json_kv_int(w, "id", list.fields[i].id);
        if (list.initials && list.initials[i]) {
            json_keyz(w, "initial");
            value_write_json(w, list.initials[i]);
        }
        json_end_object(w);
    }
    json_end_array(w);
    enum status status = write_paths(c, w, "files", &list, false, false, err);
    if (status == STATUS_OK && list.deletes)
        status = write_paths(c, w, "dirty", &list, true, false, err);
    if (status == STATUS_OK && list.deletes)
        status = write_paths(c, w, "deletes", &list, true, true, err);
    json_kv_bool(w, "by_name", list.by_name);
    json_kv_int(w, "rows", (int64_t)list.rows);
    json_kv_int(w, "dirty_rows", (int64_t)list.dirty_rows);
    if (list.with_positions) {
        write_units(w, "file_units", &list, false);
        write_units(w, "dirty_units", &list, true);
    }
    json_end_object(w);
    c->stats->files += list.paths_len;
    free((void *)list.paths);
    free((void *)list.deletes);
    free((void *)list.initials);
    return status;
}

static enum status add_index(const struct sql_tables *tables, uint32_t index, uint32_t *indexes,
                             uint32_t *len, struct error *err)
{
    struct str name = tables->name(tables->context, index);
    for (uint32_t i = 0; i < *len; i++) {
        if (indexes[i] == index)
            return STATUS_OK;
        if (str_eq_nocase(tables->name(tables->context, indexes[i]), name))
            return error_set(err, STATUS_SQL_REFUSED,
                             "one statement cannot read two sources whose names differ only in "
                             "upper and lower case (%.*s)",
                             STR_ARG(name));
    }
    indexes[(*len)++] = index;
    return STATUS_OK;
}

/* The tables a `wanted` frame names, as indexes without repetition. */
static enum status resolve(struct conversation *c, uint32_t *indexes, uint32_t *len,
                           struct error *err)
{
    yyjson_doc *doc;
    size_t i, max;
    yyjson_val *item;
    enum status status = STATUS_OK;
    *len = 0;
    c->doubtful = true; /* until the frame is known to make sense */
    if (json_parse(buf_str(&c->in), &doc, err) != STATUS_OK)
        return error_set(err, STATUS_CORRUPT, "the SQL worker's list of tables is not JSON");
    yyjson_val *list = json_get(yyjson_doc_get_root(doc), "tables");
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > SQL_TABLES_MAX)
        status = error_set(err, STATUS_CORRUPT, "the SQL worker's list of tables makes no sense");
    else
        c->doubtful = false;
    yyjson_arr_foreach(list, i, max, item)
    {
        uint32_t index = 0;
        if (status == STATUS_OK)
            status = sql_tables_find(c->tables, json_str_of(json_get(item, "name")), &index, err);
        if (status == STATUS_OK)
            status = add_index(c->tables, index, indexes, len, err);
        if (status != STATUS_OK) {
            sql_place(c->request->query, yyjson_get_uint(json_get(item, "offset")), err);
            break;
        }
    }
    yyjson_doc_free(doc);
    return status;
}

static enum status write_tables(struct conversation *c, const uint32_t *indexes, uint32_t len,
                                struct error *err)
{
    struct json_writer w;
    enum status status = STATUS_OK;
    buf_clear(&c->out);
    json_writer_init(&w, &c->out);
    json_begin_object(&w);
    json_keyz(&w, "tables");
    json_begin_array(&w);
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
        status = write_table(c, &w, indexes[i], err);
    json_end_array(&w);
    json_end_object(&w);
    return status;
}

static enum status hand_over_tables(struct conversation *c, struct error *err)
{
    uint32_t indexes[SQL_TABLES_MAX];
    uint32_t len;
    enum status status = resolve(c, indexes, &len, err);
    if (status == STATUS_OK)
        status = write_tables(c, indexes, len, err);
    if (status == STATUS_OK)
        return send(c, SQL_FRAME_TABLES, err);
    if (!c->doubtful) { /* the worker did nothing wrong: it goes on with the next query */
        buf_clear(&c->out);
        buf_append_str(&c->out, STR("{}"));
        (void)send(c, SQL_FRAME_FORGET, NULL);
    }
    return status;
}

/* --- the answer --- */

static enum status take_rows(struct conversation *c, uint32_t columns, struct error *err)
{
    struct batch *batch;
    enum status status = sql_answer_rows(buf_str(&c->in), columns, &batch, err);
    if (status != STATUS_OK) {
        c->doubtful = true;
        return status;
    }
    c->stats->rows += batch->rows;
    if (c->request->limit >= 0 && c->stats->rows > (uint64_t)c->request->limit) {
        c->doubtful = true;
        status = error_set(err, STATUS_CORRUPT, "the SQL worker sent more rows than the limit");
    } else {
        status = c->sink->rows(c->sink->context, batch, err);
        c->sink_failed = status != STATUS_OK;
    }
    batch_unref(batch);
    return status;
}

static enum status take_answer(struct conversation *c, struct error *err)
{
    uint32_t columns;
    enum sql_frame kind;
    TRY(expect(c, SQL_FRAME_COLUMNS, err));
    c->sink_failed = true; /* or nonsense: either way the worker is in the middle of an answer */
    TRY(sql_answer_columns(buf_str(&c->in), c->sink, &columns, err));
    c->sink_failed = false;
    for (;;) {
        TRY(receive(c, &kind, err));
        if (kind == SQL_FRAME_DONE)
            break;
        if (kind != SQL_FRAME_ROWS) {
            c->doubtful = true;
            return error_set(err, STATUS_CORRUPT, "the SQL worker sent a frame out of turn");
        }
        TRY(take_rows(c, columns, err));
    }
    c->doubtful = true;
    double before = c->run->worker->cpu_seconds;
    TRY(sql_answer_done(buf_str(&c->in), c->stats, &c->run->worker->cpu_seconds, err));
    double used = c->run->worker->cpu_seconds - before;
    c->stats->cpu_us = used > 0 && used < 1e9 ? (int64_t)(used * 1e6) : 0;
    c->doubtful = c->run->worker->cpu_seconds > WORKER_CPU_SECONDS_RETIRE;
    return STATUS_OK;
}

static enum status converse(struct conversation *c, struct error *err)
{
    TRY(send_query(c, err));
    TRY(expect(c, SQL_FRAME_WANTED, err));
    TRY(hand_over_tables(c, err));
    return take_answer(c, err);
}

enum status sql_converse(struct sql_pool *pool, struct sql_run *run,
                         const struct sql_request *request, const struct sql_tables *tables,
                         const struct sql_sink *sink, struct sql_stats *stats, bool *ret_healthy,
                         bool *ret_broken, struct error *err)
{
    struct conversation c = {pool, run, request, tables, sink, stats,
                             {0},  {0}, false,   false,  false};
    buf_init(&c.in, SQL_FRAME_MAX);
    buf_init(&c.out, SQL_FRAME_MAX);
    enum status status = converse(&c, err);
    buf_release(&c.in);
    buf_release(&c.out);
    *ret_healthy = !c.broken && !c.sink_failed && !c.doubtful;
    *ret_broken = c.broken;
    if (c.broken && status == STATUS_TIMEOUT)
        status = error_set(err, STATUS_TIMEOUT, "the query ran past its deadline and was stopped");
    return status;
}

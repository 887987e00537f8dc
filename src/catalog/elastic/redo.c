/* redo.c: what a commit leaves behind: as JSON inside head, and written out as documents.
 *
 * Every document is written with the commit's number as its external version: the server takes it
 * only over a smaller one. So a document that is refused as old (409) was written before, by this
 * try or another one, or by a later commit. Documents go out in _bulk requests of about
 * ELASTIC_BULK_BYTES; those that the server was too busy for are sent again. */
#include <stdlib.h>

#include "catalog/elastic/elastic_int.h"

/* --- as JSON --- */

static void write_record(struct json_writer *w, const struct redo_record *item)
{
    json_begin_object(w);
    json_kv_str(w, "id", item->id);
    json_kv_strz(w, "domain", domain_name(item->domain));
    json_keyz(w, "record");
    if (item->record)
        record_write(w, item->record, true);
    else
        json_null(w);
    json_end_object(w);
}

static void write_key(struct json_writer *w, const struct redo_key *item)
{
    json_begin_object(w);
    json_kv_strz(w, "domain", domain_name(item->domain));
    json_kv_str(w, "tenant", item->tenant);
    json_kv_str(w, "key", item->key);
    json_kv_str(w, "record", item->record.len ? item->record : STR_NONE);
    json_end_object(w);
}

void redo_write(struct json_writer *w, const struct redo *redo)
{
    json_begin_object(w);
    json_keyz(w, "records");
    json_begin_array(w);
    for (uint32_t i = 0; i < redo->records_len; i++)
        write_record(w, &redo->records[i]);
    json_end_array(w);
    json_keyz(w, "keys");
    json_begin_array(w);
    for (uint32_t i = 0; i < redo->keys_len; i++)
        write_key(w, &redo->keys[i]);
    json_end_array(w);
    json_end_object(w);
}

static enum status read_text(yyjson_val *object, const char *name, struct arena *arena,
                             struct str *ret, struct error *err)
{
    yyjson_val *value = json_get(object, name);
    if (!yyjson_is_str(value))
        return elastic_strange("the last commit", err);
    *ret = arena_str(arena, json_str_of(value));
    return ret->data ? STATUS_OK : error_no_memory(err);
}

static enum status read_domain(yyjson_val *object, enum domain *ret, struct error *err)
{
    yyjson_val *value = json_get(object, "domain");
    if (!yyjson_is_str(value) || !domain_parse(json_str_of(value), ret))
        return elastic_strange("the last commit", err);
    return STATUS_OK;
}

static enum status read_record(yyjson_val *value, struct arena *arena, struct redo_record *ret,
                               struct error *err)
{
    yyjson_val *object = json_get(value, "record");
    TRY(read_domain(value, &ret->domain, err));
    TRY(read_text(value, "id", arena, &ret->id, err));
    if (!yyjson_is_obj(object))
        return STATUS_OK;
    struct record *record = ARENA_NEW(arena, struct record);
    if (!record)
        return error_no_memory(err);
    ret->record = record;
    return record_read(object, arena, record, err);
}

static enum status read_key(yyjson_val *value, struct arena *arena, struct redo_key *ret,
                            struct error *err)
{
    TRY(read_domain(value, &ret->domain, err));
    TRY(read_text(value, "tenant", arena, &ret->tenant, err));
    TRY(read_text(value, "key", arena, &ret->key, err));
    if (yyjson_is_null(json_get(value, "record")))
        return STATUS_OK;
    return read_text(value, "record", arena, &ret->record, err);
}

enum status redo_read(yyjson_val *head, struct arena *arena, struct redo *ret, struct error *err)
{
    yyjson_val *records = elastic_member(head, "redo.records");
    yyjson_val *keys = elastic_member(head, "redo.keys");
    size_t at, max;
    yyjson_val *value;
    *ret = (struct redo){
        .commit = yyjson_get_sint(json_get(head, "commit")),
        .records = arena_array(arena, yyjson_arr_size(records), sizeof *ret->records),
        .keys = arena_array(arena, yyjson_arr_size(keys), sizeof *ret->keys),
    };
    if (!ret->records || !ret->keys)
        return error_no_memory(err);
    yyjson_arr_foreach(records, at, max, value)
        TRY(read_record(value, arena, &ret->records[ret->records_len++], err));
    yyjson_arr_foreach(keys, at, max, value)
        TRY(read_key(value, arena, &ret->keys[ret->keys_len++], err));
    return STATUS_OK;
}

/* --- as documents --- */

struct output {
    struct elastic_backend *backend;
    const struct redo *redo;
    bool *done;     /* records first, then keys */
    uint32_t *sent; /* which of them are in the body */
    uint32_t sent_len;
    struct buf body;
    uint32_t left; /* by the last round */
};

static void write_action(struct output *out, const char *action, const char *index, struct str id,
                         bool is_record)
{
    struct json_writer w;
    json_writer_init(&w, &out->body);
    json_begin_object(&w);
    json_keyz(&w, action);
    json_begin_object(&w);
    struct buf text;
    buf_init(&text, 1024);
    buf_printf(&text, "%s-%s", out->backend->url.prefix, index);
    json_kv_str(&w, "_index", buf_str(&text));
    out->body.failed |= text.failed;
    buf_release(&text);
    json_kv_str(&w, "_id", id);
    json_kv_int(&w, "version", out->redo->commit);
    json_kv_strz(&w, "version_type", "external");
    if (is_record) /* an index that somebody deleted must not come back without its mapping */
        json_kv_bool(&w, "require_alias", true);
    json_end_object(&w);
    json_end_object(&w);
    buf_append_char(&out->body, '\n');
}

static void write_record_lines(struct output *out, const struct redo_record *item)
{
    struct json_writer w;
    write_action(out, item->record ? "index" : "delete", domain_name(item->domain), item->id, true);
    if (!item->record)
        return;
    json_writer_init(&w, &out->body);
    elastic_document_write(&w, item->record);
    buf_append_char(&out->body, '\n');
}

static void write_key_lines(struct output *out, const struct redo_key *item)
{
    char id[ELASTIC_ID_MAX];
    struct json_writer w;
    elastic_key_id(item->domain, item->tenant, item->key, id);
    out->body.failed |= !id[0];
    write_action(out, item->record.len ? "index" : "delete", "keys", str_of(id), false);
    if (!item->record.len)
        return;
    json_writer_init(&w, &out->body);
    write_key(&w, item);
    buf_append_char(&out->body, '\n');
}

static enum status item_failed(struct output *out, yyjson_val *item, int status, struct error *err)
{
    yyjson_val *reason = elastic_member(item, "error.reason");
    struct str text = yyjson_is_str(reason) ? json_str_of(reason) : STR("no reason given");
    bool busy = status == 429 || status == 503;
    out->left++;
    if (busy)
        return STATUS_OK;
    bool away = status == 403 || status == 404;
    return error_set(err, away ? STATUS_UNAVAILABLE : STATUS_CORRUPT,
                     "the catalog's search server does not take a document of commit %lld (%d): "
                     "%.*s",
                     (long long)out->redo->commit, status, STR_ARG(text));
}

/* {"index":{"status":201,...}}: written; 409: was written before; a delete's 404: was gone. */
static enum status read_item(struct output *out, yyjson_val *answer, uint32_t which,
                             struct error *err)
{
    yyjson_val *deleted = json_get(answer, "delete");
    yyjson_val *item = deleted ? deleted : json_get(answer, "index");
    int status = yyjson_get_int(json_get(item, "status"));
    bool gone = deleted && status == 404 && !json_get(item, "error");
    if (!item)
        return elastic_strange("_bulk", err);
    out->done[which] = status / 100 == 2 || status == 409 || gone;
    return out->done[which] ? STATUS_OK : item_failed(out, item, status, err);
}

static enum status send_body(struct output *out, struct error *err)
{
    struct elastic_reply reply;
    if (!out->sent_len)
        return STATUS_OK;
    TRY(buf_check(&out->body, "a commit's documents", err));
    const struct elastic_request request = {
        .method = "POST", .path = "/_bulk", .body = buf_str(&out->body), .lines = true};
    TRY(elastic_call(out->backend, &request, &reply, err));
    yyjson_val *items = json_get(yyjson_doc_get_root(reply.doc), "items"), *item;
    enum status status =
        yyjson_arr_size(items) == out->sent_len ? STATUS_OK : elastic_strange("_bulk", err);
    size_t at, max;
    yyjson_arr_foreach(items, at, max, item)
    {
        if (status == STATUS_OK)
            status = read_item(out, item, out->sent[at], err);
    }
    elastic_reply_release(&reply);
    buf_clear(&out->body);
    out->sent_len = 0;
    return status;
}

static enum status send_round(struct output *out, struct error *err)
{
    uint32_t records = out->redo->records_len, all = records + out->redo->keys_len;
    out->left = 0;
    for (uint32_t i = 0; i < all; i++) {
        if (out->done[i])
            continue;
        out->sent[out->sent_len++] = i;
        if (i < records)
            write_record_lines(out, &out->redo->records[i]);
        else
            write_key_lines(out, &out->redo->keys[i - records]);
        if (out->body.len >= ELASTIC_BULK_BYTES)
            TRY(send_body(out, err));
    }
    return send_body(out, err);
}

static enum status send_rounds(struct output *out, struct error *err)
{
    for (uint32_t tries = 0; tries < out->backend->tries; tries++) {
        if (tries) {
            atomic_fetch_add(&out->backend->retries, 1);
            sys_sleep_us(out->backend->sys, ((int64_t)out->backend->wait_ms * 1000) << tries);
        }
        TRY(send_round(out, err));
        if (!out->left)
            return STATUS_OK;
    }
    return error_set(err, STATUS_UNAVAILABLE,
                     "the catalog's search server is too busy to write %u documents",
                     (unsigned)out->left);
}

/* The commits between were written out before this one was decided; what they touched is unknown,
 * and so is what a head without a redo (reindex.c) stands for. */
static void note_applied(struct elastic_backend *backend, const struct redo *redo)
{
    bool unknown = redo->commit > atomic_load(&backend->applied) + 1 || !redo->records_len;
    for (int i = 0; i < DOMAIN_COUNT && unknown; i++)
        atomic_store(&backend->changed[i], redo->commit);
    for (uint32_t i = 0; i < redo->records_len; i++)
        atomic_store(&backend->changed[redo->records[i].domain], redo->commit);
    atomic_store(&backend->applied, redo->commit);
}

enum status redo_apply(struct elastic_backend *backend, const struct redo *redo, struct error *err)
{
    uint32_t all = redo->records_len + redo->keys_len;
    struct output out = {.backend = backend,
                         .redo = redo,
                         .done = calloc(all + 1, sizeof *out.done),
                         .sent = calloc(all + 1, sizeof *out.sent)};
    buf_init(&out.body, ELASTIC_REQUEST_MAX);
    enum status status = out.done && out.sent ? send_rounds(&out, err) : error_no_memory(err);
    if (status == STATUS_OK)
        note_applied(backend, redo);
    buf_release(&out.body);
    free(out.done);
    free(out.sent);
    return status;
}

/* commit.c: commits, many decided by one write of head.
 *
 * 1. Commits come in groups (commit_queue.h, ELASTIC_CHANGES_MAX changes at the most). The writer
 *    reads head, the records and the keys concerned in one request, and applies the rules of
 *    commit_plan.c to them, commit by commit; one that is refused drops out.
 * 2. It replaces head by one with what they leave: now they have happened. When somebody else wrote
 *    head meanwhile it begins again at 1.
 * 3. It writes the documents. If that fails they follow later: whoever reads makes up for it first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "catalog/elastic/elastic_int.h"

enum { RACES_MAX = 1000, RACE_WAIT_US = 2000 };

struct elastic_commit {
    struct queued_commit queued;
    const struct change *changes;
    struct commit_result *result;
    enum status status;
    struct error error;
};

static struct elastic_commit *next_of(const struct elastic_commit *commit)
{
    return (struct elastic_commit *)commit->queued.next;
}

/* What a turn works with. */
struct turn {
    struct elastic_backend *backend;
    struct elastic_commit *first;
    struct record_set set;
    struct elastic_head head;
    struct redo redo;
    uint32_t records_cap, keys_cap;
    struct arena arena;
};

/* --- reading what they are about --- */

static bool stores_key(const struct change *change)
{
    return (change->kind == CHANGE_INSERT || change->kind == CHANGE_UPDATE) &&
           change->record->key.len && !change->record->deleted_us;
}

static void want(struct json_writer *w, const char *index, struct str id)
{
    json_begin_object(w);
    json_kv_strz(w, "_index", index);
    json_kv_str(w, "_id", id);
    json_end_object(w);
}

static void want_change(struct turn *turn, struct json_writer *w, const struct change *change)
{
    struct elastic_backend *backend = turn->backend;
    const struct record *record = change->record;
    char id[ELASTIC_ID_MAX];
    char *index = elastic_path(backend, &turn->arena, domain_name(record->domain), "");
    char *keys = elastic_path(backend, &turn->arena, "keys", "");
    if (!index || !keys) {
        w->buf->failed = true;
        return;
    }
    want(w, index + 1, record->id);
    if (!stores_key(change))
        return;
    elastic_key_id(record->domain, record->tenant, record->key, id);
    w->buf->failed |= !id[0];
    want(w, keys + 1, str_of(id));
}

static enum status want_all(struct turn *turn, struct buf *buf, struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_keyz(&w, "docs");
    json_begin_array(&w);
    head_want(turn->backend, &w);
    for (struct elastic_commit *commit = turn->first; commit; commit = next_of(commit))
        for (uint32_t i = 0; i < commit->queued.changes; i++)
            want_change(turn, &w, &commit->changes[i]);
    json_end_array(&w);
    json_end_object(&w);
    return buf_check(buf, "a commit", err);
}

static enum status put_record(struct turn *turn, yyjson_val *source, enum domain domain,
                              struct error *err)
{
    struct arena arena;
    struct record record;
    arena_init(&arena, 0);
    enum status status = elastic_document_read(source, domain, &arena, &record, err);
    if (status == STATUS_OK) {
        struct record *copy = record_clone(&record);
        status = copy ? record_set_put(&turn->set, copy, err) : error_no_memory(err);
    }
    arena_release(&arena);
    return status;
}

/* Of a holder that no change names only the name counts. */
static enum status put_holder(struct turn *turn, yyjson_val *source, const struct record *wanted,
                              struct error *err)
{
    yyjson_val *id = json_get(source, "record");
    if (!yyjson_is_str(id))
        return elastic_strange("_mget", err);
    if (record_set_get(&turn->set, wanted->domain, json_str_of(id)))
        return STATUS_OK;
    const struct record holder = {.domain = wanted->domain,
                                  .id = json_str_of(id),
                                  .tenant = wanted->tenant,
                                  .key = wanted->key};
    struct record *copy = record_clone(&holder);
    return copy ? record_set_put(&turn->set, copy, err) : error_no_memory(err);
}

/* Records in the first pass, then holders of keys. */
static enum status take_docs(struct turn *turn, yyjson_val *docs, bool keys, struct error *err)
{
    yyjson_arr_iter iter;
    yyjson_arr_iter_init(docs, &iter);
    (void)yyjson_arr_iter_next(&iter); /* head */
    for (struct elastic_commit *commit = turn->first; commit; commit = next_of(commit)) {
        for (uint32_t i = 0; i < commit->queued.changes; i++) {
            const struct change *change = &commit->changes[i];
            yyjson_val *record = yyjson_arr_iter_next(&iter);
            yyjson_val *key = stores_key(change) ? yyjson_arr_iter_next(&iter) : NULL;
            if (!record || json_get(record, "error") || (key && json_get(key, "error")))
                return elastic_strange("_mget", err);
            yyjson_val *source = json_get(keys ? key : record, "_source");
            if (source && keys)
                TRY(put_holder(turn, source, change->record, err));
            else if (source)
                TRY(put_record(turn, source, change->record->domain, err));
        }
    }
    return STATUS_OK;
}

static enum status read_turn(struct turn *turn, struct error *err)
{
    struct buf buf;
    struct elastic_reply reply;
    yyjson_val *docs = NULL;
    buf_init(&buf, ELASTIC_REQUEST_MAX);
    enum status status = want_all(turn, &buf, err);
    if (status == STATUS_OK)
        status = elastic_read_together(turn->backend, buf_str(&buf), true, &reply, &docs,
                                       &turn->head, err);
    buf_release(&buf);
    TRY(status);
    status = take_docs(turn, docs, false, err);
    if (status == STATUS_OK)
        status = take_docs(turn, docs, true, err);
    elastic_reply_release(&reply);
    if (status == STATUS_OK && turn->head.held_until_us > sys_now_us(turn->backend->sys))
        status = error_set(err, STATUS_UNAVAILABLE,
                           "the catalog's indexes are being copied; try again later");
    return status;
}

/* --- the rules --- */

static enum status note_key(struct turn *turn, const struct record *record, struct error *err)
{
    if (!record || !record->key.len || record->deleted_us)
        return STATUS_OK;
    struct redo_key *item = &turn->redo.keys[turn->redo.keys_len++];
    *item = (struct redo_key){.domain = record->domain,
                              .tenant = arena_str(&turn->arena, record->tenant),
                              .key = arena_str(&turn->arena, record->key)};
    return item->tenant.data && item->key.data ? STATUS_OK : error_no_memory(err);
}

static enum status note_planned(struct turn *turn, const struct planned *item, struct error *err)
{
    turn->redo.records[turn->redo.records_len++] =
        (struct redo_record){.domain = item->domain, .id = item->id};
    TRY(note_key(turn, record_set_get(&turn->set, item->domain, item->id), err));
    return note_key(turn, item->after, err);
}

/* A refusal is the commit's own affair; another failure is everyone's. */
static enum status plan_commit(struct turn *turn, struct elastic_commit *commit, struct error *err)
{
    struct commit_plan plan;
    commit->error = ERROR_INIT;
    enum status status = commit_plan_make(&turn->set, commit->changes, commit->queued.changes,
                                          &plan, commit->result, &commit->error);
    commit->status = status;
    for (uint32_t i = 0; i < plan.len && status == STATUS_OK; i++)
        status = note_planned(turn, &plan.items[i], err);
    if (status == STATUS_OK)
        status = commit_plan_apply(&turn->set, &plan, err);
    commit_plan_release(&plan);
    return commit->result->conflict != CONFLICT_NONE ? STATUS_OK : status;
}

static int by_record(const void *a, const void *b)
{
    const struct redo_record *x = a, *y = b;
    return x->domain != y->domain ? (int)x->domain - (int)y->domain : str_cmp(x->id, y->id);
}

static int by_key(const void *a, const void *b)
{
    const struct redo_key *x = a, *y = b;
    int order = (int)x->domain - (int)y->domain;
    order = order ? order : str_cmp(x->tenant, y->tenant);
    return order ? order : str_cmp(x->key, y->key);
}

/* Each record and key once, with what is left in the end. */
static void finish_redo(struct turn *turn)
{
    struct redo *redo = &turn->redo;
    uint32_t records = 0, keys = 0;
    qsort(redo->records, redo->records_len, sizeof *redo->records, by_record);
    for (uint32_t i = 0; i < redo->records_len; i++) {
        struct redo_record item = redo->records[i];
        if (records && by_record(&redo->records[records - 1], &item) == 0)
            continue;
        item.record = record_set_get(&turn->set, item.domain, item.id);
        redo->records[records++] = item;
    }
    qsort(redo->keys, redo->keys_len, sizeof *redo->keys, by_key);
    for (uint32_t i = 0; i < redo->keys_len; i++) {
        struct redo_key item = redo->keys[i];
        if (keys && by_key(&redo->keys[keys - 1], &item) == 0)
            continue;
        const struct record *holder =
            record_set_find(&turn->set, item.domain, item.tenant, item.key);
        item.record = holder ? holder->id : STR_NONE;
        redo->keys[keys++] = item;
    }
    redo->records_len = records;
    redo->keys_len = keys;
}

static enum status plan_turn(struct turn *turn, struct error *err)
{
    uint32_t changes = 0;
    for (struct elastic_commit *commit = turn->first; commit; commit = next_of(commit))
        changes += commit->queued.changes;
    turn->redo = (struct redo){
        .commit = turn->head.commit + 1,
        .records = arena_array(&turn->arena, changes, sizeof *turn->redo.records),
        .keys = arena_array(&turn->arena, 2 * (size_t)changes, sizeof *turn->redo.keys)};
    if (!turn->redo.records || !turn->redo.keys)
        return error_no_memory(err);
    for (struct elastic_commit *commit = turn->first; commit; commit = next_of(commit))
        TRY(plan_commit(turn, commit, err));
    finish_redo(turn);
    return STATUS_OK;
}

/* --- deciding and writing --- */

/* STATUS_CONFLICT: again. */
static enum status run_turn(struct turn *turn, struct error *err)
{
    TRY(read_turn(turn, err));
    TRY(plan_turn(turn, err));
    if (!turn->redo.records_len)
        return STATUS_OK;
    pthread_mutex_lock(&turn->backend->apply_lock);
    enum status status = head_replace(turn->backend, &turn->head, &turn->redo, 0, err);
    if (status == STATUS_OK)
        (void)redo_apply(turn->backend, &turn->redo, NULL); /* if not now, then later */
    pthread_mutex_unlock(&turn->backend->apply_lock);
    return status;
}

static void write_together(struct elastic_backend *backend, struct elastic_commit *first);

/* Together they were too large. */
static void write_singly(struct elastic_backend *backend, struct elastic_commit *first)
{
    for (struct elastic_commit *next; first; first = next) {
        next = next_of(first);
        first->queued.next = NULL;
        write_together(backend, first);
        first->queued.next = (struct queued_commit *)next;
    }
}

static void write_together(struct elastic_backend *backend, struct elastic_commit *first)
{
    struct error err = ERROR_INIT;
    enum status status = STATUS_CONFLICT;
    for (int races = 0; status == STATUS_CONFLICT && races < RACES_MAX; races++) {
        struct turn turn = {.backend = backend, .first = first};
        arena_init(&turn.arena, 0);
        record_set_init(&turn.set);
        for (struct elastic_commit *commit = first; commit; commit = next_of(commit))
            *commit->result = (struct commit_result){0};
        if (races)
            sys_sleep_us(backend->sys, RACE_WAIT_US);
        status = run_turn(&turn, &err);
        record_set_release(&turn.set);
        arena_release(&turn.arena);
    }
    if (status == STATUS_OK)
        return;
    if (status == STATUS_RESOURCE_LIMIT && first->queued.next) {
        write_singly(backend, first);
        return;
    }
    for (struct elastic_commit *commit = first; commit; commit = next_of(commit)) {
        commit->status = status == STATUS_CONFLICT ? STATUS_UNAVAILABLE : status;
        commit->error = err;
        *commit->result = (struct commit_result){0};
    }
}

void elastic_write_group(void *backend, struct queued_commit *first)
{
    write_together(backend, (struct elastic_commit *)first);
}

enum status elastic_commit(struct backend *base, const struct change *changes, uint32_t len,
                           struct commit_result *ret, struct error *err)
{
    struct elastic_backend *backend = (struct elastic_backend *)base;
    struct elastic_commit commit = {.queued.changes = len, .changes = changes, .result = ret};
    commit_queue_run(&backend->commits, &commit.queued);
    if (commit.status != STATUS_OK && err)
        *err = commit.error;
    return commit.status;
}

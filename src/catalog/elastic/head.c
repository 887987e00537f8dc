/* head.c: the document that decides commits.
 *
 * Its number grows by one with each commit. Everything of the commits before it is written out; its
 * own documents may still be missing when its writer died or was cut off: head_settle writes them
 * then, which is harmless when the writer lives (redo.c). */
#include <stdio.h>
#include <string.h>

#include "catalog/elastic/elastic_int.h"

enum status head_read(yyjson_val *document, struct elastic_head *ret, struct error *err)
{
    yyjson_val *source = json_get(document, "_source"), *seq_no = json_get(document, "_seq_no");
    yyjson_val *commit = json_get(source, "commit");
    if (!yyjson_is_int(commit) || !yyjson_is_int(seq_no))
        return error_set(err, STATUS_CORRUPT,
                         "the catalog's search server has lost the document that leads commits");
    *ret = (struct elastic_head){
        .commit = yyjson_get_sint(commit),
        .held_until_us = yyjson_get_sint(json_get(source, "held_until_us")),
        .seq_no = yyjson_get_sint(seq_no),
        .primary_term = yyjson_get_sint(json_get(document, "_primary_term")),
    };
    return STATUS_OK;
}

void head_want(struct elastic_backend *backend, struct json_writer *w)
{
    struct buf name;
    buf_init(&name, 1024);
    buf_printf(&name, "%s-control", backend->prefix);
    w->buf->failed |= name.failed;
    json_begin_object(w);
    json_kv_str(w, "_index", buf_str(&name));
    json_kv_strz(w, "_id", "head");
    json_keyz(w, "_source");
    json_begin_array(w);
    json_stringz(w, "commit");
    json_stringz(w, "held_until_us");
    json_end_array(w);
    json_end_object(w);
    buf_release(&name);
}

static enum status get_head(struct elastic_backend *backend, const char *rest,
                            struct elastic_reply *ret, struct error *err)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    const struct elastic_request request = {.method = "GET",
                                            .path = elastic_path(backend, &arena, "control", rest)};
    enum status status =
        request.path ? elastic_call(backend, &request, ret, err) : error_no_memory(err);
    arena_release(&arena);
    return status;
}

/* With apply_lock. */
static enum status write_out(struct elastic_backend *backend, struct error *err)
{
    struct elastic_reply reply;
    struct arena arena;
    struct redo redo;
    TRY(get_head(backend, "/_doc/head", &reply, err));
    arena_init(&arena, 0);
    enum status status =
        redo_read(json_get(yyjson_doc_get_root(reply.doc), "_source"), &arena, &redo, err);
    elastic_reply_release(&reply);
    if (status == STATUS_OK && redo.commit > atomic_load(&backend->applied))
        status = redo_apply(backend, &redo, err);
    arena_release(&arena);
    return status;
}

enum status head_settle(struct elastic_backend *backend, int64_t commit, struct error *err)
{
    enum status status = STATUS_OK;
    if (atomic_load(&backend->applied) >= commit)
        return STATUS_OK;
    pthread_mutex_lock(&backend->apply_lock);
    if (atomic_load(&backend->applied) < commit)
        status = write_out(backend, err);
    pthread_mutex_unlock(&backend->apply_lock);
    return status;
}

static enum status look(struct elastic_backend *backend, struct error *err)
{
    struct elastic_reply reply;
    struct elastic_head head;
    TRY(get_head(backend, "/_doc/head?_source_includes=commit,held_until_us", &reply, err));
    enum status status = head_read(yyjson_doc_get_root(reply.doc), &head, err);
    elastic_reply_release(&reply);
    TRY(status);
    return head_settle(backend, head.commit, err);
}

enum status head_refresh(struct elastic_backend *backend, enum domain domain, struct error *err)
{
    struct elastic_reply reply;
    struct arena arena;
    TRY(look(backend, err));
    int64_t changed = atomic_load(&backend->changed[domain]);
    int64_t refreshed = atomic_load(&backend->refreshed[domain]);
    if (refreshed >= changed)
        return STATUS_OK;
    arena_init(&arena, 1 << 16);
    const struct elastic_request request = {
        .method = "POST", .path = elastic_path(backend, &arena, domain_name(domain), "/_refresh")};
    enum status status =
        request.path ? elastic_call(backend, &request, &reply, err) : error_no_memory(err);
    arena_release(&arena);
    TRY(status);
    elastic_reply_release(&reply);
    while (refreshed < changed &&
           !atomic_compare_exchange_weak(&backend->refreshed[domain], &refreshed, changed))
        continue;
    return STATUS_OK;
}

/* --- writing --- */

void head_token(struct elastic_backend *backend, char out[HEAD_TOKEN_MAX])
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char random[(HEAD_TOKEN_MAX - 1) / 2];
    sys_random(backend->sys, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        out[2 * i] = DIGITS[random[i] >> 4];
        out[2 * i + 1] = DIGITS[random[i] & 15];
    }
    out[HEAD_TOKEN_MAX - 1] = '\0';
}

/* Refused after a try of unknown fate: perhaps it was our own write that came before. */
static enum status whose(struct elastic_backend *backend, const char *token, struct error *err)
{
    struct elastic_reply reply;
    TRY(get_head(backend, "/_doc/head?_source_includes=token", &reply, err));
    yyjson_val *value = elastic_member(yyjson_doc_get_root(reply.doc), "_source.token");
    bool own = yyjson_is_str(value) && str_is(json_str_of(value), token);
    elastic_reply_release(&reply);
    return own ? STATUS_OK : error_set(err, STATUS_CONFLICT, "another commit was faster");
}

enum status head_replace(struct elastic_backend *backend, const struct elastic_head *head,
                         struct str body, const char *token, struct error *err)
{
    struct elastic_reply reply;
    struct arena arena;
    char rest[128];
    bool uncertain = false;
    snprintf(rest, sizeof rest, "/_doc/head?if_seq_no=%lld&if_primary_term=%lld",
             (long long)head->seq_no, (long long)head->primary_term);
    arena_init(&arena, 1 << 16);
    const struct elastic_request request = {
        .method = "PUT", .path = elastic_path(backend, &arena, "control", rest), .body = body};
    enum status status = request.path ? elastic_send(backend, &request, &reply, &uncertain, err)
                                      : error_no_memory(err);
    arena_release(&arena);
    TRY(status);
    if (reply.status == 409)
        status = uncertain ? whose(backend, token, err)
                           : error_set(err, STATUS_CONFLICT, "another commit was faster");
    else if (reply.status / 100 != 2)
        status = elastic_refused(&reply, err);
    elastic_reply_release(&reply);
    return status;
}

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
    yyjson_val *tokens = json_get(source, "tokens"), *token;
    size_t at, max;
    *ret = (struct elastic_head){
        .commit = yyjson_get_sint(commit),
        .held_until_us = yyjson_get_sint(json_get(source, "held_until_us")),
        .seq_no = yyjson_get_sint(seq_no),
        .primary_term = yyjson_get_sint(json_get(document, "_primary_term")),
    };
    yyjson_arr_foreach(tokens, at, max, token)
    {
        if (at < HEAD_TOKENS && yyjson_get_len(token) == HEAD_TOKEN_MAX - 1)
            memcpy(ret->tokens[ret->tokens_len++], yyjson_get_str(token), HEAD_TOKEN_MAX);
    }
    return STATUS_OK;
}

void head_want(struct elastic_backend *backend, struct json_writer *w)
{
    struct buf name;
    buf_init(&name, 1024);
    buf_printf(&name, "%s-control", backend->url.prefix);
    w->buf->failed |= name.failed;
    json_begin_object(w);
    json_kv_str(w, "_index", buf_str(&name));
    json_kv_strz(w, "_id", "head");
    json_keyz(w, "_source");
    json_begin_array(w);
    json_stringz(w, "commit");
    json_stringz(w, "held_until_us");
    json_stringz(w, "tokens");
    json_end_array(w);
    json_end_object(w);
    buf_release(&name);
}

enum { PROBE_TIMEOUT_MS = 5000 };

enum status head_probe(struct elastic_backend *backend, struct error *err)
{
    struct elastic_reply reply;
    struct elastic_head head;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    const struct elastic_request request = {
        .method = "GET",
        .path = elastic_path(backend, &arena, "control", "/_doc/head?_source_includes=commit"),
        .once = true,
        .timeout_ms = PROBE_TIMEOUT_MS};
    enum status status =
        request.path ? elastic_call(backend, &request, &reply, err) : error_no_memory(err);
    arena_release(&arena);
    TRY(status);
    status = head_read(yyjson_doc_get_root(reply.doc), &head, err);
    elastic_reply_release(&reply);
    return status;
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

static enum status settle_now(struct elastic_backend *backend, struct error *err)
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
    TRY(settle_now(backend, err));
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

static void make_token(struct elastic_backend *backend, char out[HEAD_TOKEN_MAX])
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

static enum status write_head(const struct elastic_head *old, const struct redo *redo,
                              int64_t held_until_us, const char *token, struct buf *buf,
                              struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_kv_int(&w, "format", ELASTIC_FORMAT);
    json_kv_int(&w, "commit", redo->commit);
    json_kv_int(&w, "held_until_us", held_until_us);
    json_keyz(&w, "tokens");
    json_begin_array(&w);
    json_stringz(&w, token);
    for (uint32_t i = 0; i < old->tokens_len && i + 1 < HEAD_TOKENS; i++)
        json_stringz(&w, old->tokens[i]);
    json_end_array(&w);
    json_keyz(&w, "redo");
    redo_write(&w, redo);
    json_end_object(&w);
    return buf_check(buf, "a commit", err);
}

/* Our write was refused as late: by an earlier try of it whose answer was lost (the HTTP client,
 * too, sends a request again when a kept connection turns out closed), or by somebody else's write.
 * Numbers grow by one or more with each write. */
static enum status whose(struct elastic_backend *backend, const struct elastic_head *old,
                         const char *token, struct error *err)
{
    struct elastic_reply reply;
    struct elastic_head now;
    TRY(get_head(backend, "/_doc/head?_source_includes=commit,tokens", &reply, err));
    enum status status = head_read(yyjson_doc_get_root(reply.doc), &now, err);
    elastic_reply_release(&reply);
    TRY(status);
    for (uint32_t i = 0; i < now.tokens_len; i++)
        if (strcmp(now.tokens[i], token) == 0)
            return STATUS_OK;
    if (now.seq_no - old->seq_no <= HEAD_TOKENS)
        return error_set(err, STATUS_CONFLICT, "another commit was faster");
    return error_set(err, STATUS_UNAVAILABLE,
                     "it is not known whether this commit happened: too many came after it");
}

static enum status put_head(struct elastic_backend *backend, const struct elastic_head *old,
                            struct str body, const char *token, struct error *err)
{
    struct elastic_reply reply;
    struct arena arena;
    char rest[128];
    snprintf(rest, sizeof rest, "/_doc/head?if_seq_no=%lld&if_primary_term=%lld",
             (long long)old->seq_no, (long long)old->primary_term);
    arena_init(&arena, 1 << 16);
    const struct elastic_request request = {
        .method = "PUT", .path = elastic_path(backend, &arena, "control", rest), .body = body};
    enum status status =
        request.path ? elastic_send(backend, &request, &reply, err) : error_no_memory(err);
    arena_release(&arena);
    TRY(status);
    if (reply.status == 409)
        status = whose(backend, old, token, err);
    else if (reply.status / 100 != 2)
        status = elastic_refused(&reply, err);
    elastic_reply_release(&reply);
    return status;
}

enum status head_replace(struct elastic_backend *backend, const struct elastic_head *head,
                         const struct redo *redo, int64_t held_until_us, struct error *err)
{
    struct buf body;
    char token[HEAD_TOKEN_MAX];
    make_token(backend, token);
    buf_init(&body, ELASTIC_REQUEST_MAX);
    enum status status = write_head(head, redo, held_until_us, token, &body, err);
    if (status == STATUS_OK)
        status = put_head(backend, head, buf_str(&body), token, err);
    buf_release(&body);
    return status;
}

#include "service/oidc.h"

#include <stdlib.h>

#include "net/http_client.h"
#include "service/oidc_int.h"
#include "sys/thread.h"

struct oidc {
    struct sys *sys;
    struct verifier *verifier;
    const struct log *log;
    struct arena arena; /* the configuration */
    struct oidc_issuer *issuers;
    uint32_t len;
    struct thread thread;
    pthread_mutex_t lock; /* due_us, asked_us, ends */
    pthread_cond_t changed;
    bool ends;
};

/* --- fetching --- */

static enum status fetch_url(const struct oidc_issuer *issuer, struct buf *text, struct error *err)
{
    const struct http_client_options options = {.timeout_ms = OIDC_TIMEOUT_MS,
                                                .ca_file = issuer->ca_file};
    struct http_client *client = NULL;
    struct http_reply reply;
    TRY(http_client_new(&options, &client, err));
    http_reply_init(&reply, OIDC_JWKS_MAX);
    enum status status =
        http_client_call(client, &(struct http_call){.url = issuer->url}, &reply, err);
    if (status == STATUS_OK && reply.status != 200)
        status = error_set(err, STATUS_UNAVAILABLE, "%s answers %d", issuer->url, reply.status);
    if (status == STATUS_OK && !buf_append_str(text, buf_str(&reply.body)))
        status = error_no_memory(err);
    http_reply_release(&reply);
    http_client_free(client);
    return status;
}

/* Keys of algorithms that were not asked for are left out. */
static enum status pick_keys(const struct oidc_issuer *issuer, struct keyring *all,
                             struct keyring *ret, struct error *err)
{
    for (uint32_t i = 0; i < all->len; i++)
        if (issuer->algorithms >> auth_key_alg(all->keys[i]) & 1)
            TRY(keyring_add(ret, auth_key_ref(all->keys[i]), err));
    return ret->len ? STATUS_OK
                    : error_set(err, STATUS_INVALID_ARGUMENT, "no key is of an algorithm wanted");
}

static enum status read_keys(const struct oidc_issuer *issuer, struct str text, struct keyring *ret,
                             struct error *err)
{
    yyjson_doc *doc = NULL;
    struct keyring all = {0};
    TRY(json_parse(text, &doc, err));
    enum status status = keyring_add_jwks(&all, yyjson_doc_get_root(doc), err);
    if (status == STATUS_OK)
        status = pick_keys(issuer, &all, ret, err);
    keyring_release(&all);
    yyjson_doc_free(doc);
    return status;
}

static enum status fetch(struct oidc *oidc, struct oidc_issuer *issuer, struct error *err)
{
    struct keyring keys = {0};
    struct buf text;
    buf_init(&text, OIDC_JWKS_MAX);
    enum status status = issuer->url ? fetch_url(issuer, &text, err)
                                     : sys_read_file(oidc->sys, issuer->file, &text, err);
    if (status == STATUS_OK)
        status = read_keys(issuer, buf_str(&text), &keys, err);
    if (status == STATUS_OK)
        status = verifier_set_keys(oidc->verifier, issuer->issuer, issuer->audience, &keys, err);
    keyring_release(&keys);
    buf_release(&text);
    return status;
}

/* Told once for each change from good to bad and back. */
static void tell(struct oidc *oidc, struct oidc_issuer *issuer, enum status status,
                 const struct error *err)
{
    bool failed = status != STATUS_OK;
    if (failed && !issuer->failed)
        log_error(oidc->log, "the keys of an outside issuer cannot be had", err);
    else if (!failed && (issuer->failed || !issuer->has_keys))
        log_event(oidc->log, LOG_INFO, "keys of an outside issuer",
                  LOG_TEXT("issuer", issuer->issuer));
    issuer->failed = failed;
    issuer->has_keys = issuer->has_keys || !failed;
}

/* --- the thread --- */

/* The one that is due, or NULL with the time until when to wait. */
static struct oidc_issuer *next_due(struct oidc *oidc, int64_t *ret_until_us)
{
    int64_t now = sys_mono_us(oidc->sys);
    struct oidc_issuer *first = &oidc->issuers[0];
    for (uint32_t i = 1; i < oidc->len; i++)
        if (oidc->issuers[i].due_us < first->due_us)
            first = &oidc->issuers[i];
    *ret_until_us = first->due_us;
    return first->due_us <= now ? first : NULL;
}

static void *run(void *argument)
{
    struct oidc *oidc = argument;
    int64_t until_us = 0;
    pthread_mutex_lock(&oidc->lock);
    while (!oidc->ends) {
        struct oidc_issuer *issuer = next_due(oidc, &until_us);
        if (!issuer) {
            thread_cond_wait_until(&oidc->changed, &oidc->lock, until_us);
            continue;
        }
        issuer->asked_us = sys_mono_us(oidc->sys);
        issuer->due_us = issuer->asked_us + issuer->refresh_us;
        pthread_mutex_unlock(&oidc->lock);
        struct error err = ERROR_INIT;
        enum status status = fetch(oidc, issuer, &err);
        tell(oidc, issuer, status, &err);
        pthread_mutex_lock(&oidc->lock);
        if (status != STATUS_OK)
            issuer->due_us = sys_mono_us(oidc->sys) + OIDC_RETRY_S * INT64_C(1000000);
    }
    pthread_mutex_unlock(&oidc->lock);
    return NULL;
}

/* A token did not fit: perhaps the issuer has new keys. */
static void on_miss(void *context, struct str name)
{
    struct oidc *oidc = context;
    pthread_mutex_lock(&oidc->lock);
    for (uint32_t i = 0; i < oidc->len; i++) {
        struct oidc_issuer *issuer = &oidc->issuers[i];
        int64_t soonest_us = issuer->asked_us + OIDC_MISS_S * INT64_C(1000000);
        if (str_eq(issuer->issuer, name) && issuer->due_us > soonest_us) {
            issuer->due_us = soonest_us;
            pthread_cond_signal(&oidc->changed);
        }
    }
    pthread_mutex_unlock(&oidc->lock);
}

/* --- life --- */

static enum status read_config(struct oidc *oidc, const char *path, struct error *err)
{
    struct buf text;
    buf_init(&text, OIDC_CONFIG_MAX);
    enum status status = sys_read_file(oidc->sys, path, &text, err);
    if (status == STATUS_OK)
        status = oidc_read_config(buf_str(&text), &oidc->arena, &oidc->issuers, &oidc->len, err);
    buf_release(&text);
    return status == STATUS_OK ? STATUS_OK : error_wrap(err, "%s (OIDC_ISSUERS)", path);
}

/* Known from the start, with no keys: its tokens are refused until there are some. */
static enum status introduce(struct oidc *oidc, struct error *err)
{
    for (uint32_t i = 0; i < oidc->len; i++) {
        struct keyring none = {0};
        TRY(verifier_set_keys(oidc->verifier, oidc->issuers[i].issuer, oidc->issuers[i].audience,
                              &none, err));
        verifier_set_mapping(oidc->verifier, oidc->issuers[i].issuer, &oidc->issuers[i].mapping);
    }
    verifier_on_miss(oidc->verifier, on_miss, oidc);
    return thread_start(&oidc->thread, "oidc", 0, run, oidc, err);
}

enum status oidc_open(struct sys *sys, const char *path, struct verifier *verifier,
                      const struct log *log, struct oidc **ret, struct error *err)
{
    *ret = NULL;
    if (!path[0])
        return STATUS_OK;
    struct oidc *oidc = calloc(1, sizeof *oidc);
    if (!oidc)
        return error_no_memory(err);
    oidc->sys = sys;
    oidc->verifier = verifier;
    oidc->log = log;
    arena_init(&oidc->arena, 16 << 20);
    pthread_mutex_init(&oidc->lock, NULL);
    thread_cond_init(&oidc->changed);
    enum status status = read_config(oidc, path, err);
    if (status == STATUS_OK)
        status = introduce(oidc, err);
    if (status != STATUS_OK) {
        oidc_close(oidc);
        return status;
    }
    *ret = oidc;
    return STATUS_OK;
}

void oidc_close(struct oidc *oidc)
{
    if (!oidc)
        return;
    pthread_mutex_lock(&oidc->lock);
    oidc->ends = true;
    pthread_cond_signal(&oidc->changed);
    pthread_mutex_unlock(&oidc->lock);
    thread_join(&oidc->thread);
    pthread_mutex_destroy(&oidc->lock);
    pthread_cond_destroy(&oidc->changed);
    arena_release(&oidc->arena);
    free(oidc);
}

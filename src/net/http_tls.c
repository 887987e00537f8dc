/* http_tls.c: certificates as GnuTLS's objects, and the call back that hands them out. */
#include "net/http_tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdlib.h>

#include "net/http_int.h"

struct pair {
    gnutls_pcert_st chain[HTTP_TLS_CHAIN_MAX];
    unsigned chain_len;
    gnutls_privkey_t key;
    int64_t retired_ms;
};

struct http_tls {
    pthread_mutex_t mutex;
    struct pair *present;
    struct pair *retired[HTTP_TLS_RETIRED_MAX];
    uint32_t retired_len;
    int64_t handshake_ms;
    bool newest_only;
};

static void pair_free(struct pair *pair)
{
    if (!pair)
        return;
    for (unsigned i = 0; i < pair->chain_len; i++)
        gnutls_pcert_deinit(&pair->chain[i]);
    if (pair->key)
        gnutls_privkey_deinit(pair->key);
    free(pair);
}

static gnutls_datum_t datum_of(const char *text)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
}

/* --- reading --- */

static enum status check_result(int code, const char *what, struct error *err)
{
    return code >= 0
               ? STATUS_OK
               : error_set(err, STATUS_INVALID_ARGUMENT, "%s: %s", what, gnutls_strerror(code));
}

/* Whether the first certificate's public key is the key's own. */
static enum status check_match(const struct pair *pair, struct error *err)
{
    unsigned char of_certificate[64], of_key[64];
    size_t certificate_len = sizeof of_certificate, key_len = sizeof of_key;
    gnutls_pubkey_t public_key;
    TRY(check_result(gnutls_pubkey_init(&public_key), "the TLS key cannot be used", err));
    int code = gnutls_pubkey_import_privkey(public_key, pair->key, 0, 0);
    if (code >= 0)
        code = gnutls_pubkey_get_key_id(public_key, 0, of_key, &key_len);
    if (code >= 0)
        code = gnutls_pubkey_get_key_id(pair->chain[0].pubkey, 0, of_certificate, &certificate_len);
    gnutls_pubkey_deinit(public_key);
    TRY(check_result(code, "the TLS key cannot be compared with its certificate", err));
    if (key_len != certificate_len || memcmp(of_key, of_certificate, key_len) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the TLS key does not belong to the (first) certificate");
    return STATUS_OK;
}

static enum status pair_read(struct pair *pair, const char *certificate, const char *key,
                             struct error *err)
{
    gnutls_datum_t certificate_text = datum_of(certificate), key_text = datum_of(key);
    unsigned len = HTTP_TLS_CHAIN_MAX;
    int code = gnutls_pcert_list_import_x509_raw(pair->chain, &len, &certificate_text,
                                                 GNUTLS_X509_FMT_PEM, 0);
    TRY(check_result(code, "the TLS certificate cannot be read", err));
    pair->chain_len = len;
    TRY(check_result(gnutls_privkey_init(&pair->key), "the TLS key cannot be used", err));
    code = gnutls_privkey_import_x509_raw(pair->key, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0);
    TRY(check_result(code, "the TLS key cannot be read", err));
    return check_match(pair, err);
}

static enum status pair_new(const char *certificate, const char *key, struct pair **ret,
                            struct error *err)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair)
        return error_no_memory(err);
    enum status status = pair_read(pair, certificate, key, err);
    if (status != STATUS_OK) {
        pair_free(pair);
        return status;
    }
    *ret = pair;
    return STATUS_OK;
}

/* --- handing out --- */

/* GnuTLS's, in the I/O thread; the session's pointer is MHD's connection. */
static int retrieve(gnutls_session_t session, const gnutls_datum_t *names, int names_len,
                    const gnutls_pk_algorithm_t *algorithms, int algorithms_len,
                    gnutls_pcert_st **chain, unsigned *chain_len, gnutls_privkey_t *key)
{
    struct MHD_Connection *connection = gnutls_session_get_ptr(session);
    struct http_connection *c = connection ? http_connection_of(connection) : NULL;
    (void)names, (void)names_len, (void)algorithms, (void)algorithms_len;
    if (!c || !c->tls)
        return -1;
    pthread_mutex_lock(&c->tls->mutex);
    *chain = c->tls->present->chain;
    *chain_len = c->tls->present->chain_len;
    *key = c->tls->present->key;
    pthread_mutex_unlock(&c->tls->mutex);
    return 0;
}

int http_tls_options(struct http_tls *tls, struct MHD_OptionItem items[HTTP_TLS_OPTIONS])
{
    const char *versions = tls->newest_only ? "NORMAL:-VERS-ALL:+VERS-TLS1.3"
                                            : "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    items[0] =
        (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)retrieve};
    items[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)versions};
    return 2;
}

/* --- replacing --- */

static void free_old(struct http_tls *tls, int64_t now_ms)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < tls->retired_len; i++) {
        if (now_ms - tls->retired[i]->retired_ms > tls->handshake_ms)
            pair_free(tls->retired[i]);
        else
            tls->retired[kept++] = tls->retired[i];
    }
    tls->retired_len = kept;
}

enum status http_tls_replace(struct http_tls *tls, const char *certificate, const char *key,
                             struct error *err)
{
    struct pair *pair = NULL;
    int64_t now_ms = http_now_ms();
    TRY(pair_new(certificate, key, &pair, err));
    pthread_mutex_lock(&tls->mutex);
    free_old(tls, now_ms);
    bool room = tls->retired_len < HTTP_TLS_RETIRED_MAX;
    if (room) {
        tls->present->retired_ms = now_ms;
        tls->retired[tls->retired_len++] = tls->present;
        tls->present = pair;
        pair = NULL;
    }
    pthread_mutex_unlock(&tls->mutex);
    pair_free(pair);
    return room ? STATUS_OK
                : error_set(err, STATUS_UNAVAILABLE,
                            "the TLS certificate was replaced %d times within %lld s; try again "
                            "later",
                            HTTP_TLS_RETIRED_MAX, (long long)tls->handshake_ms / 1000);
}

/* --- life --- */

enum status http_tls_new(const char *certificate, const char *key, bool newest_only,
                         uint32_t handshake_s, struct http_tls **ret, struct error *err)
{
    struct http_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return error_no_memory(err);
    enum status status = pair_new(certificate, key, &tls->present, err);
    if (status != STATUS_OK) {
        free(tls);
        return status;
    }
    tls->newest_only = newest_only;
    tls->handshake_ms = (int64_t)handshake_s * 1000;
    pthread_mutex_init(&tls->mutex, NULL);
    *ret = tls;
    return STATUS_OK;
}

void http_tls_free(struct http_tls *tls)
{
    if (!tls)
        return;
    pair_free(tls->present);
    for (uint32_t i = 0; i < tls->retired_len; i++)
        pair_free(tls->retired[i]);
    pthread_mutex_destroy(&tls->mutex);
    free(tls);
}

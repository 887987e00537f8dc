/* http_tls.h: the certificate of a listener, which may be replaced while it serves.
 *
 * Each handshake asks for the present certificate (GnuTLS's retrieve call back); connections that
 * stand keep what they have agreed on. A replaced certificate is kept for as long as a handshake
 * can take, then freed. Threads: any. */
#ifndef QUARRY_NET_HTTP_TLS_H
#define QUARRY_NET_HTTP_TLS_H

#include <microhttpd.h>

#include "base/status.h"

enum {
    HTTP_TLS_CHAIN_MAX = 8,    /* certificates of a chain */
    HTTP_TLS_RETIRED_MAX = 16, /* replaced ones that a handshake may still use */
    HTTP_TLS_OPTIONS = 2,
};

struct http_tls;

/* `certificate` (the server's first, then those that vouch for it) and `key`: PEM texts, copied.
 * `newest_only`: TLS 1.3, else 1.2 too. A handshake takes at most `handshake_s`.
 * STATUS_INVALID_ARGUMENT: they cannot be read, or are not of one pair. */
enum status http_tls_new(const char *certificate, const char *key, bool newest_only,
                         uint32_t handshake_s, struct http_tls **ret, struct error *err);
void http_tls_free(struct http_tls *tls);
/* On failure the old one stays. STATUS_UNAVAILABLE: too many were replaced in a short time. */
enum status http_tls_replace(struct http_tls *tls, const char *certificate, const char *key,
                             struct error *err);
/* What MHD has to be told; gives how many of `items` it has set. */
int http_tls_options(struct http_tls *tls, struct MHD_OptionItem items[HTTP_TLS_OPTIONS]);

#endif

/* tls.h: the certificate and key files of the gateway (TLS_CERTIFICATE, TLS_KEY): read at the start
 * and again when they have changed. One thread. */
#ifndef QUARRY_CMD_QUARRYD_TLS_H
#define QUARRY_CMD_QUARRYD_TLS_H

#include "service/settings.h"
#include "sys/sys.h"

enum { TLS_FILE_MAX = 256 << 10, TLS_LOOK_MS = 2000 };

struct tls_files {
    struct sys *sys;
    const char *paths[2]; /* certificate, key; borrowed from the settings */
    struct sys_stat seen[2];
    struct buf texts[2]; /* NUL-ended PEM */
};

/* False: TLS is not asked for. */
bool tls_is_set(const struct settings *settings);
/* STATUS_INVALID_ARGUMENT: one of the two settings is missing; or why a file cannot be read. */
enum status tls_files_open(const struct settings *settings, struct sys *sys, struct tls_files *ret,
                           struct error *err);
void tls_files_close(struct tls_files *files); /* zeroed is fine */
const char *tls_certificate(const struct tls_files *files);
const char *tls_key(const struct tls_files *files);
/* Whether a file is another one than when it was read last. */
bool tls_files_changed(const struct tls_files *files);
/* Reads both anew. On failure the texts stay, and count as seen: one message for each change. */
enum status tls_files_read(struct tls_files *files, struct error *err);

#endif

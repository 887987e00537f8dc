/* npm_files.c: tarballs: files_path/AB/ABCD....tgz, named by SHA-512, written once and never
 * changed. A file is there, whole and synced, before the version that names it is registered; one
 * that nobody names (a publish that failed half way) is harmless. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <stdio.h>

#include "services/catalog/npm_int.h"

static void to_hex(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = 0;
}

enum status npm_digest(struct str bytes, struct npm_digests *ret, struct error *err)
{
    unsigned char sha512[64], sha1[20];
    gnutls_datum_t base64 = {0}, raw = {sha512, sizeof sha512};
    if (gnutls_hash_fast(GNUTLS_DIG_SHA512, bytes.data, bytes.len, sha512) != 0 ||
        gnutls_hash_fast(GNUTLS_DIG_SHA1, bytes.data, bytes.len, sha1) != 0 ||
        gnutls_base64_encode2(&raw, &base64) != 0)
        return error_set(err, STATUS_INTERNAL, "digests are not to be had");
    to_hex(sha512, sizeof sha512, ret->sha512);
    to_hex(sha1, sizeof sha1, ret->sha1);
    (void)snprintf(ret->integrity, sizeof ret->integrity, "sha512-%.*s", (int)base64.size,
                   (const char *)base64.data);
    gnutls_free(base64.data);
    return STATUS_OK;
}

static enum status folder_of(struct request *request, struct str hash, char out[SYS_PATH_MAX],
                             struct error *err)
{
    return sys_path(out, err, "%s/%.2s", service_of(request)->options.files_path, hash.data);
}

static enum status path_of(struct request *request, struct str hash, char out[SYS_PATH_MAX],
                           struct error *err)
{
    for (size_t i = 0; i < hash.len; i++)
        if (!strchr("0123456789abcdef", hash.data[i]))
            return error_set(err, STATUS_CORRUPT, "the version's hash is damaged");
    if (hash.len != NPM_HASH_LEN)
        return error_set(err, STATUS_CORRUPT, "the version's hash is damaged");
    return sys_path(out, err, "%s/%.2s/%.*s.tgz", service_of(request)->options.files_path,
                    hash.data, STR_ARG(hash));
}

enum status npm_store_file(struct request *request, struct str bytes, struct str hash,
                           struct error *err)
{
    struct sys *sys = service_of(request)->sys;
    char path[SYS_PATH_MAX], folder[SYS_PATH_MAX];
    struct sys_stat stat;
    TRY(path_of(request, hash, path, err));
    if (sys_stat(sys, path, &stat, NULL) == STATUS_OK && stat.size == bytes.len)
        return STATUS_OK;
    TRY(folder_of(request, hash, folder, err));
    TRY(sys_mkdirs(sys, folder, err));
    return sys_replace_file(sys, path, (struct slice){bytes.data, bytes.len}, err);
}

static enum status send_open(struct request *request, struct sys_file *file, struct error *err)
{
    enum { CHUNK = 256 * 1024 };
    struct sys *sys = service_of(request)->sys;
    uint64_t size = 0, at = 0;
    char *chunk = arena_alloc(request->arena, CHUNK);
    TRY(sys_size(sys, file, &size, err));
    if (!chunk)
        return error_no_memory(err);
    TRY(request_begin(request, 200, STR("application/octet-stream"), err));
    while (at < size) {
        size_t len = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        size_t got = 0;
        TRY(sys_pread(sys, file, chunk, len, at, &got, err));
        if (got == 0)
            return error_set(err, STATUS_CORRUPT, "the file has become shorter");
        TRY(http_write(request->http, str_make(chunk, got), err));
        at += got;
    }
    http_end(request->http);
    return STATUS_OK;
}

enum status npm_send_file(struct request *request, struct str hash, struct error *err)
{
    struct sys *sys = service_of(request)->sys;
    struct sys_file *file = NULL;
    char path[SYS_PATH_MAX];
    TRY(path_of(request, hash, path, err));
    TRY(sys_open(sys, path, SYS_READ, &file, err));
    enum status status = send_open(request, file, err);
    sys_close(sys, file);
    return status;
}

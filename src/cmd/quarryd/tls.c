#include "cmd/quarryd/tls.h"

#include <openssl/crypto.h>

bool tls_is_set(const struct settings *settings)
{
    return settings_text(settings, SETTING_TLS_CERTIFICATE)[0] ||
           settings_text(settings, SETTING_TLS_KEY)[0];
}

const char *tls_certificate(const struct tls_files *files)
{
    return files->texts[0].data;
}

const char *tls_key(const struct tls_files *files)
{
    return files->texts[1].data;
}

static void wipe(struct buf *text)
{
    if (text->data)
        OPENSSL_cleanse(text->data, text->len);
    buf_release(text);
}

static enum status read_text(struct tls_files *files, int i, struct buf *ret, struct error *err)
{
    buf_init(ret, TLS_FILE_MAX);
    enum status status = sys_read_file(files->sys, files->paths[i], ret, err);
    if (status == STATUS_OK)
        buf_append_char(ret, 0);
    if (status == STATUS_OK)
        status = buf_check(ret, "the file", err);
    if (status != STATUS_OK) {
        wipe(ret);
        return error_wrap(err, "%s (%s) cannot be read", files->paths[i],
                          i == 0 ? "TLS_CERTIFICATE" : "TLS_KEY");
    }
    return STATUS_OK;
}

enum status tls_files_read(struct tls_files *files, struct error *err)
{
    struct buf texts[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++)
        if (sys_stat(files->sys, files->paths[i], &files->seen[i], NULL) != STATUS_OK)
            files->seen[i] = (struct sys_stat){0};
    TRY(read_text(files, 0, &texts[0], err));
    enum status status = read_text(files, 1, &texts[1], err);
    if (status != STATUS_OK) {
        wipe(&texts[0]);
        return status;
    }
    for (int i = 0; i < 2; i++) {
        wipe(&files->texts[i]);
        files->texts[i] = texts[i];
    }
    return STATUS_OK;
}

bool tls_files_changed(const struct tls_files *files)
{
    for (int i = 0; i < 2; i++) {
        struct sys_stat now = {0};
        if (sys_stat(files->sys, files->paths[i], &now, NULL) == STATUS_OK &&
            (now.size != files->seen[i].size || now.modified_us != files->seen[i].modified_us))
            return true;
    }
    return false;
}

enum status tls_files_open(const struct settings *settings, struct sys *sys, struct tls_files *ret,
                           struct error *err)
{
    *ret = (struct tls_files){.sys = sys,
                              .paths = {settings_text(settings, SETTING_TLS_CERTIFICATE),
                                        settings_text(settings, SETTING_TLS_KEY)}};
    if (!ret->paths[0][0] || !ret->paths[1][0])
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TLS_CERTIFICATE and TLS_KEY go together; %s is missing",
                         ret->paths[0][0] ? "TLS_KEY" : "TLS_CERTIFICATE");
    return tls_files_read(ret, err);
}

void tls_files_close(struct tls_files *files)
{
    wipe(&files->texts[0]);
    wipe(&files->texts[1]);
}

#include "cmd/quarryd/access.h"

#include "auth/jwt.h"
#include "base/uuid.h"
#include "service/token_keys.h"

bool access_is_required(const struct quarryd_options *options, enum service_kind kind)
{
    const char *choice = settings_text(options->settings, SETTING_AUTH_REQUIRED);
    enum setting host = kind == SERVICE_TENANT ? SETTING_REST_HOST : SETTING_BIND_HOST;
    if (strcmp(choice, "auto") != 0)
        return strcmp(choice, "yes") == 0;
    return !options->insecure_bind && !options_is_loopback(settings_text(options->settings, host));
}

static enum status folder_of(const struct settings *settings, char out[SYS_PATH_MAX],
                             struct error *err)
{
    const char *given = settings_text(settings, SETTING_AUTH_PATH);
    return given[0] ? sys_path(out, err, "%s", given)
                    : sys_path(out, err, "%s/auth", settings_text(settings, SETTING_DATA_PATH));
}

static enum status share_keys(struct access *access, struct error *err)
{
    struct keyring copy = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < access->keys.len && status == STATUS_OK; i++)
        status = keyring_add(&copy, auth_key_ref(access->keys.keys[i]), err);
    if (status == STATUS_OK)
        status = verifier_set_keys(access->verifier, STR_NONE, STR_NONE, &copy, err);
    keyring_release(&copy);
    return status;
}

static enum access_audit audit_of(const struct settings *settings)
{
    const char *choice = settings_text(settings, SETTING_ACCESS_AUDIT);
    return strcmp(choice, "none") == 0  ? ACCESS_AUDIT_NONE
           : strcmp(choice, "all") == 0 ? ACCESS_AUDIT_ALL
                                        : ACCESS_AUDIT_DENIED;
}

static enum status open_parts(const struct quarryd_options *options, struct sys *sys,
                              const struct log *log, struct access *access, struct error *err)
{
    const struct settings *settings = options->settings;
    char *folder = access->folder, revoked[SYS_PATH_MAX];
    TRY(folder_of(settings, folder, err));
    TRY(sys_path(revoked, err, "%s/revoked", folder));
    const struct token_key_options keys = {
        .sys = sys,
        .folder = folder,
        .secret = settings_text(settings, SETTING_JWT_SECRET),
        .key_files = settings_text(settings, SETTING_JWT_KEY_FILES),
    };
    TRY(token_keys_load(&keys, &access->keys, err));
    TRY(verifier_new(sys, str_of(settings_text(settings, SETTING_JWT_ISSUER)),
                     str_of(settings_text(settings, SETTING_JWT_AUDIENCE)),
                     settings_int(settings, SETTING_JWT_CLOCK_SKEW_SECONDS), &access->verifier,
                     err));
    TRY(share_keys(access, err));
    TRY(oidc_open(sys, settings_text(settings, SETTING_OIDC_ISSUERS), access->verifier, log,
                  &access->oidc, err));
    TRY(sys_mkdirs(sys, folder, err));
    bool writer = !options->node && options->services & 1u << SERVICE_GATEWAY;
    TRY(revocations_open(sys, revoked, writer, access->verifier, &access->revocations, err));
    TRY(sys_path(access->tenants_path, err, "%s/tenants", folder));
    TRY(tenant_book_open(sys, access->tenants_path, &access->tenants, err));
    enum service_kind kind = options->node ? SERVICE_TENANT : SERVICE_GATEWAY;
    const struct gate_options gate = {.sys = sys,
                                      .verifier = access->verifier,
                                      .revocations = access->revocations,
                                      .tenants = access->tenants,
                                      .audit = audit_of(settings),
                                      .required = access_is_required(options, kind),
                                      .tenant = settings_text(settings, SETTING_TENANT_ID),
                                      .one_tenant = options->node};
    return gate_new(&gate, &access->gate, err);
}

enum status access_open(const struct quarryd_options *options, struct sys *sys,
                        const struct log *log, struct access *ret, struct error *err)
{
    *ret = (struct access){.sys = sys, .settings = options->settings};
    enum status status = open_parts(options, sys, log, ret, err);
    if (status != STATUS_OK)
        access_close(ret);
    return status;
}

enum status access_operator_token(void *context, struct buf *ret, struct error *err)
{
    static const struct str roles[] = {STR("admin")};
    const struct access *access = context;
    char id[UUID_TEXT_LEN + 1];
    unsigned char random[10];
    int64_t now_us = sys_now_us(access->sys);
    sys_random(access->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)now_us / 1000, random), id);
    const struct claims claims = {
        .subject = STR("monitoring"),
        .tenant = str_of(settings_text(access->settings, SETTING_TENANT_ID)),
        .id = str_make(id, UUID_TEXT_LEN),
        .issuer = str_of(settings_text(access->settings, SETTING_JWT_ISSUER)),
        .audience = str_of(settings_text(access->settings, SETTING_JWT_AUDIENCE)),
        .issued_s = now_us / 1000000,
        .not_before_s = now_us / 1000000,
        .expires_s = now_us / 1000000 + ACCESS_TOKEN_LIFE_S,
        .use = TOKEN_ACCESS,
        .roles = roles,
        .roles_len = 1,
    };
    buf_append_str(ret, STR("Bearer "));
    return jwt_sign(&access->keys, &claims, ret, err);
}

void access_close(struct access *access)
{
    gate_free(access->gate);
    tenant_book_close(access->tenants);
    revocations_close(access->revocations);
    oidc_close(access->oidc);
    verifier_free(access->verifier);
    keyring_release(&access->keys);
    *access = (struct access){0};
}

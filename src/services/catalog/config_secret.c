/* config_secret.c: values of settings that are stored encrypted.
 *
 * The key is the file config.key in AUTH_PATH, made at the first encrypted setting, with mode 0600:
 * apart from the catalog, so that whoever gets the database alone has nothing. A value is bound to
 * its tenant and setting. */
#include "services/catalog/catalog_int.h"

bool config_is_secret(const struct record *config)
{
    return config->secret.len > 0;
}

static enum status load_key(struct catalog_service *service, struct seal_key *ret,
                            struct error *err)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&service->lock);
    if (!service->has_config_key) {
        status = seal_key_load(service->sys, service->options.keys_path, "config.key",
                               &service->config_key, err);
        service->has_config_key = status == STATUS_OK;
    }
    if (status == STATUS_OK)
        *ret = service->config_key;
    pthread_mutex_unlock(&service->lock);
    return status;
}

static enum status context_of(struct request *request, struct str tenant, struct str name,
                              struct str *ret)
{
    *ret =
        str_of(arena_printf(request->arena, "config\n%.*s\n%.*s", STR_ARG(tenant), STR_ARG(name)));
    return ret->data ? STATUS_OK : error_no_memory(&request->error);
}

enum status config_seal(struct request *request, struct str value, struct record *config)
{
    struct seal_key key;
    struct str context;
    TRY(context_of(request, caller_of(request).tenant, config->name, &context));
    TRY(load_key(service_of(request), &key, &request->error));
    enum status status = seal(service_of(request)->sys, &key, context, value, request->arena,
                              &config->secret, &request->error);
    seal_key_forget(&key);
    return status;
}

enum status config_unseal(struct request *request, const struct caller *caller,
                          const struct record *config, struct str *ret)
{
    struct seal_key key;
    struct str context;
    if (!caller->admin)
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "the value of '%.*s' is encrypted: only an admin of the tenant reads it",
                         STR_ARG(config->name));
    TRY(context_of(request, caller->tenant, config->name, &context));
    TRY(load_key(service_of(request), &key, &request->error));
    enum status status =
        seal_open(&key, context, config->secret, request->arena, ret, &request->error);
    seal_key_forget(&key);
    return status;
}

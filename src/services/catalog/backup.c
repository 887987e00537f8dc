/* backup.c: POST /catalog/backup: the catalog's part of a backup (catalog/backup.h). It writes to a
 * path that the caller names, so the caller must be on this machine. */
#include "catalog/backup.h"

#include "services/catalog/catalog_int.h"

static bool is_local(struct str client)
{
    return str_starts(client, STR("127.")) || str_is(client, "::1") ||
           str_starts(client, STR("::ffff:127."));
}

static enum status check_path(struct str path, struct error *err)
{
    bool absolute = path.len > 1 && path.len < SYS_PATH_MAX / 2 && path.data[0] == '/';
    bool plain = absolute && !memmem(path.data, path.len, "/..", 3);
    return plain ? STATUS_OK
                 : error_set(err, STATUS_INVALID_ARGUMENT, "path must be absolute, without \"..\"");
}

enum status backup_control(struct request *request)
{
    struct catalog_service *service = service_of(request);
    struct str path = request_str(request, "path");
    char key[SYS_PATH_MAX];
    struct catalog_backup_result result;
    struct buf buf;
    struct json_writer w;
    if (!is_local(http_request_client(request->http)))
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "a backup can only be asked for on the catalog's own machine");
    TRY(check_path(path, &request->error));
    TRY(sys_path(key, &request->error, "%s/config.key", service->options.keys_path));
    const struct catalog_backup what = {.sys = service->sys,
                                        .backend = catalog_backend(service->catalog),
                                        .registry_path = service->options.files_path,
                                        .key_path = key};
    struct str copy = arena_str(request->arena, path);
    if (!copy.data)
        return error_no_memory(&request->error);
    TRY(catalog_backup(&what, copy.data, (uint64_t)request_int(request, "generation"), &result,
                       &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_int(&w, "records", (int64_t)result.records);
    json_kv_int(&w, "registry_files", (int64_t)result.files);
    json_kv_bool(&w, "config_key", result.key);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

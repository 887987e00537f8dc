#include "catalog/open.h"

#include "catalog/file/file_backend.h"
#include "catalog/folder.h"
#include "catalog/postgres/postgres_backend.h"
#include "catalog/redis/redis_backend.h"
#include "catalog/sqlite/sqlite_backend.h"

static enum status open_sqlite(struct sys *sys, const char *path, struct backend **ret,
                               struct error *err)
{
    char folder[SYS_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash && slash != path) {
        TRY(sys_path(folder, err, "%.*s", (int)(slash - path), path));
        TRY(folder_make(sys, folder, err));
    }
    struct sqlite_backend_options options = {.path = path};
    return sqlite_backend_open(&options, ret, err);
}

enum status catalog_backend_open(struct sys *sys, const char *url, struct backend **ret,
                                 struct error *err)
{
    struct str rest = str_of(url), scheme = STR_NONE;
    if (!str_split(&rest, ':', &scheme) || !rest.len)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s' names no catalog: write sqlite:FILE, file:FOLDER, postgresql://... "
                         "or redis://...",
                         url);
    if (str_is(scheme, "sqlite"))
        return open_sqlite(sys, rest.data, ret, err);
    if (str_is(scheme, "file"))
        return file_backend_open(sys, rest.data, ret, err);
    if (str_is(scheme, "redis") || str_is(scheme, "unix"))
        return redis_backend_open(&(struct redis_backend_options){.url = url}, ret, err);
    if (str_is(scheme, "postgresql") || str_is(scheme, "postgres"))
        return postgres_backend_open(&(struct postgres_backend_options){.url = url, .listen = true},
                                     ret, err);
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "there is no catalog back end '%.*s': write sqlite:FILE, file:FOLDER, "
                     "postgresql://... or redis://...",
                     STR_ARG(scheme));
}

#include "catalog/open.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "catalog/elastic/elastic_backend.h"
#include "catalog/file/file_backend.h"
#include "catalog/folder.h"
#include "catalog/hybrid/hybrid_backend.h"
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

/* --- hybrid --- */

enum {
    CACHE_TIMEOUT_MS = HYBRID_SLOW_US / 1000,
    SEARCH_TIMEOUT_MS = 2 * HYBRID_SEARCH_SLOW_US / 1000,
};

static bool is_elastic(struct str url)
{
    return str_starts(url, STR("elasticsearch")) || str_starts(url, STR("opensearch"));
}

/* Beside a primary of this machine, so that whoever reaches the one reaches the other; else in
 * shared memory. */
static enum status generations_path(const char *primary, char out[SYS_PATH_MAX], struct error *err)
{
    struct str rest = str_of(primary), scheme;
    str_split(&rest, ':', &scheme);
    while (rest.len > 1 && rest.data[rest.len - 1] == '/')
        rest.len--;
    if (str_is(scheme, "sqlite") || str_is(scheme, "file"))
        return sys_path(out, err, "%.*s.generations", STR_ARG(rest));
    return sys_path(out, err, "/dev/shm/quarry-%u-%016" PRIx64 ".generations", (unsigned)geteuid(),
                    str_hash(str_of(primary)));
}

/* A Redis server may be away. */
static enum status open_cache(struct sys *sys, const char *url, struct backend **ret,
                              struct error *err)
{
    const struct redis_backend_options options = {
        .url = url, .prefix = "quarry-cache", .timeout_ms = CACHE_TIMEOUT_MS, .is_cache = true};
    if (str_starts(str_of(url), STR("redis:")) || str_starts(str_of(url), STR("unix:")))
        return redis_backend_open(&options, ret, err);
    return catalog_backend_open(sys, url, ret, err);
}

/* What takes longer is no help to a query that the primary can answer, too. */
static enum status open_search(struct sys *sys, const char *url, struct backend **ret,
                               struct error *err)
{
    const struct elastic_backend_options options = {
        .sys = sys, .url = url, .timeout_ms = SEARCH_TIMEOUT_MS, .tries = 2};
    if (is_elastic(str_of(url)))
        return elastic_backend_open(&options, ret, err);
    return catalog_backend_open(sys, url, ret, err);
}

static bool is_hybrid(const char *url)
{
    return str_starts(str_of(url), STR("hybrid:"));
}

/* Cache and search engine may be empty. */
static enum status open_parts(struct sys *sys, const char *primary, const char *cache,
                              const char *search, struct backend **ret, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct hybrid_options options = {.sys = sys,
                                     .generations_path = path,
                                     .search_url = search[0] ? search : NULL,
                                     .search_open = open_search};
    if (is_hybrid(primary) || is_hybrid(cache) || is_hybrid(search))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a hybrid catalog cannot be a part of a hybrid catalog");
    TRY(generations_path(primary, path, err));
    TRY(catalog_backend_open(sys, primary, &options.primary, err));
    enum status status = cache[0] ? open_cache(sys, cache, &options.cache, err) : STATUS_OK;
    if (status != STATUS_OK) {
        backend_close(options.primary);
        return status;
    }
    return hybrid_backend_open(&options, ret, err);
}

bool hybrid_urls(struct str urls, struct str *ret_primary, struct str *ret_cache,
                 struct str *ret_search)
{
    *ret_primary = *ret_cache = STR_NONE;
    *ret_search = urls;
    str_split(ret_search, '|', ret_primary);
    str_split(ret_search, '|', ret_cache);
    return ret_primary->len && (ret_cache->len || ret_search->len) &&
           !(ret_search->len && memchr(ret_search->data, '|', ret_search->len));
}

static enum status open_hybrid(struct sys *sys, struct str urls, struct backend **ret,
                               struct error *err)
{
    struct str primary, cache, search;
    if (!hybrid_urls(urls, &primary, &cache, &search))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a hybrid catalog is written hybrid:PRIMARY|CACHE, "
                         "hybrid:PRIMARY|CACHE|SEARCH or hybrid:PRIMARY||SEARCH, each the URL of a "
                         "back end");
    char *first = str_dup(primary), *second = str_dup(cache), *third = str_dup(search);
    enum status status = first && second && third ? open_parts(sys, first, second, third, ret, err)
                                                  : error_no_memory(err);
    free(first);
    free(second);
    free(third);
    return status;
}

enum status catalog_backend_open(struct sys *sys, const char *url, struct backend **ret,
                                 struct error *err)
{
    struct str rest = str_of(url), scheme = STR_NONE;
    if (!str_split(&rest, ':', &scheme) || !rest.len)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s' names no catalog: write sqlite:FILE, file:FOLDER, postgresql://..., "
                         "redis://..., elasticsearch://... or hybrid:PRIMARY|CACHE|SEARCH",
                         url);
    if (str_is(scheme, "sqlite"))
        return open_sqlite(sys, rest.data, ret, err);
    if (str_is(scheme, "hybrid"))
        return open_hybrid(sys, rest, ret, err);
    if (str_is(scheme, "file"))
        return file_backend_open(sys, rest.data, ret, err);
    if (is_elastic(scheme))
        return elastic_backend_open(&(struct elastic_backend_options){.sys = sys, .url = url}, ret,
                                    err);
    if (str_is(scheme, "redis") || str_is(scheme, "unix"))
        return redis_backend_open(&(struct redis_backend_options){.url = url}, ret, err);
    if (str_is(scheme, "postgresql") || str_is(scheme, "postgres"))
        return postgres_backend_open(&(struct postgres_backend_options){.url = url, .listen = true},
                                     ret, err);
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "there is no catalog back end '%.*s': write sqlite:FILE, file:FOLDER, "
                     "postgresql://..., redis://..., elasticsearch://... or "
                     "hybrid:PRIMARY|CACHE|SEARCH",
                     STR_ARG(scheme));
}

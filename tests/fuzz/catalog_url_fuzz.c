/* catalog_url_fuzz.c: any bytes as the URL of a catalog's back end: no crash, no leak; what is
 * taken has all its parts, and no secret or index prefix that could break out of its place in a
 * request. */
#include <stdlib.h>
#include <string.h>

#include "catalog/elastic/elastic_url.h"
#include "catalog/open.h"
#include "catalog/redis/redis_url.h"

static void check(bool good)
{
    if (!good)
        abort();
}

static void check_elastic(struct str text)
{
    struct elastic_url url;
    if (elastic_url_parse(text, &url, NULL) != STATUS_OK)
        return;
    check(url.origin && url.prefix && url.prefix[0]);
    check(strspn(url.prefix, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(url.prefix));
    check(!strpbrk(url.origin, " \r\n\t@?#"));
    check(!url.authorization || !strpbrk(url.authorization, "\r\n"));
    elastic_url_release(&url);
}

static void check_redis(struct str text)
{
    struct redis_url url;
    if (redis_url_parse(text, &url, NULL) != STATUS_OK)
        return;
    check(url.host && (url.is_unix || (url.host[0] && url.port > 0 && url.port <= 65535)));
    redis_url_release(&url);
}

static void check_hybrid(struct str text)
{
    struct str primary, cache, search;
    if (hybrid_urls(text, &primary, &cache, &search))
        check(primary.len && (cache.len || search.len) &&
              primary.len + cache.len + search.len < text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    check_elastic(text);
    check_redis(text);
    check_hybrid(text);
    return 0;
}

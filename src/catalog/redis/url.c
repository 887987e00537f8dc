/* url.c: where a server is. */
#include <stdlib.h>
#include <string.h>

#include "catalog/redis/redis_url.h"

static enum status bad_url(struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "a Redis server is written redis://[:PASSWORD@]HOST:PORT[/DATABASE] or "
                     "unix:PATH");
}

/* HOST:PORT[/DATABASE] */
static enum status parse_address(struct redis_url *ret, struct str text, struct error *err)
{
    struct str host, port, rest = text;
    int64_t number = 0, database = 0;
    if (!str_split(&rest, '/', &text) || (rest.len && !str_to_int64(rest, &database)))
        return bad_url(err);
    rest = text;
    if (!str_split(&rest, ':', &host) || !host.len)
        return bad_url(err);
    port = rest.data ? rest : STR("6379");
    if (!str_to_int64(port, &number) || number < 1 || number > 65535 || database < 0 ||
        database > 65535)
        return bad_url(err);
    ret->host = str_dup(host);
    ret->port = (int)number;
    ret->database = (int)database;
    return ret->host ? STATUS_OK : error_no_memory(err);
}

static enum status parse(struct redis_url *ret, struct str url, struct error *err)
{
    if (str_starts(url, STR("unix:"))) {
        ret->is_unix = true;
        ret->host = str_dup(str_make(url.data + 5, url.len - 5));
        return ret->host ? STATUS_OK : error_no_memory(err);
    }
    if (!str_starts(url, STR("redis://")))
        return bad_url(err);
    struct str rest = str_make(url.data + 8, url.len - 8);
    const char *at = rest.data ? memrchr(rest.data, '@', rest.len) : NULL;
    if (at) {
        struct str secret = str_make(rest.data, (size_t)(at - rest.data)), user;
        if (!str_split(&secret, ':', &user) || user.len || !secret.data)
            return bad_url(err);
        ret->password = str_dup(secret);
        if (!ret->password)
            return error_no_memory(err);
        rest = str_make(at + 1, rest.len - (size_t)(at + 1 - rest.data));
    }
    return parse_address(ret, rest, err);
}

enum status redis_url_parse(struct str text, struct redis_url *ret, struct error *err)
{
    *ret = (struct redis_url){0};
    /* a NUL would end the parts before their end */
    bool whole = !text.len || !memchr(text.data, '\0', text.len);
    enum status status = whole ? parse(ret, text, err) : bad_url(err);
    if (status != STATUS_OK)
        redis_url_release(ret);
    return status;
}

void redis_url_release(struct redis_url *url)
{
    free(url->host);
    free(url->password);
    *url = (struct redis_url){0};
}

/* url.c: where a server is, and how it knows its clients. */
#include "catalog/elastic/elastic_url.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { PREFIX_MAX = 100, SECRET_MAX = 4096 };

static enum status bad_url(struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "an Elasticsearch or OpenSearch server is written "
                     "elasticsearch[+https]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]"
                     "[?api_key=KEY&ca_file=PATH]");
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX in names and passwords; NULL when it is none or memory is out. */
static char *decode(struct str text)
{
    char *out = malloc(text.len + 1);
    size_t len = 0;
    for (size_t i = 0; out && i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.data[i + 2]) : -1;
            c = (char)(high < 0 || low < 0 ? 0 : high << 4 | low);
            i += 2;
        }
        if (!c || c == '\r' || c == '\n') {
            free(out);
            return NULL;
        }
        out[len++] = c;
    }
    if (out)
        out[len] = '\0';
    return out;
}

/* "<scheme> <value>" */
static enum status set_authorization(struct elastic_url *url, const char *scheme, struct str value,
                                     struct error *err)
{
    struct buf buf;
    buf_init(&buf, 2 * SECRET_MAX);
    buf_printf(&buf, "%s %.*s", scheme, STR_ARG(value));
    buf_append_char(&buf, '\0');
    free(url->authorization);
    url->authorization = buf_failed(&buf) ? NULL : buf_take(&buf, NULL);
    buf_release(&buf);
    return url->authorization ? STATUS_OK : error_no_memory(err);
}

/* USER:PASSWORD */
static enum status parse_user(struct elastic_url *url, struct str text, struct error *err)
{
    unsigned char encoded[SECRET_MAX / 3 * 4 + 8];
    char *plain = text.len && text.len < SECRET_MAX ? decode(text) : NULL;
    bool good = plain && strchr(plain, ':');
    enum status status = STATUS_OK;
    if (good) {
        int len = EVP_EncodeBlock(encoded, (const unsigned char *)plain, (int)strlen(plain));
        status = set_authorization(url, "Basic", str_make((char *)encoded, (size_t)len), err);
    }
    free(plain);
    return good ? status : bad_url(err);
}

static enum status parse_option(struct elastic_url *url, struct str name, struct str value,
                                struct error *err)
{
    char *plain = value.len && value.len < SECRET_MAX ? decode(value) : NULL;
    enum status status = STATUS_OK;
    if (plain && str_is(name, "api_key")) {
        status = set_authorization(url, "ApiKey", str_of(plain), err);
    } else if (plain && str_is(name, "ca_file")) {
        free(url->ca_file);
        url->ca_file = plain;
        plain = NULL;
    } else {
        status = bad_url(err);
    }
    free(plain);
    return status;
}

static enum status parse_options(struct elastic_url *url, struct str rest, struct error *err)
{
    while (rest.len) {
        struct str option, name;
        str_split(&rest, '&', &option);
        str_split(&option, '=', &name);
        TRY(parse_option(url, name, option, err));
    }
    return STATUS_OK;
}

/* Lower-case letters, digits, '-', '_'; begins with a letter or digit: what index names may be. */
static bool is_prefix(struct str text)
{
    bool good =
        text.len > 0 && text.len <= PREFIX_MAX && text.data[0] != '-' && text.data[0] != '_';
    for (size_t i = 0; i < text.len && good; i++) {
        char c = text.data[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    return good;
}

/* HOST[:PORT], [::1]:PORT; the port that such servers have is 9200. */
static enum status set_origin(struct elastic_url *url, struct str host, bool https,
                              struct error *err)
{
    struct buf buf;
    const char *bracket = host.len ? memchr(host.data, ']', host.len) : NULL;
    size_t from = bracket ? (size_t)(bracket - host.data) : 0;
    bool port = host.len && memchr(host.data + from, ':', host.len - from);
    for (size_t i = 0; i < host.len; i++)
        if ((unsigned char)host.data[i] <= ' ' || strchr("/\\?#@\"<>", host.data[i]))
            return bad_url(err);
    if (!host.len || host.data[0] == ':')
        return bad_url(err);
    buf_init(&buf, 2048);
    buf_printf(&buf, "%s://%.*s%s", https ? "https" : "http", STR_ARG(host), port ? "" : ":9200");
    buf_append_char(&buf, '\0');
    url->origin = buf_failed(&buf) ? NULL : buf_take(&buf, NULL);
    buf_release(&buf);
    return url->origin ? STATUS_OK : bad_url(err);
}

static bool take_scheme(struct str *rest, bool *ret_https)
{
    static const struct str schemes[] = {STR("elasticsearch://"),       STR("opensearch://"),
                                         STR("elasticsearch+https://"), STR("opensearch+https://"),
                                         STR("elasticsearch+http://"),  STR("opensearch+http://")};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!str_starts(*rest, schemes[i]))
            continue;
        *rest = str_make(rest->data + schemes[i].len, rest->len - schemes[i].len);
        *ret_https = i == 2 || i == 3;
        return true;
    }
    return false;
}

static enum status parse(struct elastic_url *url, struct str rest, struct error *err)
{
    struct str address, prefix, host;
    bool https = false;
    if (!take_scheme(&rest, &https))
        return bad_url(err);
    str_split(&rest, '?', &prefix);
    str_split(&prefix, '/', &address);
    host = address;
    const char *at = address.len ? memrchr(address.data, '@', address.len) : NULL;
    if (at) {
        host = str_make(at + 1, address.len - (size_t)(at + 1 - address.data));
        TRY(parse_user(url, str_make(address.data, (size_t)(at - address.data)), err));
    }
    TRY(set_origin(url, host, https, err));
    TRY(parse_options(url, rest, err));
    if (!prefix.len)
        prefix = STR("quarry");
    if (!is_prefix(prefix))
        return bad_url(err);
    url->prefix = str_dup(prefix);
    return url->prefix ? STATUS_OK : error_no_memory(err);
}

enum status elastic_url_parse(struct str text, struct elastic_url *ret, struct error *err)
{
    *ret = (struct elastic_url){0};
    enum status status = parse(ret, text, err);
    if (status != STATUS_OK)
        elastic_url_release(ret);
    return status;
}

void elastic_url_release(struct elastic_url *url)
{
    free(url->origin);
    free(url->prefix);
    free(url->authorization);
    free(url->ca_file);
    *url = (struct elastic_url){0};
}

#include "cmd/quarryd/addresses.h"

#include <string.h>

static enum status refuse(struct str entry, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "SERVICE_ADDRESSES: '%.*s' is not SERVICE=HOST:PORT or SERVICE=dns:HOST:PORT; "
                     "there are gateway, "
                     "operation, optimizer, catalog, monitoring, interpreter, tenant",
                     STR_ARG(entry));
}

/* "host:port" or "[v6 address]:port" */
static bool split_host(struct str text, struct str *ret_host, struct str *ret_port)
{
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    *ret_host = str_make(text.data, colon - 1);
    *ret_port = str_make(text.data + colon, text.len - colon);
    bool bracketed = ret_host->data[0] == '[' && ret_host->data[ret_host->len - 1] == ']';
    if (bracketed)
        *ret_host = str_make(ret_host->data + 1, ret_host->len - 2);
    return bracketed || !memchr(ret_host->data, ':', ret_host->len);
}

static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:",
                    host.data[i]))
            return false;
    return host.len > 0 && host.len <= ADDRESS_HOST_MAX;
}

enum status addresses_next(struct str *list, struct address *ret, bool *ret_found,
                           struct error *err)
{
    struct str entry, name = STR_NONE, host, port;
    int64_t number = 0;
    do {
        *ret_found = str_split(list, ',', &entry);
        if (!*ret_found)
            return STATUS_OK;
        entry = str_trim(entry);
    } while (entry.len == 0);
    struct str rest = entry;
    *ret = (struct address){0};
    bool named = str_split(&rest, '=', &name) && rest.data;
    ret->dns = named && str_starts(rest, STR("dns:"));
    if (ret->dns)
        rest = str_make(rest.data + strlen("dns:"), rest.len - strlen("dns:"));
    if (!named || !service_kind_parse(name, &ret->kind) || !split_host(rest, &host, &port) ||
        !is_host(host) || !str_to_int64(port, &number) || number < 1 || number > UINT16_MAX)
        return refuse(entry, err);
    memcpy(ret->host, host.data, host.len);
    ret->port = (uint16_t)number;
    return STATUS_OK;
}

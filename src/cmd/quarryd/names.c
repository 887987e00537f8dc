#include "cmd/quarryd/names.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/quarryd/addresses.h"
#include "sys/thread.h"

struct name {
    struct address address;
    char urls[NAME_ADDRESSES_MAX][NAME_URL_MAX];
    uint32_t len;
    bool failed; /* the last time; told once */
};

struct names {
    struct names_options options;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ends;
    struct thread thread;
    struct name names[NAMES_MAX];
    uint32_t len;
};

/* --- one name --- */

static int compare_urls(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool write_url(const struct addrinfo *info, uint16_t port, char url[NAME_URL_MAX])
{
    char host[NI_MAXHOST];
    if (getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST))
        return false;
    bool v6 = info->ai_family == AF_INET6;
    int n = snprintf(url, NAME_URL_MAX, "http://%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
                     (unsigned)port);
    return n > 0 && n < NAME_URL_MAX;
}

static uint32_t drop_doubles(char urls[NAME_ADDRESSES_MAX][NAME_URL_MAX], uint32_t len)
{
    uint32_t kept = 0;
    qsort(urls, len, NAME_URL_MAX, compare_urls);
    for (uint32_t i = 0; i < len; i++)
        if (kept == 0 || strcmp(urls[i], urls[kept - 1]) != 0)
            memmove(urls[kept++], urls[i], NAME_URL_MAX);
    return kept;
}

enum status names_resolve(const char *host, uint16_t port,
                          char ret[NAME_ADDRESSES_MAX][NAME_URL_MAX], uint32_t *ret_len,
                          struct error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    uint32_t len = 0;
    int failed = getaddrinfo(host, NULL, &hints, &found);
    if (failed)
        return error_set(err, STATUS_UNAVAILABLE, "the name %s cannot be looked up: %s", host,
                         gai_strerror(failed));
    for (struct addrinfo *info = found; info && len < NAME_ADDRESSES_MAX; info = info->ai_next)
        len += write_url(info, port, ret[len]);
    freeaddrinfo(found);
    *ret_len = drop_doubles(ret, len);
    return STATUS_OK;
}

/* --- all of them --- */

/* True: its addresses are others now. */
static bool look_up(struct names *names, struct name *name)
{
    char urls[NAME_ADDRESSES_MAX][NAME_URL_MAX] = {{0}};
    uint32_t len = 0;
    struct error err = ERROR_INIT;
    enum status status = names_resolve(name->address.host, name->address.port, urls, &len, &err);
    if (status != STATUS_OK && !name->failed)
        log_error(names->options.log, "the last known addresses stay", &err);
    name->failed = status != STATUS_OK;
    if (status != STATUS_OK ||
        (len == name->len && memcmp(urls, name->urls, len * sizeof *urls) == 0))
        return false;
    pthread_mutex_lock(&names->lock);
    memcpy(name->urls, urls, sizeof urls);
    name->len = len;
    pthread_mutex_unlock(&names->lock);
    return true;
}

static void *run(void *argument)
{
    struct names *names = argument;
    pthread_mutex_lock(&names->lock);
    while (!names->ends) {
        bool changed = false;
        pthread_mutex_unlock(&names->lock);
        for (uint32_t i = 0; i < names->len; i++)
            changed |= look_up(names, &names->names[i]);
        if (changed)
            names->options.changed(names->options.context);
        pthread_mutex_lock(&names->lock);
        int64_t until_us = sys_mono_us(names->options.sys) + names->options.interval_us;
        while (!names->ends && thread_cond_wait_until(&names->wake, &names->lock, until_us))
            continue;
    }
    pthread_mutex_unlock(&names->lock);
    return NULL;
}

static enum status take_entries(struct names *names, struct error *err)
{
    struct str list = names->options.addresses;
    struct address address;
    for (bool found = true;;) {
        TRY(addresses_next(&list, &address, &found, err));
        if (!found)
            return STATUS_OK;
        if (address.dns && names->len == NAMES_MAX)
            return error_set(err, STATUS_RESOURCE_LIMIT,
                             "SERVICE_ADDRESSES has more than %d DNS names", NAMES_MAX);
        if (address.dns)
            names->names[names->len++].address = address;
    }
}

enum status names_start(const struct names_options *options, struct names **ret, struct error *err)
{
    struct names *names = calloc(1, sizeof *names);
    *ret = NULL;
    if (!names)
        return error_no_memory(err);
    names->options = *options;
    pthread_mutex_init(&names->lock, NULL);
    thread_cond_init(&names->wake);
    enum status status = take_entries(names, err);
    if (status == STATUS_OK && names->len > 0) {
        status = thread_start(&names->thread, "dns-names", 0, run, names, err);
        *ret = names;
    }
    if (status != STATUS_OK || names->len == 0) {
        names_stop(names);
        *ret = NULL;
    }
    return status;
}

void names_stop(struct names *names)
{
    if (!names)
        return;
    pthread_mutex_lock(&names->lock);
    names->ends = true;
    pthread_cond_signal(&names->wake);
    pthread_mutex_unlock(&names->lock);
    thread_join(&names->thread);
    pthread_cond_destroy(&names->wake);
    pthread_mutex_destroy(&names->lock);
    free(names);
}

static enum status add_name(const struct name *name, struct arena *arena, struct instances *to,
                            uint32_t cap, struct error *err)
{
    for (uint32_t i = 0; i < name->len && to->len < cap; i++) {
        struct str url = arena_str(arena, str_of(name->urls[i]));
        if (!url.data)
            return error_no_memory(err);
        to->items[to->len++] =
            (struct instance){.service = str_of(service_info(name->address.kind)->key),
                              .url = url,
                              .source = "dns",
                              .alive = true};
    }
    return STATUS_OK;
}

enum status names_list(struct names *names, struct arena *arena, struct instances *to, uint32_t cap,
                       struct error *err)
{
    enum status status = STATUS_OK;
    if (!names)
        return STATUS_OK;
    pthread_mutex_lock(&names->lock);
    for (uint32_t i = 0; i < names->len && status == STATUS_OK; i++)
        status = add_name(&names->names[i], arena, to, cap, err);
    pthread_mutex_unlock(&names->lock);
    return status;
}

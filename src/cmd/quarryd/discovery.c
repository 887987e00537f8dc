/* discovery.c: the thread's round:
 *
 *   1. open the catalog, when it is not open: also one that was down at the start
 *   2. beat, look
 *   3. own + listed + names + registered: when that is another list than before, tell */
#include "cmd/quarryd/discovery.h"

#include <stdlib.h>
#include <unistd.h>

#include "catalog/open.h"
#include "cmd/quarryd/addresses.h"
#include "cmd/quarryd/names.h"
#include "cmd/quarryd/options.h"
#include "sys/thread.h"

enum {
    HOST_MAX = 255,
    OTHERS_MAX = NAMES_MAX * NAME_ADDRESSES_MAX, /* listed ones and addresses of names, each */
    URL_MAX = 160,
    NAMES_INTERVAL_US = 5000000,
};

/* A list and the memory of its texts. */
struct picture {
    struct arena arena;
    struct instances all;
};

struct discovery {
    struct discovery_options options;
    struct picture own, known;
    struct picture now; /* guarded by the lock; written by the thread only */
    struct backend *backend;
    struct presence *presence;
    struct names *names;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ends, look_now, failed;
    struct thread thread;
};

static bool registers(const struct discovery *discovery)
{
    return discovery->options.catalog_url[0] && discovery->options.ttl_us > 0;
}

/* --- lists --- */

static enum status copy_instance(const struct instance *from, struct arena *arena,
                                 struct instance *to, struct error *err)
{
    *to = *from;
    to->service = arena_str(arena, from->service);
    to->url = arena_str(arena, from->url);
    to->tenant = arena_str(arena, from->tenant);
    to->process = arena_str(arena, from->process);
    to->host = arena_str(arena, from->host);
    to->version = arena_str(arena, from->version);
    bool good = to->service.data && to->url.data && to->tenant.data && to->process.data &&
                to->host.data && to->version.data;
    return good ? STATUS_OK : error_no_memory(err);
}

static enum status copy_list(const struct instances *from, struct arena *arena,
                             struct instances *to, struct error *err)
{
    *to = (struct instances){.items = arena_array(arena, from->len, sizeof *to->items)};
    if (!to->items)
        return error_no_memory(err);
    for (; to->len < from->len; to->len++)
        TRY(copy_instance(&from->items[to->len], arena, &to->items[to->len], err));
    return STATUS_OK;
}

static enum status add_listed(struct discovery *discovery, struct arena *arena,
                              struct instances *to, uint32_t cap, struct error *err)
{
    struct str list = str_of(discovery->options.addresses);
    struct address address;
    for (bool found = true; to->len < cap;) {
        TRY(addresses_next(&list, &address, &found, err));
        if (!found)
            return STATUS_OK;
        if (address.dns)
            continue;
        char url[URL_MAX];
        options_url(address.host, address.port, url, sizeof url);
        struct instance *instance = &to->items[to->len++];
        *instance = (struct instance){.service = str_of(service_info(address.kind)->key),
                                      .url = arena_str(arena, str_of(url)),
                                      .source = "listed",
                                      .alive = true};
        if (!instance->url.data)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

static enum status compose(struct discovery *discovery, const struct instances *registered,
                           struct picture *picture, struct error *err)
{
    struct arena *arena = &picture->arena;
    struct instances *all = &picture->all;
    uint32_t own = discovery->own.all.len, cap = own + registered->len + 2 * OTHERS_MAX;
    *all = (struct instances){.items = arena_array(arena, cap, sizeof *all->items)};
    if (!all->items)
        return error_no_memory(err);
    for (; all->len < own; all->len++)
        all->items[all->len] = discovery->own.all.items[all->len];
    TRY(add_listed(discovery, arena, all, own + OTHERS_MAX, err));
    TRY(names_list(discovery->names, arena, all, all->len + OTHERS_MAX, err));
    for (uint32_t i = 0; i < registered->len; i++)
        all->items[all->len++] = registered->items[i];
    return STATUS_OK;
}

/* Heartbeats alone are no change. */
static bool same(const struct instances *a, const struct instances *b)
{
    bool equal = a->len == b->len;
    for (uint32_t i = 0; equal && i < a->len; i++)
        equal = str_eq(a->items[i].url, b->items[i].url) &&
                str_eq(a->items[i].service, b->items[i].service) &&
                str_eq(a->items[i].tenant, b->items[i].tenant) &&
                a->items[i].alive == b->items[i].alive;
    return equal;
}

static bool is_known(const struct instances *list, const struct instance *instance)
{
    for (uint32_t i = 0; i < list->len; i++)
        if (str_eq(list->items[i].url, instance->url) && list->items[i].alive == instance->alive &&
            str_eq(list->items[i].service, instance->service))
            return true;
    return false;
}

static void log_changes(struct discovery *discovery, const struct instances *before,
                        const struct instances *after)
{
    const struct log *log = discovery->options.log;
    for (uint32_t i = 0; i < after->len; i++)
        if (after->items[i].process.len && !is_known(before, &after->items[i]))
            log_event(log, after->items[i].alive ? LOG_INFO : LOG_WARN,
                      after->items[i].alive ? "an instance was found" : "an instance is lost",
                      LOG_TEXT("service", after->items[i].service),
                      LOG_TEXT("url", after->items[i].url), LOG_TEXT("host", after->items[i].host));
}

/* Takes the picture over, and tells when it is another one. */
static void show(struct discovery *discovery, struct picture *fresh)
{
    bool changed = !same(&discovery->now.all, &fresh->all);
    if (changed) {
        log_changes(discovery, &discovery->now.all, &fresh->all);
        discovery->options.changed(discovery->options.context, &fresh->all);
    }
    pthread_mutex_lock(&discovery->lock);
    struct picture old = discovery->now;
    discovery->now = *fresh;
    pthread_mutex_unlock(&discovery->lock);
    arena_release(&old.arena);
}

/* --- the thread --- */

/* Of a hybrid catalog the part that holds the truth: a cache may lag. */
static struct str primary_of(const char *url)
{
    struct str rest = str_of(url), primary;
    if (!str_starts(rest, STR("hybrid:")))
        return rest;
    rest = str_make(rest.data + strlen("hybrid:"), rest.len - strlen("hybrid:"));
    return str_split(&rest, '|', &primary) ? primary : str_of(url);
}

static enum status open_presence(struct discovery *discovery, struct error *err)
{
    char host[HOST_MAX + 1] = "";
    if (discovery->presence)
        return STATUS_OK;
    struct str primary = primary_of(discovery->options.catalog_url);
    char *url = str_dup(primary);
    if (!url)
        return error_no_memory(err);
    enum status status = STATUS_OK;
    if (!discovery->backend)
        status = catalog_backend_open(discovery->options.sys, url, &discovery->backend, err);
    free(url);
    TRY(status);
    if (gethostname(host, HOST_MAX) < 0)
        host[0] = 0;
    const struct presence_options options = {.sys = discovery->options.sys,
                                             .backend = discovery->backend,
                                             .ttl_us = discovery->options.ttl_us,
                                             .host = host,
                                             .version = discovery->options.version,
                                             .pid = getpid()};
    return presence_new(&options, &discovery->presence, err);
}

static enum status look(struct discovery *discovery, struct arena *arena,
                        struct instances *ret_registered, struct error *err)
{
    *ret_registered = (struct instances){0};
    if (!registers(discovery))
        return STATUS_OK;
    TRY(open_presence(discovery, err));
    const struct instances *known = &discovery->known.all;
    TRY(presence_beat(discovery->presence, known->items, known->len, err));
    return presence_look(discovery->presence, arena, ret_registered, err);
}

static void round_once(struct discovery *discovery)
{
    struct picture fresh = {0};
    struct instances registered;
    struct error err = ERROR_INIT;
    arena_init(&fresh.arena, 0);
    enum status status = look(discovery, &fresh.arena, &registered, &err);
    if (status == STATUS_OK)
        status = compose(discovery, &registered, &fresh, &err);
    if (status == STATUS_OK)
        show(discovery, &fresh);
    else
        arena_release(&fresh.arena);
    if (status != STATUS_OK && !discovery->failed)
        log_error(discovery->options.log, "the services' register cannot be used", &err);
    if (status == STATUS_OK && discovery->failed)
        log_event(discovery->options.log, LOG_INFO, "the services' register can be used again",
                  LOG_NUM("services", discovery->now.all.len));
    discovery->failed = status != STATUS_OK;
}

static void *run(void *argument)
{
    struct discovery *discovery = argument;
    int64_t pause_us = discovery->options.ttl_us / PRESENCE_BEATS;
    pthread_mutex_lock(&discovery->lock);
    while (!discovery->ends) {
        discovery->look_now = false;
        pthread_mutex_unlock(&discovery->lock);
        int64_t until_us = sys_mono_us(discovery->options.sys) + pause_us;
        round_once(discovery);
        pthread_mutex_lock(&discovery->lock);
        while (!discovery->ends && !discovery->look_now) {
            if (!registers(discovery))
                pthread_cond_wait(&discovery->wake, &discovery->lock);
            else if (!thread_cond_wait_until(&discovery->wake, &discovery->lock, until_us))
                break;
        }
    }
    pthread_mutex_unlock(&discovery->lock);
    return NULL;
}

static void names_changed(void *context)
{
    struct discovery *discovery = context;
    pthread_mutex_lock(&discovery->lock);
    discovery->look_now = true;
    pthread_cond_signal(&discovery->wake);
    pthread_mutex_unlock(&discovery->lock);
}

/* --- life --- */

static enum status begin(struct discovery *discovery, struct error *err)
{
    const struct discovery_options *options = &discovery->options;
    const struct instances own = {(struct instance *)(uintptr_t)options->own, options->own_len};
    const struct instances known = {(struct instance *)(uintptr_t)options->known, options->own_len};
    const struct instances none = {0};
    struct picture first = {0};
    TRY(copy_list(&own, &discovery->own.arena, &discovery->own.all, err));
    TRY(copy_list(&known, &discovery->known.arena, &discovery->known.all, err));
    arena_init(&first.arena, 0);
    enum status status = compose(discovery, &none, &first, err);
    if (status != STATUS_OK) {
        arena_release(&first.arena);
        return status;
    }
    show(discovery, &first);
    const struct names_options names = {.sys = options->sys,
                                        .log = options->log,
                                        .addresses = str_of(options->addresses),
                                        .interval_us = NAMES_INTERVAL_US,
                                        .changed = names_changed,
                                        .context = discovery};
    TRY(names_start(&names, &discovery->names, err));
    if (!registers(discovery) && !discovery->names)
        return STATUS_OK; /* nothing will ever change */
    return thread_start(&discovery->thread, "discovery", 0, run, discovery, err);
}

enum status discovery_start(const struct discovery_options *options, struct discovery **ret,
                            struct error *err)
{
    struct discovery *discovery = calloc(1, sizeof *discovery);
    if (!discovery)
        return error_no_memory(err);
    discovery->options = *options;
    pthread_mutex_init(&discovery->lock, NULL);
    thread_cond_init(&discovery->wake);
    arena_init(&discovery->own.arena, 0);
    arena_init(&discovery->known.arena, 0);
    arena_init(&discovery->now.arena, 0);
    enum status status = begin(discovery, err);
    if (status != STATUS_OK) {
        discovery_free(discovery);
        return status;
    }
    *ret = discovery;
    return STATUS_OK;
}

enum status discovery_list(struct discovery *discovery, struct arena *arena, struct instances *ret,
                           struct error *err)
{
    pthread_mutex_lock(&discovery->lock);
    enum status status = copy_list(&discovery->now.all, arena, ret, err);
    pthread_mutex_unlock(&discovery->lock);
    return status;
}

void discovery_leave(struct discovery *discovery)
{
    struct error err = ERROR_INIT;
    if (!discovery)
        return;
    names_stop(discovery->names); /* it calls us */
    discovery->names = NULL;
    pthread_mutex_lock(&discovery->lock);
    discovery->ends = true;
    pthread_cond_signal(&discovery->wake);
    pthread_mutex_unlock(&discovery->lock);
    thread_join(&discovery->thread);
    if (discovery->presence && presence_leave(discovery->presence, &err) != STATUS_OK)
        log_error(discovery->options.log, "the services cannot be taken off the register", &err);
    presence_free(discovery->presence);
    discovery->presence = NULL;
    backend_close(discovery->backend);
    discovery->backend = NULL;
}

void discovery_free(struct discovery *discovery)
{
    if (!discovery)
        return;
    discovery_leave(discovery);
    arena_release(&discovery->own.arena);
    arena_release(&discovery->known.arena);
    arena_release(&discovery->now.arena);
    pthread_cond_destroy(&discovery->wake);
    pthread_mutex_destroy(&discovery->lock);
    free(discovery);
}

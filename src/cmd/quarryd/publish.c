/* publish.c: tells the services that call others where those are.
 *
 * Of each kind: the instance of this process and those of SERVICE_ADDRESSES. What does not run here
 * is also looked for among the registered ones: those that live, or, when none does, those that did
 * (a breaker finds out whether they do after all). Of a kind that nobody has told anything about,
 * it is supposed that it runs on this machine at its usual port. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/quarryd/control_int.h"
#include "quarry_version.h"

enum { URL_MAX = CONTROL_URL_MAX, HOST_MAX = 255 };

uint16_t control_port_setting(const struct control *control, enum service_kind kind)
{
    static const enum setting settings[SERVICE_COUNT] = {
        [SERVICE_GATEWAY] = SETTING_GATEWAY_PORT,
        [SERVICE_OPERATION] = SETTING_OPERATION_PORT,
        [SERVICE_OPTIMIZER] = SETTING_OPTIMIZER_PORT,
        [SERVICE_CATALOG] = SETTING_CATALOG_PORT,
        [SERVICE_MONITORING] = SETTING_MONITORING_PORT,
        [SERVICE_INTERPRETER] = SETTING_INTERPRETER_PORT,
        [SERVICE_TENANT] = SETTING_REST_PORT,
    };
    return (uint16_t)settings_int(control->options->settings, settings[kind]);
}

static const char *host_setting(const struct control *control, enum service_kind kind)
{
    return settings_text(control->options->settings,
                         kind == SERVICE_TENANT ? SETTING_REST_HOST : SETTING_BIND_HOST);
}

static void guess(const struct control *control, enum service_kind kind, char url[URL_MAX])
{
    options_url(options_reach(host_setting(control, kind)), control_port_setting(control, kind),
                url, URL_MAX);
}

/* --- the choice --- */

static bool is_own(const struct instance *instance)
{
    return strcmp(instance->source, "own") == 0;
}

static bool is_chosen(const struct instance *instance, bool runs_here, bool any_lives)
{
    bool registered = strcmp(instance->source, "registered") == 0;
    return !registered || (!runs_here && (instance->alive || !any_lives));
}

static uint32_t choose(const struct instances *all, enum service_kind kind,
                       struct upstream_target *targets)
{
    struct str key = str_of(service_info(kind)->key);
    bool runs_here = false, any_lives = false;
    uint32_t len = 0;
    for (uint32_t i = 0; i < all->len; i++) {
        bool of_kind = str_eq(all->items[i].service, key);
        runs_here |= of_kind && is_own(&all->items[i]);
        any_lives |= of_kind && all->items[i].alive;
    }
    for (uint32_t i = 0; i < all->len && len < UPSTREAM_INSTANCES_MAX; i++)
        if (str_eq(all->items[i].service, key) && is_chosen(&all->items[i], runs_here, any_lives))
            targets[len++] = (struct upstream_target){all->items[i].url, all->items[i].tenant};
    return len;
}

/* --- telling --- */

/* "http://host:port", "https://[v6]:port"; port 0: a guess that cannot be */
static bool split_url(struct str url, char host[HOST_MAX + 1], uint16_t *ret_port, bool *ret_tls)
{
    int64_t port = 0;
    size_t colon = url.len;
    *ret_tls = str_starts(url, STR("https://"));
    size_t from = strlen(*ret_tls ? "https://" : "http://");
    while (colon > from && url.data[colon - 1] != ':')
        colon--;
    if (colon <= from || colon - 1 - from > HOST_MAX ||
        !str_to_int64(str_make(url.data + colon, url.len - colon), &port) || port < 0 ||
        port > UINT16_MAX)
        return false;
    struct str name = str_make(url.data + from, colon - 1 - from);
    if (name.len > 2 && name.data[0] == '[')
        name = str_make(name.data + 1, name.len - 2);
    snprintf(host, HOST_MAX + 1, "%.*s", STR_ARG(name));
    *ret_port = (uint16_t)port;
    return true;
}

/* Those that call one instance only; told when it is another one. */
static void tell_first(struct control *control, enum service_kind kind, struct str url)
{
    char host[HOST_MAX + 1], *text = control->first[kind];
    uint16_t port = 0;
    bool tls = false;
    if (url.len >= sizeof control->first[kind] || str_is(url, text) ||
        !split_url(url, host, &port, &tls))
        return;
    snprintf(text, sizeof control->first[kind], "%.*s", STR_ARG(url));
    if (control->monitoring)
        monitoring_set_target(control->monitoring, kind, host, port, tls);
    if (control->catalog_service && kind == SERVICE_TENANT)
        catalog_service_set_node(control->catalog_service, text);
    if (control->optimizer && kind == SERVICE_TENANT)
        optimizer_service_set_node(control->optimizer, text);
}

static void publish_kind(struct control *control, enum service_kind kind,
                         const struct instances *all)
{
    struct upstream_target targets[UPSTREAM_INSTANCES_MAX];
    struct error err = ERROR_INIT;
    char usual[URL_MAX];
    uint32_t len = choose(all, kind, targets);
    if (len == 0) {
        guess(control, kind, usual);
        targets[len++] = (struct upstream_target){.url = str_of(usual)};
    }
    tell_first(control, kind, targets[0].url);
    if (control->gateway && kind != SERVICE_GATEWAY &&
        gateway_set_targets(control->gateway, kind, targets, len, &err) != STATUS_OK)
        log_error(control->log, "some instances cannot be reached through the gateway", &err);
}

static void publish_all(void *context, const struct instances *all)
{
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        publish_kind(context, (enum service_kind)kind, all);
}

/* --- the own services --- */

/* What others are to call this machine: where it listens on all addresses, its name. */
static void advertised_host(const struct control *control, enum service_kind kind,
                            char host[HOST_MAX + 1])
{
    const char *given = settings_text(control->options->settings, SETTING_ADVERTISE_HOST);
    const char *listens = host_setting(control, kind);
    bool everywhere = strcmp(listens, "0.0.0.0") == 0 || strcmp(listens, "::") == 0;
    snprintf(host, HOST_MAX + 1, "%s", given[0] ? given : options_address(listens));
    if (!given[0] && everywhere && gethostname(host, HOST_MAX) < 0)
        snprintf(host, HOST_MAX + 1, "%s", options_reach(listens));
}

static void write_url(const char *host, uint16_t port, bool tls, char url[URL_MAX])
{
    bool v6 = strchr(host, ':') != NULL;
    snprintf(url, URL_MAX, "http%s://%s%.200s%s:%u", tls ? "s" : "", v6 ? "[" : "", host,
             v6 ? "]" : "", (unsigned)port);
}

struct own_list {
    struct instance here[SERVICE_COUNT];  /* where this process calls them */
    struct instance known[SERVICE_COUNT]; /* where others do */
    char here_urls[SERVICE_COUNT][URL_MAX], known_urls[SERVICE_COUNT][URL_MAX];
    uint32_t len;
};

static void add_own(const struct control *control, enum service_kind kind, uint16_t port,
                    struct own_list *to)
{
    const char *tenant = settings_text(control->options->settings, SETTING_TENANT_ID);
    bool tls = kind == SERVICE_GATEWAY && control->tls;
    uint32_t at = to->len++;
    char host[HOST_MAX + 1];
    advertised_host(control, kind, host);
    write_url(options_reach(host_setting(control, kind)), port, tls, to->here_urls[at]);
    write_url(host, port, tls, to->known_urls[at]);
    to->here[at] = (struct instance){.service = str_of(service_info(kind)->key),
                                     .url = str_of(to->here_urls[at]),
                                     .tenant = str_of(kind == SERVICE_TENANT ? tenant : ""),
                                     .version = STR(QUARRY_VERSION),
                                     .source = "own",
                                     .pid = getpid(),
                                     .alive = true};
    to->known[at] = to->here[at];
    to->known[at].url = str_of(to->known_urls[at]);
}

enum status control_publish(struct control *control, const uint16_t ports[SERVICE_COUNT],
                            struct error *err)
{
    const struct settings *settings = control->options->settings;
    struct own_list own = {.len = 0};
    struct discovery *discovery = NULL;
    for (int i = 0; i < SERVICE_COUNT; i++)
        if (ports[i])
            add_own(control, (enum service_kind)i, ports[i], &own);
    const struct discovery_options options = {
        .sys = control->sys,
        .log = control->log,
        .catalog_url = settings_text(settings, SETTING_CATALOG_URL),
        .addresses = settings_text(settings, SETTING_SERVICE_ADDRESSES),
        .ttl_us = settings_int(settings, SETTING_SERVICE_TTL_SECONDS) * 1000000,
        .version = QUARRY_VERSION,
        .own = own.here,
        .known = own.known,
        .own_len = own.len,
        .changed = publish_all,
        .context = control};
    TRY(discovery_start(&options, &discovery, err));
    atomic_store(&control->discovery, discovery);
    return STATUS_OK;
}

enum status control_list_services(void *context, struct arena *arena, struct instances *ret,
                                  struct error *err)
{
    struct control *control = context;
    struct discovery *discovery = atomic_load(&control->discovery);
    *ret = (struct instances){0};
    return discovery ? discovery_list(discovery, arena, ret, err) : STATUS_OK;
}

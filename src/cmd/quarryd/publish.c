/* publish.c: tells the services that call others where those are. */
#include <stdio.h>

#include "cmd/quarryd/addresses.h"
#include "cmd/quarryd/control_int.h"

enum { UPSTREAM_TEXT_MAX = 128 };

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

static void publish_one(struct control *control, enum service_kind kind, const char *address,
                        uint16_t port)
{
    char url[UPSTREAM_TEXT_MAX];
    struct error err = ERROR_INIT;
    if (control->monitoring)
        monitoring_set_target(control->monitoring, kind, address, port,
                              kind == SERVICE_GATEWAY && control->tls);
    options_url(address, port, url, sizeof url);
    if (control->catalog_service && kind == SERVICE_TENANT)
        catalog_service_set_node(control->catalog_service, url);
    if (control->optimizer && kind == SERVICE_TENANT)
        optimizer_service_set_node(control->optimizer, url);
    if (!control->gateway || kind == SERVICE_GATEWAY)
        return;
    if (gateway_add_target(control->gateway, kind, url, &err) != STATUS_OK)
        log_error(control->log, "a service cannot be reached through the gateway", &err);
}

/* Those that SERVICE_ADDRESSES names; returns them as a set. */
static unsigned publish_named(struct control *control)
{
    struct str list = str_of(settings_text(control->options->settings, SETTING_SERVICE_ADDRESSES));
    struct address address;
    unsigned named = 0;
    bool found = true;
    while (addresses_next(&list, &address, &found, NULL) == STATUS_OK && found) {
        publish_one(control, address.kind, address.host, address.port);
        named |= 1u << address.kind;
    }
    return named;
}

/* All seven are probed and proxied: also those that other processes run, at their usual ports. */
void control_publish(struct control *control, const uint16_t ports[SERVICE_COUNT])
{
    const struct settings *settings = control->options->settings;
    unsigned named = publish_named(control);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        enum service_kind kind = (enum service_kind)i;
        enum setting host = kind == SERVICE_TENANT ? SETTING_REST_HOST : SETTING_BIND_HOST;
        if (ports[i] || !(named & 1u << i))
            publish_one(control, kind, options_reach(settings_text(settings, host)),
                        ports[i] ? ports[i] : control_port_setting(control, kind));
    }
}

#include "cmd/quarryd/node_calls.h"

#include <unistd.h>

enum { SLOTS_PER_PROCESSOR = 4, SLOTS_MIN = 8, QUEUES_AT_ONCE = 2 };

static uint32_t list_nodes(void *context, struct node_status *ret, uint32_t cap)
{
    return tenant_nodes_list(context, ret, cap);
}

static enum status command_node(void *context, struct str tenant, enum node_command command,
                                struct error *err)
{
    return tenant_nodes_command(context, tenant, command, err);
}

static enum status enter_node(void *context, struct str tenant, char *url, struct error *err)
{
    return tenant_nodes_enter(context, tenant, url, err);
}

static void leave_node(void *context, struct str tenant)
{
    tenant_nodes_leave(context, tenant);
}

struct operation_nodes operation_calls(struct tenant_nodes *nodes)
{
    return (struct operation_nodes){.context = nodes,
                                    .list = list_nodes,
                                    .command = command_node,
                                    .enter = enter_node,
                                    .leave = leave_node};
}

static uint32_t list_scaling(void *context, struct scaling_node *ret, uint32_t cap)
{
    return scaler_list(context, ret, cap);
}

static uint32_t list_changes(void *context, struct scaling_event *ret, uint32_t cap)
{
    return scaler_history(context, ret, cap);
}

static bool scales(void *context)
{
    return scaler_is_enabled(context);
}

struct operation_scaling scaling_calls(struct tenant_nodes *nodes)
{
    return (struct operation_scaling){.context = tenant_nodes_scaler(nodes),
                                      .list = list_scaling,
                                      .history = list_changes,
                                      .enabled = scales};
}

struct gateway_nodes gateway_calls(struct tenant_nodes *nodes)
{
    return (struct gateway_nodes){.context = nodes, .enter = enter_node, .leave = leave_node};
}

struct optimizer_nodes optimizer_calls(struct tenant_nodes *nodes)
{
    return (struct optimizer_nodes){.context = nodes, .enter = enter_node, .leave = leave_node};
}

static uint32_t slots_of(const struct settings *settings)
{
    long slots = settings_int(settings, SETTING_QUERY_SLOTS);
    if (slots == 0)
        slots = SLOTS_PER_PROCESSOR * sysconf(_SC_NPROCESSORS_ONLN);
    return slots < SLOTS_MIN && settings_int(settings, SETTING_QUERY_SLOTS) == 0 ? SLOTS_MIN
                                                                                 : (uint32_t)slots;
}

uint32_t queue_threads(const struct settings *settings)
{
    return slots_of(settings) +
           QUEUES_AT_ONCE * (uint32_t)settings_int(settings, SETTING_QUERY_QUEUE_MAX);
}

enum status queue_open(const struct settings *settings, struct sys *sys, struct query_queue **ret,
                       struct error *err)
{
    uint32_t slots = slots_of(settings);
    const struct query_queue_options options = {
        .sys = sys,
        .fair = {.slots = slots,
                 .tenant_max = slots > 1 ? slots - (slots + 3) / 4 : 1,
                 .waiting_max = (uint32_t)settings_int(settings, SETTING_QUERY_QUEUE_MAX)},
        .wait_max_us = settings_int(settings, SETTING_QUERY_WAIT_SECONDS) * 1000000};
    return query_queue_new(&options, ret, err);
}

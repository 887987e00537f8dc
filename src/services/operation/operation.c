#include <stdlib.h>

#include "services/operation/operation_int.h"

static const struct service_handler handlers[] = {
    {"query_execute", operation_execute},
    {"tenant_nodes", operation_nodes_get},
    {"tenant_node_command", operation_node_command},
    {"services_list", operation_services_get},
    {"scaling_status", operation_scaling_status},
    {"scaling_history", operation_scaling_history},
    {"operation_queries", operation_queries_get},
    {"operation_query_cancel", operation_query_cancel},
};

static void collect(void *context, struct metrics *metrics)
{
    operation_collect_nodes(context, metrics);
    operation_collect_queue(context, metrics);
    operation_collect_scaling(context, metrics);
}

enum status operation_start(const struct service_options *base,
                            const struct operation_options *options,
                            struct operation_service **ret_operation, struct error *err)
{
    struct operation_service *operation = calloc(1, sizeof *operation);
    if (!operation)
        return error_no_memory(err);
    operation->options = *options;
    operation->sys = base->sys;
    struct service_options service = *base;
    service.kind = SERVICE_OPERATION;
    service.context = operation;
    service.handlers = handlers;
    service.handlers_len = sizeof handlers / sizeof *handlers;
    service.health = operation_health;
    service.ready = operation_ready;
    service.collect = collect;
    enum status status = service_start(&service, &operation->service, err);
    if (status != STATUS_OK) {
        free(operation);
        return status;
    }
    *ret_operation = operation;
    return STATUS_OK;
}

struct service *operation_service(struct operation_service *operation)
{
    return operation->service;
}

void operation_stop(struct operation_service *operation, uint32_t grace_ms)
{
    if (!operation)
        return;
    service_stop(operation->service, grace_ms);
    free(operation);
}

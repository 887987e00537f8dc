/* services.c: where the services of the installation are. */
#include "service/reply.h"
#include "services/operation/operation_int.h"

enum { SERVICES_ANSWER_MAX = 16 << 20 };

static void write_instance(const struct instance *instance, struct json_writer *w)
{
    bool told = instance->process.len > 0; /* of the others nobody knows */
    bool own = strcmp(instance->source, "own") == 0;
    json_begin_object(w);
    json_kv_str(w, "service", instance->service);
    json_kv_str(w, "url", instance->url);
    json_kv_str(w, "tenant_id", instance->tenant.len ? instance->tenant : STR_NONE);
    json_kv_strz(w, "source", instance->source);
    json_kv_strz(w, "state", !told && !own ? "unknown" : instance->alive ? "alive" : "lost");
    json_kv_str(w, "process_id", told ? instance->process : STR_NONE);
    json_kv_str(w, "host", told ? instance->host : STR_NONE);
    json_keyz(w, "pid");
    if (instance->pid)
        json_int(w, instance->pid);
    else
        json_null(w);
    json_kv_str(w, "version", instance->version.len ? instance->version : STR_NONE);
    json_keyz(w, "started_at");
    operation_write_time(w, instance->started_us);
    json_keyz(w, "heartbeat_at");
    operation_write_time(w, instance->heartbeat_us);
    json_keyz(w, "expires_at");
    operation_write_time(w, instance->expires_us);
    json_end_object(w);
}

enum status operation_services_get(struct request *request)
{
    const struct operation_service *operation = request->context;
    const struct operation_services *services = &operation->options.services;
    struct instances all = {0};
    struct buf body;
    struct json_writer w;
    if (services->list)
        TRY(services->list(services->context, request->arena, &all, &request->error));
    buf_init(&body, SERVICES_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_keyz(&w, "services");
    json_begin_array(&w);
    for (uint32_t i = 0; i < all.len; i++)
        write_instance(&all.items[i], &w);
    json_end_array(&w);
    json_kv_int(&w, "count", all.len);
    return reply_end(request, 200, &body, &w);
}

/* operation_int.h: the service's parts. */
#ifndef QUARRY_SERVICES_OPERATION_INT_H
#define QUARRY_SERVICES_OPERATION_INT_H

#include "services/operation/operation.h"

struct operation_service {
    struct operation_options options;
    struct sys *sys;
    struct service *service;
};

/* nodes.c */
/* ISO 8601, or null for 0. */
void operation_write_time(struct json_writer *w, int64_t us);
bool operation_health(void *context, struct json_writer *details, const char **ret_status);
bool operation_ready(void *context);
void operation_collect_nodes(struct operation_service *operation, struct metrics *metrics);
enum status operation_nodes_get(struct request *request);
enum status operation_node_command(struct request *request);

/* scaling.c */
void operation_collect_scaling(struct operation_service *operation, struct metrics *metrics);
enum status operation_scaling_status(struct request *request);
enum status operation_scaling_history(struct request *request);

/* services.c */
enum status operation_services_get(struct request *request);

/* execute.c */
enum status operation_execute(struct request *request);

/* queue.c */
/* What the caller may see: the operator all (data NULL), others their own tenant's. */
struct str operation_scope(const struct request *request);
void operation_collect_queue(struct operation_service *operation, struct metrics *metrics);
enum status operation_queries_get(struct request *request);
enum status operation_query_cancel(struct request *request);

#endif

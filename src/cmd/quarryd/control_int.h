/* control_int.h: the control services of one process. */
#ifndef QUARRY_CMD_QUARRYD_CONTROL_INT_H
#define QUARRY_CMD_QUARRYD_CONTROL_INT_H

#include <stdatomic.h>

#include "cmd/quarryd/control.h"
#include "cmd/quarryd/discovery.h"
#include "cmd/quarryd/node_calls.h"
#include "cmd/quarryd/tls.h"
#include "services/catalog/catalog.h"
#include "services/gateway/gateway.h"
#include "services/interpreter/interpreter.h"
#include "services/monitoring/monitoring.h"
#include "services/optimizer/optimizer.h"

enum { CONTROL_URL_MAX = 256 };

struct control {
    const struct quarryd_options *options;
    struct sys *sys;
    const struct log *log;
    const struct access *access;
    struct tenant_nodes *nodes; /* NULL: none here */
    struct query_queue *queue;
    struct service *services[SERVICE_COUNT]; /* those without an object of their own */
    struct catalog *catalog;                 /* NULL when no service here needs it */
    struct text_feed *text;                  /* with the catalog service only */
    char files_path[SYS_PATH_MAX];           /* of the node registry */
    char archive_path[SYS_PATH_MAX];         /* of old logs */
    struct gateway *gateway;
    bool tls; /* of the gateway */
    struct tls_files tls_files;
    struct operation_service *operation;
    struct monitoring *monitoring;
    struct interpreter *interpreter;
    struct optimizer_service *optimizer;
    struct catalog_service *catalog_service;
    uint16_t ports[SERVICE_COUNT];
    struct discovery *_Atomic discovery;        /* NULL until control_publish */
    char first[SERVICE_COUNT][CONTROL_URL_MAX]; /* what tell_first has told */
};

/* publish.c */
uint16_t control_port_setting(const struct control *control, enum service_kind kind);
enum status control_list_services(void *context, struct arena *arena, struct instances *ret,
                                  struct error *err);

#endif

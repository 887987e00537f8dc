/* probe.h: asks several services for GET /health at the same time, over plain HTTP/1.1 and TCP.
 *
 * One call waits at most `timeout_ms` altogether, whatever the services do. A healthy answer is
 * status 200 with a JSON body whose "healthy" is true. A service that speaks TLS is asked before
 * the others, with as much patience; whoever its certificate names, for nothing secret goes there.
 */
#ifndef QUARRY_SERVICES_MONITORING_PROBE_H
#define QUARRY_SERVICES_MONITORING_PROBE_H

#include "base/status.h"
#include "sys/sys.h"

enum { PROBES_MAX = 32, PROBE_ANSWER_MAX = 256 * 1024 };

struct probe_result {
    bool healthy;
    int http_status;    /* 0: no answer */
    int64_t latency_us; /* until the whole answer was there, or the failure */
    char status[160];   /* the service's own word, or what went wrong */
};

struct probe_target {
    const char *host;      /* a name or an address */
    uint16_t port;         /* 0: not running here */
    struct str request_id; /* passed on; data NULL: none */
    bool tls;
};

void probe_all(struct sys *sys, const struct probe_target *targets, size_t len, int timeout_ms,
               struct probe_result *ret_results);

#endif

/* federate.c: GET /federate: the metrics of all services as collected last, for a Prometheus that
 * scrapes one address only (with honor_labels: true). */
#include "services/monitoring/federation.h"
#include "services/monitoring/monitoring_int.h"

enum { FEDERATE_BODY_MAX = 64 << 20 };

static enum status write_collected(struct collector *collector, struct buf *ret, struct error *err)
{
    struct federation_input inputs[SERVICE_COUNT];
    struct buf texts[SERVICE_COUNT];
    size_t n = 0;
    for (int kind = 0; kind < SERVICE_COUNT; kind++) {
        buf_init(&texts[kind], COLLECTOR_TEXT_MAX);
        if (collector_text(collector, (enum service_kind)kind, &texts[kind]))
            inputs[n++] = (struct federation_input){service_info((enum service_kind)kind)->name,
                                                    buf_str(&texts[kind])};
    }
    enum status status = federation_write(inputs, n, ret, err);
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        buf_release(&texts[kind]);
    return status;
}

enum status handle_federate(struct request *request)
{
    struct monitoring *monitoring = request->context;
    struct buf body;
    if (!monitoring->options.offers_metrics)
        return error_set(&request->error, STATUS_NOT_FOUND,
                         "PROMETHEUS_ENABLED is false: each service still has its own /metrics");
    buf_init(&body, FEDERATE_BODY_MAX);
    enum status status = write_collected(monitoring->collector, &body, &request->error);
    if (status != STATUS_OK) {
        buf_release(&body);
        return status;
    }
    request_respond_text(request, 200, STR(METRICS_CONTENT_TYPE), &body);
    return STATUS_OK;
}

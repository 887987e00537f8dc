/* federation.h: the metrics of several services as one Prometheus text.
 *
 * A family (one # HELP, one # TYPE, its samples) may stand once in a text, so the families of all
 * services are merged by name; each sample gets a label instance="<service>" in front, unless it
 * has one. Format: https://prometheus.io/docs/instrumenting/exposition_formats/ */
#ifndef QUARRY_SERVICES_MONITORING_FEDERATION_H
#define QUARRY_SERVICES_MONITORING_FEDERATION_H

#include "base/buf.h"

enum { FEDERATION_FAMILIES_MAX = 1024 };

struct federation_input {
    const char *instance;
    struct str
        text; /* as service/metrics.h writes it: samples stand behind the # lines of their family */
};

/* STATUS_RESOURCE_LIMIT: more families than FEDERATION_FAMILIES_MAX, or `ret` is full. */
enum status federation_write(const struct federation_input *inputs, size_t len, struct buf *ret,
                             struct error *err);

#endif
